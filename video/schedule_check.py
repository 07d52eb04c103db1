"""Check the values of a schedule that a person gave, and complete them. Pure."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from fleet.model import Invalid
from fleet.texts import one_line
from fleet.wall_clock import first_moment, last_moment
from video.recorded import QUALITIES
from video.schedule import (
    CONTINUOUS,
    DAILY,
    DAYS,
    FIRST_DATE,
    KINDS,
    LAST_DATE,
    ONE_TIME,
    WEEKLY,
    Schedule,
)

LONGEST_NAME = 100
MAX_DEVICES = 1000
DAY = timedelta(days=1)


def checked(schedule: Schedule, now: datetime) -> Schedule:
    """The schedule as it is kept: without the values that its kind does not use, and a one-time
    schedule with both dates. Without a date it is for the next time that its hours come.

    Raises Invalid, which names the field.
    """
    schedule = replace(schedule, name=_name(schedule.name), devices=_devices(schedule.devices))
    if schedule.kind not in KINDS:
        text = f"schedule_type must be {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        raise invalid("schedule_type", text, "Choose one of them.")
    if schedule.zone not in zones():
        raise invalid(
            "timezone",
            f"The time zone “{schedule.zone[:64]}” does not exist",
            "Use an IANA name such as Europe/Berlin or UTC.",
        )
    if schedule.quality is not None and schedule.quality not in QUALITIES:
        raise invalid("record_quality", "The quality is invalid", "Use high, medium or low.")
    for name, day in (("start_date", schedule.start_date), ("end_date", schedule.end_date)):
        if day is not None and not FIRST_DATE <= day <= LAST_DATE:
            text = f"The date {day} is out of range"
            raise invalid(name, text, f"Use a date from {FIRST_DATE} to {LAST_DATE}.")
    return BY_KIND[schedule.kind](schedule, now)


def _name(text: str) -> str:
    name = one_line(text)
    if not name:
        raise invalid("name", "The schedule has no name", "Enter a name.")
    if len(name) > LONGEST_NAME:
        text = f"The name is too long ({len(name)} characters)"
        raise invalid("name", text, f"Use at most {LONGEST_NAME} characters.")
    return name


def _devices(devices: tuple[int, ...]) -> tuple[int, ...]:
    if not devices:
        raise invalid("camera", "No camera is selected", "Select at least one camera.")
    if len(devices) > MAX_DEVICES:
        text = f"{len(devices):,} cameras are too many for one schedule"
        raise invalid("cameras", text, f"Use at most {MAX_DEVICES:,}; create another schedule.")
    return tuple(dict.fromkeys(devices))


def _continuous(schedule: Schedule, _now: datetime) -> Schedule:
    _check_order(schedule)
    return replace(schedule, start_time=None, end_time=None, days=())


def _daily(schedule: Schedule, _now: datetime) -> Schedule:
    _check_times(schedule)
    _check_order(schedule)
    return replace(schedule, days=())


def _weekly(schedule: Schedule, _now: datetime) -> Schedule:
    _check_times(schedule)
    _check_order(schedule)
    if not schedule.days:
        raise invalid("days_of_week", "No day is selected", "Select at least one day.")
    if unknown := [day for day in schedule.days if day not in DAYS]:
        raise invalid(
            "days_of_week", f"“{unknown[0][:20]}” is not a day", f"Use {DAYS[0]} to sunday."
        )
    return replace(schedule, days=tuple(day for day in DAYS if day in schedule.days))


def _one_time(schedule: Schedule, now: datetime) -> Schedule:
    _check_times(schedule)
    whole = _with_dates(schedule, now)
    begin, end = times_of(whole)
    if begin >= end:
        raise invalid("end_time", "The end is not later than the start", "Choose a later end.")
    if first_moment(begin, ZoneInfo(whole.zone)) >= last_moment(end, ZoneInfo(whole.zone)):
        raise invalid(
            "start_time",
            f"The clocks skip the time from {begin:%H:%M} to {end:%H:%M} on {begin:%-d %b %Y}",
            "Choose a time before or after the change of the clocks.",
        )
    return replace(whole, days=())


def times_of(schedule: Schedule) -> tuple[datetime, datetime]:
    """Start and end of a one-time schedule, as a clock in its zone shows them."""
    assert schedule.start_date is not None
    assert schedule.end_date is not None
    assert schedule.start_time is not None
    assert schedule.end_time is not None
    return (
        datetime.combine(schedule.start_date, schedule.start_time),
        datetime.combine(schedule.end_date, schedule.end_time),
    )


def _with_dates(schedule: Schedule, now: datetime) -> Schedule:
    """With both dates: the first is by default the next on which the hours are not over, the last
    is the one on which they end."""
    first = schedule.start_date
    if first is None:
        local = now.astimezone(ZoneInfo(schedule.zone)).replace(tzinfo=None)
        first = local.date()
        if times_of(_ending(schedule, first))[1] <= local:
            first += DAY
    if schedule.end_date is not None:
        return replace(schedule, start_date=first)
    return _ending(schedule, first)


def _ending(schedule: Schedule, first: date) -> Schedule:
    """From that day until its hours end, which is the next day where they last past midnight."""
    assert schedule.start_time is not None
    assert schedule.end_time is not None
    last = first if schedule.start_time < schedule.end_time else first + DAY
    return replace(schedule, start_date=first, end_date=last)


def _check_times(schedule: Schedule) -> None:
    for name, at in (("start_time", schedule.start_time), ("end_time", schedule.end_time)):
        if at is None:
            side = name.removesuffix("_time")
            raise invalid(name, f"The {side} time is missing", "Enter a time such as 18:00.")


def _check_order(schedule: Schedule) -> None:
    first, last = schedule.start_date, schedule.end_date
    if first and last and last < first:
        raise invalid("end_date", "The last day is before the first", "Choose a later last day.")


def unused(schedule: Schedule) -> list[str]:
    """What was given and has no effect with this kind of schedule, as sentences."""
    texts = []
    if schedule.kind == CONTINUOUS and (schedule.start_time or schedule.end_time):
        texts.append(
            "A continuous schedule records all day; start_time and end_time have no effect."
        )
    if schedule.kind != WEEKLY and schedule.days:
        texts.append("days_of_week has an effect only with the type weekly.")
    return texts


@cache
def zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def invalid(name: str, error: str, hint: str) -> Invalid:
    """The error of one field."""
    fault = Invalid(error, hint)
    fault.field = name
    return fault


BY_KIND = {ONE_TIME: _one_time, DAILY: _daily, WEEKLY: _weekly, CONTINUOUS: _continuous}
