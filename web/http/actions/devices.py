"""Edit, retire and delete devices in the name of the person of the request."""

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.deletion import Deletion
from fleet import labels, public
from fleet.edit import cleaning, editing
from fleet.model import Device, Edit, Event, NotFound, Refused
from fleet.recording import is_same
from video.build import VideoPackage
from web.http.actions import credentials
from web.http.auditing import actor_name, note
from web.http.errors import HttpError
from web.http.monitor import Monitor, current_monitor
from web.http.shapes.devices import HIGHEST
from web.http.visible_fleet import visible_fleet

OTHER_RECORD = frozenset(("device.merged", "device.split", "device.unmerged"))
"""Events after which what is known of a device says nothing about its status: it is checked at
once."""


def device_edit(key: str, kind: str, fields: dict[str, Any]) -> Edit:
    """The edit of one device by the person of the request, who is authorized for this device.

    Raises NotFound and HttpError (403).
    """
    return edit_of(visible_fleet().device(key), kind, fields)


def edit_of(device: Device, kind: str, fields: dict[str, Any]) -> Edit:
    """The same for a device as the person sees it. A person who may not move devices cannot
    reach another one through an edit. Raises NotFound and HttpError (403)."""
    monitor = current_monitor()
    if not visible_fleet().may_move:
        # A form sends everything back: what is as this person sees it is no change.
        fields = {
            key: value
            for key, value in editing.with_parents(fields, device).items()
            if key not in ("site", "parents") or value != editing.event_value(device, key)
        }
        if kind in ("merge", "split") or "site" in fields:
            raise needs_full_view()
        if "parents" in fields:
            # Parents that this person does not see stay.
            fields["parents"] = [*map(_visible_number, fields["parents"])]
            fields["seen_parents"] = [*device.parents]
    if "recording" in fields and not is_same(fields["recording"], device.recording):
        check_may_record(device)
    return Edit(kind, f"id:{device.id}", fields, actor_name(), monitor.clock())


def _visible_number(number: int) -> int:
    """The number that a device has now: a merge that leads there can be undone meanwhile. Raises
    NotFound for a device that the person of the request does not see."""
    return visible_fleet().device(str(number)).id


def apply_and_audit(edit: Edit) -> list[Event]:
    """Apply the edit of a device, and write it into the audit log."""
    events = apply_edits([edit], "device.edit", int(edit.identity.removeprefix("id:")))
    if changed := {event.device for event in events if event.device and event.kind in OTHER_RECORD}:
        current_monitor().scanner.check_soon(changed)
    return events


def new_edit(kind: str, identity: str, fields: Mapping[str, Any]) -> Edit:
    """An edit by the person of the request, now."""
    return Edit(kind, identity, fields, actor_name(), current_monitor().clock())


def apply_edits(
    edits: Sequence[Edit],
    action: str,
    number: int | None = None,
    refused: dict[int, Refused | HttpError] | None = None,
) -> list[Event]:
    """Apply the edits in one write, and write them into the audit log: all or none, or, with
    `refused`, those that are not refused. It gets the others by their place in `edits`. Raises
    Refused and HttpError."""
    monitor = current_monitor()
    judge = visible_fleet().judge(action, number)
    events = monitor.tracker.apply(edits, monitor.clock(), judge, refused)
    for event in events:
        about = f"camera {event.device}" if event.device else "fleet"
        before, after = public.of_event(event.before), public.of_event(event.after)
        note(event.kind, about, event.text, before, after)
    return list(events)


def is_deleted(events: Sequence[Event]) -> bool:
    """True if the edit that made the events deleted its device, as undo does of one just added."""
    return any(event.kind == "device.deleted" for event in events)


def undo_number(events: Sequence[Event]) -> int | None:
    """The number by which the edit that made the events can be undone, if it can."""
    return next((event.sequence for event in events if editing.can_undo(event)), None)


