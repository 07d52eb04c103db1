"""Keys that two live devices prove at once: they prove nothing from then on.

Whole models ship one MAC, and copied firmware one endpoint reference. The two stay two records,
each known by its other keys or by its address, and one of them has the finding. What a broadcast
contradicts itself about is held back before it comes here (`discovery.pending_moves`), because
anybody can forge it. A person who merges the two says that they are one device, which ends it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fleet import identity, status
from fleet.model import Device, Finding, Sighting
from fleet.reduce import addresses, findings
from fleet.reduce.draft import Draft

SHARED = "identity.shared"


def shared_keys(draft: Draft, sighting: Sighting, keys: Iterable[str]) -> dict[str, Device]:
    """The keys of the sighting that another device proves right now, and that device."""
    holders: dict[str, Device] = {}
    for key in keys:
        if not key.startswith((identity.MAC, identity.ENDPOINT)):
            continue
        device = draft.find(key, sighting.site)
        if device is not None and _is_shared(draft, device, sighting, keys):
            holders[key] = device
    return holders


def dispute(draft: Draft, sighting: Sighting, shared: Mapping[str, Device]) -> None:
    """Take the keys from every device that has them, until a person merges the two, and raise one
    finding on each holder."""
    for key in shared:
        draft.disputed[identity.index_key(key, sighting.site)] = sighting.at
    for id in {device.id for device in shared.values()}:
        device = draft.devices[id]
        keys = [key for key in shared if shared[key].id == id]
        left = known_by_address(draft, device, keys)
        if sighting.address is not None and sighting.address != device.address:
            left = addresses.gone_from(left, sighting.address)
        draft.put(left)
        findings.apply(draft, _finding(device, sighting, keys))


def _is_shared(draft: Draft, device: Device, sighting: Sighting, keys: Iterable[str]) -> bool:
    if not _is_live(draft, device):
        return False
    if _is_elsewhere(draft, device, sighting) and _are_two(draft, device, sighting, keys):
        return True
    return _has_own_endpoint(draft, device, sighting, keys)


def _is_live(draft: Draft, device: Device) -> bool:
    """True if it was proved lately where it is, and not missed since."""
    if device.retired_at is not None or status.is_silent(device, draft.rules):
        return False
    return addresses.is_lately(device, device.address, draft.now, draft.rules)


def _is_elsewhere(draft: Draft, device: Device, sighting: Sighting) -> bool:
    """True if it has another address than the sighting, and is not known to have both."""
    if None in (device.address, sighting.address) or device.address == sighting.address:
        return False
    if any(identity.place_of(key) == sighting.address for key in device.identities):
        return False
    return not addresses.takes_turns(device, sighting, draft.rules)


def _has_own_endpoint(
    draft: Draft, device: Device, sighting: Sighting, keys: Iterable[str]
) -> bool:
    """True if the sighting proves the endpoint reference of another record, and the device
    another one. One that no record has would only tell that the device was reset."""
    had, proved = identity.endpoints(device.identities), identity.endpoints(keys)
    return _differ(had, proved) and any(draft.find(key, sighting.site) for key in proved)


def _are_two(draft: Draft, device: Device, sighting: Sighting, keys: Iterable[str]) -> bool:
    """True if the sighting and the device, each at its own address, are two. One endpoint
    reference or serial at two addresses is one device with two interfaces."""
    if _differ(identity.macs_of(device), identity.macs(keys)):
        return True
    known = device.facts.get(sighting.source, {}).get("serial")
    if known and sighting.serial:
        return bool(known != sighting.serial)
    had, proved = identity.endpoints(device.identities), identity.endpoints(keys)
    if had and proved:
        return _differ(had, proved)
    answers_at_both = addresses.is_in_scan(device, sighting) and addresses.was_there(
        device, sighting
    )
    return answers_at_both or _names_another(draft, device, sighting, keys)


def _differ(had: set[str], proved: set[str]) -> bool:
    return bool(had and proved) and not had & proved


def _names_another(draft: Draft, device: Device, sighting: Sighting, keys: Iterable[str]) -> bool:
    """True if it proves a key of another record, too, that is at this address."""
    others = (draft.find(key, sighting.site) for key in keys)
    return any(
        other is not None
        and other.id != device.id
        and other.address == sighting.address
        and not identity.is_another(other, sighting)
        for other in others
    )


def known_by_address(draft: Draft, device: Device, keys: Iterable[str]) -> Device:
    """The device without the keys; by its address, if it has no other and that one is free."""
    left = identity.without(device, set(keys))
    if left is device:
        return device
    place = f"{identity.ADDRESS}{device.address}"
    is_nameless = left.identities[0].startswith(identity.FORMER)
    if is_nameless and draft.find(place, device.site) is None:
        return identity.renamed(left, (place,))
    return left


def between(draft: Draft, device: Device, other: Device) -> list[str]:
    """The disputed keys that the two records are known to share."""
    keys = []
    for holder, partner in ((device, other), (other, device)):
        places = {partner.address, *(change.ip for change in partner.addresses)}
        for finding in holder.findings:
            if finding.kind == SHARED and places.intersection(finding.evidence["addresses"]):
                keys += finding.evidence["keys"]
    return [key for key in keys if identity.index_key(key, device.site) in draft.disputed]


def end(draft: Draft, device: Device, keys: Iterable[str]) -> Device:
    """A person said that the device alone has the keys: they identify it again."""
    for key in keys:
        draft.disputed.pop(identity.index_key(key, device.site), None)
    kept = [key for key in device.identities if not key.startswith(identity.FORMER)]
    draft.put(identity.renamed(device, tuple(dict.fromkeys((*kept, *keys)))))
    for finding in device.findings:
        if finding.kind == SHARED:
            who, at = f"id:{device.id}", draft.now
            cleared = Finding(who, SHARED, at, finding.text, finding.source, cleared=True)
            findings.apply(draft, replace(cleared, site=device.site))
    return draft.devices[device.id]


def _finding(device: Device, sighting: Sighting, keys: list[str]) -> Finding:
    text = (
        f"Its {_spoken(keys)} is also used by another device, at {sighting.address}. It identifies "
        "neither of them any more: without other proof they are told apart by their addresses"
    )
    evidence = {"keys": keys, "addresses": [device.address, sighting.address]}
    subject = f"id:{device.id}"
    return Finding(subject, SHARED, sighting.at, text, sighting.source, evidence, site=device.site)


def _spoken(keys: list[str]) -> str:
    names = {identity.MAC: "MAC", identity.ENDPOINT: "ONVIF endpoint reference"}
    parts = [f"{names[key[: key.index(':') + 1]]} {key.partition(':')[2]}" for key in keys]
    return " and ".join(parts)
