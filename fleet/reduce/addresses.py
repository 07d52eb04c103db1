"""Track a device's addresses and their history, with a limit on the events about moves.

A device with two interfaces has two addresses and does not move with each sighting:

    the new address answers, the old one in this scan or the last      both are current
    it answers at one, the other, the one and the other again          both are current
    the old address stops, the new one answers                         it moved
    one of the interfaces that a person merged moves                   its device stays
    an address that a device has besides stops                         nothing is told
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from fleet import labels, status
from fleet.model import MAX_ADDRESSES, AddressChange, Device, Finding, Sighting
from fleet.reduce import claims, interfaces
from fleet.reduce.draft import Draft

MAX_MOVES = 10
"""Of one device within a day; further ones are one finding instead of events."""
DAY = timedelta(days=1)
MAX_SOURCE_ADDRESSES = 4
"""Addresses of one device that each source keeps with their times: the newest."""
FIRST_KEPT = 100
"""The oldest addresses, which no later move pushes out of a full history."""
UNSTABLE = "address.unstable"
TEXT = (
    f"its address changed {MAX_MOVES} times within a day; further changes are not recorded as "
    "events"
)


def within_limit(changes: Sequence[AddressChange]) -> tuple[AddressChange, ...]:
    """The first and the newest changes, where there are too many."""
    if len(changes) <= MAX_ADDRESSES:
        return tuple(changes)
    return (*changes[:FIRST_KEPT], *changes[FIRST_KEPT - MAX_ADDRESSES :])


def is_unstable(changes: Sequence[AddressChange], now: datetime) -> bool:
    """True if it moved so often within the last day that the next move gets no event."""
    moves = (change for change in changes if change.previous and change.at > now - DAY)
    return sum(1 for _ in moves) >= MAX_MOVES


def moved(
    draft: Draft, device: Device, sighting: Sighting, keys: Sequence[str]
) -> tuple[Device, Finding | None]:
    """The device at the address of the sighting, which proves `keys`, and the finding that this
    raises or clears."""
    new, old = sighting.address, device.address
    if new is None or status.is_older(sighting.at, device.last_seen, draft.now):
        return device, None
    if (
        new == old
        or has_both(device, sighting, draft.rules)
        or _has_other(draft, device, sighting, keys)
    ):
        return _clear_moved(device, sighting, draft.now)
    if claims.is_at_place_only(keys) and not claims.is_at_place_only(device.identities):
        return device, None  # Who is there says nothing of where else the device is.
    was_unstable = is_unstable(device.addresses, sighting.at)
    change = AddressChange(new, sighting.at, old)
    device = replace(device, address=new, addresses=_with_change(device.addresses, change))
    if not claims.is_at_place_only(keys):
        claims.end_at(draft, device, new)
    if old is None:
        return device, None
    device = gone_from(claims.without_keys_at(device, old, keys), old)
    if was_unstable:
        return device, _finding(device, sighting)
    draft.add_event(
        "device.moved",
        device,
        f"{labels.name(device)} moved from {old} to {new}",
        {"address": old},
        {"address": new},
    )
    return replace(device, moved_at=sighting.asked or sighting.at), None


def with_proved_address(device: Device, sighting: Sighting) -> Mapping[str, Mapping[str, datetime]]:
    """The addresses of the device by source, with the time at which the sighting proved its own."""
    if sighting.address is None:
        return device.source_addresses
    known = {**device.source_addresses.get(sighting.source, {}), sighting.address: sighting.at}
    if len(known) > MAX_SOURCE_ADDRESSES:
        del known[min(known, key=lambda ip: known[ip])]
    return {**device.source_addresses, sighting.source: known}


def with_address(device: Device, ip: str, at: datetime) -> Device:
    """The device at another address, which another device proved for it."""
    change = AddressChange(ip, at, device.address)
    addresses = _with_change(device.addresses, change)
    return replace(device, address=ip, addresses=addresses, source_addresses={})


def gone_from(device: Device, address: str) -> Device:
    """Remove an address from all sources of the device."""
    left = {
        source: {ip: at for ip, at in known.items() if ip != address}
        for source, known in device.source_addresses.items()
    }
    kept = {source: known for source, known in left.items() if known}
    return replace(device, source_addresses=kept)


def is_lately(device: Device, address: str | None, at: datetime, rules: status.Rules) -> bool:
    """True if a source proved that the device is at the address, within the last of its scans."""
    if not device.source_addresses or address is None:
        last = device.last_seen if address == device.address else None
        return last is not None and last >= at - 2 * rules.patience
    return any(
        known[address] >= at - 2 * rules.patience_with(device, source)
        for source, known in device.source_addresses.items()
        if address in known
    )


def is_in_scan(device: Device, sighting: Sighting) -> bool:
    """True if the scan of the sighting has proved the device's shown address already."""
    state = device.states.get(sighting.source)
    if state is None or sighting.asked is None or state.asked != sighting.asked:
        return False
    return _is_since(device, sighting.source, device.address, sighting.asked)


