"""When a schedule is due: against a count minute by minute, and at both changes of the clock."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video.schedule import (
    CONTINUOUS,
    DAILY,
    DAYS,
    ONE_TIME,
    WEEKLY,
    Occurrence,
    Schedule,
    is_due,
    next_change,
    occurrences,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # half an hour
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 6)),  # at midnight
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 9, 24)),  # left out a whole day
    "Asia/Kolkata": (date(2026, 6, 1), date(2026, 6, 2)),  # never
}
WEEKDAYS = DAYS[:5]


def daily(start: str, end: str, zone: str = "Europe/Berlin") -> Schedule:
    times = time.fromisoformat(start), time.fromisoformat(end)
    return Schedule(1, "Hours", DAILY, (1,), zone, *times)


def weekly(start: str, end: str, *days: str, zone: str = "Europe/Berlin") -> Schedule:
    return replace(daily(start, end, zone), kind=WEEKLY, days=days)


def berlin(text: str) -> datetime:
    """A moment by the clock of Berlin; `+01:00` behind it chooses one of two."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo("Europe/Berlin"))


def hours(times: tuple[Occurrence, ...]) -> float:
    return sum((end - start).total_seconds() for start, end in times) / 3600


# -- the count minute by minute --------------------------------------------------------------


def counted(schedule: Schedule, since: datetime, minutes: int) -> set[datetime]:
    """The minutes that are due, by what a clock on the wall shows in each of them.

    For each day: from the first to the last minute at which it shows a time of that day's hours.
    """
    zone = ZoneInfo(schedule.zone)
    around = [since + n * MINUTE for n in range(-2880, minutes + 2880)]
    shown = [(at, at.astimezone(zone).replace(tzinfo=None)) for at in around]
    due: set[datetime] = set()
    for first, last in sides(schedule, {local.date() for _at, local in shown}):
        inside = [at for at, local in shown if first <= local < last]
        if inside:
            due |= {at for at in around if inside[0] <= at <= inside[-1]}
    return {at for at in due if since <= at < since + minutes * MINUTE}


def sides(schedule: Schedule, days: set[date]) -> Iterator[tuple[datetime, datetime]]:
    """Both ends of each day's hours, as the clock shows them."""
    assert schedule.start_time is not None
    assert schedule.end_time is not None
    for day in {day - n * DAY for day in days for n in (0, 1)}:
        if schedule.kind == DAILY or DAYS[day.weekday()] in schedule.days:
            over = schedule.end_time <= schedule.start_time
            last = datetime.combine(day + DAY if over else day, schedule.end_time)
            yield datetime.combine(day, schedule.start_time), last


