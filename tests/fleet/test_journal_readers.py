"""Readers of the journal: each at its own pace, from its own cursor, every event once."""

import logging
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    insert,
    select,
    text,
    update,
)

from fleet.history import cursor_rows
from fleet.history.cursor_rows import CursorMoved
from fleet.history.journal import Journal, JournalWriter
from fleet.history.journal_readers import (
    BATCH,
    BEHIND_AFTER,
    UNUSED_AFTER,
    DurableReader,
    MemoryReader,
)
from fleet.model import Event
from tests.fleet.reports import NOON, A, missed, noon, seen
from tests.fleet.tracking import opened
from tests.home import ROOT, until
from tests.store.postgres import Cluster

notes = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""What a reader of these tests makes: one row for each event, and nothing against two."""


def event(sequence: int) -> Event:
    at = noon(minutes=sequence % 10**6)
    return Event(sequence, at, "device.found", 1, f"event {sequence}")


def write(journal: Journal, *sequences: int) -> None:
    journal.write([event(number) for number in sequences])
    journal.readers.wake()


def note(connection: Connection, events: Sequence[Event]) -> None:
    connection.execute(insert(notes), [{"number": event.sequence} for event in events])


def noted(journal: Journal) -> list[int]:
    with journal.engine.connect() as connection:
        return list(connection.execute(select(notes.c.number).order_by(notes.c.id)).scalars())


def cursor(journal: Journal, name: str = "notes") -> int:
    with journal.engine.connect() as connection:
        return cursor_rows.every(connection).get(name, -1)


def reader_of(journal: Journal, name: str = "notes", *, from_oldest: bool = True) -> DurableReader:
    """A reader that writes notes, which the journal knows; it is not started."""
    with journal.engine.begin() as connection:
        notes.create(connection, checkfirst=True)
    reader = DurableReader(journal.engine, name, note, lambda: NOON, from_oldest=from_oldest)
    journal.readers.add(reader)
    return reader


@contextmanager
def running(journal: Journal) -> Iterator[None]:
    journal.readers.start(journal.newest)
    try:
        yield
    finally:
        journal.readers.stop()


# -- each from its own cursor --------------------------------------------------------------------


def test_every_reader_reads_every_event_in_order(journal: Journal) -> None:
    read: dict[str, list[int]] = {"one": [], "two": [], "three": []}
    for name, numbers in read.items():
        journal.readers.add(
            MemoryReader(
                journal.engine,
                name,
                lambda events, numbers=numbers: numbers.extend(event.sequence for event in events),
            )
        )
    reader_of(journal)
    with running(journal):
        for start in range(1, 1201, 300):
            write(journal, *range(start, start + 300))
        until(lambda: cursor(journal) == 1200, what="the notes are complete")
        until(
            lambda: all(len(numbers) == 1200 for numbers in read.values()), what="so are the others"
        )
    assert noted(journal) == list(range(1, 1201))
    assert list(read.values()) == [noted(journal)] * 3


def test_a_reader_is_never_given_more_than_a_batch(journal: Journal) -> None:
    sizes: list[int] = []
    journal.readers.add(
        MemoryReader(journal.engine, "sizes", lambda events: sizes.append(len(events)))
    )
    write(journal, *range(1, 2 * BATCH + 8))
    with running(journal):
        until(lambda: sum(sizes) == 2 * BATCH + 7)
    assert sizes == [BATCH, BATCH, 7]


@pytest.mark.parametrize(("from_oldest", "numbers"), [(True, [1, 2, 3]), (False, [3])])
def test_a_new_reader_begins_with_the_oldest_event_or_with_those_to_come(
    journal: Journal, from_oldest: bool, numbers: list[int]
) -> None:
    write(journal, 1, 2)
    reader = reader_of(journal, from_oldest=from_oldest)
    reader.step()
    write(journal, 3)
    reader.step()
    assert noted(journal) == numbers


def test_a_reader_can_be_added_while_it_runs(journal: Journal) -> None:
    with running(journal):
        write(journal, 1, 2)
        reader_of(journal)
        until(lambda: noted(journal) == [1, 2])
        with pytest.raises(ValueError, match="notes already"):
            reader_of(journal)


def test_a_reader_misses_no_event_that_waited_for_the_start(
    journal: Journal, tmp_path: Path
) -> None:
    """An event that the last run did not deliver is new to a reader that begins at the end."""
    read: list[int] = []
    with opened(tmp_path / "monitor") as tracker:
        tracker.apply([seen(A)], NOON)
        journal.readers.add(
            MemoryReader(
                journal.engine,
                "new",
                lambda events: read.extend(event.sequence for event in events),
            )
        )
        journal_writer = JournalWriter(tracker, journal)
        journal_writer.start()
        journal_writer.notify()
        until(lambda: read == [1])
        journal_writer.stop()


def test_a_slow_reader_holds_up_neither_the_writer_nor_another_reader(
    journal: Journal, tmp_path: Path
) -> None:
    go_on, read = Flag(), list[int]()
    journal.readers.add(MemoryReader(journal.engine, "slow", lambda _events: go_on.wait(60)))
    journal.readers.add(
        MemoryReader(
            journal.engine, "quick", lambda events: read.extend(event.sequence for event in events)
        )
    )
    with opened(tmp_path / "monitor") as tracker, running(journal):
        for number in range(1, 4):
            tracker.apply([seen(f"mac:d4:2d:c5:00:00:0{number}", address=None)], NOON)
            assert JournalWriter(tracker, journal).deliver()
            until(lambda number=number: read == list(range(1, number + 1)))
        assert tracker.fleet().outbox == ()
        assert journal.readers.positions() == {"slow": 0, "quick": 3}
        go_on.set()
        until(lambda: journal.readers.slowest() == 3)


# -- once, whatever happens ----------------------------------------------------------------------


def test_a_reader_continues_where_it_was_after_a_restart(sql_url: str) -> None:
    for start in (1, 11, 21):
        journal = Journal(sql_url)
        journal.open()
        reader_of(journal)
        with running(journal):
            write(journal, *range(start, start + 10))
            until(lambda start=start, journal=journal: cursor(journal) == start + 9)
        journal.close()
    again = Journal(sql_url)
    again.open()
    assert noted(again) == list(range(1, 31))
    again.close()


def test_what_fails_while_it_is_stored_is_stored_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The machine has no memory left after the rows were written, and before they are kept."""
    monkeypatch.setattr("fleet.history.journal_readers.RETRY_AFTER", 0.02)
    tries: list[int] = []

    def handle(connection: Connection, events: Sequence[Event]) -> None:
        note(connection, events)
        tries.append(len(events))
        if len(tries) < 4:
            raise MemoryError

    reader = reader_of(journal)
    reader.handle = handle
    write(journal, 1, 2, 3)
    with running(journal):
        until(lambda: cursor(journal) == 3)
    assert noted(journal) == [1, 2, 3]
    assert tries == [3, 3, 3, 3]
    messages = [
        record.message
        for record in caplog.records
        if record.name == "fleet.history.journal_readers"
    ]
    assert messages == ["Journal reader notes failed; retrying"]


