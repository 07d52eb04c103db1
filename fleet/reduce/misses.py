"""Apply misses: a device that did not answer, and scopes of sources that cannot be asked."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import status, validation
from fleet.model import Device, Miss, SourceDown, SourceState
from fleet.reduce import recent_misses
from fleet.reduce.draft import Draft


def apply(draft: Draft, miss: Miss) -> Device | None:
    device = draft.find(miss.identity, miss.site)
    if device is None or device.retired_at is not None:
        return None
    state = device.states.get(miss.source, SourceState())
    if miss.asked and state.seen_at and miss.asked <= state.seen_at <= draft.now:
        return None
    if any(status.is_older(miss.at, at, draft.now) for at in (state.seen_at, state.missed_at)):
        return None
    if _has_moved_since(device, miss, draft.now):
        return None
    state = replace(
        state,
        missed_at=miss.at,
        asked=miss.asked,
        misses=validation.count(state.misses + 1),
        reason=miss.reason,
    )
    recent = recent_misses.with_miss(device.recent_misses, miss, draft.now)
    draft.put(replace(device, states={**device.states, miss.source: state}, recent_misses=recent))
    return device


def _has_moved_since(device: Device, miss: Miss, now: datetime) -> bool:
    """True if the device has another address than when it was asked: that nothing responds at the
    former one says nothing of it. A channel moves with its recorder."""
    if miss.asked is None or not device.addresses:
        return False
    change = device.addresses[-1]
    return change.previous is not None and miss.asked <= change.at <= now


def apply_source_down(draft: Draft, report: SourceDown) -> None:
    """One event when a scope goes down, one when it is back; the state keeps which are."""
    down: dict[str, Any] = dict(draft.state.get("down", {}))
    known = down.get(report.scope)
    if report.up:
        if known is None:
            return
        del down[report.scope]
        draft.add_event(
            "source.up", None, f"{report.scope} is available again", {"scope": report.scope}
        )
    elif known is None:
        down[report.scope] = {"since": report.at.isoformat(), "reason": report.reason}
        after = {"scope": report.scope, "reason": report.reason}
        text = f"{report.scope} cannot be checked: {report.reason}"
        draft.add_event("source.down", None, text, after=after)
    elif known["reason"] == report.reason:
        return
    else:
        down[report.scope] = {**known, "reason": report.reason}
    draft.is_changed = True
    draft.state["down"] = down
