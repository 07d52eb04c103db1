"""Trust in the system clock, remembered in a small file across restarts."""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Lock

from fleet.clock import Trust, duration_text, with_reading
from store.folders import replace_file
from store.json_file import CannotKeep

log = logging.getLogger(__name__)
KEEP_EVERY = 3600.0
"""Seconds between two writes of a trust that did not change."""


class TrustedClock:
    """Guard against deleting by a wrong clock. `distrust_reason` says why nothing old can be
    deleted."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        timer: Callable[[], float],
        missing: Callable[[], str] = lambda: "",
    ) -> None:
        """Create the guard. `timer` is the monotonic clock; `missing` gives the reason why the
        folder is not ours now."""
        self.path = path
        self.clock = clock
        self.timer = timer
        self.missing = missing
        self._lock = Lock()
        self._read_at = timer()
        self._kept_at = float("-inf")
        self._trust: Trust | None = None

    def open(self, newest: datetime | None) -> None:
        """Load the trust from the file; without one, from the newest stored entry."""
        try:
            raw = json.loads(self.path.read_text())
            at, last = (datetime.fromisoformat(raw[key]) for key in ("at", "last"))
            self._trust = Trust(at, last, float(raw["ran"]))
            if at.tzinfo is None or last.tzinfo is None:
                raise ValueError("no offset")
        except (OSError, ValueError, KeyError, TypeError):
            self._trust = Trust(newest, newest) if newest else None
        self._read_at = self.timer()

    def distrust_reason(self) -> str:
        """The reason why nothing old can be deleted now; empty when the clock is believed."""
        with self._lock:
            before, ahead = self._trust, self._refresh().seconds_ahead
            if ahead is None:
                return ""
            text = (
                f"The clock of this server is {duration_text(ahead)} ahead of the newest "
                "entry. Old entries are not deleted until an administrator confirms the date "
                "or this server has run for a day."
            )
            if before is None or before.seconds_ahead is None:
                log.warning("%s", text)
            return text

    def confirm(self) -> None:
        """Confirm by hand that the clock is right. Raises CannotKeep."""
        if missing := self.missing():
            raise CannotKeep(missing)
        with self._lock:
            now = self.clock()
            if trouble := self._save(Trust(now, now)):
                raise CannotKeep(trouble)
            self._trust = Trust(now, now)

    def _refresh(self) -> Trust:
        now, steady = self.clock(), self.timer()
        before = self._trust or Trust(now, now)
        self._trust = with_reading(before, now, steady - self._read_at)
        self._read_at = steady
        is_news = (before.seconds_ahead is None) != (self._trust.seconds_ahead is None)
        if is_news or steady - self._kept_at >= KEEP_EVERY:
            self._save(self._trust)
        return self._trust

    def _save(self, trust: Trust) -> str:
        """Write it down; why that failed, or an empty text."""
        if missing := self.missing():
            return missing
        self._kept_at = self.timer()
        text = json.dumps(
            {"at": trust.at.isoformat(), "last": trust.last.isoformat(), "ran": trust.ran}
        )
        try:
            replace_file(self.path, text.encode())
        except OSError as error:
            trouble = f"{self.path} cannot be written ({error.strerror})"
            log.warning("%s", trouble)
            return trouble
        return ""
