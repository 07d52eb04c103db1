"""`make demo`, run in earnest: it shows all that the page can show, and leaves nothing behind."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.home import ROOT, Running, until

STATUSES = {"ACTIVE", "IP_CHANGED", "OFFLINE", "MISSING", "UNKNOWN", "UNREACHABLE"}


@contextmanager
def showing(folder: Path) -> Iterator[Running]:
    """The demo in a folder whose database and data look like those of a live monitor."""
    (folder / "temporary").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data" / "camera_monitor.db").write_text("the live journal")
    (folder / "camera_database.json").write_text("the live fleet")
    demo = Running(folder, TMPDIR=str(folder / "temporary"))
    try:
        yield demo.start(sys.executable, "-m", "simulators.demo")
    finally:
        if demo.process is not None and demo.process.poll() is None:
            demo.kill()


@pytest.fixture(scope="module")
def began() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def demo(began: datetime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A demo whose first scan has ended. Tests only look at it."""
    with showing(tmp_path_factory.mktemp("demo") / "live") as monitor:
        until(lambda: monitor.get("/api/scan").json["last"].get("found"), 30, "a scan ended")
        yield monitor


def rows(demo: Running, query: str = "") -> list[Any]:
    return list(demo.get(f"/api/cameras{query}").json["cameras"])


def named(demo: Running, name: str) -> Any:
    """One camera with all that the API says of it."""
    (number,) = (row["id"] for row in rows(demo) if row["camera_name"] == name)
    return demo.get(f"/api/camera/{number}").json


def events(demo: Running, query: str) -> list[Any]:
    return list(demo.get(f"/api/events?limit=1000&{query}").json["events"])


def days(demo: Running, name: str) -> list[float | None]:
    number = named(demo, name)["id"]
    return list(demo.get(f"/api/camera/{number}/uptime").json["days"])


def answers(demo: Running) -> bool:
    try:
        return demo.get("/healthz").status == 200
    except (OSError, HTTPException):
        return False


def test_it_shows_each_of_the_six_statuses_at_once(demo: Running) -> None:
    def on_the_page() -> set[str]:
        page = demo.get("/").body.decode()
        return {status for status in STATUSES if f'class="badge {status.lower()}"' in page}

    until(lambda: {row["status"] for row in rows(demo)} == STATUSES, what="the API has all six")
    until(lambda: on_the_page() == STATUSES, what="the page shows all six")


def test_it_shows_recorders_findings_sites_tags_and_notes(demo: Running) -> None:
    devices = rows(demo)
    kinds = {finding["kind"] for device in devices for finding in device["findings"]}
    panasonic = {"password.unset", "setup.open", "address.shared"}
    assert kinds >= panasonic
    assert any(device["findings"] and device["status"] == "OFFLINE" for device in devices)
    recorders = [device for device in devices if device["kind"] == "recorder"]
    assert len([device for device in recorders if device["mac_address"]]) == 4, (
        "three heard on the network, and one of another maker"
    )
    assert len([device for device in recorders if not device["mac_address"]]) == 60, (
        "of the workbook"
    )
    assert {device["site"] for device in devices} >= {
        "Head office",
        "Warehouse",
        "Car park",
        "Annex",
    }
    assert all(device["tags"] for device in devices[:12])
    assert any(device["notes"] for device in devices)


def test_recorders_of_twelve_stores_are_asked_about_at_the_cloud(demo: Running) -> None:
    items = demo.get("/api/dvrs").json["items"]
    assert len({item["STORE NAME"] for item in items}) == 12
    until(lambda: len(demo.get("/api/dvrs?status=online").json["items"]) > 50, 60, "they answer")
    page = demo.get("/sites").body.decode()
    assert "Store Aachen" in page
    assert "AAC-01" in page


def test_cameras_of_other_makers_show_each_its_own_trouble(demo: Running) -> None:
    def troubles() -> dict[str, tuple[str, tuple[str, ...]]]:
        return {
            row["camera_name"]: (
                row["status"],
                tuple(sorted(finding["kind"] for finding in row["findings"])),
            )
            for row in rows(demo)
            if row["site"] in ("Workshop", "Library") and not row["parent"]
        }

    expected = {
        "Workshop door": ("ACTIVE", ("identity.unproven",)),
        "Workshop bench": ("ACTIVE", ("login.none",)),
        "Paint booth": ("ACTIVE", ("identity.unproven", "login.wrong")),
        "Forklift bay": ("ACTIVE", ("stream.missing",)),
        "Roof mast": ("OFFLINE", ()),
        "Library entrance": ("ACTIVE", ()),
        "Library hall": ("ACTIVE", ()),
        "Archive": ("ACTIVE", ("clock.zone",)),
        "Recorder, library": ("ACTIVE", ()),
    }
    until(lambda: checked(demo, "Library hall", "onvif"), 30, "the logins were entered")
    until(lambda: troubles() == expected, 30, "all of them show")


def checked(demo: Running, name: str, source: str) -> bool:
    """Whether the source told anything of the camera: in the past it told nothing."""
    return bool(named(demo, name)["facts"].get(source))


