"""Rows of a list that a person imports: what each would change, asked without writing. Pure.

A row names a device by its MAC, or by its site and the place that is asked. A row with an address
alone also means the only device that has this address at the site. An empty cell changes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from fleet import identity, labels, logins
from fleet.edit import edits as edit_rules
from fleet.edit import import_events
from fleet.model import DEFAULT_SITE, Access, Device, Edit, Event, Fleet, Invalid, Refused
from fleet.places import access_key
from fleet.reduce.draft import Draft
from fleet.status import Rules

NEW, CHANGED, UNCHANGED, REFUSED = "new", "changed", "unchanged", "refused"
STATES = (NEW, CHANGED, UNCHANGED, REFUSED)

HasPassword = Callable[[Device, str, str], bool]
"""True if the access of this source to the device has this password."""
Seal = Callable[[str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A row of an imported list whose values fit.

    `access` has the fields of the access but for the password; `values` those of the device.
    `place` is the address or URL to show. `is_address`: it names no path. `key`: an identity of
    the device. `has_site`: the row names its site, so a known device moves there. `facts`: what a
    new device says of itself.
    """

    number: int
    source: str
    site: str
    place: str
    access: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    password: str = field(default="", repr=False)
    is_address: bool = False
    key: str = ""
    has_site: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a row does: one of STATES, in words, and the edits that do it. `hint`: what to do about
    a refused one. `depth`: how many rows of the list must be applied before, each the parent of the
    next."""

    number: int
    state: str
    place: str
    name: str
    text: str
    hint: str = ""
    edits: Sequence[Edit] = field(default=(), repr=False)
    depth: int = 0


def refused_row(number: int, place: str, name: str, error: Refused) -> RowResult:
    """The result of a row that cannot be saved."""
    return RowResult(number, REFUSED, place, name, error.error, error.hint)


def known_device(fleet: Fleet, row: ListedRow) -> Device | None:
    """The device that the row means."""
    if row.key and (proved := fleet.index.get(identity.index_key(row.key, row.site))):
        return fleet.devices.get(proved)
    access = Access(row.access.get("host"), row.access.get("port"), _path(row))
    key = access_key(row.source, access)
    if key is None:
        return None
    place = identity.index_key(key, row.site)
    id = fleet.index.get(place) or next(iter(fleet.references.get(place, ())), None)
    if id is not None:
        return fleet.devices.get(id)
    device = _only_device_at(fleet, row) if row.is_address else None
    return device or _same_without_site(fleet, row)


def _same_without_site(fleet: Fleet, row: ListedRow) -> Device | None:
    """The device at this place that has no site yet and the name of the row: the list gives it its
    site. Equal addresses alone do not say so: many sites have the same."""
    name = str(row.values.get("name") or "").casefold()
    if not (row.has_site and name) or row.site == DEFAULT_SITE:
        return None
    device = known_device(fleet, replace(row, site=DEFAULT_SITE, has_site=False))
    return device if device and (device.name or "").casefold() == name else None


def _path(row: ListedRow) -> str:
    return str(row.access.get("path") or "")


def _only_device_at(fleet: Fleet, row: ListedRow) -> Device | None:
    host = row.access["host"]
    place = identity.index_key(f"{identity.ADDRESS}{host}", row.site)
    devices = [fleet.devices[id] for id in fleet.references.get(place, ())]
    matches = [device for device in devices if device.address == host]
    return matches[0] if len(matches) == 1 else None


def edits_of(
    fleet: Fleet, row: ListedRow, has_password: HasPassword, seal: Seal, by: str, at: datetime
) -> list[Edit]:
    """The edits that make the device as the row says: of a new one, or what differs of a known
    one. Raises Invalid."""
    device = known_device(fleet, row)
    is_new = device is None or device.retired_at is not None
    _check_username(row, None if is_new or device is None else device.access.get(row.source))
    if device is None or is_new:
        secret = {"secret": seal(row.password)} if row.password else {}
        kind = {"kind": row.kind} if row.kind else {}
        proved = {"key": row.key} if row.key else {}
        own = {"facts": row.facts} if row.facts else {}
        given = {**row.access, **row.values, **kind, **secret, **proved, **own}
        return [Edit("add", "", {**given, "source": row.source, "site": row.site}, by, at)]
    if row.has_site and device.site != row.site:
        row = replace(row, values={**row.values, "site": row.site})
    key, has_access = f"id:{device.id}", row.source in device.access
    fields = _access_fields(row, device, has_access)
    if row.password:
        is_known = has_access and not _is_moved(row, device)
        if not (is_known and has_password(device, row.source, row.password)):
            fields["secret"] = seal(row.password)
    if not has_access:
        link = [Edit("link", key, {**fields, "source": row.source}, by, at)] if fields else []
        return [*link, *([Edit("change", key, row.values, by, at)] if row.values else [])]
    source = {"source": row.source} if fields else {}
    return [Edit("change", key, {**row.values, **fields, **source}, by, at)]


def replaces_login(fleet: Fleet, row: ListedRow) -> bool:
    """True if the row has a password for a connection that stays where it is and may have one. A
    preview says the same whether it is the saved password or not."""
    device = known_device(fleet, row) if row.password else None
    if device is None or device.retired_at is not None:
        return False
    return row.source in device.access and not _is_moved(row, device)


def _is_moved(row: ListedRow, device: Device) -> bool:
    """True if the row gives the connection another port, to which no saved password goes."""
    known = device.access[row.source].port
    return bool(row.access.get("port", known) != known)


def without_password(edits: Sequence[Edit]) -> list[Edit]:
    """The edits as they would be if the row had no password."""
    return [
        replace(
            edit, fields={name: value for name, value in edit.fields.items() if name != "secret"}
        )
        for edit in edits
    ]


def with_login_given(result: RowResult, source: str, is_other: bool) -> tuple[RowResult, RowResult]:
    """The result of a row with a password: as a preview shows it, and as it is. `is_other`: the
    saved password is another one."""
    if result.state == REFUSED:
        return result, result
    shown = replace(result, state=CHANGED, text=_joined(result.text, "login given"))
    if not is_other:
        return shown, result
    text = _joined(result.text, f"password for {labels.protocol(source)} changed")
    return shown, replace(result, state=CHANGED, text=text)


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _check_username(row: ListedRow, known: Access | None) -> None:
    """Raise Invalid for a password that would log in as nobody: neither the row nor the device has
    a user name."""
    has_name = row.access.get("username") or (known is not None and known.username)
    if row.password and not has_name:
        raise Invalid("The user name is missing", "Enter the user name of the password.")


def _access_fields(row: ListedRow, device: Device, has_access: bool) -> dict[str, Any]:
    """The fields of the access that the row gives; the device keeps its address."""
    fields = {key: value for key, value in row.access.items() if key != "host"}
    if has_access and "options" in fields:
        fields["options"] = {**device.access[row.source].options, **fields["options"]}
    if fields.get("credentials"):
        access = device.access.get(row.source)
        options = {**(access.options if access else {}), **fields.get("options", {})}
        chosen = logins.choice_of(fields["credentials"], Access(options=options))
        fields |= chosen if has_access else {"credentials": fields["credentials"]}
    return fields


class Rehearsal:
    """Tries the edits of rows one after the other on a draft that nothing keeps: a row is judged
    after all rows before it, by the rules of the fleet."""

    def __init__(self, fleet: Fleet, rules: Rules, now: datetime) -> None:
        self._draft = Draft(fleet, rules, now)

    def result(self, row: ListedRow, edits: Sequence[Edit]) -> RowResult:
        """What the row would do."""
        before, name = len(self._draft.events), str(row.values.get("name") or "")
        try:
            for edit in edits:
                edit_rules.apply(self._draft, edit)
        except Refused as error:
            return refused_row(row.number, row.place, name, error)
        events = self._draft.events[before:]
        if not events:
            return RowResult(row.number, UNCHANGED, row.place, name, "")
        if events[0].kind == "device.added":
            return RowResult(row.number, NEW, row.place, name, "", edits=edits)
        texts = [_without_author(event, edits[0].by) for event in events]
        return RowResult(row.number, CHANGED, row.place, name, "; ".join(texts), edits=edits)


def _without_author(event: Event, by: str) -> str:
    return event.text.removesuffix(labels.author(by)).rstrip(", ")


def counts(results: Collection[RowResult]) -> dict[str, int]:
    """How many rows are in each of STATES."""
    return {state: sum(result.state == state for result in results) for state in STATES}


def in_order(results: Iterable[RowResult]) -> list[RowResult]:
    """The rows in the order in which they are applied: parents first."""
    return sorted(results, key=lambda result: (result.depth, result.number))


def batch(results: Sequence[RowResult], name: str, by: str, now: datetime) -> list[Edit]:
    """The edits of all rows that change something, and the one that ends them."""
    rows = [replace(edit, at=now) for result in in_order(results) for edit in result.edits]
    return [*rows, Edit(import_events.EDIT, "", {"name": name}, by, now)] if rows else []
