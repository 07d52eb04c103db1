"""The facts of a sighting, limited in size per device. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from fleet import recorder_list
from fleet.model import Device, Facts, Sighting

SIGHTING_FIELDS = ("name", "model", "serial", "firmware", "port")
"""The facts whose changes become events."""
MAX_BYTES = 4096
"""The size limit of the facts of one device from all sources, as JSON in the database. Facts from
a list are exempt: its cells have limits of their own."""


def facts_of(sighting: Sighting, device: Device | None = None) -> Facts:
    """The facts of the sighting without unknown ones, as far as the device has room
    beside what other sources said. `facts_omitted` tells what was too much."""
    facts: dict[str, Any] = {}
    for key in SIGHTING_FIELDS:
        if (value := getattr(sighting, key)) is not None:
            facts[key] = value
    facts |= sighting.facts
    if device and facts == device.facts.get(sighting.source):
        return facts  # There was room for it before.
    room = MAX_BYTES
    for source, known in device.facts.items() if device else ():
        if source not in (sighting.source, recorder_list.SOURCE):
            room -= _size(known)
    return facts if _size(facts) <= room else _within(facts, room)


def _within(facts: Facts, room: int) -> Facts:
    kept: dict[str, Any] = {}
    room -= _size({"facts_omitted": f"{len(facts)} facts"})
    for key, value in facts.items():
        size = _size({key: value}) - 1  # braces give way to a comma
        if key != "facts_omitted" and size <= room:
            kept[key] = value
            room -= size
    return {**kept, "facts_omitted": f"{len(facts) - len(kept)} facts"}


def _size(facts: Mapping[str, Any]) -> int:
    return len(orjson.dumps(facts, option=orjson.OPT_NON_STR_KEYS))
