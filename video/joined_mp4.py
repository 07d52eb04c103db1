"""Several recorded files of one stream as one MP4 file that exists only while it is read.

Its header has the whole duration and an index (`sidx`), so that a player seeks in it like in any
file; behind it come the fragments of all files, with their times moved and their numbers counted
on. Nothing is copied: a range of bytes is read from the files when it is asked for, and the size
stays the same as long as the files do.

The pictures follow each other by the clock. A gap between two files takes no time in the joined
one: `pieces` says which moment of the clock is where. A file of another format (size, codec,
sound) cannot be played on by the same decoder: there a new joined file begins.
"""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from video.mp4_boxes import BrokenMp4, Header, as_box, box_at, boxes, with_duration
from video.mp4_fragments import NO_KEY, Scan, opened, read_at, runs_of, scan

CHUNK = 64 * 1024
MOST_REFERENCES = 65_000
MOST_REFERENCE_BYTES = 1 << 30
"""An index has 16 bits for the number of its entries and 31 for the bytes of one."""
VERSION = "1"
"""Part of the entity tag: another layout of the same files is another file."""


class RecordedFile(NamedTuple):
    """A file, and when its first picture was, in seconds of the Unix clock."""

    path: Path
    started_at: float


class Piece(NamedTuple):
    """What plays without a gap: from `at` of the clock, which is at `position` of the joined
    file, for `duration`; all in seconds."""

    at: float
    position: float
    duration: float


@dataclass(frozen=True, slots=True)
class _Part:
    """Fragments `first` to before `last` of one file, and the ticks by which each track moves."""

    file: RecordedFile
    scan: Scan
    first: int
    last: int
    shifts: dict[int, int]


