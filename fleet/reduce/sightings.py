"""Apply sightings: find the device and update everything that the sighting proves."""

from dataclasses import replace
from datetime import datetime

from fleet import identity, labels, recorder_list, status, validation
from fleet.model import AddressChange, Device, Sighting, SourceState
from fleet.reduce import (
    addresses,
    capacity,
    channels,
    claims,
    entered_hosts,
    facts,
    findings,
    interfaces,
    kinds,
    learning,
    matching,
    recent_misses,
    shared_addresses,
    told_streams,
)
from fleet.reduce.draft import Draft


def apply(draft: Draft, sighting: Sighting) -> Device | None:
    if sighting.only_alive:
        return _renew(draft, sighting)
    placed = channels.at_recorder(draft, sighting)
    return _apply(draft, placed) if placed is not None else None


def _apply(draft: Draft, sighting: Sighting) -> Device | None:
    device, keys = matching.match(draft, sighting)
    sighting = channels.numbered(draft, device, sighting)
    if device is None:
        return _add(draft, sighting, keys) if keys else _renew_merged(draft, sighting)
    if recorder_list.is_outdated(device, sighting):
        return None
    if matching.is_overtaken(device, sighting, draft):
        return None
    if device.retired_at is not None:
        if not capacity.makes_room(draft, sighting.address):
            return None
        draft.add_event(
            "device.restored", device, f"{labels.name(device)} is online again and was restored"
        )
        channels.restore_along(draft, device, device.retired_at)
        device = replace(device, retired_at=None, status=status.ACTIVE, since=draft.now)
    known = device
    device, finding = addresses.moved(draft, device, sighting, keys)
    device = entered_hosts.followed(device, known, sighting)
    device = kinds.with_kind_of(_with_facts(draft, device, sighting), sighting, draft.rules)
    fresh = _fresh(draft, device, sighting, keys)
    claims.take_from_owners(draft, device, fresh)
    device = channels.with_sighting(draft, _with_keys(device, keys, fresh), sighting)
    draft.put(_with_state(device, sighting, keys, draft.now))
    told_streams.add_access(draft, known, sighting)
    if device.address != known.address:
        channels.move_along(draft, device, known.address)
    if finding is not None:
        findings.apply(draft, finding)
    channels.tell_signal(draft, device, sighting)
    shared_addresses.watch(draft, known, draft.devices[device.id], sighting)
    return device


def _renew(draft: Draft, sighting: Sighting) -> Device | None:
    """Renew the time of a device that was only heard: hearing brings no device, address or fact."""
    keys = identity.proved(sighting, draft.disputed)
    if sighting.device is not None:
        device = draft.find(f"id:{sighting.device}", sighting.site)
    else:
        device = draft.find(keys[0], sighting.site) if keys else None
    if device is None or device.retired_at or device.address != sighting.address:
        return None
    if matching.is_overtaken(device, sighting, draft):
        return None
    draft.put(_with_state(device, sighting, (), draft.now))
    return device


def _renew_merged(draft: Draft, sighting: Sighting) -> Device | None:
    """Renew the time of a device of several interfaces whose key was seen at a new address, which
    is not taken yet: with all of its interfaces moved, it would be called offline until then."""
    keys = identity.proved(sighting, draft.disputed)
    device = draft.find(keys[0], sighting.site) if keys else None
    if device is None or not interfaces.has_several(device):
        return None
    return _renew(
        draft,
        replace(
            sighting,
            address=device.address,
            device=device.id,
            only_alive=True,
            learned=None,
            links={},
        ),
    )


def _add(draft: Draft, sighting: Sighting, keys: tuple[str, ...]) -> Device | None:
    if not (channels.has_room(draft, sighting) and capacity.makes_room(draft, sighting.address)):
        return None
    device = Device(
        id=draft.new_id(),
        kind=sighting.kind,
        site=sighting.site,
        identities=keys,
        kind_source=sighting.source,
        address=sighting.address,
        addresses=(AddressChange(sighting.address, sighting.at, None),) if sighting.address else (),
        facts={sighting.source: facts.facts_of(sighting)},
        first_seen=sighting.at,
        sightings=0 if sighting.asked else 1,
        status=status.ACTIVE,
        since=sighting.at,
    )
    if sighting.address and not claims.is_at_place_only(keys):
        claims.end_at(draft, device, sighting.address)
    claims.take_from_owners(draft, device, keys)
    device = channels.with_sighting(draft, device, sighting)
    device = _with_state(device, sighting, keys, draft.now)
    draft.put(device)
    where = f" at {sighting.address}" if sighting.address else ""
    after = status.evidence(device, device.status)
    draft.add_event("device.found", device, f"{labels.name(device)} was found{where}", after=after)
    told_streams.leave_to_channels(draft, device)
    channels.tell_signal(draft, device, sighting)
    shared_addresses.watch(draft, None, device, sighting)
    return device


