"""Cameras and devices that people list, by the requests that the former programs documented."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Finding, NoAnswer, Report, Sighting, Target
from simulators.panasonic import Camera
from sources.source import Source
from tests.accounts import people
from tests.home import Clock, Home, until
from tests.web.closed import Visitor
from web.http.actions.cameras import NO_SNMP, NOT_RECORDED

PASSWORD = "gräs/h0pper"
GATE = {
    "name": "Front Door Camera",
    "description": "Main entrance monitoring",
    "ip_address": "127.0.0.9",
    "port": 554,
    "username": "admin",
    "password": PASSWORD,
    "rtsp_url": "rtsp://admin:gr%C3%A4s%2Fh0pper@127.0.0.9:554/stream1",
    "location": "Front Door",
    "auto_record": True,
    "record_quality": "high",
}
"""The documented example of the CCTV system."""


class Probed:
    """The sources rtsp and onvif, which accept one login; each remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Target]] = []
        self.is_on = True

    def source(self, name: str) -> Source:
        async def probe(target: Target) -> Sequence[Report]:
            self.asked.append((name, target))
            if not self.is_on:
                raise NoAnswer("connection refused")
            at = Clock()()
            sighting = Sighting(
                target.site, (target.key,), name, at, address=target.host, facts={"codec": "H264"}
            )
            if target.may_login and (target.username, target.secret) != ("admin", PASSWORD):
                text = f"wrong user name or password ({target.secret})"
                return [sighting, Finding(target.key, "login.wrong", at, text, name)]
            return [sighting, Finding(target.key, "login.wrong", at, "", name, cleared=True)]

        return Source(name, name.upper(), 10.0, probe=probe, interval=600.0)


@pytest.fixture
def probed() -> Probed:
    return Probed()


@pytest.fixture
def home(tmp_path: Path, probed: Probed) -> Iterator[Home]:
    """A monitor that knows Stage, a Panasonic camera at 127.20.0.1, and checks by two sources."""
    stage = Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Stage")
    sources = [probed.source("rtsp"), probed.source("onvif")]
    made = Home(tmp_path, Clock(), stage, sources=sources)
    made.scan()
    yield made
    made.close()


def answer(home: Home, method: str, path: str, body: Any = None, code: int = 200) -> Any:
    response = home.client.open(path, method=method, json=body)
    assert response.status_code == code, response.text
    return response.get_json()


def add(home: Home, body: dict[str, Any], path: str = "/api/cameras/") -> Any:
    return answer(home, "POST", path, body, 201)


def target(probed: Probed) -> Target:
    """The newest question by RTSP that had a login."""
    return [target for name, target in probed.asked if name == "rtsp"][-1]


# -- add -------------------------------------------------------------------------------------


def test_the_documented_camera_of_the_device_backend_is_added_and_checked(
    home: Home, probed: Probed
) -> None:
    body = {
        "name": "Camera-01",
        "ip_address": "127.0.0.20",
        "rtsp_url": "rtsp://127.0.0.20:554/stream1",
        "username": "admin",
        "password": PASSWORD,
        "location": "Main Entrance",
    }
    saved = add(home, body)
    camera = saved["camera"]
    assert (camera["name"], camera["location"]) == ("Camera-01", "Main Entrance")
    assert (camera["ip_address"], camera["port"]) == ("127.0.0.20", 554)
    assert camera["rtsp_url"] == "rtsp://127.0.0.20:554/stream1"
    assert (camera["username"], camera["has_password"]) == ("admin", True)
    assert saved["warnings"] == []
    until(lambda: home.status(str(camera["id"])) == "ACTIVE", what="it was checked at once")
    asked = target(probed)
    assert (asked.host, asked.port, asked.path) == ("127.0.0.20", 554, "/stream1")
    assert (asked.username, asked.secret) == ("admin", PASSWORD)


def test_the_documented_camera_of_the_cctv_system_is_added(home: Home) -> None:
    camera = add(home, GATE, "/v0/api/cctv/cameras/")
    shown = answer(home, "GET", f"/v0/api/cctv/cameras/{camera['id']}/")
    assert camera.pop("warnings") == [NOT_RECORDED]
    # It may have been checked between the two answers.
    for row in (camera, shown):
        row["status"] = row["reason"] = row["last_seen"] = None
    assert camera == shown
    expected = {**GATE, "rtsp_url": "rtsp://127.0.0.9:554/stream1", "has_password": True}
    expected |= {"id": 2, "status": None, "reason": None, "last_seen": None}
    del expected["password"]
    assert shown == {**expected, "retention_days": None}