@st.composite
def stories(draw: st.DrawFn) -> tuple[Schedule, datetime, int]:
    """A schedule, and some hours around a change of the clock in its zone."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    clock = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
    near = st.builds(time, st.integers(0, 3), st.sampled_from([0, 15, 30, 45]))
    start, end = draw(clock | near), draw(clock | near)
    days = tuple(sorted(draw(st.sets(st.sampled_from(DAYS), max_size=7))))
    kind = WEEKLY if days else DAILY
    schedule = Schedule(1, "", kind, (1,), zone, start, end, days)
    day = draw(st.sampled_from(CHANGES[zone])) + draw(st.integers(-2, 1)) * DAY
    since = datetime.combine(day, draw(near), tzinfo=UTC)
    return schedule, since, draw(st.integers(30, 1500))


@settings(max_examples=25, deadline=None)
@given(stories())
def test_it_is_due_in_the_minutes_that_a_count_gives(
    story: tuple[Schedule, datetime, int],
) -> None:
    schedule, since, minutes = story
    due = counted(schedule, since, minutes)
    times = occurrences(schedule, since, since + minutes * MINUTE)
    for n in range(minutes):
        at = since + n * MINUTE
        assert any(start <= at < end for start, end in times) == (at in due), at
    for n in range(0, minutes, 37):
        at = since + n * MINUTE
        assert is_due(schedule, at) == (at in due), at
    for (_start, end), (start, _end) in zip(times, times[1:], strict=False):
        assert end < start


@settings(max_examples=25, deadline=None)
@given(stories())
def test_each_change_follows_from_the_one_before(story: tuple[Schedule, datetime, int]) -> None:
    """Who sleeps until the next change is right all the time between."""
    schedule, since, minutes = story
    until = since + minutes * MINUTE
    at, spans, begun = since, list[Occurrence](), since if is_due(schedule, since) else None
    while (change := next_change(schedule, at)) is not None and change < until:
        assert change > at
        assert is_due(schedule, change) != is_due(schedule, at)
        if begun is None:
            begun = change
        else:
            spans.append(Occurrence(begun, change))
            begun = None
        at = change
    if begun is not None:
        spans.append(Occurrence(begun, until))
    assert tuple(spans) == occurrences(schedule, since, until)


# -- what is decided -------------------------------------------------------------------------


def test_a_night_belongs_to_the_day_on_which_it_starts() -> None:
    nights = weekly("18:00", "06:00", *WEEKDAYS)
    assert is_due(nights, berlin("2026-11-27T23:00"))  # Friday
    assert is_due(nights, berlin("2026-11-28T05:59"))
    assert not is_due(nights, berlin("2026-11-28T06:00"))
    assert not is_due(nights, berlin("2026-11-28T23:00"))
    assert not is_due(nights, berlin("2026-11-30T05:00"))
    assert next_change(nights, berlin("2026-11-28T06:00")) == berlin("2026-11-30T18:00")
    week = occurrences(nights, berlin("2026-11-23T00:00"), berlin("2026-11-30T00:00"))
    assert hours(week) == 5 * 12


def test_the_same_start_and_end_mean_24_hours() -> None:
    mondays = weekly("08:00", "08:00", "monday")
    week = occurrences(mondays, berlin("2026-11-22T00:00"), berlin("2026-11-29T00:00"))
    assert week == (Occurrence(berlin("2026-11-23T08:00"), berlin("2026-11-24T08:00")),)


def test_a_night_in_spring_is_an_hour_shorter_and_one_in_autumn_longer() -> None:
    nights = daily("18:00", "06:00")
    spring = occurrences(nights, berlin("2026-03-28T12:00"), berlin("2026-03-29T12:00"))
    autumn = occurrences(nights, berlin("2026-10-24T12:00"), berlin("2026-10-25T12:00"))
    assert (hours(spring), hours(autumn)) == (11, 13)


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        ("02:30", "03:30", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"),
        ("01:30", "02:30", "2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00"),
        ("02:30", "03:00", "2026-10-25T02:30+02:00", "2026-10-25T03:00+01:00"),
        ("02:15", "02:45", "2026-10-25T02:15+02:00", "2026-10-25T02:45+01:00"),
        ("01:00", "02:00", "2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00"),
        ("02:00", "02:30", "2026-10-25T02:00+02:00", "2026-10-25T02:30+01:00"),
    ],
)
def test_times_that_the_clock_skips_or_repeats(
    start: str, end: str, begins: str, ends: str
) -> None:
    noon = berlin(begins).replace(hour=12)
    times = occurrences(daily(start, end), noon - timedelta(hours=18), noon)
    assert times == (Occurrence(berlin(begins), berlin(ends)),)


def test_hours_that_the_clock_skips_wait_for_the_next_day() -> None:
    short = daily("02:15", "02:45")
    assert next_change(short, berlin("2026-03-28T12:00")) == berlin("2026-03-30T02:15")
    sundays = weekly("02:15", "02:45", "sunday")
    assert next_change(sundays, berlin("2026-03-22T12:00")) == berlin("2026-04-05T02:15")


@pytest.mark.parametrize("at", ["2026-03-29T03:00+02:00", "2026-10-25T02:00+01:00"])
def test_nothing_changes_at_a_clock_change_for_what_lasts_all_day(at: str) -> None:
    for schedule in (
        daily("00:00", "00:00"),
        daily("02:30", "02:30"),
        weekly("02:00", "02:00", *DAYS),
        Schedule(1, "", CONTINUOUS, (1,), "Europe/Berlin"),
    ):
        for minutes in range(-180, 180, 7):
            assert is_due(schedule, berlin(at) + minutes * MINUTE)
        assert next_change(schedule, berlin(at) - 3 * MINUTE) is None


def test_a_day_has_23_or_25_hours() -> None:
    always = daily("00:00", "00:00")
    for day, length in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)):
        midnight = berlin(f"{day}T00:00")
        following = (midnight.replace(tzinfo=None) + DAY).replace(tzinfo=midnight.tzinfo)
        assert hours(occurrences(always, midnight, following)) == length


def test_the_zone_belongs_to_the_schedule() -> None:
    local, there = daily("09:00", "17:00"), daily("09:00", "17:00", "America/New_York")
    at = berlin("2026-11-27T10:00")
    assert is_due(local, at)
    assert not is_due(there, at)
    assert next_change(there, at) == berlin("2026-11-27T15:00")


def test_dates_limit_the_days_on_which_it_starts() -> None:
    night = replace(
        daily("22:00", "04:00"), start_date=date(2026, 12, 1), end_date=date(2026, 12, 2)
    )
    times = occurrences(night, berlin("2026-11-01T00:00"), berlin("2027-01-01T00:00"))
    assert [start.astimezone(ZoneInfo("Europe/Berlin")).day for start, _end in times] == [1, 2]
    assert next_change(night, berlin("2026-01-01T00:00")) == berlin("2026-12-01T22:00")
    assert next_change(night, berlin("2026-12-03T04:00")) is None


def test_one_that_is_due_for_weeks_ends_on_its_last_day() -> None:
    always = replace(daily("00:00", "00:00"), end_date=date(2027, 3, 31))
    assert next_change(always, berlin("2026-11-27T10:00")) == berlin("2027-04-01T00:00")
    continuous = replace(always, kind=CONTINUOUS, start_time=None, end_time=None)
    assert next_change(continuous, berlin("2026-11-27T10:00")) == berlin("2027-04-01T00:00")


def test_one_time_is_from_a_date_and_time_to_another() -> None:
    once = replace(
        daily("22:00", "04:00"),
        kind=ONE_TIME,
        start_date=date(2026, 12, 24),
        end_date=date(2026, 12, 27),
    )
    begins, ends = berlin("2026-12-24T22:00"), berlin("2026-12-27T04:00")
    assert occurrences(once, begins - DAY, ends + DAY) == (Occurrence(begins, ends),)
    assert next_change(once, begins - DAY) == begins
    assert next_change(once, begins) == ends
    assert next_change(once, ends) is None
    assert is_due(once, ends - MINUTE)
    assert not is_due(once, ends)


def test_an_inactive_schedule_is_never_due() -> None:
    off = replace(daily("00:00", "00:00"), is_active=False)
    at = berlin("2026-11-27T10:00")
    assert not is_due(off, at)
    assert next_change(off, at) is None
    assert occurrences(off, at, at + DAY) == ()
