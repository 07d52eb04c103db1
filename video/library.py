"""The library of recordings: what there is, as a list, as a day, as a file to play."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from video import library_rows, recording_rows, segment_rows
from video.day_line import DayLine, covered, day_line, day_of
from video.disk_calls import DiskCalls
from video.joined_mp4 import JoinedMp4, RecordedFile, join
from video.library_rows import Content
from video.mp4_fragments import Scan, scan
from video.recorded import Recording, Segment
from video.recording_rows import RecordingFilter
from video.thumbnails import Thumbnails

if TYPE_CHECKING:
    from sqlalchemy import Engine

MOST_SCANS, MOST_JOINED = 64, 16
WITHIN = 0.001
WINDOW = timedelta(hours=1)
BEFORE = timedelta(minutes=5)
"""What one playback file holds: an hour, a few minutes of it before the moment."""


class RecordingRow(NamedTuple):
    """A recording, and what its files hold."""

    recording: Recording
    content: Content


class Playback(NamedTuple):
    """What plays around a moment: the file from `since` to `until`, which is at the moment at
    `position` seconds. `segment`: the file on the disk that is played there."""

    since: datetime
    until: datetime
    position: float
    joined: JoinedMp4
    segment: Segment


FileState = tuple[str, int, int]
"""The path of a file, its size and when it was written last: equal while it is the same file."""


def state_of(path: Path) -> FileState:
    """The state of a file; size and time are -1 for one that cannot be read."""
    try:
        state = path.stat(follow_symlinks=False)
    except OSError:
        return str(path), -1, -1
    return str(path), state.st_size, state.st_mtime_ns


class ScanCache:
    """The fragments of the files that were read last; one that grows is scanned again."""

    def __init__(self) -> None:
        self._scans: OrderedDict[FileState, Scan] = OrderedDict()
        self._lock = Lock()

    def __call__(self, path: Path) -> Scan:
        """The fragments of a file. Raises BrokenMp4."""
        key = state_of(path)
        with self._lock:
            known = self._scans.get(key)
            if known is not None:
                self._scans.move_to_end(key)
                return known
        scanned = scan(path)
        with self._lock:
            self._scans[key] = scanned
            while len(self._scans) > MOST_SCANS:
                self._scans.popitem(last=False)
        return scanned


JoinedKey = tuple[datetime, datetime, tuple[FileState, ...]]


@dataclass(slots=True)
class Library:
    """Recordings and their files in `folder`. Every method raises store.sql.Unreachable, and those
    that read files NotAnswering.

    `devices`: the number of a camera, and those of records that were merged into it.
    """

    engine: "Engine"
    folder: Path
    clock: Callable[[], datetime]
    thumbnails: Thumbnails
    scans: ScanCache
    calls: DiskCalls = field(default_factory=DiskCalls)
    _joined: "OrderedDict[JoinedKey, list[JoinedMp4]]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    # -- the list --------------------------------------------------------------------------

    def page(
        self, wanted: RecordingFilter, limit: int, offset: int = 0
    ) -> tuple[list[RecordingRow], int]:
        """The matching recordings, the newest first, and how many there are in all."""
        recordings = recording_rows.page(self.engine, wanted, limit, offset)
        return self.rows(recordings), recording_rows.count(self.engine, wanted)

    def rows(self, recordings: Sequence[Recording]) -> list[RecordingRow]:
        contents = library_rows.contents(self.engine, recordings, self.clock())
        return [RecordingRow(*pair) for pair in zip(recordings, contents, strict=True)]

    def find(self, id: int) -> Recording | None:
        """The recording with that number, also one that was deleted and can be restored."""
        return recording_rows.find(self.engine, id)

    def row(self, recording: Recording) -> RecordingRow:
        return self.rows([recording])[0]

    def recorded_devices(self) -> frozenset[int]:
        """The devices that have recordings."""
        return library_rows.devices(self.engine)

    def change(self, id: int, **changes: Any) -> None:
        """Change the name or the protection of a recording."""
        recording_rows.change(self.engine, id, **changes)

    def delete(self, id: int) -> None:
        """Delete a recording. Its files go later, so that it can be restored until then."""
        recording_rows.change(self.engine, id, deleted_at=self.clock())

    def restore(self, id: int) -> None:
        recording_rows.change(self.engine, id, deleted_at=None)

    # -- files -----------------------------------------------------------------------------

    def path(self, segment: Segment) -> Path:
        return self.folder / str(segment.device) / Path(segment.file).name

    def files(
        self, devices: Sequence[int], stream: str, since: datetime, until: datetime
    ) -> list[Segment]:
        """The files of a time that can be played, the oldest first, without those of deleted
        recordings alone."""
        files = [
            file
            for device in devices
            for file in segment_rows.between(self.engine, device, stream, since, until)
            if not file.damaged
        ]
        files = self._without_deleted(files, devices, since, until)
        return sorted(files, key=lambda file: (file.started_at, file.id))

    def _without_deleted(
        self, files: list[Segment], devices: Sequence[int], since: datetime, until: datetime
    ) -> list[Segment]:
        wanted = RecordingFilter(devices, since=since, until=until, is_deleted=True)
        deleted = recording_rows.page(self.engine, wanted, 1000)
        if not deleted:
            return files
        kept = recording_rows.page(
            self.engine, RecordingFilter(devices, since=since, until=until), 10_000, 0
        )
        gone, there = _ranges(deleted), _ranges(kept)
        return [
            file
            for file in files
            if covered(file, there.get((file.device, file.stream), ()))
            or not covered(file, gone.get((file.device, file.stream), ()))
        ]

    def joined(
        self, devices: Sequence[int], stream: str, since: datetime, until: datetime
    ) -> list[JoinedMp4]:
        """The files of a time as one file, or as several where the format changes; the same for
        each range of bytes that a player asks for, as long as the files on the disk are."""
        files = self.files(devices, stream, since, until)
        paths = [self.path(file) for file in files]
        key = (since, until, self.calls.read(lambda: tuple(map(state_of, paths))))
        with self._lock:
            known = self._joined.get(key)
            if known is not None:
                self._joined.move_to_end(key)
                return known
        joined = self._join(files, since, until)
        with self._lock:
            self._joined[key] = joined
            while len(self._joined) > MOST_JOINED:
                self._joined.popitem(last=False)
        return joined

    def _join(self, files: Sequence[Segment], since: datetime, until: datetime) -> list[JoinedMp4]:
        recorded = [RecordedFile(self.path(file), file.started_at.timestamp()) for file in files]
        return self.calls.read(
            partial(join, recorded, since.timestamp(), until.timestamp(), self.scans)
        )

    def of_recording(self, recording: Recording) -> list[JoinedMp4]:
        """A recording as one file, or as several where the format changes. One that runs ends
        with what is on the disk now."""
        until = recording.ended_at or self.clock()
        devices = (recording.device,)
        if recording.ended_at is not None:
            return self.joined(devices, recording.stream, recording.started_at, until)
        files = self.files(devices, recording.stream, recording.started_at, until)
        return self._join(files, recording.started_at, until)

    # -- a day -----------------------------------------------------------------------------

    def day(self, devices: Sequence[int], stream: str, day: date, zone: tzinfo | None) -> DayLine:
        """The line of a day. Raises OverflowError at the end of times."""
        bounds = day_of(day, zone)
        files = self.files(devices, stream, bounds.start, bounds.end)
        return day_line(bounds, zone, files, self.clock())

    def playback(self, devices: Sequence[int], stream: str, at: datetime) -> Playback | None:
        """What plays at a moment, or next after it within a day; None if nothing does."""
        files = self.files(devices, stream, at - BEFORE, at + timedelta(days=1))
        now = next((file for file in files if file.ended_at > at), None)
        if now is None:
            return None
        at = max(at, now.started_at)
        since, until = at - BEFORE, at - BEFORE + WINDOW
        near = [file for file in files if file.started_at < until]
        for joined in self._join(near, since, until):
            last = joined.pieces[-1]
            if at.timestamp() < last.at + last.duration:
                return self._playback(joined, at, now)
        return None

    def _playback(self, joined: JoinedMp4, at: datetime, segment: Segment) -> Playback:
        """The playback of a joined file, which its own ends find again."""
        first, last = joined.pieces[0], joined.pieces[-1]
        since = datetime.fromtimestamp(first.at + WITHIN, UTC)
        # A moment inside of the first and the last fragment: rounded, it finds the same ones.
        until = datetime.fromtimestamp(last.at + last.duration - WITHIN, UTC)
        return Playback(since, until, joined.position(at.timestamp()), joined, segment)

    # -- thumbnails ------------------------------------------------------------------------

    def thumbnail(
        self, devices: Sequence[int], stream: str, since: datetime, until: datetime
    ) -> bytes | None:
        """A picture of the first file that can be played in a time; None without one. Raises
        TooBusy."""
        for file in self.files(devices, stream, since, until)[:3]:
            seconds = (since - file.started_at).total_seconds()
            make = partial(self.thumbnails.picture, file.id, self.path(file), max(0.0, seconds))
            picture = self.calls.read(make)
            if picture:
                return picture
        return None

    def forget_thumbnails(self) -> int:
        """Delete the pictures of files that are gone; their number."""
        return self.thumbnails.forget(library_rows.segment_numbers(self.engine))


def _ranges(
    recordings: Sequence[Recording],
) -> dict[tuple[int, str], list[tuple[datetime, datetime | None]]]:
    ranges: dict[tuple[int, str], list[tuple[datetime, datetime | None]]] = {}
    for recording in recordings:
        place = (recording.device, recording.stream)
        ranges.setdefault(place, []).append((recording.started_at, recording.ended_at))
    return ranges


def open_library(
    engine: "Engine", media: Path, clock: Callable[[], datetime], calls: DiskCalls
) -> Library:
    """The library of the recordings under MEDIA_DIR."""
    scans = ScanCache()
    thumbnails = Thumbnails(media / "thumbnails", scans)
    return Library(engine, media / "recordings", clock, thumbnails, scans, calls)
