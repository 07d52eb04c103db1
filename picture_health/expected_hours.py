"""Hours in which a camera shows nothing by plan, such as a privacy mask at night. Pure.

Times are those of the wall clock of this server. Hours belong to the day on which they begin, and
last past midnight where their end is not later than their start; the same start and end mean 24
hours. At the changes of the clock they are as those of schedules (`video/schedule.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from fleet.wall_clock import first_moment, last_moment

DAY = timedelta(days=1)
LONGEST = timedelta(days=8)
"""From now, as far as hours that touch are followed: those of each day never end."""


@dataclass(frozen=True, slots=True)
class ExpectedHours:
    """From `starts` to `ends` on these days of the week; 0 is Monday."""

    days: tuple[int, ...]
    starts: time
    ends: time


def expected_until(hours: Sequence[ExpectedHours], now: datetime, zone: tzinfo) -> datetime | None:
    """When the hours end that `now` is in; None if it is in none. Those that touch are one."""
    spans = sorted(span for each in hours for span in _spans(each, now, zone))
    until = None
    for start, end in spans:
        if start <= (until or now) < end:
            until = end
    return until


def _spans(hours: ExpectedHours, now: datetime, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """The times (UTC) of these hours around `now`."""
    spans, day = [], now.astimezone(zone).date() - 2 * DAY
    last = day + LONGEST
    while day <= last:
        if day.weekday() in hours.days:
            until = day if hours.starts < hours.ends else day + DAY
            start = first_moment(datetime.combine(day, hours.starts), zone)
            end = last_moment(datetime.combine(until, hours.ends), zone)
            spans.append((start, end))
        day += DAY
    return spans
