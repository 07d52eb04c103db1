"""The camera monitor's API, word for word: status, exact keys and types of every request."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.home import Home, until

Make = Callable[..., Home]


def local(text: str) -> str:
    """A time as the camera monitor showed it."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


TEXT, NUMBER, REAL, FLAG, LIST, MAP = (str,), (int,), (float,), (bool,), (list,), (dict,)
NONE = (type(None),)
Kinds = Mapping[str, tuple[type, ...]]

ORIGINAL_ROW: Kinds = {
    "mac_address": TEXT + NONE,
    "serial_number": TEXT + NONE,
    "camera_name": TEXT,
    "model_name": TEXT + NONE,
    "current_ip": TEXT + NONE,
    "current_port": NUMBER + NONE,
    "current_subnet": TEXT + NONE,
    "current_gateway": TEXT + NONE,
    "firmware_version": TEXT + NONE,
    "network_mode": TEXT + NONE,
    "first_seen": TEXT + NONE,
    "last_seen": TEXT + NONE,
    "first_seen_formatted": TEXT + NONE,
    "last_seen_formatted": TEXT + NONE,
    "total_discoveries": NUMBER,
    "status": TEXT,
    "ip_changes": NUMBER,
    "seen_in_last_discovery": FLAG,
}
ROW: Kinds = {
    **ORIGINAL_ROW,
    "id": NUMBER,
    "kind": TEXT,
    "site": TEXT,
    "reason": TEXT,
    "since": TEXT + NONE,
    "as_of": TEXT + NONE,
    "retired": FLAG,
    "notes": TEXT,
    "tags": LIST,
    "parent": NUMBER + NONE,
    "parents": LIST,
    "own_name": TEXT + NONE,
    "findings": LIST,
}
DETAIL: Kinds = {
    **ROW,
    "given_name": TEXT + NONE,
    "vendor": TEXT,
    "recording": MAP,
    "ip_history": LIST,
    "facts": MAP,
    "identities": LIST,
}
ADDRESS: Kinds = {"ip": TEXT, "timestamp": TEXT, "previous_ip": TEXT + NONE}
FINDING: Kinds = {
    "kind": TEXT,
    "since": TEXT,
    "text": TEXT,
    "source": TEXT,
    "unknown_since": TEXT + NONE,
}
CAMERAS: Kinds = {
    "cameras": LIST,
    "count": NUMBER,
    "last_scan": TEXT + NONE,
    "scan_in_progress": FLAG,
}
STATS: Kinds = {
    "total_cameras": NUMBER,
    "active": NUMBER,
    "offline": NUMBER,
    "missing": NUMBER,
    "ip_changed": NUMBER,
    "total_discoveries": NUMBER,
    "cameras_with_ip_changes": NUMBER,
    "last_scan": TEXT + NONE,
    "scan_in_progress": FLAG,
    "auto_scan_enabled": FLAG,
    "auto_scan_interval": NUMBER,
    "total": NUMBER,
    "online": NUMBER,
    "lastUpdated": REAL + NONE,
}
STARTED: Kinds = {"success": FLAG, "message": TEXT}
TOGGLED: Kinds = {"success": FLAG, "auto_scan_enabled": FLAG, "interval": NUMBER}
EXPORT: Kinds = {"exported_at": TEXT, "count": NUMBER, "cameras": LIST}
MAC = "d4:2d:c5:00:00:01"

DOCUMENTED: list[tuple[str, str, Any, Kinds]] = [
    ("GET", "/api/cameras", None, CAMERAS),
    ("GET", "/api/cameras/", None, CAMERAS),
    ("GET", f"/api/camera/{MAC}", None, DETAIL),
    ("GET", "/api/stats", None, STATS),
    ("GET", "/api/export", None, EXPORT),
    ("POST", "/api/scan", None, STARTED),
    ("POST", "/api/auto-scan", {"enabled": True}, TOGGLED),
    ("POST", "/api/auto-scan", {"enabled": False}, TOGGLED),
]


def check(body: Any, kinds: Kinds) -> None:
    """Exactly these keys, and each value of a type that is allowed."""
    assert set(body) == set(kinds)
    for key, types in kinds.items():
        assert type(body[key]) in types, f"{key} is {body[key]!r}"


