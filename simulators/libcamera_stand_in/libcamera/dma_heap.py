"""Stand-in for the kernel's DMA heap, from which picamera2 takes its buffers: files in memory.

Only the device of the heap and its own requests (linux/dma-heap.h, linux/dma-buf.h) are answered
here; everything else goes to the system.
"""

import errno
import fcntl
import os
from typing import Any

from libcamera.plan import PLAN

HEAP = "/dev/dma_heap/"
MAGIC_HEAP, MAGIC_BUFFER = ord("H"), ord("b")
"""The letters of the requests: to the heap, and to one of its buffers."""


def install() -> None:
    """Answer for the heap from now on, in this process."""
    system_open, system_ioctl = os.open, fcntl.ioctl

    def open_file(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if isinstance(path, str) and path.startswith(HEAP):
            return os.memfd_create("heap", os.MFD_CLOEXEC)
        return system_open(path, flags, *more, **named)

    def ioctl(place: Any, request: int, *more: Any) -> Any:
        match request >> 8 & 0xFF:
            case letter if letter == MAGIC_HEAP:
                return _allocate(more[0])
            case letter if letter == MAGIC_BUFFER:
                return 0
        return system_ioctl(place, request, *more)

    os.open, fcntl.ioctl = open_file, ioctl  # type: ignore[assignment]


def _allocate(wish: Any) -> int:
    if PLAN.largest_buffer is not None and wish.len > PLAN.largest_buffer:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    wish.fd = os.memfd_create("buffer", os.MFD_CLOEXEC)
    os.ftruncate(wish.fd, wish.len)
    return 0
