"""Merge two records into one, and split one record into two. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import identity, labels, validation
from fleet.access import place_key
from fleet.model import Access, Device, Invalid
from fleet.reduce import addresses, interfaces, kinds


def merge_devices(keep: Device, gone: Device) -> Device:
    """Merge `gone` into `keep`; where both have a value, that of `keep` is used."""
    seen = [at for at in (keep.first_seen, gone.first_seen) if at]
    last = [at for at in (keep.last_seen, gone.last_seen) if at]
    history = sorted({*keep.addresses, *gone.addresses}, key=lambda change: change.at)
    faults = {(fault.source, fault.kind): fault for fault in (*gone.findings, *keep.findings)}
    kind = kinds.stronger(keep, gone)
    return replace(
        keep,
        kind=kind.kind,
        kind_source=kind.kind_source,
        identities=tuple(dict.fromkeys((*keep.identities, *_keys_of(gone, keep.site)))),
        name=keep.name or gone.name,
        notes="\n".join(part for part in (keep.notes, gone.notes) if part),
        tags=tuple(dict.fromkeys((*keep.tags, *gone.tags))),
        address=keep.address or gone.address,
        addresses=addresses.within_limit(history),
        first_seen=min(seen, default=None),
        last_seen=max(last, default=None),
        sightings=validation.count(keep.sightings + gone.sightings),
        states={**gone.states, **keep.states},
        recent_misses={**gone.recent_misses, **keep.recent_misses},
        access={**gone.access, **keep.access},
        source_addresses=_latest_by_source(gone.source_addresses, keep.source_addresses),
        claims={**_claims_of(gone, keep.site), **keep.claims},
        interfaces=_interfaces_of(keep, gone),
        extra={**gone.extra, **keep.extra},
        facts={**gone.facts, **keep.facts},
        links={**gone.links, **keep.links},
        findings=tuple(faults.values()),
        listed=keep.listed or gone.listed,
        retired_at=keep.retired_at if gone.retired_at else None,
        never_merge=tuple(
            id
            for id in dict.fromkeys((*keep.never_merge, *gone.never_merge))
            if id not in (keep.id, gone.id)
        ),
    )


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


def _interfaces_of(keep: Device, gone: Device) -> dict[str, interfaces.Places]:
    """The interfaces of both; empty for a single MAC, which is at the address of the record."""
    if not (keep.interfaces or gone.interfaces or len({*map(identity.mac_of, (keep, gone))}) > 1):
        return {}
    return {**interfaces.of(gone), **interfaces.of(keep)}


def unmerge_device(merged: Device, stays: Device, goes: Device) -> Device:
    """Remove from `merged` everything that `goes` brought when `stays` took it in."""
    merged_before = merge_devices(stays, goes)
    brought = {*goes.states, *goes.facts} - {*stays.states, *stays.facts}
    both_sources = stays.facts.keys() & goes.facts.keys()
    faults = {(finding.source, finding.kind) for finding in stays.findings}
    their_findings = {(finding.source, finding.kind) for finding in goes.findings} - faults
    has_kind = (merged.kind, merged.kind_source) == (merged_before.kind, merged_before.kind_source)
    kind = stays if has_kind else merged
    left = _addresses_of(merged, goes) - _addresses_of(merged, stays)
    is_at_site = merged.address in left or not merged.interfaces
    rest = replace(
        merged,
        kind=kind.kind,
        kind_source=kind.kind_source,
        identities=tuple(
            key
            for key in merged.identities
            if key not in goes.identities or key in stays.identities
        ),
        name=stays.name if merged.name == merged_before.name else merged.name,
        notes=stays.notes if merged.notes == merged_before.notes else merged.notes,
        tags=stays.tags if merged.tags == merged_before.tags else merged.tags,
        address=(
            stays.address
            if merged.address == merged_before.address or merged.address in left
            else merged.address
        ),
        addresses=tuple(
            address
            for address in merged.addresses
            if address not in goes.addresses or address in stays.addresses
        ),
        first_seen=stays.first_seen,
        sightings=max(0, merged.sightings - goes.sightings),
        states={source: state for source, state in merged.states.items() if source not in brought},
        access=_access_without(merged, stays, goes),
        source_addresses=_addresses_without(merged, stays, goes, left),
        claims={
            key: at
            for key, at in merged.claims.items()
            if key not in goes.claims or key in stays.claims
        },
        facts={
            source: stays.facts[source] if is_at_site and source in both_sources else facts
            for source, facts in merged.facts.items()
            if source not in brought
        },
        findings=tuple(
            finding
            for finding in merged.findings
            if (finding.source, finding.kind) not in their_findings
        ),
        listed=stays.listed,
        retired_at=stays.retired_at
        if merged.retired_at == merged_before.retired_at
        else merged.retired_at,
    )
    rest = replace(rest, interfaces=_without_addresses(rest.interfaces, left))
    return _at_interfaces(rest, rest.address)


def _addresses_of(merged: Device, half: Device) -> set[str]:
    """The addresses at which the keys of the half were proved since; without any, its own ones."""
    known = {ip for by_ip in half.source_addresses.values() for ip in by_ip}
    since = {ip for key in half.identities for ip in merged.interfaces.get(key, {})}
    return since or {*known, *([half.address] if half.address else [])}


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


def _access_without(merged: Device, stays: Device, goes: Device) -> dict[str, Access]:
    """The access without the entries that `goes` brought."""
    return {
        source: access
        for source, access in merged.access.items()
        if source not in goes.access or source in stays.access
    }


def _addresses_without(
    merged: Device, stays: Device, goes: Device, left: set[str]
) -> dict[str, Mapping[str, datetime]]:
    """The addresses that `stays` proved, and those that came since the merge."""
    kept_addresses: dict[str, Mapping[str, datetime]] = {}
    for source, by_ip in merged.source_addresses.items():
        brought = goes.source_addresses.get(source, {}).keys()
        removed = (brought - stays.source_addresses.get(source, {}).keys()) | left
        if kept := {ip: at for ip, at in by_ip.items() if ip not in removed}:
            kept_addresses[source] = kept
    return kept_addresses


def split_device(device: Device, identities: Sequence[Any], id: int) -> tuple[Device, Device]:
    """Split the identities off `device` into a new device `id`.

    An access goes with the key of its place. What a source said stays where it was; the next scan
    tells both apart. The two are kept apart from then on. Raises Invalid when nothing would be
    left of one of them.
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
        if place_key(source, entry) in going
    }
    new = Device(
        id=id,
        kind=device.kind,
        kind_source=device.kind_source,
        site=device.site,
        identities=tuple(going),
        access=access,
        claims={key: at for key, at in device.claims.items() if key in going},
        name=f"{labels.name(device)} (split)",
        listed=device.listed,
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
