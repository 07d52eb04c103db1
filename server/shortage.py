"""Something that the machine is short of: logged when that begins and when it ends."""

from typing import Any

CALM = 3.0
"""Seconds without a failure after which a shortage is over."""


class Shortage:
    """`log` is gunicorn's. Times are monotonic."""

    def __init__(self, log: Any, begins: str, ends: str) -> None:
        self._log = log
        self._begins = begins
        self._ends = ends
        self._last: float | None = None

    def failed(self, error: Exception, now: float) -> None:
        if self._last is None:
            self._log.warning("%s: %s", self._begins, error)
        self._last = now

    def look(self, now: float) -> None:
        """To be called now and then: it may be over."""
        if self._last is not None and now - self._last > CALM:
            self._log.warning("%s", self._ends)
            self._last = None
