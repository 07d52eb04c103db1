"""The fragments of a recorded MP4 file: where they are, when they play, where a key frame is.

A file is read box by box and never as a whole. What is behind the last whole fragment is ignored:
a file that still grows, or that a power cut ended, ends there.
"""

import os
import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from video.mp4_boxes import (
    NOT_SYNC,
    BrokenMp4,
    Header,
    Track,
    box_at,
    boxes,
    read_header,
    unpack,
)

FIRST_READ = 4096
"""Most `moof` boxes are smaller, so a fragment costs one read."""
MOST_HEADER = 1 << 20
MOST_MOOF = 4 << 20
MOST_DAYS = 7
MOST_FRAGMENTS = 200_000
MOST_TICKS = 1 << 62
BASE_IS_MOOF, HAS_BASE = 0x20000, 0x1
DURATION, SIZE, FLAGS, OFFSET = 0x100, 0x200, 0x400, 0x800
"""What a `trun` has for each of its samples (8.8.8)."""
NO_KEY = -1


class Run(NamedTuple):
    """The samples of one track in a fragment, in ticks of the track. `key`: ticks from the start
    to the first key frame, or NO_KEY. `at`: where in the `moof` its start time is written."""

    track: int
    time: int
    duration: int
    key: int
    at: int


class Fragment(NamedTuple):
    """One `moof` with its `mdat`: `offset` in the file, `moof` and `size` in bytes (the latter of
    both), the samples of each track, and those of the picture first."""

    offset: int
    moof: int
    size: int
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A file: its header, and its whole fragments that have a picture, in order.

    A day has 43,000 fragments, so they are kept as columns: `offsets`, `moofs` and `sizes` in
    bytes, `keys` in ticks of the picture, `starts` and `ends` by track in ticks of the track.
    """

    header: Header
    offsets: "array[int]"
    moofs: "array[int]"
    sizes: "array[int]"
    keys: "array[int]"
    starts: dict[int, "array[int]"]
    ends: dict[int, "array[int]"]

    def __len__(self) -> int:
        return len(self.offsets)

    def seconds(self, number: int) -> float:
        """When a fragment begins, in seconds after the first one of the file."""
        track = self.header.video
        times = self.starts[track.number]
        return (times[number] - times[0]) / track.time_scale

    @property
    def duration(self) -> float:
        """Seconds from the first picture to the end of the last one."""
        track = self.header.video
        times, ends = self.starts[track.number], self.ends[track.number]
        return (ends[-1] - times[0]) / track.time_scale if times else 0.0


def _empty_scan(header: Header) -> Scan:
    tracks = [track.number for track in header.tracks]
    starts = {number: array("Q") for number in tracks}
    ends = {number: array("Q") for number in tracks}
    return Scan(header, array("Q"), array("L"), array("Q"), array("q"), starts, ends)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The descriptor of a file. Raises BrokenMp4 if it is gone or is no ordinary file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise BrokenMp4(f"It cannot be opened: {error.strerror}") from None
    try:
        yield file
    finally:
        os.close(file)


def read_at(file: int, size: int, offset: int) -> bytes:
    """Up to `size` bytes. Raises BrokenMp4 if the disk does not give them."""
    try:
        return os.pread(file, size, offset)
    except OSError as error:
        raise BrokenMp4(f"It cannot be read: {error.strerror}") from None


def scan(path: Path) -> Scan:
    """Find the fragments of a file. Raises BrokenMp4 if it has no usable header."""
    with opened(path) as file:
        header = read_header(_header_bytes(file))
        result = _empty_scan(header)
        for fragment in _fragments(file, len(header.data), header):
            if not _is_believable(result, fragment):
                break
            _add(result, fragment)
    return result


def _is_believable(result: Scan, fragment: Fragment) -> bool:
    """False for a fragment that plays before its predecessor, or more than MOST_DAYS later than
    the first one: its file ends before it."""
    scales = {track.number: track.time_scale for track in result.header.tracks}
    for run in fragment.runs:
        starts = result.starts[run.track]
        if starts and run.time < starts[-1]:
            return False
        first = starts[0] if starts else run.time
        if run.time + run.duration - first > MOST_DAYS * 86400 * scales[run.track]:
            return False
    return True


def _add(result: Scan, fragment: Fragment) -> None:
    """Add a fragment; a track that has no samples in it stays where it was."""
    result.offsets.append(fragment.offset)
    result.moofs.append(fragment.moof)
    result.sizes.append(fragment.size)
    result.keys.append(fragment.runs[0].key)
    runs = {run.track: run for run in fragment.runs}
    scale, time = result.header.video.time_scale, fragment.runs[0].time
    for track in result.header.tracks:
        ends, run = result.ends[track.number], runs.get(track.number)
        before = ends[-1] if ends else time * track.time_scale // scale
        result.starts[track.number].append(run.time if run else before)
        ends.append(run.time + run.duration if run else before)


def _header_bytes(file: int) -> bytes:
    """`ftyp` and `moov`, which are at the beginning."""
    at = 0
    for _ in range(16):
        size, kind = _size_and_kind(read_at(file, 16, at))
        at += size
        if at > MOST_HEADER:
            raise BrokenMp4("Its header is too large")
        if kind == b"moov":
            data = read_at(file, at, 0)
            if len(data) < at:
                break
            return data
        if kind in (b"moof", b"mdat"):
            break
    raise BrokenMp4("It has no header")


def _size_and_kind(data: bytes) -> tuple[int, bytes]:
    """The size and kind of the box that begins there, also of one with 64 bits."""
    if len(data) < 8:
        raise BrokenMp4("A box is cut off")
    size, kind = struct.unpack_from(">I4s", data)
    if size == 1 and len(data) >= 16:
        size = struct.unpack_from(">Q", data, 8)[0]
    if size < 8:
        raise BrokenMp4(f"A box has an impossible size ({size})")
    return size, kind


def _fragments(file: int, at: int, header: Header) -> Iterator[Fragment]:
    """The whole fragments from `at` on; nothing is raised for what is behind them."""
    end = os.fstat(file).st_size
    tracks = {track.number: track for track in header.tracks}
    video = header.video.number
    for _ in range(MOST_FRAGMENTS):
        try:
            fragment, at = _next(file, at, end, tracks, video)
        except BrokenMp4:
            return
        if fragment is not None:
            yield fragment


def _next(
    file: int, at: int, end: int, tracks: dict[int, Track], video: int
) -> tuple[Fragment | None, int]:
    """The box at a place, with the `mdat` behind it if it is a `moof`, and the place after it;
    no fragment for boxes of another kind, and for one without a picture."""
    data = read_at(file, FIRST_READ, at)
    size, kind = _size_and_kind(data)
    if at + size > end:
        raise BrokenMp4("A box is cut off")
    if kind != b"moof":
        return None, at + size
    if size > MOST_MOOF:
        raise BrokenMp4("A moof box is too large")
    if len(data) < size + 16:
        data = read_at(file, size + 16, at)
    content, kind = _size_and_kind(data[size : size + 16])
    if kind != b"mdat" or at + size + content > end:
        raise BrokenMp4("A fragment is cut off")
    runs = sorted(runs_of(data[:size], tracks), key=lambda run: run.track != video)
    after = at + size + content
    if not runs or runs[0].track != video:
        return None, after
    return Fragment(at, size, size + content, tuple(runs)), after


def runs_of(moof: bytes, tracks: dict[int, Track]) -> Iterator[Run]:
    """The samples of each track. Raises BrokenMp4 for addresses that are not those of the moof."""
    outer = box_at(moof, 0, len(moof))
    for box in boxes(moof, outer.body, outer.end):
        if box.kind == b"traf":
            yield _run(moof, box.body, box.end, tracks)


def _run(moof: bytes, start: int, end: int, tracks: dict[int, Track]) -> Run:
    """One `traf`: `tfhd`, `tfdt` and every `trun`, in this order."""
    track, time, at, duration, key = None, -1, 0, 0, NO_KEY
    sample_duration, sample_flags = 0, 0
    for box in boxes(moof, start, end):
        if box.kind == b"tfhd":
            number = unpack(">I", moof, box.body + 4, box.end)[0]
            if number not in tracks:
                raise BrokenMp4("A fragment is of an unknown track")
            track = tracks[number]
            sample_duration, sample_flags = _sample_defaults(moof, box.body, box.end, track)
        elif box.kind == b"tfdt":
            time, at = _start_time(moof, box.body, box.end)
        elif box.kind == b"trun":
            length, first = _samples(moof, box.body, box.end, sample_duration, sample_flags)
            if key == NO_KEY and first != NO_KEY:
                key = duration + first
            duration += length
    if track is None or not 0 <= time + duration < MOST_TICKS or time < 0:
        raise BrokenMp4("A fragment has no believable time")
    return Run(track.number, time, duration, key, at)


def _start_time(moof: bytes, body: int, end: int) -> tuple[int, int]:
    """The time of a `tfdt`, and where it is written. Raises BrokenMp4 for one of 32 bits."""
    if unpack(">B", moof, body, end)[0] != 1:
        raise BrokenMp4("A fragment has a short time")
    return unpack(">Q", moof, body + 4, end)[0], body + 4


def _sample_defaults(moof: bytes, body: int, end: int, track: Track) -> tuple[int, int]:
    """Duration and flags of samples without their own, from a `tfhd` (8.8.7)."""
    flags = unpack(">I", moof, body, end)[0] & 0xFFFFFF
    if flags & HAS_BASE or not flags & BASE_IS_MOOF:
        raise BrokenMp4("Its fragments cannot be moved")
    at, duration, sample_flags = body + 8, track.default_duration, track.default_flags
    at += 4 if flags & 0x2 else 0
    if flags & 0x8:
        duration, at = unpack(">I", moof, at, end)[0], at + 4
    at += 4 if flags & 0x10 else 0
    if flags & 0x20:
        sample_flags = unpack(">I", moof, at, end)[0]
    return duration, sample_flags


def _samples(moof: bytes, body: int, end: int, duration: int, sample_flags: int) -> tuple[int, int]:
    """The ticks of a `trun`, and those before its first key frame, or NO_KEY."""
    flags, count = unpack(">II", moof, body, end)
    at = body + 8 + (4 if flags & 0x1 else 0)
    first_flags = sample_flags
    if flags & 0x4:
        first_flags, at = unpack(">I", moof, at, end)[0], at + 4
    per_sample = [mask for mask in (DURATION, SIZE, FLAGS, OFFSET) if flags & mask]
    if at + 4 * len(per_sample) * count > end or count > MOST_MOOF:
        raise BrokenMp4("A run of samples is cut off")
    values = unpack(f">{len(per_sample) * count}I", moof, at, end)
    step = len(per_sample) or 1
    durations = values[per_sample.index(DURATION) :: step] if flags & DURATION else None
    length = sum(durations) if durations is not None else duration * count
    every = values[per_sample.index(FLAGS) :: step] if flags & FLAGS else None
    key = _first_key(count, first_flags if flags & 0x4 else None, every, sample_flags)
    if key == NO_KEY:
        return length, NO_KEY
    return length, sum(durations[:key]) if durations is not None else duration * key


def _first_key(count: int, first: int | None, every: tuple[int, ...] | None, default: int) -> int:
    """The number of the first sample that is a key frame, or NO_KEY."""
    if count and first is not None and not first & NOT_SYNC:
        return 0
    if every is not None:
        start = 0 if first is None else 1
        keys = (number for number in range(start, len(every)) if not every[number] & NOT_SYNC)
        return next(keys, NO_KEY)
    start = 0 if first is None else 1
    return start if count > start and not default & NOT_SYNC else NO_KEY
