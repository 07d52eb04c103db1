"""Notice two devices at one address: one finding on each of them, and nobody moves.

    both prove the address in one scan, and in a later one      two at one address
    they take turns to prove it, twice each                     two at one address
    a new device proves it, the old one no more                 it was replaced
    the old one proves it once more                             replaced, and put back
    they are asked at different ports of it                     a port forward, or one host
    only one of them proved it for twice the patience           two no longer
    one of them proves another address                          two no longer
    a source says that they share the address                   its finding is enough

Two MACs are two devices, and so are two endpoint references, unless each has a port of its own.
What proves no key of a device says nothing of who is there.
"""

from collections.abc import Sequence
from datetime import datetime

from fleet import identity, places
from fleet.model import Device, Fault, Finding, KeyWatch, Sighting
from fleet.reduce import addresses, claims, findings
from fleet.reduce.draft import Draft

TWO = "identity.two"
SHARED = "address.shared"
"""The finding of a source that heard two devices with one address in one scan."""
MAX_NAMED = 3


def watch(draft: Draft, before: Device | None, device: Device, sighting: Sighting) -> None:
    """Raise or clear the finding after the sighting of the device, which was `before`."""
    address = sighting.address
    if address is None or claims.is_at_place_only(sighting.identities):
        return
    had = {fault.evidence.get("address") for fault in device.findings if fault.kind == TWO}
    is_known = any(_is_at(fault, SHARED, address) for fault in device.findings)
    others = [] if is_known else _others(draft, device, sighting, address)
    if had - {address} or (had and not others):
        _clear(draft, device, sighting.at)
    if others and (address in had or _are_two(draft, before, others, sighting, address)):
        for each in (device, *others):
            _raise(draft, each, [other for other in (device, *others) if other != each], sighting)


def _others(draft: Draft, device: Device, sighting: Sighting, address: str) -> list[Device]:
    """The other devices that lately proved the address of the sighting."""
    return [
        other
        for other in draft.at(device.site, address)
        if other.id != device.id
        and other.address == address
        and _proved_at(other, address) is not None
        and addresses.is_lately(other, address, sighting.at, draft.rules)
        and _is_two(device, other)
    ]


def _is_two(device: Device, other: Device) -> bool:
    if device.id in other.parents or other.id in device.parents:
        return False
    ports, others = _ports(device), _ports(other)
    shared = ports.keys() & others.keys()
    if any(ports[source] != others[source] for source in shared):
        return False
    had, has = identity.macs_of(device), identity.macs_of(other)
    if had and has:
        return not had & has
    known, proved = identity.endpoints(device.identities), identity.endpoints(other.identities)
    return bool(known and proved)


def _ports(device: Device) -> dict[str, int]:
    """The port of each source at which the device is asked, or was found."""
    found_at = {
        source: port
        for source, facts in device.facts.items()
        if isinstance(port := facts.get("port"), int)
    }
    return found_at | {
        source: access.port
        for source, access in device.access.items()
        if access.port is not None and places.host_of(device, source) == device.address
    }


def _are_two(
    draft: Draft,
    before: Device | None,
    others: Sequence[Device],
    sighting: Sighting,
    address: str,
) -> bool:
    """True if both proved the address in one scan or one after the other, and did so before."""
    latest = max(at for each in others if (at := _proved_at(each, address)))
    mine = _proved_at(before, address) if before else None
    is_in_scan = sighting.asked is not None and sighting.asked <= latest
    if not is_in_scan and (mine is None or mine > latest):
        return False
    key = identity.index_key(f"{identity.ADDRESS}{address}", sighting.site)
    first = draft.watched.get(key)
    draft.watched[key] = KeyWatch(address, sighting.at, sighting.at)
    draft.is_changed = True
    if first is None:
        return False
    lately = sighting.at - 2 * draft.rules.patience_with(others[0], sighting.source)
    if is_in_scan and sighting.asked:
        return lately <= first.at < sighting.asked
    return lately <= first.at <= latest


def _is_at(fault: Fault, kind: str, address: str) -> bool:
    return fault.kind == kind and fault.evidence.get("address") == address


def _proved_at(device: Device, address: str) -> datetime | None:
    """When the device last proved the address."""
    known = (by_ip[address] for by_ip in device.source_addresses.values() if address in by_ip)
    return max(known, default=None)


def _raise(draft: Draft, device: Device, others: Sequence[Device], sighting: Sighting) -> None:
    names = ", ".join(_name(other) for other in others[:MAX_NAMED])
    address = sighting.address
    text = f"Another device responds at its address {address}: {names}"
    if len(others) > 1:
        text = f"{len(others)} other devices respond at its address {address}: {names}"
    known = next((fault.source for fault in device.findings if fault.kind == TWO), None)
    evidence = {"address": address, "devices": sorted(other.id for other in others)}
    target, source = f"id:{device.id}", known or sighting.source
    finding = Finding(target, TWO, sighting.at, text, source, evidence, site=device.site)
    findings.apply(draft, finding)


def _name(device: Device) -> str:
    """The key of the other device, which stays the same whatever it is called."""
    key = identity.mac_of(device)
    return f"MAC {key}" if key else f"ONVIF {device.identities[0].removeprefix(identity.ENDPOINT)}"


def _clear(draft: Draft, device: Device, at: datetime) -> None:
    for fault in device.findings:
        if fault.kind == TWO:
            target = f"id:{device.id}"
            finding = Finding(target, TWO, at, "", fault.source, cleared=True, site=device.site)
            findings.apply(draft, finding)
