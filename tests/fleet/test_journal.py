"""The journal on both databases: each event once, found by any question, none lost."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from fleet.history import event_rows
from fleet.history.journal import Journal, JournalWriter
from fleet.history.journal_readers import MemoryReader
from fleet.model import Event
from fleet.tracker import Tracker
from simulators.panasonic import Camera
from store.sql import Unreachable
from tests.fleet.reports import NOON, A, B, edit, missed, noon, seen
from tests.fleet.tracking import on_disk, opened
from tests.home import Clock, Home, until
from tests.store.postgres import PASSWORD, Cluster

Make = Callable[..., Home]


def event(sequence: int, at: datetime = NOON, **more: Any) -> Event:
    given = {"kind": "device.found", "device": 1, "text": f"event {sequence}", **more}
    return Event(sequence, at, **given)


def numbers(events: Sequence[Event]) -> list[int]:
    return [event.sequence for event in events]


@contextmanager
def reading(journal: Journal) -> Iterator[list[int]]:
    """A reader of the journal; the list holds the numbers of the events that it has read."""
    read: list[int] = []
    reader = MemoryReader(journal.engine, "test", lambda events: read.extend(numbers(events)))
    journal.readers.add(reader)
    journal.readers.start(journal.newest)
    yield read
    journal.readers.stop()


# -- writing ---------------------------------------------------------------------------------


def test_an_event_comes_back_as_it_was(journal: Journal) -> None:
    written = event(
        7,
        datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
        device=None,
        text="Größe 門 📷 <b>'; DROP TABLE events; --",
        before={"name": None, "list": [1, "x", {"y": 2.5}]},
        after={"big": 2**60, "empty": {}},
    )
    journal.write([written])
    assert journal.event(7) == written
    assert journal.find() == [written]
    assert journal.event(8) is None


def test_each_event_is_kept_once_and_the_first_one_counts(journal: Journal) -> None:
    journal.write([event(1), event(2)])
    journal.write([event(2, text="another"), event(3), event(1)])
    assert [event.text for event in journal.find()] == ["event 3", "event 2", "event 1"]


def test_the_highest_numbers_are_known_from_the_start(sql_url: str) -> None:
    """Of an event and of a device: neither may be given again."""
    journal = Journal(sql_url)
    assert journal.open() == (0, 0)
    journal.write([event(5, device=9), event(41, device=None), event(17, device=2)])
    journal.close()
    again = Journal(sql_url)
    assert again.open() == (41, 9)
    again.close()


def test_numbers_beyond_four_bytes_fit(journal: Journal) -> None:
    journal.write([event(2**40)])
    assert numbers(journal.find(after=2**40 - 1)) == [2**40]


def test_many_events_at_once_are_no_trouble(journal: Journal) -> None:
    journal.write([event(number) for number in range(1, 5001)])
    assert len(journal.find(limit=10_000)) == 5000


ODD: dict[str, dict[str, Any]] = {
    "a NUL in the text": {"text": "Gate\x00Door"},
    "a NUL in what changed": {"after": {"name": "Gate\x00Door"}},
    "a NUL in a key": {"before": {"na\x00me": ["\x00"]}},
    "control characters": {"text": "".join(map(chr, range(1, 32))) + "\x7f\x85\u2028"},
    "a very long text": {"text": "x" * 1_000_000},
    "no text at all": {"text": ""},
    "signs that mean something in SQL": {"text": "%s %(x)s :name ? \\ ' \" ; --"},
}


@pytest.mark.parametrize("what", ODD)
def test_odd_text_holds_nothing_up(journal: Journal, what: str) -> None:
    """One event that a database does not take would stop all that come after it."""
    journal.write([event(1), event(2, **ODD[what]), event(3)])
    read = journal.find()
    assert numbers(read) == [3, 2, 1]
    if "NUL" not in what:
        assert read[1] == event(2, **ODD[what])


# -- questions -------------------------------------------------------------------------------


@pytest.fixture
def history(journal: Journal) -> Journal:
    """Ten events a minute apart: devices 1 and 2 by turns, of five kinds."""
    kinds = ("device.found", "device.offline", "finding.raised", "source.down", "devicex")
    journal.write(
        [
            event(
                number,
                noon(minutes=number),
                device=None if number % 5 == 4 else number % 2 + 1,
                kind=kinds[(number - 1) % 5],
            )
            for number in range(1, 11)
        ]
    )
    return journal


QUESTIONS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "everything, newest first": ({}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    "by device": ({"device": 2}, [7, 5, 3, 1]),
    "by a device that has none": ({"device": 99}, []),
    "by kind": ({"kinds": ["device.found"]}, [6, 1]),
    "by two kinds": ({"kinds": ["device.found", "source.down"]}, [9, 6, 4, 1]),
    "by a family of kinds": ({"kinds": ["device."]}, [7, 6, 2, 1]),
    "by a family and a kind": ({"kinds": ["device.", "source.down"]}, [9, 7, 6, 4, 2, 1]),
    "by two families": ({"kinds": ["finding.", "source."]}, [9, 8, 4, 3]),
    "a family is no pattern": ({"kinds": ["%."]}, []),
    "by a kind that has none": ({"kinds": ["nothing"]}, []),
    "since, which counts in": ({"since": noon(minutes=8)}, [10, 9, 8]),
    "until, which does not": ({"until": noon(minutes=3)}, [2, 1]),
    "between": ({"since": noon(minutes=3), "until": noon(minutes=5)}, [4, 3]),
    "since, in another zone": (
        {"since": noon(minutes=8).astimezone(tz=None)},
        [10, 9, 8],
    ),
    "before a number": ({"before": 4}, [3, 2, 1]),
    "after a number, oldest first": ({"after": 7}, [8, 9, 10]),
    "after everything": ({"after": 10}, []),
    "a page of the newest": ({"limit": 3}, [10, 9, 8]),
    "the page before": ({"limit": 3, "before": 8}, [7, 6, 5]),
    "a page of what follows": ({"limit": 3, "after": 4}, [5, 6, 7]),
    "all at once": (
        {"device": 2, "kinds": ["device."], "since": noon(minutes=2), "limit": 5},
        [7],
    ),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_events_are_found(history: Journal, what: str) -> None:
    question, answer = QUESTIONS[what]
    assert numbers(history.find(**question)) == answer


def test_what_is_old_is_forgotten_and_counted(history: Journal) -> None:
    assert history.forget(noon(minutes=4)) == 3
    assert numbers(history.find()) == [10, 9, 8, 7, 6, 5, 4]
    assert history.forget(noon(minutes=4)) == 0
    assert event_rows.highest(history.engine)[0] == 10


# -- the way there ---------------------------------------------------------------------------


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    with opened(tmp_path / "monitor") as made:
        yield made


def test_events_stay_in_the_file_until_the_journal_has_them(
    tracker: Tracker, journal: Journal, tmp_path: Path
) -> None:
    journal_writer = JournalWriter(tracker, journal)
    tracker.apply([seen(A), seen(B, address="10.0.0.2")], NOON)
    assert numbers(on_disk(tmp_path / "monitor").outbox) == [1, 2]
    assert journal.find() == []
    with reading(journal) as read:
        assert journal_writer.deliver()
        assert numbers(journal.find()) == [2, 1]
        assert tracker.fleet().outbox == ()
        until(lambda: read == [1, 2], what="the reader has both")
    tracker.apply([edit("change", "id:1", name="Gate")], NOON)
    assert numbers(on_disk(tmp_path / "monitor").outbox) == [3], "the next write forgets them"


def test_a_crash_between_the_journal_and_the_file_doubles_nothing(
    journal: Journal, tmp_path: Path
) -> None:
    with opened(tmp_path / "monitor") as tracker:
        tracker.apply([seen(A)], NOON)
        tracker.apply([missed(A, noon(minutes=1))], noon(minutes=1))
        journal.write(tracker.fleet().outbox)
        kept = (tmp_path / "monitor" / "camera_database.json").read_bytes()
    (tmp_path / "after").mkdir()
    (tmp_path / "after" / "camera_database.json").write_bytes(kept)
    with opened(tmp_path / "after") as tracker:
        tracker.continue_above(*event_rows.highest(journal.engine), NOON)
        tracker.apply([seen(A, at=noon(minutes=2))], noon(minutes=2))
        assert JournalWriter(tracker, journal).deliver()
    kinds = [(event.sequence, event.kind) for event in journal.find()][::-1]
    assert kinds == [(1, "device.found"), (2, "device.offline"), (3, "device.back")]


def test_more_events_than_one_delivery_holds_all_arrive_in_order(
    tracker: Tracker, journal: Journal
) -> None:
    cameras = [f"mac:d4:2d:c5:01:{n >> 8:02x}:{n & 255:02x}" for n in range(2500)]
    tracker.apply([seen(key, address=None) for key in cameras], NOON)
    with reading(journal) as read:
        assert JournalWriter(tracker, journal).deliver()
        until(lambda: read == list(range(1, 2501)), what="the reader has all of them")
    assert numbers(journal.find(limit=5000))[::-1] == read


LONG_AGO = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
"""A time that is before all times in UTC."""


@pytest.mark.parametrize("change", [{"at": LONG_AGO}, {"kind": None}, {"device": 1 << 70}])
def test_an_event_that_does_not_fit_is_left_out_and_holds_up_no_other(
    tracker: Tracker, journal: Journal, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    journal_writer = JournalWriter(tracker, journal)
    keys = [f"mac:d4:2d:c5:01:00:{n:02x}" for n in range(4)]
    tracker.apply([seen(key, address=None) for key in keys], NOON)
    first, second, *others = tracker.fleet().outbox
    outbox = (first, replace(second, **change), *others)
    tracker._fleet = replace(tracker.fleet(), outbox=outbox)
    with reading(journal) as read:
        assert journal_writer.deliver()
        assert numbers(journal.find()) == [4, 3, 1]
        until(lambda: read == [1, 3, 4], what="the reader has the others")
    assert tracker.fleet().outbox == ()
    assert [
        record.message for record in caplog.records if record.name == "fleet.history.journal"
    ] == ["Skipped event 2: the journal cannot store it"]


def test_a_delivery_that_fails_unexpectedly_is_tried_again(
    tracker: Tracker,
    journal: Journal,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when the machine has no memory left for a moment."""
    monkeypatch.setattr("fleet.history.journal.RETRY_AFTER", 0.02)
    tries: list[int] = []

    def also() -> bool:
        tries.append(1)
        if len(tries) < 4:
            raise RuntimeError("can't start new thread")
        return True

    journal_writer = JournalWriter(tracker, journal, also)
    tracker.apply([seen(A)], NOON)
    journal_writer.start()
    until(lambda: journal_writer.has_rolled_up, what="it goes on after the fourth try")
    assert journal_writer.is_alive()
    assert numbers(journal.find()) == [1]
    journal_writer.stop()
    assert not journal_writer.is_alive()
    messages = [
        record.message for record in caplog.records if record.name == "fleet.history.journal"
    ]
    assert messages == ["Writing events to the SQL database failed; retrying"]


