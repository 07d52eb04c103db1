"""The clock of an ONVIF device: what GetSystemDateAndTime says, and what is wrong with it. Pure.

Devices leave out any part of the answer, carry no overflow (61 minutes, 24 hours), write a text
where fields belong, or name time zones that no standard knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sources import xml_tree

TOLERANCE = 60.0
"""Seconds that a clock may differ."""
QUARTER = 900
MAX_ZONE = 15 * 3600
"""Seconds that a time zone may differ from another one, summer time included."""
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})[T \-]([0-9]{1,3}):([0-9]{1,3})(?::([0-9]{1,3}))?"
)
_ZONE = re.compile(r"(?:<[^<>]{1,20}>|[A-Za-z/_ ]{1,40})([+-]?)([0-9]{1,2})(?::([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """What a device says the time is: in UTC, its local time and its time zone, each None where it
    says none. `offset` is of local time from UTC, summer time included."""

    utc: datetime | None = None
    local: datetime | None = None
    offset: timedelta | None = None
    zone: str = ""

    @property
    def now(self) -> datetime | None:
        """The best of its times, in UTC: its UTC, else its local time with its zone, else its
        local time as it is."""
        if self.utc is not None:
            return self.utc
        if self.local is not None:
            return self.local - (self.offset or timedelta())
        return None


@dataclass(frozen=True, slots=True)
class ClockFault:
    """What is wrong with a clock: the kind of the finding, and its text."""

    kind: str
    text: str


def read(body: Any) -> DeviceClock:
    """The clock of a GetSystemDateAndTimeResponse. Never raises: what cannot be read is None."""
    answer = next(iter(xml_tree.descendants(body, "SystemDateAndTime")), None)
    zone = xml_tree.text(answer, "TimeZone", "TZ")[:60]
    has_summer = xml_tree.text(answer, "DaylightSavings").lower() in ("true", "1")
    return DeviceClock(
        _moment(answer, "UTCDateTime"),
        _moment(answer, "LocalDateTime"),
        offset_of(zone, is_summer=has_summer),
        zone,
    )


def _moment(answer: Any, name: str) -> datetime | None:
    """The time in this element; an overflow of its fields is carried."""
    fields = [
        xml_tree.text(answer, name, group, part)
        for group, parts in (
            ("Date", ("Year", "Month", "Day")),
            ("Time", ("Hour", "Minute", "Second")),
        )
        for part in parts
    ]
    if not any(fields):
        match = _MOMENT.match(xml_tree.text(answer, name))
        fields = [part or "0" for part in match.groups()] if match else []
    if not all(fields[:3]) or not fields:
        return None
    try:
        year, month, day, hour, minute, second = (int(field[:6] or "0") for field in fields)
        start = datetime(year, month, day, tzinfo=UTC)
        return start + timedelta(hours=hour, minutes=minute, seconds=second)
    except (ValueError, OverflowError):
        return None


def offset_of(zone: str, *, is_summer: bool = False) -> timedelta | None:
    """How far local time is ahead of UTC in a POSIX time zone such as CET-1CEST, in which the sign
    is the other way round. None for another spelling."""
    match = _ZONE.match(zone)
    if not match:
        return None
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if offset.total_seconds() > MAX_ZONE:
        return None
    offset = offset if sign == "-" else -offset
    has_summer_name = zone[match.end() :][:1].isalpha() or zone[match.end() :][:1] == "<"
    return offset + timedelta(hours=1) if is_summer and has_summer_name else offset


def fault_of(clock: DeviceClock, now: datetime) -> ClockFault | None:
    """What is wrong with the clock when the true time is `now`; None if nothing is."""
    moment = clock.now
    if moment is None:
        return None
    ahead = (moment - now).total_seconds()
    if abs(ahead) <= TOLERANCE:
        return None
    quarters = round(ahead / QUARTER)
    if not quarters or abs(ahead) > MAX_ZONE or abs(ahead - quarters * QUARTER) > TOLERANCE:
        text = f"its clock is {_length(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"
        return ClockFault("clock.drift", text)
    if _is_local_as_utc(clock, quarters * QUARTER):
        return ClockFault("clock.local", "it reports local time as UTC")
    text = f"time zone or summer time wrong by {_hours(quarters * QUARTER)}"
    return ClockFault("clock.zone", text)


def _is_local_as_utc(clock: DeviceClock, ahead: int) -> bool:
    """True if what it says is UTC is the local time of its zone."""
    if clock.utc is None or not clock.offset:
        return False
    if clock.local is not None:
        difference = abs((clock.local - clock.utc).total_seconds())
        return difference <= TOLERANCE and clock.offset.total_seconds() == ahead
    return clock.offset.total_seconds() == ahead


def _hours(seconds: int) -> str:
    sign, minutes = "+" if seconds > 0 else "-", abs(seconds) // 60
    hours, rest = divmod(minutes, 60)
    return (
        f"{sign}{hours} h {rest} min"
        if hours and rest
        else (f"{sign}{hours} h" if hours else f"{sign}{rest} min")
    )


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} s"


CLOCK_KINDS: Mapping[str, str] = {
    "clock.drift": "its clock is right",
    "clock.zone": "its time zone is right",
    "clock.local": "it reports UTC",
}
"""The findings about a clock, and what is true when each has ended."""
