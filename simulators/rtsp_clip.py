"""Clips that a pretend RTSP device plays again and again: H.264 files as encoders write them
(Annex B), and what cameras do wrong with the times of their pictures."""

import functools
import itertools
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

HOUR = 3600 * 90_000
STAMPS = ("", "jumping", "back", "same", "fast")
"""What a camera does to its stamps: nothing; every 20th picture is of another hour; it sets its
clock back by an hour after 20 pictures; each one is the same; its clock runs at 1.1 times the
speed."""


@functools.cache
def pictures(path: str) -> list[list[bytes]]:
    """The NAL units of each picture of a clip; each picture is one slice."""
    data = Path(path).read_bytes().replace(b"\0\0\0\1", b"\0\0\1")
    result: list[list[bytes]] = [[]]
    for unit in data.split(b"\0\0\1"):
        if not unit:
            continue
        if any(_is_slice(known) for known in result[-1]):
            result.append([])
        result[-1].append(unit)
    return result


def _is_slice(unit: bytes) -> bool:
    return unit[0] & 0x1F in (1, 5)


def without_sets(units: list[bytes]) -> list[bytes]:
    return [unit for unit in units if unit[0] & 0x1F not in (7, 8)]


def sets_text(path: str) -> str:
    """The parameter sets of a clip as a description tells them."""
    sets = [unit for unit in pictures(path)[0] if unit[0] & 0x1F in (7, 8)]
    return ",".join(b64encode(unit).decode() for unit in sets)


def endless(path: str, later: str = "", first: int = 0) -> Iterator[list[bytes]]:
    """The pictures of a clip from this one on, then those of another one or of this one, for
    ever."""
    yield from pictures(path)[first % len(pictures(path)) :]
    while True:
        yield from pictures(later or path)


def stamps(fps: int, kind: str) -> Iterator[int]:
    """The stamp of each picture, in 90,000ths of a second."""
    step = 90_000 // fps
    for number in itertools.count():
        stamp = number * step
        if kind == "jumping" and number % 20 == 19:
            stamp += 5 * HOUR
        elif kind == "back" and number >= 20:
            stamp -= HOUR
        elif kind == "same":
            stamp = 0
        elif kind == "fast":
            stamp = stamp * 11 // 10
        yield stamp % 2**32
