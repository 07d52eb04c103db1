"""The day of a camera as a line: what is recorded, what is missing, where its hours are. Pure.

A day is that of a zone, so it has 23 or 25 hours where the clocks change; every place on the line
is a moment of UTC, so that no hour covers another one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from video.recorded import Segment
from video.stretches import TOGETHER, Stretch, joined, length, subtract

HOUR = timedelta(hours=1)
NEWEST = timedelta(seconds=30)
"""Files and causes are known up to so long ago. What is missing only since then may be on its way,
and the end of a longer gap has the cause before it."""


class HourMark(NamedTuple):
    """A full hour of the day: its moment, and its name, which a longer day has twice."""

    at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class DayLine:
    """What is on the disk for one day, up to now. `present` and `missing` do not overlap; what is
    still to come is neither."""

    day: Stretch
    hours: tuple[HourMark, ...]
    present: tuple[Stretch, ...]
    missing: tuple[Stretch, ...]

    @property
    def recorded_seconds(self) -> float:
        return length(self.present)


def day_of(day: date, zone: tzinfo | None) -> Stretch:
    """The day in a zone; None: that of this server. Raises OverflowError at the end of times."""
    start, end = (_midnight(date_, zone) for date_ in (day, day + timedelta(days=1)))
    return Stretch(start, end)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    """The beginning of a day in UTC. Where the clocks skip midnight, it is the first moment after
    it: the time that does not exist is read with the offset before the change."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def hour_marks(day: Stretch, zone: tzinfo | None) -> tuple[HourMark, ...]:
    """The full hours of the local clock, in order: 23, 24 or 25."""
    marks, at = [], day.start
    while at < day.end:
        local = at.astimezone(zone)
        past = timedelta(minutes=local.minute, seconds=local.second)
        if not past:
            marks.append(HourMark(at, f"{local:%H}:00"))
        at += HOUR - past
    return tuple(marks)


def day_line(day: Stretch, zone: tzinfo | None, files: Iterable[Segment], now: datetime) -> DayLine:
    """The line of a day from the files of one stream, in any order."""
    playable = (Stretch(file.started_at, file.ended_at) for file in files if not file.damaged)
    present = joined(playable, day, TOGETHER)
    until_now = Stretch(day.start, min(day.end, max(now, day.start)))
    missing = [gap for gap in subtract([until_now], present) if gap.end - gap.start > TOGETHER]
    # What was recorded just now is in the index some seconds later.
    if missing and missing[-1].end == now and now - missing[-1].start <= NEWEST:
        missing.pop()
    return DayLine(day, hour_marks(day, zone), tuple(present), tuple(missing))


def explained(
    missing: Iterable[Stretch], causes: Iterable[tuple[Stretch, str]], unknown: str
) -> list[tuple[Stretch, str]]:
    """What is missing, in parts, each with its cause in words; `unknown` where none is known."""
    ordered, parts = sorted(causes), list[tuple[Stretch, str]]()
    for gap in missing:
        at, first = gap.start, len(parts)
        for stretch, cause in ordered:
            start, end = max(stretch.start, at), min(stretch.end, gap.end)
            if start >= end:
                continue
            if start - at > TOGETHER:
                parts.append((Stretch(at, start), unknown))
            parts.append((Stretch(start, end), cause))
            at = end
        if len(parts) > first and gap.end - at <= NEWEST:
            parts[-1] = (Stretch(parts[-1][0].start, gap.end), parts[-1][1])
        elif at < gap.end:
            parts.append((Stretch(at, gap.end), unknown))
    return parts


def covered(file: Segment, ranges: Sequence[tuple[datetime, datetime | None]]) -> bool:
    """True if one of these ranges has a part of the file."""
    return any(
        start < file.ended_at and (end is None or file.started_at < end) for start, end in ranges
    )
