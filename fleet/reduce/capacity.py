"""The fleet's capacity, and which device is replaced when it is full."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fleet import status
from fleet.model import Device
from fleet.reduce import removal
from fleet.reduce.draft import Draft

MAX_DEVICES = 50_000
MAX_RETIRED = 50_000
"""Retired devices have a capacity of their own."""
SETTLED = timedelta(days=1)
"""A device that has been known for this long is never replaced."""


def makes_room(draft: Draft, address: str | None) -> bool:
    """Make room for one more device: a free place, or that of a device that is silent, was known
    for less than a day, and that nobody named, tagged or listed; the newest first."""
    if len(draft.devices) < MAX_DEVICES or draft.active() < MAX_DEVICES:
        return True
    has_given = _replace_one(draft, "active", _was_seen_briefly)
    _note(draft, address, has_given)
    return has_given


def trim_retired(draft: Draft) -> None:
    """Delete the newest retired devices that nobody named, when there are too many."""
    while len(draft.devices) - draft.active() > MAX_RETIRED:
        if not _replace_one(draft, "retired", _is_unused_retired):
            return


def note_room(draft: Draft) -> None:
    """Clear the notice of a full fleet."""
    if draft.state.get("full") and draft.active() < MAX_DEVICES:
        del draft.state["full"]
        draft.is_changed = True


def _replace_one(draft: Draft, among: str, may_go: Callable[[Device], bool]) -> bool:
    if among not in draft.giving_way:
        candidates = [device for device in draft.devices.values() if may_go(device)]
        candidates.sort(
            key=lambda device: (device.first_seen is not None, device.first_seen, device.id)
        )
        draft.giving_way[among] = [device.id for device in candidates]
    waiting = draft.giving_way[among]
    while waiting:
        device = draft.devices.get(waiting.pop())
        if device is not None and may_go(device):
            removal.remove(draft, device)
            return True
    return False


def _was_seen_briefly(device: Device) -> bool:
    is_silent = bool(device.states) and all(map(status.is_missed, device.states.values()))
    return device.retired_at is None and is_silent and _was_brief(device)


def _is_unused_retired(device: Device) -> bool:
    return device.retired_at is not None and removal.is_disposable(device)


def _was_brief(device: Device) -> bool:
    first, last = device.first_seen, device.last_seen
    is_brief = first is None or last is None or last - first < SETTLED
    return is_brief and removal.is_disposable(device)


def _note(draft: Draft, address: str | None, has_given: bool) -> None:
    """Count refusals and replacements while the fleet is full; the event is logged once."""
    known: Any = draft.state.get("full")
    counts = dict(known) if isinstance(known, dict) else {}
    if not known:
        where = f" ({address})" if address else ""
        outcome = "replaced a device that was seen only briefly" if has_given else "was not added"
        text = f"The fleet is full ({MAX_DEVICES:,} devices): a new device{where} {outcome}"
        draft.add_event("fleet.full", None, text)
    key = "gave_way" if has_given else "refused"
    counts.setdefault("since", draft.now.isoformat())
    counts[key] = counts.get(key, 0) + 1
    draft.state["full"] = counts
    draft.is_changed = True
