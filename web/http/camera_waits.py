"""Requests that wait for a camera, which can take half a minute: they keep no other request
waiting, and there are not too many of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from web.http.errors import HttpError
from web.http.live_views import connection

MOST_WAITING = 120
"""Each has a thread (`threads` in gunicorn.conf.py)."""
_PLACES = BoundedSemaphore(MOST_WAITING)


@contextmanager
def waiting_for_camera() -> Iterator[None]:
    """Leave the queue of requests, until the block ends in a thread beside it. Raises HttpError
    (503) when too many wait already."""
    if not _PLACES.acquire(blocking=False):
        busy = f"{MOST_WAITING} requests are waiting for cameras already"
        raise HttpError(503, busy, "Try again in a moment.", {"Retry-After": "5"})
    try:
        connection().leave_queue()
        yield
    finally:
        _PLACES.release()
