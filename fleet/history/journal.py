"""The journal: all events in SQL, in order, each once, and the thread that writes them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from fleet.history import asked_rows, cursor_rows, event_rows, uptime_rows
from fleet.history.journal_readers import BATCH, Readers, Tail
from fleet.history.uptime import DAYS, Uptime, uptime, window
from fleet.model import Device, Event
from fleet.tracker import Tracker
from store.database import Database
from store.sql import VALUE_ERRORS, Damaged, Unreachable, Unstorable, translated_errors

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

log = logging.getLogger(__name__)
RETRY_AFTER = 5.0
"""Seconds between two tries while the database does not take events."""
MAX_BATCH = 1000
"""Events in one transaction."""


class RejectedEvent(Exception):
    """The journal cannot store one of these events."""


class Journal:
    """All events in SQL. Every method can raise store.sql.Unreachable."""

    def __init__(self, url: "str | URL") -> None:
        self.database = Database(url)
        self.engine: Engine = self.database.engine
        self.readers = Readers(self.engine)
        self.newest = 0
        """The highest sequence number that it had when it was opened."""
        self._last = 0
        """The highest sequence number that it has, or had before those were deleted."""
        self.notice = ""
        """What a person must know when opening it changed its tables; else empty."""

    def open(self) -> tuple[int, int]:
        """Own the database and bring the tables to their newest form; the highest sequence
        and device number. Raises InUse when another program owns it."""
        self.notice = self.database.open()
        sequence, device = event_rows.highest(self.engine)
        with translated_errors(), self.engine.connect() as connection:
            # A number that a reader has passed would never be read, if it were given again.
            self.newest = self._last = max(sequence, cursor_rows.highest(connection))
        return self.newest, device

    def write(self, events: Sequence[Event]) -> Tail | None:
        """Write the events and their uptimes in one transaction. Those whose number is known are
        ignored. Returns what `Readers.wake` can hand to the readers; None when they must query."""
        with translated_errors(), self.engine.begin() as connection:
            stored = event_rows.add(connection, events)
            uptime_rows.add(connection, stored)
        after = self._last
        self._last = max([after, *(event.sequence for event in events)])
        # Known numbers: an earlier try stored them, perhaps with others, and did not learn of it.
        is_whole = len(stored) == len(events) <= BATCH
        return Tail(after, stored) if is_whole else None

    def fill_uptimes(self) -> Iterator[int]:
        """Roll up all missing uptimes, in steps."""
        return uptime_rows.fill(self.engine)

    def find(self, **wanted: Any) -> list[Event]:
        """Find events as event_rows.find does."""
        return event_rows.find(self.engine, **wanted)

    def event(self, sequence: int) -> Event | None:
        return event_rows.event(self.engine, sequence)

    def uptimes(self, devices: Sequence[Device], now: datetime) -> dict[int, Uptime]:
        """The last 90 days of each device."""
        if not devices:
            return {}
        period = window(now)
        ids = [device.id for device in devices]
        rolled_up = uptime_rows.since(self.engine, ids, period.days[0])
        asked = asked_rows.since(self.engine, period.days[0])
        return {
            device.id: uptime(device, rolled_up[device.id], asked, period) for device in devices
        }

    def note_asked(self, at: datetime, scopes: Sequence[str]) -> None:
        """Note that a scan asked these scopes."""
        if scopes:
            asked_rows.add(self.engine, at.astimezone().date(), scopes)

    def forget(self, until: datetime) -> int:
        """Delete the events before `until` that every reader has read; how many there were. The
        days of uptimes stay for DAYS more, so that none that is shown changes by it."""
        days_until = (until - timedelta(days=DAYS + 1)).date()
        asked_rows.forget(self.engine, days_until)
        uptime_rows.forget(self.engine, days_until)
        return event_rows.forget(self.engine, until, self.readers.slowest())

    def close(self) -> None:
        self.database.close()


class JournalWriter:
    """Thread that moves events from the tracker's outbox into the journal.

    An event leaves the outbox only after the journal has it, or when it does not fit into
    the journal, which is logged. The journal's readers run while it runs, and are woken with each
    delivery. `also_deliver` moves what else waits for the database. This thread alone tries again
    and again while the database is unavailable.
    """

    def __init__(
        self,
        tracker: Tracker,
        journal: Journal,
        also_deliver: Callable[[], bool] = lambda: True,
    ) -> None:
        self.tracker = tracker
        self.journal = journal
        self.also_deliver = also_deliver
        self.on_recovery: list[Callable[[], None]] = []
        self.trouble = ""
        self.has_rolled_up = False
        self._error = ""
        self._woken = Flag()
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="journal_writer", daemon=True)

    def start(self) -> None:
        self.journal.database.watch()
        self.journal.readers.start(self.journal.newest)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def notify(self) -> None:
        """Wake the writer: there is something in the outbox."""
        self._woken.set()

    def stop(self) -> None:
        """Deliver what can be delivered now, then end."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self.journal.readers.stop()

    def _run(self) -> None:
        checked, is_available = monotonic(), True
        while True:
            self._woken.wait(RETRY_AFTER)
            if self._stopping.is_set():
                self._try(self._deliver_all)
                return
            self._woken.clear()
            if not is_available or monotonic() - checked >= RETRY_AFTER:
                is_available, checked = self._try(self._check_database), monotonic()
            if not (is_available and self._try(self._deliver_all)):
                is_available = False
                self._stopping.wait(RETRY_AFTER)
                self._woken.set()

    def _try(self, step: Callable[[], bool]) -> bool:
        """Run a step; False when it failed for an unexpected reason, which is logged once.
        Without this thread no event reaches the database, so the next round tries again."""
        try:
            return step()
        except Exception as error:
            if repr(error) != self._error:
                log.exception("Writing events to the SQL database failed; retrying")
            self._error = repr(error)
            return False

    def _fill_uptimes(self) -> bool:
        """Roll up missing uptimes once in a run, with deliveries in between; False when the
        database is unavailable."""
        try:
            for _done in () if self.has_rolled_up else self.journal.fill_uptimes():
                if self._stopping.is_set() or not self.deliver():
                    return False
        except Unreachable as error:
            log.warning("%s. Uptimes are incomplete until it works again.", error)
            return False
        self.has_rolled_up = True
        return True

    def _deliver_all(self) -> bool:
        if not self.deliver():
            return False
        try:
            self._report_recovery()
        except Unreachable as error:
            self._report_outage(str(error))
            return False
        return self.also_deliver() and self._fill_uptimes()

    def _check_database(self) -> bool:
        database = self.journal.database
        if not database.retry():
            self._report_outage(f"SQL database unavailable: {database.outage}")
            return False
        return True

    def _report_outage(self, reason: str) -> None:
        if not self.trouble:
            log.error("%s. Events are kept in the database file.", reason)
        self.trouble = f"{reason}."

    def _report_recovery(self) -> None:
        if self.trouble:
            for load in self.on_recovery:
                load()
            self.journal.readers.wake()
            log.info("The SQL database is available again.")
        self.trouble = ""

    def deliver(self) -> bool:
        """Move all events of the outbox into the journal; False when the database refuses them."""
        size = MAX_BATCH
        while events := self.tracker.fleet().outbox[:size]:
            try:
                tail = self._write(events)
                self._report_recovery()
            except Unreachable as error:
                self._report_outage(str(error))
                return False
            except RejectedEvent:
                size = 1  # so that the one at fault is alone
                continue
            self.journal.readers.wake(tail)
            self.tracker.confirm(events[-1].sequence)
        return True

    def _write(self, events: Sequence[Event]) -> Tail | None:
        """Write the events. Raises Unreachable; RejectedEvent when one of several is invalid. A
        single invalid one is skipped: it would block all later ones."""
        try:
            return self.journal.write(events)
        except (Damaged, Unstorable, *VALUE_ERRORS) as error:
            if len(events) > 1:
                raise RejectedEvent from error
            log.exception("Skipped event %d: the journal cannot store it", events[0].sequence)
            return None
