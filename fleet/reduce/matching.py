"""Match a sighting with its device. Two records that prove to be one become one.

The strongest keys decide: endpoint reference, MAC, row of a list, channel, then the place.
"""

from collections.abc import Sequence

from fleet import identity, status
from fleet.channels import STREAM, is_channel
from fleet.model import Device, Sighting
from fleet.reduce import addresses, channels, claims, disputes, merging
from fleet.reduce.draft import Draft

STRENGTH = (identity.ENDPOINT, identity.MAC, identity.ROW, identity.CHANNEL)


def match(draft: Draft, sighting: Sighting) -> tuple[Device | None, tuple[str, ...]]:
    """The device of the sighting, or None if it is new, and the keys that the sighting proves.
    Without keys it proves nothing, and there is no device."""
    disputes.watch(draft, sighting)
    keys = identity.proved(sighting, draft.disputed)
    device = draft.find(keys[0], sighting.site) if keys else None
    if device is not None and is_as_known(device, sighting, keys):
        return device, keys
    shared = disputes.shared_keys(draft, sighting, keys)
    if shared and not any(is_overtaken(owner, sighting, draft) for owner in shared.values()):
        keys = disputes.settle_shared(draft, sighting, shared)
    return (_device(draft, sighting, keys) if keys else None), keys


def is_as_known(device: Device, sighting: Sighting, keys: tuple[str, ...]) -> bool:
    """True if the sighting proves all that the device proved before, where it was, and no more:
    nothing can be in dispute, and no other device can be meant."""
    is_same = (keys, sighting.address) == (device.identities, device.address)
    is_here = sighting.site == device.site and not device.interfaces
    stream = device.links.get(STREAM)
    is_stream_known = sighting.links.get(STREAM, stream) == stream
    return is_same and is_here and is_stream_known and not claims.is_at_place_only(keys)


def is_overtaken(device: Device, sighting: Sighting, draft: Draft) -> bool:
    """True if its source has reported since, or a person has retired the device since. A miss says
    nothing of a new address at which the device proves itself: it was asked at the old one."""
    at, now = sighting.at, draft.now
    if device.retired_at is not None and status.is_older(at, device.retired_at, now):
        return True
    state = device.states.get(sighting.source)
    if state is None:
        return False
    if status.is_older(at, state.seen_at, now):
        return True
    has_moved = sighting.address not in (None, device.address) and not sighting.only_alive
    if has_moved and not claims.is_at_place_only(sighting.identities):
        return False
    return status.is_older(at, state.missed_at, now)


def _device(draft: Draft, sighting: Sighting, keys: Sequence[str]) -> Device | None:
    holders = _holders(draft, sighting, keys) or channels.known_otherwise(draft, sighting)
    holders += channels.added_with_stream(draft, sighting)
    ids = sorted({holder.id for holder in holders})
    if len(ids) > 1 and may_be_one([draft.devices[id] for id in ids]):
        for other in ids[1:]:
            merging.merge(draft, ids[0], other)
        return draft.devices[ids[0]]
    holder = holders[0] if holders else _asked(draft, sighting)
    if not claims.is_at_place_only(keys) or (holder is not None and is_channel(holder)):
        return holder
    if holder is not None and not claims.may_lose_place(holder, draft.rules):
        return holder
    return at_address(draft, sighting, holder) or holder


def _holders(draft: Draft, sighting: Sighting, keys: Sequence[str]) -> list[Device]:
    """The devices that the keys lead to and that may be meant, by the strongest key first."""
    ordered = sorted(keys, key=_strength) if len(keys) > 1 else keys
    owners = (draft.find(key, sighting.site) for key in ordered)
    return [
        owner for owner in owners if owner is not None and not identity.is_another(owner, sighting)
    ]


def _asked(draft: Draft, sighting: Sighting) -> Device | None:
    """The device that was asked, for an answer that proves no key of any record. It is another
    one that answered if the keys contradict its own, and a channel is not its recorder."""
    if sighting.device is None or channels.keys_in(sighting):
        return None
    device = draft.find(f"id:{sighting.device}", sighting.site)
    if device is None or device.retired_at is not None or device.site != sighting.site:
        return None
    return None if identity.is_another(device, sighting) else device


def _strength(key: str) -> int:
    return next((n for n, kind in enumerate(STRENGTH) if key.startswith(kind)), len(STRENGTH))


def may_be_one(devices: Sequence[Device]) -> bool:
    """False for devices with different MACs, whatever else they share; also for those that a
    person told apart, or that have two rows of a list."""
    ids = {device.id for device in devices}
    is_apart = any(ids & set(device.never_merge) for device in devices)
    having = [macs for device in devices if (macs := identity.macs_of(device))]
    rows = [device for device in devices if identity.row_key(device)]
    if is_apart or len(rows) > 1:
        return False
    return not having or bool(set.intersection(*having))


def at_address(draft: Draft, sighting: Sighting, but: Device | None = None) -> Device | None:
    """The one device that has the sighting's address at its site now.

    Only for what proves where it is and no more; with two that answer nobody is chosen.
    """
    if sighting.address is None or channels.keys_in(sighting):
        return None
    candidates = [
        device
        for device in draft.at(sighting.site, sighting.address)
        if device is not but
        and addresses.is_at(device, sighting.address, sighting.at, draft.rules)
        and not identity.is_another(device, sighting)
    ]
    if len(candidates) > 1 or but is not None:
        candidates = [device for device in candidates if not status.is_silent(device, draft.rules)]
    return candidates[0] if len(candidates) == 1 else None
