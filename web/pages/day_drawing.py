"""The line of a day as a drawing: places in percent of its width. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.model import Event
from video.outages import CAUSES, UNSCHEDULED
from video.stretches import Stretch
from web.http.actions.recordings import CameraDay

LEAST = 0.1
"""Percent of the width below which a stretch could not be seen."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the line. `text` is what it says on hover and to screen readers."""

    x: str
    text: str
    width: str = "0"
    at: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn, and in which times: `start` and `end` are seconds of the Unix clock. `idle` is
    what was not to be recorded, `gaps` what is missing."""

    start: float
    end: float
    hours: Sequence[Mark]
    present: Sequence[Mark]
    idle: Sequence[Mark]
    gaps: Sequence[Mark]
    events: Sequence[Mark]
    at: str
    now: str


def drawing(of_day: CameraDay, at: datetime | None) -> Drawing:
    """The drawing of a day, with the moment that plays."""
    day = of_day.line.day
    present, gaps = of_day.line.present, of_day.gaps
    return Drawing(
        day.start.timestamp(),
        day.end.timestamp(),
        [
            Mark(_place(day, mark.at), mark.name, at=str(mark.at.timestamp()))
            for mark in of_day.line.hours
        ],
        [_stretch(day, stretch, "recorded") for stretch in present],
        [_stretch(day, stretch, cause) for stretch, cause in gaps if not is_missing(cause)],
        [_stretch(day, stretch, cause) for stretch, cause in gaps if is_missing(cause)],
        [_event(day, event) for event in of_day.events],
        _place(day, at) if at is not None and day.start <= at < day.end else "",
        _place(day, gaps[-1][0].end if gaps else day.end),
    )


def is_missing(cause: str) -> bool:
    """True for a gap of this cause that should have been recorded."""
    return cause != CAUSES[UNSCHEDULED]


def _percent(day: Stretch, seconds: float) -> float:
    return max(0.0, min(100.0, 100 * seconds / day.seconds))


def _place(day: Stretch, at: datetime) -> str:
    return f"{_percent(day, (at - day.start).total_seconds()):.3f}%"


def _stretch(day: Stretch, stretch: Stretch, text: str) -> Mark:
    width = max(LEAST, _percent(day, stretch.seconds))
    times = f"{_clock(stretch.start)} to {_clock(stretch.end)}"
    at = stretch.start.isoformat()
    return Mark(_place(day, stretch.start), f"{times}: {text}", f"{width:.3f}%", at)


def _event(day: Stretch, event: Event) -> Mark:
    return Mark(_place(day, event.at), f"{_clock(event.at)}: {event.text}", at=event.at.isoformat())


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"
