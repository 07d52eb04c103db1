"""Daily uptime of a device, to the second. Pure.

A roll-up keeps one `Day` for each day on which a device had events; the days between
follow from them. A day counts only when the device was asked on it, or something was told of it:
what nobody looked at is unknown, never good.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from fleet import status
from fleet.model import Device, Event
from fleet.validation import HIGHEST_NUMBER

DAYS = 90
UP_KINDS = frozenset(
    {"device.found", "device.back", "device.moved", "device.settled"}
    | {status.event_kind(name) for name in status.UP}
)
DOWN_KINDS = frozenset(status.event_kind(name) for name in status.DOWN)
UNKNOWN_KINDS = frozenset(
    {"device.retired"}
    | {status.event_kind(name) for name in {*status.NAMES} - status.UP - status.DOWN}
)
KINDS = sorted(UP_KINDS | DOWN_KINDS | UNKNOWN_KINDS | {"device.restored"})
MERGED = "device.merged"

UP, DOWN, UNKNOWN, NEVER = "up", "down", "unknown", "never"
"""The states. `never`: it was not seen yet, so that its silence says nothing."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day with events. `first` and `last` are the times of the first and the last of them, in
    seconds since 1970; `up` and `down` are the seconds between the two. Until `first` the state
    was `opening`, and from `last` on it is `state`, on the days after too."""

    day: date
    first: float
    opening: str
    up: float
    down: float
    last: float
    state: str


@dataclass(frozen=True, slots=True)
class Uptime:
    """The uptime of a device. `days` holds, oldest first, the share of each day that the device
    answered, from 0 to 1, or None where it is unknown. `share` is that of all the known time."""

    first: date
    days: tuple[float | None, ...]
    share: float | None


# -- writing the roll-up -----------------------------------------------------------------------


class UptimeRollup:
    """The roll-up of one device, event by event, from its last day on.

    The events of records that were merged into it come in between its own: it is up while one
    of them is, until the merge, after which only its own events count.
    """

    def __init__(self, device: int, last: Day | None = None, zone: tzinfo | None = None) -> None:
        self.days: dict[date, Day] = {}
        self._states = {device: last.state} if last else {}
        self._last = last
        self._zone = zone

    def add(self, event: Event) -> None:
        """Add the next event, in the order of the journal. An earlier time than that of the
        previous event is replaced by the latter."""
        device = event.device or 0
        before = self._states.get(device) or _state_before(event)
        opening = self._last.state if self._last else before
        self._states[device] = _state_after(event, before)
        if event.kind == MERGED and (pair := merged_ids(event.after)):
            self._states.pop(pair[1], None)
        self._add_change(event.at.timestamp(), opening, _combine_states(self._states.values()))

    def _add_change(self, at: float, opening: str, state: str) -> None:
        last = self._last
        at = max(at, last.last) if last else at
        day = datetime.fromtimestamp(at, UTC).astimezone(self._zone).date()
        if last is None or last.day != day:
            new = Day(day, at, opening, 0.0, 0.0, at, state)
        else:
            length = at - last.last
            up, down = _up_and_down(last.state, length)
            new = replace(last, up=last.up + up, down=last.down + down, last=at, state=state)
        self._last = self.days[day] = new


def merged_ids(after: Mapping[str, Any]) -> tuple[int, int] | None:
    """The numbers of the record that stays and of the one that goes, from `after` of a merge or
    an undone one. None for an event of an early version or a hand edit, which lacks them."""
    stays, goes = after.get("stays"), after.get("goes")
    is_whole = all(type(id) is int and 0 < id <= HIGHEST_NUMBER for id in (stays, goes))
    return (stays, goes) if is_whole else None  # type: ignore[return-value]


def _combine_states(states: Collection[str]) -> str:
    return next((state for state in (UP, DOWN, UNKNOWN) if state in states), NEVER)


def _up_and_down(state: str, seconds: float) -> tuple[float, float]:
    return (seconds if state == UP else 0.0, seconds if state == DOWN else 0.0)


def _state_before(first: Event) -> str:
    """The state before the first event of a device."""
    kept = first.before.get("stays")
    if first.kind == MERGED and isinstance(kept, Mapping):
        return NEVER if kept.get("first_seen") is None else _state(str(kept.get("status")))
    if first.kind == "device.restored":
        return UNKNOWN
    if "status" in first.before:
        state = _state(str(first.before["status"]))
        return NEVER if state == UNKNOWN and first.kind in DOWN_KINDS else state
    return UP


def _state_after(event: Event, state: str) -> str:
    if event.kind in UP_KINDS:
        return UP
    if state == NEVER:
        return NEVER
    if event.kind in UNKNOWN_KINDS:
        return UNKNOWN
    if event.kind == "device.restored":
        return UP
    return DOWN if event.kind in DOWN_KINDS else state


def _state(shown: str) -> str:
    if shown in {*status.NAMES} - status.UP - status.DOWN:
        return UNKNOWN
    return UP if shown in status.UP else DOWN


# -- reading it --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """The last DAYS days, today last: `bounds` has when each begins, and when today ends."""

    now: float
    days: tuple[date, ...]
    bounds: tuple[float, ...]


def window(now: datetime, zone: tzinfo | None = None) -> Window:
    """The window that ends now, in days of `zone` or of this machine's zone."""
    today = now.astimezone(zone).date()
    days = tuple(today - timedelta(days=back) for back in range(DAYS - 1, -1, -1))
    bounds = tuple(midnight(day, zone) for day in (*days, today + timedelta(1)))
    return Window(now.timestamp(), days, bounds)


