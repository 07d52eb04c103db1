"""Stand-in for the kernel's video devices, loaded by Python at its start (see README.md)."""

import fcntl
import json
import os
import struct
from pathlib import Path
from typing import Any

import av

QUERYCAP = 0x80685600
VIDEO_CAPTURE, DEVICE_CAPS = 0x1, 0x80000000
PICTURES: dict[str, str] = json.loads(Path(os.environ["V4L2_STAND_IN"]).read_text())
system_ioctl: Any = fcntl.ioctl
system_open: Any = av.open


def ioctl(place: Any, request: int, *more: Any) -> Any:
    """Answer VIDIOC_QUERYCAP for the listed files."""
    if request != QUERYCAP:
        return system_ioctl(place, request, *more)
    if str(Path(f"/proc/self/fd/{place}").readlink()) not in PICTURES:
        return struct.pack("=84x2I12x", DEVICE_CAPS, 0)
    return struct.pack("=84x2I12x", DEVICE_CAPS, VIDEO_CAPTURE)


def open_input(file: Any, *more: Any, format: str | None = None, **named: Any) -> Any:
    """Open what a listed file draws."""
    if format == "v4l2" and PICTURES.get(file):
        return system_open(PICTURES[file], *more, format="lavfi", **named)
    return system_open(file, *more, format=format, **named)


fcntl.ioctl, av.open = ioctl, open_input