def has_both(device: Device, sighting: Sighting, rules: status.Rules) -> bool:
    """True if its shown address and that of the sighting are two of the device at once."""
    new, old, source = sighting.address, device.address, sighting.source
    if new is None or old is None or new == old:
        return False
    if is_in_scan(device, sighting):
        return True
    state = device.states.get(source)
    asked = state.asked if state else None
    if asked and all(_is_since(device, source, address, asked) for address in (new, old)):
        return True
    return alternates(device, sighting, rules)


def _has_other(draft: Draft, device: Device, sighting: Sighting, keys: Sequence[str]) -> bool:
    """True if the shown address is that of another interface, which was proved lately."""
    shown, kept = device.address, interfaces.with_proved_interface(device, sighting, keys)
    has_left = any(
        shown in device.interfaces.get(key, {}) and shown not in kept[key] for key in keys
    )
    is_known = any(shown in places for places in kept.values())
    return is_known and not has_left and is_lately(device, shown, draft.now, draft.rules)


def alternates(device: Device, sighting: Sighting, rules: status.Rules) -> bool:
    """True if it went from its shown address to that of the sighting and back, and was at both
    lately."""
    new, old, changes = sighting.address, device.address, device.addresses[-2:]
    if [(change.previous, change.ip) for change in changes] != [(old, new), (new, old)]:
        return False
    went_at, patience = changes[-1].at, rules.patience_with(device, sighting.source)
    is_recent = went_at >= sighting.at - 2 * patience or is_lately(device, new, sighting.at, rules)
    return is_recent and is_lately(device, old, sighting.at, rules)


def _is_since(device: Device, source: str, address: str | None, at: datetime) -> bool:
    known = device.source_addresses.get(source, {}).get(address or "")
    return known is not None and known >= at


def is_at(device: Device, address: str, at: datetime, rules: status.Rules) -> bool:
    """True if the address is the one that is shown, or was proved lately besides."""
    return device.address == address or is_lately(device, address, at, rules)


def _clear_moved(
    device: Device, sighting: Sighting, now: datetime
) -> tuple[Device, Finding | None]:
    asked, since = sighting.asked, device.moved_at
    if asked is not None and since is not None and (asked > since or since > now):
        device = replace(device, moved_at=None)
    has_it = any(finding.kind == UNSTABLE for finding in device.findings)
    if has_it and not is_unstable(device.addresses, sighting.at):
        return device, _finding(device, sighting, cleared=True)
    return device, None


def _finding(device: Device, sighting: Sighting, cleared: bool = False) -> Finding:
    key, source = f"id:{device.id}", sighting.source
    return Finding(key, UNSTABLE, sighting.at, TEXT, source, cleared=cleared, site=device.site)


def _with_change(
    changes: tuple[AddressChange, ...], new: AddressChange
) -> tuple[AddressChange, ...]:
    """The history with one more change. One that was made often within a day takes the place
    of its last repetition."""
    same = [
        change
        for change in changes
        if (change.previous, change.ip) == (new.previous, new.ip) and change.at > new.at - DAY
    ]
    if len(same) >= MAX_MOVES:
        changes = tuple(change for change in changes if change is not same[-1])
    return within_limit((*changes, new))
