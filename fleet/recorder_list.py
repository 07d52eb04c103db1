"""The list of recorders: its rows become devices, and what leaves it is retired. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet import identity
from fleet.model import Device, Edit, Sighting
from fleet.secret_columns import masked, shown

SOURCE = "workbook"
"""The source name under which a device has the facts of its row."""
KEYS = ("row_site", "serial", "store")
"""The keys of site, serial and store in these facts."""


@dataclass(frozen=True, slots=True)
class RecorderRow:
    """One recorder of the list: its site identifies it, the serial is a fact of it. `extra` are the
    other columns, `number` its row in the sheet, from 1; 0 where it is not from a sheet."""

    site: str
    serial: str
    store: str
    extra: Mapping[str, str] = field(default_factory=dict)
    number: int = 0

    @property
    def key(self) -> str:
        return f"{identity.ROW}{self.site}"

    def facts(self) -> dict[str, Any]:
        name = f"{self.store}, {self.site}" if self.store else self.site
        facts: dict[str, Any] = {"serial": self.serial, "name": name}
        facts |= {"row_site": self.site, "store": self.store}
        return {**facts, "columns": masked(self.extra)} if self.extra else facts


def edits(
    rows: Iterable[RecorderRow], devices: Mapping[int, Device], by: str, at: datetime
) -> list[Edit]:
    """The edits that make the fleet agree with the list."""
    listed = {key: device for device in devices.values() if (key := key_of(device)) is not None}
    changes = []
    wanted = set()
    for row in rows:
        wanted.add(row.key)
        device = listed.get(row.key)
        facts = row.facts()
        if device is None or device.facts.get(SOURCE) != facts or device.retired_at:
            fields = {"kind": "recorder", "site": row.site, "source": SOURCE, "facts": facts}
            changes.append(Edit("list", row.key, fields, by, at))
    for key, device in listed.items():
        if key not in wanted and device.retired_at is None:
            changes.append(Edit("retire", f"id:{device.id}", {"source": SOURCE}, by, at))
    return changes


def key_of(device: Device) -> str | None:
    """The key of the device's row; None for a discovered device."""
    return identity.row_key(device)


def serial_of(device: Device) -> str | None:
    """The serial that the list gives it."""
    serial = device.facts.get(SOURCE, {}).get("serial")
    return str(serial) if serial else None


def recorder_row(device: Device) -> RecorderRow:
    """The row as the device has it, without the columns that are secret."""
    facts = device.facts.get(SOURCE, {})
    site, serial, store = (str(facts.get(key) or "") for key in KEYS)
    return RecorderRow(site, serial, store, shown(facts.get("columns", {})))


def is_in_list(device: Device) -> bool:
    """True if the device is in the list now."""
    return key_of(device) is not None and device.retired_at is None


def rows(devices: Mapping[int, Device]) -> list[RecorderRow]:
    """The rows as the fleet has them."""
    return [recorder_row(device) for device in devices.values() if is_in_list(device)]


def is_outdated(device: Device, sighting: Sighting) -> bool:
    """The sighting was under way when its row left the list, or got another serial."""
    if key_of(device) not in sighting.identities:
        return False
    return device.retired_at is not None or sighting.serial not in (None, serial_of(device))
