"""Undo a merge, and join again what was one record: as before, but for what came since. Pure.

Each compares the record with what the act made of it. What is the same is as it was before the
act. What differs came since: it stays with the record that has it or, when a merge is undone,
goes to the one at whose address it was proved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from fleet.model import Device, SourceState
from fleet.reduce import interfaces, joining
from fleet.status import Rules

REPORTED = (
    *("identities", "address", "addresses", "first_seen", "last_seen", "sightings", "moved_at"),
    *("states", "recent_misses", "facts", "links", "findings"),
    *("source_addresses", "claims", "interfaces"),
)
"""What sources say of a device. As long as all of it is unchanged, nothing was reported."""
_EVENTS = frozenset({"id", "status", "since"})
"""What is not given back: the number, and what events said last."""
_MISSING = object()


# -- one record again ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Division:
    """A record that became two, and both as they were then: `rest` kept its number."""

    whole: Device
    rest: Device
    new: Device


def rejoin_devices(division: Division, rest: Device, new: Device, rules: Rules) -> Device:
    """Merge the two into the record that they were, with what changed in either since."""
    # A split takes the facts along with the shown address, and the newest are where these are.
    address = division.whole.address
    is_shown_new = address is not None and division.new.address == address
    now = _joined(rest, new, is_shown_new, rules)
    then = _joined(division.rest, division.new, is_shown_new, rules)
    values = {
        name: _as_before(getattr(now, name), getattr(then, name), getattr(division.whole, name))
        for name in (field.name for field in fields(Device))
        if name not in _EVENTS
    }
    whole = replace(now, **values)
    return whole if division.whole.interfaces else joining.at_interfaces(whole, whole.address)


def _joined(rest: Device, new: Device, is_shown_new: bool, rules: Rules) -> Device:
    """Both in one, at the address and with the facts of the one whose address is shown."""
    shown, other = (new, rest) if is_shown_new else (rest, new)
    return replace(
        joining.merge_devices(rest, new, rules),
        address=shown.address or other.address,
        moved_at=shown.moved_at,
        facts={**other.facts, **shown.facts},
    )


def _as_before(now: Any, then: Any, before: Any) -> Any:
    """The value before the act, where it is now what the act made of it; of an object, each."""
    if now == then:
        return before
    if not isinstance(now, Mapping):
        return now
    values = {
        key: before.get(key, _MISSING) if now.get(key) == then.get(key) else now.get(key, _MISSING)
        for key in dict.fromkeys((*before, *now))
    }
    return {key: value for key, value in values.items() if value is not _MISSING}


# -- two records again -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that is undone: what it made of both, and the merged record as it is now."""

    now: Device
    then: Device
    remaining: Device
    removed: Device

    @property
    def is_unreported(self) -> bool:
        """True if no source said anything since the merge."""
        return all(getattr(self.now, name) == getattr(self.then, name) for name in REPORTED)

    @property
    def left(self) -> set[str]:
        """The addresses that only the removed record has."""
        return self._addresses(self.removed) - self._addresses(self.remaining)

    def _addresses(self, half: Device) -> set[str]:
        return joining.addresses_of(self.now, half)

    @property
    def own_places(self) -> interfaces.Places:
        """Where the keys of the record that remained were proved last, if that is known."""
        known = (self.now.interfaces.get(key, {}) for key in self.remaining.identities)
        return {ip: at for by_ip in known for ip, at in by_ip.items()}

    def proof_times(self, half: Device, since: bool = False) -> dict[str, datetime]:
        """When the merged record was last at an address that only this half has, by source; with
        `since`, only what came after the merge."""
        other = self.removed if half.id == self.remaining.id else self.remaining
        own = self._addresses(half) - self._addresses(other)
        latest = {}
        for source, by_ip in self.now.source_addresses.items():
            known = self.then.source_addresses.get(source, {}) if since else {}
            times = [at for ip, at in by_ip.items() if ip in own and at != known.get(ip)]
            if times:
                latest[source] = max(times)
        return latest


