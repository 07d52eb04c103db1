"""The addresses that a person entered for a device, after the device has moved. Pure.

a search finds the device elsewhere      each source that was asked at the old address follows
a source is asked at another address     it stays there: a person sent it to another interface
the address of a recorder is edited      its channels follow once it answers at the new one
a host name                              it stays: its owner keeps it up to date

What follows is asked at the address of the device from then on. Its password is still that of the
old address, so the device must prove itself at the new one first.
"""

from dataclasses import replace

from fleet import identity
from fleet.model import Access, Device, Sighting
from fleet.places import server_key


def followed(device: Device, before: Device, sighting: Sighting) -> Device:
    """The device, which the sighting moved, without the entered addresses that it left. An answer
    to a check only proves that the place exists at which it was asked."""
    old = before.address
    if old in (None, device.address) or sighting.device is not None:
        return device
    return _asked_at_its_address(device, str(old))


def is_entered(device: Device, address: str) -> bool:
    """True if a person entered the address for any source of the device."""
    return any(access.host == address for access in device.access.values())


def channel_followed(device: Device, old: str, new: str) -> Device:
    """The channel, which moved with its recorder. A key that names the server of its stream names
    it at the new address."""
    keys: dict[str, None] = {}
    for key in device.identities:
        is_channel = key.startswith(identity.CHANNEL)
        if identity.place_of(key) != old:
            keys[key] = None
        elif is_channel and (access := _served_at(device, key, old)):
            keys[_renamed(key, replace(access, host=new))] = None
    followed = _asked_at_its_address(device, old)
    return identity.renamed(followed, tuple(keys)) if keys else followed


def _served_at(device: Device, key: str, host: str) -> Access | None:
    """The access to the server that the key of the channel names."""
    owner = identity.owner_of(key)
    ways = (access for access in device.access.values() if access.host == host)
    return next((access for access in ways if server_key(access) == owner), None)


def _renamed(key: str, access: Access) -> str:
    return f"{identity.CHANNEL}{server_key(access)}/{key.rpartition('/')[2]}"


def _asked_at_its_address(device: Device, old: str) -> Device:
    if not is_entered(device, old):
        return device
    ways = {
        source: replace(access, host=None, secret_host=old) if access.host == old else access
        for source, access in device.access.items()
    }
    return replace(device, access=ways)
