"""Stills as pages show them: each with its URL, and how it was taken in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.model import Device
from stills.model import Still
from video.retention import size_text
from web.http.actions import stills
from web.http.shapes.stills import still_url
from web.http.visible_fleet import visible_fleet

WAYS = {"pi": "Pi camera", "usb": "USB camera", "snapshot": "snapshot", "stream": "video stream"}


@dataclass(frozen=True, slots=True)
class ShownStill:
    """A still with its URL. `about`: its size, and how it was taken."""

    still: Still
    url: str
    about: str


@dataclass(frozen=True, slots=True)
class DeviceStills:
    """What the details of a device say about its stills. `newest`: None before the first one."""

    newest: ShownStill | None


def shown_still(device: Device, still: Still) -> ShownStill:
    about = f"{still.width} x {still.height}, {size_text(still.size)}, {WAYS[still.way]}"
    return ShownStill(still, still_url(device.id, still.id), about)


def newest_shown(devices: Iterable[Device]) -> Mapping[int, ShownStill]:
    """The newest still of each of these devices that has one, of those that this person may see."""
    visible, newest = visible_fleet(), stills.newest()
    return {
        device.id: shown_still(device, newest[device.id])
        for device in devices
        if device.id in newest and visible.may("still.view", device)
    }


def of_device(device: Device) -> DeviceStills | None:
    """The stills of a device; None for one that has none and can give none, and for a person who
    may not see them."""
    newest = newest_shown([device]).get(device.id)
    if newest is None and not stills.can_be_taken(device):
        return None
    return DeviceStills(newest) if visible_fleet().may("still.view", device) else None
