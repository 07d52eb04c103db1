"""Who is it? Keys that devices prove, and how they lead to one record.

A MAC, an ONVIF endpoint reference and the row of a list mean the same everywhere; every
other key means something only within its site.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from fleet.model import Device, Sighting

ROW = "row:"
"""Before the site that a row of a list stands for."""
GLOBAL = ("mac:", "onvif:", ROW)
_HEX12 = re.compile(r"[0-9a-f]{12}")
_MAC = re.compile(r"(?i)[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}|([0-9a-f]{4}\.){2}[0-9a-f]{4}")


def mac(text: str) -> str | None:
    """A MAC in any spelling as `d4:2d:c5:14:c5:70`; None when it is none, or names no
    single device (all zeros, or the group bit set)."""
    if not _MAC.fullmatch(text.strip()):
        return None
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    if not _HEX12.fullmatch(digits) or digits == "0" * 12 or int(digits[:2], 16) & 1:
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def mac_key(text: str) -> str | None:
    """The identity `mac:…` of a MAC in any spelling."""
    plain = mac(text)
    return f"mac:{plain}" if plain else None


def index_key(identity: str, site: str) -> str:
    """The key under which an identity stands in `Fleet.index`."""
    return identity if identity.startswith(GLOBAL) else f"{site}|{identity}"


def keys_of(device: Device) -> list[str]:
    return [index_key(identity, device.site) for identity in device.identities]


def mac_of(device: Device) -> str | None:
    """The MAC that the device proved, or None."""
    for identity in device.identities:
        if identity.startswith("mac:"):
            return identity[4:]
    return None


def macs(identities: Iterable[str]) -> set[str]:
    return {one[4:] for one in identities if one.startswith("mac:")}


def macs_of(device: Device) -> set[str]:
    """Every MAC of the device: a person may say that two are one."""
    return macs(device.identities)


def row_of(device: Device) -> str | None:
    """The row of a list that the device stands in; None for what was discovered."""
    return next((one for one in device.identities if one.startswith(ROW)), None)


def known_ids(
    sighting: Sighting, index: Mapping[str, int], devices: Mapping[int, Device]
) -> list[int]:
    """The ids that the sighting's identities lead to, lowest first, each once.

    A device with another MAC than the sighting proves is not meant, though it had the
    same stream: somebody put a new camera in its place.
    """
    keys = (index_key(identity, sighting.site) for identity in sighting.identities)
    ids = sorted({index[key] for key in keys if key in index})
    proved = macs(sighting.identities)
    return [id for id in ids if not proved or not (had := macs_of(devices[id])) or had & proved]


def may_be_one(devices: Sequence[Device]) -> bool:
    """Devices with different MACs are never one, whatever else they share; nor are those
    that a person told apart, or that stand in two rows of a list."""
    ids = {device.id for device in devices}
    is_apart = any(ids & set(device.never_merge) for device in devices)
    having = [found for device in devices if (found := macs_of(device))]
    rows = [device for device in devices if row_of(device)]
    if is_apart or len(rows) > 1:
        return False
    return not having or bool(set.intersection(*having))


def at_address(sighting: Sighting, devices: Iterable[Device]) -> Device | None:
    """The one device that has the sighting's address at its site now.

    Only for sources that prove no MAC; with two candidates nobody is chosen.
    """
    if sighting.address is None or any(key.startswith(GLOBAL) for key in sighting.identities):
        return None
    here = [
        device
        for device in devices
        if device.address == sighting.address
        and device.site == sighting.site
        and device.retired_at is None
    ]
    return here[0] if len(here) == 1 else None


def is_circle(device: Device, devices: Mapping[int, Device]) -> bool:
    """Whether following the parents from the device leads back to it."""
    passed, waiting = set[int](), list(device.parents)
    while waiting:
        at = waiting.pop()
        if at == device.id:
            return True
        if at in devices and at not in passed:
            passed.add(at)
            waiting += devices[at].parents
    return False
