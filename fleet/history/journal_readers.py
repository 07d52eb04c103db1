"""Readers of the journal: each is woken by new events and reads at its own pace.

A reader never holds up the journal's writer, and no other reader: it fetches the events in order,
in batches, after its own cursor. It fetches them from SQL; a reader in memory that is up to date
finds the newest ones in memory.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING

from fleet.history import cursor_rows, event_rows
from fleet.model import Event
from store.sql import VALUE_ERRORS, Damaged, Unreachable, Unstorable, translated_errors

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

log = logging.getLogger(__name__)
BATCH = 500
"""Events that a reader holds in memory at once."""
RETRY_AFTER = 5.0
"""Seconds after which a reader that failed tries again, unless it is woken before."""
BEHIND_AFTER = timedelta(days=7)
"""The age of an event that a reader has not read, from which it is reported as behind."""
UNUSED_AFTER = timedelta(days=30)
"""The same for a cursor that no part of this program uses: it is dropped."""
UNUSABLE = (Damaged, Unstorable, *VALUE_ERRORS)
"""What an event raises that its reader will not be able to use later either."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The events that were written last, as SQL has them: all that it has above `after`, at most
    BATCH."""

    after: int
    events: Sequence[Event]

    def above(self, start: int) -> list[Event]:
        """The events after `start`; empty when some of them, or all, are to be queried."""
        if start < self.after:
            return []
        return [event for event in self.events if event.sequence > start]


class JournalReader(ABC):
    """Thread that follows the journal from its cursor on, event by event.

    An error keeps the cursor where it is, and the same events are read again; but a single event
    that cannot be used is logged and passed over, because it would hold up all later ones.
    """

    def __init__(self, engine: "Engine", name: str) -> None:
        self.engine = engine
        self.name = name
        self.begin_after: int | None = None
        """Where a reader begins that has no cursor yet; None: after the newest event."""
        self.sequence: int | None = None
        """The last event that it has taken in; None until its cursor is known."""
        self._error = ""
        self._woken = Flag()
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name=f"reader_{name}", daemon=True)

    @abstractmethod
    def _open(self, start: int) -> int:
        """The cursor, which is `start` when it is new."""

    @abstractmethod
    def _take(self, events: Sequence[Event], start: int, end: int) -> None:
        """Process the events and move the cursor from `start` to `end`, both or neither."""

    @property
    def position(self) -> int | None:
        """The last processed event, or the one after which it will begin; None when it will
        begin with new events."""
        return self.begin_after if self.sequence is None else self.sequence

    def start(self) -> None:
        self._woken.set()
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def wake(self, tail: Tail | None = None) -> None:
        """Wake the thread for new events, which are in `tail` too. Returns at once."""
        self._woken.set()

    def stop(self) -> None:
        """End after the current batch."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        is_up_to_date = True
        while not self._stopping.is_set():
            self._woken.wait(None if is_up_to_date else RETRY_AFTER)
            self._woken.clear()
            is_up_to_date = self._try()

    def _try(self) -> bool:
        """Process all new events; False when it must be tried again later.

        What nobody expected is logged once: without this thread its reader hears nothing more.
        """
        try:
            while not self._stopping.is_set() and self.step():
                pass
        except Unreachable:
            return False  # the journal's writer has logged it, and wakes the readers afterwards
        except Exception as error:
            if repr(error) != self._error:
                log.exception("Journal reader %s failed; retrying", self.name)
            self._error = repr(error)
            return False
        self._error = ""
        return True

    def step(self) -> bool:
        """Process one batch; True when there may be more."""
        if self.sequence is None:
            begin = self.begin_after
            start = event_rows.highest(self.engine)[0] if begin is None else begin
            self.sequence = self._open(start)
        start = self.sequence
        try:
            events = self._next_batch(start)
        except Damaged:
            return self._step_over_damage(start)
        if events:
            self._take_or_halve(events, start)
        return len(events) == BATCH

    def _next_batch(self, start: int) -> Sequence[Event]:
        return event_rows.find(self.engine, after=start, limit=BATCH)

    def _step_over_damage(self, start: int) -> bool:
        """One row alone, after a batch in which one cannot be read. That one is passed over."""
        number = event_rows.next_after(self.engine, start)
        if number is None:
            return False
        try:
            events = event_rows.find(self.engine, after=start, limit=1)
        except Damaged:
            log.exception("Skipped event %d: it cannot be read from the journal", number)
            events = []
        self._take_or_halve(events, start, number)
        return True

    def _take_or_halve(self, events: Sequence[Event], start: int, end: int = 0) -> None:
        end = end or events[-1].sequence
        try:
            self._move(events, start, end)
        except UNUSABLE:
            if len(events) > 1:
                middle = len(events) // 2
                self._take_or_halve(events[:middle], start)
                self._take_or_halve(events[middle:], events[middle - 1].sequence)
                return
            log.exception("Skipped event %d: reader %s cannot process it", end, self.name)
            self._move((), start, end)

    def _move(self, events: Sequence[Event], start: int, end: int) -> None:
        try:
            self._take(events, start, end)
        except cursor_rows.CursorMoved:
            self.sequence = None
            raise
        self.sequence = end


