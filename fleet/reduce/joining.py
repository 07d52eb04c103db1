"""Merge two records into one, and split one record into two. Pure."""

import itertools
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import identity, labels, stream_url, validation
from fleet.channels import SOURCE, is_channel
from fleet.model import Access, AddressChange, Device, Invalid
from fleet.places import access_key, place
from fleet.reduce import addresses, interfaces, kinds
from fleet.status import Rules

SPLIT_OFF = " (split)"
"""What follows the name of the other record in that of one that was split off."""


def merge_devices(remaining: Device, removed: Device, rules: Rules) -> Device:
    """Merge `removed` into `remaining`; where both have a value, that of `remaining` is used."""
    seen = [at for at in (remaining.first_seen, removed.first_seen) if at]
    last = [at for at in (remaining.last_seen, removed.last_seen) if at]
    history = _joined_history(remaining, removed)
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
        access={**_access_of(removed, remaining), **_access_of(remaining, removed)},
        source_addresses=latest_by_source(removed.source_addresses, remaining.source_addresses),
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
        vendor=remaining.vendor or removed.vendor,
        recording=remaining.recording or removed.recording,
    )


def _joined_history(remaining: Device, removed: Device) -> list[AddressChange]:
    """The addresses of both, all of them: undo and split need each."""
    return sorted({*remaining.addresses, *removed.addresses}, key=lambda change: change.at)


def dropped_access(remaining: Device, removed: Device) -> list[str]:
    """The connections of the removed record that the merged one does not keep, for people."""
    return [
        f"{source.upper()} at {place(access)}"
        for source, access in removed.access.items()
        if access.host and source in remaining.access
        if place(access) != place(remaining.access[source])
    ]


def _access_of(device: Device, other: Device) -> Mapping[str, Access]:
    """The access of the device in a merged record. The path of a channel is one of its recorder:
    a camera at an address of its own is not asked for it."""
    if not is_channel(device) or is_channel(other):
        return device.access
    return {source: access for source, access in device.access.items() if access.host}


def _given_name(device: Device) -> str | None:
    """The name that a person gave; that of a split only tells the two records apart."""
    return device.name if device.name and not device.name.endswith(SPLIT_OFF) else None


def _others(remaining: Device, removed: Device, *ids: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of other devices than these two, each once, in their order."""
    own = (remaining.id, removed.id)
    return tuple(id for id in dict.fromkeys(itertools.chain(*ids)) if id not in own)


def latest_by_source(
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
            f"{labels.name(device)} cannot be split this way",
            "Select some of its identities, but not all: " + ", ".join(device.identities),
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
        access={**_lost_access(device, going), **access},
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


def _lost_access(device: Device, keys: Sequence[str]) -> dict[str, Access]:
    """The access to a stream among the keys that is no longer checked since a merge; without its
    login."""
    known = device.access.get(SOURCE)
    kept = access_key(SOURCE, known) if known else None
    places = [key for key in keys if key.startswith(f"{SOURCE}:") and key != kept]
    if known is None or not places:
        return {}
    try:
        url = stream_url.parse(f"{SOURCE}://{places[0].removeprefix(f'{SOURCE}:')}")
    except Invalid:
        return {}
    return {SOURCE: Access(url.host, url.port if url.has_port else None, url.path)}


def _split_addresses(device: Device, rest: Device, new: Device) -> tuple[Device, Device]:
    """Give each of the two the addresses at which its keys were proved, as far as they are
    known. Facts of the sources go with the shown address."""
    new = at_proved_addresses(device, new)
    left = addresses_of(device, new) - {ip for known in rest.interfaces.values() for ip in known}
    by_source = without_addresses(rest.source_addresses, left)
    rest = replace(rest, source_addresses=by_source)
    if rest.address in left:
        new = replace(new, facts=rest.facts, address=rest.address)
        rest = replace(rest, address=None, facts={})
    return at_interfaces(rest, rest.address), new


def without_addresses(
    by_source: Mapping[str, Mapping[str, datetime]], left: set[str]
) -> dict[str, Mapping[str, datetime]]:
    """The addresses by source without those that were left."""
    kept = {
        source: {ip: at for ip, at in known.items() if ip not in left}
        for source, known in by_source.items()
    }
    return {source: known for source, known in kept.items() if known}


def addresses_of(merged: Device, half: Device) -> set[str]:
    """The addresses at which the keys of the half were proved since; without any, its own ones."""
    known = {ip for by_ip in half.source_addresses.values() for ip in by_ip}
    since = {ip for key in half.identities for ip in merged.interfaces.get(key, {})}
    return since or {*known, *([half.address] if half.address else [])}


def at_proved_addresses(merged: Device, half: Device) -> Device:
    """The half of a merged record, at the addresses where its keys were proved since."""
    known = {key: merged.interfaces[key] for key in half.identities if key in merged.interfaces}
    places = {ip: at for by_ip in known.values() for ip, at in by_ip.items()}
    if not places:
        return half
    seen = [at for at in (half.last_seen, *places.values()) if at]
    by_source = proved_addresses(merged, half, places)
    half = replace(half, interfaces=known, source_addresses=by_source)
    return at_interfaces(replace(half, last_seen=max(seen, default=None)), half.address)


def proved_addresses(
    merged: Device, half: Device, places: Container[str]
) -> dict[str, dict[str, datetime]]:
    """When the sources proved the places of the half. The merged record keeps the newest of both,
    so that some may be known of the half alone."""
    both = latest_by_source(half.source_addresses, merged.source_addresses)
    proved = {
        source: {ip: at for ip, at in by_ip.items() if ip in places}
        for source, by_ip in both.items()
    }
    return {source: by_ip for source, by_ip in proved.items() if by_ip}


def at_interfaces(device: Device, shown: str | None) -> Device:
    """The device with the interfaces of its own keys. One that has one MAC is at the newest of
    these, unless that is what is shown."""
    device = identity.renamed(device, device.identities)
    places = {ip: at for known in device.interfaces.values() for ip, at in known.items()}
    if places and shown not in places:
        device = replace(device, address=max(places, key=lambda ip: places[ip]))
    has_one = len(identity.macs_of(device)) <= 1 and len(places) <= 1
    return replace(device, interfaces={}) if has_one else device
