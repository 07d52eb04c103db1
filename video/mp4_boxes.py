"""Boxes of MP4 (ISO/IEC 14496-12), and what the `moov` of a fragmented file says. No I/O.

Only what a player needs of files that libavformat made is read. Whatever else the bytes hold,
`BrokenMp4` is the one error.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

CONTAINERS = frozenset({b"trak", b"mdia", b"minf", b"stbl", b"mvex"})
MOST_TRACKS = 8
MOST_SCALE = 100_000_000
MOST_BOXES = 10_000
"""In one parent: a real `moov` or `moof` has tens of boxes."""
NOT_SYNC = 0x10000
"""The flag of a sample that is not a key frame (8.8.3.1)."""
MOST_LONG = (1 << 64) - 1
UNKNOWN_RATES = b"btrt"
"""A box of average rates in a sample entry: it says nothing about how to decode."""


class BrokenMp4(Exception):
    """The file is not fragmented MP4 of the kind that is recorded; the text says why."""


class Box(NamedTuple):
    """`start` is where the box begins, `body` where its content does, `end` is behind it."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Track:
    """One track. `time_scale`: ticks in a second. `entry`: how its samples are decoded (`stsd`
    without rates), equal in files that one decoder can play one after the other."""

    number: int
    kind: str
    time_scale: int
    entry: bytes
    default_duration: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """`ftyp` and `moov` of a file, and the tracks in it; the one with the picture is `video`."""

    data: bytes
    tracks: tuple[Track, ...]

    @property
    def video(self) -> Track:
        return next(track for track in self.tracks if track.kind == "vide")


