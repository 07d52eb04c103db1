"""What cameras should have recorded and what is there, from files that open.

The index says which files there are. Of each camera some are opened, the newest and the oldest
among them; where one of these does not open, all of them are.
"""

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.model import Fleet
from video import coverage_rows, outage_rows, plan_rows
from video.coverage_rows import IndexedFile
from video.disk_calls import DiskCalls
from video.due import followed
from video.gaps import Coverage, coverage
from video.mp4_boxes import BrokenMp4, boxes
from video.mp4_fragments import opened, read_at
from video.outages import Outage
from video.plan_rows import ALWAYS, RETIRED
from video.schedule import occurrences
from video.stretches import Stretch, joined, subtract

if TYPE_CHECKING:
    from sqlalchemy import Engine

SAMPLE = 40
"""Files of each camera that are opened."""
SETTLED = timedelta(seconds=15)
"""What was recorded so long ago is on the disk."""
MOST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class CameraCoverage:
    """The coverage of a camera. `files` are in the index, `checked` of them were opened."""

    device: int
    coverage: Coverage
    files: int
    checked: int
    damaged: int


class CoverageReader:
    """Reads coverage from the index, the folder of the recordings, and the schedules."""

    def __init__(
        self,
        engine: "Engine",
        folder: Path,
        fleet: Callable[[], Fleet],
        clock: Callable[[], datetime],
        calls: DiskCalls | None = None,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._fleet = fleet
        self._clock = clock
        self._calls = calls or DiskCalls()
        self.run: Callable[[], Outage | None] = lambda: None
        """The time that this server has run until now, which SQL learns each half minute."""

    def report(
        self, devices: Sequence[int], since: datetime, until: datetime
    ) -> list[CameraCoverage]:
        """The coverage of those of these devices that were to be recorded or have files, in this
        order. Raises Unreachable, and NotAnswering when the disk does not answer."""
        span = Stretch(since, max(since, min(until, self._clock() - SETTLED)))
        redirects = self._fleet().redirects
        # What became part of it had recordings of its own.
        numbers = {
            device: [device, *(old for old, new in redirects.items() if new == device)]
            for device in devices
        }
        expected = self._expected(numbers, span)
        now = self.run()
        run = [now] if now and now.began < span.end else []
        reports = []
        for device, ids in numbers.items():
            files = coverage_rows.files(self._engine, ids, *span)
            if files or expected[device]:
                outages = [*outage_rows.between(self._engine, ids, *span), *run]
                present, damaged, checked = self._calls.read(partial(self._opened, files))
                result = coverage(span, expected[device], present, damaged, outages)
                reports.append(CameraCoverage(device, result, len(files), checked, len(damaged)))
        return reports

    # -- what is expected ----------------------------------------------------------------

    def _expected(
        self, devices: Mapping[int, Sequence[int]], span: Stretch
    ) -> dict[int, list[Stretch]]:
        """The times at which devices were to be recorded, by what was true at each time. `devices`
        has the numbers that each of them had."""
        numbers = [id for ids in devices.values() for id in ids]
        always = plan_rows.camera_times(self._engine, ALWAYS, numbers, *span)
        retired = plan_rows.camera_times(self._engine, RETIRED, [*devices], *span)
        times = {
            device: [stretch for id in ids for stretch in always.get(id, ())]
            for device, ids in devices.items()
        }
        redirects = self._fleet().redirects
        for schedule, valid in plan_rows.plans(self._engine, *span):
            due = [Stretch(*each) for each in occurrences(schedule, *valid)]
            for device in followed(schedule.devices, redirects) if due else ():
                if device in times:
                    times[device].extend(due)
        return {
            device: subtract(joined(due, span), joined(retired.get(device, ()), span))
            for device, due in times.items()
        }

    # -- what is there -------------------------------------------------------------------

    def _opened(self, files: Sequence[IndexedFile]) -> tuple[list[Stretch], list[Stretch], int]:
        """The times of files that open, those of files that do not, and how many were opened."""
        sample = {file.id: self._does_open(file) for file in _sample(files)}
        if not all(sample.values()):
            sample = {file.id: self._does_open(file) for file in files}
        present: list[Stretch] = []
        damaged: list[Stretch] = []
        for file in files:
            is_good = not file.is_damaged and sample.get(file.id, True)
            stretch = Stretch(file.start, self._end_of(file))
            (present if is_good else damaged).append(stretch)
        return present, damaged, len(sample)

    def _does_open(self, file: IndexedFile) -> bool:
        return opens(self._folder / str(file.device) / file.name, file)

    def _end_of(self, file: IndexedFile) -> datetime:
        """When a file ends; one that grows was written to until now."""
        if file.is_closed:
            return file.end
        try:
            written = (self._folder / str(file.device) / file.name).stat().st_mtime
        except OSError:
            return file.end
        return max(file.end, datetime.fromtimestamp(written, UTC))


def opens(path: Path, file: IndexedFile) -> bool:
    """True if the file is there, as large as the index says, and begins as MP4 does."""
    try:
        with opened(path) as handle:
            length = min(file.header or MOST_HEADER, MOST_HEADER)
            head = read_at(handle, length, 0)
            kinds = [box.kind for box in boxes(head, 0, len(head))] if file.header else [head[4:8]]
    except BrokenMp4:
        return False
    is_whole = not file.is_closed or _size_of(path) >= file.size
    return is_whole and kinds[:1] == [b"ftyp"] and (not file.header or b"moov" in kinds)


def _size_of(path: Path) -> int:
    try:
        status = path.lstat()
    except OSError:
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _sample(files: Sequence[IndexedFile]) -> Iterator[IndexedFile]:
    """Up to SAMPLE files of those that are not known to be damaged, evenly spread."""
    good = [file for file in files if not file.is_damaged]
    step = max(1.0, (len(good) - 1) / (SAMPLE - 1))
    for number in range(min(len(good), SAMPLE)):
        yield good[min(round(number * step), len(good) - 1)]