def test_a_password_is_in_no_answer_export_event_audit_line_or_file(home: Home) -> None:
    add(home, GATE)
    add(home, {**GATE, "ip_address": "127.0.0.10", "rtsp_url": None, "onvif": {}})
    answer(home, "PUT", "/api/cameras/2", {"username": "root", "password": "w1llow-tree"})
    home.events()
    paths = ("/api/cameras", "/api/cameras/2", "/v0/api/cctv/cameras/", "/api/devices/")
    texts = [
        home.client.get(path).text
        for path in (*paths, "/api/export", "/api/events?limit=500", "/api/audit", "/metrics")
    ]
    texts += [
        path.read_bytes().decode("latin-1")
        for path in home.settings.database_path.parent.rglob("*")
        if path.is_file()
    ]
    for secret in (PASSWORD, "gr%C3%A4s", "gr\\u00e4s", "w1llow-tree", "h0pper"):
        assert not [text[:80] for text in texts if secret in text]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"ip_address": None, "rtsp_url": None}, "ip_address"),
        ({"ip_address": "127.0.0.8"}, "ip_address"),
        ({"port": 8554}, "port"),
        ({"username": "root"}, "username"),
        ({"password": "magpie-71"}, "password"),
        ({"username": None, "rtsp_url": None}, "username"),
        ({"login": "none"}, "login"),
        ({"rtsp_url": "http://127.0.0.9/"}, "rtsp_url"),
        ({"rtsp_url": "rtsp://127.0.0.9/?password=magpie-71"}, "password"),
        ({"rtsp_url": "rtsp://127.0.0.9/?user=a&pwd=magpie-71&pass=magpie-71"}, "rtsp_url"),
        ({"record_quality": "best"}, "record_quality"),
        ({"retention_days": 0}, "retention_days"),
        ({"interval": 1}, "interval"),
        ({"stream": "x"}, "stream"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_added(
    home: Home, change: dict[str, Any], name: str
) -> None:
    response = home.client.post("/api/cameras/", json={**GATE, **change})
    assert (response.status_code, response.headers["X-Field"]) == (422, name)
    assert "magpie" not in response.text
    assert PASSWORD not in response.text
    assert len(home.devices()) == 1
    assert not home.monitor.tracker.fleet().secrets


def test_the_port_beside_a_url_without_one_is_used(home: Home) -> None:
    camera = add(home, {"ip_address": "127.0.0.9", "port": 8554, "rtsp_url": "rtsp://127.0.0.9/a"})
    assert camera["camera"]["rtsp_url"] == "rtsp://127.0.0.9:8554/a"


def test_a_camera_is_added_by_rtsp_and_onvif_and_both_get_the_login(
    home: Home, probed: Probed
) -> None:
    body = {**GATE, "onvif": {"port": 8080, "path": "/onvif/x"}, "interval": 60}
    camera = add(home, body)["camera"]
    assert camera["onvif"] == {"port": 8080, "path": "/onvif/x", "tls": False}
    assert camera["interval"] == 60
    until(lambda: {name for name, _target in probed.asked} == {"rtsp", "onvif"})
    assert {target.secret for _name, target in probed.asked} == {PASSWORD}
    access = home.device("2").access
    assert access["rtsp"].secret != access["onvif"].secret, "each is sealed to its own id"


def test_an_address_alone_is_asked_by_onvif_and_rtsp(home: Home, probed: Probed) -> None:
    add(home, {"ip_address": "127.0.0.6", "username": "admin", "password": "word"})
    access = home.device("2").access
    assert {name: (way.host, way.username) for name, way in access.items()} == {
        "rtsp": ("127.0.0.6", "admin"),
        "onvif": ("127.0.0.6", "admin"),
    }
    until(lambda: {name for name, _target in probed.asked} == {"rtsp", "onvif"})


def test_no_login_and_an_empty_password_are_two_things(home: Home) -> None:
    add(home, {"ip_address": "127.0.0.8", "login": "none"})
    add(home, {"ip_address": "127.0.0.7", "username": "admin", "password": ""})
    open_to_all, empty = (home.device(key).access["rtsp"] for key in ("2", "3"))
    assert (open_to_all.username, open_to_all.options) == (None, {"login": "none"})
    assert (empty.username, empty.secret, empty.options) == ("admin", None, {})


def test_an_access_is_given_to_the_device_that_it_is(home: Home) -> None:
    body = {"rtsp_url": "rtsp://127.20.0.1/live", "same_as": 1, "name": "Stage left"}
    saved = add(home, body)
    assert saved["camera"]["id"] == 1
    assert len(home.devices()) == 1
    assert set(home.device("1").access) == {"rtsp"}
    assert home.device("1").name == "Stage left"
    for number in saved["undo"]:
        answer(home, "POST", "/api/undo", {"event": number})
    assert not home.device("1").access
    assert home.device("1").name is None


def test_the_same_camera_is_not_added_twice(home: Home) -> None:
    add(home, GATE)
    error = answer(home, "POST", "/v0/api/cctv/cameras/", GATE, 409)
    assert "already in the list" in error["error"]


def test_an_addition_is_undone(home: Home) -> None:
    (number,) = add(home, GATE)["undo"]
    answer(home, "POST", "/api/undo", {"event": number})
    assert len(home.devices()) == 1
    assert not home.monitor.tracker.fleet().secrets


# -- change ----------------------------------------------------------------------------------


def test_what_a_change_leaves_out_stays(home: Home) -> None:
    add(home, GATE)
    for path, method in (("/v0/api/cctv/cameras/2/", "PUT"), ("/api/cameras/2", "PATCH")):
        before = answer(home, "GET", path)
        camera = answer(home, method, path, {"name": f"Door by {method}"})
        after = answer(home, "GET", path)
        assert after["name"] == f"Door by {method}"
        for key in ("description", "location", "rtsp_url", "has_password", "record_quality"):
            assert after[key] == before[key], key
        assert camera.get("warnings") == []


def test_a_camera_that_is_sent_back_as_it_was_read_is_unchanged(home: Home) -> None:
    add(home, {**GATE, "onvif": {}, "retention_days": 30})
    sequence = home.monitor.tracker.fleet().sequence
    before = home.device("2").access
    shown = answer(home, "GET", "/v0/api/cctv/cameras/2")
    keys = {*GATE, "retention_days"} - {"password"}
    answer(home, "PUT", "/v0/api/cctv/cameras/2", {key: shown[key] for key in keys})
    assert home.device("2").access.keys() == before.keys()
    for source, access in before.items():
        assert home.device("2").access[source].secret == access.secret
    edits = [e for e in home.events(after=sequence) if e.kind == "device.edited"]
    assert edits == []


def test_a_new_password_goes_to_every_source(home: Home, probed: Probed) -> None:
    add(home, {**GATE, "password": "old", "rtsp_url": "rtsp://127.0.0.9/stream1", "onvif": {}})
    saved = answer(home, "PUT", "/api/cameras/2", {"username": "admin", "password": PASSWORD})
    del probed.asked[:]
    assert answer(home, "POST", "/api/cameras/2/test")["success"]
    assert {target.secret for _name, target in probed.asked} == {PASSWORD}
    assert len(saved["undo"]) == 2


def test_a_new_address_needs_the_password_again(home: Home) -> None:
    add(home, {**GATE, "onvif": {}})
    moved = {"ip_address": "127.0.0.77"}
    response = home.client.put("/api/cameras/2", json=moved)
    assert response.status_code == 422
    assert "saved for 127.0.0.9" in response.text
    camera = answer(home, "PUT", "/api/cameras/2", {**moved, "password": PASSWORD})["camera"]
    assert camera["rtsp_url"] == "rtsp://127.0.0.77:554/stream1"
    assert {access.host for access in home.device("2").access.values()} == {"127.0.0.77"}


def test_a_found_camera_gets_a_stream_that_moves_with_it(home: Home, probed: Probed) -> None:
    body = {"rtsp_url": "rtsp://127.20.0.1/live", "username": "admin", "password": PASSWORD}
    camera = answer(home, "PATCH", "/api/cameras/1", body)["camera"]
    assert camera["rtsp_url"] == "rtsp://127.20.0.1:554/live"
    assert home.device("1").access["rtsp"].host is None
    until(lambda: any(target.host == "127.20.0.1" for _name, target in probed.asked))


def test_the_address_of_a_found_camera_is_not_typed_over(home: Home) -> None:
    error = answer(home, "PUT", "/api/cameras/1", {"ip_address": "127.0.0.5"}, 422)
    assert "found by scans" in error["error"]


def test_a_change_is_all_or_nothing(home: Home) -> None:
    add(home, GATE)
    body = {"name": "Other", "ip_address": "127.0.0.77"}
    assert home.client.put("/api/cameras/2", json=body).status_code == 422
    assert home.device("2").name == GATE["name"]


def test_recording_settings_are_kept_and_said_to_have_no_effect(home: Home) -> None:
    add(home, GATE)
    saved = answer(home, "PATCH", "/api/cameras/2", {"retention_days": 14})
    assert saved["warnings"] == [NOT_RECORDED]
    recording = {"auto_record": True, "record_quality": "high", "retention_days": 14}
    assert saved["camera"]["recording"] == recording
    home.restart()
    assert home.device("2").recording == recording
    (number,) = saved["undo"]
    answer(home, "POST", "/api/undo", {"event": number})
    assert home.device("2").recording == {"auto_record": True, "record_quality": "high"}


# -- check, list, delete ---------------------------------------------------------------------


def test_a_saved_camera_is_checked_now_and_each_source_says_its_result(
    home: Home, probed: Probed
) -> None:
    add(home, {**GATE, "onvif": {}})
    result = answer(home, "POST", "/v0/api/cctv/cameras/2/test_connection/")
    assert (result["success"], result["status"]) == (True, "online")
    assert {row["source"]: row["text"] for row in result["results"]} == {
        "rtsp": "RTSP: responds",
        "onvif": "ONVIF: responds",
    }
    probed.is_on = False
    result = answer(home, "POST", "/api/devices/2/poll")
    assert (result["success"], result["status"]) == (False, "offline")
    assert "RTSP: connection refused" in result["message"]


def test_a_check_with_a_wrong_password_fails_and_says_so(home: Home) -> None:
    add(home, {**GATE, "password": "old", "rtsp_url": "rtsp://127.0.0.9/stream1"})
    for path in ("/v0/api/cctv/cameras/2/test_connection/", "/api/cameras/2/test"):
        result = answer(home, "POST", path)
        assert (result["success"], result["status"]) == (False, "online")
        assert result["message"].startswith("RTSP: wrong user name or password")
    answer(home, "PUT", "/api/cameras/2", {"username": "admin", "password": PASSWORD})
    result = answer(home, "POST", "/api/devices/2/poll")
    assert (result["success"], result["message"]) == (True, "RTSP: responds")


def test_a_device_that_only_scans_find_says_so(home: Home) -> None:
    result = answer(home, "POST", "/api/cameras/1/test")
    assert not result["success"]
    assert result["message"].startswith("It is found by scans.")


def test_the_list_of_the_cctv_system_is_bare_and_paged_only_by_page(home: Home) -> None:
    add(home, GATE)
    whole = home.client.get("/v0/api/cctv/cameras/")
    assert [row["id"] for row in whole.get_json()] == [1, 2]
    page = home.client.get("/v0/api/cctv/cameras/?page=2&per_page=1")
    assert [row["id"] for row in page.get_json()] == [2]
    assert whole.headers["X-Total-Count"] == page.headers["X-Total-Count"] == "2"


def test_a_camera_is_deleted_with_its_password(home: Home) -> None:
    add(home, GATE)
    assert answer(home, "DELETE", "/v0/api/cctv/cameras/2/") == {"success": True, "deleted": 2}
    for path in ("/v0/api/cctv/cameras/2/", "/api/cameras/2", "/api/devices/2"):
        answer(home, "GET", path, code=404)
    assert not home.monitor.tracker.fleet().secrets


# -- devices ---------------------------------------------------------------------------------

SWITCH = {
    "name": "Switch-01",
    "ip_address": "127.0.0.30",
    "vendor": "Cisco",
    "device_type": "switch",
    "snmp_community": "publ1c-community",
}


def test_the_documented_switch_is_added_and_its_community_is_kept_secret(home: Home) -> None:
    saved = answer(home, "POST", "/api/devices/", SWITCH, 201)
    assert saved["warnings"] == [NO_SNMP]
    device = answer(home, "GET", "/api/devices/2")
    assert (device["name"], device["vendor"], device["device_type"]) == (
        "Switch-01",
        "Cisco",
        "switch",
    )
    assert (device["ip_address"], device["status"]) == ("127.0.0.30", "unknown")
    assert (device["has_snmp_community"], device["interval"]) == (True, 300)
    secret = home.device("2").access["snmp"].secret_options["community"]
    assert home.monitor.secrets.unseal(secret) == "publ1c-community"
    home.events()
    for path in ("/api/devices/", "/api/export", "/api/events", "/api/audit"):
        assert "publ1c" not in home.client.get(path).text
    result = answer(home, "POST", "/api/devices/2/poll")
    assert not result["success"]
    assert "SNMP is not available in this version" in result["message"]


def test_a_switch_is_changed_and_deleted(home: Home) -> None:
    answer(home, "POST", "/api/devices/", SWITCH, 201)
    body = {"vendor": "Juniper", "interval": 60, "snmp_community": "an0ther"}
    saved = answer(home, "PUT", "/api/devices/2", body)
    assert (saved["device"]["vendor"], saved["device"]["interval"]) == ("Juniper", 60)
    assert saved["warnings"] == [NO_SNMP]
    secret = home.device("2").access["snmp"].secret_options["community"]
    assert home.monitor.secrets.unseal(secret) == "an0ther"
    assert [row["id"] for row in answer(home, "GET", "/api/devices/")["devices"]] == [1, 2]
    assert answer(home, "DELETE", "/api/devices/2")["deleted"] == 2


def test_a_change_of_which_a_part_is_refused_changes_nothing(home: Home) -> None:
    accounts = home.monitor.authenticator.accounts
    people.add(accounts, "Ada", "admin")
    gus = people.add(accounts, "Gus", "viewer", False)
    accounts.grant(gus.id, "admin", device=1)
    body = {"name": "Renamed", "vendor": "Juniper", "snmp_community": "an0ther"}
    refused = Visitor(home, user=gus.id).ask("PUT", "/api/devices/1", json=body)
    assert refused.status_code == 403
    device = home.device("1")
    assert (device.name, device.vendor, "snmp" in device.access) == (None, "", False)
    assert home.kinds(kinds=["device.renamed", "device.edited"]) == []


def test_all_changes_of_one_request_are_undone_together(home: Home) -> None:
    before = home.device("1")
    saved = answer(home, "PUT", "/api/devices/1", {"name": "Hall", "snmp_community": "an0ther"})
    assert "snmp" in home.device("1").access
    for event in saved["undo"]:
        answer(home, "POST", "/api/undo", {"event": event})
    assert (home.device("1").name, home.device("1").access) == (before.name, before.access)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"ip_address": None}, "ip_address"),
        ({"device_type": "!"}, "device_type"),
        ({"snmp_version": 3}, "snmp_version"),
    ],
)
def test_a_device_that_does_not_fit_is_refused_by_name(
    home: Home, change: dict[str, Any], name: str
) -> None:
    response = home.client.post("/api/devices/", json={**SWITCH, **change})
    assert (response.status_code, response.headers["X-Field"]) == (422, name)


