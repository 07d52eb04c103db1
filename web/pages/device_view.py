"""The values that the details of one device show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from flask import request

from fleet import identity, labels, recorder_list, shapes
from fleet.channels import causes, is_channel
from fleet.history.uptime import KINDS as STATUS_KINDS
from fleet.history.uptime import Uptime
from fleet.kinds import CHOICES, shown_as
from fleet.model import Device, Event, Fault
from fleet.natural_order import natural_key
from fleet.recorder_list import SOURCE as LIST
from fleet.shapes import FindingRow
from store.sql import Unreachable
from video.build import VideoPackage
from video.recorded import MANUAL, Recording
from web.http import live_views, remedies
from web.http.monitor import Monitor
from web.http.visible_fleet import can, visible_fleet
from web.pages import event_groups, health_view, still_view
from web.pages.connection_view import connections
from web.pages.filter_titles import value_title
from web.pages.fleet_view import links, page_query, position
from web.pages.link_charts import link_charts
from web.pages.outages import parent_outage
from web.pages.recording_form import recording_form
from web.pages.schedules import of_device
from web.pages.uptime_bars import bar
from web.pages.uptime_days import days_of, outages
from web.pages.web_address import web_page

EVENTS_PER_PAGE = 20
MAX_STATUS_EVENTS = 1000
"""Changes of status whose reasons the uptime bar knows."""


@dataclass(frozen=True, slots=True)
class EventList:
    """A page of events. `chosen` is the group that filters them, `older` the number before which
    the next page begins, `before` that of this one."""

    events: Sequence[Event]
    chosen: str
    older: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as the details of its recorder list it. `findings`: how many it has."""

    id: int
    name: str
    status: str
    codec: str
    findings: int


@dataclass(frozen=True, slots=True)
class LiveStream:
    """The live view. `has_sub`: there is a sub stream, which is shown; `recorded`: the recordings
    that run; `is_by_hand`: one of them was started by hand; `trouble`: why nothing arrives that
    they could record, or empty."""

    has_sub: bool
    recorded: tuple[Recording, ...] = ()
    is_by_hand: bool = False
    may_record: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class WorkbookRow:
    """The row of a recorder whose serial this person can correct. `number` is its row in the
    sheet, from 1; None while the file lacks it."""

    file: str
    number: int | None
    site: str
    serial: str


def detail(monitor: Monitor, key: str) -> dict[str, Any]:
    """One device, by number or MAC, with all that is known of it. Raises NotFound."""
    device, devices, statuses = visible_fleet().device_with_statuses(key)
    row = shapes.detail(device, statuses[device.id], monitor.clock(), monitor.rules(), devices)
    parents = [devices[id] for id in device.parents if id in devices]
    return {
        "row": row,
        "kind_word": shown_as(device.kind),
        "kind_choices": _kinds(device),
        "recording_form": recording_form(device),
        "may_set_recording": visible_fleet().may("recording.control", device),
        "store": device.facts.get(LIST, {}).get("store"),
        "is_listed": any(key.startswith("row:") for key in row["identities"]),
        "identity_titles": {key: labels.identity_title(key) for key in row["identities"]},
        "workbook_row": workbook_row(monitor, device),
        "web_page": web_page(device),
        "events": device_events(device),
        "event_groups": event_groups,
        "source_titles": {source: value_title("source", source) for source in row["facts"]},
        "connections": connections(
            device,
            devices,
            monitor.tracker.fleet().credentials,
            visible_fleet().may("device.edit", device),
        ),
        "live": _live(device),
        "stills": still_view.of_device(device),
        "health": health_view.of_device(device),
        "scheduled": of_device(device) if live_views.is_watchable(device) else None,
        "channels": _channels(device, devices, statuses),
        "findings": _findings(device, row["findings"], devices),
        "uptime": _uptime(monitor, device),
        "link_charts": link_charts(device) if visible_fleet().may("recording.view", device) else [],
        "may_check": visible_fleet().may("device.poll", device),
        "may_edit": visible_fleet().may("device.edit", device),
        "behind": parent_outage(device, devices, statuses),
        "parents": [(parent.id, labels.name_among(parent, devices)) for parent in parents],
        # It takes a look at the whole list, and is needed only to bring its row into view.
        "position": None if "renewed" in request.args else position(page_query(), device),
        "remedies": remedies,
        "link": links(),
    }


def _live(device: Device) -> LiveStream | None:
    """The stream that the details show; None for a device that has none, and for a person who may
    not watch it."""
    if (
        not live_views.is_watchable(device)
        or device.retired_at is not None
        or not visible_fleet().may("video.view", device)
    ):
        return None
    recorder = visible_fleet().monitor.packages.find(VideoPackage).recorder
    own = [each for each in recorder.running() if each.device == device.id]
    return LiveStream(
        live_views.has_sub(device),
        tuple(own),
        any(recording.kind == MANUAL for recording in own),
        visible_fleet().may("recording.control", device),
        recorder.trouble(device.id),
    )