def remaining_device(merge: Merge) -> Device:
    """The record that remained, without everything that the removed one brought."""
    device = _with_own_values(merge)
    if merge.is_unreported:
        return replace(device, **{name: getattr(merge.remaining, name) for name in REPORTED})
    device = _with_own_reports(_with_own_proofs(device, merge), merge)
    return joining.at_interfaces(device, device.address)


def removed_device(merge: Merge) -> Device:
    """The removed record, with what came since the merge at an address that only it has."""
    if merge.is_unreported:
        return merge.removed
    removed, times = merge.removed, merge.proof_times(merge.removed).values()
    states = {source: _state_of_removed(merge, source) for source in merge.now.states}
    removed = replace(
        removed,
        last_seen=max((at for at in (removed.last_seen, *times) if at), default=None),
        states={**removed.states, **{source: state for source, state in states.items() if state}},
        source_addresses=joining.latest_by_source(
            removed.source_addresses, joining.proved_addresses(merge.now, removed, merge.left)
        ),
    )
    removed = joining.at_proved_addresses(merge.now, removed)
    theirs = {
        source: facts
        for source, facts in merge.now.facts.items()
        if facts != merge.then.facts.get(source)
        and _has_facts_of_removed(merge, source)
        and (source not in removed.facts or removed.address == merge.now.address)
    }
    return replace(removed, facts={**removed.facts, **theirs})


def _with_own_values(merge: Merge) -> Device:
    """What people and files say is as it was before the merge, unless it was changed since."""
    names = {field.name for field in fields(Device)} - {*REPORTED, *_EVENTS, "kind", "kind_source"}
    now, then = merge.now, merge.then
    unchanged = [name for name in names if getattr(now, name) == getattr(then, name)]
    if (now.kind, now.kind_source) == (then.kind, then.kind_source):
        unchanged += ["kind", "kind_source"]
    own = {name: getattr(merge.remaining, name) for name in ("listed", *unchanged)}
    own |= {name: _own_items(merge, name) for name in _COLLECTIONS if name not in own}
    return replace(now, **own)


_COLLECTIONS = ("parents", "never_merge", "access", "extra")
"""What both records brought into one collection, and nothing reports."""


def _own_items(merge: Merge, name: str) -> Any:
    """A collection of the merged record without what only the removed one brought."""
    now, own, brought = (
        getattr(device, name) for device in (merge.now, merge.remaining, merge.removed)
    )
    if isinstance(now, Mapping):
        return {key: value for key, value in now.items() if key not in brought or key in own}
    return tuple(item for item in now if item not in brought or item in own)


def _with_own_proofs(device: Device, merge: Merge) -> Device:
    """Without the keys, the addresses and the times that the removed record brought."""
    now, then, remaining, left = merge.now, merge.then, merge.remaining, merge.left
    is_at_removed = now.address in left
    is_shown_before = is_at_removed or now.address == then.address
    has_moved = now.moved_at != then.moved_at and not is_at_removed
    names = ("identities", "addresses", "claims", "recent_misses", "links")
    return replace(
        device,
        address=remaining.address if is_shown_before else now.address,
        moved_at=now.moved_at if has_moved else remaining.moved_at,
        first_seen=remaining.first_seen,
        last_seen=_last_seen(merge),
        sightings=max(0, now.sightings - merge.removed.sightings),
        source_addresses=_own_source_addresses(merge),
        interfaces=joining.without_addresses(device.interfaces, left),
        **{name: _own_items(merge, name) for name in names},
    )


def _with_own_reports(device: Device, merge: Merge) -> Device:
    """Without what the sources said of the removed record."""
    remaining, removed = merge.remaining, merge.removed
    states = {source: _state_of_remaining(merge, source) for source in merge.now.states}
    facts = {
        source: remaining.facts.get(source) if _is_before(merge, source) else known
        for source, known in merge.now.facts.items()
    }
    own_findings = {(finding.source, finding.kind) for finding in remaining.findings}
    their_findings = {(finding.source, finding.kind) for finding in removed.findings}
    return replace(
        device,
        states={source: state for source, state in states.items() if state is not None},
        facts={source: known for source, known in facts.items() if known is not None},
        findings=tuple(
            finding
            for finding in device.findings
            if (finding.source, finding.kind) not in their_findings - own_findings
        ),
    )