CRASHING = """
import sys
from datetime import UTC, datetime
from fleet.history.journal import Journal
from tests.fleet.test_journal_readers import reader_of
journal = Journal(sys.argv[1])
reader = reader_of(journal)
print("reads", flush=True)
while True:
    reader.step()
"""


def test_a_reader_that_is_killed_again_and_again_takes_each_event_once(tmp_path: Path) -> None:
    url, last, chance = f"sqlite:///{tmp_path / 'journal.db'}", 0, random.Random(7)
    journal = Journal(url)
    journal.open()
    reader = reader_of(journal)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", CRASHING, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "reads\n"
        begun = cursor(journal)
        write(journal, last + 1, last + 2)
        last += 2
        until(lambda begun=begun: cursor(journal) > begun, what="it takes events in")
        end = time.monotonic() + chance.uniform(0.0, 0.2)
        while time.monotonic() < end:
            write(journal, last + 1, last + 2)
            last += 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    while reader.step():
        pass
    assert noted(journal) == list(range(1, last + 1))
    journal.close()


def test_two_that_share_a_cursor_by_mistake_take_no_event_twice(journal: Journal) -> None:
    first = reader_of(journal)
    second = DurableReader(journal.engine, "notes", note, lambda: NOON, from_oldest=True)
    write(journal, 1, 2)
    first.step()
    second.step()
    write(journal, 3)
    first.step()
    with pytest.raises(CursorMoved):
        second.step()
    second.step()
    assert noted(journal) == [1, 2, 3]


