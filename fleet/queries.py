"""Filter, search, sort and page the devices: one rule for the API, the pages and the commands."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fleet import identity, labels, logins, networks, status
from fleet.channels import is_channel, recorder_of
from fleet.kinds import shown_as
from fleet.model import DEFAULT_SITE, Device, Fleet, NotFound
from fleet.natural_order import FIRST, Key, natural_key
from fleet.recorder_list import SOURCE
from fleet.texts import LIST_HINT

STATUSES = {
    "all": frozenset(status.NAMES),
    "active": status.UP,
    "online": status.UP,
    "ip_changed": frozenset({status.IP_CHANGED}),
    "offline": frozenset(status.NAMES) - status.UP - {status.MISSING},
    "silent": status.DOWN - {status.MISSING},
    "not_responding": frozenset({status.OFFLINE}),
    "missing": frozenset({status.MISSING}),
    "unknown": frozenset({status.UNKNOWN}),
    "unreachable": frozenset({status.UNREACHABLE}),
}
"""What a list can be filtered by: these words, and every other status by its own."""
for _word in status.NAMES:
    STATUSES.setdefault(_word.lower(), frozenset({_word}))
MAX_TEXTS = 100_000
_search_texts: dict[int, tuple[Device, str]] = {}
"""The search text of each device by number, with the very record that it was made of."""
LONGEST_PLACE = 500
"""Characters of a site or a store, as many as a cell of the workbook keeps."""
SortKey = Callable[[Device, str, Mapping[int, Device]], Any]
"""Of a device, its status, and the devices among which it is shown."""
Condition = Callable[[Device], bool]
ValuesOf = Callable[[Device], Iterable[str]]
VALUES: dict[str, ValuesOf] = {
    "tag": lambda device: device.tags,
    "model": lambda device: _texts(labels.fact(device, "model")),
    "site": lambda device: (device.site,),
    "source": lambda device: device.states.keys() | device.facts.keys(),
    "finding": lambda device: {fault.kind for fault in device.findings},
}
"""By the name of a filter, the values of a device of which one must be the filter's."""


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """The filter, the order and the page of a list of devices.

    Without any of it a list is whole, by number. `status` is a key of STATUSES, `network` is in
    CIDR notation, `sort` is one of SORTS, with `-` before it for the other direction.
    `channels_of` is the number of a recorder.
    """

    status: str = "all"
    kind: str | None = None
    q: str = ""
    tag: str = ""
    model: str = ""
    site: str = ""
    store: str = ""
    network: str = ""
    credentials: str = ""
    source: str = ""
    finding: str = ""
    channels_of: int | None = None
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


def device_behind(key: str, fleet: Fleet, visible: Mapping[int, Device]) -> Device:
    """The device that a number, which may be an older one, or a MAC in any spelling leads to.

    `visible` are the devices of `fleet` to choose from: a merge at the same moment cannot fall
    between two snapshots. Raises NotFound.
    """
    if key.isdecimal() and len(key) < 12:
        number = fleet.redirects.get(int(key), int(key))
    else:
        number = fleet.index.get(f"{identity.MAC}{identity.mac(key)}", 0)
    device = visible.get(number)
    if device is None:
        raise NotFound(f"Camera {key[:60]} does not exist", LIST_HINT)
    return device


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


def conditions(query: DeviceFilter, stores: Mapping[str, str]) -> dict[str, Condition]:
    """What a device must fulfil besides status and search, by the name of the filter."""
    wanted: dict[str, Condition] = {
        name: partial(_has, values_of, value)
        for name, values_of in VALUES.items()
        if (value := getattr(query, name))
    }
    if query.store:
        wanted["store"] = lambda device: store_of(device, stores) == query.store
    if query.channels_of is not None:
        wanted["channels_of"] = lambda device: (
            is_channel(device) and device.parents[:1] == (query.channels_of,)
        )
    if query.network:
        wanted["network"] = networks.parse(query.network).has
    if query.credentials:
        wanted["credentials"] = lambda device: query.credentials in logins.sets_of(device)
    return wanted


def _has(values_of: ValuesOf, value: str, device: Device) -> bool:
    return value in values_of(device)


