"""Interfaces of a device that a person merged of several: the addresses of each key.

Each has an address of its own, and moves on its own. A device with one MAC that nobody merged
needs none of this: its keys are where it is.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from fleet import identity
from fleet.model import Device, Sighting

Places = Mapping[str, datetime]


def has_several(device: Device) -> bool:
    """True if a person merged several interfaces into the device."""
    if device.interfaces:
        return True
    return len(device.identities) > 1 and len(identity.macs_of(device)) > 1


def proved_places(device: Device) -> dict[str, Places]:
    """The last places of each MAC and endpoint reference of the device."""
    places: dict[str, Places] = {}
    for key in device.identities:
        if key in device.interfaces:
            places[key] = device.interfaces[key]
        elif key.startswith((identity.MAC, identity.ENDPOINT)) and not has_several(device):
            places[key] = at_shown(device)
    return places


def at_shown(device: Device) -> Places:
    """The shown address of the device, with the time at which it was last proved."""
    ip = device.address
    if ip is None:
        return {}
    known = (by_ip[ip] for by_ip in device.source_addresses.values() if ip in by_ip)
    at = max(known, default=device.last_seen)
    return {ip: at} if at else {}


def with_proved_interface(
    device: Device, sighting: Sighting, keys: Iterable[str]
) -> Mapping[str, Places]:
    """The interfaces after the sighting proved the keys. A new address takes the place of the one
    that was proved the longest ago."""
    address = sighting.address
    if address is None or not has_several(device):
        return device.interfaces
    by_key = dict(device.interfaces)
    for key in keys:
        if key in device.identities and key.startswith((identity.MAC, identity.ENDPOINT)):
            by_key[key] = _with(by_key.get(key, {}), address, sighting.at)
    return by_key


def _with(known: Places, address: str, at: datetime) -> Places:
    if address in known:
        return {**known, address: max(at, known[address])}
    oldest = min(known, key=lambda ip: known[ip], default=None)
    return {ip: known[ip] for ip in known if ip != oldest} | {address: at}


def is_other(device: Device, sighting: Sighting) -> bool:
    """Whether the sighting is of another interface than the one whose address is shown: then it
    does not say what the device is called."""
    is_elsewhere = None not in (device.address, sighting.address, device.last_seen)
    return has_several(device) and is_elsewhere and device.address != sighting.address