def test_numbers_that_jump_are_read_in_order(journal: Journal) -> None:
    """As after an older journal was put beside a newer database file."""
    reader = reader_of(journal)
    for numbers in ((1, 2), (2**40, 2**40 + 5), (2**40 + 6,)):
        write(journal, *numbers)
        reader.step()
    assert cursor(journal) == 2**40 + 6
    assert noted(journal) == [1, 2, 2**40, 2**40 + 5, 2**40 + 6]
    with journal.engine.begin() as connection:
        connection.execute(update(cursor_rows.cursors).values(sequence=2))
    write(journal, 2**40 + 7)
    with pytest.raises(CursorMoved):
        reader.step()


def test_a_reader_goes_on_in_an_older_copy_of_the_database(tmp_path: Path) -> None:
    """What it made is in the copy too, so it makes again what the copy lacks."""
    file, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    for restored, more, expected in (
        (False, (1, 2), [1, 2]),
        (False, (3, 4), [1, 2, 3, 4]),
        (True, (9, 10), [1, 2, 9, 10]),
    ):
        if restored:
            shutil.copy(copy, file)
        journal = Journal(f"sqlite:///{file}")
        journal.open()
        reader = reader_of(journal)
        write(journal, *more)
        reader.step()
        assert noted(journal) == expected
        journal.close()
        if not copy.exists():
            shutil.copy(file, copy)


