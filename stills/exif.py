"""Write the time of capture into a JPEG, as Exif 2.32 says (CIPA DC-008). Pure.

The picture itself stays as it is, byte for byte: only the segment with the metadata is new. Of the
one that it had, the orientation and the names of the camera are kept.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

SOFTWARE = "Camera Monitor"
NO_CLOCK = "The clock of the server was not set when this picture was taken."
HEADER = b"Exif\0\0"
APP0, APP1, START_OF_SCAN = 0xE0, 0xE1, 0xDA
ASCII, SHORT, LONG, UNDEFINED = 2, 3, 4, 7
"""Types of values."""
DESCRIPTION, MAKE, MODEL, ORIENTATION, SOFTWARE_TAG = 0x010E, 0x010F, 0x0110, 0x0112, 0x0131
MODIFIED, DETAILS = 0x0132, 0x8769
VERSION, ORIGINAL, OFFSET, OFFSET_ORIGINAL, SUBSECOND = 0x9000, 0x9003, 0x9010, 0x9011, 0x9291
MOST_ENTRIES, LONGEST_NAME, MOST_SEGMENTS = 200, 64, 1000
Value = tuple[int, bytes]
"""A type and the bytes of a value."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the metadata that a camera wrote."""

    orientation: int = 1
    make: str = ""
    model: str = ""


def stamped(data: bytes, taken_at: datetime, clock_known: bool, kept: Kept) -> bytes:
    """The JPEG with the time of capture in the zone of `taken_at`; everything else as it was but
    for metadata that it had."""
    return b"".join(stamped_parts(data, taken_at, clock_known, kept))


def stamped_parts(
    data: bytes, taken_at: datetime, clock_known: bool, kept: Kept
) -> list[memoryview]:
    """The same in parts, one after the other, without a copy of the picture."""
    view, segment = memoryview(data), memoryview(_segment(taken_at, clock_known, kept))
    parts, place = [view[:2]], 2
    segments = list(_segments(data))
    if segments and segments[0][0] == APP0:
        # JFIF wants to be first, and readers of Exif do not mind.
        parts.append(view[segments[0][1] : segments[0][2]])
        place = segments.pop(0)[2]
    parts.append(segment)
    for marker, begin, end in segments:
        if marker != APP1 or data[begin + 4 : begin + 10] != HEADER:
            parts.append(view[begin:end])
        place = end
    return [*parts, view[place:]]


def kept_of(data: bytes) -> Kept:
    """What a JPEG says of its camera; nothing where that is absent or damaged."""
    for marker, begin, end in _segments(data):
        if marker == APP1 and data[begin + 4 : begin + 10] == HEADER:
            try:
                return _read(data[begin + 10 : end])
            except (struct.error, IndexError, KeyError):
                return Kept()
    return Kept()


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, begin, end) of the segments before the picture, as far as they can be followed."""
    place = 2
    for _number in range(MOST_SEGMENTS):
        if place + 4 > len(data) or data[place] != 0xFF or data[place + 1] == START_OF_SCAN:
            return
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if end < place + 4 or end > len(data):
            return
        yield data[place + 1], place, end
        place = end


def _read(tiff: bytes) -> Kept:
    order = {b"II": "<", b"MM": ">"}[tiff[:2]]
    (place,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, place)
    orientation, names = 1, {MAKE: "", MODEL: ""}
    for number in range(min(count, MOST_ENTRIES)):
        entry = place + 2 + 12 * number
        tag, _type, size = struct.unpack_from(order + "HHI", tiff, entry)
        if tag == ORIENTATION:
            (orientation,) = struct.unpack_from(order + "H", tiff, entry + 8)
        elif tag in names and size <= LONGEST_NAME:
            (offset,) = struct.unpack_from(order + "I", tiff, entry + 8)
            raw = tiff[offset : offset + size] if size > 4 else tiff[entry + 8 : entry + 8 + size]
            text = raw.partition(b"\0")[0].decode("ascii", "ignore")
            names[tag] = "".join(filter(str.isprintable, text)).strip()
    return Kept(orientation if 1 <= orientation <= 8 else 1, names[MAKE], names[MODEL])


def _segment(taken_at: datetime, clock_known: bool, kept: Kept) -> bytes:
    """The APP1 segment: two directories, the second for what belongs to the moment of capture."""
    time, offset = f"{taken_at:%Y:%m:%d %H:%M:%S}", _offset_text(taken_at)
    entries = {
        DESCRIPTION: _ascii("" if clock_known else NO_CLOCK),
        MAKE: _ascii(kept.make),
        MODEL: _ascii(kept.model),
        ORIENTATION: (SHORT, struct.pack(">H", kept.orientation)),
        SOFTWARE_TAG: _ascii(SOFTWARE),
        MODIFIED: _ascii(time),
        DETAILS: (LONG, bytes(4)),
    }
    entries = {tag: value for tag, value in entries.items() if value[1] != b"\0"}
    begin = 8
    at = begin + _length(entries.values())
    entries[DETAILS] = (LONG, struct.pack(">I", at))
    details = {
        VERSION: (UNDEFINED, b"0232"),
        ORIGINAL: _ascii(time),
        OFFSET: _ascii(offset),
        OFFSET_ORIGINAL: _ascii(offset),
        SUBSECOND: _ascii(f"{taken_at.microsecond // 1000:03}"),
    }
    tiff = struct.pack(">2sHI", b"MM", 42, begin)
    tiff += _directory(entries, begin) + _directory(details, at)
    return struct.pack(">BBH", 0xFF, APP1, 2 + len(HEADER) + len(tiff)) + HEADER + tiff


def _offset_text(at: datetime) -> str:
    """Exif has no seconds there, which zones before 1900 have."""
    return f"{at:%z}"[:3] + ":" + f"{at:%z}"[3:5]


def _ascii(text: str) -> Value:
    return ASCII, text.encode("ascii", "replace") + b"\0"


def _length(values: Iterable[Value]) -> int:
    """Bytes of a directory and of the values behind it."""
    sizes = [len(raw) + len(raw) % 2 for _type, raw in values]
    return 2 + 12 * len(sizes) + 4 + sum(size for size in sizes if size > 4)


def _directory(entries: Mapping[int, Value], begin: int) -> bytes:
    """A directory that begins there, with its longer values behind it."""
    lines, values = b"", b""
    behind = begin + 2 + 12 * len(entries) + 4
    for tag, (kind, raw) in sorted(entries.items()):
        count = len(raw) // {SHORT: 2, LONG: 4}.get(kind, 1)
        padded = raw + b"\0" * (len(raw) % 2)
        if len(padded) > 4:
            field = struct.pack(">I", behind + len(values))
            values += padded
        else:
            field = padded.ljust(4, b"\0")
        lines += struct.pack(">HHI", tag, kind, count) + field
    return struct.pack(">H", len(entries)) + lines + bytes(4) + values
