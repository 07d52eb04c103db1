"""When a schedule records. Pure.

Times are those of a wall clock in the schedule's own zone. An occurrence belongs to the local day
on which it starts, and lasts past midnight where its end is not later than its start; the same
start and end mean 24 hours. It begins when the clock first shows the start or later, and ends when
the clock last shows a time before the end. So at the two changes of the clock:

* A time that the clock skips is the moment of the change. 02:15 to 02:45 does not happen that day.
* Of a time that the clock shows twice, the first is a start and the second an end, so 02:15 to
  02:45 lasts 90 minutes: rather too much is recorded than too little.
* A day has 23 or 25 hours, and so has an occurrence that lasts all day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fleet.wall_clock import TICK, first_moment, last_moment

ONE_TIME, DAILY, WEEKLY, CONTINUOUS = "one_time", "daily", "weekly", "continuous"
KINDS = (ONE_TIME, DAILY, WEEKLY, CONTINUOUS)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FIRST_DATE, LAST_DATE = date(1970, 1, 2), date(2199, 12, 31)
ALWAYS_FROM = datetime(1, 1, 3, tzinfo=UTC)
ALWAYS_TO = datetime(9999, 12, 29, tzinfo=UTC)
"""The limits of a continuous schedule without dates: any zone can show both."""
HORIZON = timedelta(days=18)
"""What does not start within this time (a week, and one more where the clock skips it) never
starts; what is due for two weeks without a break is due to its last date."""
UNBROKEN = timedelta(days=14)
DAY = timedelta(days=1)


class Occurrence(NamedTuple):
    """A time at which a schedule records: from `start` until before `end`, both UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule of one or more devices, by the name of its IANA `zone`.

    A one-time schedule has both dates and both times. A daily or weekly one has both times, and
    starts on no day outside `start_date` and `end_date`, where it has them. A continuous one has no
    times: it lasts from the beginning of `start_date` to the end of `end_date`, or always.
    `quality`: low, medium or high; None is that of each device.
    """

    id: int
    name: str
    kind: str
    devices: tuple[int, ...]
    zone: str
    start_time: time | None = None
    end_time: time | None = None
    days: tuple[str, ...] = ()
    start_date: date | None = None
    end_date: date | None = None
    is_active: bool = True
    quality: str | None = None


def is_due(schedule: Schedule, now: datetime) -> bool:
    """True if the schedule records at `now`."""
    return schedule.is_active and any(
        start <= now < end for start, end in _between(schedule, now, now + TICK)
    )


def occurrences(schedule: Schedule, since: datetime, until: datetime) -> tuple[Occurrence, ...]:
    """The times from `since` to `until` at which the schedule is due, in order, without overlaps.
    Those that touch are one."""
    joined: list[Occurrence] = []
    for start, end in _between(schedule, since, until) if schedule.is_active else ():
        start, end = max(start, since), min(end, until)
        if joined and start <= joined[-1].end:
            joined[-1] = Occurrence(joined[-1].start, max(end, joined[-1].end))
        else:
            joined.append(Occurrence(start, end))
    return tuple(joined)


def next_change(schedule: Schedule, now: datetime) -> datetime | None:
    """The first moment after `now` at which the schedule begins or ends to be due; None if it
    never does."""
    if not schedule.is_active:
        return None
    coming = (each for each in _from(schedule, now) if each.end > now)
    until = None
    for start, end in coming:
        if until is None:
            if start > now:
                return start
            until = end
        elif start > until:
            return until
        elif end - now > UNBROKEN:
            until = _end_of_all(schedule)
            break
        else:
            until = end
    return None if until == ALWAYS_TO else until


def _between(schedule: Schedule, since: datetime, until: datetime) -> Iterator[Occurrence]:
    """Each occurrence that has a part from `since` to `until`, in order of its start."""
    for each in _from(schedule, since, until):
        if each.start < until and each.end > since:
            yield each


def _from(
    schedule: Schedule, since: datetime, until: datetime | None = None
) -> Iterator[Occurrence]:
    """The occurrences around and after `since`, up to those around `until`, else up to HORIZON."""
    zone = ZoneInfo(schedule.zone)
    if schedule.kind == CONTINUOUS:
        coming = iter([_continuous(schedule, zone)])
    elif schedule.kind == ONE_TIME:
        coming = iter([_once(schedule, zone)])
    else:
        first = since.astimezone(zone).date() - 2 * DAY
        last = until.astimezone(zone).date() + DAY if until else None
        coming = (_on(schedule, day, zone) for day in _days(schedule, first, last))
    return (each for each in coming if each.start < each.end)


def _days(schedule: Schedule, first: date, last: date | None) -> Iterator[date]:
    """The days from `first` to `last`, else up to HORIZON, on which the schedule starts."""
    day = max(first, schedule.start_date or FIRST_DATE)
    last = min(last or day + HORIZON, schedule.end_date or LAST_DATE)
    while day <= last:
        if schedule.kind == DAILY or DAYS[day.weekday()] in schedule.days:
            yield day
        day += DAY


def _on(schedule: Schedule, day: date, zone: ZoneInfo) -> Occurrence:
    """The occurrence that starts on a day. It is empty if the clock skips all of it."""
    assert schedule.start_time is not None  # for the types: a daily or weekly one has both
    assert schedule.end_time is not None
    last = day if schedule.start_time < schedule.end_time else day + DAY
    return _by_clock(schedule, day, last, zone)


def _once(schedule: Schedule, zone: ZoneInfo) -> Occurrence:
    assert schedule.start_date is not None
    assert schedule.end_date is not None
    return _by_clock(schedule, schedule.start_date, schedule.end_date, zone)


def _by_clock(schedule: Schedule, first: date, last: date, zone: ZoneInfo) -> Occurrence:
    """From the start on the first day to the end on the last."""
    assert schedule.start_time is not None
    assert schedule.end_time is not None
    return Occurrence(
        first_moment(datetime.combine(first, schedule.start_time), zone),
        last_moment(datetime.combine(last, schedule.end_time), zone),
    )


def _continuous(schedule: Schedule, zone: ZoneInfo) -> Occurrence:
    first, last = schedule.start_date, schedule.end_date
    return Occurrence(
        first_moment(datetime.combine(first, time()), zone) if first else ALWAYS_FROM,
        last_moment(datetime.combine(last + DAY, time()), zone) if last else ALWAYS_TO,
    )


def _end_of_all(schedule: Schedule) -> datetime:
    """The end of a daily or weekly schedule that is due without a break."""
    if schedule.end_date is None:
        return ALWAYS_TO
    return _on(schedule, schedule.end_date, ZoneInfo(schedule.zone)).end
