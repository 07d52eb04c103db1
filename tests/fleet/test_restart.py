"""A monitor that comes back beside a journal that knows more than its file: nothing doubles."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.fleet.reports import NOON, A, B, edit, seen
from tests.fleet.tracking import opened
from tests.home import Clock, Home, Running, until
from tests.store.disks import Disks

Make = Callable[..., Home]
GATE = Camera("d4:2d:c5:00:00:01", "127.20.0.1", name="Gate")
DOOR = Camera("d4:2d:c5:00:00:02", "127.20.0.2", name="Door")


def rename(home: Home, key: str, name: str) -> dict[str, Any]:
    answer = home.client.patch(f"/api/camera/{key}", json={"name": name})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def back_in_time(home: Home, older: Path) -> None:
    """The monitor ends, and somebody puts an older copy of the file in its place."""
    home.events()
    home.close()
    shutil.copy(older, home.settings.database_path)
    home.open()


@pytest.fixture
def aged(make_home: Make, tmp_path: Path) -> Home:
    """A monitor whose file is older than its journal by two renamings and a find."""
    home = make_home(GATE)
    home.scan()
    older = tmp_path / "older.json"
    shutil.copy(home.settings.database_path, older)
    rename(home, "1", "North gate")
    with home.network.lock:
        home.network.cameras.append(DOOR)
    home.scan()
    rename(home, "2", "Back door")
    back_in_time(home, older)
    return home


def test_numbers_go_on_above_the_journal_when_the_file_is_an_older_copy(aged: Home) -> None:
    before = aged.events()
    assert [device.name for device in aged.devices()] == [None]
    undo = rename(aged, "1", "West gate")["undo"]
    assert undo > before[-1].sequence
    events = aged.events()
    assert [event.sequence for event in events] == sorted({event.sequence for event in events})
    assert events[: len(before)] == before
    assert events[-1].after == {"name": "West gate"}


def test_a_number_that_the_journal_knows_is_not_given_to_another_device(aged: Home) -> None:
    """Else the history of the door that was device 2 would be told of a stranger."""
    with aged.network.lock:
        aged.network.cameras.append(Camera("d4:2d:c5:00:00:03", "127.20.0.3", name="Stranger"))
        aged.network.cameras.remove(DOOR)
    aged.scan()
    stranger = aged.device("d4:2d:c5:00:00:03")
    assert {event.text for event in aged.events(device=stranger.id)} == {
        "Stranger was found at 127.20.0.3"
    }


def test_events_that_the_journal_has_not_are_delivered_after_a_restart(tmp_path: Path) -> None:
    """They were in the file when the power went; nobody had carried them yet."""
    from tests.fleet.test_journal import numbers

    with opened(tmp_path / "home") as tracker:
        tracker.apply([seen(A), seen(B, address="10.0.0.2")], NOON)
        tracker.apply([edit("change", "id:1", name="Gate")], NOON)
    home = Home(tmp_path / "home", Clock())
    try:
        assert numbers(home.events()) == [1, 2, 3]
        home.restart()
        assert numbers(home.events()) == [1, 2, 3]
    finally:
        home.close()


def test_what_was_told_on_a_full_disk_is_not_told_again_under_its_number(
    disks: Disks, make_home: Make, tmp_path: Path, clock: Clock
) -> None:
    """The journal has an event of which the file knows nothing; then the power goes."""
    disk = disks.small(tmp_path / "disk")
    home = make_home(GATE, database_path=disk.folder / "camera_database.json")
    home.scan()
    home.events()
    disk.fill()
    home.network.cameras[0].on = False
    home.scan()
    earlier = home.events()
    assert [event.kind for event in earlier] == ["device.found", "device.offline"]
    file = home.settings.database_path.read_bytes()
    assert json.loads(file)["sequence"] == 1
    disk.make_room()
    home.close()
    home.settings.database_path.write_bytes(file)
    home.open()
    rename(home, "1", "North gate")
    events = home.events()
    assert events[:2] == earlier
    assert [event.kind for event in events[2:]] == ["device.edited"]


# -- the real monitor --------------------------------------------------------------------------

ONE_CAMERA = json.dumps(
    {"d4:2d:c5:00:00:01": {"camera_name": "Gate", "last_seen": "2026-03-01T12:00:00"}}
)


def test_an_edit_on_a_full_disk_answers_507_and_is_not_done(
    disks: Disks, run_monitor: Callable[..., Running], tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "disk")
    path = disk.folder / "camera_database.json"
    path.write_text(ONE_CAMERA)
    monitor = run_monitor(DATABASE_PATH=str(path))
    assert monitor.request("PATCH", "/api/camera/1", {"notes": "first"}).status == 200
    disk.fill()
    for body in ({"name": "North gate"}, {"notes": "second"}):
        answer = monitor.request("PATCH", "/api/camera/1", body)
        assert answer.status == 507
        assert answer.json == {
            "error": f"{path} cannot be written (No space left on device). Free disk space or "
            "allow this user to write the file.",
            "hint": "Nothing was changed. Solve the problem, then try again.",
        }
    row = monitor.get("/api/camera/1").json
    assert (row["camera_name"], row["notes"]) == ("Gate", "first")
    assert monitor.get("/readyz").status == 503
    toggle = monitor.request("POST", "/api/auto-scan", {"enabled": True})
    assert toggle.status == 507
    assert monitor.get("/api/stats").json["auto_scan_enabled"] is False
    disk.make_room()
    assert monitor.request("PATCH", "/api/camera/1", {"name": "North gate"}).status == 200
    until(lambda: monitor.get("/readyz").status == 200, what="the monitor is ready again")
    monitor.kill()
    monitor.start()
    row = monitor.get("/api/camera/1").json
    assert (row["camera_name"], row["notes"]) == ("North gate", "first")


def test_a_full_data_folder_does_not_do_what_it_refuses(
    disks: Disks, run_monitor: Callable[..., Running], tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "data", "2m")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "camera_database.json").write_text(ONE_CAMERA)
    monitor = run_monitor(DATA_DIR=str(disk.folder))
    disk.fill()
    answer = monitor.request("PATCH", "/api/camera/1", {"name": "North gate"})
    assert answer.status in (200, 507)
    name = monitor.get("/api/camera/1").json["camera_name"]
    assert name == ("North gate" if answer.status == 200 else "Gate")
    monitor.kill()
    disk.make_room()
    monitor.start()
    assert monitor.get("/api/camera/1").json["camera_name"] == name


def refusal(tmp_path: Path, **environment: str) -> str:
    """What a monitor says that does not start; it must end by itself, in one sentence."""
    (tmp_path / "refused").mkdir(exist_ok=True)
    monitor = Running(tmp_path / "refused", **environment)
    process = monitor.spawn()
    try:
        assert process.wait(30) != 0
    finally:
        if process.poll() is None:
            monitor.kill()
    lines = [line for line in monitor.text().splitlines() if "cannot start" in line]
    assert "Traceback" not in monitor.text(), monitor.text()
    assert "Web server:" not in monitor.text(), "nothing is announced that does not come"
    assert len(lines) == 1, monitor.text()
    return lines[0]


def test_it_refuses_to_start_where_the_database_cannot_be_written(
    disks: Disks, tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "disk")
    disk.lock()
    message = refusal(tmp_path, DATABASE_PATH=str(disk.folder / "camera_database.json"))
    assert str(disk.folder) in message
    assert "Read-only file system" in message


def test_it_refuses_to_start_where_its_data_cannot_be_written(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "data")
    disk.lock()
    message = refusal(tmp_path, DATA_DIR=str(disk.folder))
    assert f"{disk.folder} cannot be written (Read-only file system)" in message
    assert "set DATA_DIR" in message


def test_a_folder_where_no_file_can_be_made_is_not_taken_for_another_monitor(
    tmp_path: Path,
) -> None:
    message = refusal(tmp_path, DATABASE_PATH="/proc/camera_database.json")
    assert "/proc/camera_database.json cannot be written" in message
    assert "set DATABASE_PATH" in message


def test_it_refuses_to_start_with_a_full_data_folder(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "data")
    disk.fill()
    message = refusal(tmp_path, DATA_DIR=str(disk.folder))
    assert "Camera Monitor cannot start." in message


REFUSED = {
    "damage": (b"[tw", "is damaged"),
    "emptiness": (b"", "is damaged"),
    "a newer version": (b'{"format": "camera-monitor", "version": 99}', "newer Camera Monitor"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses_to_start_with_what_it_cannot_read(tmp_path: Path, what: str) -> None:
    data, words = REFUSED[what]
    path = tmp_path / "refused" / "camera_database.json"
    path.parent.mkdir()
    path.write_bytes(data)
    assert words in refusal(tmp_path)
    assert path.read_bytes() == data


def test_a_second_monitor_on_the_same_file_is_refused(
    run_monitor: Callable[..., Running], tmp_path: Path
) -> None:
    first = run_monitor()
    message = refusal(tmp_path, DATABASE_PATH=first.environment["DATABASE_PATH"])
    assert "is in use by another Camera Monitor" in message
    assert first.get("/healthz").status == 200
