"""Scan a range by hand: what is asked before it starts, the inbox, and what becomes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from discovery import ranges
from discovery.range_scan import DONE
from fleet import labels
from fleet.model import DEFAULT_SITE, Edit, Invalid, Sighting
from inventory.inbox_rows import MAX_ENTRIES
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.rtsp import RtspDevice, RtspServers
from tests.home import Clock, Home, free_port, until
from tests.web.browser import Browser, read
from web.http.actions import ranges as actions

CAMERAS, PLAIN, RECORDER = "127.61.0.1-30", "127.61.1.1", "127.61.1.2"


@dataclass
class Place:
    """Thirty ONVIF cameras, a camera with RTSP alone, and a recorder on another ONVIF port."""

    home: Home
    rtsp: RtspServers
    onvif: OnvifServers
    devices: list[OnvifDevice]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[RtspServers, OnvifServers]]:
    devices = [
        OnvifDevice(
            f"127.61.0.{n}",
            mac=f"00:00:5e:00:61:{n:02x}",
            name=f"Cam {n}",
            accounts=Accounts("admin", "right-one"),
        )
        for n in range(1, 31)
    ]
    plain = RtspDevice(PLAIN, accounts=Accounts("admin", "right-one"))
    with (
        RtspServers([plain], free_port()) as rtsp,
        OnvifServers(devices, free_port(), 3702) as onvif,
    ):
        yield rtsp, onvif


@pytest.fixture
def place(make_home: Any, servers: tuple[RtspServers, OnvifServers]) -> Place:
    rtsp, onvif = servers
    return Place(make_home(), rtsp, onvif, onvif.devices)


def scan(place: Place, text: str, **more: Any) -> Any:
    body = {"ranges": text, "rtsp_port": place.rtsp.port, "http_port": place.onvif.port, **more}
    answer = place.home.client.post("/api/scan-range", json=body)
    if answer.status_code == 200 and not more.get("dry_run"):
        until(lambda: state(place)["scan"]["state"] != "running", what="the scan has ended")
    return answer


def state(place: Place) -> Any:
    return place.home.client.get("/api/scan-range").json


def decide(place: Place, do: str, *ids: int, **more: Any) -> Any:
    return place.home.client.post("/api/scan-range/inbox", json={"do": do, "ids": [*ids], **more})


def ids(place: Place) -> list[int]:
    return [row["id"] for row in state(place)["inbox"]]


# -- which addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count", "first", "last"),
    [
        ("10.0.0.5", 1, "10.0.0.5", "10.0.0.5"),
        ("10.0.0.1-50", 50, "10.0.0.1", "10.0.0.50"),
        ("10.0.0.250-10.0.1.5", 12, "10.0.0.250", "10.0.1.5"),
        ("10.0.0.0/24", 254, "10.0.0.1", "10.0.0.254"),
        ("10.0.0.77/20", 4094, "10.0.0.1", "10.0.15.254"),
        ("10.0.0.6/31", 2, "10.0.0.6", "10.0.0.7"),
        ("10.0.0.1-3, 10.0.0.3\n10.0.0.2;10.0.0.9", 4, "10.0.0.1", "10.0.0.9"),
    ],
)
def test_addresses_ranges_and_networks_are_read(
    text: str, count: int, first: str, last: str
) -> None:
    addresses = ranges.parse(text)
    assert (len(addresses), addresses[0], addresses[-1]) == (count, first, last)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "No address was entered"),
        ("10.0.0.0/19", "More than 4,096 addresses"),
        ("10.0.0.0/21 10.1.0.0/21 10.2.0.0/29", "More than 4,096 addresses"),
        ("0.0.0.0/0", "More than 4,096 addresses"),
        ("10.0.0.9-2", "ends before it begins"),
        ("10.0.0.1-900", "is not an IPv4 address"),
        ("camera", "is not an IPv4 address"),
        ("fe80::1", "is not an IPv4 address"),
        ("224.0.0.5", "not the address of a single device"),
        ("255.255.255.255", "not the address of a single device"),
    ],
)
def test_a_range_that_cannot_be_scanned_says_why(text: str, error: str) -> None:
    with pytest.raises(Invalid) as caught:
        ranges.parse(text)
    assert error in caught.value.error


def test_the_interface_the_count_and_the_time_are_shown_before_it_starts(place: Place) -> None:
    answer = scan(place, "127.61.0.0/20", dry_run=True).json
    assert answer == {
        "count": 4094,
        "interfaces": ["lo"],
        "seconds": 64,
        "public": 0,
        "unreachable": 0,
        "is_started": False,
    }
    form = {"ranges": "127.61.0.0/20", "rtsp_port": "554", "http_port": "80", "do": "check"}
    html = place.home.client.post("/scan-range", data=form).text
    assert "4,094 addresses through lo, at most 1 min" in read(html).text
    assert state(place)["scan"] is None


def test_public_addresses_are_not_scanned_unless_a_person_confirms_it(place: Place) -> None:
    answer = scan(place, "127.61.0.1, 8.8.8.8")
    assert answer.status_code == 422
    assert answer.json["error"] == "1 address is on the internet"
    form = {"ranges": "8.8.8.8", "rtsp_port": "554", "http_port": "80", "do": "start"}
    refused = place.home.client.post("/scan-range", data=form)
    assert refused.status_code == 422
    assert "I have permission to scan this address" in refused.text
    assert state(place)["scan"] is None, "nothing was sent"


# -- what is found -------------------------------------------------------------------------------


def test_what_answers_is_in_the_inbox_and_no_login_was_sent(place: Place) -> None:
    before = place.devices[0].asked.total()
    place.rtsp.devices[0].requests.clear()
    scan(place, f"127.61.0.1-4 {PLAIN} 127.61.9.1-9", site="North")
    now = state(place)
    assert (now["scan"]["state"], now["scan"]["asked"], now["scan"]["answered"]) == (DONE, 14, 5)
    first, *_others, plain = now["inbox"]
    assert first["address"] == "127.61.0.1"
    assert (first["is_onvif"], first["http_port"]) == (True, place.onvif.port)
    assert first["endpoint"] == place.devices[0].endpoint_reference
    assert (first["name"], first["site"], first["device"]) == ("Cam 1", "North", None)
    assert (plain["address"], plain["is_onvif"]) == (PLAIN, False)
    assert plain["rtsp_port"] == place.rtsp.port
    assert place.home.devices() == [], "a scan adds nothing by itself"
    assert place.devices[0].asked.total() == before, "no request with or without a login"
    asked = {(sent.method, sent.has_login) for sent in place.rtsp.devices[0].requests}
    assert asked == {("OPTIONS", False)}


def test_the_inbox_survives_a_restart_and_has_each_address_once(place: Place) -> None:
    scan(place, "127.61.0.1-3")
    scan(place, "127.61.0.2-3")
    before = [row["address"] for row in state(place)["inbox"]]
    place.home.restart()
    assert [row["address"] for row in state(place)["inbox"]] == before
    assert before == ["127.61.0.1", "127.61.0.2", "127.61.0.3"]


def test_a_running_scan_is_stopped_and_keeps_what_answered(place: Place) -> None:
    place.home.client.post("/api/scan-range", json={"ranges": "127.61.0.0/20"})
    until(lambda: state(place)["scan"]["asked"] or state(place)["inbox"], what="it has begun")
    again = place.home.client.post("/api/scan-range", json={"ranges": "127.61.0.1"})
    assert (again.status_code, again.json["error"]) == (409, "A range is being scanned already")
    assert place.home.client.delete("/api/scan-range").status_code == 200
    until(lambda: state(place)["scan"]["state"] == "cancelled", what="it has stopped")
    now = state(place)
    assert now["scan"]["asked"] < 4094
    assert place.home.client.delete("/api/scan-range").status_code == 409


def test_the_progress_of_a_scan_is_served_without_the_inbox(place: Place) -> None:
    scan(place, "127.61.0.1-3")
    whole, part = (place.home.client.get(f"/scan-range{q}").text for q in ("", "?part=progress"))
    for html in (whole, part):
        assert "complete: 3 of 3 addresses responded" in read(html).text
        assert 'id="range-progress"' in html
    assert "inbox" in whole
    assert "inbox" not in part
    assert len(part) < 600


def test_a_scan_that_the_end_of_the_monitor_cut_short_is_reported(place: Place) -> None:
    scan(place, "127.61.0.1-3")
    place.home.client.post("/api/scan-range", json={"ranges": "127.61.0.0/20"})
    with place.home.app.app_context():
        kept = actions.inbox()
    until(lambda: (scan := kept.last_scan()) and scan.total == 4094 and scan.asked, what="a part")
    place.home.restart()
    now = state(place)
    assert (now["scan"]["state"], now["scan"]["total"]) == ("interrupted", 4094)
    assert 0 < now["scan"]["asked"] < 4094
    assert [row["address"] for row in now["inbox"]][:3] == [f"127.61.0.{n}" for n in (1, 2, 3)]
    text = read(place.home.client.get("/scan-range").text).text
    asked = f"{now['scan']['asked']:,}"
    assert f"interrupted by a restart: {asked} of 4,094 addresses checked" in text


def test_a_scan_of_a_killed_monitor_is_reported_with_what_was_kept(
    run_monitor: Any, place: Place
) -> None:
    monitor = run_monitor()
    ports = {"rtsp_port": place.rtsp.port, "http_port": place.onvif.port}
    body = {"ranges": "127.61.0.1-15 127.61.16.0/21", **ports}
    assert monitor.request("POST", "/api/scan-range", body).status == 200
    until(lambda: len(monitor.get("/api/scan-range").json["inbox"]) == 15, what="answers are kept")
    monitor.kill()
    monitor.start()
    now = monitor.get("/api/scan-range").json
    assert now["scan"]["state"] == "interrupted"
    assert (now["scan"]["answered"], len(now["inbox"])) == (15, 15)


def test_a_range_without_a_route_is_not_started(place: Place) -> None:
    form = {"ranges": "10.255.3.1-9", "rtsp_port": "554", "http_port": "80", "do": "check"}
    page = read(place.home.client.post("/scan-range", data=form).text)
    assert "This server has no route to these 9 addresses." in page.text
    assert "Start scan" not in page.text
    assert scan(place, "10.255.3.1-9", dry_run=True).json["unreachable"] == 9
    refused = place.home.client.post("/api/scan-range", json={"ranges": "10.255.3.1-9"})
    assert (refused.status_code, refused.json["error"]) == (
        422,
        "This server has no route to these addresses",
    )
    assert scan(place, "10.255.3.1 127.61.0.1", dry_run=True).json["unreachable"] == 1


# -- the inbox -----------------------------------------------------------------------------------


def test_an_address_that_another_site_has_says_which(place: Place) -> None:
    fields = {"source": "rtsp", "host": PLAIN, "port": 99, "site": "Gate B", "name": "Yard"}
    edit = Edit("add", "", fields, "anna", place.home.clock())
    place.home.monitor.tracker.apply([edit], place.home.clock())
    scan(place, f"127.61.0.1 {PLAIN}")
    first, plain = state(place)["inbox"]
    assert (first["elsewhere"], plain["device"], plain["elsewhere"]) == (None, None, 1)
    page = read(place.home.client.get("/scan-range").text)
    assert "at another site: Gate B" in page.text


def keep(place: Place, count: int) -> None:
    answers = {f"10.9.{n >> 8}.{n & 255}": {"rtsp_port": 554} for n in range(count)}
    with place.home.app.app_context():
        actions.inbox().keep("", answers, place.home.clock())


def shown(place: Place, query: str = "") -> Any:
    page = read(place.home.client.get(f"/scan-range{query}").text)
    return page, len(page.find("input", type="checkbox", name="id"))


def test_a_long_inbox_has_pages_and_is_removed_as_a_whole(place: Place) -> None:
    keep(place, 450)
    assert [shown(place, f"?page={n}")[1] for n in (1, 2, 3, 4)] == [200, 200, 50, 50]
    page, _count = shown(place)
    assert [link.text for link in page.find_one("nav", **{"aria-label": "Pages"}).find("a")] == [
        "1",
        "2",
        "3",
    ]
    client = place.home.client
    stale = client.post("/scan-range/inbox", data={"do": "remove", "every": "449"})
    assert stale.status_code == 409
    assert "The inbox has 450 addresses now, not 449" in stale.text
    done = client.post("/scan-range/inbox", data={"do": "remove", "every": "450"})
    assert "450 addresses removed from the inbox" in done.text
    assert state(place)["inbox"] == []


def test_what_is_in_the_list_is_hidden_on_request_and_left_out(place: Place) -> None:
    keep(place, 5)
    fields = {"source": "rtsp", "host": "10.9.0.2"}
    edit = Edit("add", "", fields, "anna", place.home.clock())
    place.home.monitor.tracker.apply([edit], place.home.clock())
    assert [shown(place, f"?show={show}")[1] for show in ("", "new", "listed")] == [5, 4, 1]
    page, _count = shown(place, "?show=new")
    filters = page.find_one("nav", **{"aria-label": "Filter"}).text
    assert "".join(filters.split()) == "All5Notinthelist4Inthelist1"
    form = {"do": "ignore", "every": "4", "show": "new"}
    assert "4 addresses ignored" in place.home.client.post("/scan-range/inbox", data=form).text
    assert [row["address"] for row in state(place)["inbox"]] == ["10.9.0.2"]


def test_a_refused_addition_keeps_what_was_selected_and_typed(place: Place) -> None:
    keep(place, 3)
    first, *_others = ids(place)
    form = {"do": "add", "id": first, "password": "right-one", "new_site": "North"}
    answer = place.home.client.post("/scan-range/inbox", data=form)
    page = read(answer.text)
    assert answer.status_code == 422
    ticked = [
        box for box in page.find("input", type="checkbox", name="id") if "checked" in box.attributes
    ]
    assert [box["value"] for box in ticked] == [f"{first}"]
    assert page.find_one("input", name="new_site")["value"] == "North"
    assert "right-one" not in answer.text


# -- what becomes of it --------------------------------------------------------------------------


def test_many_are_added_with_one_login_and_each_has_its_result(place: Place) -> None:
    scan(place, f"{CAMERAS} {PLAIN}")
    wanted = ids(place)
    assert len(wanted) == 31
    answer = decide(place, "add", *wanted, username="admin", password="right-one").json
    assert (answer["new"], answer["refused"], len(answer["rows"])) == (31, 0, 31)
    assert answer["rows"][0]["place"] == "127.61.0.1"
    assert answer["rows"][0]["name"] == "Cam 1"
    assert state(place)["inbox"] == []
    first, plain = place.home.device("1"), place.home.device("31")
    assert f"onvif:{place.devices[0].endpoint_reference}" in first.identities
    entry = first.access["onvif"]
    assert (entry.host, entry.port) == ("127.61.0.1", place.onvif.port)
    assert entry.path == "/onvif/device_service"
    assert place.home.monitor.secrets.unseal(str(entry.secret)) == "right-one"
    assert plain.access["rtsp"].port == place.rtsp.port
    undone = place.home.client.post("/api/cameras/bulk/undo", json={"events": answer["undo"]})
    assert (len(undone.json["changed"]), place.home.devices()) == (31, [])


@pytest.mark.parametrize("do", ["add", "link"])
def test_a_password_without_a_user_name_is_refused(place: Place, do: str) -> None:
    scan(place, PLAIN)
    edit = Edit("add", "", {"source": "onvif", "host": "10.4.0.9"}, "anna", place.home.clock())
    place.home.monitor.tracker.apply([edit], place.home.clock())
    answer = decide(place, do, *ids(place), password="right-one", device=1)
    assert (answer.status_code, answer.json["error"]) == (422, "The user name is missing")
    assert "rtsp" not in place.home.device("1").access
    assert len(place.home.devices()) == 1


def test_a_known_device_is_named_and_added_once(place: Place) -> None:
    scan(place, "127.61.0.1-2")
    decide(place, "add", ids(place)[0])
    scan(place, "127.61.0.1-2")
    known, new = state(place)["inbox"]
    assert (known["device"], new["device"]) == (1, None)
    answer = decide(place, "add", known["id"], new["id"]).json
    assert [row["state"] for row in answer["rows"]] == ["unchanged", "new"]
    assert len(place.home.devices()) == 2


def test_ignored_for_ever_by_identity_or_by_place(place: Place) -> None:
    scan(place, f"127.61.0.1-2 {PLAIN}")
    first, _second, plain = state(place)["inbox"]
    assert decide(place, "ignore", first["id"], plain["id"]).status_code == 200
    place.home.restart()
    scan(place, f"127.61.0.1-2 {PLAIN}")
    assert [row["address"] for row in state(place)["inbox"]] == ["127.61.0.2"]
    ignored = place.home.monitor.tracker.fleet().ignored
    endpoint = place.devices[0].endpoint_reference
    assert {*ignored} == {f"onvif:{endpoint}", f"{DEFAULT_SITE}|address:{PLAIN}"}


def test_what_is_ignored_is_listed_and_both_ways_back_work(place: Place) -> None:
    browser = Browser(place.home.client)
    scan(place, f"127.61.0.1 {PLAIN}")
    first, plain = state(place)["inbox"]
    ids = [str(first["id"]), str(plain["id"])]
    inbox = browser.visit("/scan-range").form("/scan-range/inbox")
    done = read(browser.send(inbox, "Ignore selected", id=ids).text)
    assert "2 addresses ignored" in done.text
    page = browser.visit(done.find_one("a", href="/settings/ignored")["href"])
    assert "127.61.0.1 Cam 1" in page.text
    assert f"Address {PLAIN}" in page.text
    none = browser.send(page.form("/settings/ignored"), "Stop ignoring selected")
    assert none.status_code == 422
    (key,) = (box["value"] for box in page.find("input", name="key") if PLAIN in box["value"])
    form = page.form("/settings/ignored")
    page = read(browser.send(form, "Stop ignoring selected", key=key).text)
    assert "1 device or channel is no longer ignored" in page.text
    assert len(place.home.monitor.tracker.fleet().ignored) == 1
    page = browser.press(page.form("/bulk/undo"), "Undo")
    assert len(page.find("input", name="key")) == 2
    page = browser.press(done.form("/bulk/undo"), "Undo")
    assert {row["value"] for row in page.find("input", name="id")} == {*ids}
    assert "No device is ignored" in browser.visit("/settings/ignored").text
    again = browser.client.post("/settings/ignored", data={"key": key})
    assert again.status_code == 404


def test_an_address_is_linked_to_the_device_that_it_is(place: Place) -> None:
    row = {"rows": [{"address": "10.4.0.5", "name": "Gate"}]}
    place.home.client.post("/api/cameras/import", json=row)
    scan(place, PLAIN)
    (plain,) = ids(place)
    answer = decide(place, "link", plain, device=1, username="admin", password="right-one")
    assert answer.status_code == 200, answer.text
    (device,) = place.home.devices()
    assert sorted(device.access) == ["onvif", "rtsp"]
    assert device.access["rtsp"].host == PLAIN
    assert state(place)["inbox"] == []
    assert decide(place, "link", plain, device=1).status_code == 404


def test_the_same_device_at_its_own_address_keeps_its_login(place: Place) -> None:
    scan(place, "127.61.0.1")
    decide(place, "add", *ids(place), username="admin", password="right-one")
    device = place.home.device("1")
    change = {"source": "onvif", "host": None, "path": ""}
    with place.home.monitor.secrets.sealing() as seal:
        login = {"username": "admin", "secret": seal("right-one")}
        edit = Edit("change", "id:1", {**change, **login}, "anna", place.home.clock())
        place.home.monitor.tracker.apply([edit], place.home.clock())
    at = {"at": place.home.clock(), "address": "127.61.0.1"}
    seen = Sighting(device.site, device.identities[:1], "onvif", **at)
    place.home.monitor.tracker.apply([seen], place.home.clock())
    before = place.home.device("1").access
    assert (before["onvif"].host, place.home.device("1").address) == (None, "127.61.0.1")
    scan(place, "127.61.0.1")
    answer = decide(place, "link", *ids(place), device=1)
    assert answer.status_code == 200, answer.text
    assert [row["state"] for row in answer.json["rows"]] == ["unchanged"]
    assert place.home.device("1").access == before
    assert state(place)["inbox"] == []


def test_cameras_with_rtsp_alone_are_added_with_the_path_of_their_stream(place: Place) -> None:
    scan(place, f"127.61.0.1 {PLAIN}")
    wanted, login = ids(place), {"username": "admin", "password": "right-one"}
    secret = decide(place, "add", *wanted, path="/live/admin/S3CRET-PW/ch1", **login)
    assert (secret.status_code, "path contains a password" in secret.text) == (422, True)
    assert decide(place, "add", *wanted, path="/stream1", **login).json["new"] == 2
    first, plain = place.home.devices()
    assert (first.access["onvif"].path, plain.access["rtsp"].path) == (
        "/onvif/device_service",
        "/stream1",
    )
    assert labels.name(first) == "Cam 1", "as the scan called it, before any check"


def test_many_are_added_with_a_site_tags_and_a_parent_in_one_write(place: Place) -> None:
    scan(place, "127.61.0.1-3", site="Scanned")
    first, *others = ids(place)
    decide(place, "add", first)
    scan(place, "127.61.0.1-3", site="Scanned")
    more = {"site": "Depot", "tags": ["door"], "parent": 1}
    answer = decide(place, "add", *ids(place), **more).json
    assert (answer["new"], answer["unchanged"], answer["refused"]) == (2, 1, 0)
    recorder, *added = place.home.devices()
    assert (recorder.site, recorder.tags, recorder.parents) == ("Scanned", (), ())
    for device in added:
        assert (device.site, device.tags, device.parents) == ("Depot", ("door",), (1,))
    undone = place.home.client.post("/api/cameras/bulk/undo", json={"events": answer["undo"]})
    assert undone.json["failed"] == []
    assert [device.id for device in place.home.devices()] == [1]
    assert len(others) == 2
    assert decide(place, "add", 999_999, parent=1).status_code == 404


def test_many_are_linked_to_the_devices_that_the_inbox_names(place: Place) -> None:
    gate = {"address": "127.61.0.1", "port": 554, "name": "Gate"}
    row = {"rows": [{"address": PLAIN, "path": "/live"}, gate]}
    assert place.home.client.post("/api/cameras/import", json=row).json["refused"] == 0
    scan(place, f"127.61.0.1-2 {PLAIN}")
    entries = state(place)["inbox"]
    assert [entry["device"] for entry in entries] == [2, None, 1]
    page = place.home.client.get("/scan-range").text
    assert "Leave empty to link each selected address" in page
    answer = decide(place, "link", *(entry["id"] for entry in entries)).json
    states = [(row["state"], row["text"]) for row in answer["rows"]]
    assert states[0] == ("changed", "linked to Gate")
    assert states[1] == ("refused", "No known device has the address 127.61.0.2")
    assert (answer["changed"], answer["refused"]) == (2, 1)
    assert place.home.device("2").access["onvif"].host == "127.61.0.1"
    assert place.home.device("1").access["rtsp"].port == place.rtsp.port
    assert [row["address"] for row in state(place)["inbox"]] == ["127.61.0.2"]
    undone = place.home.client.post("/api/cameras/bulk/undo", json={"events": answer["undo"]})
    assert (len(undone.json["changed"]), undone.json["failed"]) == (2, [])
    assert "onvif" not in place.home.device("2").access


def test_the_page_works_without_script(place: Place) -> None:
    client = place.home.client
    ports = {"rtsp_port": f"{place.rtsp.port}", "http_port": f"{place.onvif.port}"}
    started = client.post("/scan-range", data={"ranges": PLAIN, "do": "start", **ports})
    assert started.status_code == 303
    until(lambda: state(place)["scan"]["state"] == DONE)
    page = read(client.get("/scan-range").text)
    assert "1 of 1 address responded" in page.text
    id = page.find_one("input", type="checkbox", name="id")["value"]
    added = client.post("/scan-range/inbox", data={"id": id, "do": "add", "username": "a"})
    assert "1 added, 0 changed, 0 already in the list, 0 failed" in read(added.text).text
    nothing = client.post("/scan-range/inbox", data={"do": "add"})
    assert nothing.status_code == 422
    assert "No addresses are selected" in nothing.text


def test_what_a_device_says_of_itself_is_shown_as_text(make_home: Any) -> None:
    home: Home = make_home()
    answer = {"address": "127.61.7.1", "is_onvif": True, "name": "<script>x</script>"}
    with home.app.app_context():
        actions.inbox().keep("", {"127.61.7.1": answer}, Clock()())
    html = home.client.get("/scan-range").text
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "<script>x" not in html


def test_the_oldest_entries_of_a_full_inbox_give_way(make_home: Any) -> None:
    home: Home = make_home()
    clock = Clock()
    every = [f"10.9.{number >> 8}.{number & 255}" for number in range(MAX_ENTRIES)]
    with home.app.app_context():
        inbox = actions.inbox()
        inbox.keep("", {every[0]: {"address": every[0]}}, clock())
        clock.forward(hours=1)
        inbox.keep("", {address: {"address": address} for address in every[1:]}, clock())
        inbox.keep("", {"10.8.0.1": {"address": "10.8.0.1"}}, clock())
        newest, *kept = inbox.entries(home.monitor.tracker.fleet())
        assert [newest.address, *(entry.address for entry in kept)] == ["10.8.0.1", *every[1:]]
        inbox.remove([newest.id])
        left = inbox.entries(home.monitor.tracker.fleet())
    assert left == kept, "the oldest one is gone for good"


def test_many_are_added_with_one_credential_set(place: Place) -> None:
    now, monitor = place.home.clock(), place.home.monitor
    with monitor.secrets.sealing() as seal:
        fields = {"name": "Hall", "username": "admin", "secret": seal("right-one")}
        monitor.tracker.apply([Edit("credentials", "c1", fields, "anna", now)], now)
    scan(place, "127.61.0.1-2")
    assert "<option>Hall</option>" in place.home.client.get("/scan-range").text
    refused = decide(place, "add", *ids(place), credentials="Yard").json
    assert (refused["refused"], len(ids(place))) == (2, 2)
    assert decide(place, "add", *ids(place), credentials="Hall").json["new"] == 2
    entry = place.home.device("1").access["onvif"]
    assert (entry.credentials, entry.secret) == ("c1", None)
    row = {"address": "10.4.0.5", "credentials": "Hall"}
    for expected in ("new", "unchanged"):
        answer = place.home.client.post("/api/cameras/import", json={"rows": [row]}).json
        assert answer["rows"][0]["state"] == expected