def midnight(day: date, zone: tzinfo | None = None) -> float:
    """The beginning of the day, in seconds since 1970.

    Where the clock skips midnight, it begins with the hour that comes instead. (`astimezone()` of a
    naive time takes the offset after the skip, an hour early.)
    """
    naive = datetime(day.year, day.month, day.day)  # noqa: DTZ001  the zone comes next
    return naive.replace(tzinfo=zone).timestamp()


def uptime(
    device: Device,
    rolled_up: Sequence[Day],
    asked: Mapping[date, Collection[str]],
    period: Window,
) -> Uptime:
    """The uptime of one device. `rolled_up` are its days in the roll-up, oldest first: those of
    the period, and the last one before it. `asked` has the scopes that were asked, by day."""
    by_day = {day.day: day for day in rolled_up}
    state = _initial_state(device, rolled_up, period.days[0])
    since = device.first_seen.timestamp() if device.first_seen else period.now
    scopes = _scopes(device)
    cells: list[float | None] = []
    total_up = total = 0.0
    for date_of_day, (begin, end) in zip(period.days, pairwise(period.bounds), strict=True):
        day = by_day.get(date_of_day)
        up, down = _seconds(day, state, max(begin, since), min(end, period.now))
        state = day.state if day else state
        was_asked = day is not None or not scopes.isdisjoint(asked.get(date_of_day, ()))
        is_known = up + down > 0 and was_asked
        cells.append(up / (up + down) if is_known else None)
        if is_known:
            total_up, total = total_up + up, total + up + down
    return Uptime(period.days[0], tuple(cells), total_up / total if total else None)


def _initial_state(device: Device, rolled_up: Sequence[Day], first: date) -> str:
    """The state at the beginning of the window."""
    if not rolled_up:
        return UNKNOWN if device.retired_at else _state(device.status)
    return rolled_up[0].state if rolled_up[0].day < first else rolled_up[0].opening


def _seconds(day: Day | None, state: str, start: float, end: float) -> tuple[float, float]:
    """The seconds online and offline from `start` to `end` of a day."""
    if day is None:
        return _up_and_down(state, max(0.0, end - start))
    up, down = _up_and_down(day.opening, max(0.0, day.first - start))
    more_up, more_down = _up_and_down(day.state, max(0.0, end - max(day.last, start)))
    return up + day.up + more_up, down + day.down + more_down


def _scopes(device: Device) -> frozenset[str]:
    """The scopes in which it is asked; a source that knows no part of itself is one."""
    return frozenset(state.scope or source for source, state in device.states.items())