def test_a_database_from_before_there_were_readers_gets_one(journal: Journal) -> None:
    """A new reader starts with what it is told to, though the journal is years old."""
    write(journal, *range(1, 8))
    with journal.engine.begin() as connection:
        connection.execute(text("DROP TABLE journal_cursors"))
        connection.execute(text("DROP TABLE preferences"))
        connection.execute(text("DROP TABLE range_inbox"))
        connection.execute(text("DROP TABLE range_scan"))
        connection.execute(text("DROP TABLE segments"))
        connection.execute(text("DROP TABLE recordings"))
        connection.execute(text("DROP TABLE schedules"))
        connection.execute(text("DROP TABLE outages"))
        connection.execute(text("DROP TABLE link_days"))
        connection.execute(text("DROP TABLE schedule_plans"))
        connection.execute(text("DROP TABLE camera_plans"))
        connection.execute(text("DROP TABLE stills"))
        connection.execute(text("DROP TABLE missed_stills"))
        connection.execute(text("DROP TABLE still_intervals"))
        connection.execute(text("DROP TABLE health_settings"))
        connection.execute(text("DROP TABLE health_courses"))
        connection.execute(text("DROP TABLE health_pictures"))
        connection.execute(text("ALTER TABLE grants DROP COLUMN store"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
    journal.close()
    journal.open()
    reader = reader_of(journal)
    reader.step()
    assert noted(journal) == list(range(1, 8))


def test_a_number_that_a_reader_has_passed_is_never_given_again(sql_url: str) -> None:
    """The events may be gone, and the database file an older copy: the cursor still knows."""
    journal = Journal(sql_url)
    journal.open()
    reader = reader_of(journal)
    write(journal, 5, 6)
    reader.step()
    assert journal.forget(noon(days=1)) == 2
    journal.close()
    again = Journal(sql_url)
    assert again.open()[0] == 6
    again.close()


def test_a_reader_waits_while_the_database_is_away_and_is_woken_when_it_is_back(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.history.journal.RETRY_AFTER", 0.2)
    journal = Journal(postgres.new_database())
    with opened(tmp_path / "monitor") as tracker:
        tracker.continue_above(*journal.open(), NOON)
        reader = reader_of(journal)
        journal_writer = JournalWriter(tracker, journal)
        tracker.on_events = journal_writer.notify
        journal_writer.start()
        tracker.apply([seen(A)], NOON)
        until(lambda: noted(journal) == [1])
        until(lambda: journal_writer.has_rolled_up, what="nothing else is under way")
        postgres.stop()
        tracker.apply([missed(A, noon(minutes=1))], noon(minutes=1))
        until(lambda: journal_writer.trouble, what="the writer has noticed")
        reader.wake()
        assert reader.is_alive()
        postgres.start()
        until(lambda: not tracker.fleet().outbox, what="the journal has it")
        until(lambda: noted(journal) == [1, 2], what="so has the reader")
        journal_writer.stop()
    journal.close()


# -- what one event does to all others -----------------------------------------------------------


def test_an_event_that_a_reader_cannot_use_is_passed_over_and_logged(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(connection: Connection, events: Sequence[Event]) -> None:
        if any(event.sequence == 4 for event in events):
            raise KeyError("status")
        note(connection, events)

    reader = reader_of(journal)
    reader.handle = handle
    write(journal, *range(1, 10))
    reader.step()
    assert noted(journal) == [1, 2, 3, 5, 6, 7, 8, 9]
    assert cursor(journal) == 9
    messages = [
        record.message
        for record in caplog.records
        if record.name == "fleet.history.journal_readers"
    ]
    assert messages == ["Skipped event 4: reader notes cannot process it"]


def test_a_row_that_cannot_be_read_is_passed_over_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite takes any text where a time belongs, from anybody who edits the file."""
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    journal.open()
    reader = reader_of(journal)
    write(journal, 1, 2, 3)
    with journal.engine.begin() as connection:
        connection.execute(text("UPDATE events SET at = 'long ago' WHERE sequence = 2"))
    while reader.step():
        pass
    assert noted(journal) == [1, 3]
    messages = [
        record.message
        for record in caplog.records
        if record.name == "fleet.history.journal_readers"
    ]
    assert messages == ["Skipped event 2: it cannot be read from the journal"]
    journal.close()


# -- what is kept for them -----------------------------------------------------------------------


def test_no_event_is_forgotten_before_every_reader_has_read_it(journal: Journal) -> None:
    slow, quick = reader_of(journal, "slow"), reader_of(journal, "quick")
    write(journal, 1, 2, 3)
    slow.step()
    write(journal, 4, 5, 6)
    quick.step()
    assert journal.readers.positions() == {"slow": 3, "quick": 6}
    assert journal.forget(noon(days=400)) == 3
    assert [event.sequence for event in journal.find()] == [6, 5, 4]
    slow.step()
    assert journal.forget(noon(days=400)) == 3
    assert cursor(journal, "slow") == 6


def test_a_reader_in_memory_holds_old_events_too(journal: Journal) -> None:
    reader = MemoryReader(journal.engine, "stream", lambda _events: None)
    journal.readers.add(reader)
    reader.begin_after = 0
    write(journal, 1, 2)
    assert journal.forget(noon(days=400)) == 0
    reader.step()
    assert journal.forget(noon(days=400)) == 2


def test_a_reader_that_begins_with_the_oldest_event_holds_all_before_its_first_step(
    journal: Journal,
) -> None:
    write(journal, 1, 2)
    reader = reader_of(journal)
    assert journal.forget(noon(days=400)) == 0
    reader.begin_after = 2
    assert journal.forget(noon(days=400)) == 0
    reader.step()
    assert noted(journal) == [1, 2]
    assert journal.forget(noon(days=400)) == 2


def test_a_reader_of_an_earlier_run_holds_old_events_until_it_is_dropped(sql_url: str) -> None:
    journal = Journal(sql_url)
    journal.open()
    reader_of(journal).step()
    journal.close()
    again = Journal(sql_url)
    again.open()
    write(again, 1, 2)
    assert again.forget(noon(days=400)) == 0
    assert again.readers.drop("notes")
    assert not again.readers.drop("notes")
    assert again.forget(noon(days=400)) == 2
    again.close()


def test_a_reader_that_is_a_week_behind_is_reported(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    reader = reader_of(journal)
    reader.step()
    write(journal, 1, 2)
    oldest = noon(minutes=1)
    assert journal.readers.check(oldest + BEHIND_AFTER) == []
    problems = journal.readers.check(oldest + BEHIND_AFTER + timedelta(seconds=1))
    assert problems == [
        "Journal reader notes is behind: 2 events unread since 2026-03-01. Unread events are not "
        "deleted. See the log for its errors."
    ]
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == problems
    reader.step()
    assert journal.readers.check(noon(days=400)) == []


def test_a_reader_that_nothing_uses_is_reported_and_dropped_after_a_month(sql_url: str) -> None:
    journal = Journal(sql_url)
    journal.open()
    reader_of(journal).step()
    journal.close()
    again = Journal(sql_url)
    again.open()
    write(again, 1)
    oldest = noon(minutes=1)
    [problem] = again.readers.check(oldest + UNUSED_AFTER)
    assert problem.endswith(
        "1 event unread since 2026-03-01. It is unused and will be dropped after 30 days."
    )
    assert again.readers.check(oldest + UNUSED_AFTER + timedelta(seconds=1)) == [
        "Dropped the unused journal reader notes."
    ]
    assert again.readers.positions() == {}
    again.close()


def test_a_reader_that_is_used_is_never_dropped_by_itself(journal: Journal) -> None:
    reader_of(journal).step()
    write(journal, 1)
    assert "is behind" in journal.readers.check(noon(days=4000))[0]
    assert journal.readers.positions() == {"notes": 0}
