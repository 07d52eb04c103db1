"""The index of the files that grow now: in memory, and in SQL a few seconds later.

An outage of the database stops no recording: what it did not take is written when it is back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from video import segment_rows
from video.healing import heal_segment
from video.model import SegmentProgress, StreamKey
from video.recorded import Segment

if TYPE_CHECKING:
    from sqlalchemy import Engine

SAVE_EVERY = 10.0
"""Seconds between two writes of what a file holds while it grows."""
SILENT = 30.0
"""Seconds without progress after which the process that wrote a file must be gone: a stream that
stalls is closed after ten."""


@dataclass(slots=True)
class _File:
    """`saved`: what SQL has, None for nothing. Times of the monotonic clock."""

    segment: Segment
    progress_at: float
    saved: Segment | None = None
    saved_at: float = 0.0


class SegmentIndex:
    """The files that grow, and those that were closed and are not in SQL yet."""

    def __init__(
        self, engine: "Engine", folder: Path, timer: Callable[[], float] = monotonic
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._timer = timer
        self._files: dict[tuple[int, str], _File] = {}
        self._lock = Lock()

    def note(self, key: StreamKey, progress: SegmentProgress) -> None:
        """Remember what a file holds now. Nothing is written to SQL here."""
        if not progress.header:
            return  # the disk did not take it: there is no file
        segment = segment_of(key, progress)
        with self._lock:
            file = self._files.get((key.device, segment.file))
            if file is None:
                file = self._files[key.device, segment.file] = _File(segment, self._timer())
            file.segment = replace(segment, id=file.segment.id)
            file.progress_at = self._timer()

    def growing(self) -> list[Segment]:
        """The files that are open, and those that SQL does not have yet."""
        with self._lock:
            return [file.segment for file in self._files.values()]

    def has_files(self, key: StreamKey, since: datetime, until: datetime) -> bool:
        """True if anything of that time was recorded. Raises Unreachable."""
        mine = (file for file in self.growing() if (file.device, file.stream) == key)
        if any(file.started_at < until and file.ended_at > since for file in mine):
            return True
        files = segment_rows.between(self._engine, key.device, key.name, since, until)
        return any(not file.damaged for file in files)

    def flush(self, *, is_last: bool = False) -> None:
        """Write what is new, what was closed, and now and then what grew. Raises Unreachable."""
        now = self._timer()
        for file in self._due(now, is_last=is_last):
            segment = file.segment
            if file.saved is None:
                known = segment_rows.number_of(self._engine, segment.device, segment.file)
                id = known if known is not None else segment_rows.add(self._engine, segment)
                with self._lock:
                    file.segment = replace(file.segment, id=id)
                segment = replace(segment, id=id)
            segment_rows.save(self._engine, [segment])
            self._note_saved(file, segment, now)

    def _due(self, now: float, *, is_last: bool) -> list[_File]:
        with self._lock:
            return [
                file
                for file in self._files.values()
                if file.saved != file.segment
                and (
                    file.saved is None
                    or file.segment.closed
                    or is_last
                    or now - file.saved_at >= SAVE_EVERY
                )
            ]

    def _note_saved(self, file: _File, segment: Segment, now: float) -> None:
        with self._lock:
            file.saved, file.saved_at = segment, now
            if file.segment == segment and segment.closed:
                self._files.pop((segment.device, segment.file), None)

    def heal_silent(self) -> None:
        """Close the files that a process left behind that is gone. Raises Unreachable."""
        for file in list(self._silent()):
            # The torn end stays: the process could be alive, behind a disk that hangs.
            heal_segment(self._engine, self._folder, file.segment, trims=False)
            with self._lock:
                self._files.pop((file.segment.device, file.segment.file), None)

    def _silent(self) -> Iterator[_File]:
        now = self._timer()
        with self._lock:
            files = tuple(self._files.values())
        for file in files:
            is_open = file.saved is not None and not file.segment.closed
            if is_open and now - file.progress_at >= SILENT:
                yield file


def segment_of(key: StreamKey, progress: SegmentProgress) -> Segment:
    """What a child process reports about a file, as its row."""
    form = progress.format
    return Segment(
        key.device,
        key.name,
        progress.path.name,
        progress.started_at,
        max(progress.ended_at, progress.started_at),
        progress.size,
        progress.header,
        progress.frames,
        form.width,
        form.height,
        form.video,
        form.codecs,
        form.audio,
        form.rate,
        form.notes,
        progress.is_closed,
        progress.reason,
    )