def _with_facts(draft: Draft, device: Device, sighting: Sighting) -> Device:
    new_facts, known = facts.facts_of(sighting, device), device.facts.get(sighting.source)
    if new_facts == known:
        return device
    if known is not None and sighting.is_brief:
        return device
    if known is not None and interfaces.is_other(device, sighting):
        return device
    device = replace(device, facts={**device.facts, sighting.source: new_facts})
    changed = [
        key
        for key in facts.SIGHTING_FIELDS
        if known and key in known and known[key] != new_facts.get(key)
    ]
    if changed and known:
        before = {key: known[key] for key in changed}
        after = {key: new_facts.get(key) for key in changed}
        text = ", ".join(
            f"{key} changed from {known[key]} to {new_facts.get(key, 'none')}" for key in changed
        )
        draft.add_event("device.facts", device, f"{labels.name(device)}: {text}", before, after)
    return device


def _fresh(
    draft: Draft, device: Device, sighting: Sighting, keys: tuple[str, ...]
) -> tuple[str, ...]:
    """The keys that the sighting proves and the device did not have. What a person told apart
    stays apart, and a key that means something only at another site means nothing here."""
    fresh = []
    for key in keys:
        if key in device.identities:
            continue
        is_here = sighting.site == device.site or identity.is_global(key)
        # Where the device is asked, its access says already.
        is_asked = sighting.device == device.id and claims.is_at_place_only((key,))
        if not is_here or is_asked:
            continue
        owner = draft.find(key, sighting.site)
        is_apart = owner is not None and (
            owner.id in device.never_merge or device.id in owner.never_merge
        )
        if not is_apart:
            fresh.append(key)
    return tuple(fresh)


def _with_keys(device: Device, keys: tuple[str, ...], fresh: tuple[str, ...]) -> Device:
    """The device with new keys. An endpoint reference replaces that of before a reset, and any
    key replaces the placeholder key of a record without one."""
    if not fresh:
        return device
    proved, had = identity.endpoints(keys), identity.endpoints(device.identities)
    lost = had if proved and not had & proved else frozenset()
    kept = (
        key for key in device.identities if key not in lost and not key.startswith(identity.FORMER)
    )
    return identity.renamed(device, (*kept, *fresh))


def _with_state(device: Device, sighting: Sighting, keys: tuple[str, ...], now: datetime) -> Device:
    """The device with what its source says now, and when it proved its keys and its address."""
    is_older = status.is_older(sighting.at, device.last_seen, now)
    state = device.states.get(sighting.source, SourceState())
    is_new_scan = sighting.asked is not None and sighting.asked != state.asked
    state = SourceState(
        seen_at=sighting.at,
        missed_at=state.missed_at,
        asked=sighting.asked or state.asked,
        scope=sighting.scope or state.scope,
        extra=state.extra,
    )
    recent = device.recent_misses
    return replace(
        device,
        access=learning.with_learned(device, sighting) if sighting.learned else device.access,
        recent_misses=recent_misses.within_window(recent, now) if recent else recent,
        states={**device.states, sighting.source: state},
        links={**device.links, **sighting.links} if sighting.links else device.links,
        claims=claims.with_claim_times(device, sighting, keys),
        interfaces=interfaces.with_proved_interface(device, sighting, keys),
        source_addresses=(
            device.source_addresses
            if is_older or sighting.only_alive
            else addresses.with_proved_address(device, sighting)
        ),
        first_seen=device.first_seen or sighting.at,
        last_seen=sighting.at if not is_older else device.last_seen,
        sightings=validation.count(device.sightings + is_new_scan),
    )
