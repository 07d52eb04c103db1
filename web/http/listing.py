"""Which devices a list shows, in which order: one rule for the API and the page."""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fleet import identity, labels, status
from fleet.list_entries import SOURCE
from fleet.model import DEFAULT_SITE, Device
from web.http.payloads import Query

STATUSES = {
    "all": frozenset(status.WORDS),
    "active": status.UP,
    "online": status.UP,
    "ip_changed": frozenset({status.IP_CHANGED}),
    "offline": frozenset({status.OFFLINE, status.UNKNOWN, status.UNREACHABLE}),
    "silent": frozenset({status.OFFLINE, status.UNREACHABLE}),
    "missing": frozenset({status.MISSING}),
    "unknown": frozenset({status.UNKNOWN}),
    "unreachable": frozenset({status.UNREACHABLE}),
}
WORST_FIRST = {
    word: place
    for place, word in enumerate(
        (
            status.OFFLINE,
            status.UNREACHABLE,
            status.MISSING,
            status.IP_CHANGED,
            status.UNKNOWN,
            status.ACTIVE,
        )
    )
}
LONGEST_PLACE = 500
"""Characters of a site or a store: as many as a cell of the workbook keeps."""
SortKey = Callable[[Device, str], Any]


def lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ListQuery(Query):
    """Filter, search, sort and page. Without any of it a list is whole, by number."""

    status: Annotated[
        Literal[
            "all",
            "active",
            "online",
            "ip_changed",
            "offline",
            "silent",
            "missing",
            "unknown",
            "unreachable",
        ],
        BeforeValidator(lower_case),
    ] = "all"
    kind: Annotated[Literal["camera", "recorder"] | None, BeforeValidator(lower_case)] = None
    q: str = Field("", max_length=100, description="Text in name, address, MAC, serial or model.")
    site: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a site.")
    store: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a store.")
    findings: bool = Field(False, description="Only those with a finding.")
    retired: bool = Field(False, description="The retired ones instead.")
    sort: str = Field(
        "", pattern=r"^(-?(id|status|name|address|mac|model|last_seen|discoveries))?$"
    )
    page: int | None = Field(None, ge=1, le=1_000_000)
    per_page: int | None = Field(None, ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class Listing:
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
    found: dict[str, str] = {}
    for device in devices:
        store = device.facts.get(SOURCE, {}).get("store")
        if store and device.site != DEFAULT_SITE and device.retired_at is None:
            is_same = found.setdefault(device.site, str(store)) == store
            found[device.site] = str(store) if is_same else ""
    return found


def store_of(device: Device, stores: Mapping[str, str]) -> str:
    """The store that a device names, or that its site stands in; empty for none."""
    return str(device.facts.get(SOURCE, {}).get("store") or stores.get(device.site, ""))


def select(
    devices: Collection[Device],
    statuses: Mapping[int, str],
    query: ListQuery,
    kinds: frozenset[str],
    stores: Mapping[str, str] | None = None,
) -> Listing:
    """The devices that fit the query. `stores` as `stores_by_site()` of the whole fleet, where
    `devices` are not the whole."""
    if query.store:
        known = stores_by_site(devices) if stores is None else stores
        devices = [one for one in devices if store_of(one, known) == query.store]
    wanted = STATUSES[query.status]
    found = [
        device
        for device in devices
        if (device.retired_at is not None) == query.retired
        and (device.kind == query.kind if query.kind else device.kind in kinds)
        and statuses[device.id] in wanted
        and (not query.findings or device.findings)
        and (not query.site or device.site == query.site)
    ]
    if query.q.strip():
        needle = query.q.strip().casefold()
        mac = identity.mac(needle) or needle
        found = [one for one in found if needle in text(one) or mac in text(one)]
    if query.sort:
        key = SORTS[query.sort.lstrip("-")]
        reverse = query.sort.startswith("-")
        found.sort(key=lambda device: key(device, statuses[device.id]), reverse=reverse)
    return _page(found, query)


def _page(found: list[Device], query: ListQuery) -> Listing:
    if query.page is None and query.per_page is None:
        return Listing(found, len(found), None, None)
    page, size = query.page or 1, query.per_page or 100
    return Listing(found[(page - 1) * size : page * size], len(found), page, size)


def text(device: Device) -> str:
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
        found = ipaddress.ip_address(device.address or "")
    except ValueError:
        return (9, 0)
    return (found.version, int(found))


SORTS: dict[str, SortKey] = {
    "id": lambda device, word: device.id,
    "status": lambda device, word: (WORST_FIRST[word], labels.name(device).casefold()),
    "name": lambda device, word: labels.name(device).casefold(),
    "address": lambda device, word: _address(device),
    "mac": lambda device, word: identity.mac_of(device) or "~",
    "model": lambda device, word: str(labels.fact(device, "model") or "~").casefold(),
    "last_seen": lambda device, word: device.last_seen.timestamp() if device.last_seen else 0.0,
    "discoveries": lambda device, word: device.sightings,
}
