"""Merge two records into one, and split one record into two. Pure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import editable_fields, identity, labels, validation
from fleet.model import Device, Invalid
from fleet.places import access_key
from fleet.reduce import addresses, interfaces, kinds
from fleet.status import Rules

SPLIT_OFF = " (split)"
"""What follows the name of the other record in that of one that was split off."""


def merge_devices(remaining: Device, removed: Device, rules: Rules) -> Device:
    """Merge `removed` into `remaining`; where both have a value, that of `remaining` is used."""
    seen = [at for at in (remaining.first_seen, removed.first_seen) if at]
    last = [at for at in (remaining.last_seen, removed.last_seen) if at]
    history = sorted({*remaining.addresses, *removed.addresses}, key=lambda change: change.at)
    faults = {
        (fault.source, fault.kind): fault for fault in (*removed.findings, *remaining.findings)
    }
    kind = kinds.record_with_stronger_kind(remaining, removed, rules)
    return replace(
        remaining,
        kind=kind.kind,
        kind_source=kind.kind_source,
        identities=tuple(
            dict.fromkeys((*remaining.identities, *_keys_of(removed, remaining.site)))
        ),
        name=remaining.name or _given_name(removed),
        notes="\n".join(part for part in (remaining.notes, removed.notes) if part),
        tags=tuple(dict.fromkeys((*remaining.tags, *removed.tags))),
        address=remaining.address or removed.address,
        addresses=addresses.within_limit(history),
        first_seen=min(seen, default=None),
        last_seen=max(last, default=None),
        sightings=validation.count(remaining.sightings + removed.sightings),
        states={**removed.states, **remaining.states},
        recent_misses={**removed.recent_misses, **remaining.recent_misses},
        access={**removed.access, **remaining.access},
        source_addresses=_latest_by_source(removed.source_addresses, remaining.source_addresses),
        claims={**_claims_of(removed, remaining.site), **remaining.claims},
        interfaces=_interfaces_of(remaining, removed),
        extra={**removed.extra, **remaining.extra},
        facts={**removed.facts, **remaining.facts},
        links={**removed.links, **remaining.links},
        findings=tuple(faults.values()),
        parents=_others(remaining, removed, remaining.parents, removed.parents),
        listed=remaining.listed or removed.listed,
        retired_at=remaining.retired_at if removed.retired_at else None,
        never_merge=_others(remaining, removed, remaining.never_merge, removed.never_merge),
    )


def _given_name(device: Device) -> str | None:
    """The name that a person gave; that of a split only tells the two records apart."""
    return device.name if device.name and not device.name.endswith(SPLIT_OFF) else None


def _others(remaining: Device, removed: Device, *ids: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of other devices than these two, each once, in their order."""
    own = (remaining.id, removed.id)
    return tuple(id for id in dict.fromkeys(itertools.chain(*ids)) if id not in own)


def _latest_by_source(
    *maps: Mapping[str, Mapping[str, datetime]],
) -> dict[str, dict[str, datetime]]:
    """Every address of every source with the last time at which it was proved."""
    latest: dict[str, dict[str, datetime]] = {}
    for times in maps:
        for source, by_ip in times.items():
            known = latest.setdefault(source, {})
            for ip, at in by_ip.items():
                known[ip] = max(at, known.get(ip, at))
    return latest


def _keys_of(device: Device, site: str) -> list[str]:
    """The keys of a device that mean something at the site."""
    is_at_site = device.site == site
    return [key for key in device.identities if is_at_site or identity.is_global(key)]


def _claims_of(device: Device, site: str) -> dict[str, datetime]:
    """The times at which the device proved its keys that mean something at the site."""
    keys = _keys_of(device, site)
    return {key: at for key, at in device.claims.items() if key in keys}


def _interfaces_of(remaining: Device, removed: Device) -> dict[str, interfaces.Places]:
    """The interfaces of both; empty for a single MAC, which is at the address of the record."""
    has_several = len({*map(identity.mac_of, (remaining, removed))}) > 1
    if not (remaining.interfaces or removed.interfaces or has_several):
        return {}
    return {**interfaces.proved_places(removed), **interfaces.proved_places(remaining)}


def unmerge_device(merged: Device, remaining: Device, removed: Device, rules: Rules) -> Device:
    """Remove from `merged` everything that `removed` brought when `remaining` took it in."""
    left = _addresses_of(merged, removed) - _addresses_of(merged, remaining)
    before = merge_devices(remaining, removed, rules)
    rest = _with_own_values(merged, before, remaining, removed, left)
    rest = _with_own_proofs(rest, remaining, removed, left)
    rest = _with_own_results(rest, merged, remaining, removed, left)
    return _at_interfaces(rest, rest.address)


