"""Permanently delete devices from the fleet, the grants and the tokens, for web and commands;
the audit log keeps one line."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.accounts import Accounts
from fleet import labels
from fleet.edit import cleaning
from fleet.edit.cleaning import Selection
from fleet.model import Device, Edit, Event, Invalid, Refused
from fleet.tracker import Precondition, Tracker, no_precondition
from fleet.trusted_clock import TrustedClock
from store.sql import Unreachable

log = logging.getLogger(__name__)
SAMPLE = 20
"""Devices of a selection that are named before they are deleted."""
MAX_NUMBERS = 1000
"""Numbers that the audit log keeps of one deletion; the journal has all of them."""

AuditNote = Callable[[str, str, str, Mapping[str, Any]], None]
"""Writes a line of the audit log: action, about, text, before."""


def sample(devices: Sequence[Device]) -> list[str]:
    """The names of the first devices of a selection."""
    return [labels.name(device) for device in devices[:SAMPLE]]


@dataclass(frozen=True, slots=True)
class Deletion:
    """Permanent deletion of devices by `by`. `precondition` is as in `Tracker.apply`.
    `also_forget` takes the numbers out of everything above this package; raises Unreachable."""

    tracker: Tracker
    accounts: Accounts
    trusted: TrustedClock
    note: AuditNote
    by: str
    now: datetime
    precondition: Precondition = no_precondition
    also_forget: Callable[[Sequence[int]], None] = lambda _ids: None

    def select(self, wanted: Selection) -> list[Device]:
        """Select the devices. Raises Invalid for a selection without a time limit."""
        if wanted.is_empty:
            raise Invalid(
                "The selection has no time limit",
                "Set first_seen_after, first_seen_before or not_seen_days.",
            )
        return cleaning.selected(self.tracker.devices().values(), wanted, self.now)

    def delete(self, device: Device, confirm: str) -> None:
        """Delete a device by its exact name. Raises Refused."""
        edit = Edit("delete", f"id:{device.id}", {"confirm": confirm}, self.by, self.now)
        (event,) = self._apply([edit])
        self.note(event.kind, f"camera {event.device}", event.text, event.before)

    def delete_selected(self, wanted: Selection, devices: Sequence[Device], count: int) -> int:
        """Delete the selected devices and return their number. Raises Refused when `count` is
        another number, or when the clock is in doubt and the selection goes by age."""
        if wanted.not_seen_days and (doubt := self.trusted.distrust_reason()):
            raise Refused(doubt, "Confirm the date under Settings > Jobs, or correct the clock.")
        if count != len(devices):
            raise Refused(
                f"The selection now has {labels.device_count(devices)}, not {count}",
                "Review the selection, then confirm the new number.",
            )
        edits = cleaning.deletions(devices, wanted, self.by, self.now)
        deleted = [event.device for event in self._apply(edits)]
        text = f"{labels.device_count(deleted)} deleted: {wanted}"
        self.note("fleet.deleted", "fleet", text, {"numbers": deleted[:MAX_NUMBERS]})
        return len(deleted)

    def _apply(self, edits: Sequence[Edit]) -> list[Event]:
        events = self.tracker.apply(edits, self.now, self.precondition) if edits else []
        deleted = [event for event in events if event.kind == "device.deleted"]
        ids = [event.device for event in deleted if event.device is not None]
        try:
            self.accounts.forget_devices(ids)
            self.also_forget(ids)
        except Unreachable as error:
            # Harmless: no device gets these numbers again.
            log.warning("Cannot remove the deleted devices from grants and schedules: %s", error)
        return deleted