class MemoryReader(JournalReader):
    """A reader whose work is in memory, and its cursor too: each run begins with new events."""

    def __init__(
        self, engine: "Engine", name: str, handle: Callable[[Sequence[Event]], None]
    ) -> None:
        super().__init__(engine, name)
        self.handle = handle
        self._tail: Tail | None = None

    def wake(self, tail: Tail | None = None) -> None:
        self._tail = tail
        super().wake()

    def _next_batch(self, start: int) -> Sequence[Event]:
        tail = self._tail
        return (tail.above(start) if tail else []) or super()._next_batch(start)

    def _open(self, start: int) -> int:
        return start

    def _take(self, events: Sequence[Event], _start: int, _end: int) -> None:
        self.handle(events)


class DurableReader(JournalReader):
    """A reader whose cursor is in SQL: it continues where it was, after any crash.

    `handle` stores what it makes of the events through the connection that it is given. The cursor
    moves in the same transaction, so every event is taken in exactly once. A new reader begins
    with the oldest event of the journal, or with those to come.
    """

    def __init__(
        self,
        engine: "Engine",
        name: str,
        handle: "Callable[[Connection, Sequence[Event]], None]",
        clock: Callable[[], datetime],
        *,
        from_oldest: bool = False,
    ) -> None:
        super().__init__(engine, name)
        self.handle = handle
        self.clock = clock
        self.from_oldest = from_oldest

    @property
    def position(self) -> int | None:
        """The position as for any reader; one that begins with the oldest event needs all of
        them until it has a cursor."""
        return 0 if self.from_oldest and self.sequence is None else super().position

    def _open(self, start: int) -> int:
        start = 0 if self.from_oldest else start
        with translated_errors(), self.engine.begin() as connection:
            return cursor_rows.register(connection, self.name, start, self.clock())

    def _take(self, events: Sequence[Event], start: int, end: int) -> None:
        with translated_errors(), self.engine.begin() as connection:
            if events:
                self.handle(connection, events)
            cursor_rows.advance(connection, self.name, start, end, self.clock())


class Readers:
    """All readers of one journal. Any may be added while it runs."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self._readers: dict[str, JournalReader] = {}
        self._are_running = False

    def add(self, reader: JournalReader) -> None:
        """Add a reader. Raises ValueError when another reader has this name."""
        if reader.name in self._readers:
            raise ValueError(f"the journal has a reader {reader.name} already")
        self._readers = {**self._readers, reader.name: reader}
        if self._are_running:
            reader.start()

    def start(self, newest: int) -> None:
        """Start all readers before the first event above `newest` is written, so that none
        misses it."""
        self._are_running = True
        for reader in self._readers.values():
            reader.begin_after = newest
            reader.start()

    def stop(self) -> None:
        for reader in self._readers.values():
            reader.stop()

    def wake(self, tail: Tail | None = None) -> None:
        """Wake all readers after events were written, which are in `tail` too if all of them fit,
        or the database is back. Returns at once."""
        for reader in self._readers.values():
            reader.wake(tail)

    def drop(self, name: str) -> bool:
        """Stop a reader that is gone for good, and forget its cursor; False if there is none."""
        reader = self._readers.get(name)
        self._readers = {key: value for key, value in self._readers.items() if key != name}
        if reader is not None:
            reader.stop()
        with translated_errors(), self.engine.begin() as connection:
            return cursor_rows.drop(connection, name) or reader is not None

    def positions(self) -> dict[str, int]:
        """The last event that each reader has processed, or does not need any more, by its name."""
        with translated_errors(), self.engine.connect() as connection:
            stored = cursor_rows.every(connection)
        return {**self._in_memory(), **stored}

    def _in_memory(self) -> Mapping[str, int]:
        known = {name: reader.position for name, reader in self._readers.items()}
        return {name: position for name, position in known.items() if position is not None}

    def slowest(self) -> int | None:
        """The last event that every reader has taken in; None without readers."""
        return min(self.positions().values(), default=None)

    def check(self, now: datetime) -> list[str]:
        """Report readers that keep old events in the journal, in sentences, in the log too.

        The cursor of a reader that this program no longer has is dropped after UNUSED_AFTER.
        """
        reports = []
        for name, sequence in self.positions().items():
            count, oldest = event_rows.waiting_after(self.engine, sequence)
            age = now - oldest if oldest else timedelta()
            is_used = name in self._readers
            if not is_used and age > UNUSED_AFTER and self.drop(name):
                reports.append(f"Dropped the unused journal reader {name}.")
            elif oldest and age > BEHIND_AFTER:
                reports.append(_behind(name, count, oldest, is_used))
        for text in reports:
            log.warning("%s", text)
        return reports


def _behind(name: str, count: int, oldest: datetime, is_used: bool) -> str:
    events = "1 event" if count == 1 else f"{count} events"
    problem = f"Journal reader {name} is behind: {events} unread since {oldest:%Y-%m-%d}."
    if not is_used:
        return f"{problem} It is unused and will be dropped after {UNUSED_AFTER.days} days."
    return f"{problem} Unread events are not deleted. See the log for its errors."
