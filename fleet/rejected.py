"""Log reports that were set aside, once an hour for each source and reason."""

import logging
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from time import monotonic

from fleet.model import Report
from fleet.validation import InvalidValue, origin_of

log = logging.getLogger(__name__)
AGAIN_AFTER = 3600.0
MAX_KINDS = 1000


class RejectedReports:
    """Log of rejected reports: the source and the reason, never the values."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def log_rejected(self, reports: Iterable[Report], error: Exception) -> None:
        description = _describe(error)
        for source in {origin_of(report) for report in reports}:
            if self._is_news((source, description)):
                log.error("Rejected a report from %s: %s", source, description)

    def _is_news(self, kind: tuple[str, str]) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._told.get(kind, float("-inf")) < AGAIN_AFTER:
                return False
            if len(self._told) >= MAX_KINDS:
                self._told.clear()
            self._told[kind] = now
        return True


def _describe(error: Exception) -> str:
    """The error without any text of the report, which can hold anything."""
    if isinstance(error, InvalidValue):
        return f"{error.name}: {error.reason}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"internal error ({type(error).__name__}{place})"
