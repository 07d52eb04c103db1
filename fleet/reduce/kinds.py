"""The kind of a device: a weaker source does not replace the kind of a stronger one."""

from dataclasses import replace

from fleet import recorder_list
from fleet.model import Device, Sighting
from fleet.status import Rules

PERSON = "person"
"""The `kind_source` of a kind that a person chose."""
ASSUMED = "assumed"
"""The `kind_source` of a kind that nobody chose when the device was added: a source whose answers
name the kind replaces it."""


def with_kind_of(device: Device, sighting: Sighting, rules: Rules) -> Device:
    """The device with the kind of the sighting, unless an equal or stronger source gave another.
    A source whose answers name the kind (`rules.kind_sources`) is stronger than one that guesses.
    """
    known, source = device.kind_source, sighting.source
    if (device.kind, known) == (sighting.kind, source) or (device.listed and not known):
        return device
    if sighting.is_brief and known:
        return device
    if known != source and _strength(known, rules) >= _strength(source, rules):
        return device
    return replace(device, kind=sighting.kind, kind_source=source)


def record_with_stronger_kind(keep: Device, gone: Device, rules: Rules) -> Device:
    """The record whose kind is right, of two that are one device."""
    is_other = _strength(gone.kind_source, rules) > _strength(keep.kind_source, rules)
    return gone if is_other else keep


def _strength(source: str, rules: Rules) -> int:
    if source in (PERSON, recorder_list.SOURCE):
        return 3
    return 2 if source in rules.kind_sources else 1 if source else 0
