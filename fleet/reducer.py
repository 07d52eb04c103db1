"""Reduce reports to a fleet: one immutable fleet in, a draft, a new fleet out. Pure.

Each kind of report has a file of its own: sightings, misses, findings, edits. Here they are
dispatched, and last, when all facts are in, the statuses that changed are told.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from fleet import clock, labels, state, status
from fleet.edit import edits
from fleet.model import (
    Activity,
    AutoScan,
    ClockStep,
    Device,
    Edit,
    Event,
    Facts,
    Finding,
    Fleet,
    LastScan,
    Miss,
    PendingSerials,
    Report,
    ResealedSecrets,
    Sighting,
    SourceDown,
    SpentLogins,
    TakenWorkbook,
)
from fleet.reduce import (
    capacity,
    disputes,
    findings,
    ignore_list,
    login_budgets,
    misses,
    removal,
    sightings,
)
from fleet.reduce.draft import Draft


def reduce(
    fleet: Fleet, reports: Iterable[Report], now: datetime, rules: status.Rules
) -> tuple[Fleet, list[Event]]:
    """The fleet after `reports`, and what is worth telling. Without reports, time passes.

    Raises Refused when an edit cannot be done; then nothing of the reports is done.
    """
    draft = Draft(fleet, rules, now)
    touched: dict[int, None] = {}
    empty = True
    for report in reports:
        empty = False
        device = _take(draft, report)
        if device is not None:
            touched[device.id] = None
    if empty:
        capacity.note_room(draft)
        disputes.forget_old(draft)
    removal.forget_removed(draft)
    # Last, when all facts are in, and parents first: who dies with its parent is unreachable.
    ids = [id for id in (list(draft.devices) if empty else touched) if id in draft.devices]
    for id in sorted(ids, key=lambda id: bool(draft.devices[id].parents)):
        _tell_status(draft, draft.devices[id])
    _tell_children(draft)
    return draft.freeze(), draft.events


def _take(draft: Draft, report: Report) -> Device | None:
    if ignore_list.is_ignored_report(draft, report):
        return None
    match report:
        case Sighting():
            return sightings.apply(draft, report)
        case Miss():
            return misses.apply(draft, report)
        case Finding():
            return findings.apply(draft, report)
        case SourceDown():
            misses.apply_source_down(draft, report)
            return None
        case SpentLogins():
            login_budgets.keep_spent(draft, report)
            return None
        case ClockStep():
            clock.apply_step(draft, report)
            return None
        case Activity():
            _tell_activity(draft, report)
            return None
        case Edit():
            return _take_edit(draft, report)
        case ResealedSecrets(secrets):
            draft.reseal(secrets)
            return None
        case AutoScan() | LastScan() | PendingSerials() | TakenWorkbook():
            draft.state = state.with_fact(draft.state, report)
            draft.is_changed = True
            return None


def _take_edit(draft: Draft, edit: Edit) -> Device | None:
    device = edits.apply(draft, edit)
    if device is None or device.id not in draft.devices:
        return device
    login_budgets.renew_changed(draft, draft.devices[device.id])
    return draft.devices[device.id]


def _tell_activity(draft: Draft, activity: Activity) -> None:
    id = draft.fleet.redirects.get(activity.device, activity.device)
    if device := draft.devices.get(id):
        text = f"{labels.name(device)}: {activity.text}"
        draft.add_event(activity.kind, device, text, after=activity.after)


def _tell_status(draft: Draft, device: Device) -> None:
    """The event of a changed status. A new address was told as `device.moved` already."""
    if device.retired_at is not None:
        return
    new = status.status(device, draft.devices, draft.now, draft.rules)
    if new == device.status:
        return
    draft.put(replace(device, status=new, since=draft.now))
    if new == status.IP_CHANGED and device.status in status.UP:
        return
    kind, text = labels.status_event(device, new)
    before: Facts = {"status": device.status}
    if device.status in status.DOWN:
        ended = draft.fleet.devices.get(device.id, device)
        before = status.evidence(ended, device.status)
        before = {**before, "since": device.since.isoformat() if device.since else None}
    draft.add_event(kind, device, text, before, status.evidence(device, new))


def _tell_children(draft: Draft) -> None:
    """A device that went down or came up changes what all those behind it are called."""
    behind = {event.device for event in draft.events if event.device}
    waiting = list(behind)
    while waiting:
        id = waiting.pop()
        new = {child.id for child in draft.referring_to(id) if id in child.parents} - behind
        behind |= new
        waiting += new
    for id in sorted(behind):
        device = draft.devices.get(id)
        if device is not None and device.parents:
            _tell_status(draft, device)
