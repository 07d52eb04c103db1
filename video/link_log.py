"""Fold what streams count into one line for each day; written each minute."""

from collections.abc import Callable
from datetime import date, datetime
from threading import Lock
from typing import TYPE_CHECKING

from store.sql import Unreachable
from video import link_rows
from video.link_quality import LinkDay, link_day
from video.model import LinkCounts, StreamKey

if TYPE_CHECKING:
    from sqlalchemy import Engine


class LinkLog:
    """The counts since the last write. Methods can be called from any thread."""

    def __init__(self, engine: "Engine", clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = Lock()
        self._days: dict[tuple[StreamKey, date], LinkDay] = {}

    def note(self, key: StreamKey, counts: LinkCounts) -> None:
        """Add the counts of a stream to its day."""
        day = link_day(self._clock())
        with self._lock:
            known = self._days.get((key, day)) or LinkDay(key.device, key.name, day)
            self._days[key, day] = known.with_counts(counts)

    def flush(self) -> None:
        """Write what was counted; it is kept for the next time where that fails. Raises
        Unreachable."""
        with self._lock:
            days, self._days = self._days, {}
        try:
            if days:
                link_rows.add(self._engine, list(days.values()))
        except Unreachable:
            self._put_back(days)
            raise

    def _put_back(self, days: dict[tuple[StreamKey, date], LinkDay]) -> None:
        with self._lock:
            for key, day in days.items():
                newer = self._days.get(key)
                self._days[key] = day.with_counts(newer) if newer else day
