"""How reports change a fleet: one immutable fleet in, a draft, a new fleet out. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import (
    addresses,
    capacity,
    cleaning,
    clock,
    editing,
    facts,
    identity,
    labels,
    list_entries,
    merging,
    removal,
    status,
    validation,
)
from fleet.draft import Draft
from fleet.model import (
    DEFAULT_SITE,
    AddressChange,
    ClockStep,
    Device,
    Edit,
    Event,
    Fault,
    Finding,
    Fleet,
    Miss,
    Refused,
    Report,
    Sighting,
    SourceDown,
    SourceState,
)

MAX_DEVICES = 50_000


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
        capacity.note_room(draft, MAX_DEVICES)
    removal.forget_removed(draft)
    # Last, when all facts are in, and parents first: who dies with its parent is unreachable.
    ids = [id for id in (list(draft.devices) if empty else touched) if id in draft.devices]
    for id in sorted(ids, key=lambda id: draft.devices[id].parent is not None):
        _tell_status(draft, draft.devices[id])
    _tell_children(draft)
    return draft.freeze(), draft.events


def _take(draft: Draft, report: Report) -> Device | None:
    match report:
        case Sighting():
            return _see(draft, report)
        case Miss():
            return _miss(draft, report)
        case Finding():
            return _find(draft, report)
        case SourceDown():
            _source_down(draft, report)
            return None
        case ClockStep():
            clock.step(draft, report)
            return None
        case Edit():
            return _edit(draft, report)


# -- sightings ---------------------------------------------------------------------------


def _see(draft: Draft, sighting: Sighting) -> Device | None:
    if sighting.only_alive:
        return _renew(draft, sighting)
    device = _whose(draft, sighting)
    if device is None:
        return _add(draft, sighting)
    if list_entries.is_outdated(device, sighting) or _is_overtaken(draft, device, sighting):
        return None
    if device.retired_at is not None:
        if not capacity.makes_room(draft, MAX_DEVICES, sighting.address):
            return None
        draft.tell("device.restored", device, f"{labels.name(device)} answers again, so it is back")
        device = replace(device, retired_at=None, status=status.ACTIVE, since=draft.now)
    device, finding = addresses.moved(draft, device, sighting)
    device = _with_facts(draft, device, sighting)
    draft.put(_with_word(device, sighting, _fresh(draft, device, sighting), draft.now))
    if finding is not None:
        _find(draft, finding)
    return device


def _renew(draft: Draft, sighting: Sighting) -> Device | None:
    """Hearing is no proof: it brings no device, no address and no fact."""
    device = draft.find(sighting.identities[0], sighting.site)
    if device is None or device.retired_at or device.address != sighting.address:
        return None
    if _is_overtaken(draft, device, sighting):
        return None
    draft.put(_with_word(device, sighting, (), draft.now))
    return device


def _is_overtaken(draft: Draft, device: Device, sighting: Sighting) -> bool:
    """Its source has spoken since, or a person has retired the device since."""
    word = device.states.get(sighting.source, SourceState())
    later = (word.seen_at, word.missed_at, device.retired_at)
    return any(status.is_older(sighting.at, one, draft.now) for one in later)


def _whose(draft: Draft, sighting: Sighting) -> Device | None:
    """The device that the sighting belongs to; two that prove to be one become one."""
    ids = identity.known_ids(sighting, draft.index, draft.devices)
    if not ids:
        return identity.at_address(sighting, draft.devices.values())
    if len(ids) > 1 and identity.may_be_one([draft.devices[id] for id in ids]):
        for other in ids[1:]:
            merging.merge(draft, ids[0], other)
        return draft.devices[ids[0]]
    keys = (identity.index_key(one, sighting.site) for one in sighting.identities)
    return next(draft.devices[draft.index[key]] for key in keys if draft.index.get(key) in ids)


def _add(draft: Draft, sighting: Sighting) -> Device | None:
    if not capacity.makes_room(draft, MAX_DEVICES, sighting.address):
        return None
    device = Device(
        id=draft.new_id(),
        kind=sighting.kind,
        site=sighting.site,
        identities=sighting.identities,
        address=sighting.address,
        first_seen=sighting.at,
        sightings=0 if sighting.asked else 1,
        status=status.ACTIVE,
        since=sighting.at,
    )
    if sighting.address:
        device = replace(device, addresses=(AddressChange(sighting.address, sighting.at, None),))
    device = replace(device, facts={sighting.source: facts.said_by(sighting)})
    device = _with_word(device, sighting, (), draft.now)
    draft.put(device)
    where = f" at {sighting.address}" if sighting.address else ""
    draft.tell("device.found", device, f"{labels.name(device)} was found{where}")
    return device


def _with_facts(draft: Draft, device: Device, sighting: Sighting) -> Device:
    said, known = facts.said_by(sighting, device), device.facts.get(sighting.source)
    if said == known:
        return device
    device = replace(device, kind=device.kind if device.listed else sighting.kind)
    device = replace(device, facts={**device.facts, sighting.source: said})
    changed = [key for key in facts.TOLD if known and key in known and known[key] != said.get(key)]
    if changed and known:
        before = {key: known[key] for key in changed}
        after = {key: said.get(key) for key in changed}
        text = ", ".join(f"{key} {known[key]} is now {said.get(key, 'gone')}" for key in changed)
        draft.tell("device.facts", device, f"{labels.name(device)}: {text}", before, after)
    return device


def _fresh(draft: Draft, device: Device, sighting: Sighting) -> tuple[str, ...]:
    """The keys that the sighting proves anew. What a person told apart stays apart, and a
    key that means something only at another site means nothing here."""
    fresh = []
    for one in sighting.identities:
        owner = draft.find(one, sighting.site)
        is_apart = owner is not None and (
            owner.id in device.never_merge or device.id in owner.never_merge
        )
        is_here = sighting.site == device.site or one.startswith(identity.GLOBAL)
        if is_here and one not in device.identities and not is_apart:
            fresh.append(one)
    return tuple(fresh)


def _with_word(device: Device, sighting: Sighting, fresh: tuple[str, ...], now: datetime) -> Device:
    is_older = status.is_older(sighting.at, device.last_seen, now)
    word = device.states.get(sighting.source, SourceState())
    is_new_scan = sighting.asked is not None and sighting.asked != word.asked
    word = SourceState(
        seen_at=sighting.at,
        missed_at=word.missed_at,
        asked=sighting.asked or word.asked,
        scope=sighting.scope or word.scope,
    )
    return replace(
        device,
        identities=(*device.identities, *fresh),
        states={**device.states, sighting.source: word},
        links={**device.links, **sighting.links},
        first_seen=device.first_seen or sighting.at,
        last_seen=sighting.at if not is_older else device.last_seen,
        sightings=validation.count(device.sightings + is_new_scan),
    )


# -- misses, findings, sources -----------------------------------------------------------


def _miss(draft: Draft, miss: Miss) -> Device | None:
    device = draft.find(miss.identity, miss.site)
    if device is None or device.retired_at is not None:
        return None
    word = device.states.get(miss.source, SourceState())
    if miss.asked and word.seen_at and miss.asked <= word.seen_at <= draft.now:
        return None
    if any(status.is_older(miss.at, at, draft.now) for at in (word.seen_at, word.missed_at)):
        return None
    word = replace(
        word,
        missed_at=miss.at,
        asked=miss.asked,
        misses=validation.count(word.misses + 1),
        reason=miss.reason,
    )
    draft.put(replace(device, states={**device.states, miss.source: word}))
    return device


def _find(draft: Draft, finding: Finding) -> Device | None:
    device = draft.find(finding.identity, finding.site)
    if device is None:
        return None
    same = [one for one in device.findings if is_same(one, finding)]
    if same and status.is_older(finding.at, same[0].since, draft.now):
        return None
    if finding.cleared:
        if same:
            rest = tuple(one for one in device.findings if one not in same)
            draft.put(replace(device, findings=rest))
            text = f"{labels.name(device)}: no longer so: {same[0].text}"
            draft.tell("finding.cleared", device, text, {"kind": finding.kind})
        return device
    if same and same[0].text == finding.text:
        return device
    since = same[0].since if same else finding.at
    fault = Fault(finding.kind, since, finding.text, finding.source, finding.evidence)
    rest = tuple(one for one in device.findings if one not in same)
    draft.put(replace(device, findings=(*rest, fault)))
    text = f"{labels.name(device)}: {finding.text}"
    draft.tell("finding.raised", device, text, after={"kind": finding.kind, **finding.evidence})
    return device


def is_same(fault: Fault, finding: Finding) -> bool:
    return (fault.source, fault.kind) == (finding.source, finding.kind)


def _source_down(draft: Draft, report: SourceDown) -> None:
    """One event when a scope goes down, one when it is back; the memo keeps which are."""
    down: dict[str, Any] = dict(draft.state.get("down", {}))
    known = down.get(report.scope)
    if report.up:
        if known is None:
            return
        del down[report.scope]
        draft.tell("source.up", None, f"{report.scope} can be asked again", {"scope": report.scope})
    elif known is None:
        down[report.scope] = {"since": report.at.isoformat(), "reason": report.reason}
        after = {"scope": report.scope, "reason": report.reason}
        text = f"{report.scope} cannot be asked: {report.reason}"
        draft.tell("source.down", None, text, after=after)
    elif known["reason"] == report.reason:
        return
    else:
        down[report.scope] = {**known, "reason": report.reason}
    draft.is_changed = True
    draft.state["down"] = down


# -- edits -------------------------------------------------------------------------------


def _edit(draft: Draft, edit: Edit) -> Device:
    if edit.kind == "list":
        return list_entries.apply(draft, edit)
    device = editing.found(draft.find(edit.identity, DEFAULT_SITE), edit)
    match edit.kind:
        case "merge":
            return merging.merge_edit(draft, device, edit)
        case "split":
            return merging.split(draft, device, edit)
        case "unmerge":
            return merging.unmerge(draft, device, edit)
        case "delete":
            cleaning.check_selected(device, edit)
            return removal.delete(draft, device, edit)
    changed, told = editing.edited(device, edit, draft.devices)
    if told is not None:
        _check_keys(draft, changed)
        draft.put(changed)
        draft.tell(told.kind, changed, told.text, told.before, told.after)
        capacity.trim_retired(draft)
    return changed


def _check_keys(draft: Draft, device: Device) -> None:
    """In its new site another device may have the same key. Raises Refused."""
    for key in identity.keys_of(device):
        owner = draft.devices.get(draft.index.get(key, device.id))
        if owner is not None and owner.id != device.id:
            raise Refused(
                f"{labels.name(owner)} has the same key in site {device.site}",
                "Merge the two, or choose another site.",
            )


# -- what is told of a status ------------------------------------------------------------


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
    kind, text = labels.flip(device, new)
    draft.tell(kind, device, text, {"status": device.status}, {"status": new})


def _tell_children(draft: Draft) -> None:
    """A device that went down or came up changes what all those behind it are called."""
    behind = {event.device for event in draft.events if event.device}
    children = [device for device in draft.devices.values() if device.parent]
    while new := {one.id for one in children if one.parent in behind} - behind:
        behind |= new
    for device in children if behind else ():
        if device.id in behind:
            _tell_status(draft, draft.devices[device.id])