def select(
    devices: Collection[Device],
    statuses: Mapping[int, str],
    query: DeviceFilter,
    kinds: frozenset[str],
    stores: Mapping[str, str] | None = None,
    every: Mapping[int, Device] | None = None,
) -> DevicePage:
    """The devices that fit the query. Where `devices` are not the whole: `stores` as
    `stores_by_site()` of the whole fleet, and `every` all that the viewer sees."""
    if every is None:
        every = {device.id: device for device in devices} if query.q or query.sort else {}
    if stores is None:
        stores = stores_by_site(devices) if query.store else {}
    wanted = STATUSES[query.status]
    matches = [
        device
        for device in devices
        if (device.retired_at is not None) == query.retired
        and (shown_as(device.kind) in ({query.kind} if query.kind else kinds))
        and statuses[device.id] in wanted
        and (not query.findings or device.findings)
    ]
    for condition in conditions(query, stores).values():
        matches = [device for device in matches if condition(device)]
    if query.q.strip():
        needle = query.q.strip().casefold()
        mac = identity.mac(needle) or needle
        matches = [device for device in matches if _mentions(device, every, needle, mac)]
    if query.sort:
        key = SORTS[query.sort.lstrip("-")]
        reverse = query.sort.startswith("-")
        matches.sort(key=lambda device: key(device, statuses[device.id], every), reverse=reverse)
    return _paginate(matches, query)


def _paginate(matches: list[Device], query: DeviceFilter) -> DevicePage:
    if query.page is None and query.per_page is None:
        return DevicePage(matches, len(matches), None, None)
    page, size = query.page or 1, query.per_page or 100
    return DevicePage(matches[(page - 1) * size : page * size], len(matches), page, size)


def _mentions(device: Device, every: Mapping[int, Device], *texts: str) -> bool:
    haystack = search_text(device)
    if device.parents and is_channel(device) and (recorder := recorder_of(device, every)):
        names = labels.name(recorder), labels.name_among(device, every)
        haystack = "\n".join((haystack, *names)).casefold()
    return any(text in haystack for text in texts)


def search_text(device: Device) -> str:
    """Everything that a search looks in, in lower case; made once for each state of a device."""
    known = _search_texts.get(device.id)
    if known and known[0] is device:
        return known[1]
    if len(_search_texts) >= MAX_TEXTS:
        _search_texts.clear()
    text = _search_text(device)
    _search_texts[device.id] = (device, text)
    return text


def _search_text(device: Device) -> str:
    parts = (
        labels.name(device),
        labels.fact(device, "name"),
        labels.fact(device, "model"),
        labels.fact(device, "serial"),
        device.address,
        *{access.host for access in device.access.values()},
        identity.mac_of(device),
        device.notes,
        *device.tags,
        device.site if device.site != DEFAULT_SITE else None,
    )
    return "\n".join(str(part) for part in parts if part).casefold()


def _texts(fact: object | None) -> tuple[str, ...]:
    return () if fact is None else (str(fact),)


def _text_key(text: object | None) -> tuple[bool, Key]:
    """In natural order; what has no text comes last."""
    return (not text, natural_key(str(text or "")))


def name_key(device: Device, every: Mapping[int, Device]) -> Key:
    """The place of a device by its name among all: a channel without one follows its recorder."""
    key, recorder = natural_key(labels.name(device)), labels.named_with(device, every)
    return (*natural_key(labels.name(recorder)), FIRST, *key) if recorder else key


SORTS: dict[str, SortKey] = {
    "id": lambda device, device_status, every: device.id,
    "status": lambda device, device_status, every: (
        status.TABLE[device_status].rank,
        name_key(device, every),
    ),
    "name": lambda device, device_status, every: name_key(device, every),
    "address": lambda device, device_status, every: networks.address_number(labels.address(device)),
    "mac": lambda device, device_status, every: identity.mac_of(device) or "~",
    "model": lambda device, device_status, every: _text_key(labels.fact(device, "model")),
    "last_seen": lambda device, device_status, every: (
        device.last_seen.timestamp() if device.last_seen else 0.0
    ),
    "discoveries": lambda device, device_status, every: device.sightings,
    "site": lambda device, device_status, every: _text_key(
        device.site if device.site != DEFAULT_SITE else None
    ),
    "serial": lambda device, device_status, every: _text_key(labels.fact(device, "serial")),
    "firmware": lambda device, device_status, every: _text_key(labels.fact(device, "firmware")),
    "first_seen": lambda device, device_status, every: (
        device.first_seen.timestamp() if device.first_seen else 0.0
    ),
}
