"""Clean-up of recordings on real disks: never full, oldest first, nothing outside the folder."""

import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import Engine

from tests.store.disks import Disk, Disks, disks
from video import recording_rows, retention_rows, segment_rows
from video.cleaning import Cleaner
from video.folder_proof import KNOWN, FolderProof
from video.recorded import COMPLETED, Recording, Segment
from video.retention import UNDO_TIME, DiskSpace, Limits
from video.thumbnails import Thumbnails

__all__ = ["disks"]
NOW = datetime(2026, 11, 28, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MB = 10**6


class Shelf:
    """Recorded files with their index, and a clean-up whose clocks are set by hand."""

    def __init__(self, engine: Engine, folder: Path, data_dir: Path, limits: Limits) -> None:
        data_dir.mkdir(exist_ok=True)
        self.engine = engine
        self.limits = limits
        self.doubt = ""
        self.in_use: frozenset[int] = frozenset()
        self.seconds = 0.0
        self.proof = FolderProof(folder, data_dir)
        assert self.proof.prove() == ""
        self.cleaner = Cleaner(
            engine,
            self.proof,
            lambda: self.limits,
            lambda: NOW,
            lambda: self.doubt,
            lambda: self.in_use,
            lambda: self.seconds,
        )

    def path(self, segment: Segment) -> Path:
        return self.proof.folder / str(segment.device) / segment.file

    def record(
        self,
        days_ago: float,
        size: int = 1000,
        *,
        device: int = 1,
        on_disk: bool = True,
        **more: bool,
    ) -> Segment:
        start = NOW - timedelta(days=days_ago)
        name = f"{start:%Y%m%dT%H%M%S%f}.main.mp4"
        more = {"closed": True, **more}
        row = Segment(device, "main", name, start, start + 5 * MINUTE, size, **more)
        segment = replace(row, id=segment_rows.add(self.engine, row))
        if on_disk:
            self.path(segment).parent.mkdir(exist_ok=True)
            self.path(segment).write_bytes(bytes(size))
        return segment

    def run(self) -> str:
        """Run the clean-up a minute later."""
        self.seconds += 60
        return self.cleaner.run()

    def is_kept(self, segment: Segment) -> bool:
        is_on_disk = self.path(segment).exists()
        is_in_index = segment_rows.find(self.engine, segment.id) is not None
        assert is_on_disk == is_in_index
        return is_on_disk


@pytest.fixture
def shelf(sqlite_engine: Engine, tmp_path: Path) -> Shelf:
    return Shelf(sqlite_engine, tmp_path / "recordings", tmp_path / "data", Limits())


@pytest.fixture
def make_small(
    sqlite_engine: Engine, tmp_path: Path, disks: Disks
) -> Callable[[str], tuple[Shelf, Disk]]:
    """A shelf on a disk of that size."""

    def make(size: str) -> tuple[Shelf, Disk]:
        disk = disks.small(tmp_path / "disk", size)
        return Shelf(sqlite_engine, disk.folder, tmp_path / "data", Limits()), disk

    return make


def test_files_and_rows_that_are_too_old_go_in_both_databases(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(engine, tmp_path / "recordings", tmp_path / "data", Limits(days_of={2: 7}))
    gone = [shelf.record(31), shelf.record(8, device=2), shelf.record(40, on_disk=False)]
    kept = [shelf.record(8), shelf.record(6, device=2), shelf.record(35, protected=True)]
    with caplog.at_level(logging.INFO):
        text = shelf.run()
    assert text == "Deleted 3 recorded files (3.0 kB): 3 older than the retention"
    assert [each.getMessage() for each in caplog.records] == [text]
    assert [shelf.is_kept(each) for each in gone + kept] == [False] * 3 + [True] * 3
    assert shelf.run() == ""


def test_nothing_is_deleted_by_age_while_the_clock_is_in_doubt(shelf: Shelf) -> None:
    old = shelf.record(400)
    shelf.doubt = "The clock of this server is 400 d ahead."
    assert shelf.run() == ""
    assert shelf.is_kept(old)
    shelf.doubt = ""
    shelf.run()
    assert not shelf.is_kept(old)


def test_more_files_than_one_part_of_the_index_go_at_once(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_rows, "PART", 3)
    rows = [shelf.record(50 - number) for number in range(8)]
    assert shelf.run().startswith("Deleted 8 recorded files")
    assert not any(shelf.is_kept(each) for each in rows)


def test_pictures_of_deleted_files_go_with_them(shelf: Shelf, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails", lambda _path: pytest.fail("not needed"))
    thumbnails.folder.mkdir()
    shelf.cleaner.on_removed = thumbnails.remove
    files = [shelf.record(40), shelf.record(1)]
    for file in files:
        for number in range(2):
            (thumbnails.folder / f"{file.id}-{number}.jpg").touch()
    shelf.run()
    left = {path.name for path in thumbnails.folder.iterdir()}
    assert left == {f"{files[1].id}-0.jpg", f"{files[1].id}-1.jpg"}


def test_a_folder_that_does_not_prove_who_it_is_keeps_its_index(shelf: Shelf) -> None:
    old = shelf.record(400)
    shelf.proof.folder.rename(shelf.proof.folder.with_name("away"))
    shelf.proof.folder.mkdir()
    assert shelf.run().startswith("Nothing deleted: ")
    assert segment_rows.find(shelf.engine, old.id)
    shelf.proof.folder.rmdir()
    shelf.proof.folder.with_name("away").rename(shelf.proof.folder)
    shelf.run()
    assert not shelf.is_kept(old)


def test_before_the_first_recording_nothing_is_done_and_the_disk_is_known(
    shelf: Shelf,
) -> None:
    (shelf.proof.data_dir / KNOWN).unlink()
    shelf.proof.folder.rename(shelf.proof.folder.with_name("away"))
    assert shelf.run() == ""
    storage = shelf.cleaner.storage()
    assert storage.disk
    assert storage.disk.total == total(shelf.proof.folder.parent).total
    assert storage.trouble == ""


def test_no_link_is_followed_out_of_the_folder(shelf: Shelf, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    linked, behind = shelf.record(40), shelf.record(39, device=2, on_disk=False)
    shelf.path(linked).unlink()
    target = outside / behind.file
    target.write_text("keep")
    shelf.path(linked).symlink_to(target)
    shelf.path(behind).parent.symlink_to(outside)
    shelf.run()
    assert target.read_text() == "keep"
    assert not shelf.path(linked).is_symlink()


def test_empty_folders_go_but_those_of_devices_that_are_recorded(shelf: Shelf) -> None:
    gone, due, other = shelf.record(40), shelf.record(40, device=2), shelf.record(40, device=3)
    (shelf.path(other).parent / "notes.txt").write_text("mine")
    shelf.in_use = frozenset({2})
    shelf.run()
    folders = sorted(path.name for path in shelf.proof.folder.iterdir() if path.is_dir())
    assert folders == ["2", "3"]
    assert not shelf.path(gone).parent.exists()
    assert shelf.path(due).parent.exists()


def test_a_file_that_cannot_be_deleted_stays_in_the_index(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = shelf.record(40)
    shelf.path(stuck).unlink()
    shelf.path(stuck).parent.rmdir()
    shelf.path(stuck).parent.write_text("a file where a folder was")
    for _ in range(2):
        assert shelf.run() == ""
    assert segment_rows.find(shelf.engine, stuck.id)
    assert [each.getMessage() for each in caplog.records] == [
        f"Cannot delete the recorded file 1/{stuck.file}: Not a directory"
    ]


def test_a_file_that_cannot_be_deleted_keeps_no_other_from_it(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = [shelf.record(days) for days in (60, 50)]
    shutil.rmtree(shelf.path(stuck[0]).parent)
    shelf.path(stuck[0]).parent.write_text("a file where a folder was")
    old, new = shelf.record(40, device=2), shelf.record(1, device=2)
    for _ in range(2):
        shelf.run()
    assert not shelf.is_kept(old)
    assert shelf.is_kept(new)
    assert all(segment_rows.find(shelf.engine, each.id) for each in stuck)
    assert sum("Cannot delete" in each.getMessage() for each in caplog.records) == 2


def recording(first: float, last: float, **more: object) -> Recording:
    start, end = (NOW - timedelta(days=days) for days in (first, last))
    return Recording(1, "main", "Yard", "manual", start, ended_at=end, status=COMPLETED, **more)  # type: ignore[arg-type]


def test_a_recording_goes_with_its_last_file_and_a_deleted_one_a_day_later(shelf: Shelf) -> None:
    deleted = NOW - UNDO_TIME
    rows = {
        "old": recording(41, 40.9),
        "long": recording(41, 10),
        "deleted": recording(5, 4.9, deleted_at=deleted),
        "lately": recording(3, 2.9, deleted_at=deleted + MINUTE),
        "shared": recording(2, 1.9, deleted_at=deleted),
        "sharing": recording(2, 1.9),
    }
    numbers = {name: recording_rows.add(shelf.engine, each) for name, each in rows.items()}
    files = [shelf.record(days) for days in (41, 20, 5, 3, 2)]
    shelf.run()
    assert [shelf.is_kept(each) for each in files] == [False, True, False, True, True]
    left = {name for name, id in numbers.items() if recording_rows.find(shelf.engine, id)}
    assert left == {"long", "lately", "sharing"}


# -- space -----------------------------------------------------------------------------------


def test_the_disk_is_kept_free_at_once_and_not_only_each_minute(
    make_small: Callable[[str], tuple[Shelf, Disk]],
) -> None:
    shelf, disk = make_small("16m")
    files = [shelf.record(1 - number / 100, MB) for number in range(15)]
    shelf.run()
    shelf.seconds += 5
    assert shelf.cleaner.run() == ""
    (disk.folder / "other").write_bytes(bytes(MB))
    shelf.seconds += 5
    assert "to keep space free on the disk" in shelf.cleaner.run()
    kept = [shelf.is_kept(each) for each in files]
    assert kept == sorted(kept)
    assert not all(kept)
    assert free(disk.folder) >= shelf.limits.free_on(total(disk.folder))


def test_where_nothing_can_be_deleted_recording_stops_with_the_reason_and_continues(
    make_small: Callable[[str], tuple[Shelf, Disk]],
) -> None:
    shelf, disk = make_small("16m")
    kept = shelf.record(1, 15 * MB, protected=True)
    (disk.folder / "other").write_bytes(bytes(MB))
    shelf.run()
    assert shelf.is_kept(kept)
    text = shelf.proof.prove()
    assert text.startswith("Only ")
    assert f" are free on the disk of {disk.folder}, " in text
    assert "all recordings are protected or being written" in text
    segment_rows.protect(shelf.engine, [kept.id], False)
    shelf.run()
    assert shelf.proof.prove() == ""
    assert not shelf.is_kept(kept)


def test_the_size_limit_holds_and_is_named_where_it_cannot(shelf: Shelf) -> None:
    shelf.limits = Limits(max_bytes=2500)
    files = [shelf.record(days) for days in (3, 2, 1)]
    shelf.run()
    assert [shelf.is_kept(each) for each in files] == [False, True, True]
    segment_rows.protect(shelf.engine, [each.id for each in files], True)
    shelf.limits = Limits(max_bytes=1500)
    shelf.run()
    assert "raise RECORDINGS_MAX_GB" in shelf.proof.prove()


def test_the_gauge_shows_the_disk_of_the_folder_and_what_it_will_hold(
    make_small: Callable[[str], tuple[Shelf, Disk]],
) -> None:
    shelf, disk = make_small("16m")
    for hours in range(1, 25):
        shelf.record(hours / 24, 100_000)
    storage = shelf.cleaner.storage()
    assert storage.path == disk.folder
    assert storage.disk == DiskSpace(total(disk.folder).total, free(disk.folder))
    assert storage.forecast
    assert storage.forecast.used == 2_400_000
    [camera] = storage.forecast.days
    assert (camera.required, round(camera.kept, 2)) == (30, 1)
    assert 5 < camera.expected < 7
    assert storage.forecast.full_at
    assert storage.oldest
    assert storage.oldest.started_at == NOW - timedelta(days=1)
    assert storage.trouble == ""


def total(folder: Path) -> DiskSpace:
    disk = os.statvfs(folder)
    return DiskSpace(disk.f_blocks * disk.f_frsize, 0)


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class Writers:
    """Cameras that record as fast as they are told, each into files of its own."""

    def __init__(self, shelf: Shelf, rates: list[int], seconds: float) -> None:
        self.shelf = shelf
        self.seconds = seconds
        self.refused: list[OSError] = []
        self.is_done = threading.Event()
        self._lock = threading.Lock()
        self.least_free = free(shelf.proof.folder)
        self.threads = [
            threading.Thread(target=self._record, args=(device, rate))
            for device, rate in enumerate(rates, 1)
        ]

    def _record(self, device: int, rate: int) -> None:
        number = 0
        while not self.is_done.is_set():
            number += 1
            start = datetime.now(UTC)
            row = Segment(device, "main", f"{number:06}.mp4", start, start + MINUTE / 60)
            row = replace(row, id=segment_rows.add(self.shelf.engine, row))
            size = self._write(self.shelf.path(row), rate)
            ended = max(datetime.now(UTC), start + MINUTE / 60000)
            closed = replace(row, size=size, ended_at=ended, closed=True)
            segment_rows.save(self.shelf.engine, [closed])

    def _write(self, path: Path, rate: int) -> int:
        path.parent.mkdir(exist_ok=True)
        begun, size = monotonic(), 0
        with path.open("wb", buffering=0) as file:
            while monotonic() - begun < self.seconds and not self.is_done.wait(0.1):
                try:
                    size += file.write(bytes(rate // 10))
                except OSError as error:
                    self.refused.append(error)
                with self._lock:
                    self.least_free = min(self.least_free, free(path.parent))
        return size

    def run(self, seconds: float, every: float) -> int:
        """Record for so long, cleaning every so often; the number of clean-ups that deleted."""
        for thread in self.threads:
            thread.start()
        end, times = monotonic() + seconds, 0
        while monotonic() < end:
            sleep(every)
            self.shelf.seconds = monotonic()
            times += bool(self.shelf.cleaner.run())
        self.is_done.set()
        for thread in self.threads:
            thread.join()
        return times


def check_small_disk(shelf: Shelf, writers: Writers, seconds: float, every: float) -> None:
    shelf.cleaner.clock = lambda: datetime.now(UTC)
    kept = shelf.record(100, MB, device=9, protected=True)
    shelf.seconds = monotonic()
    assert writers.run(seconds, every) > 2
    assert [error for error in writers.refused if error.errno == errno.ENOSPC] == []
    folder = shelf.proof.folder
    assert writers.least_free >= shelf.limits.free_on(total(folder))
    assert shelf.is_kept(kept)
    for device in range(1, len(writers.threads) + 1):
        names = sorted(path.name for path in (folder / str(device)).iterdir())
        numbers = [int(name.partition(".")[0]) for name in names]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "the oldest are gone"
        assert numbers[0] > 1
        assert set(segment_rows.known(shelf.engine, device)) == set(names)


def test_a_small_disk_that_is_recorded_to_is_never_full(
    make_small: Callable[[str], tuple[Shelf, Disk]],
) -> None:
    shelf, _disk = make_small("16m")
    check_small_disk(shelf, Writers(shelf, [2 * MB] * 4, 0.3), 4, 0.1)


@pytest.mark.torture
@pytest.mark.timeout(700)
def test_four_cameras_for_ten_minutes_on_200_mb_never_fill_it(
    make_small: Callable[[str], tuple[Shelf, Disk]],
) -> None:
    shelf, _disk = make_small("200m")
    check_small_disk(shelf, Writers(shelf, [300_000] * 4, 20), 600, 5)
