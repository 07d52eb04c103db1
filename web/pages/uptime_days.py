"""The days of an uptime bar in words: the state of each, and why it was offline. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from fleet import status
from fleet.history.uptime import DOWN_KINDS, Uptime
from fleet.model import Event
from web.pages.uptime_bars import kind_of_day, percent

MAX_OUTAGES = 3
"""Outages of one day that are listed."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time for which a device was offline, and why. Without `start` or `end` it began before or
    still lasts."""

    start: datetime | None
    end: datetime | None
    reason: str

    def is_in(self, begin: datetime, end: datetime) -> bool:
        """True if a part of it is between these times."""
        is_before = self.end is not None and self.end <= begin
        return not is_before and (self.start is None or self.start < end)


@dataclass(frozen=True, slots=True)
class Days:
    """Consecutive days with the same state and the same reason. `kind` is that of the bar."""

    first: date
    count: int
    kind: str
    state: str
    reason: str

    @property
    def last(self) -> date:
        return self.first + timedelta(days=self.count - 1)


def outages(before: Event | None, events: Iterable[Event]) -> list[Outage]:
    """The outages of a device, from its changes of status, oldest first. `before` is the last
    change before those."""
    start, reason = None, _reason(before) if before and before.kind in DOWN_KINDS else ""
    is_down, result = bool(before and before.kind in DOWN_KINDS), list[Outage]()
    for event in events:
        if event.kind in DOWN_KINDS and is_down and _reason(event) == reason:
            continue
        if is_down:
            result.append(Outage(start, event.at, reason))
        is_down = event.kind in DOWN_KINDS
        start, reason = event.at, _reason(event) if is_down else ""
    return [*result, Outage(start, None, reason)] if is_down else result


def _reason(event: Event) -> str:
    reason = event.after.get("reason")
    if isinstance(reason, str) and reason:
        return reason
    if event.kind == status.event_kind(status.UNREACHABLE):
        return "parent device down"
    # Events of early versions have it in their text only.
    predicates = (status.TABLE[name].predicate for name in status.DOWN)
    reasons = (event.text.partition(f" {predicate}: ")[2] for predicate in predicates)
    return next(filter(None, reasons), "")


def days_of(uptime: Uptime, outages: Sequence[Outage]) -> list[Days]:
    """The days of the bar, oldest first; equal neighbours are one."""
    result: list[Days] = []
    for place, share in enumerate(uptime.days):
        day, kind = uptime.first + timedelta(days=place), kind_of_day(share)
        reason = _reasons(day, outages) if kind in ("part", "down") else ""
        state = _state(kind, share)
        last = result[-1] if result else None
        if last and (last.kind, last.state, last.reason) == (kind, state, reason):
            result[-1] = Days(last.first, last.count + 1, kind, state, reason)
        else:
            result.append(Days(day, 1, kind, state, reason))
    return result


def _state(kind: str, share: float | None) -> str:
    if kind == "part":
        return f"Online {percent(share)}"
    return {"up": "Online", "down": "Offline", "unknown": "No data"}[kind]


def _reasons(day: date, outages: Sequence[Outage]) -> str:
    """The outages of a day, such as "14:02 to 15:10: connection refused"."""
    begin = datetime.combine(day, time()).astimezone()
    end = datetime.combine(day + timedelta(days=1), time()).astimezone()
    texts = [_text(outage, begin, end) for outage in outages if outage.is_in(begin, end)]
    more = len(texts) - MAX_OUTAGES
    return "; ".join(text for text in texts[:MAX_OUTAGES] if text) + (
        f"; {more} more" if more > 0 else ""
    )


def _text(outage: Outage, begin: datetime, end: datetime) -> str:
    """An outage within a day; only the reason where it fills the day."""
    starts = _clock(outage.start) if outage.start and outage.start > begin else ""
    ends = _clock(outage.end) if outage.end and outage.end < end else ""
    hours = f"{starts} to {ends}" if starts and ends else ""
    hours = hours or (f"from {starts}" if starts else f"until {ends}" if ends else "")
    return f"{hours}: {outage.reason}" if hours and outage.reason else hours or outage.reason


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M}"
