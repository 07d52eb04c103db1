"""Handle keys that two live devices prove at once: until one is gone they prove nothing.

Whole models ship one MAC, and copied firmware one endpoint reference. The two stay two records,
each known by its other keys or by its address, and one of them has the finding. What counts is
where this very key was last proved, not where the record is:

    two endpoint references with it at two addresses in one scan        disputed at once
    two addresses in one scan, and again in a later one                 disputed
    two records, serials, MACs or endpoint references, both within
      their patience, and both once more                                disputed
    any of these for the first time                                     held back: its device
                                                                        keeps its place
    the new address proves it, the old one no more                      it moved
    it is at an interface that a person merged into the record          one device
    one of several that share it is silent, a new address in two scans  that interface moved
    it was silent, was reset, or took turns between two addresses       one device
    one address alone proves it for a day                               disputed no longer
    a person merges the two                                             disputed no longer

Anybody can forge such a proof, so a dispute ends by itself. What a broadcast contradicts itself
about is held back before it comes here (`discovery.pending_moves`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from fleet import identity, status
from fleet.model import Device, Fault, Finding, KeyWatch, Sighting
from fleet.reduce import addresses, findings, interfaces
from fleet.reduce.draft import Draft

SHARED = "identity.shared"
ALONE = timedelta(days=1)
"""How long one address alone proves a disputed key until it is that device's again."""


def shared_keys(draft: Draft, sighting: Sighting, keys: Iterable[str]) -> dict[str, Device]:
    """The keys of the sighting that another device proves right now, and that device."""
    shared: dict[str, Device] = {}
    for key in keys:
        if not key.startswith((identity.MAC, identity.ENDPOINT)):
            continue
        device = draft.find(key, sighting.site)
        if device is not None and _is_shared(draft, device, sighting, key, keys):
            shared[key] = device
    return shared


def settle_shared(
    draft: Draft, sighting: Sighting, shared: Mapping[str, Device]
) -> tuple[str, ...]:
    """Dispute the shared keys or, the first time, watch them; return the keys that still
    identify the sighting. Empty when no other key leads to a device: it is held back."""
    proven = {
        key: owner for key, owner in shared.items() if _is_proven(draft, owner, sighting, key)
    }
    if proven:
        dispute(draft, sighting, proven)
    if proven.keys() == shared.keys():
        return identity.proved(sighting, draft.disputed)
    for key in shared.keys() - proven.keys():
        _start_watch(draft, sighting, key)
    doubted = {identity.index_key(key, sighting.site) for key in shared}
    keys = identity.proved(sighting, draft.disputed.keys() | doubted)
    return keys if any(draft.find(key, sighting.site) for key in keys) else ()


def dispute(draft: Draft, sighting: Sighting, shared: Mapping[str, Device]) -> None:
    """Take the keys from the devices that have them, and raise one finding on each of these."""
    for key in shared:
        draft.disputed[identity.index_key(key, sighting.site)] = sighting.at
        _start_watch(draft, sighting, key)
    for id in {device.id for device in shared.values()}:
        device = draft.devices[id]
        keys = [key for key in shared if shared[key].id == id]
        places = {ip for key in keys for ip in _places(device, key)} or {str(device.address)}
        left = known_by_address(draft, device, keys)
        if sighting.address is not None and sighting.address != device.address:
            left = addresses.gone_from(left, sighting.address)
        draft.put(left)
        findings.apply(draft, _finding(device, sighting, keys, places))


def _start_watch(draft: Draft, sighting: Sighting, key: str) -> None:
    index_key, began = identity.index_key(key, sighting.site), sighting.asked or sighting.at
    _watch(draft, index_key, KeyWatch(sighting.address or "", began, sighting.at))


def _watch(draft: Draft, index_key: str, watch: KeyWatch) -> None:
    known = draft.watched.get(index_key)
    draft.watched[index_key] = replace(watch, extra=known.extra) if known else watch
    draft.is_changed = True


