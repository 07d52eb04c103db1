"""Compute the status of a device from its facts and the time. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fleet.model import Device, SourceState

ACTIVE = "ACTIVE"
IP_CHANGED = "IP_CHANGED"
OFFLINE = "OFFLINE"
MISSING = "MISSING"
UNKNOWN = "UNKNOWN"
UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True)
class Status:
    """A status: its name, its texts, its place in lists, and whether it is up or down.

    `title` is what pages call it; `predicate` is the end of a sentence that begins with the name of
    the device. `rank`: a list with the worst first begins with the lowest. A status that is
    neither up nor down says nothing of the device. Its mark in `static/marks.svg` and its colour
    in `static/style.css` are called as the word, in lower case; so are its filter and the
    event `device.<word>`.
    """

    name: str
    title: str
    predicate: str
    rank: int
    is_up: bool = False
    is_down: bool = False


TABLE = {
    status.name: status
    for status in (
        Status(ACTIVE, "Active", "is online", 5, is_up=True),
        Status(IP_CHANGED, "IP changed", "is online at a new address", 3, is_up=True),
        Status(OFFLINE, "Offline", "is offline", 0, is_down=True),
        Status(MISSING, "Missing", "is missing", 2, is_down=True),
        Status(UNKNOWN, "Not checked", "has not been checked yet", 4),
        Status(UNREACHABLE, "Unreachable", "is unreachable", 1, is_down=True),
    )
}
"""Every status there is. What is not said here is in `web/http/remedies.py` (what to do)."""
NAMES = tuple(TABLE)
UP = frozenset(name for name, status in TABLE.items() if status.is_up)
DOWN = frozenset(name for name, status in TABLE.items() if status.is_down)


def event_kind(name: str) -> str:
    """The kind of the event that tells that a device has this status now. Those that came back,
    or answer for the first time, have kinds of their own (`labels.status_event`)."""
    return f"device.{name.lower()}"


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that statuses depend on besides the facts.

    `missing_after`: how long an offline device is silent before it is missing. `intervals`: how
    often each source asks listed devices; those in `probing` ask only devices with access for
    them. `kind_sources`: those whose answers name the kind of a device. `patience` is for a device
    that a source only scans. `down`: the scopes, as in CannotAsk, that cannot be asked now, and
    since when.
    """

    missing_after: timedelta = timedelta(hours=24)
    patience: timedelta = timedelta(minutes=10)
    intervals: Mapping[str, timedelta] = field(default_factory=dict)
    probing: frozenset[str] = frozenset()
    kind_sources: frozenset[str] = frozenset()
    down: Mapping[str, datetime] = field(default_factory=dict)

    def patience_with(self, device: Device, source: str) -> timedelta:
        """Twice the interval at which the source asks this device: for so long its sighting
        outweighs a later miss of another source, and a state is current without a new one."""
        interval, access = self.intervals.get(source), device.access.get(source)
        own = timedelta(seconds=access.interval or 0) if access else timedelta()
        if source in self.probing:
            interval = own or (interval if access else None)
        elif interval:
            # A device that is swept less often than the others; more often is no promise.
            interval = max(interval, own)
        return 2 * interval if interval else self.patience


def is_older(at: datetime, known: datetime | None, now: datetime) -> bool:
    """True if `at` is before the time known already.

    What is known from after `now` was written while the clock was ahead: it says nothing of
    the order, and whatever comes in now counts.
    """
    return known is not None and at < known <= now


def is_missed(state: SourceState) -> bool:
    return state.misses > 0


def is_silent(device: Device, rules: Rules) -> bool:
    """True if a source asked in vain and no other one vouches for the device.

    A source vouches when its own last word is a sighting that is not older than
    its patience before the miss: a camera whose stream is down but which still answers
    the broadcast is up, with a finding, not flapping.
    """
    missed = [state for state in device.states.values() if state.misses > 0]
    if not missed:
        return False
    newest = max((state.missed_at for state in missed if state.missed_at), default=None)
    return not any(
        state.seen_at
        and not is_missed(state)
        and (newest is None or state.seen_at >= newest - rules.patience_with(device, source))
        for source, state in device.states.items()
    )