# -- before it is saved ------------------------------------------------------------------------


def test_an_address_is_tested_before_the_camera_is_saved(home: Home, probed: Probed) -> None:
    body = {"rtsp_url": GATE["rtsp_url"]}
    result = answer(home, "POST", "/api/cameras/test", body)
    assert result["success"], result
    assert [(step["source"], step["name"]) for step in result["steps"]] == [
        ("onvif", "connect"),
        ("onvif", "identify"),
        ("onvif", "login"),
        ("onvif", "streams"),
        ("rtsp", "connect"),
        ("rtsp", "identify"),
        ("rtsp", "login"),
        ("rtsp", "describe"),
        ("", "result"),
    ]
    fleet = home.monitor.tracker.fleet()
    assert ([*fleet.devices], fleet.secrets, fleet.credentials) == ([1], {}, {})
    (line,) = [
        row for row in home.client.get("/api/audit").json if row["action"] == "device.tested"
    ]
    assert line["text"] == "Connection test of 127.0.0.9"
    assert line["before"] == line["after"] == {}


def test_the_steps_of_a_test_come_as_lines(home: Home) -> None:
    response = home.client.post(
        "/api/cameras/test",
        json={"ip_address": "127.0.0.9", "username": "admin", "password": "wr0ng-word"},
        headers={"Accept": "application/x-ndjson"},
    )
    assert response.mimetype == "application/x-ndjson"
    steps = [json.loads(line) for line in response.text.splitlines()]
    # What ONVIF saw refused is not sent by RTSP, too.
    assert [step["state"] for step in steps if step["name"] == "login"] == ["failed", "skipped"]
    assert steps[-1]["name"] == "result"
    assert "wr0ng-word" not in response.text
    assert "***" in response.text, "the source echoes the password"


def test_a_test_of_no_address_is_refused(home: Home) -> None:
    response = home.client.post("/api/cameras/test", json={"username": "admin"})
    assert (response.status_code, response.headers["X-Field"]) == (422, "ip_address")