def _kinds(device: Device) -> list[str]:
    """The kinds that a person can choose for it; none for one whose kind follows from its row in
    the workbook or from its recorder."""
    if recorder_list.is_in_list(device) or is_channel(device):
        return []
    return list(dict.fromkeys((*CHOICES, device.kind)))


def _channels(
    device: Device, devices: Mapping[int, Device], statuses: Mapping[int, str]
) -> list[Channel]:
    """The channels that the device serves, in the natural order of their names."""
    served = [
        other
        for other in devices.values()
        if other.parents[:1] == (device.id,) and is_channel(other) and other.retired_at is None
    ]
    served.sort(key=lambda other: natural_key(labels.name(other)))
    return [
        Channel(
            other.id,
            labels.name(other),
            statuses[other.id],
            str(labels.fact(other, "codec") or ""),
            len(causes(other.findings)),
        )
        for other in served
    ]


def _findings(
    device: Device, rows: Sequence[FindingRow], devices: Mapping[int, Device]
) -> list[tuple[FindingRow, list[tuple[int, str]]]]:
    """Each finding with the other devices that it is about. What several sources report in the same
    words is one finding, since the first of them."""
    first = dict[tuple[str, str], tuple[FindingRow, list[tuple[int, str]]]]()
    for row, fault in zip(rows, device.findings, strict=True):
        if fault not in causes(device.findings):
            continue
        shown = (row, _other_devices(device, fault, devices))
        earlier = first.setdefault((row["kind"], row["text"]), shown)
        if row["since"] < earlier[0]["since"]:
            first[row["kind"], row["text"]] = shown
    return list(first.values())


def _other_devices(
    device: Device, fault: Fault, devices: Mapping[int, Device]
) -> list[tuple[int, str]]:
    """(number, name) of the other devices that a finding is about, as far as they are visible."""
    others, addresses = (fault.evidence.get(key) or () for key in ("others", "addresses"))
    named = {text for text in (*others, *addresses) if text != device.address}
    if not named:
        return []
    return [
        (other.id, labels.name_among(other, devices))
        for other in devices.values()
        if other.id != device.id
        and other.retired_at is None
        and not named.isdisjoint((identity.mac_of(other), other.address))
    ]


def workbook_row(monitor: Monitor, device: Device) -> WorkbookRow | None:
    """The row of the device in the workbook; None for one that has none, and for a person who may
    not change it."""
    if not (recorder_list.is_in_list(device) and can("workbook.edit")):
        return None
    books, row = monitor.workbooks, recorder_list.recorder_row(device)
    return WorkbookRow(books.path.name, books.row_number(row.site), row.site, row.serial)


def device_events(device: Device) -> EventList:
    """The events of a device that the URL asks for: `events` is the group, `before` a number."""
    chosen = request.args.get("events", "")
    chosen = chosen if chosen in event_groups.KINDS else ""
    text = request.args.get("before", "")
    before = int(text) if text.isdecimal() and 0 < len(text) < 19 and int(text) else None
    try:
        events = visible_fleet().events(
            device=device.id,
            kinds=event_groups.chosen_kinds(chosen),
            before=before,
            limit=EVENTS_PER_PAGE + 1,
        )
    except Unreachable:
        events = []
    shown = events[:EVENTS_PER_PAGE]
    older = shown[-1].sequence if len(events) > EVENTS_PER_PAGE else None
    return EventList(shown, chosen, older, before)


def _uptime(monitor: Monitor, device: Device) -> dict[str, Any] | None:
    """The uptime bar and its days in words; None while the journal cannot be read."""
    try:
        uptime = monitor.journal.uptimes([device], monitor.clock())[device.id]
        days = days_of(uptime, _outages(device, uptime))
        return {"bar": bar(uptime), "days": days, "since": _measured_since(device, uptime)}
    except Unreachable:
        return None


def _measured_since(device: Device, uptime: Uptime) -> datetime | None:
    """The time from which on the share of a device counts that is not known for all the days."""
    first = device.first_seen
    return first if first and first.astimezone().date() > uptime.first else None


def _outages(device: Device, uptime: Uptime) -> Any:
    """The outages of the days of the bar. Raises store.sql.Unreachable."""
    begin = datetime.combine(uptime.first, time()).astimezone()
    wanted: dict[str, Any] = {"device": device.id, "kinds": STATUS_KINDS}
    events = visible_fleet().events(since=begin, limit=MAX_STATUS_EVENTS, **wanted)
    oldest = {"before": events[-1].sequence} if events else {"until": begin}
    before = visible_fleet().events(limit=1, **wanted, **oldest)
    return outages(before[0] if before else None, reversed(events))