def is_iso_with_offset(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", text) is not None


def let_auto_scan_end(home: Home) -> None:
    """Turned on, a scan begins at once, from a thread of the scheduler."""
    until(lambda: home.monitor.scheduler.states["auto_scan"].last_result)


@pytest.mark.parametrize(("method", "path", "body", "kinds"), DOCUMENTED)
def test_a_documented_request_gives_the_documented_answer(
    make_home: Make, method: str, path: str, body: Any, kinds: Kinds
) -> None:
    home = make_home(Camera(MAC, "127.20.0.1"))
    home.monitor.scheduler.start()
    home.scan()
    answer = home.client.open(path, method=method, json=body)
    if body == {"enabled": True}:
        let_auto_scan_end(home)
    home.monitor.scanner.wait(20)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    check(answer.json, kinds)


def test_a_monitor_that_never_scanned_answers_in_the_same_form(make_home: Make) -> None:
    home = make_home()
    listed, stats = home.client.get("/api/cameras").json, home.client.get("/api/stats").json
    check(listed, CAMERAS)
    check(stats, STATS)
    assert (listed["cameras"], listed["count"], listed["last_scan"]) == ([], 0, None)
    assert stats["last_scan"] is None
    assert stats["lastUpdated"] is None


def test_rows_have_exactly_these_keys_whatever_the_device_and_its_state(mixed: Home) -> None:
    listed = mixed.client.get("/api/cameras").json
    assert listed["count"] == len(listed["cameras"]) == 5
    for row in listed["cameras"]:
        check(row, ROW)
        for finding in row["findings"]:
            check(finding, FINDING)
        detail = mixed.client.get(f"/api/camera/{row['mac_address']}").json
        check(detail, DETAIL)
        assert row.items() <= detail.items()
        for address in detail["ip_history"]:
            check(address, ADDRESS)


def test_a_row_says_what_the_camera_said(mixed: Home) -> None:
    row = mixed.client.get("/api/cameras").json["cameras"][0]
    assert {key: row[key] for key in ORIGINAL_ROW} == {
        "mac_address": MAC,
        "serial_number": "SIM000001",
        "camera_name": "Gate",
        "model_name": "X22700-V2L",
        "current_ip": "127.20.0.9",
        "current_port": 80,
        "current_subnet": "255.255.255.0",
        "current_gateway": "127.20.0.1",
        "firmware_version": "3.67",
        "network_mode": "Static",
        "first_seen": "2026-03-01T12:00:01+00:00",
        "last_seen": "2026-03-02T13:00:03+00:00",
        "first_seen_formatted": local("2026-03-01T12:00:01+00:00"),
        "last_seen_formatted": local("2026-03-02T13:00:03+00:00"),
        "total_discoveries": 3,
        "status": "ACTIVE",
        "ip_changes": 0,
        "seen_in_last_discovery": True,
    }


def test_statuses_come_in_the_words_of_the_camera_monitor(mixed: Home) -> None:
    rows = mixed.client.get("/api/cameras").json["cameras"]
    assert {row["camera_name"]: row["status"] for row in rows} == {
        "Gate": "ACTIVE",
        "NX510": "ACTIVE",
        "Stage": "OFFLINE",
        "Yard": "MISSING",
        "Ramp": "IP_CHANGED",
    }
    seen = {row["camera_name"] for row in rows if row["seen_in_last_discovery"]}
    assert seen == {"Gate", "NX510", "Ramp"}
    assert {row["camera_name"] for row in rows if row["ip_changes"]} == {"Ramp"}


def test_the_whole_address_history_is_in_the_details(mixed: Home) -> None:
    history = mixed.client.get("/api/camera/d4:2d:c5:00:00:05").json["ip_history"]
    assert [(entry["ip"], entry["previous_ip"]) for entry in history] == [
        ("127.20.0.20", None),
        ("127.20.0.200", "127.20.0.20"),
    ]
    assert all(is_iso_with_offset(entry["timestamp"]) for entry in history)


@pytest.mark.parametrize(
    "key",
    [
        "d4:2d:c5:00:00:01",
        "D4:2D:C5:00:00:01",
        "d4-2d-c5-00-00-01",
        "D4-2D-C5-00-00-01",
        "d42d.c500.0001",
        "d42dc5000001",
        "D42DC5000001",
        "1",
    ],
)
def test_a_camera_is_found_by_its_mac_in_any_spelling_and_by_its_number(
    mixed: Home, key: str
) -> None:
    answer = mixed.client.get(f"/api/camera/{key}")
    assert answer.status_code == 200
    assert answer.json["mac_address"] == MAC


@pytest.mark.parametrize(
    "key", ["99", "0", "d4:2d:c5:00:00:99", "gate", "%00", "%ff", "9" * 5000, "d4:2d:c5:00:00"]
)
def test_a_camera_that_is_not_there_is_404(mixed: Home, key: str) -> None:
    answer = mixed.client.get(f"/api/camera/{key}")
    assert answer.status_code == 404
    check(answer.json, {"error": TEXT, "hint": TEXT})


def test_the_counts_add_up_with_moved_missing_and_retired_devices(mixed: Home) -> None:
    stats = mixed.client.get("/api/stats").json
    assert stats["active"] + stats["offline"] + stats["missing"] == stats["total_cameras"]
    assert {key: stats[key] for key in STATS if key not in ("last_scan", "lastUpdated")} == {
        "total_cameras": 5,
        "active": 3,
        "offline": 1,
        "missing": 1,
        "ip_changed": 1,
        "total_discoveries": 3 + 3 + 2 + 1 + 3,
        "cameras_with_ip_changes": 1,
        "scan_in_progress": False,
        "auto_scan_enabled": False,
        "auto_scan_interval": 300,
        "total": 5,
        "online": 3,
    }
    assert is_iso_with_offset(stats["last_scan"])
    assert stats["last_scan"] == mixed.client.get("/api/cameras").json["last_scan"]


@pytest.mark.parametrize("status", ["active", "ip_changed", "offline", "missing"])
def test_each_count_is_that_of_the_list_filtered_by_it(mixed: Home, status: str) -> None:
    count = mixed.client.get("/api/stats").json[status]
    assert mixed.client.get(f"/api/cameras?status={status}").json["count"] == count


def test_a_second_scan_is_refused_while_one_runs(make_home: Make) -> None:
    home = make_home()

    def second() -> Any:
        home.client.post("/api/scan")
        answer = home.client.post("/api/scan")
        return answer if answer.status_code != 200 else None

    answer = until(second, what="a second start meets a running scan")
    assert answer.status_code == 409
    check(answer.json, {"error": TEXT, "hint": TEXT})
    home.monitor.scanner.wait(20)


def test_a_running_scan_is_said_in_the_list_and_in_the_counts(make_home: Make) -> None:
    home = make_home()

    def both_say_so() -> bool:
        home.client.post("/api/scan")
        paths = ("/api/cameras", "/api/stats")
        return all(home.client.get(path).json["scan_in_progress"] for path in paths)

    until(both_say_so)
    home.monitor.scanner.wait(20)


def test_a_scan_asked_for_finds_cameras(make_home: Make) -> None:
    home = make_home(Camera(MAC, "127.20.0.1"))
    assert home.client.post("/api/scan").json == {"success": True, "message": "Scan started"}
    home.monitor.scanner.wait(20)
    assert home.client.get("/api/cameras").json["count"] == 1


def test_the_auto_scan_toggle_is_thrown_told_and_kept(make_home: Make) -> None:
    home = make_home(auto_scan_interval=120)
    home.monitor.scheduler.start()
    for enabled in (False, True, False, True):
        answer = home.client.post("/api/auto-scan", json={"enabled": enabled})
        assert answer.json == {"success": True, "auto_scan_enabled": enabled, "interval": 120}
        stats = home.client.get("/api/stats").json
        assert (stats["auto_scan_enabled"], stats["auto_scan_interval"]) == (enabled, 120)
    let_auto_scan_end(home)
    home.monitor.scanner.wait(20)
    home.restart()
    assert home.client.get("/api/stats").json["auto_scan_enabled"] is True


def test_the_export_is_a_dated_file_with_every_device(mixed: Home) -> None:
    answer = mixed.client.get("/api/export")
    day = mixed.clock.now.astimezone().date()
    wanted = f'attachment; filename="camera_database_{day.isoformat()}.json"'
    assert answer.headers["Content-Disposition"] == wanted
    body = json.loads(answer.data)
    check(body, EXPORT)
    assert body["count"] == len(body["cameras"]) == 6
    for row in body["cameras"]:
        check(row, DETAIL)
    assert {row["camera_name"] for row in body["cameras"] if row["retired"]} == {"Attic"}


def test_the_metrics_have_the_old_names_and_agree_with_the_counts(mixed: Home) -> None:
    answer = mixed.client.get("/metrics")
    assert answer.status_code == 200
    numbers = dict(re.findall(r"^(\w+) ([0-9.]+)$", answer.text, re.MULTILINE))
    stats = mixed.client.get("/api/stats").json
    for name, key in (("total", "total_cameras"), ("active", "active"), ("missing", "missing")):
        assert float(numbers[f"cameras_{name}"]) == stats[key]
        assert f"# HELP cameras_{name} " in answer.text
        assert f"# TYPE cameras_{name} gauge" in answer.text
    by_status = re.findall(r"^camera_monitor_devices{.*} ([0-9.]+)$", answer.text, re.MULTILINE)
    assert sum(map(float, by_status)) == stats["total_cameras"]


def test_the_media_type_of_the_metrics_can_be_read_by_prometheus(mixed: Home) -> None:
    """A parameter that stands there twice is an error for Go's mime.ParseMediaType."""
    media, *parameters = mixed.client.get("/metrics").content_type.split("; ")
    assert media == "text/plain"
    assert sorted(parameters) == ["charset=utf-8", "version=0.0.4"]
