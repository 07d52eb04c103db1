"""Labels and sentences for a device and its changes."""

from collections.abc import Sized

from fleet import identity, status
from fleet.model import Device

NAME_ORDER = ("panasonic",)
"""Whose name, model, serial and firmware are shown first when sources disagree."""


def fact(device: Device, key: str) -> object | None:
    """One fact by the fixed order of sources, else from any that knows it."""
    order = [*NAME_ORDER, *sorted(set(device.facts) - set(NAME_ORDER))]
    for source in order:
        value = device.facts.get(source, {}).get(key)
        if value not in (None, ""):
            return value  # type: ignore[no-any-return]
    return None


def name(device: Device) -> str:
    """What to call it: a person's name, its own, its model, its strongest key."""
    said = device.name or fact(device, "name") or fact(device, "model")
    if said:
        return str(said)
    return identity.mac_of(device) or device.address or device.identities[0]


def flip(device: Device, new: str) -> tuple[str, str]:
    """The event kind and the sentence for a status that becomes `new`."""
    who = name(device)
    why = status.reason(device)
    because = f": {why}" if why else ""
    if new == status.UNREACHABLE:
        what = "its parent is down" if len(device.parents) == 1 else "its parents are down"
        because = f", {what}"
    elif new == status.MISSING:
        because = f", not seen for a day{because}"
    elif new not in status.DOWN:
        because = ""
    if new not in status.UP:
        return status.event_kind(new), f"{who} {status.TABLE[new].says}{because}"
    if device.status in status.UP and new != status.ACTIVE:
        return status.event_kind(new), f"{who} {status.TABLE[new].says}"
    if device.status in status.UP:
        return "device.settled", f"{who} keeps its address {device.address}"
    if device.status == status.UNKNOWN:
        return "device.found", f"{who} answers"
    return "device.back", f"{who} is back"


def count(devices: Sized) -> str:
    """So many devices, in words."""
    number = len(devices)
    return "1 device" if number == 1 else f"{number} devices"