def boxes(data: bytes | memoryview, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places. Raises BrokenMp4 where one does not fit in there."""
    for _ in range(MOST_BOXES):
        if start == end:
            return
        box = box_at(data, start, end)
        yield box
        start = box.end
    raise BrokenMp4("It has too many boxes")


def box_at(data: bytes | memoryview, start: int, end: int) -> Box:
    """The box at `start`. Raises BrokenMp4 if it does not end before `end`."""
    if start + 8 > end:
        raise BrokenMp4("A box is cut off")
    size, kind = struct.unpack_from(">I4s", data, start)
    if size < 8 or start + size > end:
        raise BrokenMp4(f"A box has an impossible size ({size})")
    return Box(kind, start, start + 8, start + size)


def unpack(layout: str, data: bytes | memoryview, at: int, end: int) -> tuple[int, ...]:
    """Numbers at a place. Raises BrokenMp4 if they do not end before `end`."""
    if at + struct.calcsize(layout) > end:
        raise BrokenMp4("A box is shorter than its content")
    return struct.unpack_from(layout, data, at)


def read_header(data: bytes) -> Header:
    """The tracks of `ftyp` and `moov`. Raises BrokenMp4 if a video track is missing."""
    moov = next((box for box in boxes(data, 0, len(data)) if box.kind == b"moov"), None)
    if moov is None:
        raise BrokenMp4("It has no moov box")
    tracks, defaults = [], {}
    for box in boxes(data, moov.body, moov.end):
        if box.kind == b"trak":
            tracks.append(_track(data, box))
        elif box.kind == b"mvex":
            defaults = _defaults(data, box)
    if len(tracks) > MOST_TRACKS or len({track.number for track in tracks}) != len(tracks):
        raise BrokenMp4("It has too many tracks")
    if not any(track.kind == "vide" for track in tracks):
        raise BrokenMp4("It has no video track")
    if any(track.number not in defaults for track in tracks):
        raise BrokenMp4("It is not fragmented")
    return Header(data, tuple(_with_defaults(track, defaults) for track in tracks))


def _with_defaults(track: Track, defaults: dict[int, tuple[int, int]]) -> Track:
    duration, flags = defaults[track.number]
    return Track(track.number, track.kind, track.time_scale, track.entry, duration, flags)


def _track(data: bytes, trak: Box) -> Track:
    """A track by its `tkhd`, `mdhd`, `hdlr` and `stsd`."""
    kinds = {box.kind: box for box in _leaves(data, trak, 0)}
    missing = {b"tkhd", b"mdhd", b"hdlr", b"stsd"} - kinds.keys()
    if missing:
        raise BrokenMp4("A track lacks " + ", ".join(sorted(kind.decode() for kind in missing)))
    number = _at_version(data, kinds[b"tkhd"], 12, 20)
    scale = _at_version(data, kinds[b"mdhd"], 12, 20)
    if not 0 < scale <= MOST_SCALE:
        raise BrokenMp4("A track has no believable time scale")
    handler = kinds[b"hdlr"]
    unpack(">III", data, handler.body, handler.end)
    kind = data[handler.body + 8 : handler.body + 12].decode("latin-1")
    return Track(number, kind, scale, _sample_entries(data, kinds[b"stsd"], kind))


def _at_version(data: bytes, box: Box, version_0: int, version_1: int) -> int:
    """A 32-bit number that is further back where the times of the box have 64 bits."""
    is_long = unpack(">B", data, box.body, box.end)[0] == 1
    return unpack(">I", data, box.body + (version_1 if is_long else version_0), box.end)[0]


def _leaves(data: bytes, parent: Box, depth: int) -> Iterator[Box]:
    for box in boxes(data, parent.body, parent.end):
        if box.kind in CONTAINERS and depth < 6:
            yield from _leaves(data, box, depth + 1)
        else:
            yield box


def _sample_entries(data: bytes, stsd: Box, kind: str) -> bytes:
    """The sample entries without their boxes of rates, which differ from file to file."""
    entries = []
    fixed = {"vide": 78, "soun": 28}.get(kind)
    for entry in boxes(data, stsd.body + 8, stsd.end):
        inner = entry.body + (fixed if fixed is not None else entry.end - entry.body)
        if inner > entry.end:
            raise BrokenMp4("A sample entry is cut off")
        kept = [data[box.start : box.end] for box in _entry_boxes(data, inner, entry.end)]
        entries.append(entry.kind + data[entry.body : inner] + b"".join(kept))
    return b"".join(entries)


def _entry_boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    return (box for box in boxes(data, start, end) if box.kind != UNKNOWN_RATES)


def _defaults(data: bytes, mvex: Box) -> dict[int, tuple[int, int]]:
    """{track: duration and flags of a sample that has none of its own} (`trex`)."""
    defaults = {}
    for box in boxes(data, mvex.body, mvex.end):
        if box.kind == b"trex":
            number, _entry, duration, _size, flags = unpack(">IIIII", data, box.body + 4, box.end)
            defaults[number] = (duration, flags)
    return defaults


def with_duration(header: Header, duration: Fraction) -> bytes:
    """The header of a file that lasts so many seconds: in `mvhd` and in a `mehd` of its own."""
    data = header.data
    parts = []
    for top in boxes(data, 0, len(data)):
        if top.kind != b"moov":
            parts.append(data[top.start : top.end])
            continue
        inner = list(boxes(data, top.body, top.end))
        scale = next((_movie_scale(data, box) for box in inner if box.kind == b"mvhd"), 0)
        ticks = min(round(duration * scale), MOST_LONG)
        content = b"".join(_timed(data, box, ticks) for box in inner)
        parts.append(as_box(b"moov", content))
    return b"".join(parts)


def _movie_scale(data: bytes, mvhd: Box) -> int:
    return _at_version(data, mvhd, 12, 20)


def _timed(data: bytes, box: Box, ticks: int) -> bytes:
    """A box of `moov`, with the duration where it belongs."""
    if box.kind == b"mvex":
        inner = [part for part in boxes(data, box.body, box.end) if part.kind != b"mehd"]
        mehd = as_box(b"mehd", struct.pack(">IQ", 1 << 24, ticks))
        return as_box(b"mvex", mehd + b"".join(data[part.start : part.end] for part in inner))
    if box.kind != b"mvhd":
        return data[box.start : box.end]
    is_long = unpack(">B", data, box.body, box.end)[0] == 1
    layout, place, most = (">Q", 24, MOST_LONG) if is_long else (">I", 16, 0xFFFFFFFF)
    unpack(layout, data, box.body + place, box.end)
    patched = bytearray(data[box.start : box.end])
    struct.pack_into(layout, patched, 8 + place, min(ticks, most))
    return bytes(patched)


def as_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
