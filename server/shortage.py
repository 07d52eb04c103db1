"""Log the beginning and the end of a shortage, for example of memory or descriptors."""

from typing import Any

CALM_SECONDS = 3.0
"""Seconds without a failure after which a shortage is over."""


class Shortage:
    """Logs the first failure and the end. `log` is gunicorn's logger; times are monotonic."""

    def __init__(self, log: Any, begins: str, ends: str) -> None:
        self._log = log
        self._begins = begins
        self._ends = ends
        self._last: float | None = None

    def failed(self, error: Exception, now: float) -> None:
        if self._last is None:
            self._log.warning("%s: %s", self._begins, error)
        self._last = now

    def check(self, now: float) -> None:
        """Log the end of the shortage once it is over; called regularly."""
        if self._last is not None and now - self._last > CALM_SECONDS:
            self._log.warning("%s", self._ends)
            self._last = None
