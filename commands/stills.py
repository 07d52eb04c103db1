"""The command about stills: take one and write it to a file."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from commands.fleet import find_device
from commands.monitor import (
    DONE,
    WRONG_USE,
    Failed,
    read_fleet,
    read_from_monitor,
    tell_monitor,
    with_monitor,
)
from fleet import identity, labels
from fleet.model import Device, Fleet
from fleet.pictures import NotTaken
from fleet.texts import sentences
from settings import Settings
from stills.build import StillsPackage

MOST_NAMED = 5


def still(settings: Settings, args: argparse.Namespace) -> int:
    """Take a still of a camera now and write it to a file."""
    fleet = read_fleet(settings)
    device = _camera(fleet, args.camera)
    name = labels.name_among(device, fleet.devices)
    try:
        data = _taken_by_monitor(settings, device) or _taken_without_monitor(settings, device)
    except Failed as error:
        raise Failed(f"No still of {name}: {error}", error.code) from None
    _write(args.output, data)
    print(f"Still of {name} written to {args.output}")
    return DONE


def _camera(fleet: Fleet, key: str) -> Device:
    """The camera with this number, MAC or exact name. Raises Failed."""
    if key.isdecimal() or identity.mac(key):
        return find_device(fleet, key)
    devices = fleet.devices
    named = [device for device in devices.values() if key == labels.name_among(device, devices)]
    if len(named) > 1:
        numbers = ", ".join(str(device.id) for device in named[:MOST_NAMED])
        raise Failed(f"{len(named)} cameras have this name. Use a number: {numbers}.", WRONG_USE)
    return named[0] if named else find_device(fleet, key)


def _taken_by_monitor(settings: Settings, device: Device) -> bytes | None:
    """A still by the running monitor; None when none runs. Raises Failed."""
    answer = tell_monitor(settings, "POST", f"/api/cameras/{device.id}/stills")
    return None if answer is None else read_from_monitor(settings, answer["still"]["url"])


def _taken_without_monitor(settings: Settings, device: Device) -> bytes:
    """A still by this process, which owns the files meanwhile. Raises Failed."""

    def work(monitor: Any) -> bytes:
        monitor.scanner.open(listen=False)
        monitor.streams.start()
        package = monitor.packages.find(StillsPackage)
        return bytes(package.shelf.path(package.stills.take(device.id)).read_bytes())

    try:
        return bytes(with_monitor(settings, work))
    except NotTaken as error:
        raise Failed(sentences(error.reason, error.hint)) from None
    except OSError as error:
        raise Failed(f"The still cannot be read ({error.strerror}).") from None


def _write(path: Path, data: bytes) -> None:
    """Write the whole file or nothing. Raises Failed."""
    staged = path.with_name(f".{path.name}.new")
    is_special = path.exists() and not path.is_file()
    try:
        if is_special:  # such as /dev/stdout
            path.write_bytes(data)
        else:
            staged.write_bytes(data)
            staged.replace(path)
    except OSError as error:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
        raise Failed(f"{path} cannot be written ({error.strerror}).") from None
