"""Fragments of MP4, `moof` and `mdat`, made of encoded packets. Pure, no I/O.

Every fragment names the time at which it begins, so a gap, or a fragment that ends earlier than
was thought, moves nothing that follows.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from video.mp4_boxes import NOT_SYNC, as_box

BASE_IS_MOOF = 0x20000
EVERY_SAMPLE = 0x1 | 0x100 | 0x200 | 0x400 | 0x800
"""A `trun` with the place of its data, and of each sample duration, size, flags and offset."""
LONGEST, LATEST = (1 << 32) - 1, (1 << 31) - 1
"""Ticks that fit into a `trun`: 13 hours of video, and half of that. A server that was suspended
has such distances between two packets; the next fragment names its time again."""
KEY, OTHER = 0x2000000, 0x1000000 | NOT_SYNC
"""Flags of a sample that needs no other one, and of one that does (8.8.3.1)."""
START = b"\0\0\x01"


class Sample(NamedTuple):
    """One packet, in ticks of its track. `offset`: how much later it is shown than decoded."""

    data: bytes
    time: int
    duration: int
    is_key: bool = True
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """The samples of one track in a fragment, in the order of `time`; one at least."""

    track: int
    samples: Sequence[Sample]


def fragment(number: int, runs: Sequence[Run]) -> bytes:
    """One `moof` and its `mdat`; `number` counts the fragments of a file from 1."""
    size = len(_moof(number, runs, 0))
    moof = _moof(number, runs, size + 8)
    data = b"".join(sample.data for run in runs for sample in run.samples)
    return moof + as_box(b"mdat", data)


def _moof(number: int, runs: Sequence[Run], start: int) -> bytes:
    """`start`: where the data of the first run is, counted from the beginning of the `moof`."""
    parts = [as_box(b"mfhd", struct.pack(">II", 0, number))]
    for run in runs:
        parts.append(as_box(b"traf", _track_fragment(run, start)))
        start += sum(len(sample.data) for sample in run.samples)
    return as_box(b"moof", b"".join(parts))


def _track_fragment(run: Run, start: int) -> bytes:
    head = as_box(b"tfhd", struct.pack(">II", BASE_IS_MOOF, run.track))
    time = as_box(b"tfdt", struct.pack(">IQ", 1 << 24, run.samples[0].time))
    values = [
        struct.pack(
            ">IIIi",
            min(sample.duration, LONGEST),
            len(sample.data),
            KEY if sample.is_key else OTHER,
            min(sample.offset, LATEST),
        )
        for sample in run.samples
    ]
    table = struct.pack(">IIi", 1 << 24 | EVERY_SAMPLE, len(values), start) + b"".join(values)
    return head + time + as_box(b"trun", table)


def length_prefixed(data: bytes, left_out: Sequence[bytes] = ()) -> bytes:
    """NAL units with start codes, as MP4 holds them: each with its length in 4 bytes before it.

    `left_out`: units that are not needed, for the header of the file has them.
    """
    parts = []
    for unit in units(data):
        if unit not in left_out:
            parts.append(struct.pack(">I", len(unit)))
            parts.append(unit)
    return b"".join(parts)


def units(data: bytes) -> list[bytes]:
    """The NAL units between start codes of three or four bytes."""
    result = []
    at = data.find(START)
    while at != -1:
        start = at + 3
        at = data.find(START, start)
        unit = data[start:] if at == -1 else data[start:at].rstrip(b"\0")
        if unit:
            result.append(unit)
    return result