def own_status(device: Device, now: datetime, rules: Rules) -> str:
    """The status by the device's own facts, without its parent."""
    if not is_silent(device, rules):
        if device.last_seen is None:
            return UNKNOWN
        return IP_CHANGED if device.moved_at else ACTIVE
    if device.listed or device.last_seen is None:
        return OFFLINE
    return MISSING if now - device.last_seen >= rules.missing_after else OFFLINE


def status(device: Device, devices: Mapping[int, Device], now: datetime, rules: Rules) -> str:
    """The status, with a silent device behind dead parents as UNREACHABLE."""
    own = own_status(device, now, rules)
    if own in DOWN and _is_cut_off(device, devices, now, rules):
        return UNREACHABLE
    return own


def _is_cut_off(device: Device, devices: Mapping[int, Device], now: datetime, rules: Rules) -> bool:
    """True if every way up from the device has a parent that is down. One way is enough: two
    parents are two uplinks. A retired parent is not a way itself, only the ones above it."""
    is_blocked, visited, queue = False, {device.id}, [device]
    while queue:
        below = queue.pop()
        parents = [devices[id] for id in below.parents if id in devices and id != device.id]
        if not parents and (below is device or below.retired_at is None):
            return False
        for parent in parents:
            if parent.retired_at is None and own_status(parent, now, rules) in DOWN:
                is_blocked = True
            elif parent.id not in visited:
                visited.add(parent.id)
                queue.append(parent)
    return is_blocked


def statuses(devices: Mapping[int, Device], now: datetime, rules: Rules) -> dict[int, str]:
    """The statuses of all the devices given, retired ones too, by id."""
    return {id: status(device, devices, now, rules) for id, device in devices.items()}


def last_asked(device: Device) -> datetime | None:
    """The last time at which any source asked or heard the device."""
    times = map(_newest, device.states.values())
    return max((at for at in times if at is not None), default=None)


def _newest(state: SourceState) -> datetime | None:
    """The last time at which the source asked or heard the device."""
    seen_at, missed_at = state.seen_at, state.missed_at
    if seen_at is None or missed_at is None:
        return seen_at or missed_at
    return max(seen_at, missed_at)


def is_stale(device: Device, now: datetime, rules: Rules) -> bool:
    """True if the device was not asked for so long that its status is only the last known one."""
    newest, is_late = None, True
    for source, state in device.states.items():
        at = _newest(state)
        if at is not None:
            newest = at if newest is None else max(newest, at)
            is_late = is_late and now - at > rules.patience_with(device, source)
    if newest is None:
        return False
    return is_late or any(newest < at for scope, at in rules.down.items() if _is_in(device, scope))


def _is_in(device: Device, scope: str) -> bool:
    """True if the device is asked in the scope: a whole source, or the part of it that heard the
    device last. For a source that names no part, only the whole is known."""
    state = device.states.get(scope.partition(":")[0])
    return state is not None and (":" not in scope or state.scope in (None, scope))


def last_missed(device: Device) -> str:
    """The source that missed it last and has not heard it since; empty when there is none."""
    missed = [
        (state.missed_at, state.reason, source)
        for source, state in device.states.items()
        if is_missed(state) and state.missed_at
    ]
    return max(missed, default=(None, "", ""))[2]


def evidence(device: Device, device_status: str) -> dict[str, Any]:
    """A status and what it rests on, as the data of an event: the source that decided it, and for
    a silent device its misses in a row and its reason."""
    source = last_missed(device) if device_status not in UP else ""
    state = device.states.get(source, SourceState())
    if not source:
        seen = [(state.seen_at, name) for name, state in device.states.items() if state.seen_at]
        source = max(seen, default=(None, ""))[1]
    return {
        "status": device_status,
        "reason": state.reason,
        "misses": state.misses,
        "source": source,
    }


def reason(device: Device) -> str:
    """The reason of the source that missed the device last; empty while it is not silent."""
    source = last_missed(device)
    text = device.states.get(source, SourceState()).reason
    if text and device.listed and device.last_seen is None:
        access = device.access.get(source)
        wrong = "address" if access and access.host else "serial number"
        return f"never online; check the {wrong} ({text})"
    return text
