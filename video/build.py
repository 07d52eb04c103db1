"""Build the streams, and what is recorded of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fleet.build import FleetPackage
from fleet.package import Package
from video.library import Library, open_library


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Options of streams and recordings, by their names in `settings.py`."""

    media_dir: Path


@dataclass(frozen=True, slots=True)
class VideoPackage(Package):
    """What is recorded, as lists and as files to play."""

    library: Library

    def forget(self) -> str:
        count = self.library.forget_thumbnails()
        return f"{count} thumbnails deleted" if count else ""


def build_video(
    options: VideoOptions, clock: Callable[[], datetime], fleet: FleetPackage
) -> VideoPackage:
    """Build the library beside the journal."""
    return VideoPackage(open_library(fleet.journal.engine, options.media_dir, clock))
