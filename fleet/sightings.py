"""Apply sightings: the device that is meant, and everything that proof of life says of it."""

from dataclasses import replace
from datetime import datetime

from fleet import (
    addresses,
    capacity,
    facts,
    findings,
    identity,
    labels,
    merging,
    recent_misses,
    recorder_list,
    status,
    validation,
)
from fleet.draft import Draft
from fleet.model import AddressChange, Device, Sighting, SourceState


def apply(draft: Draft, sighting: Sighting) -> Device | None:
    if sighting.only_alive:
        return _renew(draft, sighting)
    device = _whose(draft, sighting)
    if device is None:
        return _add(draft, sighting)
    if recorder_list.is_outdated(device, sighting) or _is_overtaken(draft, device, sighting):
        return None
    if device.retired_at is not None:
        if not capacity.makes_room(draft, sighting.address):
            return None
        draft.tell("device.restored", device, f"{labels.name(device)} answers again, so it is back")
        device = replace(device, retired_at=None, status=status.ACTIVE, since=draft.now)
    device, finding = addresses.moved(draft, device, sighting)
    device = _with_facts(draft, device, sighting)
    draft.put(_with_word(device, sighting, _fresh(draft, device, sighting), draft.now))
    if finding is not None:
        findings.apply(draft, finding)
    return device


def _renew(draft: Draft, sighting: Sighting) -> Device | None:
    """Hearing is no proof: it brings no device, no address and no fact."""
    device = draft.find(sighting.identities[0], sighting.site)
    if device is None or device.retired_at or device.address != sighting.address:
        return None
    if _is_overtaken(draft, device, sighting):
        return None
    draft.put(_with_word(device, sighting, (), draft.now))
    return device


def _is_overtaken(draft: Draft, device: Device, sighting: Sighting) -> bool:
    """Its source has spoken since, or a person has retired the device since."""
    word = device.states.get(sighting.source, SourceState())
    later = (word.seen_at, word.missed_at, device.retired_at)
    return any(status.is_older(sighting.at, one, draft.now) for one in later)


def _whose(draft: Draft, sighting: Sighting) -> Device | None:
    """The device that the sighting belongs to; two that prove to be one become one."""
    ids = identity.known_ids(sighting, draft.index, draft.devices)
    if not ids:
        return identity.at_address(sighting, draft.devices.values())
    if len(ids) > 1 and identity.may_be_one([draft.devices[id] for id in ids]):
        for other in ids[1:]:
            merging.merge(draft, ids[0], other)
        return draft.devices[ids[0]]
    keys = (identity.index_key(one, sighting.site) for one in sighting.identities)
    return next(draft.devices[draft.index[key]] for key in keys if draft.index.get(key) in ids)


def _add(draft: Draft, sighting: Sighting) -> Device | None:
    if not capacity.makes_room(draft, sighting.address):
        return None
    device = Device(
        id=draft.new_id(),
        kind=sighting.kind,
        site=sighting.site,
        identities=sighting.identities,
        address=sighting.address,
        first_seen=sighting.at,
        sightings=0 if sighting.asked else 1,
        status=status.ACTIVE,
        since=sighting.at,
    )
    if sighting.address:
        device = replace(device, addresses=(AddressChange(sighting.address, sighting.at, None),))
    device = replace(device, facts={sighting.source: facts.said_by(sighting)})
    device = _with_word(device, sighting, (), draft.now)
    draft.put(device)
    where = f" at {sighting.address}" if sighting.address else ""
    after = status.evidence(device, device.status)
    draft.tell("device.found", device, f"{labels.name(device)} was found{where}", after=after)
    return device


def _with_facts(draft: Draft, device: Device, sighting: Sighting) -> Device:
    said, known = facts.said_by(sighting, device), device.facts.get(sighting.source)
    if said == known:
        return device
    device = replace(device, kind=device.kind if device.listed else sighting.kind)
    device = replace(device, facts={**device.facts, sighting.source: said})
    changed = [key for key in facts.TOLD if known and key in known and known[key] != said.get(key)]
    if changed and known:
        before = {key: known[key] for key in changed}
        after = {key: said.get(key) for key in changed}
        text = ", ".join(f"{key} {known[key]} is now {said.get(key, 'gone')}" for key in changed)
        draft.tell("device.facts", device, f"{labels.name(device)}: {text}", before, after)
    return device


def _fresh(draft: Draft, device: Device, sighting: Sighting) -> tuple[str, ...]:
    """The keys that the sighting proves anew. What a person told apart stays apart, and a
    key that means something only at another site means nothing here."""
    fresh = []
    for one in sighting.identities:
        owner = draft.find(one, sighting.site)
        is_apart = owner is not None and (
            owner.id in device.never_merge or device.id in owner.never_merge
        )
        is_here = sighting.site == device.site or one.startswith(identity.GLOBAL)
        if is_here and one not in device.identities and not is_apart:
            fresh.append(one)
    return tuple(fresh)


def _with_word(device: Device, sighting: Sighting, fresh: tuple[str, ...], now: datetime) -> Device:
    is_older = status.is_older(sighting.at, device.last_seen, now)
    word = device.states.get(sighting.source, SourceState())
    is_new_scan = sighting.asked is not None and sighting.asked != word.asked
    word = SourceState(
        seen_at=sighting.at,
        missed_at=word.missed_at,
        asked=sighting.asked or word.asked,
        scope=sighting.scope or word.scope,
    )
    recent = device.recent_misses
    return replace(
        device,
        identities=(*device.identities, *fresh),
        recent_misses=recent_misses.kept(recent, now) if recent else recent,
        states={**device.states, sighting.source: word},
        links={**device.links, **sighting.links},
        first_seen=device.first_seen or sighting.at,
        last_seen=sighting.at if not is_older else device.last_seen,
        sightings=validation.count(device.sightings + is_new_scan),
    )
