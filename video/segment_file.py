"""Recorded files, written packet by packet, as the child process that reads the stream does it.

A file has its final name from the beginning, and can be played at every moment: it is fragmented
MP4 whose fragments are at most about two seconds long, however rare key frames are. What a crash
leaves is a file whose last fragment is cut off; `video/healing.py` cuts that away.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from video.audio import NAMES, Sound
from video.codec_strings import format_of
from video.model import SegmentPlan, SegmentProgress, StreamKey
from video.mp4_header import AUDIO_TRACK, VIDEO_SCALE, VIDEO_TRACK, header
from video.mp4_samples import Run, Sample, fragment, length_prefixed
from video.packets import AUDIO, AudioCoding, EncodedPacket, VideoCoding
from video.segment_audio import MAX_SILENCE, AudioLine

FRAGMENT = 2.0
"""Seconds after which what has come is written."""
LATE_AUDIO = 0.5
"""Seconds for which a file that is full waits for sound that comes after its picture."""
ASKED, FORMAT, STREAM, DISK = "asked", "format", "stream", "disk"
"""Why a file ends before its time: the recording was stopped, the picture has another size or
codec, the stream ended, the disk did not take it."""
JOIN = 1.0
"""Seconds by which the clock can be moved between two files that follow each other."""
MAX_NAMES = 1000
MOST_CHANGES, CHANGES_WITHIN = 6, 60.0
"""So many files may begin within so many seconds because the format changed. A camera that changes
it with each picture, or two that share a stream, would fill the folder with thousands."""
CHANGES_TOO_OFTEN = "The camera changes its format too often: what is in the other one is left out."


class SegmentFile:
    """One file on the disk, opened relative to its folder. Every method raises OSError."""

    def __init__(self, folder: int, stream: str, started_at: datetime) -> None:
        """Create a file in `folder`, a descriptor: what was mounted there meanwhile is not used."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        for later in range(MAX_NAMES):
            # Only a clock that was set back makes a name twice.
            self.name = file_name(stream, started_at + timedelta(milliseconds=later))
            with suppress(FileExistsError):
                self._file = os.open(self.name, flags, 0o600, dir_fd=folder)
                break
        else:
            raise FileExistsError(17, "too many files of this time", self.name)
        self.size = 0
        self._folder = folder

    def write(self, data: bytes) -> None:
        """Append `data` whole; what was written of it is taken back if that fails."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Close it, safe from a power cut. It is closed even if this raises."""
        file, self._file = self._file, -1
        try:
            os.fsync(file)
            os.fsync(self._folder)
        finally:
            os.close(file)


def file_name(stream: str, started_at: datetime) -> str:
    """The name of a file by the UTC time of its first picture, such as
    `20261128T140500123Z.main.mp4`."""
    return f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03d}Z.{stream}.mp4"


class Segment:
    """What one file holds, from its first key frame on, and what waits to be written to it."""

    def __init__(self, packet: EncodedPacket, coding: VideoCoding) -> None:
        self.coding = coding
        self.base = packet.dts
        self.first_arrived = packet.arrived
        # The times of packets are those of the monotonic clock, which nobody sets.
        at = packet.at + packet.dts - packet.arrived
        self.started_at = datetime.fromtimestamp(at, UTC)
        self.ended_at: datetime | None = None
        self.end: float | None = None
        self.ended: float | None = None
        self.reason = ""
        self.file: SegmentFile | None = None
        self.header = 0
        self.frames = 0
        self.audio = AudioLine(self.base)
        self._number = 0
        self._pending = [packet]
        self._written = (0, packet.dts)
        self._last = packet
        self._duration = 1 / coding.rate if coding.rate else 0.04

    @property
    def pending_since(self) -> float | None:
        """When the oldest packet that waits came, on the monotonic clock."""
        return self._pending[0].arrived if self._pending else None

    @property
    def newest(self) -> float:
        return self._last.dts

    def is_due(self, packet: EncodedPacket) -> bool:
        """True when what waits must be written before this packet is added."""
        return bool(self._pending) and packet.dts - self._pending[0].dts >= FRAGMENT

    def add(self, packet: EncodedPacket) -> None:
        if packet.dts <= self._last.dts:
            packet = replace(packet, dts=self._last.dts + 0.001, pts=self._last.dts + 0.001)
        self._duration = packet.dts - self._last.dts
        self._pending.append(packet)
        self._last = packet

    def flushed(self, next_time: float | None = None) -> bytes:
        """What waits, as bytes of the file; empty if there is no picture. `next_time`: when the
        picture after it begins, None if nobody knows yet."""
        if not self._pending:
            return b""
        end = self._last.dts + self._duration if next_time is None else next_time
        runs = [Run(VIDEO_TRACK, self._samples(end))]
        parts = []
        if self.file is None:
            parts.append(header(self.coding, self.audio.chosen()))
            self.header = len(parts[0])
        if sound := self.audio.taken():
            runs.append(Run(AUDIO_TRACK, sound))
        self._number += 1
        self._written = len(self._pending), end
        self._pending = []
        return b"".join((*parts, fragment(self._number, runs)))

    def confirm(self) -> None:
        """What `flushed` returned is in the file."""
        number, self.end = self._written
        self.frames += number

    def _samples(self, end: float) -> list[Sample]:
        ticks = [self._ticks(packet.dts) for packet in self._pending] + [self._ticks(end)]
        samples = []
        for packet, tick, after in zip(self._pending, ticks, ticks[1:], strict=False):
            data = packet.data
            if self.coding.encoding != "mjpeg":
                data = length_prefixed(data, self.coding.sets if packet.is_key else ())
            offset = round((packet.pts - packet.dts) * VIDEO_SCALE)
            samples.append(Sample(data, tick, max(after - tick, 1), packet.is_key, offset))
        return samples

    def _ticks(self, time: float) -> int:
        return round((time - self.base) * VIDEO_SCALE)

    def time_of(self, time: float) -> datetime:
        return self.started_at + timedelta(seconds=time - self.base)