def test_events_wait_in_the_file_while_the_server_is_down_and_arrive_once_it_is_back(
    tracker: Tracker, postgres: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    journal = Journal(postgres.new_database())
    tracker.continue_above(*journal.open(), NOON)
    journal_writer = JournalWriter(tracker, journal)
    tracker.apply([seen(A)], NOON)
    assert journal_writer.deliver()
    postgres.stop()
    tracker.apply([missed(A, noon(minutes=1))], noon(minutes=1))
    for _ in range(3):
        assert not journal_writer.deliver()
    assert "SQL database unavailable" in journal_writer.trouble
    assert PASSWORD not in journal_writer.trouble + caplog.text
    with pytest.raises(Unreachable):
        journal.find()
    assert numbers(on_disk(tmp_path / "monitor").outbox)[-1] == 2
    postgres.start()
    assert journal_writer.deliver()
    assert journal_writer.trouble == ""
    assert [event.kind for event in journal.find()] == ["device.offline", "device.found"]
    levels = [
        record.levelname for record in caplog.records if "fleet.history.journal" in record.name
    ]
    assert levels == ["ERROR", "INFO"], "lost is said once, back once"
    journal.close()


def test_a_whole_monitor_lives_through_a_restart_of_its_server(
    make_home: Make, postgres: Cluster, clock: Clock
) -> None:
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1"), database_url=postgres.new_database()
    )
    home.scan()
    assert home.kinds() == ["device.found"]
    postgres.stop()
    answer = home.client.patch("/api/camera/1", json={"name": "Gate"})
    assert answer.status_code == 200, "what is durable in the file is done"
    assert home.client.get("/api/cameras").json["cameras"][0]["camera_name"] == "Gate"
    refused = home.client.get("/api/events")
    assert refused.status_code == 503
    assert PASSWORD not in refused.text
    undone = home.client.post("/api/undo", json={"event": answer.json["undo"]})
    assert undone.status_code == 200, "an event that waits can be undone already"
    until(lambda: home.monitor.journal_writer.trouble, what="the journal_writer has noticed")
    postgres.start()
    assert home.kinds() == ["device.found", "device.edited", "device.edited"]
    assert home.monitor.journal_writer.trouble == ""


def test_a_time_that_the_server_thinks_is_local_is_shown_with_its_offset(
    make_home: Make, postgres: Cluster
) -> None:
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1"), database_url=postgres.new_database()
    )
    home.scan()
    home.events()
    shown = home.client.get("/api/events").json["events"][0]["at"]
    assert datetime.fromisoformat(shown) == home.clock()
    assert datetime.fromisoformat(shown).utcoffset() == timedelta(0)
