"""How reports change a fleet: one immutable fleet in, a draft, a new fleet out. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import editing, identity, status, words
from fleet.model import (
    AddressChange,
    Device,
    Edit,
    Event,
    Facts,
    Fault,
    Finding,
    Fleet,
    Miss,
    Report,
    Sighting,
    SourceDown,
    Word,
)

MOST_ADDRESSES = 1000
MOST_DEVICES = 50_000
TOLD_FACTS = ("name", "model", "serial", "firmware", "port")


class Draft:
    """A fleet while it is being changed. `events` are what is worth telling."""

    def __init__(self, fleet: Fleet, rules: status.Rules, now: datetime) -> None:
        self.fleet = fleet
        self.rules = rules
        self.now = now
        self.devices = dict(fleet.devices)
        self.index = dict(fleet.index)
        self.redirects = dict(fleet.redirects)
        self.next_id = fleet.next_id
        self.memo = dict(fleet.memo)
        self.events: list[Event] = []

    def tell(
        self,
        kind: str,
        device: Device | None,
        text: str,
        before: Facts | None = None,
        after: Facts | None = None,
    ) -> None:
        sequence = self.fleet.sequence + len(self.events) + 1
        number = device.id if device else None
        event = Event(sequence, self.now, kind, number, text, before or {}, after or {})
        self.events.append(event)

    def put(self, device: Device) -> None:
        self.devices[device.id] = device
        for key in identity.keys_of(device):
            self.index[key] = device.id

    def find(self, key: str, site: str) -> Device | None:
        """The device behind `id:12` or any identity, following merges."""
        if key.startswith("id:"):
            number = int(key[3:]) if key[3:].isdecimal() else 0
            return self.devices.get(self.redirects.get(number, number))
        return self.devices.get(self.index.get(identity.index_key(key, site), 0))

    def freeze(self) -> Fleet:
        return Fleet(
            devices=self.devices,
            index=self.index,
            redirects=self.redirects,
            next_id=self.next_id,
            sequence=self.fleet.sequence + len(self.events),
            outbox=(*self.fleet.outbox, *self.events),
            memo=self.memo,
        )


def fold(
    fleet: Fleet, reports: Iterable[Report], now: datetime, rules: status.Rules
) -> tuple[Fleet, list[Event]]:
    """The fleet after `reports`, and what is worth telling. Without reports, time passes.

    Raises Refused when an edit cannot be done; then nothing of the reports is done.
    """
    draft = Draft(fleet, rules, now)
    touched: set[int] = set()
    empty = True
    for report in reports:
        empty = False
        device = _take(draft, report)
        if device is not None:
            touched.add(device.id)
            _tell_status(draft, draft.devices[device.id])
    if empty:
        touched = set(draft.devices)
        for id in touched:
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
        case Edit():
            return _edit(draft, report)


# -- sightings ---------------------------------------------------------------------------


def _see(draft: Draft, sighting: Sighting) -> Device | None:
    device = _whose(draft, sighting)
    if device is None:
        return _add(draft, sighting)
    if device.retired_at is not None:
        draft.tell("device.restored", device, f"{words.name(device)} answers again, so it is back")
        device = replace(device, retired_at=None, status=status.ACTIVE, since=draft.now)
    device = _with_address(draft, device, sighting)
    device = _with_facts(draft, device, sighting)
    draft.put(_with_word(device, sighting))
    return device


def _whose(draft: Draft, sighting: Sighting) -> Device | None:
    """The device that the sighting belongs to; two that prove to be one become one."""
    ids = identity.known_ids(sighting, draft.index)
    if not ids:
        return identity.at_address(sighting, draft.devices.values())
    if len(ids) > 1 and identity.may_be_one(draft.devices[id] for id in ids):
        for other in ids[1:]:
            _merge(draft, ids[0], other)
        return draft.devices[ids[0]]
    strongest = next(
        key
        for key in (identity.index_key(one, sighting.site) for one in sighting.identities)
        if key in draft.index
    )
    return draft.devices[draft.index[strongest]]


def _add(draft: Draft, sighting: Sighting) -> Device | None:
    if len(draft.devices) >= MOST_DEVICES:
        return None
    device = Device(
        id=draft.next_id,
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
    draft.next_id += 1
    device = replace(device, facts={sighting.source: facts_of(sighting)})
    device = _with_word(device, sighting)
    draft.put(device)
    where = f" at {sighting.address}" if sighting.address else ""
    draft.tell("device.found", device, f"{words.name(device)} was found{where}")
    return device


def facts_of(sighting: Sighting) -> Facts:
    """What the sighting says, flat, without what it does not know."""
    said = {key: getattr(sighting, key) for key in TOLD_FACTS}
    return {**{key: value for key, value in said.items() if value is not None}, **sighting.facts}


def _with_address(draft: Draft, device: Device, sighting: Sighting) -> Device:
    new, old = sighting.address, device.address
    if new is None:
        return device
    if new == old:
        is_later = sighting.asked is not None and device.moved_at is not None
        if is_later and sighting.asked and device.moved_at and sighting.asked > device.moved_at:
            return replace(device, moved_at=None)
        return device
    changes = (*device.addresses, AddressChange(new, sighting.at, old))[-MOST_ADDRESSES:]
    device = replace(device, address=new, addresses=changes)
    if old is None:
        return device
    draft.tell(
        "device.moved",
        device,
        f"{words.name(device)} moved from {old} to {new}",
        {"address": old},
        {"address": new},
    )
    return replace(device, moved_at=sighting.asked or sighting.at)


def _with_facts(draft: Draft, device: Device, sighting: Sighting) -> Device:
    said, known = facts_of(sighting), device.facts.get(sighting.source)
    if said == known:
        return device
    device = replace(device, kind=device.kind if device.listed else sighting.kind)
    device = replace(device, facts={**device.facts, sighting.source: said})
    changed = [key for key in TOLD_FACTS if known and key in known and known[key] != said.get(key)]
    if changed and known:
        before = {key: known[key] for key in changed}
        after = {key: said.get(key) for key in changed}
        text = ", ".join(f"{key} {known[key]} is now {said.get(key, 'gone')}" for key in changed)
        draft.tell("device.facts", device, f"{words.name(device)}: {text}", before, after)
    return device


def _with_word(device: Device, sighting: Sighting) -> Device:
    word = device.words.get(sighting.source, Word())
    is_new_scan = sighting.asked is not None and sighting.asked != word.asked
    word = Word(
        seen_at=sighting.at,
        missed_at=word.missed_at,
        asked=sighting.asked or word.asked,
        scope=sighting.scope or word.scope,
    )
    fresh = [one for one in sighting.identities if one not in device.identities]
    return replace(
        device,
        identities=(*device.identities, *fresh),
        words={**device.words, sighting.source: word},
        links={**device.links, **sighting.links},
        last_seen=sighting.at,
        sightings=device.sightings + is_new_scan,
    )


def _merge(draft: Draft, stays: int, goes: int) -> None:
    """`goes` becomes part of `stays`: its keys, history and sources; its id redirects."""
    keep, gone = draft.devices[stays], draft.devices.pop(goes)
    seen = [t for t in (keep.first_seen, gone.first_seen) if t]
    merged = replace(
        keep,
        identities=tuple(dict.fromkeys((*keep.identities, *gone.identities))),
        name=keep.name or gone.name,
        notes="\n".join(part for part in (keep.notes, gone.notes) if part),
        tags=tuple(dict.fromkeys((*keep.tags, *gone.tags))),
        addresses=tuple(sorted((*keep.addresses, *gone.addresses), key=lambda one: one.at)),
        first_seen=min(seen, default=None),
        sightings=keep.sightings + gone.sightings,
        words={**gone.words, **keep.words},
        facts={**gone.facts, **keep.facts},
        links={**gone.links, **keep.links},
        findings=(*keep.findings, *gone.findings),
        listed=keep.listed or gone.listed,
    )
    for old, new in list(draft.redirects.items()):
        if new == goes:
            draft.redirects[old] = stays
    draft.redirects[goes] = stays
    draft.put(merged)
    text = f"{words.name(gone)} (number {goes}) is the same device as {words.name(keep)}"
    draft.tell("device.merged", merged, text, {"id": goes}, {"id": stays})


# -- misses, findings, sources -----------------------------------------------------------


def _miss(draft: Draft, miss: Miss) -> Device | None:
    device = draft.find(miss.identity, miss.site)
    if device is None or device.retired_at is not None:
        return None
    word = device.words.get(miss.source, Word())
    if miss.asked and word.seen_at and word.seen_at >= miss.asked:
        return None
    word = replace(
        word, missed_at=miss.at, asked=miss.asked, misses=word.misses + 1, reason=miss.reason
    )
    draft.put(replace(device, words={**device.words, miss.source: word}))
    return device


def _find(draft: Draft, finding: Finding) -> Device | None:
    device = draft.find(finding.identity, finding.site)
    if device is None:
        return None
    same = [one for one in device.findings if is_same(one, finding)]
    if finding.cleared:
        if same:
            rest = tuple(one for one in device.findings if one not in same)
            draft.put(replace(device, findings=rest))
            text = f"{words.name(device)}: no longer so: {same[0].text}"
            draft.tell("finding.cleared", device, text, {"kind": finding.kind})
        return device
    if same and same[0].text == finding.text:
        return device
    since = same[0].since if same else finding.at
    fault = Fault(finding.kind, since, finding.text, finding.source, finding.evidence)
    rest = tuple(one for one in device.findings if one not in same)
    draft.put(replace(device, findings=(*rest, fault)))
    text = f"{words.name(device)}: {finding.text}"
    draft.tell("finding.raised", device, text, after={"kind": finding.kind, **finding.evidence})
    return device


def is_same(fault: Fault, finding: Finding) -> bool:
    return (fault.source, fault.kind) == (finding.source, finding.kind)


def _source_down(draft: Draft, report: SourceDown) -> None:
    """One event when a scope goes down, one when it is back; the memo keeps which are."""
    down: dict[str, Any] = dict(draft.memo.get("down", {}))
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
    else:
        down[report.scope] = {**known, "reason": report.reason}
    draft.memo["down"] = down


# -- edits -------------------------------------------------------------------------------


def _edit(draft: Draft, edit: Edit) -> Device:
    device = editing.found(draft.find(edit.identity, edit.fields.get("site", "here")), edit)
    changed, told = editing.edited(device, edit)
    if told is not None:
        draft.put(changed)
        draft.tell(told.kind, changed, told.text, told.before, told.after)
    return changed


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
    kind, text = words.flip(device, new)
    draft.tell(kind, device, text, {"status": device.status}, {"status": new})


def _tell_children(draft: Draft) -> None:
    """A parent that went down or came up changes what its children are called."""
    flipped = {event.device for event in draft.events}
    if not flipped:
        return
    for device in list(draft.devices.values()):
        if device.parent in flipped:
            _tell_status(draft, device)