def test_a_recorder_has_eight_channels_of_which_one_has_no_signal(demo: Running) -> None:
    recorder = named(demo, "Recorder, library")["id"]

    def dark() -> list[str]:
        return [
            row["camera_name"]
            for row in rows(demo)
            if row["parent"] == recorder
            and "signal.none" in {finding["kind"] for finding in row["findings"]}
        ]

    until(lambda: checked(demo, "Lift", "rtsp"), 30, "the streams of the channels were asked")
    channels = [row for row in rows(demo) if row["parent"] == recorder]
    assert len(channels) == 8
    assert dark() == ["Roof terrace"]
    assert {row["status"] for row in channels if row["camera_name"] not in dark()} == {"ACTIVE"}


def test_its_stills_show_something(demo: Running) -> None:
    """By the stream and by the snapshot. A grey picture of this size has 2 kB."""
    until(lambda: checked(demo, "Lift", "rtsp"), 30, "the streams of the channels were asked")
    for name in ("Workshop bench", "Library hall", "Stairs"):
        number = named(demo, name)["id"]
        answer = demo.request("POST", f"/api/cameras/{number}/stills")
        assert answer.status == 201, answer.body
        still = answer.json["still"]
        assert (still["width"], still["height"]) == (640, 360)
        assert still["size"] > 15_000


def test_a_camera_behind_a_recorder_that_is_down_is_unreachable(demo: Running) -> None:
    camera = named(demo, "Annex stairs")
    assert camera["status"] == "UNREACHABLE"
    assert demo.get(f"/api/camera/{camera['parent']}").json["status"] == "OFFLINE"
    assert "Recorder, annex" in demo.get(f"/cameras/{camera['id']}").body.decode()


def test_one_camera_is_retired_and_its_history_stays(demo: Running) -> None:
    (camera,) = rows(demo, "?retired=true")
    assert camera["id"] not in {row["id"] for row in rows(demo)}
    kinds = [event["kind"] for event in events(demo, f"device={camera['id']}&kind=device.")]
    assert kinds[0] == "device.retired"
    assert kinds[-1] == "device.found"


def test_a_camera_has_had_three_addresses_and_its_page_tells_of_each_move(demo: Running) -> None:
    camera = named(demo, "Gate north")
    addresses = [entry["ip"] for entry in camera["ip_history"]]
    assert len(set(addresses)) == 3
    assert addresses[-1] == camera["current_ip"]
    page = demo.get(f"/cameras/{camera['id']}").body.decode()
    for old, new in zip(addresses, addresses[1:], strict=False):
        assert f"Gate north moved from {old} to {new}" in page


def test_the_bars_of_the_cast_have_good_bad_and_unknown_days(demo: Running) -> None:
    for name in ("Gate north", "Loading bay 1", "Loading ramp", "Barrier"):
        shares = days(demo, name)
        assert shares.count(0) >= 1, name
        assert shares.count(None) == 4, name
        assert shares.count(1) >= 60, name
    page = demo.get(f"/cameras/{named(demo, 'Gate north')['id']}").body.decode()
    detail = page[page.index("Last 90 days") :]
    bar = detail[: detail.index("</svg>")]
    assert set(re.findall(r'<path class="(\w+)"', bar)) == {"up", "part", "down", "unknown"}


def test_what_nobody_asked_is_grey_for_everyone(demo: Running) -> None:
    first = days(demo, "Gate north")
    unasked = [place for place, share in enumerate(first) if share is None]
    for row in rows(demo):
        shares = demo.get(f"/api/camera/{row['id']}/uptime").json["days"]
        assert all(shares[place] is None for place in unasked), row["camera_name"]


def test_a_camera_found_three_weeks_ago_is_grey_before(demo: Running) -> None:
    shares = days(demo, "Bicycle shed")
    assert set(shares[:67]) == {None}
    assert None not in shares[-21:]


def test_the_monitor_finds_nothing_to_correct_in_the_past(demo: Running, began: datetime) -> None:
    """What the files say of the silent ones is what the first scan finds."""
    history = events(demo, "after=0")
    assert [event["id"] for event in history] == list(range(1, len(history) + 1))
    times = [datetime.fromisoformat(event["at"]) for event in history]
    assert times == sorted(times)
    new = [event for event, at in zip(history, times, strict=True) if at > began]
    is_down = {row["id"] for row in rows(demo) if row["camera_name"].startswith("Annex")}
    is_down |= {named(demo, name)["id"] for name in ("Canteen", "Barrier", "Loading ramp")}
    assert not [event for event in new if event["device"] in is_down]
    assert not [event for event in new if event["kind"] in ("device.found", "device.facts")]


def test_sigterm_said_twice_leaves_nothing_and_the_live_files_untouched(tmp_path: Path) -> None:
    original = (ROOT / "camera_database.json").read_bytes()
    with showing(tmp_path / "live") as demo:
        process = demo.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        until(lambda: not answers(demo), what="the monitor is ending")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, demo.text()
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    assert list((tmp_path / "live" / "temporary").iterdir()) == []
    assert [path.name for path in (tmp_path / "live" / "data").iterdir()] == ["camera_monitor.db"]
    assert (tmp_path / "live" / "data" / "camera_monitor.db").read_text() == "the live journal"
    assert (tmp_path / "live" / "camera_database.json").read_text() == "the live fleet"
    assert (ROOT / "camera_database.json").read_bytes() == original
