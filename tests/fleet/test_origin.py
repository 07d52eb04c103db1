"""A database of the original tracker opens as it is and loses nothing."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from fleet import identity
from fleet.database import original_format, record
from fleet.database.record import Unreadable
from simulators.panasonic import Camera
from store.json_file import CannotOpen
from tests.fleet.reports import Story, seen
from tests.fleet.tracking import FILE, tracker_in
from tests.home import Clock, Home, Running

Make = Callable[..., Home]
ORIGINAL = Path(__file__).with_name("original_database.json")
ROWS: dict[str, dict[str, Any]] = json.loads(ORIGINAL.read_bytes())
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
"""Central Europe as POSIX writes it: no file of the system is needed."""
SHOWN = (
    "serial_number",
    "model_name",
    "camera_name",
    "firmware_version",
    "current_ip",
    "current_subnet",
    "current_gateway",
    "current_port",
    "total_discoveries",
    "seen_in_last_discovery",
)
OURS = {"current_network_mode": "network_mode"}


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", BERLIN)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def home_with(make_home: Make, tmp_path: Path, data: bytes, folder: str = "home") -> Home:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "camera_database.json").write_bytes(data)
    return make_home(folder=folder)


@pytest.fixture
def moved_in(make_home: Make, tmp_path: Path, in_berlin: None) -> Home:
    """A monitor that opened the original database, in Berlin."""
    return home_with(make_home, tmp_path, ORIGINAL.read_bytes())


def detail(home: Home, mac: str) -> dict[str, Any]:
    answer = home.client.get(f"/api/camera/{mac}")
    assert answer.status_code == 200
    return dict(answer.json)


def is_that_local_time(shown: str, local: str) -> bool:
    """`shown` has an offset and is the local time, to the second."""
    at = datetime.fromisoformat(shown).replace(microsecond=0)
    assert at.tzinfo is not None
    local_time = datetime.fromisoformat(local).replace(microsecond=0)
    return at == local_time.astimezone()


@pytest.mark.parametrize("mac", ROWS)
def test_every_value_of_every_camera_is_found_again(moved_in: Home, mac: str) -> None:
    row, shown = ROWS[mac], detail(moved_in, mac)
    assert shown["mac_address"] == identity.mac(mac)
    for key in SHOWN:
        if key in row:
            assert shown[key] == (None if row[key] == "" else row[key]), key
    for old, new in OURS.items():
        assert shown[new] == row.get(old)
    for key in ("first_seen", "last_seen"):
        if key in row:
            assert is_that_local_time(shown[key], row[key])
    rest = set(row) - {*SHOWN, *OURS, "mac_address", "first_seen", "last_seen", "ip_history"}
    for key in rest:
        assert shown["facts"]["tracker"][key] == row[key], key


@pytest.mark.parametrize("mac", ROWS)
def test_the_whole_address_history_is_found_again(moved_in: Home, mac: str) -> None:
    history = detail(moved_in, mac)["ip_history"]
    for old in ROWS[mac].get("ip_history", []):
        assert any(
            entry["ip"] == old["ip"]
            and entry["previous_ip"] == old["previous_ip"]
            and is_that_local_time(entry["timestamp"], old["timestamp"])
            for entry in history
        ), old


def test_an_address_that_only_the_history_knows_stands_first(moved_in: Home) -> None:
    shown = detail(moved_in, "a8:13:74:00:12:af")
    assert [entry["ip"][-2:] for entry in shown["ip_history"]] == ["44", "41", "42", "40"]
    assert shown["ip_changes"] == 3


def test_the_list_and_the_counts_hold_all_of_them(moved_in: Home) -> None:
    listed = moved_in.client.get("/api/cameras").json
    assert listed["count"] == len(ROWS)
    counts = moved_in.client.get("/api/stats").json
    assert counts["total_discoveries"] == sum(
        row.get("total_discoveries", 0) for row in ROWS.values()
    )
    assert is_that_local_time(counts["last_scan"], "2026-02-28T21:15:07")


def test_statuses_follow_from_the_last_scan_of_the_former_tracker(moved_in: Home) -> None:
    words = {
        camera["camera_name"]: camera["status"]
        for camera in moved_in.client.get("/api/cameras").json["cameras"]
    }
    assert words["Loading dock"] == "ACTIVE"
    assert words['Käfer & <Söhne> "Tor 2"'] == "OFFLINE"
    assert words["Old archive"] == "MISSING"
    assert words["Spare"] == "ACTIVE"


def test_local_times_count_as_of_the_zone_summer_and_winter(moved_in: Home) -> None:
    dock = moved_in.device("d4:2d:c5:14:c5:70")
    assert dock.first_seen == datetime.fromisoformat("2024-12-23T09:30:00.482113+00:00")
    assert dock.addresses[1].at == datetime.fromisoformat("2025-07-01T10:00:00.25+00:00")


def test_the_hour_that_came_twice_and_the_one_that_never_was_open_too(moved_in: Home) -> None:
    studio = moved_in.device("a8:13:74:00:12:af")
    twice, after = studio.addresses[1].at, studio.addresses[2].at
    assert after - twice in (timedelta(hours=1), timedelta(hours=2))
    assert studio.first_seen is not None
    assert studio.first_seen.date().isoformat() == "2025-03-30"


def test_a_time_that_has_an_offset_keeps_it(in_berlin: None) -> None:
    row = {"last_seen": "2026-02-28T21:15:07+05:30"}
    fleet = original_format.converted_fleet({"d4:2d:c5:14:c5:70": row})
    assert fleet.devices[1].last_seen == datetime.fromisoformat("2026-02-28T15:45:07+00:00")


def test_a_real_monitor_in_another_zone_reads_the_same_bytes(
    run_monitor: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "camera_database.json").write_bytes(ORIGINAL.read_bytes())
    monitor = run_monitor(TZ="IST-5:30")
    shown = monitor.get("/api/camera/d4:2d:c5:14:c5:70").json
    assert datetime.fromisoformat(shown["first_seen"]) == datetime.fromisoformat(
        "2024-12-23T05:00:00+00:00"
    )
    assert monitor.get("/api/stats").json["total"] == len(ROWS)


# -- what becomes of the file ------------------------------------------------------------------


def copies(home: Home, ending: str = "original*") -> list[bytes]:
    folder = home.settings.data_dir / "copies"
    return [path.read_bytes() for path in sorted(folder.glob(f"*.{ending}"))]


def test_the_original_bytes_are_kept_for_ever(moved_in: Home, clock: Clock) -> None:
    for minute in range(1, 9):
        clock.forward(minutes=1)
        moved_in.tick()
        moved_in.client.patch("/api/camera/1", json={"notes": str(minute)})
    moved_in.restart()
    assert copies(moved_in) == [ORIGINAL.read_bytes()]


def test_after_the_first_write_it_is_our_format_and_reopens_the_same(
    moved_in: Home, clock: Clock
) -> None:
    before = moved_in.monitor.tracker.fleet()
    clock.forward(minutes=1)
    moved_in.tick()
    raw = json.loads(moved_in.settings.database_path.read_bytes())
    assert raw["format"] == "camera-monitor"
    events = moved_in.events()
    fleet = moved_in.monitor.tracker.fleet()
    moved_in.restart()
    again = moved_in.monitor.tracker.fleet()
    assert (again.devices, again.index, again.state) == (fleet.devices, fleet.index, fleet.state)
    assert again.sequence == fleet.sequence == before.sequence + len(events)
    assert again.next_id == len(ROWS) + 1


def test_opening_alone_does_not_touch_the_file(moved_in: Home) -> None:
    assert moved_in.settings.database_path.read_bytes() == ORIGINAL.read_bytes()


def test_a_second_original_that_somebody_puts_there_is_kept_too(
    make_home: Make, tmp_path: Path
) -> None:
    home = home_with(make_home, tmp_path, ORIGINAL.read_bytes())
    home.close()
    other = json.dumps({"d4:2d:c5:00:00:01": {"camera_name": "Other"}}).encode()
    home.settings.database_path.write_bytes(other)
    home.open()
    assert [device.name or device.facts["panasonic"]["name"] for device in home.devices()] == [
        "Other"
    ]
    assert sorted(copies(home)) == sorted([ORIGINAL.read_bytes(), other])


def test_an_empty_object_is_an_empty_fleet(make_home: Make, tmp_path: Path) -> None:
    home = home_with(make_home, tmp_path, b"{}")
    assert home.devices() == []
    assert home.monitor.tracker.damage == ""


# -- what does not fit -------------------------------------------------------------------------

MAC = "d4:2d:c5:14:c5:70"
WRONG: dict[str, Any] = {
    "a time that is none": {MAC: {"last_seen": "yesterday"}},
    "a time that is a number": {MAC: {"first_seen": 1734946200}},
    "a time at the edge of all time": {MAC: {"last_seen": "0001-01-01T00:00:00"}},
    "a time beyond all time": {MAC: {"last_seen": "9999-12-31T23:59:59-05:00"}},
    "a history that is no list": {MAC: {"ip_history": "192.168.0.1"}},
    "a history without its address": {MAC: {"ip_history": [{"timestamp": "2024-12-23T10:30:00"}]}},
    "a history without its time": {MAC: {"ip_history": [{"ip": "192.168.0.1"}]}},
    "a count that is no number": {MAC: {"total_discoveries": "many"}},
    "a row that is no object": {MAC: "192.168.0.1"},
    "a key that is no MAC": {"camera 1": {"last_seen": "2024-12-23T10:30:00"}},
    "a key that names a group": {"01:00:5e:00:00:01": {}},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_row_that_does_not_fit_is_damage_in_words(
    tmp_path: Path, in_berlin: None, what: str
) -> None:
    data = json.dumps({**WRONG[what], "d4:2d:c5:14:c5:71": {}}).encode()
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(CannotOpen, match=r"is damaged: .*no good copy") as refused:
        tracker_in(tmp_path).open()
    assert "\n" not in str(refused.value)
    assert (tmp_path / FILE).read_bytes() == data
    kept = list((tmp_path / "data" / "copies").glob("*.damaged-*"))
    assert [path.read_bytes() for path in kept] == [data]


def test_one_mac_in_two_spellings_is_no_two_cameras() -> None:
    raw = {MAC: {"camera_name": "Gate"}, "D4-2D-C5-14-C5-70": {"camera_name": "Door"}}
    with pytest.raises(Unreadable):
        original_format.converted_fleet(raw)


# -- and back ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_berlin")
def test_what_the_original_kept_is_written_as_it_was():
    written = original_format.rows_of(original_format.converted_fleet(ROWS).devices.values())
    assert written.keys() == {identity.mac(mac) for mac in ROWS}
    for mac, row in ROWS.items():
        new = written[identity.mac(mac) or ""]
        for key, value in row.items():
            if key in ("first_seen", "last_seen") and value:
                # One of them is in the hour that spring leaves out.
                assert moment(new[key]) == moment(value)
            elif key != "ip_history" and value not in (None, ""):
                assert new[key] == (identity.mac(value) if key == "mac_address" else value), key
        moves = [(entry["ip"], moment(entry["timestamp"])) for entry in new["ip_history"]]
        for change in row.get("ip_history") or []:
            assert (change["ip"], moment(change["timestamp"])) in moves


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.usefixtures("in_berlin")
def test_what_is_written_for_the_original_opens_as_the_same_fleet():
    fleet = original_format.converted_fleet(ROWS)
    written = json.loads(json.dumps(original_format.rows_of(fleet.devices.values())))
    assert original_format.is_original(written)
    assert list(original_format.converted_fleet(written).devices.values()) == list(
        fleet.devices.values()
    )


# -- in the place of a living fleet ------------------------------------------------------------


def test_a_former_file_never_replaces_a_living_fleet_in_silence(
    make_home: Make, caplog: pytest.LogCaptureFixture
) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1", name="Gate"))
    home.scan()
    home.client.patch("/api/camera/1", json={"name": "North gate"})
    newest = home.events()[-1].sequence
    home.close()
    ours = home.settings.database_path.read_bytes()
    home.settings.database_path.write_bytes(ORIGINAL.read_bytes())
    home.open()
    kept = home.settings.data_dir / "copies" / f"{home.settings.database_path.name}.replaced-1"
    assert kept.read_bytes() == ours
    assert [device.id for device in home.devices()] == list(range(2, len(ROWS) + 2))
    assert home.client.get("/api/camera/1").status_code == 404, "the number was another camera's"
    page = unescape(home.client.get("/").text)
    for text in (caplog.text, page, home.events()[-1].text):
        assert "is a file of the former tracker, but the journal already has a fleet" in text
        assert f"(1 device) is kept in {kept}" in text
    assert home.events()[-1].kind == "fleet.replaced"
    assert home.events()[-1].sequence > newest
    # The way back is the one that the notice tells.
    home.close()
    home.settings.database_path.write_bytes(kept.read_bytes())
    home.open()
    assert home.device("1").name == "North gate"
    assert home.monitor.tracker.replaced == ""


def test_a_limited_token_sees_no_other_camera_after_a_former_file_was_put_there(
    make_home: Make,
) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1", name="Gate"))
    home.scan()
    home.events()
    home.close()
    shutil.rmtree(home.settings.data_dir / "copies")
    home.settings.database_path.write_bytes(ORIGINAL.read_bytes())
    home.open()
    assert min(device.id for device in home.devices()) == 2, "the journal knows number 1"
    assert "The fleet that it replaced was not kept" in home.monitor.tracker.replaced


def test_the_first_former_file_is_opened_without_a_word(moved_in: Home) -> None:
    assert moved_in.monitor.tracker.replaced == ""
    assert [device.id for device in moved_in.devices()] == list(range(1, len(ROWS) + 1))


MOVED = {
    "in the last scan": ("2026-02-28T21:15:07", True, "IP_CHANGED"),
    "a second before it was written": ("2026-02-28T21:15:06", True, "IP_CHANGED"),
    "long before": ("2026-02-27T21:15:07", True, "ACTIVE"),
    "in the last scan that heard it": ("2026-02-28T21:15:07", False, "OFFLINE"),
}


@pytest.mark.parametrize("when", MOVED)
def test_ip_changed_opens_as_ip_changed(when: str, in_berlin: None) -> None:
    at, answered, expected = MOVED[when]
    change = {"ip": "10.0.0.2", "timestamp": at, "previous_ip": "10.0.0.1"}
    row = {
        "current_ip": "10.0.0.2",
        "last_seen": "2026-02-28T21:15:07",
        "first_seen": "2026-01-01T10:00:00",
        "ip_history": [change],
        "seen_in_last_discovery": answered,
    }
    story = Story()
    story.fleet = original_format.converted_fleet(
        {MAC: row, "d4:2d:c5:14:c5:71": {"last_seen": at}}
    )
    now = datetime(2026, 2, 28, 20, 16, tzinfo=UTC)
    assert story.device().status == expected
    assert story.status(at=now) == expected
    assert story.tell(at=now) == [], "nothing of it is news"
    if expected == "IP_CHANGED":
        again = seen(f"mac:{MAC}", at=now, address="10.0.0.2", **story.device().facts["panasonic"])
        assert "device.settled" in story.tell(again)
        assert story.status(at=now) == "ACTIVE"


@pytest.mark.parametrize(
    "row",
    [{"current_ip": 167772161}, {"ip_history": [{"ip": 1, "timestamp": "2026-01-01T00:00:00"}]}],
    ids=str,
)
def test_what_our_own_file_could_not_hold_is_damage_at_once(row: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="device 1"):
        original_format.converted_fleet({MAC: {"first_seen": "2026-01-01T00:00:00", **row}})


ODD: tuple[Any, ...] = (None, True, 7, -1, 2**31, "x", [], ["x"], {}, "9999-12-31T23:59:59")


def odd_rows(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row with each value replaced, also within its address changes."""
    yield from ({**row, key: odd} for key in row for odd in ODD)
    for entry in row.get("ip_history", []):
        yield from ({**row, "ip_history": [{**entry, key: odd}]} for key in entry for odd in ODD)


def test_whatever_is_taken_of_a_former_file_can_be_read_at_the_next_start() -> None:
    taken = 0
    for mac, row in ROWS.items():
        for changed in odd_rows(row):
            with suppress(Unreadable):
                fleet = original_format.converted_fleet({mac: changed})
                taken += 1
                data = record.Encoder().encode(fleet)
                try:
                    assert record.decode(data) == fleet
                except Unreadable as error:
                    pytest.fail(f"{changed} was taken, then: {error}")
    assert taken > 100


def test_a_former_value_of_another_type_is_named_with_its_mac() -> None:
    mac, row = next(iter(ROWS.items()))
    with pytest.raises(Unreadable, match=f"{mac}: sightings is -1"):
        original_format.converted_fleet({mac: {**row, "total_discoveries": -1}})
