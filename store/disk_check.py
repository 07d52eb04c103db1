"""Check whether the disk is writable, at most once every ten seconds."""

import time
from collections.abc import Callable
from threading import Lock

INTERVAL = 10.0
"""Seconds between two checks: each one writes to the disk."""


class DiskCheck:
    """Cache of the last result of `check`: why the disk is not writable, or an empty text.

    Only `current()` checks, at most once in INTERVAL seconds; `last` writes nothing.
    """

    def __init__(
        self, check: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.last = ""
        self._check = check
        self._clock = clock
        self._checked_at: float | None = None
        self._lock = Lock()

    def current(self) -> str:
        """The result of a check that is at most INTERVAL seconds old."""
        with self._lock:
            now = self._clock()
            if self._checked_at is None or now - self._checked_at >= INTERVAL:
                self._checked_at = now
                self.last = self._check()
            return self.last
