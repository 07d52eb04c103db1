"""Keep recordings: their folder, their clean-up, what is missing of them, and the links to the
cameras."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from fleet.labels import counted
from fleet.model import Device, Fleet
from fleet.package import Job
from store.json_file import CannotKeep
from store.sql import Unreachable
from video import link_rows, outage_rows, plan_rows
from video.camera_plans import CameraPlans
from video.cleaning import Cleaner
from video.coverage import CoverageReader
from video.due import due_now
from video.folder_proof import FolderProof, NotProved
from video.link_log import LinkLog
from video.link_quality import LinkDay, link_day
from video.outage_log import OutageLog
from video.recorder import Recorder
from video.recording_watch import RecordingWatch
from video.retention import SEGMENT_SECONDS, Limits, segment_seconds
from video.schedule import Schedule
from video.streams import Streams

if TYPE_CHECKING:
    from sqlalchemy import Engine

CLEAN_EVERY = 5.0
"""Seconds between two looks at the free space of the disk."""
KEPT = timedelta(days=400)
"""How long outages, former plans and the quality of links are kept."""
LINK_DAYS = 30


@dataclass(slots=True)
class Keeping:
    """What keeps the recordings, and its jobs."""

    engine: "Engine"
    clock: Callable[[], datetime]
    proof: FolderProof
    cleaner: Cleaner
    coverage: CoverageReader
    watch: RecordingWatch
    due: Callable[[], Iterable[int]]
    plans: CameraPlans
    outages: OutageLog = field(init=False)
    links: LinkLog = field(init=False)
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        self.outages = OutageLog(self.engine, self.clock, monotonic)
        self.coverage.run = self.outages.run
        self.links = LinkLog(self.engine, self.clock)

    def attach(self, streams: Streams, recorder: Recorder) -> None:
        """Listen to the streams, and watch what the recorder does."""
        streams.on_state(self.outages.note)
        streams.on_state(self.watch.note)
        streams.on_counts(self.links.note)
        self.recorder = recorder
        self.cleaner.in_use = recorder.devices
        recorder.set_segment_seconds(self.segment_seconds)

    def open(self) -> None:
        """Take up what lasted when the program ended. Raises Unreachable."""
        self.outages.begin()

    def jobs(self) -> Sequence[Job]:
        return (Job("recordings", "Delete old recordings", CLEAN_EVERY, self._clean),)

    def tick(self) -> str:
        """Write what was noted and judge what is due; why that failed, or an empty text."""
        try:
            # The clean-up, which does the same, can hang in a disk that does not answer.
            self.outages.note_disk(self.trouble())
            self.outages.flush()
            self.links.flush()
            self._judge()
        except (Unreachable, CannotKeep) as error:
            return str(error)
        return ""

    def stop(self) -> None:
        """Write what was noted last, as far as the database takes it."""
        try:
            self.links.flush()
            self.outages.flush(is_last=True)
        except Unreachable:
            return

    def forget(self) -> str:
        """Delete old outages, plans and days of links. Raises Unreachable."""
        before = self.clock() - KEPT
        number = outage_rows.forget(self.engine, before)
        number += link_rows.forget(self.engine, link_day(before))
        number += plan_rows.forget(self.engine, before)
        return counted(number, "note") + " about streams" if number else ""

    def trouble(self) -> str:
        """Why nothing can be recorded though something is to be; else empty."""
        return self.proof.trouble if self.recorder and self.recorder.devices() else ""

    def segment_seconds(self) -> float:
        """How long a recorded file is, by the size of its disk."""
        try:
            return segment_seconds(self.proof.space())
        except NotProved:
            return SEGMENT_SECONDS

    def link_days(self, device: int) -> list[LinkDay]:
        """The last LINK_DAYS days of the links to a device, with today, the oldest first. Raises
        Unreachable."""
        first = link_day(self.clock()) - timedelta(days=LINK_DAYS - 1)
        return link_rows.since(self.engine, device, first)

    def _clean(self) -> str:
        """Delete what must go. Outages and plans are written in any case. Raises Unreachable."""
        self.outages.note_disk(self.trouble())
        self.outages.flush()
        self.plans.note()
        return self.cleaner.run()

    def _judge(self) -> None:
        if self.recorder is not None:
            self.watch.look(self.due(), _sizes(self.recorder), self._reason)
        foreseen = None if self.proof.is_new() else self.cleaner.storage().forecast
        if foreseen:
            self.watch.note_days(foreseen.days)

    def _reason(self, device: int) -> str:
        return self.recorder.status(device).reason if self.recorder else ""


def _sizes(recorder: Recorder) -> Mapping[int, Any]:
    """What is on the disk of each device that is recorded: it changes with each fragment."""
    sizes: dict[int, list[tuple[str, int]]] = {}
    for file in recorder.index.growing():
        sizes.setdefault(file.device, []).append((file.file, file.size))
    return sizes


def limits_of(devices: Callable[[], Mapping[int, Device]], limits: Limits) -> Callable[[], Limits]:
    """These limits, with the retention that people set for single devices."""

    def current() -> Limits:
        own = {
            device.id: device.recording["retention_days"]
            for device in devices().values()
            if "retention_days" in device.recording
        }
        return Limits(limits.max_bytes, limits.min_free, limits.days, own)

    return current


def due_devices(
    schedules: Callable[[], Sequence[Schedule]],
    fleet: Callable[[], Fleet],
    clock: Callable[[], datetime],
) -> Callable[[], set[int]]:
    """The devices that are to be recorded now."""
    return lambda: {due.device for due in due_now(schedules(), fleet(), clock())}
