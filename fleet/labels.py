"""Labels and sentences for a device and its changes."""

from collections.abc import Sized

from fleet import identity, status
from fleet.model import Device

NAME_ORDER = ("panasonic",)
"""Whose name, model, serial and firmware are shown first when sources disagree."""


def fact(device: Device, key: str) -> object | None:
    """One fact by the fixed order of sources, else from any that knows it."""
    by_source = device.facts
    order = by_source if len(by_source) == 1 else sorted(by_source, key=_rank)
    for source in order:
        value = by_source[source].get(key)
        if value not in (None, ""):
            return value  # type: ignore[no-any-return]
    return None


def _rank(source: str) -> tuple[int, str]:
    return (NAME_ORDER.index(source) if source in NAME_ORDER else len(NAME_ORDER)), source


def name(device: Device) -> str:
    """The name to show: a person's, the device's own, its model, or its strongest key."""
    label = device.name or fact(device, "name") or fact(device, "model")
    if label:
        return str(label)
    return identity.mac_of(device) or device.address or device.identities[0]


def status_event(device: Device, new: str) -> tuple[str, str]:
    """The event kind and the sentence for a status that becomes `new`."""
    label = name(device)
    reason = status.reason(device)
    cause = f": {reason}" if reason else ""
    if new == status.UNREACHABLE:
        parents_down = "its parent is down" if len(device.parents) == 1 else "its parents are down"
        cause = f", {parents_down}"
    elif new == status.MISSING:
        cause = f", not seen for a day{cause}"
    elif new not in status.DOWN:
        cause = ""
    if new not in status.UP:
        return status.event_kind(new), f"{label} {status.TABLE[new].predicate}{cause}"
    if device.status in status.UP and new != status.ACTIVE:
        return status.event_kind(new), f"{label} {status.TABLE[new].predicate}"
    if device.status in status.UP:
        return "device.settled", f"{label} keeps its address {device.address}"
    if device.status == status.UNKNOWN:
        return "device.found", f"{label} answers"
    return "device.back", f"{label} is back"


def device_count(devices: Sized) -> str:
    """The number of devices as text."""
    number = len(devices)
    return "1 device" if number == 1 else f"{number} devices"
