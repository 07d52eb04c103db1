"""The only way facts change: what is durable when, what shares a write, what is refused."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fleet.model import AutoScan, Event, LastScan, NotFound, Refused, Report
from fleet.tracker import Tracker
from store.json_file import CannotKeep
from tests.fleet.reports import NOON, A, B, edit, finding, heard, missed, noon, seen
from tests.fleet.tracking import FILE, counting_writes, on_disk, opened, tracker_in
from tests.home import until
from tests.store.disks import Disks


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    with opened(tmp_path) as made:
        yield made


def name(tracker: Tracker, id: int = 1) -> str | None:
    return tracker.devices()[id].name


# -- durable before it returns ---------------------------------------------------------------

REPORTS: dict[str, list[Report]] = {
    "a find": [seen(B, address="10.0.0.2")],
    "a move": [seen(A, at=noon(minutes=1), address="10.0.0.9")],
    "a miss": [missed(A, noon(minutes=1))],
    "a finding": [finding(A)],
    "a name": [edit("change", "id:1", name="Gate")],
    "a retirement": [edit("retire", "id:1")],
}


@pytest.mark.parametrize("what", REPORTS)
def test_what_is_told_is_in_the_file_before_apply_returns(
    tracker: Tracker, tmp_path: Path, what: str
) -> None:
    tracker.apply([seen(A)], NOON)
    events = tracker.apply(REPORTS[what], noon(minutes=1))
    assert len(events) == 1
    assert on_disk(tmp_path) == tracker.fleet()
    assert on_disk(tmp_path).outbox[-1] == events[0]


def test_what_only_moves_times_waits_for_the_tick_within_a_minute(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.apply([seen(A)], NOON)
    tracker.tick(NOON)
    with counting_writes(tmp_path / FILE) as writes:
        for second in range(1, 60):
            tracker.apply([heard(A, at=noon(seconds=second))], noon(seconds=second))
        assert writes() == 0
        assert tracker.devices()[1].last_seen == noon(seconds=59)
        tracker.tick(noon(seconds=60))
        assert writes() == 1
    assert on_disk(tmp_path).devices[1].last_seen == noon(seconds=59)


def test_when_nothing_happens_nothing_is_written(tracker: Tracker, tmp_path: Path) -> None:
    """Else an idle monitor wears its card out and its five copies reach back five minutes only."""
    tracker.apply([seen(A), finding(A)], NOON)
    tracker.tick(NOON)
    with counting_writes(tmp_path / FILE) as writes:
        for minute in range(1, 30):
            tracker.tick(noon(minutes=minute))
        assert writes() == 0


def test_time_that_changes_a_status_is_told_and_durable(tracker: Tracker, tmp_path: Path) -> None:
    tracker.apply([seen(A)], NOON)
    tracker.apply([missed(A, noon(minutes=1))], noon(minutes=1))
    assert [event.kind for event in tracker.tick(noon(days=1))] == ["device.missing"]
    assert on_disk(tmp_path).devices[1].status == "MISSING"


def test_closing_writes_what_waited(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A)], NOON)
        tracker.apply([heard(A, at=noon(seconds=5))], noon(seconds=5))
    assert on_disk(tmp_path).devices[1].last_seen == noon(seconds=5)


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A, name="Gate"), finding(A), seen(B, address="10.0.0.2")], NOON)
        tracker.apply([missed(B, noon(minutes=1))], noon(minutes=1))
        before = tracker.fleet()
    with opened(tmp_path) as tracker:
        assert tracker.fleet() == before
        assert tracker.damage == ""


def test_facts_of_the_monitor_are_durable_too(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([AutoScan(True), LastScan({"at": NOON.isoformat()})], NOON)
        tracker.apply([AutoScan(False)], NOON)
        assert on_disk(tmp_path).state == {
            "auto_scan": False,
            "last_scan": {"at": NOON.isoformat()},
        }


def test_snapshots_do_not_change_in_the_hands_of_a_reader(tracker: Tracker) -> None:
    tracker.apply([seen(A)], NOON)
    devices, fleet = tracker.devices(), tracker.fleet()
    tracker.apply([edit("retire", "id:1"), seen(B, address="10.0.0.2")], NOON)
    assert list(devices) == [1]
    assert devices[1].retired_at is None
    assert list(fleet.index) == [A]


@pytest.mark.parametrize(
    "key", ["1", "01", "d4:2d:c5:00:00:0a", "D4-2D-C5-00-00-0A", "d42d.c500.000a"]
)
def test_a_device_is_found_by_its_number_or_its_mac_in_any_spelling(
    tracker: Tracker, key: str
) -> None:
    tracker.apply([seen(A)], NOON)
    assert tracker.device(key).id == 1


@pytest.mark.parametrize("key", ["", "0", "2", "-1", "9" * 5000, "²", "gate", "mac:", "x" * 5000])
def test_nobody_is_said_in_words(tracker: Tracker, key: str) -> None:
    tracker.apply([seen(A)], NOON)
    with pytest.raises(NotFound, match="Camera") as refused:
        tracker.device(key)
    assert len(refused.value.error) < 100


# -- many at once ----------------------------------------------------------------------------


class Caller(threading.Thread):
    """A request thread with one change; what came of it."""

    def __init__(self, tracker: Tracker, *reports: Report) -> None:
        super().__init__(daemon=True)
        self.tracker = tracker
        self.reports = reports
        self.events: Sequence[Event] = ()
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.events = self.tracker.apply(self.reports, NOON)
        except (Refused, CannotKeep) as error:
            self.error = error


class SlowDisk:
    """Holds up the next write: the file of the next copy is a pipe that nobody reads yet."""

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "data" / "copies" / f".{FILE}.new"

    def __enter__(self) -> "SlowDisk":
        self._pipe.unlink(missing_ok=True)
        os.mkfifo(self._pipe)
        return self

    def release(self) -> None:
        with self._pipe.open("rb") as reader:
            reader.read()

    def __exit__(self, *_: object) -> None:
        """Nobody stays behind it, though the test failed."""
        with suppress(OSError):
            os.close(os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK))
            self._pipe.unlink()


def behind_a_slow_write(
    tracker: Tracker, folder: Path, changes: Sequence[Sequence[Report]]
) -> list[Caller]:
    """The callers of `changes`, who all waited while another write was under way."""
    with SlowDisk(folder) as disk:
        first = Caller(tracker, edit("change", "id:1", notes="slow"))
        until(lambda: on_disk(folder).devices[1].notes == "slow", what="the first one writes")
        callers = [Caller(tracker, *reports) for reports in changes]
        until(lambda: len(tracker._waiting) == len(changes), what="all others wait")
        assert [caller.events for caller in callers] == [()] * len(callers)
        disk.release()
    for caller in (first, *callers):
        caller.join(20)
        assert not caller.is_alive()
    return callers


def test_edits_that_wait_together_share_one_write(tracker: Tracker, tmp_path: Path) -> None:
    tracker.apply([seen(f"mac:d4:2d:c5:00:01:{n:02x}") for n in range(30)], NOON)
    changes = [[edit("change", f"id:{n}", name=f"Gate {n}")] for n in range(1, 31)]
    with counting_writes(tmp_path / FILE) as writes:
        callers = behind_a_slow_write(tracker, tmp_path, changes)
        assert writes() == 2, "the slow one and the one for all that waited"
    assert [name(tracker, n) for n in range(1, 31)] == [f"Gate {n}" for n in range(1, 31)]
    assert on_disk(tmp_path).devices == tracker.devices()
    numbers = sorted(event.sequence for caller in callers for event in caller.events)
    assert numbers == list(range(numbers[0], numbers[0] + 30))


def test_one_that_is_refused_does_not_disturb_those_that_wait_with_it(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.apply([seen(A), seen(B, address="10.0.0.2")], NOON)
    changes: list[list[Report]] = [
        [edit("change", "id:1", name="Gate")],
        [edit("change", "id:1", notes="lost"), edit("change", "id:99", name="nobody")],
        [missed(B, noon(minutes=1))],
        [edit("change", "id:2", name=7)],
        [edit("change", "id:2", name="Door")],
    ]
    callers = behind_a_slow_write(tracker, tmp_path, changes)
    assert [isinstance(caller.error, Refused) for caller in callers] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert [[event.kind for event in caller.events] for caller in callers] == [
        ["device.edited"],
        [],
        ["device.offline"],
        [],
        ["device.edited"],
    ]
    assert (name(tracker), name(tracker, 2)) == ("Gate", "Door")
    assert tracker.devices()[1].notes == "slow"
    assert [event.sequence for event in tracker.fleet().outbox] == list(
        range(1, tracker.fleet().sequence + 1)
    )
    assert on_disk(tmp_path) == tracker.fleet()


def test_each_caller_gets_its_own_events_under_a_crowd(tracker: Tracker, tmp_path: Path) -> None:
    tracker.apply([seen(f"mac:d4:2d:c5:00:01:{n:02x}") for n in range(8)], NOON)
    failures: list[str] = []

    def rename(id: int) -> None:
        for turn in range(25):
            name = f"Gate {id}-{turn}"
            (event,) = tracker.apply([edit("change", f"id:{id}", name=name)], NOON)
            if (event.device, event.after) != (id, {"name": name}):
                failures.append(f"{name} got {event}")
            if on_disk(tmp_path).devices[id].name != name:
                failures.append(f"{name} is not on disk")

    crowd = [threading.Thread(target=rename, args=(id,)) for id in range(1, 9)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert failures == []
    assert [event.sequence for event in tracker.fleet().outbox] == list(range(1, 8 + 8 * 25 + 1))


# -- a disk that does not take it ------------------------------------------------------------


@pytest.fixture
def on_a_small_disk(disks: Disks, tmp_path: Path) -> Iterator[tuple[Tracker, Any, Path]]:
    disk = disks.small(tmp_path / "disk")
    with opened(disk.folder, tmp_path / "data") as tracker:
        tracker.apply([seen(A, name="WV"), seen(B, address="10.0.0.2")], NOON)
        yield tracker, disk, disk.folder
        if (disk.folder / "filler").exists():
            disk.make_room()


def test_an_edit_that_cannot_be_written_is_not_done_and_says_so(
    on_a_small_disk: tuple[Tracker, Any, Path],
) -> None:
    tracker, disk, folder = on_a_small_disk
    before = tracker.fleet()
    disk.fill()
    for _ in range(3):
        with pytest.raises(CannotKeep, match="cannot be written") as refused:
            tracker.apply([edit("change", "id:1", name="Gate")], NOON)
        assert "\n" not in str(refused.value)
    with pytest.raises(CannotKeep):
        tracker.apply([AutoScan(True)], NOON)
    assert tracker.fleet() == before == on_disk(folder)
    assert "cannot be written" in tracker.trouble
    disk.make_room()
    (event,) = tracker.apply([edit("change", "id:1", name="Gate")], NOON)
    assert event.sequence == before.sequence + 1
    assert on_disk(folder).devices[1].name == "Gate"
    assert tracker.trouble == ""


def test_facts_are_true_whether_the_disk_is_full_or_not_and_written_later(
    on_a_small_disk: tuple[Tracker, Any, Path],
) -> None:
    tracker, disk, folder = on_a_small_disk
    disk.fill()
    events = tracker.apply([missed(A, noon(minutes=1))], noon(minutes=1))
    assert [event.kind for event in events] == ["device.offline"]
    assert tracker.devices()[1].status == "OFFLINE"
    tracker.tick(noon(minutes=2))
    assert on_disk(folder).devices[1].status == "ACTIVE"
    disk.make_room()
    tracker.tick(noon(minutes=3))
    assert on_disk(folder) == tracker.fleet()
    assert on_disk(folder).devices[1].status == "OFFLINE"
    assert [event.sequence for event in tracker.fleet().outbox] == [1, 2, 3]


def test_of_a_batch_on_a_full_disk_only_what_people_asked_for_is_refused(
    on_a_small_disk: tuple[Tracker, Any, Path],
) -> None:
    tracker, disk, folder = on_a_small_disk
    disk.fill()
    changes: list[list[Report]] = [
        [edit("change", "id:1", name="Gate")],
        [missed(B, noon(minutes=1))],
        [edit("retire", "id:99")],
    ]
    lock = tracker._lock
    with lock:
        callers = [Caller(tracker, *reports) for reports in changes]
        until(lambda: len(tracker._waiting) == len(changes), what="all of them wait")
    for caller in callers:
        caller.join(20)
    assert [type(caller.error) for caller in callers] == [CannotKeep, type(None), NotFound]
    assert callers[0].events == ()
    assert [event.kind for event in callers[1].events] == ["device.offline"]
    assert name(tracker) is None
    assert tracker.devices()[2].status == "OFFLINE"
    assert [event.sequence for event in tracker.fleet().outbox] == [1, 2, 3]


def test_a_file_that_cannot_be_written_at_the_end_does_not_keep_the_monitor_from_ending(
    disks: Disks, tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "disk")
    tracker = tracker_in(disk.folder, tmp_path / "data")
    tracker.open()
    tracker.apply([seen(A)], NOON)
    tracker.apply([heard(A, at=noon(seconds=5))], noon(seconds=5))
    disk.fill()
    tracker.close()
    tracker_in(disk.folder, tmp_path / "data").open()
