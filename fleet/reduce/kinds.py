"""The kind of a device: a weaker source does not replace the kind of a stronger one."""

from dataclasses import replace

from fleet.edit import recorder_list
from fleet.model import Device, Sighting

PERSON = "person"
"""The `kind_source` of a kind that a person chose."""
PROTOCOLS = frozenset({"panasonic", "dahua", "onvif"})
"""Sources whose protocol says the kind. All others guess it from what answers."""


def with_kind_of(device: Device, sighting: Sighting) -> Device:
    """The device with the kind of the sighting, unless an equal or stronger source gave another."""
    known, source = device.kind_source, sighting.source
    if (device.kind, known) == (sighting.kind, source) or (device.listed and not known):
        return device
    if known != source and _strength(known) >= _strength(source):
        return device
    return replace(device, kind=sighting.kind, kind_source=source)


def stronger(keep: Device, gone: Device) -> Device:
    """The record whose kind is right, of two that are one device."""
    return gone if _strength(gone.kind_source) > _strength(keep.kind_source) else keep


def _strength(source: str) -> int:
    if source in (PERSON, recorder_list.SOURCE):
        return 3
    return 2 if source in PROTOCOLS else 1 if source else 0