def _with_own_values(
    merged: Device, before: Device, remaining: Device, removed: Device, left: set[str]
) -> Device:
    """What has one value is as it was before the merge, unless it was changed since."""
    names = (*(editable_fields.BY_NAME.keys() - {"parents"}), "address", "retired_at")
    unchanged = [name for name in names if getattr(merged, name) == getattr(before, name)]
    if (merged.kind, merged.kind_source) == (before.kind, before.kind_source):
        unchanged += ["kind", "kind_source"]
    if merged.address in left:
        unchanged.append("address")
    return replace(
        merged,
        first_seen=remaining.first_seen,
        last_seen=_last_seen(merged, remaining, removed, before),
        sightings=max(0, merged.sightings - removed.sightings),
        listed=remaining.listed,
        **{name: getattr(remaining, name) for name in unchanged},
    )


def _with_own_proofs(device: Device, remaining: Device, removed: Device, left: set[str]) -> Device:
    """Without the keys, the ways to reach it and the addresses that `removed` brought."""

    def list_of_own(name: str) -> tuple[Any, ...]:
        own, brought = getattr(remaining, name), getattr(removed, name)
        return tuple(item for item in getattr(device, name) if item not in brought or item in own)

    def object_of_own(name: str) -> dict[str, Any]:
        own, brought = getattr(remaining, name), getattr(removed, name)
        values = getattr(device, name).items()
        return {key: value for key, value in values if key not in brought or key in own}

    return replace(
        device,
        identities=list_of_own("identities"),
        addresses=list_of_own("addresses"),
        parents=list_of_own("parents"),
        access=object_of_own("access"),
        claims=object_of_own("claims"),
        recent_misses=object_of_own("recent_misses"),
        links=object_of_own("links"),
        extra=object_of_own("extra"),
        source_addresses=_addresses_without(device, remaining, removed, left),
        interfaces=_without_addresses(device.interfaces, left),
    )


def _with_own_results(
    device: Device, merged: Device, remaining: Device, removed: Device, left: set[str]
) -> Device:
    """Without what the sources said of `removed`; facts that both had are those of the address
    that `merged` shows."""
    theirs = _seen_at_removed(merged, remaining, removed)
    states = {source: state for source, state in device.states.items() if source not in theirs}
    states |= {source: remaining.states[source] for source in theirs & remaining.states.keys()}
    brought = {*removed.states, *removed.facts} - {*remaining.states, *remaining.facts}
    both_sources = remaining.facts.keys() & removed.facts.keys()
    own_findings = {(finding.source, finding.kind) for finding in remaining.findings}
    their_findings = {(finding.source, finding.kind) for finding in removed.findings}
    is_theirs = merged.address in left or not merged.interfaces
    return replace(
        device,
        states={source: state for source, state in states.items() if source not in brought},
        facts={
            source: remaining.facts[source] if is_theirs and source in both_sources else facts
            for source, facts in device.facts.items()
            if source not in brought
        },
        findings=tuple(
            finding
            for finding in device.findings
            if (finding.source, finding.kind) not in their_findings - own_findings
        ),
    )


def _addresses_of(merged: Device, half: Device) -> set[str]:
    """The addresses at which the keys of the half were proved since; without any, its own ones."""
    known = {ip for by_ip in half.source_addresses.values() for ip in by_ip}
    since = {ip for key in half.identities for ip in merged.interfaces.get(key, {})}
    return since or {*known, *([half.address] if half.address else [])}


def _proof_times(merged: Device, half: Device, other: Device) -> dict[str, datetime]:
    """When the merged record was last at an address that only this half has, by source."""
    own = _addresses_of(merged, half) - _addresses_of(merged, other)
    times = {
        source: [at for ip, at in by_ip.items() if ip in own]
        for source, by_ip in merged.source_addresses.items()
    }
    return {source: max(by_source) for source, by_source in times.items() if by_source}


def _seen_at_removed(merged: Device, remaining: Device, removed: Device) -> set[str]:
    """The sources whose last sighting since the merge was at an address that only the removed
    record has."""
    before = {**removed.states, **remaining.states}
    times = _proof_times(merged, removed, remaining)
    return {
        source
        for source, state in merged.states.items()
        if state.seen_at is not None
        and (source not in before or state.seen_at != before[source].seen_at)
        and source in times
        and times[source] >= state.seen_at
    }


def _last_seen(
    merged: Device, remaining: Device, removed: Device, before: Device
) -> datetime | None:
    """When the record that remained was last seen. What came since the merge, and was not at an
    address of the removed one alone, is its own."""
    theirs = _proof_times(merged, removed, remaining).values()
    is_theirs = merged.last_seen is not None and max(theirs, default=None) == merged.last_seen
    if merged.last_seen != before.last_seen and not is_theirs:
        return merged.last_seen
    own = _proof_times(merged, remaining, removed).values()
    return max((at for at in (remaining.last_seen, *own) if at), default=None)


