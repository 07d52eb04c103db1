"""How well a device answered, day by day. Pure.

A day counts only when the device was asked on it, or something was told of it: what
nobody looked at is unknown, never good.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from fleet import status
from fleet.model import Device, Event

DAYS = 90
UP_KINDS = frozenset({"device.found", "device.back", "device.moved", "device.settled"})
DOWN_KINDS = frozenset({"device.offline", "device.missing", "device.unreachable"})
UNKNOWN_KINDS = frozenset({"device.retired", "device.unknown"})
KINDS = sorted(UP_KINDS | DOWN_KINDS | UNKNOWN_KINDS | {"device.restored"})


@dataclass(frozen=True, slots=True)
class Uptime:
    """`days` holds, oldest first, the share of each day that the device answered, from 0
    to 1, or None where it is unknown. `share` is that of all the known time."""

    first: date
    days: tuple[float | None, ...]
    share: float | None


def uptime(
    device: Device,
    events: Sequence[Event],
    asked: Mapping[date, Collection[str]],
    now: datetime,
    zone: tzinfo | None = None,
) -> Uptime:
    """The last DAYS days of a device, today last.

    `events` are the device's events in that time, oldest first; `asked` has the scopes
    that were asked by day. Days are those of `zone`, or of this machine.
    """
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    spans = _spans(device, events, now)
    told = {event.at.astimezone(zone).date() for event in events}
    cells: list[float | None] = []
    total_up = total = 0.0
    for day in days:
        up, down = _seconds(spans, _midnight(day, zone), _midnight(day + timedelta(1), zone))
        is_known = up + down > 0 and (day in told or _was_asked(device, asked.get(day, ())))
        cells.append(up / (up + down) if is_known else None)
        if is_known:
            total_up, total = total_up + up, total + up + down
    return Uptime(days[0], tuple(cells), total_up / total if total else None)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    """When the day begins, in UTC. Where the clock skips midnight, it begins with the hour that
    comes instead. (`astimezone()` of a naive time takes the offset after the skip, an hour early.)
    """
    naive = datetime(day.year, day.month, day.day)  # noqa: DTZ001  the zone comes next
    return datetime.fromtimestamp(naive.replace(tzinfo=zone).timestamp(), UTC)


def _was_asked(device: Device, scopes: Collection[str]) -> bool:
    """Some source was asked where it knows this device; without a place, anywhere."""
    for source, word in device.words.items():
        if word.scope in scopes or (word.scope is None and source in scopes):
            return True
    return False


Span = tuple[datetime, datetime, bool | None]


def _spans(device: Device, events: Sequence[Event], now: datetime) -> list[Span]:
    """(from, to, answered) one after the other; None while it is retired or unknown."""
    if device.first_seen is None:
        return []
    at, is_up = device.first_seen, _before(device, events)
    spans: list[Span] = []
    for event in events:
        if event.at > at:
            spans.append((at, event.at, is_up))
            at = event.at
        is_up = _after(event, is_up)
    return [*spans, (at, max(at, now), is_up)]


def _before(device: Device, events: Sequence[Event]) -> bool | None:
    """How it stood before the first of the events."""
    if not events:
        return None if device.retired_at else _is_up(device.status)
    first = events[0]
    if first.kind == "device.restored":
        return None
    if "status" in first.before:
        return _is_up(str(first.before["status"]))
    return True


def _after(event: Event, is_up: bool | None) -> bool | None:
    if event.kind in UNKNOWN_KINDS:
        return None
    if event.kind == "device.restored":
        return True
    if event.kind in DOWN_KINDS:
        return False
    return True if event.kind in UP_KINDS else is_up


def _is_up(word: str) -> bool | None:
    return None if word == status.UNKNOWN else word in status.UP


def _seconds(spans: Sequence[Span], start: datetime, end: datetime) -> tuple[float, float]:
    """How long it answered, and how long it did not, within a day."""
    up = down = 0.0
    for begin, stop, is_up in spans:
        length = (min(stop, end) - max(begin, start)).total_seconds()
        if length > 0 and is_up is not None:
            up, down = (up + length, down) if is_up else (up, down + length)
    return up, down
