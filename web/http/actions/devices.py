"""Edit, retire and delete devices in the name of the person of the request."""

from collections.abc import Sequence
from typing import Any

from accounts.deletion import Deletion
from fleet import cleaning, editing
from fleet.model import Device, Edit, Event, NotFound
from web.http.auditing import note, who
from web.http.errors import Problem
from web.http.monitor import Monitor, monitor
from web.http.shapes.devices import HIGHEST
from web.http.visible_fleet import visible


def edit_of(key: str, kind: str, fields: dict[str, Any]) -> Edit:
    """The edit of one device by who asks, whom the gate has let in for this device.

    Who does not see every device cannot reach another one through an edit. Raises NotFound
    and Problem (403).
    """
    here, device = monitor(), visible().device(key)
    if visible().is_limited:
        # A form sends everything back: what is as this person sees it is no change.
        fields = {
            key: value
            for key, value in fields.items()
            if key not in ("site", "parent") or value != getattr(device, key)
        }
        if kind in ("merge", "split") or "site" in fields:
            raise beyond_reach()
        if fields.get("parent") is not None:
            # By the number that it has now: a merge that leads there can be undone meanwhile.
            fields["parent"] = visible().device(str(fields["parent"])).id
    return Edit(kind, f"id:{device.id}", fields, who(), here.clock())


def apply_edit(edit: Edit) -> list[Event]:
    """Do it, and write it into the audit log."""
    here, number = monitor(), int(edit.identity.removeprefix("id:"))
    events = here.tracker.apply([edit], here.clock(), visible().judge("device.edit", number))
    for event in events:
        note(event.kind, f"camera {event.device}", event.text, event.before, event.after)
    return list(events)


def undo_of(events: Sequence[Event]) -> int | None:
    """The number by which the edit that made the events can be undone, if it can."""
    return next((event.sequence for event in events if editing.can_undo(event)), None)


def undoing(here: Monitor, sequence: int) -> Edit:
    """The edit that takes back event `sequence`. Raises NotFound or Refused."""
    if not 1 <= sequence <= HIGHEST:
        raise NotFound("There is no such event", "GET /api/events lists the events.")
    event = find_event(here, sequence)
    if event is None or event.device is None or not visible().sees_event(event):
        raise NotFound(f"There is no event {sequence}", "GET /api/events lists the events.")
    check_edit(here.tracker.device(f"{event.device}"))
    if visible().is_limited and "site" in event.before:
        raise beyond_reach()
    return editing.inverse(event, who(), here.clock())


def find_event(here: Monitor, sequence: int) -> Event | None:
    """An event by its number, also while the journal does not have it yet."""
    waiting = [one for one in here.tracker.fleet().outbox if one.sequence == sequence]
    return waiting[0] if waiting else here.journal.one(sequence)


def check_edit(device: Device) -> None:
    """Raises Problem (403) when who asks may not edit this device."""
    if not visible().may("device.edit", device):
        raise Problem(
            403,
            f"{who()} may not edit this camera",
            "An administrator can allow it, under Settings, Users.",
        )


def beyond_reach() -> Problem:
    """The answer to who is limited and would change what others see."""
    return Problem(
        403,
        "Only who sees every camera may merge, split or move to another site",
        "Ask an administrator to do it.",
    )


def retire_silent(days: int) -> int:
    """Retire what nobody has seen for so many days, by who asks; how many."""
    here = monitor()
    check_clock()
    now = here.clock()
    edits = cleaning.retirements(here.tracker.devices().values(), days, who(), now)
    judge = visible().judge("fleet.clean")
    events = here.tracker.apply(edits, now, judge) if edits else []
    note("fleet.cleaned", "fleet", f"{len(events)} retired, not seen for {days} days")
    return len(events)


def check_clock() -> None:
    """Raises Problem (409) while nothing may be judged by its age."""
    if doubt := monitor().trusted.doubt():
        raise Problem(409, doubt, "Confirm the date under Settings, Jobs, or set the clock.")


def delete_one(key: str, confirm: str) -> int:
    """Delete one device by who asks; its number. Raises Refused."""
    device = visible().device(key)
    deletion().delete(device, confirm)
    return device.id


def deletion() -> Deletion:
    """What deletes by who asks."""
    here, judge = monitor(), visible().judge("fleet.delete")
    return Deletion(
        here.tracker, here.access.accounts, here.trusted, note, who(), here.clock(), judge
    )
