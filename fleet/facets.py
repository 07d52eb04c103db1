"""The values that a list can be filtered by, with the number of devices behind each. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fleet import networks
from fleet.model import Device
from fleet.queries import (
    VALUES,
    Condition,
    DeviceFilter,
    ValuesOf,
    conditions,
    select,
    store_of,
)

FACETS = ("finding", "tag", "model", "site", "store", "network", "source")
"""The filters that are chosen from values that exist."""


def count_facets(
    devices: Mapping[int, Device],
    statuses: Mapping[int, str],
    query: DeviceFilter,
    kinds: frozenset[str],
    stores: Mapping[str, str],
    every: Mapping[int, Device],
) -> dict[str, Counter[str]]:
    """{facet: {value: devices}}: each facet counts the devices that fit all the other filters, as
    many as are listed when that value is chosen. `stores` and `every` as for `select`."""
    none: dict[str, Any] = dict.fromkeys(FACETS, "")
    others = replace(query, **none, sort="", page=None, per_page=None)
    matches = select(devices.values(), statuses, others, kinds, every=every).devices
    chosen = conditions(query, stores)
    values: dict[str, ValuesOf] = {
        **VALUES,
        "store": lambda device: filter(None, (store_of(device, stores),)),
        "network": lambda device: filter(None, (networks.network_of(device),)),
    }
    return {name: _count(matches, values[name], _without(chosen, name)) for name in FACETS}


def _without(chosen: Mapping[str, Condition], name: str) -> list[Condition]:
    return [condition for key, condition in chosen.items() if key != name]


def _count(devices: Iterable[Device], values_of: ValuesOf, wanted: list[Condition]) -> Counter[str]:
    return Counter(
        value
        for device in devices
        if all(condition(device) for condition in wanted)
        for value in values_of(device)
    )
