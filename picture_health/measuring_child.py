"""The process that measures pictures: `python -m picture_health.measuring_child FD`.

The argument is the descriptor of its connection to the monitor (`frames.py`). It decodes what
cameras sent, so it is a process of its own, with limits: what breaks a decoder ends this process
and nothing else.
"""

import json
import resource
import socket
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from picture_health.frames import Ended, receive, send
from picture_health.model import CannotMeasure

MOST_MEMORY = 1 << 30
"""Bytes of address space. A picture of 50 megapixels is decoded in a fraction of it."""
SACRIFICE = 500
"""Of 1000: how much rather this process is ended than another one where memory runs out."""


def main(connection: socket.socket) -> None:
    """Answer until the monitor closes the connection."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(SACRIFICE))
    _use_one_thread()
    with suppress(Ended), connection:
        while True:
            picture, *earlier = receive(connection)
            head, descriptor = answer(picture, earlier)
            send(connection, json.dumps(head).encode(), descriptor)


def _use_one_thread() -> None:
    """A sample is small, and the processor belongs to live view and recording."""
    import cv2

    cv2.setNumThreads(1)


def answer(picture: bytes, earlier: list[bytes]) -> tuple[dict[str, Any], bytes]:
    """The sample as JSON and its descriptor; or why there is none."""
    from cv2 import error as broken

    from picture_health.measures import measured

    try:
        sample = measured(picture, earlier)
    except CannotMeasure as error:
        return {"reason": error.reason}, b""
    except (MemoryError, broken):
        return {"reason": "The picture cannot be decoded"}, b""
    comparisons = [compared and asdict(compared) for compared in sample.comparisons]
    return {"measures": asdict(sample.measures), "comparisons": comparisons}, sample.descriptor


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
