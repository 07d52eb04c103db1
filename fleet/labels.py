"""Labels and sentences for a device and its changes."""

from collections.abc import Mapping, Sized
from urllib.parse import unquote

from fleet import channels, identity, status
from fleet.authors import COMMAND_LINE, LOCAL
from fleet.model import DEFAULT_SITE, Device

NAME_ORDER = ("panasonic",)
"""Whose name, model, serial and firmware are shown first when sources disagree."""
AUTHORS = {LOCAL: "on this server", COMMAND_LINE: "on the command line"}
"""How events name authors that have no account."""
NO_SITE = "(no site)"
PROTOCOLS = frozenset(("rtsp", "onvif", "snmp"))
"""Sources whose names are abbreviations."""


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
    label = device.name or fact(device, "name")
    if not label and channels.is_channel(device):
        label = channels.title(device)  # All have the model of their recorder.
    label = label or fact(device, "model")
    if label:
        return str(label)
    return identity.mac_of(device) or address(device) or device.identities[0]


def address(device: Device) -> str | None:
    """The address to show: where the device was seen, else the one at which it is checked."""
    hosts = (access.host for access in device.access.values())
    return device.address or next(filter(None, hosts), None)


def named_with(device: Device, devices: Mapping[int, Device]) -> Device | None:
    """The recorder whose name tells a channel without a name of its own from those of others; None
    for any other device, and where the recorder is not among `devices`."""
    if not device.parents or device.name or fact(device, "name"):
        return None
    recorder = channels.recorder_of(device, devices)
    # Whoever does not see the recorder can see the next parent, such as a switch.
    return recorder if recorder and channels.is_served_by(device, recorder) else None


def name_among(device: Device, devices: Mapping[int, Device]) -> str:
    """The name to show among these devices: "North recorder, channel 2" for a channel without a
    name of its own, if its recorder is one of them."""
    label, recorder = name(device), named_with(device, devices)
    return f"{name(recorder)}, {label[:1].lower()}{label[1:]}" if recorder else label


def identity_title(key: str) -> str:
    """A key as people read it: "MAC d4:2d:c5:00:00:0a", "RTSP at 10.0.0.5/live"."""
    kind, _, rest = key.removeprefix(identity.AT).partition(":")
    if key.startswith(identity.ENDPOINT):
        return f"ONVIF endpoint {rest}"
    if key.startswith(identity.CHANNEL):
        return f"Channel {unquote(rest.rpartition('/')[2])}"
    if key.startswith(identity.ROW):
        return f"Workbook row {rest}"
    if key.startswith(identity.FORMER):
        return f"Former identity {rest}"
    if kind in ("rtsp", "onvif"):
        return f"{kind.upper()} at {rest}"
    return f"{kind.upper()} {rest}" if kind == "mac" else key


def name_at(device: Device) -> str:
    """The name and what tells the device from others of this name, such as its address."""
    label = name(device)
    parts = device.address, identity.mac_of(device), fact(device, "serial")
    place = next((part for part in parts if part and str(part) not in label), None)
    return f"{label} ({place})" if place else label


def status_event(device: Device, new: str) -> tuple[str, str]:
    """The event kind and the sentence for a status that becomes `new`."""
    label = name(device)
    reason = status.reason(device)
    cause = f": {reason}" if reason else ""
    if new == status.UNREACHABLE:
        parents_down = (
            "its parent device is down"
            if len(device.parents) == 1
            else "its parent devices are down"
        )
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
        return "device.settled", f"{label} kept its new address {device.address}"
    if device.status == status.UNKNOWN:
        return "device.found", f"{label} is online"
    return "device.back", f"{label} is back online"


def author(by: str) -> str:
    """The end of a sentence that says who did it, or where, or from which workbook."""
    if by.lower().endswith(".xlsx"):
        return f"from {by}"
    return AUTHORS.get(by, f"by {by}")


def protocol(source: str) -> str:
    """The name of a source for people: the protocols are abbreviations."""
    return source.upper() if source in PROTOCOLS else source


def site_name(site: str, none: str = NO_SITE) -> str:
    """A site to show, or `none` for the site of devices that were given none."""
    return none if site == DEFAULT_SITE else site


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s in the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def device_count(devices: Sized) -> str:
    """The number of devices as text."""
    return counted(len(devices), "device")
