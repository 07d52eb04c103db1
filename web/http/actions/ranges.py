"""Scan ranges of addresses and decide about what was found, in the name of the person of the
request."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

from discovery import range_scan, ranges
from discovery.build import DiscoveryPackage
from discovery.range_scan import RangeScans
from discovery.ranges import RangePlan
from discovery.refused_logins import port_of
from fleet import labels, logins
from fleet.edit import editing, ignoring, importing
from fleet.edit.importing import ListedRow, RowResult
from fleet.fleet_secrets import Seal
from fleet.model import CannotAsk, Device, Edit, Invalid, NotFound, Refused
from fleet.places import host_of
from fleet.texts import one_line
from inventory.build import InventoryPackage
from inventory.import_rows import ImportList
from inventory.range_inbox import (
    InboxEntry,
    InboxItem,
    RangeInbox,
    RangeRecord,
    at_other_sites,
    known_devices,
)
from sources import net
from web.http.actions import imports
from web.http.actions.devices import check_may_edit
from web.http.actions.imports import ImportResult
from web.http.auditing import actor_name, note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet

BATCH = "Scanned addresses"
"""The name of what is added from the inbox, in the journal."""
NO_ROUTE = (
    "This server has no route to these addresses",
    "Check the addresses, or the network settings of this server.",
)
BLOCK = 256
"""Addresses of a network that one route reaches, to name the interface."""


@dataclass(frozen=True, slots=True)
class Described:
    """A plan with what a person needs to know before it starts. `unreachable`: the number of
    addresses to which this server has no route."""

    plan: RangePlan
    interfaces: Sequence[str]
    seconds: float
    unreachable: int = 0

    @property
    def has_route(self) -> bool:
        return self.unreachable < len(self.plan.addresses)


def scans() -> RangeScans:
    return current_monitor().packages.find(DiscoveryPackage).ranges


def inbox() -> RangeInbox:
    return current_monitor().packages.find(InventoryPackage).inbox


def describe(text: str, rtsp_port: int = 554, http_port: int = 80, site: str = "") -> Described:
    """The plan of a scan: which addresses, through which interfaces, and how long. Raises
    Invalid."""
    addresses = ranges.parse(text)
    plan = RangePlan(one_line(text), addresses, rtsp_port, http_port, one_line(site))
    own = net.interfaces()
    blocks = defaultdict[int, list[str]](list)
    for address in addresses:
        blocks[int(IPv4Address(address)) // BLOCK].append(address)
    routes = [(net.interface_towards(block[0], own), len(block)) for block in blocks.values()]
    names = dict.fromkeys(route.name for route, _count in routes if route)
    unreachable = sum(count for route, count in routes if route is None)
    return Described(plan, [*names], range_scan.longest_seconds(len(addresses)), unreachable)


def start(described: Described, confirm_public: bool) -> None:
    """Begin the scan. Raises Invalid for public addresses that nobody confirmed, and HttpError
    (401, 403, 409, 503)."""
    plan = described.plan
    if plan.public and not confirm_public:
        noun = "address is" if plan.public == 1 else "addresses are"
        invalid = Invalid(
            f"{plan.public:,} {noun} on the internet",
            "Scan only addresses that belong to you, and confirm it.",
        )
        invalid.field = "confirm_public"
        raise invalid
    if not described.has_route:
        raise Invalid(*NO_ROUTE)
    visible_fleet().check("scan.start")
    try:
        is_started = scans().start(plan, actor_name())
    except CannotAsk as error:
        raise HttpError(503, error.reason, "Try again in a minute.") from None
    if not is_started:
        raise HttpError(
            409, "A range is being scanned already", "Wait for it to finish, or stop it first."
        )
    note("range.scanned", plan.text[:200], f"{len(plan.addresses):,} addresses scanned")


def last_scan() -> RangeRecord | None:
    """The scan that runs, or the newest one, also of before a restart. Raises Unreachable."""
    progress = scans().progress
    return progress.record if progress else inbox().last_scan()


def rows() -> list[InboxItem]:
    """The inbox. Raises Unreachable."""
    fleet, visible = current_monitor().tracker.fleet(), visible_fleet().devices()
    every = inbox().entries(fleet)
    known = known_devices(every, fleet)
    others = at_other_sites((e for e in every if e.id not in known), visible.values())
    ids = {id: device.id for id, device in known.items()}
    return [
        InboxItem(entry, visible.get(ids.get(entry.id, 0)), others.get(entry.id)) for entry in every
    ]


def chosen(ids: Sequence[int]) -> list[InboxEntry]:
    """The entries with these numbers. Raises Invalid for none, and NotFound."""
    if not ids:
        raise Invalid("No addresses are selected", "Select addresses by their checkboxes first.")
    wanted = {*ids}
    fleet = current_monitor().tracker.fleet()
    matches = [entry for entry in inbox().entries(fleet) if entry.id in wanted]
    if not matches:
        raise NotFound("These addresses are no longer in the inbox", "Reload the page.")
    return matches


@dataclass(frozen=True, slots=True)
class NewValues:
    """What all devices get that are added at once: a site in place of the one of the scan, tags,
    the number of a parent device, and the path of the stream, where only RTSP responded."""

    site: str = ""
    tags: Sequence[str] = ()
    parent: int | None = None
    path: str = ""

    def of_device(self) -> dict[str, Any]:
        """The values of each device. Raises NotFound for a parent that this person cannot see."""
        values: dict[str, Any] = {"tags": [*self.tags]} if self.tags else {}
        if self.parent is not None:
            values["parents"] = [visible_fleet().device(str(self.parent)).id]
        return values


def add(
    some: Sequence[InboxEntry],
    username: str = "",
    password: str | None = None,
    credentials: str = "",
    new: NewValues = NewValues(),
) -> ImportResult:
    """Add the devices with one login for all, in one write; each has its result. Those that are
    in the fleet then leave the inbox. A known device keeps its site, tags and parent. Raises
    Refused, HttpError, CannotKeep and Unreachable."""
    login, known = (username, password, credentials), _known(some)
    given = (one_line(new.site), new.of_device(), new.path)
    rows = [
        (entry.row(*login) if entry.id in known else entry.row(*login, *given), "")
        for entry in some
    ]
    titled = {entry.id: entry.title for entry in some}
    cells = {entry.id: {"address": entry.address} for entry in some}
    preview = imports.preview(ImportList(rows, (), (), cells), BATCH)
    result = imports.save(preview.key)
    done = [row.number for row in result.results if row.state != importing.REFUSED]
    inbox().remove(done)
    named = {
        row.number: replace(row, name=row.name or titled[row.number]) for row in result.results
    }
    return replace(result, results=[named[entry.id] for entry in some])


@dataclass(frozen=True, slots=True)
class Ignored:
    """The number of addresses, and the numbers of the events that undo it."""

    count: int
    undo: Sequence[int]


def ignore(some: Sequence[InboxEntry]) -> Ignored:
    """Ignore these for ever: by identity, else by site and address. They stay in the inbox, hidden
    as long as they are ignored. Raises Refused."""
    monitor, by = current_monitor(), actor_name()
    now = monitor.clock()
    edits = [
        Edit("ignore", entry.ignore_key, {"site": entry.site, "text": _text(entry)}, by, now)
        for entry in some
    ]
    refused: dict[int, Refused | HttpError] = {}
    judge = visible_fleet().judge("device.add")
    events = monitor.tracker.apply(edits, monitor.clock(), judge, refused)
    for event in events:
        note(event.kind, f"camera {event.device}" if event.device else "fleet", event.text)
    if refused and len(refused) == len(edits):
        raise next(iter(refused.values()))
    undo = [event.sequence for event in events if editing.can_undo(event)]
    return Ignored(len(edits) - len(refused), undo)


def _text(entry: InboxEntry) -> str:
    """What the list of ignored devices calls it."""
    return " ".join(filter(None, (entry.address, entry.title)))[: ignoring.MAX_REASON]


def link(
    some: Sequence[InboxEntry],
    number: int | None = None,
    username: str = "",
    password: str | None = None,
) -> ImportResult:
    """Say that addresses are those of known devices, in one write: the devices are checked there
    too. Without a number each address is linked to the device that the inbox names beside it.
    Raises Refused and HttpError."""
    if number is not None and len(some) != 1:
        raise Invalid(
            "Several addresses and one device are selected",
            "Select one address, or no device to link each address to the one beside it.",
        )
    monitor, known, results = current_monitor(), _known(some), dict[int, RowResult]()
    refused, edits = dict[int, Refused | HttpError](), dict[int, Edit]()
    with monitor.secrets.sealing() as seal:
        for entry in some:
            try:
                device = _same_device(entry, known.get(entry.id), number)
                edit = _link_edit(entry, device, username, password, seal)
                if edit is None:
                    results[entry.id] = RowResult(
                        entry.id, importing.UNCHANGED, entry.address, entry.title, ""
                    )
                    continue
                _check_alone(edit, edits)
                edits[entry.id] = edit
                text = f"linked to {labels.name(device)}"
                results[entry.id] = RowResult(
                    entry.id, importing.CHANGED, entry.address, entry.title, text
                )
            except Refused as error:
                if len(some) == 1:
                    raise
                results[entry.id] = _refused(entry, error)
        judge = visible_fleet().judge("device.add")
        given = [*edits.values()]
        events = monitor.tracker.apply(given, monitor.clock(), judge, refused) if given else []
    places, entries_by_id = [*edits], {entry.id: entry for entry in some}
    for place, problem in refused.items():
        results[places[place]] = _refused(entries_by_id[places[place]], problem)
    if len(some) == 1 and refused:
        raise refused[0]
    for event in events:
        note(event.kind, f"camera {event.device}", event.text)
    inbox().remove([id for id, row in results.items() if row.state != importing.REFUSED])
    undo = [event.sequence for event in events if editing.can_undo(event)]
    return ImportResult(BATCH, [results[entry.id] for entry in some], undo, "", "")


def _known(some: Sequence[InboxEntry]) -> dict[int, Device]:
    return known_devices(some, current_monitor().tracker.fleet())


def _same_device(entry: InboxEntry, known: Device | None, number: int | None) -> Device:
    """The device that a person chose, or the one that is known there. Raises Refused and
    HttpError."""
    if number is None:
        if known is None:
            raise Refused(
                f"No known device has the address {entry.address}",
                "Select this address alone, and the device that it belongs to.",
            )
        number = known.id
    device = visible_fleet().device(str(number))
    check_may_edit(device)
    return device


def _link_edit(
    entry: InboxEntry, device: Device, username: str, password: str | None, seal: Seal
) -> Edit | None:
    """The edit that has the device checked at the address as well: without a login of its own, with
    the one that is saved for this address. None where it is checked so already. Raises Invalid."""
    row = entry.row(username, password)
    if username:
        login: dict[str, Any] = {"secret": seal(password)} if password else {}
    else:
        lender = logins.lender_for(device, row.source, row.access.get("host"))
        login = {"login_of": lender} if lender else {}
    given = _new_fields(row, device)
    if not given and not login and row.source in device.access:
        return None
    fields = {**given, "source": row.source, **login}
    return Edit("link", f"id:{device.id}", fields, actor_name(), current_monitor().clock())


def _new_fields(row: ListedRow, device: Device) -> dict[str, Any]:
    """The fields of the row that the access does not have: one that follows the device to this
    address is at the same place, so it keeps its password."""
    known, fields = device.access.get(row.source), dict(row.access)
    if known is None or host_of(device, row.source) != fields["host"]:
        return fields
    options = {**known.options, **fields.get("options", {})}
    given = replace(known, port=fields.get("port"), options=options)
    if port_of(row.source, known) != port_of(row.source, given):
        return fields
    place = ("host", "port", "path", "options")
    return {name: value for name, value in fields.items() if name not in place}


def _check_alone(edit: Edit, edits: Mapping[int, Edit]) -> None:
    """Raise Refused when another address is linked to the same device: it is checked at one."""
    for other in edits.values():
        if (other.identity, other.fields["source"]) == (edit.identity, edit.fields["source"]):
            raise Refused(
                "Another selected address belongs to the same device",
                "A device is checked at one address by each protocol. Link one of the two.",
            )


def _refused(entry: InboxEntry, error: Refused | HttpError) -> RowResult:
    return RowResult(
        entry.id, importing.REFUSED, entry.address, entry.title, error.error, error.hint
    )
