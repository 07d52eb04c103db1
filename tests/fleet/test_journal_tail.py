"""The newest events in memory: readers that are up to date take them without a query."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as sql_events
from sqlalchemy import text

from fleet.history.journal import Journal, JournalWriter
from fleet.history.journal_readers import BATCH, MemoryReader, Tail
from fleet.model import Event
from tests.fleet.reports import NOON, A, missed, noon, seen
from tests.fleet.tracking import opened
from tests.home import until


def events(*sequences: int) -> list[Event]:
    return [
        Event(number, noon(seconds=number % 10**6), "device.found", 1, f"event {number}")
        for number in sequences
    ]


class Reading(MemoryReader):
    """A reader that is stepped by hand, with the numbers that it has read."""

    def __init__(self, journal: Journal, name: str = "reading") -> None:
        super().__init__(journal.engine, name, self.read)
        self.numbers: list[int] = []
        self.events: list[Event] = []
        self.begin_after = 0
        journal.readers.add(self)

    def read(self, events: Sequence[Event]) -> None:
        self.events += events
        self.numbers += [event.sequence for event in events]

    def catch_up(self) -> list[int]:
        while self.step():
            pass
        return self.numbers


def write(journal: Journal, *sequences: int) -> Tail | None:
    tail = journal.write(events(*sequences))
    journal.readers.wake(tail)
    return tail


@contextmanager
def queries(journal: Journal) -> Iterator[list[str]]:
    """The statements that the database is sent meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    sql_events.listen(journal.engine, "before_cursor_execute", note)
    yield statements
    sql_events.remove(journal.engine, "before_cursor_execute", note)


def test_a_reader_in_memory_that_is_up_to_date_sends_no_query(journal: Journal) -> None:
    reader = Reading(journal)
    write(journal, 1, 2)
    for number in (3, 4):
        reader.catch_up()
        write(journal, number)
    with queries(journal) as statements:
        reader.step()
    assert reader.numbers == [1, 2, 3, 4]
    assert statements == []


def test_each_edit_reaches_the_reader_through_memory(journal: Journal, tmp_path: Path) -> None:
    reader = Reading(journal)
    with opened(tmp_path / "monitor") as tracker:
        journal_writer = JournalWriter(tracker, journal)
        for minutes, report in enumerate((seen(A), missed(A, noon(minutes=1)))):
            tracker.apply([report], noon(minutes=minutes))
            assert journal_writer.deliver()
            with queries(journal) as statements:
                reader.step()
            assert statements == []
            assert reader.numbers == list(range(1, tracker.fleet().sequence + 1))
    assert reader.events == journal.find(after=0)


def test_the_event_in_memory_is_the_one_in_the_journal(journal: Journal) -> None:
    """Also of texts, keys and times that the table has no place for as they are."""
    odd = Event(
        1,
        NOON.astimezone(timezone(timedelta(hours=5))),
        "kind" * 20,
        1,
        "a\x00b\ud800",
        {"tags": ("a", "b\x00"), "deep": {"x\x00": 1}},
        extra={"newer": 1},
    )
    tail = journal.write([odd])
    assert tail is not None
    assert tail.events == journal.find()
    assert tail.events[0].at.utcoffset() == timedelta()


def test_a_reader_that_is_behind_queries_what_the_tail_lacks(journal: Journal) -> None:
    """As when two batches follow each other before it wakes."""
    reader = Reading(journal)
    write(journal, 1, 2)
    write(journal, 3)
    assert reader.catch_up() == [1, 2, 3]
    write(journal, 4)
    write(journal, 2**40)
    write(journal, 2**40 + 7, 2**40 + 8)
    assert reader.catch_up() == [1, 2, 3, 4, 2**40, 2**40 + 7, 2**40 + 8]


def test_a_batch_too_large_for_a_reader_is_queried(journal: Journal) -> None:
    reader = Reading(journal)
    assert write(journal, *range(1, BATCH + 2)) is None
    assert reader.catch_up() == list(range(1, BATCH + 2))
    assert write(journal, *range(BATCH + 2, 2 * BATCH + 2)) is not None
    assert reader.catch_up() == list(range(1, 2 * BATCH + 2))


def test_events_of_a_write_whose_answer_was_lost_are_read_once(journal: Journal) -> None:
    """The writer writes them again, with those that came meanwhile."""
    reader = Reading(journal)
    write(journal, 1)
    reader.catch_up()
    journal.write(events(2, 3))
    assert write(journal, 2, 3, 4) is None
    assert reader.catch_up() == [1, 2, 3, 4]
    journal.write(events(5, 6))
    write(journal, 5)
    write(journal, 6)
    write(journal, 7)
    assert reader.catch_up() == list(range(1, 8))


def test_a_reader_that_failed_takes_the_same_events_once(journal: Journal) -> None:
    reader, is_broken = Reading(journal), [True]

    def handle(events: Sequence[Event]) -> None:
        if is_broken.pop():
            raise MemoryError
        reader.read(events)

    reader.handle = handle
    write(journal, 1, 2)
    with pytest.raises(MemoryError):
        reader.step()
    is_broken += [False, True]
    with pytest.raises(MemoryError):
        reader.step()
    write(journal, 3)
    assert reader.catch_up() == [1, 2, 3]


def test_an_event_in_memory_that_a_reader_cannot_use_is_passed_over(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reading(journal)

    def handle(events: Sequence[Event]) -> None:
        if any(event.sequence == 2 for event in events):
            raise KeyError("status")
        reader.read(events)

    reader.handle = handle
    write(journal, 1, 2, 3)
    assert reader.catch_up() == [1, 3]
    assert "Skipped event 2: reader reading cannot process it" in caplog.messages


def test_an_older_copy_of_the_database_behind_a_running_reader_loses_nothing_new(
    journal: Journal,
) -> None:
    """And what was cleaned up is not read again."""
    reader = Reading(journal)
    write(journal, *range(1, 11))
    reader.catch_up()
    with journal.engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE sequence > 5"))
    write(journal, 11)
    assert reader.catch_up() == list(range(1, 12))
    assert journal.forget(noon(days=400)) == 6
    reader.wake()
    reader.step()
    write(journal, 12)
    assert reader.catch_up() == list(range(1, 13))


def test_a_database_with_events_of_another_server_is_read_in_order(journal: Journal) -> None:
    """It took the place of ours while the monitor ran, and knows the next number already."""
    reader = Reading(journal)
    write(journal, 1)
    reader.catch_up()
    with journal.engine.begin() as connection:
        connection.execute(text("UPDATE events SET sequence = 3 WHERE sequence = 1"))
    write(journal, 2, 3)
    assert reader.catch_up() == [1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_between_every_event_is_read_once_and_in_order(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Small and large batches, lost answers and a reader that fails, while its thread runs."""
    monkeypatch.setattr("fleet.history.journal_readers.RETRY_AFTER", 0.005)
    chance, reader, last = random.Random(seed), Reading(journal), 0

    def handle(events: Sequence[Event]) -> None:
        if chance.random() < 0.2:
            raise MemoryError
        reader.read(events)

    reader.handle = handle
    journal.readers.start(0)
    for _ in range(60):
        size = chance.choice((1, 1, 1, 2, 7, BATCH + 20) if last < 3 * BATCH else (1, 2))
        numbers = range(last + 1, last + size + 1)
        if chance.random() < 0.2:
            journal.write(events(*numbers[: chance.randint(1, size)]))
        write(journal, *numbers)
        last += size
    until(lambda: reader.sequence == last)
    journal.readers.stop()
    assert reader.numbers == list(range(1, last + 1))