def undo_edit(monitor: Monitor, sequence: int) -> Edit:
    """The edit that takes back event `sequence`. Raises NotFound or Refused."""
    if not 1 <= sequence <= HIGHEST:
        raise NotFound("Event not found", "GET /api/events lists the events.")
    event = find_event(monitor, sequence)
    is_of_set = event is not None and editing.is_of_set(event)
    if is_of_set and not visible_fleet().is_limited:
        credentials.check_may_undo()
    if event is None or not visible_fleet().may_know_edit(event):
        raise NotFound(f"Event {sequence} does not exist", "GET /api/events lists the events.")
    if not is_of_set and event.device is None and editing.can_undo(event):
        raise Refused(
            f"Event {sequence} is about no known device",
            "Undo it with POST /api/cameras/bulk/undo, or under Settings > Ignored.",
        )
    if event.device is not None:
        check_may_undo(event, monitor.tracker.device(f"{event.device}"))
    if not visible_fleet().may_move and "site" in event.before:
        raise needs_full_view()
    return editing.inverse(event, actor_name(), monitor.clock())


def find_event(monitor: Monitor, sequence: int) -> Event | None:
    """An event by its number, also while the journal does not have it yet."""
    waiting = [event for event in monitor.tracker.fleet().outbox if event.sequence == sequence]
    return waiting[0] if waiting else monitor.journal.event(sequence)


def check_may_undo(event: Event, device: Device) -> None:
    """Check the permission to take back the edit of this device. Raises HttpError (403)."""
    check_may_edit(device)
    if not is_same(event.before.get("recording"), event.after.get("recording")):
        check_may_record(device)


def check_may_edit(device: Device) -> None:
    """Check the permission to edit this device. Raises HttpError (403)."""
    if not visible_fleet().may("device.edit", device):
        raise HttpError(
            403,
            "You don't have permission to edit this camera",
            "An administrator can allow it under Settings > Users.",
        )


def check_may_record(device: Device) -> None:
    """Check the permission to change how this device is recorded: it starts recordings, and lets
    old ones be deleted. Raises HttpError (403)."""
    if not visible_fleet().may("recording.control", device):
        raise HttpError(
            403,
            "Only users who can record this camera can change its recording settings",
            'Ask an administrator for the permission "Record".',
        )


def check_may_connect() -> None:
    """Check the permission to change how devices are reached, which is that to add some: the server
    asks whatever address it is given. Raises HttpError (403)."""
    if not visible_fleet().may("device.add"):
        raise HttpError(
            403,
            "Only users with access to all devices can change how a device is reached",
            "Ask an administrator.",
        )


def needs_full_view() -> HttpError:
    """The error for a person who may not move devices, as that changes what others see."""
    return HttpError(
        403,
        "Only users with access to all devices can merge and split devices or change their site",
        "Ask an administrator.",
    )


def retire_silent(days: int) -> int:
    """Retire devices not seen for so many days. Returns their number."""
    monitor = current_monitor()
    check_clock()
    now = monitor.clock()
    edits = cleaning.retirements(monitor.tracker.devices().values(), days, actor_name(), now)
    judge = visible_fleet().judge("fleet.clean")
    events = monitor.tracker.apply(edits, now, judge) if edits else []
    note(
        "fleet.cleaned",
        "fleet",
        f"{labels.device_count(events)} retired, not seen for {labels.counted(days, 'day')}",
    )
    return len(events)


def check_clock() -> None:
    """Check that the date can be trusted, so that ages can. Raises HttpError (409)."""
    if doubt := current_monitor().trusted.distrust_reason():
        raise HttpError(409, doubt, "Confirm the date under Settings > Jobs, or correct the clock.")


def delete_device(key: str, confirm: str) -> int:
    """Delete one device by its exact name. Returns its number. Raises Refused."""
    device = visible_fleet().device(key)
    deletion().delete(device, confirm)
    return device.id


def deletion() -> Deletion:
    """The deletion in the name of the person of the request."""
    monitor, judge = current_monitor(), visible_fleet().judge("fleet.delete")
    return Deletion(
        monitor.tracker,
        monitor.authenticator.accounts,
        monitor.trusted,
        note,
        actor_name(),
        monitor.clock(),
        judge,
        monitor.packages.find(VideoPackage).schedules.forget_devices,
    )
