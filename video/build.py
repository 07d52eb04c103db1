"""Build the streams, and what is recorded of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fleet.build import FleetPackage
from fleet.package import Package
from fleet.texts import sentences
from store.json_file import CannotOpen
from store.sql import Unreachable
from video.due_watch import DueWatch
from video.library import Library, open_library
from video.model import NotOpened, OpenedStream, StreamKey
from video.schedules import Schedules
from video.streams import Opener, Streams


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Options of streams and recordings, by their names in `settings.py`."""

    media_dir: Path


@dataclass(frozen=True, slots=True)
class VideoPackage(Package):
    """The streams that somebody needs, what is recorded of them, as lists and as files to play,
    and when it is recorded. No process is started before the first stream."""

    streams: Streams
    library: Library
    schedules: Schedules
    due_watch: DueWatch

    def open(self) -> None:
        try:
            self.schedules.open()
        except Unreachable as error:
            raise CannotOpen(sentences(str(error), "Check DATABASE_URL and DATA_DIR.")) from error

    def start(self) -> None:
        self.streams.start()
        self.due_watch.start()

    def stop(self) -> None:
        self.due_watch.stop()
        self.streams.stop()

    def forget(self) -> str:
        count = self.library.forget_thumbnails()
        thumbnails = f"{count} thumbnails" if count else ""
        return " and ".join(filter(None, (thumbnails, self.schedules.forget())))


def build_video(
    options: VideoOptions,
    clock: Callable[[], datetime],
    fleet: FleetPackage,
    opener: Opener | None = None,
) -> VideoPackage:
    """Build the streams, which `opener` opens, and the library and the schedules beside the
    journal."""
    streams = Streams(opener or _NoOpener(), clock)
    schedules = Schedules(fleet.journal.engine, clock)
    due_watch = DueWatch(schedules.schedules, fleet.tracker.fleet, clock)
    schedules.on_change = due_watch.wake
    fleet.journal_writer.on_recovery.append(schedules.open)
    library = open_library(fleet.journal.engine, options.media_dir, clock)
    return VideoPackage(streams, library, schedules, due_watch)


class _NoOpener:
    """Opens nothing."""

    def open(self, _key: StreamKey) -> OpenedStream:
        raise NotOpened("This server cannot open streams")

    def closed(self, _key: StreamKey) -> None: ...

    def alive(self, _key: StreamKey, _at: float) -> None: ...
