"""Slots and hours: pure, in any zone, on days of 23 to 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stills.hours import (
    DUE,
    FUTURE,
    MISSED,
    NONE,
    NOT_RUNNING,
    TAKEN,
    Hour,
    day_bounds,
    day_hours,
    delay_of,
    next_due,
    slot_of,
    slots_between,
)
from stills.model import ASKED, Missed, Still
from tests.stills.studio import BERLIN

HOUR = 3600
KOLKATA, APIA = ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Apia")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def still(text: str, id: int = 1, why: str = ASKED) -> Still:
    return Still(id, 1, at(text), True, "stream", 64, 48, 9, "x.jpg", why)


@pytest.mark.parametrize(
    ("now", "seconds", "zone", "slot"),
    [
        ("2026-11-28T12:59:59", HOUR, BERLIN, "2026-11-28T12:00"),
        ("2026-11-28T12:10", HOUR, KOLKATA, "2026-11-28T11:30"),
        ("2026-11-28T12:40", HOUR, KOLKATA, "2026-11-28T12:30"),
        ("2026-11-28T12:40", 6 * HOUR, BERLIN, "2026-11-28T11:00"),
        ("2026-11-28T22:59", 24 * HOUR, BERLIN, "2026-11-27T23:00"),
        ("2026-10-25T00:30", HOUR, BERLIN, "2026-10-25T00:00"),
        ("2026-10-25T01:30", HOUR, BERLIN, "2026-10-25T01:00"),
        ("2026-10-25T00:30", 24 * HOUR, BERLIN, "2026-10-24T22:00"),
        ("2026-10-25T01:30", 24 * HOUR, BERLIN, "2026-10-24T22:00"),
        ("2026-10-25T02:10", 2 * HOUR, BERLIN, "2026-10-25T01:00"),
        ("2026-10-25T04:30", 6 * HOUR, BERLIN, "2026-10-24T22:00"),
        ("2026-03-29T01:30", 2 * HOUR, BERLIN, "2026-03-29T01:00"),
        ("2026-03-29T01:30", 24 * HOUR, BERLIN, "2026-03-28T23:00"),
        ("1970-01-01T00:00:10", HOUR, BERLIN, "1970-01-01T00:00"),
    ],
)
def test_a_slot_begins_where_the_clock_on_the_wall_is_full(
    now: str, seconds: int, zone: ZoneInfo, slot: str
) -> None:
    assert slot_of(at(now), seconds, zone) == at(slot)


@pytest.mark.parametrize("seconds", [900, HOUR, 2 * HOUR, 6 * HOUR, 24 * HOUR])
@pytest.mark.parametrize("change", ["2026-03-29T01:00", "2026-10-25T01:00"])
def test_slots_never_go_back_where_the_clocks_change(change: str, seconds: int) -> None:
    start, quarter = at(change) - timedelta(days=1), timedelta(minutes=15)
    times = [start + number * quarter for number in range(2 * 96)]
    slots = [slot_of(time, seconds, BERLIN) for time in times]
    assert slots == sorted(slots)
    assert sorted(set(slots))[1:-1] == slots_between(times[0], times[-1], seconds, BERLIN)


def test_every_slot_between_two_times_is_listed() -> None:
    slots = slots_between(at("2026-11-28T10:00:59"), at("2026-11-28T10:03:00"), 60, BERLIN)
    assert slots == [at("2026-11-28T10:01"), at("2026-11-28T10:02")]
    assert slots_between(slots[0], slots[0], 60, BERLIN) == []


def test_cameras_are_spread_over_the_first_minutes() -> None:
    delays = sorted(delay_of(device, HOUR).total_seconds() for device in range(1, 201))
    assert delays[0] >= 0
    assert delays[-1] < 300
    gaps = [after - before for before, after in zip(delays, delays[1:], strict=False)]
    assert max(gaps) < 5
    assert delay_of(7, 60) < timedelta(seconds=15)


@pytest.mark.parametrize(
    ("now", "seconds", "due"),
    [
        ("2026-11-28T12:00:00", HOUR, "2026-11-28T12:00"),
        ("2026-11-28T12:59:59", HOUR, "2026-11-28T13:00"),
        ("2026-11-28T12:10", 24 * HOUR, "2026-11-28T23:00"),
        ("2026-03-28T23:30", 24 * HOUR, "2026-03-29T22:00"),
        ("2026-10-25T00:30", HOUR, "2026-10-25T01:00"),
        ("2026-10-24T23:30", 24 * HOUR, "2026-10-25T23:00"),
    ],
)
def test_the_next_still_is_due_after_the_delay_of_its_camera(
    now: str, seconds: int, due: str
) -> None:
    delay = delay_of(7, seconds)
    assert next_due(7, seconds, at(now), BERLIN) == at(due) + delay


@pytest.mark.parametrize(
    ("day", "zone", "count"),
    [
        (date(2026, 11, 28), BERLIN, 24),
        (date(2026, 3, 29), BERLIN, 23),
        (date(2026, 10, 25), BERLIN, 25),
        (date(2026, 11, 28), KOLKATA, 24),
        (date(2011, 12, 30), APIA, 0),
        (date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe"), 25),
    ],
    ids=["usual", "spring", "autumn", "half an hour", "a day that never was", "24.5 hours"],
)
def test_the_hours_of_a_day_fill_it_without_a_gap(day: date, zone: ZoneInfo, count: int) -> None:
    hours = day_hours(day, zone, HOUR, [], [], None, at("2027-01-01T00:00"))
    assert len(hours) == count
    bounds = day_bounds(day, zone)
    if hours:
        assert (hours[0].starts_at, hours[-1].ends_at) == bounds
    assert [each.ends_at for each in hours[:-1]] == [each.starts_at for each in hours[1:]]
    assert {each.state for each in hours} <= {NONE}


def of_today(seconds: int, *stills: Still, missed: tuple[Missed, ...] = ()) -> list[Hour]:
    """The hours of a day, at 15:30 in Berlin, of a camera whose first still was due at 10."""
    since, now = at("2026-11-28T09:00"), at("2026-11-28T14:30")
    return [*day_hours(date(2026, 11, 28), BERLIN, seconds, stills, missed, since, now)]


def test_each_hour_says_what_became_of_it() -> None:
    taken, by_hand = still("2026-11-28T09:03"), still("2026-11-28T12:59:59", 2)
    missed = Missed(1, at("2026-11-28T10:00"), "The camera was offline.")
    hours = of_today(HOUR, taken, by_hand, missed=(missed,))
    states = [each.state for each in hours]
    assert states[:10] == [NONE] * 10
    assert states[10:16] == [TAKEN, MISSED, MISSED, TAKEN, MISSED, DUE]
    assert states[16:] == [FUTURE] * 8
    assert (hours[10].stills, hours[13].stills) == ((taken,), (by_hand,))
    assert (hours[11].reason, hours[12].reason) == ("The camera was offline.", NOT_RUNNING)


def test_only_hours_in_which_a_still_is_due_can_miss_one() -> None:
    assert [each.state for each in of_today(6 * HOUR)][10:15] == [NONE, NONE, MISSED, NONE, NONE]
    assert {each.state for each in of_today(0)} == {NONE, FUTURE}


def test_a_day_in_the_future_is_all_to_come() -> None:
    hours = day_hours(date(2026, 11, 29), BERLIN, HOUR, [], [], None, at("2026-11-28T12:00"))
    assert [each.state for each in hours] == [FUTURE] * 24
