"""Parents that rows of an imported list name: known devices, or other rows. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fleet import identity, labels
from fleet.edit import importing
from fleet.edit.importing import ListedRow
from fleet.model import Access, Device, Fleet, Invalid
from fleet.places import access_key

Listed = tuple[ListedRow, str]
"""A row, and the text that names its parent; empty for none."""


@dataclass(frozen=True, slots=True)
class RowWithParent:
    """A row with its parent in its values; `after` is the number of the row that adds the parent, 0
    for a known one; `depth` how many rows are before it in this way. `error`: why the parent cannot
    be used."""

    row: ListedRow
    after: int = 0
    depth: int = 0
    error: Invalid | None = field(default=None, compare=False)

    def check(self, failed: Collection[int]) -> None:
        """Raise Invalid when the parent cannot be used. `failed`: the rows that are refused."""
        if self.error is not None:
            raise self.error
        if self.after in failed:
            raise Invalid(
                f"Row {self.after}, its parent device, is refused", "Correct that row first."
            )


def resolved(
    rows: Sequence[Listed], fleet: Fleet, devices: Mapping[int, Device]
) -> list[RowWithParent]:
    """The rows with their parents, each after the row of its parent. `devices` are those that a
    row can name: by name, address or MAC."""
    if not any(text for _row, text in rows):
        return [RowWithParent(row) for row, _text in rows]
    known, listed = _ids_by_name(devices.values()), _rows_by_name(row for row, _text in rows)
    every = [_resolved(row, text, known, listed, fleet) for row, text in rows]
    return _in_order(every)


def _resolved(
    row: ListedRow,
    text: str,
    known: Mapping[str, Collection[int]],
    listed: Mapping[str, Sequence[ListedRow]],
    fleet: Fleet,
) -> RowWithParent:
    if not text:
        return RowWithParent(row)
    name = _name(text)
    ids, rows = known.get(name, ()), [other for other in listed.get(name, ()) if other is not row]
    if not ids and len(rows) == 1:
        return _with_listed_parent(row, rows[0], fleet)
    if len(ids) == 1:
        return RowWithParent(replace(row, values={**row.values, "parent": next(iter(ids))}))
    number = len(ids) or len(rows)
    if number:
        error = Invalid(f"{number} devices have the name {text[:60]}", "Enter its address or MAC.")
    else:
        error = Invalid(
            f"No device is called {text[:60]}", "Add a row for the parent device to this list."
        )
    return RowWithParent(row, error=error)


def _with_listed_parent(row: ListedRow, parent: ListedRow, fleet: Fleet) -> RowWithParent:
    device = importing.known_device(fleet, parent)
    if device is not None and device.retired_at is None:
        return RowWithParent(replace(row, values={**row.values, "parent": device.id}))
    access = Access(
        parent.access.get("host"), parent.access.get("port"), str(parent.access.get("path") or "")
    )
    key = parent.key or access_key(parent.source, access)
    place = {"parent_key": key, "parent_site": parent.site}
    return RowWithParent(replace(row, values={**row.values, **place}), parent.number)


def _in_order(rows: Sequence[RowWithParent]) -> list[RowWithParent]:
    """Each row after the one that adds its parent; rows in a circle get an error."""
    ordered, waiting, done = list[RowWithParent](), [*rows], {0}
    for depth in range(len(rows)):
        ready = [row for row in waiting if row.after in done]
        if not waiting:
            break
        if not ready:
            error = Invalid("The row is its own parent through other rows", "Correct one of them.")
            return ordered + [replace(row, error=error) for row in waiting]
        ordered += [replace(row, depth=depth) for row in ready]
        done |= {row.row.number for row in ready}
        waiting = [row for row in waiting if row.row.number not in done]
    return ordered


def _name(text: str) -> str:
    return identity.mac(text) or text.casefold()


def _ids_by_name(devices: Iterable[Device]) -> dict[str, set[int]]:
    ids = dict[str, set[int]]()
    for device in devices:
        if device.retired_at is None:
            hosts = (access.host for access in device.access.values())
            names = {labels.name(device).casefold(), device.address, *hosts}
            for name in (names | identity.macs_of(device)) - {None}:
                ids.setdefault(str(name), set()).add(device.id)
    return ids


def _rows_by_name(rows: Iterable[ListedRow]) -> dict[str, list[ListedRow]]:
    names = dict[str, list[ListedRow]]()
    for row in rows:
        own = {str(row.values.get("name") or "").casefold(), str(row.access["host"])}
        own.add(row.key.removeprefix(identity.MAC))
        for name in own - {""}:
            names.setdefault(name, []).append(row)
    return names
