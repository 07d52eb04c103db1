"""The places where a device is or is asked, and the other devices that its record names. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from fleet import identity
from fleet.channels import PORT, SOURCE, is_channel
from fleet.model import Access, Device


def place(access: Access) -> str:
    """The place that is asked, in words: host, port and path."""
    if access.host is None:
        return "its own address"
    host = f"[{access.host}]" if ":" in access.host else access.host
    port = f":{access.port}" if access.port is not None else ""
    return f"{host}{port}{access.path}"


def access_key(source: str, access: Access) -> str | None:
    """The key of the place that is asked, like `rtsp:10.0.0.5:554/live`; None where the source
    asks at the device's own address, wherever that is."""
    if access.host is None:
        return None
    return identity.place_key(source, place(access))


def server_key(access: Access) -> str:
    """The key of the server of a stream, like `rtsp:10.0.0.5:554`: it names a device that proves no
    more than where it is."""
    return f"{SOURCE}:{place(replace(access, port=access.port or PORT, path=''))}"


def host_of(device: Device, source: str) -> str | None:
    """The host at which this source asks the device: the one a person gave, else its address."""
    access = device.access.get(source)
    return (access.host or device.address) if access else None


def session_owner(device: Device, source: str, devices: Mapping[int, Device]) -> int:
    """The device whose sessions and logins a question uses: the recorder that a channel is part of,
    which is its parent at the same host; else the device itself."""
    host = host_of(device, source)
    for parent in (devices.get(id) for id in device.parents):
        if (
            parent is not None
            and host is not None
            and host in (parent.address, host_of(parent, source))
        ):
            return parent.id
    return device.id


def references_of(device: Device) -> frozenset[str]:
    """The keys in `Fleet.references` that lead to the device: the addresses that it has or lately
    had unless it is retired, the places at which it is asked, and its parents and exclusions. The
    address of a channel is that of its recorder, and leads to the recorder alone."""
    keys = {f"id:{id}" for id in (*device.parents, *device.never_merge)}
    if device.retired_at is None and not is_channel(device):
        known = {ip for by_ip in device.source_addresses.values() for ip in by_ip}
        if device.address is not None:
            known.add(device.address)
        keys |= {identity.index_key(f"{identity.ADDRESS}{ip}", device.site) for ip in known}
    for source, access in device.access.items():
        if (key := access_key(source, access)) is not None:
            keys.add(identity.index_key(key, device.site))
    return frozenset(keys)


def has_same_references(before: Device, after: Device) -> bool:
    """True if the same keys lead to both. Quicker than comparing all of them: most devices stay
    where they are. False is only a guess."""
    had, has = before.source_addresses, after.source_addresses
    if (before.site, before.address) != (after.site, after.address):
        return False
    if (before.retired_at is None) != (after.retired_at is None):
        return False
    if (before.parents, before.never_merge) != (after.parents, after.never_merge):
        return False
    if before.identities != after.identities and is_channel(before) != is_channel(after):
        return False
    if before.access is not after.access and before.access != after.access:
        return False
    for source, known in has.items():
        if source not in had or had[source].keys() != known.keys():
            return False
    return len(had) == len(has)