def _is_proven(draft: Draft, device: Device, sighting: Sighting, key: str) -> bool:
    """True if the key is more than the trace of one move: two endpoint references in one scan,
    or both places proved once more after it was seen for the first time."""
    had, proved = identity.endpoints(device.identities), identity.endpoints(sighting.identities)
    if _differ(had, proved) and _is_in_scan(draft, device, sighting, key):
        return True
    first = draft.watched.get(identity.index_key(key, sighting.site))
    oldest = min(_places(device, key).values(), default=None)
    if first is None or oldest is None or not oldest <= sighting.at:
        return False
    is_since = first.at < oldest
    if interfaces.has_several(device) and _is_of_earlier_scan(first, sighting):
        is_since = first.since <= oldest
    if not is_since:
        return False
    return sighting.at - first.at <= 2 * draft.rules.patience_with(device, sighting.source)


def _places(device: Device, key: str) -> interfaces.Places:
    """The last place at which the device proved the key: an address, or one for each interface
    that has it."""
    if interfaces.has_several(device):
        return device.interfaces.get(key, {})
    return interfaces.at_shown(device)


def _is_in_scan(draft: Draft, device: Device, sighting: Sighting, key: str) -> bool:
    """True if the scan of the sighting has proved the key at every other place already."""
    if not interfaces.has_several(device):
        return addresses.is_in_scan(device, sighting)
    places, asked = _places(device, key), sighting.asked
    return bool(places) and asked is not None and all(at >= asked for at in places.values())


def _is_shared(
    draft: Draft, device: Device, sighting: Sighting, key: str, keys: Iterable[str]
) -> bool:
    if interfaces.has_several(device):
        return device.retired_at is None and _is_beside(draft, device, sighting, key, keys)
    if not _is_live(draft, device):
        return False
    if _is_elsewhere(draft, device, sighting) and _are_two(draft, device, sighting, keys):
        return True
    return _has_own_endpoint(draft, device, sighting, keys)


def _is_beside(
    draft: Draft, device: Device, sighting: Sighting, key: str, keys: Iterable[str]
) -> bool:
    """True if the sighting is at none of the interfaces that have the key, and these are live."""
    places = _places(device, key)
    if not places or sighting.address is None or sighting.address in places:
        return False
    if _is_in_scan(draft, device, sighting, key):
        return True
    since = sighting.at - 2 * draft.rules.patience_with(device, sighting.source)
    if max(places.values()) < since:
        return False
    if len(places) > 1:
        return not _has_left(draft, sighting, key, places)
    had, proved = identity.endpoints(device.identities), identity.endpoints(keys)
    return _differ(had, proved) or _names_another(draft, device, sighting, keys)


def _has_left(draft: Draft, sighting: Sighting, key: str, places: interfaces.Places) -> bool:
    """True if one of the interfaces has not proved the key since a new address did first, in an
    earlier scan: then it is what moved."""
    first = draft.watched.get(identity.index_key(key, sighting.site))
    if first is None or not _is_of_earlier_scan(first, sighting):
        return False
    return min(places.values()) < first.since


def _is_of_earlier_scan(first: KeyWatch, sighting: Sighting) -> bool:
    """True if every interface could answer between the first sighting and this one."""
    return sighting.asked is not None and first.at < sighting.asked


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
    return not addresses.alternates(device, sighting, draft.rules)


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
    return addresses.is_in_scan(device, sighting) or _names_another(draft, device, sighting, keys)


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


def _finding(device: Device, sighting: Sighting, keys: list[str], places: set[str]) -> Finding:
    text = (
        f"Another device, at {sighting.address}, reports the same {_key_names(keys)}. Camera "
        "Monitor identifies the two by their addresses instead. If they are the same device, "
        "merge them"
    )
    evidence = {"keys": keys, "addresses": [*sorted(places), sighting.address]}
    target = f"id:{device.id}"
    return Finding(target, SHARED, sighting.at, text, sighting.source, evidence, site=device.site)


