"""Check whether the disk is writable, at most once every ten seconds."""

import time
from collections.abc import Callable
from threading import Lock

EVERY = 10.0
"""Seconds between two checks: each one writes to the disk."""


class DiskCheck:
    """Remembers what `look` said last: why the disk takes nothing, or an empty text.

    Only `renewed()` looks, at most once in EVERY seconds; `last` writes nothing.
    """

    def __init__(
        self, look: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.last = ""
        self._look = look
        self._clock = clock
        self._looked_at: float | None = None
        self._lock = Lock()

    def renewed(self) -> str:
        """The answer of a look that is at most EVERY seconds old."""
        with self._lock:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= EVERY:
                self._looked_at = now
                self.last = self._look()
            return self.last