def with_sightings_since(merged: Device, removed: Device, remaining: Device) -> Device:
    """The removed record, seen when the merged one was at an address that only this one has."""
    theirs = _seen_at_removed(merged, remaining, removed)
    times = _proof_times(merged, removed, remaining).values()
    return replace(
        removed,
        last_seen=max((at for at in (removed.last_seen, *times) if at), default=None),
        states={**removed.states, **{source: merged.states[source] for source in theirs}},
    )


def _at_interfaces(device: Device, shown: str | None) -> Device:
    """The device with the interfaces of its own keys. One that has one MAC is at the newest of
    these, unless that is what is shown."""
    device = identity.renamed(device, device.identities)
    places = {ip: at for known in device.interfaces.values() for ip, at in known.items()}
    if places and shown not in places:
        device = replace(device, address=max(places, key=lambda ip: places[ip]))
    has_one = len(identity.macs_of(device)) <= 1 and len(places) <= 1
    return replace(device, interfaces={}) if has_one else device


def at_proved_addresses(merged: Device, half: Device) -> Device:
    """The half of a merged record, at the addresses where its keys were proved since."""
    known = {key: merged.interfaces[key] for key in half.identities if key in merged.interfaces}
    places = {ip: at for by_ip in known.values() for ip, at in by_ip.items()}
    if not places:
        return half
    by_source: dict[str, Mapping[str, datetime]] = {}
    for source, by_ip in merged.source_addresses.items():
        if proved := {ip: at for ip, at in by_ip.items() if ip in places}:
            by_source[source] = proved
    seen = [at for at in (half.last_seen, *places.values()) if at]
    half = replace(half, interfaces=known, source_addresses=by_source)
    return _at_interfaces(replace(half, last_seen=max(seen, default=None)), half.address)


def _addresses_without(
    merged: Device, remaining: Device, removed: Device, left: set[str]
) -> dict[str, Mapping[str, datetime]]:
    """The addresses that `remaining` proved, and those that came since the merge."""
    kept_addresses: dict[str, Mapping[str, datetime]] = {}
    for source, by_ip in merged.source_addresses.items():
        brought = removed.source_addresses.get(source, {}).keys()
        theirs = (brought - remaining.source_addresses.get(source, {}).keys()) | left
        if kept := {ip: at for ip, at in by_ip.items() if ip not in theirs}:
            kept_addresses[source] = kept
    return kept_addresses


def split_device(device: Device, identities: Sequence[Any], id: int) -> tuple[Device, Device]:
    """Split the identities off `device` into a new device `id`.

    An access goes with the key of its place. Both have the parents. What a source said stays where
    it was; the next scan tells both apart. The two are kept apart from then on. Raises Invalid
    when nothing would be left of one of them.
    """
    going = [key for key in device.identities if key in identities]
    staying = [key for key in device.identities if key not in identities]
    if not going or not staying or len(going) != len(set(identities)):
        raise Invalid(
            f"{labels.name(device)} cannot be split so",
            "Name some of its identities, but not all: " + ", ".join(device.identities),
        )
    access = {
        source: entry
        for source, entry in device.access.items()
        if access_key(source, entry) in going
    }
    new = Device(
        id=id,
        kind=device.kind,
        kind_source=device.kind_source,
        site=device.site,
        identities=tuple(going),
        access=access,
        claims={key: at for key, at in device.claims.items() if key in going},
        name=f"{labels.name(device)}{SPLIT_OFF}",
        listed=device.listed,
        parents=device.parents,
        never_merge=(device.id,),
    )
    rest = identity.renamed(device, tuple(staying))
    kept = {source: entry for source, entry in device.access.items() if source not in access}
    rest = replace(rest, access=kept, never_merge=(*device.never_merge, id))
    return _split_addresses(device, rest, new)


def _split_addresses(device: Device, rest: Device, new: Device) -> tuple[Device, Device]:
    """Give each of the two the addresses at which its keys were proved, as far as they are
    known. Facts of the sources go with the shown address."""
    new = at_proved_addresses(device, new)
    left = _addresses_of(device, new) - {ip for known in rest.interfaces.values() for ip in known}
    by_source = _without_addresses(rest.source_addresses, left)
    rest = replace(rest, source_addresses=by_source)
    if rest.address in left:
        new = replace(new, facts=rest.facts)
        rest = replace(rest, address=None, facts={})
    return _at_interfaces(rest, rest.address), new


def _without_addresses(
    by_source: Mapping[str, Mapping[str, datetime]], left: set[str]
) -> dict[str, Mapping[str, datetime]]:
    """The addresses by source without those that were left."""
    kept = {
        source: {ip: at for ip, at in known.items() if ip not in left}
        for source, known in by_source.items()
    }
    return {source: known for source, known in kept.items() if known}