def _key_names(keys: list[str]) -> str:
    names = {identity.MAC: "MAC", identity.ENDPOINT: "ONVIF endpoint reference"}
    parts = [f"{names[key[: key.index(':') + 1]]} {key.partition(':')[2]}" for key in keys]
    return " and ".join(parts)


# -- how a dispute ends ----------------------------------------------------------------------


def watch(draft: Draft, sighting: Sighting) -> None:
    """Note where a disputed key is proved; a device that was alone with it for long enough has
    it again."""
    for key in sighting.identities if draft.disputed else ():
        index_key = identity.index_key(key, sighting.site)
        if index_key in draft.disputed and _is_alone(draft, sighting, index_key):
            known = identity.proved(sighting, draft.disputed)
            end(draft, [key], sighting.site, sighting.at)
            owners = (draft.find(identity_key, sighting.site) for identity_key in known)
            if device := next((owner for owner in owners if owner is not None), None):
                draft.put(with_keys_restored(device, [key]))


def _is_alone(draft: Draft, sighting: Sighting, index_key: str) -> bool:
    """True if only the address of the sighting proved the key for long enough, in scans without
    a gap: nothing can contradict it while nobody asks."""
    known, at = draft.watched.get(index_key), sighting.at
    if known and status.is_older(at, known.at, draft.now):
        return False
    gap = 2 * draft.rules.intervals.get(sighting.source, draft.rules.patience)
    address, since = sighting.address or "", at
    if known and known.address == address and known.at <= at <= known.at + gap:
        since = known.since
    _watch(draft, index_key, KeyWatch(address, since, at))
    return at - since >= ALONE


def end(draft: Draft, keys: Iterable[str], site: str, at: datetime) -> None:
    """End the dispute of the keys, and clear its findings."""
    for key in keys:
        index_key = identity.index_key(key, site)
        draft.disputed.pop(index_key, None)
        draft.watched.pop(index_key, None)
    draft.is_changed = True
    for device in list(draft.devices.values()):
        for fault in device.findings:
            if fault.kind == SHARED and not _is_any_disputed(draft, fault, device.site):
                target = f"id:{device.id}"
                finding = Finding(
                    target, SHARED, at, "", fault.source, cleared=True, site=device.site
                )
                findings.apply(draft, finding)


def keys_disputed_between(draft: Draft, device: Device, other: Device) -> list[str]:
    """The disputed keys that these two devices proved against each other."""
    shared: dict[str, None] = {}
    for holder, rival in ((device, other), (other, device)):
        at = {rival.address, *(change.ip for change in rival.addresses)}
        for fault in holder.findings:
            if fault.kind == SHARED and at.intersection(fault.evidence.get("addresses", ())):
                shared |= dict.fromkeys(fault.evidence.get("keys", ()))
    return [key for key in shared if identity.index_key(key, device.site) in draft.disputed]


def keys_disputed_by_itself(device: Device, half: Device) -> list[str]:
    """The keys of one half of a merged record that were disputed because it was where it had been
    before the merge: no other device proved them."""
    return [
        key
        for fault in device.findings
        if fault.kind == SHARED and half.address in fault.evidence.get("addresses", ())[-1:]
        for key in fault.evidence.get("keys", ())
        if key in half.identities
    ]


def _is_any_disputed(draft: Draft, fault: Fault, site: str) -> bool:
    keys = fault.evidence.get("keys", ())
    return any(identity.index_key(key, site) in draft.disputed for key in keys)


def with_keys_restored(device: Device, keys: Iterable[str]) -> Device:
    """The device with keys whose dispute has ended, in the place of its substitute key."""
    was = (identity.ADDRESS, identity.FORMER)
    real = (key for key in device.identities if not key.startswith(was))
    return identity.renamed(device, tuple(dict.fromkeys((*keys, *real))))


def forget_old(draft: Draft) -> None:
    """What was seen once and not again is watched no longer."""
    for key, known in list(draft.watched.items()):
        if key not in draft.disputed and not draft.now - ALONE <= known.at <= draft.now:
            del draft.watched[key]
            draft.is_changed = True
