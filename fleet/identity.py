"""Who is it? Keys that devices prove, and how they lead to one record.

A MAC and an ONVIF endpoint reference mean the same everywhere; every other key means
something only within its site.
"""

import re
from collections.abc import Iterable, Mapping

from fleet.model import Device, Sighting

GLOBAL = ("mac:", "onvif:")
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


def known_ids(sighting: Sighting, index: Mapping[str, int]) -> list[int]:
    """The ids that the sighting's identities lead to, lowest first, each once."""
    keys = (index_key(identity, sighting.site) for identity in sighting.identities)
    return sorted({index[key] for key in keys if key in index})


def may_be_one(devices: Iterable[Device]) -> bool:
    """Devices with different MACs are never one, whatever else they share."""
    return len({mac_of(device) for device in devices} - {None}) <= 1


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
