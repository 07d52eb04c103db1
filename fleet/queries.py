"""Filter, search, sort and page the devices: one rule for the API, the pages and the commands."""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet import identity, labels, status
from fleet.kinds import shown_as
from fleet.model import DEFAULT_SITE, Device
from fleet.recorder_list import SOURCE

STATUSES = {
    "all": frozenset(status.NAMES),
    "active": status.UP,
    "online": status.UP,
    "ip_changed": frozenset({status.IP_CHANGED}),
    "offline": frozenset(status.NAMES) - status.UP - {status.MISSING},
    "silent": status.DOWN - {status.MISSING},
    "missing": frozenset({status.MISSING}),
    "unknown": frozenset({status.UNKNOWN}),
    "unreachable": frozenset({status.UNREACHABLE}),
}
"""What a list can be filtered by: these words, and every other status by its own."""
for _word in status.NAMES:
    STATUSES.setdefault(_word.lower(), frozenset({_word}))
LONGEST_PLACE = 500
"""Characters of a site or a store, as many as a cell of the workbook keeps."""
SortKey = Callable[[Device, str], Any]


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """The filter, the order and the page of a list of devices.

    Without any of it a list is whole, by number. `status` is a key of STATUSES, `sort` one of
    SORTS, with `-` before it for the other direction.
    """

    status: str = "all"
    kind: str | None = None
    q: str = ""
    site: str = ""
    store: str = ""
    findings: bool = False
    retired: bool = False
    sort: str = ""
    page: int | None = None
    per_page: int | None = None


@dataclass(frozen=True, slots=True)
class DevicePage:
    """The devices of one page, and how many there are over all pages."""

    devices: list[Device]
    total: int
    page: int | None
    per_page: int | None

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.per_page)) if self.per_page else 1


def stores_by_site(devices: Iterable[Device]) -> dict[str, str]:
    """The store of each site, as the list of recorders has it; empty for one in several."""
    stores: dict[str, str] = {}
    for device in devices:
        store = device.facts.get(SOURCE, {}).get("store")
        if store and device.site != DEFAULT_SITE and device.retired_at is None:
            is_same = stores.setdefault(device.site, str(store)) == store
            stores[device.site] = str(store) if is_same else ""
    return stores


def store_of(device: Device, stores: Mapping[str, str]) -> str:
    """The store of a device: its own, or that of its site; empty for none."""
    return str(device.facts.get(SOURCE, {}).get("store") or stores.get(device.site, ""))


def select(
    devices: Collection[Device],
    statuses: Mapping[int, str],
    query: DeviceFilter,
    kinds: frozenset[str],
    stores: Mapping[str, str] | None = None,
) -> DevicePage:
    """The devices that fit the query. `stores` as `stores_by_site()` of the whole fleet, where
    `devices` are not the whole."""
    if query.store:
        known = stores_by_site(devices) if stores is None else stores
        devices = [device for device in devices if store_of(device, known) == query.store]
    wanted = STATUSES[query.status]
    matches = [
        device
        for device in devices
        if (device.retired_at is not None) == query.retired
        and (shown_as(device.kind) in ({query.kind} if query.kind else kinds))
        and statuses[device.id] in wanted
        and (not query.findings or device.findings)
        and (not query.site or device.site == query.site)
    ]
    if query.q.strip():
        needle = query.q.strip().casefold()
        mac = identity.mac(needle) or needle
        matches = [device for device in matches if _mentions(device, needle, mac)]
    if query.sort:
        key = SORTS[query.sort.lstrip("-")]
        reverse = query.sort.startswith("-")
        matches.sort(key=lambda device: key(device, statuses[device.id]), reverse=reverse)
    return _paginate(matches, query)


def _paginate(matches: list[Device], query: DeviceFilter) -> DevicePage:
    if query.page is None and query.per_page is None:
        return DevicePage(matches, len(matches), None, None)
    page, size = query.page or 1, query.per_page or 100
    return DevicePage(matches[(page - 1) * size : page * size], len(matches), page, size)


def _mentions(device: Device, *texts: str) -> bool:
    haystack = search_text(device)
    return any(text in haystack for text in texts)


def search_text(device: Device) -> str:
    """Everything that a search looks in, in lower case."""
    parts = (
        labels.name(device),
        labels.fact(device, "name"),
        labels.fact(device, "model"),
        labels.fact(device, "serial"),
        device.address,
        identity.mac_of(device),
        device.notes,
        *device.tags,
        device.site if device.site != DEFAULT_SITE else None,
    )
    return "\n".join(str(part) for part in parts if part).casefold()


def _address(device: Device) -> tuple[int, int]:
    try:
        address = ipaddress.ip_address(device.address or "")
    except ValueError:
        return (9, 0)
    return (address.version, int(address))


SORTS: dict[str, SortKey] = {
    "id": lambda device, device_status: device.id,
    "status": lambda device, device_status: (
        status.TABLE[device_status].rank,
        labels.name(device).casefold(),
    ),
    "name": lambda device, device_status: labels.name(device).casefold(),
    "address": lambda device, device_status: _address(device),
    "mac": lambda device, device_status: identity.mac_of(device) or "~",
    "model": lambda device, device_status: str(labels.fact(device, "model") or "~").casefold(),
    "last_seen": lambda device, device_status: (
        device.last_seen.timestamp() if device.last_seen else 0.0
    ),
    "discoveries": lambda device, device_status: device.sightings,
}
