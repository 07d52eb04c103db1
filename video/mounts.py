"""Where a folder is mounted, as the kernel lists it: this asks no disk, so it never waits for one.

proc(5), /proc/pid/mountinfo. A mount that is unmounted lazily leaves the list, and keeps its number
as long as a call hangs in it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
Mounts = tuple[int, ...]
"""The numbers of mounts, in ascending order."""


def mounts_of(folder: Path, device: int | None = None) -> Mounts:
    """The mount that holds an absolute path, by its text alone, and those of a device (`st_dev`),
    which a link in the path may lead to. Empty where they cannot be read."""
    name = "" if device is None else f"{os.major(device)}:{os.minor(device)}"
    holder, longest, others = None, -1, set[int]()
    with suppress(OSError, ValueError):
        for number, of_device, point in _listed():
            # The last one of a place is the one that is seen there.
            if folder.is_relative_to(point) and len(point) >= longest:
                holder, longest = number, len(point)
            if of_device == name:
                others.add(number)
    return tuple(sorted(others | ({holder} if holder is not None else set())))


def _listed() -> Iterator[tuple[int, str, str]]:
    """The number, device and place of each mount. Raises OSError and ValueError."""
    for line in MOUNTS.read_bytes().splitlines():
        number, _parent, device, _root, point, *_rest = line.split(b" ")
        # Blanks and backslashes of a place are octal numbers there.
        place = point.decode("unicode_escape").encode("latin-1")
        yield int(number), device.decode(), os.fsdecode(place)