def _state_of_remaining(merge: Merge, source: str) -> SourceState | None:
    """What the source says of the record that remained."""
    state, before = merge.now.states[source], merge.remaining.states.get(source)
    if state == merge.then.states.get(source):
        return before
    own_time = merge.proof_times(merge.remaining, since=True).get(source)
    if source in _seen_last_at_removed(merge):
        return before if own_time is None else replace(state, seen_at=own_time)
    if before is None and own_time is None and source in merge.removed.states:
        return None
    return state


def _state_of_removed(merge: Merge, source: str) -> SourceState | None:
    """What the source says of the removed record."""
    state, before = merge.now.states[source], merge.removed.states.get(source)
    if state == merge.then.states.get(source):
        return before
    if source in _seen_last_at_removed(merge):
        return state
    if their_time := merge.proof_times(merge.removed, since=True).get(source):
        return SourceState(seen_at=their_time, asked=state.asked, scope=state.scope)
    own_times = merge.proof_times(merge.remaining, since=True)
    is_theirs = source not in merge.remaining.states and source not in own_times
    return state if before is not None and is_theirs else before


def _is_before(merge: Merge, source: str) -> bool:
    """True if the facts of the source, of the record that remained, are those from before."""
    if merge.now.facts[source] != merge.then.facts.get(source):
        return _has_facts_of_removed(merge, source)
    # Two cameras of one model may say the same of themselves.
    is_own = source in merge.proof_times(merge.remaining, since=True)
    return not (is_own and merge.now.address not in merge.left)


def _has_facts_of_removed(merge: Merge, source: str) -> bool:
    """True if facts that came since the merge are of the removed record: of the address that is
    shown, or of the only one at which the source proved it."""
    own, theirs = (
        source in merge.proof_times(half, since=True) for half in (merge.remaining, merge.removed)
    )
    if merge.now.address in merge.left:
        return True
    if not merge.now.interfaces:
        return source in merge.removed.facts and (source in merge.remaining.facts or not own)
    return source not in merge.then.facts and theirs and not own


def _seen_last_at_removed(merge: Merge) -> set[str]:
    """The sources whose last sighting since the merge was at an address that only the removed
    record has."""
    before, times = merge.then.states, merge.proof_times(merge.removed)
    return {
        source
        for source, state in merge.now.states.items()
        if state.seen_at is not None
        and (source not in before or state.seen_at != before[source].seen_at)
        and source in times
        and times[source] >= state.seen_at
    }


def _last_seen(merge: Merge) -> datetime | None:
    """When the record that remained was last seen. What came since the merge, and was not at an
    address of the removed one alone, is its own."""
    last = merge.now.last_seen
    theirs = merge.proof_times(merge.removed).values()
    is_theirs = last is not None and max(theirs, default=None) == last
    if last != merge.then.last_seen and not is_theirs:
        return last
    own = [*merge.proof_times(merge.remaining).values(), *merge.own_places.values()]
    return max((at for at in (merge.remaining.last_seen, *own) if at), default=None)


def _own_source_addresses(merge: Merge) -> dict[str, dict[str, datetime]]:
    """The addresses that the record that remained proved, and those that came since the merge."""
    places = {*merge.own_places}
    if not places and merge.now.address in merge.left:
        # Only the removed one moved, so what is shown again was not left.
        places = {str(merge.remaining.address)}
    kept_addresses = joining.proved_addresses(merge.now, merge.remaining, places)
    for source, by_ip in merge.now.source_addresses.items():
        brought = merge.removed.source_addresses.get(source, {}).keys()
        own = merge.remaining.source_addresses.get(source, {}).keys()
        theirs = (brought - own) | merge.left
        if kept := {ip: at for ip, at in by_ip.items() if ip not in theirs}:
            kept_addresses[source] = kept_addresses.get(source, {}) | kept
    return kept_addresses