@dataclass(frozen=True, slots=True)
class JoinedMp4:
    """One file of `size` bytes and `duration` seconds. `etag` names this content."""

    size: int
    duration: float
    etag: str
    pieces: tuple[Piece, ...]
    header: bytes = field(repr=False)
    _parts: tuple[_Part, ...] = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)
    """Where each part begins in the joined file."""

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in pieces. Raises BrokenMp4 if a file is gone
        or was changed since it was joined."""
        end = min(end, self.size)
        if start < len(self.header) and start < end:
            yield self.header[start:end]
            start = len(self.header)
        number = max(0, bisect_right(self._starts, start) - 1)
        while start < end and number < len(self._parts):
            stop = min(end, self._starts[number + 1])
            if start < stop:
                begin = self._starts[number]
                yield from _read_part(self, number, start - begin, stop - begin)
                start = stop
            number += 1

    def position(self, at: float) -> float:
        """Where a moment of the clock is, in seconds; in a gap, where the next picture is."""
        for piece in self.pieces:
            if at < piece.at + piece.duration:
                return piece.position + max(0.0, at - piece.at)
        return self.duration


def join(
    files: Sequence[RecordedFile],
    since: float | None = None,
    until: float | None = None,
    read: Callable[[Path], Scan] = scan,
) -> list[JoinedMp4]:
    """The files of one stream, in the order of the clock, one joined file for each format.

    From `since` to `until` in seconds of the Unix clock, to the fragment; it begins at the key
    frame before `since`. A file that cannot be read is left out like a gap.
    """
    groups: list[list[_Part]] = []
    form: tuple[object, ...] | None = None
    for file in files:
        try:
            scanned = read(file.path)
        except BrokenMp4:
            continue
        first, last = _cut(scanned, file.started_at, since, until)
        if first >= last:
            continue
        if groups and form == _form(scanned.header):
            shifts = _shifts(scanned, first, groups[-1][-1])
            groups[-1].append(_Part(file, scanned, first, last, shifts))
        else:
            form = _form(scanned.header)
            groups.append([_Part(file, scanned, first, last, _shifts(scanned, first, None))])
    return [_joined(parts) for parts in groups]


def _form(header: Header) -> tuple[object, ...]:
    return tuple((track.number, track.time_scale, track.entry) for track in header.tracks)


def _cut(
    scanned: Scan, started_at: float, since: float | None, until: float | None
) -> tuple[int, int]:
    """The fragments to play, as first and behind the last; none where the range is elsewhere."""
    count = len(scanned)
    times = _Seconds(scanned)
    last = count if until is None else bisect_right(times, until - started_at)
    if since is None or since <= started_at:
        return 0, last
    if since >= started_at + scanned.duration:
        return count, count
    first = max(0, bisect_right(times, since - started_at) - 1)
    while first and scanned.keys[first] == NO_KEY:
        first -= 1
    return first, last


@dataclass(frozen=True, slots=True)
class _Seconds(Sequence[float]):
    """When the fragments of a file begin, in seconds after its first one."""

    scan: Scan

    def __len__(self) -> int:
        return len(self.scan)

    def __getitem__(self, number):  # type: ignore[no-untyped-def]
        return self.scan.seconds(number)


def _shifts(scanned: Scan, first: int, before: _Part | None) -> dict[int, int]:
    """By how many ticks each track moves: the picture begins where that of the part before ends,
    the sound with it, but never before the sound that is there already."""
    video = scanned.header.video
    base = Fraction(0)
    if before is not None:
        end = before.scan.ends[video.number][before.last - 1] + before.shifts[video.number]
        base = Fraction(end, video.time_scale)
    moved = base - Fraction(scanned.starts[video.number][first], video.time_scale)
    shifts = {}
    for track in scanned.header.tracks:
        least = 0
        if before is not None:
            least = before.scan.ends[track.number][before.last - 1] + before.shifts[track.number]
        start = scanned.starts[track.number][first]
        shifts[track.number] = max(round(moved * track.time_scale), least - start)
    return shifts


def _joined(parts: Sequence[_Part]) -> JoinedMp4:
    """One joined file of parts of one format."""
    header, video = parts[0].scan.header, parts[0].scan.header.video
    ticks = parts[-1].scan.ends[video.number][parts[-1].last - 1]
    ticks += parts[-1].shifts[video.number]
    duration = Fraction(ticks, video.time_scale)
    index = _index(parts, video.number, video.time_scale, ticks)
    data = with_duration(header, duration) + index
    sizes = [sum(part.scan.sizes[part.first : part.last]) for part in parts]
    starts = tuple(accumulate(sizes, initial=len(data)))
    pieces = tuple(_pieces(parts))
    return JoinedMp4(
        starts[-1], float(duration), _etag(data, parts), pieces, data, tuple(parts), starts
    )


def _pieces(parts: Sequence[_Part]) -> Iterator[Piece]:
    for part in parts:
        video = part.scan.header.video
        start = part.scan.starts[video.number][part.first]
        end = part.scan.ends[video.number][part.last - 1]
        at = part.file.started_at + part.scan.seconds(part.first)
        position = (start + part.shifts[video.number]) / video.time_scale
        yield Piece(at, position, (end - start) / video.time_scale)


def _etag(header: bytes, parts: Sequence[_Part]) -> str:
    """A name of the content: of the header with the index, and the place of each fragment."""
    digest = hashlib.sha256(VERSION.encode() + header)
    for part in parts:
        line = f"{part.file.path.name} {part.first} {part.last} {sorted(part.shifts.items())}"
        digest.update(line.encode())
        digest.update(part.scan.offsets.tobytes())
    return digest.hexdigest()[:32]


class _Reference(NamedTuple):
    """What a player can jump to: fragments from a key frame to before the next one. `time` in
    ticks of the joined picture; `key`: ticks to the key frame, or NO_KEY."""

    size: int
    time: int
    key: int


def _references(parts: Sequence[_Part], video: int) -> list[_Reference]:
    """The places of key frames, as many as an index holds."""
    references: list[_Reference] = []
    for part in parts:
        shift, starts = part.shifts[video], part.scan.starts[video]
        for number in range(part.first, part.last):
            key, size = part.scan.keys[number], part.scan.sizes[number]
            is_full = references and references[-1].size + size > MOST_REFERENCE_BYTES
            if not references or key != NO_KEY or is_full:
                references.append(_Reference(size, starts[number] + shift, key))
            else:
                references[-1] = references[-1]._replace(size=references[-1].size + size)
    return _fewer(references)


def _fewer(references: list[_Reference]) -> list[_Reference]:
    """The same places with several taken together, until the index has room for them."""
    step = -(-len(references) // MOST_REFERENCES)
    if step <= 1:
        return references
    groups = [references[at : at + step] for at in range(0, len(references), step)]
    return [group[0]._replace(size=sum(place.size for place in group)) for group in groups]


def _index(parts: Sequence[_Part], video: int, time_scale: int, ticks: int) -> bytes:
    """The `sidx` box (8.16.3): for each key frame how many bytes and ticks follow."""
    references = _references(parts, video)
    ends = [place.time for place in references[1:]] + [ticks]
    content = struct.pack(">IIIQQHH", 1 << 24, video, time_scale, 0, 0, 0, len(references))
    entries = []
    for place, end in zip(references, ends, strict=True):
        if place.size >= 1 << 31 or not 0 <= end - place.time < 1 << 32:
            raise BrokenMp4("It is too large for an index")
        starts_with_key = 1 << 31 if place.key == 0 else 0
        key_type = (1 << 28) if place.key != NO_KEY else 0
        distance = min(max(place.key, 0), (1 << 28) - 1)
        entry = struct.pack(
            ">III", place.size, end - place.time, starts_with_key | key_type | distance
        )
        entries.append(entry)
    return as_box(b"sidx", content + b"".join(entries))


def _read_part(joined: JoinedMp4, number: int, start: int, end: int) -> Iterator[bytes]:
    """Bytes of one part, counted from its first fragment."""
    part = joined._parts[number]
    before = sum(earlier.last - earlier.first for earlier in joined._parts[:number])
    at = 0
    with opened(part.file.path) as file:
        for index in range(part.first, part.last):
            size = part.scan.sizes[index]
            if at + size > start:
                sequence = before + index - part.first + 1
                yield from _read_fragment(
                    file, part, index, sequence, max(0, start - at), min(size, end - at)
                )
            at += size
            if at >= end:
                return


def _read_fragment(
    file: int, part: _Part, index: int, sequence: int, start: int, end: int
) -> Iterator[bytes]:
    """Bytes of one fragment: its `moof` with new times, its `mdat` as it is."""
    offset, length = part.scan.offsets[index], part.scan.moofs[index]
    if start < length:
        moof = _moved(read_at(file, length, offset), length, part, sequence)
        yield moof[start : min(end, length)]
        start = length
    while start < end:
        data = read_at(file, min(CHUNK, end - start), offset + start)
        if not data:
            raise BrokenMp4("The file has become shorter")
        yield data
        start += len(data)


def _moved(moof: bytes, length: int, part: _Part, sequence: int) -> bytes:
    """A `moof` with the times of its tracks moved, and its number."""
    if len(moof) != length or moof[4:8] != b"moof":
        raise BrokenMp4("The file was changed")
    patched = bytearray(moof)
    tracks = {track.number: track for track in part.scan.header.tracks}
    for run in runs_of(moof, tracks):
        moved = max(0, run.time + part.shifts[run.track])
        struct.pack_into(">Q", patched, run.at, moved)
    outer = box_at(moof, 0, length)
    for box in boxes(moof, outer.body, outer.end):
        if box.kind == b"mfhd" and box.end - box.body >= 8:
            struct.pack_into(">I", patched, box.body + 4, sequence & 0xFFFFFFFF)
    return bytes(patched)
