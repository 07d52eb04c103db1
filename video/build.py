"""Build the streams, and what is recorded of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic

from fleet.build import FleetPackage
from fleet.labels import counted
from fleet.model import Activity
from fleet.package import Job, Package
from fleet.texts import sentences
from store.json_file import CannotOpen
from store.sql import Unreachable
from video.camera_plans import CameraPlans
from video.cleaning import Cleaner
from video.coverage import CoverageReader
from video.due_watch import DueWatch
from video.folder_proof import FolderProof
from video.keeping import Keeping, due_devices, limits_of
from video.key_picture import KeyPictures
from video.library import Library, open_library
from video.recorded import COMPLETED, FAILED, RECORDING, Recording
from video.recorder import Recorder
from video.recording_watch import RecordingWatch
from video.retention import GB, Limits
from video.schedules import Schedules
from video.streams import Opener, Streams
from video.visitors import Visitors


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Options of streams and recordings, by their names in `settings.py`."""

    media_dir: Path
    data_dir: Path
    recordings_keep_days: int
    recordings_max_gb: float
    recordings_min_free_gb: float


@dataclass(frozen=True, slots=True)
class VideoPackage(Package):
    """The streams that somebody needs, what is recorded of them, as lists and as files to play,
    and when it is recorded. No process is started before the first stream."""

    streams: Streams
    library: Library
    schedules: Schedules
    due_watch: DueWatch
    keeping: Keeping
    recorder: Recorder
    key_pictures: KeyPictures

    def open(self) -> None:
        try:
            self.schedules.open()
            self.recorder.open()
            self.keeping.open()
        except Unreachable as error:
            raise CannotOpen(sentences(str(error), "Check DATABASE_URL and DATA_DIR.")) from error

    def jobs(self) -> Sequence[Job]:
        return self.keeping.jobs()

    def start(self) -> None:
        self.streams.start()
        self.recorder.start()
        self.due_watch.start()

    def tick(self) -> str:
        return self.keeping.tick()

    def stop(self) -> None:
        self.due_watch.stop()
        self.recorder.stop()
        self.streams.stop()
        self.recorder.close()
        self.keeping.stop()

    def forget(self) -> str:
        count = self.library.forget_thumbnails()
        thumbnails = counted(count, "thumbnail") if count else ""
        done = (thumbnails, self.schedules.forget(), self.keeping.forget())
        return " and ".join(filter(None, done))


def build_video(
    options: VideoOptions,
    clock: Callable[[], datetime],
    fleet: FleetPackage,
    opener: Opener,
) -> VideoPackage:
    """Build the streams, which `opener` opens, and the library and the schedules beside the
    journal."""
    visitors = Visitors(opener)
    streams = Streams(visitors, clock)
    schedules = Schedules(fleet.journal.engine, clock)
    due_watch = DueWatch(schedules.schedules, fleet.tracker.fleet, clock)
    schedules.on_change = due_watch.wake
    fleet.journal_writer.on_recovery.append(schedules.open)
    keeping = _open_keeping(options, clock, fleet, schedules)
    calls = keeping.proof.calls
    library = open_library(fleet.journal.engine, options.media_dir, clock, calls)
    keeping.cleaner.on_removed = library.thumbnails.remove
    recorder = Recorder(
        fleet.journal.engine,
        keeping.proof.folder,
        streams,
        fleet.tracker.fleet,
        clock,
        keeping.proof.prove,
        calls=calls,
    )
    recorder.on_change = partial(_tell_recording, fleet, clock)
    due_watch.set_due = recorder.set_due
    keeping.attach(streams, recorder)
    pictures = KeyPictures(streams, visitors)
    return VideoPackage(streams, library, schedules, due_watch, keeping, recorder, pictures)


def _tell_recording(
    fleet: FleetPackage, clock: Callable[[], datetime], recording: Recording
) -> None:
    """Write to the journal that a recording began or ended."""
    what = {RECORDING: "started", COMPLETED: "completed", FAILED: "failed"}[recording.status]
    after = {"id": recording.id, "name": recording.name}
    ending = ""
    if recording.reason:
        after["reason"], ending = recording.reason, f" ({recording.reason.removesuffix('.')})"
    text = f"recording {recording.name} {what}{ending}"
    fleet.tracker.apply([Activity(recording.device, f"recording.{what}", text, after)], clock())


def _open_keeping(
    options: VideoOptions, clock: Callable[[], datetime], fleet: FleetPackage, schedules: Schedules
) -> Keeping:
    engine, tracker = fleet.journal.engine, fleet.tracker
    proof = FolderProof(options.media_dir / "recordings", options.data_dir)
    max_bytes, min_free = (
        int(size * GB) for size in (options.recordings_max_gb, options.recordings_min_free_gb)
    )
    limits = Limits(max_bytes, min_free, options.recordings_keep_days)
    doubt = fleet.trusted.distrust_reason
    return Keeping(
        engine,
        clock,
        proof,
        Cleaner(engine, proof, limits_of(tracker.devices, limits), clock, doubt),
        CoverageReader(engine, proof.folder, tracker.fleet, clock, proof.calls),
        RecordingWatch(
            tracker.devices, lambda findings: tracker.apply(findings, clock()), clock, monotonic
        ),
        due_devices(schedules.schedules, tracker.fleet, clock),
        CameraPlans(engine, tracker.fleet, clock),
    )
