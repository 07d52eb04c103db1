"""The columns of the list: which there are, which a person chose, and their values in a file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet import identity, labels
from fleet.model import DEFAULT_SITE, Device, Invalid
from fleet.queries import SORTS, store_of, stores_by_site
from fleet.recorder_list import SOURCE
from web.http.actions import stills
from web.http.monitor import current_monitor
from web.http.visible_fleet import current_person, visible_fleet

PREFERENCE = "columns"
ALWAYS = ("status", "name")
"""The columns that cannot be hidden."""
Stores = Mapping[str, str]
Fields = tuple[str, ...]


def _never_empty(_device: Device, _stores: Stores) -> bool:
    return True


def _has_fact(key: str) -> Callable[[Device, Stores], bool]:
    return lambda device, _stores: labels.fact(device, key) is not None


def _has_store_beside_name(device: Device, stores: Stores) -> bool:
    """False for a recorder of the list without a name of its own: that begins with the store."""
    return bool(device.name or SOURCE not in device.facts) and bool(store_of(device, stores))


def _has_mac_or_serial(device: Device, _stores: Stores) -> bool:
    return identity.mac_of(device) is not None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list. `width` is in pixels; `fields` are those of its value in a file.

    `has_value` tells whether a device has a value in it. `rank`: of those shown without a choice
    the highest are left out first where there are too many; None for one that must be chosen.
    """

    key: str
    title: str
    width: int
    fields: Fields
    rank: int | None = None
    has_value: Callable[[Device, Stores], bool] = _never_empty


EVERY = (
    Column("status", "Status", 176, ("status", "reason", "since"), 0),
    Column("name", "Name", 0, (), 0),
    Column("still", "Still", 112, (), 5, lambda device, _stores: device.id in stills.newest()),
    Column("store", "Store", 120, ("store",), 3, _has_store_beside_name),
    Column("site", "Site", 120, ("site",), 2, lambda device, _stores: device.site != DEFAULT_SITE),
    Column(
        "address",
        "Address",
        152,
        ("current_ip", "current_port"),
        1,
        lambda device, _stores: bool(labels.address(device)),
    ),
    Column("mac", "MAC and serial", 216, ("mac_address", "serial_number"), 4, _has_mac_or_serial),
    Column("serial", "Serial", 150, ("serial_number",), 4, _has_fact("serial")),
    Column("model", "Model", 124, ("model_name",), 6, _has_fact("model")),
    Column("firmware", "Firmware", 120, ("firmware_version",), None, _has_fact("firmware")),
    Column(
        "parent",
        "Connected through",
        160,
        ("parents",),
        None,
        lambda device, _stores: bool(device.parents),
    ),
    Column("tags", "Tags", 160, ("tags",), None, lambda device, _stores: bool(device.tags)),
    Column("notes", "Notes", 180, ("notes",), None, lambda device, _stores: bool(device.notes)),
    Column("first_seen", "First seen", 130, ("first_seen",), None, _never_empty),
    Column("last_seen", "Last seen", 130, ("last_seen",), 1),
    Column("discoveries", "Scans answered", 120, ("total_discoveries",), 7, _has_mac_or_serial),
    Column("bar", "90 days", 190, (), 5, _never_empty),
)
BY_KEY = {column.key: column for column in EVERY}
ROOM = 1140
"""Pixels for all columns but the name, in a window 1440 wide."""
IDENTITY: Fields = (
    "id",
    "kind",
    "camera_name",
    "site",
    "mac_address",
    "serial_number",
    "current_ip",
)
"""The fields by which a file identifies a device, whatever the columns."""


def shown_columns() -> tuple[str, ...]:
    """The keys of the columns for the person of the request: as chosen, else by what there is."""
    chosen = chosen_columns()
    return parsed(chosen) if chosen else default_columns(visible_fleet().devices().values())


def chosen_columns() -> list[str]:
    """The keys that the person chose; empty for none."""
    person = current_person()
    value = current_monitor().preferences.of(person.user if person else None, PREFERENCE)
    return [key for key in value if isinstance(key, str)] if isinstance(value, list) else []


def choose_columns(keys: Collection[str]) -> None:
    """Save the choice of the person; nothing restores the default. Raises Invalid, Unreachable."""
    if unknown := sorted({*keys} - BY_KEY.keys()):
        raise Invalid(f"There is no column {unknown[0][:40]!r}", f"Use {', '.join(BY_KEY)}.")
    person = current_person()
    chosen = [*parsed(keys)] if keys else None
    current_monitor().preferences.save(person.user if person else None, PREFERENCE, chosen)


def parsed(keys: Collection[str]) -> tuple[str, ...]:
    """Those of the keys that there are, in the order of the table, with those shown always."""
    return tuple(key for key in BY_KEY if key in keys or key in ALWAYS)


def default_columns(devices: Collection[Device]) -> tuple[str, ...]:
    """The columns in which some device has a value, as many as have room."""
    stores = stores_by_site(devices)
    kept = [device for device in devices if device.retired_at is None]
    usual = [column for column in EVERY if column.rank is not None]
    filled = [
        column for column in usual if any(column.has_value(device, stores) for device in kept)
    ]
    keys = {column.key for column in filled} | {*ALWAYS}
    if "mac" in keys:
        keys.discard("serial")
    for column in sorted(filled, key=lambda column: column.rank or 0, reverse=True):
        if width_of(keys) <= ROOM:
            break
        keys.discard(column.key)
    return parsed(keys)


def width_of(keys: Collection[str]) -> int:
    """The width of these columns without the name, in pixels."""
    return sum(BY_KEY[key].width for key in keys)


def titles(keys: Sequence[str]) -> list[tuple[str, str, bool]]:
    """(key, title, whether the list can be sorted by it) of each column."""
    return [(key, title_of(key, keys), key in SORTS) for key in keys]


def title_of(key: str, keys: Collection[str]) -> str:
    return "MAC" if key == "mac" and "serial" in keys else BY_KEY[key].title


def file_fields(keys: Sequence[str]) -> list[str]:
    """The fields of a file with these columns: what identifies a device comes first."""
    wanted = (*IDENTITY, *(field for key in keys for field in BY_KEY[key].fields))
    return list(dict.fromkeys(wanted))


def file_row(row: Mapping[str, Any], store: str, parents: Sequence[str]) -> dict[str, Any]:
    """A row of the list with the fields of a file: parents by name, and the store."""
    return {**row, "store": store, "parents": list(parents)}
