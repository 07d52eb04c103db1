"""The roll-up of uptimes says what all the events say, whatever happens on the way."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from fleet.edit.editing import inverse
from fleet.history import event_rows, uptime_rows
from fleet.history.journal import Journal
from fleet.history.uptime import DAYS
from fleet.model import Event, Refused
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen
from tests.home import Clock, Home, until

Make = Callable[..., Home]
MINUTE = timedelta(minutes=1)
STATES = {
    **dict.fromkeys(("device.found", "device.back", "device.moved", "device.settled"), "up"),
    **dict.fromkeys(("device.offline", "device.missing", "device.unreachable"), "down"),
    **dict.fromkeys(("device.retired", "device.unknown"), "unknown"),
    "device.restored": "up",
}


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """One journal for many histories."""
    made = Journal(f"sqlite:///{tmp_path_factory.mktemp('sql') / 'journal.db'}")
    made.open()
    yield made
    made.close()


# -- the same as all the events ----------------------------------------------------------------

STEPS = ("sees A", "misses A", "sees B", "misses B", "retires A", "restores A", "merges", "undoes")
HISTORIES = st.lists(st.tuples(st.integers(1, 1500), st.sampled_from(STEPS)), max_size=25)


def lived(steps: Sequence[tuple[int, str]], start: datetime) -> Story:
    """Two records to which things happened, so many minutes apart."""
    story, at = Story(), start
    story.tell(seen(A, at=at), seen(B, at=at, address="10.0.0.2"), at=at)
    for minutes, step in steps:
        at += minutes * MINUTE
        verb, _, whom = step.partition(" ")
        key, address = (A, "10.0.0.1") if whom == "A" else (B, "10.0.0.2")
        merges = [event for event in story.events if event.kind == "device.merged"]
        try:
            match verb:
                case "sees":
                    story.tell(seen(key, at=at, address=address), at=at)
                case "misses":
                    story.tell(missed(key, at=at), at=at)
                case "retires" | "restores":
                    story.tell(edit(verb[:-1], "id:1", at=at), at=at)
                case "merges":
                    story.tell(edit("merge", "id:1", at=at, **{"with": 2}), at=at)
                case "undoes" if merges:
                    story.tell(inverse(merges[-1], "tester", at), at=at)
        except Refused:
            continue
    return story


def counted(story: Story, now: datetime, zone: ZoneInfo) -> dict[date, list[int]]:
    """Minutes up and down of device 1 by day, found by looking at every minute."""
    history = [
        event for event in story.events if event.kind in STATES or event.kind == "device.merged"
    ]
    history.sort(key=lambda event: event.sequence)
    is_merged = 2 in story.fleet.redirects
    states: dict[int | None, str] = {}
    minutes: dict[date, list[int]] = {}
    at = history[0].at
    while at < now:
        while history and history[0].at <= at:
            event = history.pop(0)
            if event.kind == "device.merged":
                states.pop(2, None)
            elif event.device == 1 or is_merged:
                states[event.device] = STATES[event.kind]
        day = minutes.setdefault(at.astimezone(zone).date(), [0, 0])
        if "up" in states.values():
            day[0] += 1
        elif "down" in states.values():
            day[1] += 1
        at += MINUTE
    return minutes


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Europe/Berlin", date(2026, 10, 25)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("America/Santiago", date(2026, 9, 6)),
        ("America/Havana", date(2026, 11, 1)),
    ],
)
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(steps=HISTORIES, sizes=st.lists(st.integers(1, 6), min_size=1), after=st.integers(0, 3000))
def test_the_roll_up_is_what_every_minute_of_every_history_says(
    name: str,
    day: date,
    steps: list[tuple[int, str]],
    sizes: list[int],
    after: int,
    lite: Journal,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        start = datetime(day.year, day.month, day.day, 7, tzinfo=UTC) - timedelta(days=2)
        story = lived(steps, start)
        now = story.events[-1].at + after * MINUTE
        with lite.engine.begin() as connection:
            for table in (event_rows.events, uptime_rows.uptime_days):
                connection.execute(delete(table))
        deliver_twice(lite, story.events, sizes)
        days = [start.date() + timedelta(days=n) for n in range(-1, (now - start).days + 3)]
        for asked in days:
            lite.note_asked(noon() + (asked - noon().date()), ["panasonic"])
        expected = counted(story, now, ZoneInfo(name))
        result = lite.uptimes([story.device(1)], now)[1]
    time.tzset()
    shown = {result.first + timedelta(days=n): share for n, share in enumerate(result.days)}
    assert {day: share for day, share in shown.items() if share is not None} == {
        day: pytest.approx(up / (up + down)) for day, (up, down) in expected.items() if up + down
    }
    up, down = (sum(each) for each in zip(*expected.values(), strict=True)) if expected else (0, 0)
    assert result.share == (pytest.approx(up / (up + down)) if up + down else None)


def deliver_twice(journal: Journal, events: Sequence[Event], sizes: Sequence[int]) -> None:
    """In batches, each of which comes again with the next one, as after a crash; at last comes
    the older half of all once more."""
    begin, number = 0, 0
    while begin < len(events):
        end = begin + sizes[number % len(sizes)]
        journal.write(events[max(0, begin - sizes[number % len(sizes)]) : end])
        begin, number = end, number + 1
    journal.write(events[: len(events) // 2])


# -- databases from before, and other zones ----------------------------------------------------


def flips(journal: Journal, device: int, count: int, first: datetime, every: timedelta) -> None:
    """The device goes and comes by turns."""
    turns = (("device.offline", {"status": "ACTIVE"}), ("device.back", {"status": "OFFLINE"}))
    events = []
    for n in range(count):
        kind, before = turns[n % 2]
        events.append(Event(device * 10_000 + n, first + n * every, kind, device, "", before))
    journal.write(events)


def rolled_up(journal: Journal) -> list[Any]:
    query = select(uptime_rows.uptime_days).order_by("device", "day")
    with journal.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_journal_from_before_is_rolled_up_once_at_the_start(make_home: Make) -> None:
    home = make_home()
    journal = home.monitor.journal
    until(lambda: home.monitor.journal_writer.has_rolled_up, what="there is nothing to roll up")
    for device in range(1, 60):
        flips(journal, device, 7, noon(days=-3), timedelta(hours=5))
    rolled = rolled_up(journal)
    assert len({row[0] for row in rolled}) == 59
    with journal.engine.begin() as connection:
        for table in (uptime_rows.uptime_days, uptime_rows.uptime_zone):
            connection.execute(delete(table))
    home.restart()
    until(lambda: home.monitor.journal_writer.has_rolled_up, what="the journal is rolled up")
    assert rolled_up(home.monitor.journal) == rolled
    assert list(home.monitor.journal.fill_uptimes()) == [], "the next start has nothing to do"


def test_what_was_interrupted_is_rolled_up_at_the_next_start(journal: Journal) -> None:
    for device in range(1, 60):
        flips(journal, device, 3, noon(), timedelta(hours=5))
    rolled = rolled_up(journal)
    with journal.engine.begin() as connection:
        connection.execute(delete(uptime_rows.uptime_days))
    assert next(journal.fill_uptimes())
    flips(journal, 60, 1, noon(hours=20), timedelta(hours=5))
    list(journal.fill_uptimes())
    assert [row for row in rolled_up(journal) if row[0] < 60] == rolled


def test_a_device_that_is_not_rolled_up_yet_is_with_its_next_event(journal: Journal) -> None:
    flips(journal, 1, 6, noon(), timedelta(hours=5))
    next_event = Event(7_000_001, noon(hours=30), "device.moved", 1, "")
    journal.write([next_event])
    rolled = rolled_up(journal)
    with journal.engine.begin() as connection:
        connection.execute(delete(uptime_rows.uptime_days))
        newest = event_rows.events.c.sequence == next_event.sequence
        connection.execute(delete(event_rows.events).where(newest))
    journal.write([next_event])
    assert rolled_up(journal) == rolled


def test_in_another_zone_the_days_are_those_of_that_zone(
    journal: Journal, machine_in: Callable[[str], None]
) -> None:
    machine_in("Asia/Tokyo")
    flips(journal, 1, 40, noon(), timedelta(hours=3))
    list(journal.fill_uptimes())
    tokyo = rolled_up(journal)
    machine_in("America/Chicago")
    assert list(journal.fill_uptimes()) == [1]
    chicago = rolled_up(journal)
    assert chicago != tokyo
    for rows, zone in ((tokyo, "Asia/Tokyo"), (chicago, "America/Chicago")):
        for row in rows:
            for at in (row[2], row[6]):
                assert datetime.fromtimestamp(at, ZoneInfo(zone)).date() == row[1]


@pytest.mark.parametrize(
    "after", [{}, {"id": 2}, {"stays": 1, "goes": "2"}, {"stays": 1, "goes": 2**40}]
)
def test_a_merge_that_does_not_name_its_records_keeps_no_event_from_the_journal(
    journal: Journal, after: dict[str, Any]
) -> None:
    merge = Event(1, noon(), "device.merged", 1, "", {"stays": 1}, after)
    unmerge = Event(2, noon(hours=1), "device.unmerged", 1, "", {}, after)
    journal.write([merge, unmerge])
    flips(journal, 1, 3, noon(hours=2), timedelta(hours=5))
    rolled = rolled_up(journal)
    assert rolled
    list(journal.fill_uptimes())
    assert [row[0] for row in rolled_up(journal)] == [row[0] for row in rolled]


# -- what stays --------------------------------------------------------------------------------


def test_old_events_are_forgotten_and_their_days_stay(make_home: Make, clock: Clock) -> None:
    home = make_home()
    home.monitor.tracker.apply([seen(A, at=clock())], clock())
    for _ in range(4):
        clock.forward(hours=20)
        home.monitor.tracker.apply([missed(A, clock())], clock())
        clock.forward(hours=10)
        home.monitor.tracker.apply([seen(A, at=clock())], clock())
        home.monitor.journal.note_asked(clock(), ["panasonic"])
    home.events()
    before = home.client.get("/api/camera/1/uptime").json
    assert 0.5 < before["share"] < 1
    assert home.monitor.journal.forget(clock() - timedelta(hours=30)) > 2
    assert home.client.get("/api/camera/1/uptime").json == before


def test_of_days_that_nobody_sees_any_more_the_last_one_of_each_device_is_kept(
    journal: Journal,
) -> None:
    flips(journal, 1, 40, noon(), timedelta(days=1))
    flips(journal, 2, 3, noon(), timedelta(hours=1))
    journal.forget(noon(days=DAYS + 11))
    kept = [(row[0], row[1]) for row in rolled_up(journal)]
    assert [device for device, _day in kept].count(2) == 1
    assert min(day for device, day in kept if device == 1) == noon(days=10).astimezone().date()


def test_the_uptime_of_a_merged_record_follows_to_the_one_that_stays(
    make_home: Make, clock: Clock
) -> None:
    """One camera under two records: while either was seen it was up."""
    home = make_home()
    tracker = home.monitor.tracker
    tracker.apply([seen(A, at=clock())], clock())
    clock.forward(hours=1)
    tracker.apply([missed(A, clock()), seen(B, at=clock(), address="10.0.0.2")], clock())
    clock.forward(hours=3)
    home.events()
    alone = home.client.get("/api/camera/1/uptime").json["share"]
    merged = home.client.post("/api/camera/1/merge", json={"with": 2}).json
    home.events()
    both = home.client.get("/api/camera/2/uptime", follow_redirects=True).json["share"]
    assert (alone, both) == (pytest.approx(1 / 4), pytest.approx(1.0))
    clock.forward(hours=1)
    assert home.client.post("/api/undo", json={"event": merged["undo"]}).status_code == 200
    home.events()
    assert home.client.get("/api/camera/1/uptime").json["share"] < 0.5
    assert home.client.get("/api/camera/2/uptime").json["share"] == pytest.approx(1.0)


def test_a_merge_keeps_the_days_whose_events_are_forgotten(journal: Journal) -> None:
    flips(journal, 1, 40, noon(), timedelta(hours=9))
    flips(journal, 2, 40, noon(), timedelta(hours=11))
    before = [row for row in rolled_up(journal) if row[0] == 1]
    assert journal.forget(noon(days=8)) > 20
    merge = Event(7_000_001, noon(days=20), "device.merged", 1, "", {}, {"stays": 1, "goes": 2})
    journal.write([merge])
    after = rolled_up(journal)
    assert {row[0] for row in after} == {1}
    old = noon(days=8).astimezone().date()
    kept = [row for row in before if row[1] < old]
    assert len(kept) == 8
    assert [row for row in after if row[1] < old] == kept
    assert after[len(kept)][3] == kept[-1][7], "the next day begins as the last one ended"
    assert len(after) > len(before), "the other record's days are in it too"


@pytest.mark.parametrize("count", [1, 5])
def test_a_merge_of_what_has_no_events_any_more_keeps_its_days(
    journal: Journal, count: int
) -> None:
    flips(journal, 1, 5, noon(), timedelta(hours=9))
    flips(journal, 2, count, noon(), timedelta(hours=11))
    before = [row for row in rolled_up(journal) if row[0] == 1]
    journal.forget(noon(days=10))
    merge = Event(7_000_001, noon(days=20), "device.merged", 1, "", {}, {"stays": 1, "goes": 2})
    journal.write([merge])
    assert rolled_up(journal)[:-1] == before
    with journal.engine.begin() as connection:
        uptime_rows.rebuild(connection, [1, 2])
    assert rolled_up(journal)[:-1] == before, "once more changes nothing"


def test_nothing_is_kept_of_a_deleted_device(journal: Journal) -> None:
    for device in (1, 2):
        flips(journal, device, 5, noon(), timedelta(hours=9))
    journal.write([Event(7_000_001, noon(days=3), "device.deleted", 1, "")])
    assert {row[0] for row in rolled_up(journal)} == {2}
    list(journal.fill_uptimes())
    assert {row[0] for row in rolled_up(journal)} == {2}
