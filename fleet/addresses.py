"""Track a device's address and its history, with a limit on the events about moves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from fleet import labels, status
from fleet.draft import Draft
from fleet.model import MAX_ADDRESSES, AddressChange, Device, Finding, Sighting

MAX_MOVES = 10
"""Of one device within a day; further ones are one finding instead of events."""
DAY = timedelta(days=1)
FIRST_KEPT = 100
"""The oldest addresses, which no later move pushes out of a full history."""
UNSTABLE = "address.unstable"
TEXT = (
    f"its address changed {MAX_MOVES} times within a day; further moves are not recorded as events"
)


def within_limit(changes: Sequence[AddressChange]) -> tuple[AddressChange, ...]:
    """The first and the newest changes, where there are too many."""
    if len(changes) <= MAX_ADDRESSES:
        return tuple(changes)
    return (*changes[:FIRST_KEPT], *changes[FIRST_KEPT - MAX_ADDRESSES :])


def is_unstable(changes: Sequence[AddressChange], now: datetime) -> bool:
    """Whether it moved so often within the last day that the next move is not told."""
    moves = (one for one in changes if one.previous and one.at > now - DAY)
    return sum(1 for _ in moves) >= MAX_MOVES


def moved(draft: Draft, device: Device, sighting: Sighting) -> tuple[Device, Finding | None]:
    """The device at the address of the sighting, and the finding that this raises or clears."""
    new, old = sighting.address, device.address
    if new is None or status.is_older(sighting.at, device.last_seen, draft.now):
        return device, None
    if new == old:
        return _stayed(device, sighting, draft.now)
    was_unstable = is_unstable(device.addresses, sighting.at)
    change = AddressChange(new, sighting.at, old)
    device = replace(device, address=new, addresses=_with(device.addresses, change))
    if old is None:
        return device, None
    if was_unstable:
        return device, _finding(device, sighting)
    before, after = {"address": old}, {"address": new}
    draft.tell(
        "device.moved", device, f"{labels.name(device)} moved from {old} to {new}", before, after
    )
    return replace(device, moved_at=sighting.asked or sighting.at), None


def _stayed(device: Device, sighting: Sighting, now: datetime) -> tuple[Device, Finding | None]:
    asked, since = sighting.asked, device.moved_at
    if asked is not None and since is not None and (asked > since or since > now):
        device = replace(device, moved_at=None)
    has_it = any(one.kind == UNSTABLE for one in device.findings)
    if has_it and not is_unstable(device.addresses, sighting.at):
        return device, _finding(device, sighting, cleared=True)
    return device, None


def _finding(device: Device, sighting: Sighting, cleared: bool = False) -> Finding:
    key, source = f"id:{device.id}", sighting.source
    return Finding(key, UNSTABLE, sighting.at, TEXT, source, cleared=cleared, site=device.site)


def _with(changes: tuple[AddressChange, ...], new: AddressChange) -> tuple[AddressChange, ...]:
    """The history with one more change. One that was made often within a day takes the place
    of its last repetition."""
    same = [
        one
        for one in changes
        if (one.previous, one.ip) == (new.previous, new.ip) and one.at > new.at - DAY
    ]
    if len(same) >= MAX_MOVES:
        changes = tuple(one for one in changes if one is not same[-1])
    return within_limit((*changes, new))
