"""Schedules in words, and as a week for a picture. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from video.schedule import CONTINUOUS, DAILY, DAYS, ONE_TIME, Schedule, occurrences

DAY = timedelta(days=1)
MINUTES = 24 * 60
Bar = tuple[int, int]
"""A part of a day: its first minute, and the one before which it ends."""


def described(schedule: Schedule) -> str:
    """When a schedule records, such as "Mon to Fri, 18:00 to 06:00"."""
    if schedule.kind == ONE_TIME:
        return _once(schedule)
    if schedule.kind == CONTINUOUS:
        text = "Always"
    else:
        text = f"{_days(schedule)}, {_times(schedule)}"
    return text + _limits(schedule)


def _once(schedule: Schedule) -> str:
    first, last = schedule.start_date, schedule.end_date
    start, end = clock_text(schedule.start_time), clock_text(schedule.end_time)
    if first == last:
        return f"{day_text(first)}, {start} to {end}"
    return f"{day_text(first)}, {start} to {day_text(last)}, {end}"


def _days(schedule: Schedule) -> str:
    places = [DAYS.index(day) for day in schedule.days]
    if schedule.kind == DAILY or len(places) == len(DAYS):
        return "Every day"
    names = [DAYS[place][:3].capitalize() for place in places]
    if len(places) > 2 and places == list(range(places[0], places[-1] + 1)):
        return f"{names[0]} to {names[-1]}"
    return ", ".join(names)


def _times(schedule: Schedule) -> str:
    start, end = schedule.start_time, schedule.end_time
    if start == end:
        return "24 h" if start == time() else f"24 h from {clock_text(start)}"
    return f"{clock_text(start)} to {clock_text(end)}"


def _limits(schedule: Schedule) -> str:
    first = f", from {day_text(schedule.start_date)}" if schedule.start_date else ""
    last = f", until {day_text(schedule.end_date)}" if schedule.end_date else ""
    return first + last


def clock_text(at: time | None) -> str:
    """Such as 18:00, with seconds only where there are some."""
    if at is None:
        return ""
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def day_text(day: date | None) -> str:
    """Such as 27 Nov 2026."""
    return f"{day:%-d %b %Y}" if day else ""


def first_day_shown(schedule: Schedule, now: datetime) -> date:
    """The Monday of the week that shows what a schedule does: the current one, or that in which it
    begins."""
    today = now.astimezone(ZoneInfo(schedule.zone)).date()
    day = max(today, schedule.start_date) if schedule.start_date else today
    if schedule.kind == ONE_TIME and schedule.start_date:
        day = schedule.start_date
    return day - timedelta(days=day.weekday())


def week_bars(schedule: Schedule, monday: date) -> Sequence[Sequence[Bar]]:
    """For each day from `monday` on the parts that are recorded while the schedule is active, as a
    clock in its zone shows them."""
    zone = ZoneInfo(schedule.zone)
    since, until = (
        datetime.combine(day, time(), tzinfo=zone) for day in (monday, monday + 7 * DAY)
    )
    bars: list[list[Bar]] = [[] for _day in DAYS]
    for start, end in occurrences(replace(schedule, is_active=True), since, until):
        first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (start, end))
        for place in range(len(DAYS)):
            midnight = datetime.combine(monday + place * DAY, time())
            begins, ends = max(first, midnight), min(last, midnight + DAY)
            if begins < ends:
                bars[place].append((_minutes(begins - midnight), _minutes(ends - midnight)))
    return bars


def _minutes(length: timedelta) -> int:
    return round(length.total_seconds() / 60)