class SegmentWriter:
    """The files of one stream, one after the other. Nothing raises: an error of the disk ends the
    recording (`error`) and is reported with the file that it ended.

    `report` gets each file when something was written to it, and when it was closed. Every method
    is called from one thread; writing can wait for the disk.
    """

    def __init__(
        self,
        key: StreamKey,
        plan: SegmentPlan,
        report: Callable[[SegmentProgress], object],
        notes: Sequence[str] = (),
    ) -> None:
        self.error = ""
        self._key = key
        self._plan = plan
        self._report = report
        self._notes = tuple(notes)
        self._audio_note = ""
        self._folder: int | None = None
        self._segment: Segment | None = None
        self._former: Segment | None = None
        self._changes: deque[float] = deque(maxlen=MOST_CHANGES)
        self._is_left_out = False
        self._sound = Sound()
        self._audio: tuple[AudioCoding, float] | None = None

    def note(self, notes: Sequence[str]) -> None:
        """What the next report says about the stream, such as why the sound is missing."""
        self._notes = tuple(notes)

    def write(self, packet: EncodedPacket) -> None:
        """Take the next packet of picture or sound."""
        if not self.error:
            self._guarded(lambda: self._write(packet))

    def tick(self, now: float) -> None:
        """Write what has waited for two seconds; for streams that stall. `now` is monotonic."""
        if not self.error:
            self._guarded(lambda: self._tick(now))

    def fail(self, error: str) -> None:
        """End the recording, since the disk does not keep up: what waits is lost."""
        if not self.error:
            self._fail(error)

    def close(self, reason: str = ASKED) -> None:
        """Close the file that is open, for this reason."""
        if not self.error:
            self._guarded(lambda: self._close(reason))
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            self._fail(error.strerror or str(error))

    def _write(self, packet: EncodedPacket) -> None:
        if packet.kind == AUDIO:
            self._take_audio(packet)
        else:
            self._take_video(packet)

    # -- the picture -----------------------------------------------------------------------

    def _take_video(self, packet: EncodedPacket) -> None:
        segment, coding = self._segment, packet.coding
        assert isinstance(coding, VideoCoding)
        if segment is None:
            if packet.is_key:
                self._begin(packet, coding)
            return
        is_other = packet.is_key and not segment.coding.is_like(coding)
        if packet.is_key:
            self._is_left_out = is_other and self._changes_too_often(packet.dts)
        if self._is_left_out:
            return
        if is_other:
            self._begin(packet, coding, FORMAT)
        elif packet.is_key and packet.dts - segment.base >= self._plan.seconds:
            self._begin(packet, coding)
        else:
            if segment.is_due(packet):
                self._flush(segment, packet.dts)
            segment.add(packet)
        former = self._former
        if former is not None and packet.dts - (former.ended or 0) >= LATE_AUDIO:
            self._finish_former()

    def _changes_too_often(self, now: float) -> bool:
        """Count a change of the format, unless there were too many."""
        if len(self._changes) == MOST_CHANGES and now - self._changes[0] < CHANGES_WITHIN:
            if CHANGES_TOO_OFTEN not in self._notes:
                self._notes = (*self._notes, CHANGES_TOO_OFTEN)
            return True
        self._changes.append(now)
        return False

    def _begin(self, packet: EncodedPacket, coding: VideoCoding, reason: str = "") -> None:
        """Begin a file with a key frame, which ends the one before, if any."""
        self._finish_former()
        segment, former = Segment(packet, coding), self._segment
        if former is not None:
            former.ended, former.reason = packet.dts, reason
            distance = segment.started_at - former.time_of(packet.dts)
            if abs(distance) < timedelta(seconds=JOIN):
                former.ended_at = segment.started_at
        self._former, self._segment = former, segment
        if self._audio is not None and packet.dts - self._audio[1] < MAX_SILENCE:
            segment.audio.expect(self._audio[0])

    def _finish_former(self) -> None:
        """Close the file that the present one follows, with the sound that came meanwhile."""
        if self._former is not None:
            self._finish(self._former, self._former.ended)
            self._former = None

    def _flush(self, segment: Segment, next_time: float | None = None) -> None:
        self._append(segment, next_time)
        if segment.file is not None:
            self._report(self._progress(segment))

    def _append(self, segment: Segment, next_time: float | None) -> None:
        data = segment.flushed(next_time)
        if not data:
            return
        if segment.file is None:
            segment.file = SegmentFile(self._opened_folder(), self._key.name, segment.started_at)
        segment.file.write(data)
        segment.confirm()

    def _opened_folder(self) -> int:
        """The folder as it was when the recording began: it is not made, and not looked up again,
        so that nothing is written to the disk below a share that is gone."""
        if self._folder is None:
            self._folder = os.open(
                self._plan.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
            )
        return self._folder

    def _finish(self, segment: Segment, next_time: float | None) -> None:
        """Write the rest and close the file."""
        self._append(segment, next_time)
        if segment.file is not None:
            segment.file.close()
            self._report(self._progress(segment, is_closed=True))

    def _tick(self, now: float) -> None:
        for segment in (self._former, self._segment):
            since = segment.pending_since if segment is not None else None
            if segment is not None and since is not None and now - since >= FRAGMENT:
                if segment is self._former:
                    self._finish_former()
                else:
                    self._flush(segment)

    def _close(self, reason: str) -> None:
        self._finish_former()
        if self._segment is not None:
            self._segment.reason = reason
            self._finish(self._segment, None)
            self._segment = None

    def _fail(self, error: str) -> None:
        """Report every open file as ended by the disk; one that was never made, too."""
        self.error = error
        for segment in (self._former, self._segment):
            if segment is None:
                continue
            segment.reason = DISK
            progress = self._progress(segment, is_closed=True)
            if segment.file is not None:
                with suppress(OSError):
                    segment.file.close()
            self._report(replace(progress, error=error))
        self._former = self._segment = None

    # -- the sound -------------------------------------------------------------------------

    def _take_audio(self, packet: EncodedPacket) -> None:
        """Take sound; whatever is wrong with it never ends the picture."""
        if not self._plan.with_audio:
            return
        blocks = self._sound.as_aac(packet)
        self._audio_note = self._sound.note
        if not self._audio_note and packet.coding.encoding != "aac":
            name = NAMES.get(packet.coding.encoding, packet.coding.encoding)
            self._audio_note = f"The sound ({name}) is recorded as AAC."
        for block in blocks:
            assert isinstance(block.coding, AudioCoding)
            self._audio = (block.coding, block.dts)
            for segment in (self._former, self._segment):
                is_former = segment is self._former
                if segment is None or (is_former and block.dts >= (segment.ended or 0)):
                    continue
                segment.audio.add(block, block.coding)
                break

    # -- reports ---------------------------------------------------------------------------

    def _progress(self, segment: Segment, *, is_closed: bool = False) -> SegmentProgress:
        file = segment.file
        started_at = segment.started_at
        end = segment.end if segment.end is not None else segment.base
        seconds = end - segment.base
        ended_at = segment.time_of(end)
        if is_closed and segment.ended_at is not None and segment.reason != DISK:
            ended_at = segment.ended_at
        notes = (*self._notes, self._audio_note) if self._audio_note else self._notes
        form = format_of(segment.coding, segment.audio.chosen(), notes)
        if seconds >= FRAGMENT:
            form = replace(form, rate=round(segment.frames / seconds, 2))
        name = file.name if file is not None else file_name(self._key.name, started_at)
        return SegmentProgress(
            Path(self._plan.folder) / name,
            started_at,
            ended_at,
            file.size if file is not None else 0,
            segment.header,
            segment.frames,
            form,
            is_closed,
            segment.reason,
        )
