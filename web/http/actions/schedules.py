"""See and change schedules in the name of the person of the request, camera by camera."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fleet import labels
from fleet.model import Device
from fleet.texts import one_line
from video.build import VideoPackage
from video.due import Overlaps, followed
from video.schedule import ONE_TIME, Schedule, is_due, next_change, occurrences
from video.schedule_check import invalid, unused, zones
from video.schedule_rows import StoredSchedule
from video.schedules import Schedules, no_schedule
from video.server_zone import server_zone
from web.http.auditing import actor_name, note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.schedules import ScheduleFields, ScheduleItem, audit_values
from web.http.visible_fleet import VisibleFleet, login_ended, permission_gone, visible_fleet

EDIT = "schedule.edit"
OVER = "This time is over, so nothing will be recorded."


@dataclass(frozen=True, slots=True)
class SavedItem:
    """A schedule that was saved, and what of the request has no effect."""

    stored: StoredSchedule
    warnings: Sequence[str] = ()


def registry() -> Schedules:
    return current_monitor().packages.find(VideoPackage).schedules


# -- seen ------------------------------------------------------------------------------------


def seen(camera: str = "") -> list[StoredSchedule]:
    """The schedules that this person sees, by number: those of at least one camera that they see.
    `camera`: only those of this one. Raises NotFound."""
    only = visible_fleet().device(camera).id if camera else None
    return [
        stored
        for stored in registry().listed()
        if (only is None or only in _followed(stored.schedule).devices) and _is_seen(stored)
    ]


def _is_seen(stored: StoredSchedule) -> bool:
    if not visible_fleet().is_limited:
        return True
    devices = visible_fleet().devices()
    return any(number in devices for number in _followed(stored.schedule).devices)


def existing(id: int) -> StoredSchedule:
    """One schedule. Raises NotFound for one that this person does not see."""
    stored = registry().find(id)
    if not _is_seen(stored):
        raise no_schedule(id)
    return stored


def items(chosen: Iterable[StoredSchedule]) -> list[ScheduleItem]:
    """These schedules with what is known of them now."""
    now, devices = current_monitor().clock(), visible_fleet().devices()
    every = [_followed(stored.schedule) for stored in seen()]
    by_device = defaultdict[int, list[Schedule]](list)
    for schedule in every:
        for number in schedule.devices:
            by_device[number].append(schedule)
    overlaps = Overlaps(now)
    return [_item(stored, devices, by_device, overlaps, now) for stored in chosen]


def item(stored: StoredSchedule) -> ScheduleItem:
    """One schedule with what is known of it now."""
    return items([stored])[0]


def _followed(schedule: Schedule) -> Schedule:
    """The schedule with the numbers that its devices have now."""
    return replace(schedule, devices=followed(schedule.devices, current_monitor().redirects))


def _item(
    stored: StoredSchedule,
    devices: Mapping[int, Device],
    by_device: Mapping[int, Sequence[Schedule]],
    overlaps: Overlaps,
    now: datetime,
) -> ScheduleItem:
    schedule = _followed(stored.schedule)
    near = {other.id: other for number in schedule.devices for other in by_device.get(number, ())}
    until = next_change(schedule, now) if (due := is_due(schedule, now)) else None
    shown = [number for number in schedule.devices if number in devices]
    return ScheduleItem(
        stored=stored,
        cameras={number: labels.name_among(devices[number], devices) for number in shown},
        shares_with=overlaps.of(schedule, near.values()),
        is_due=due,
        due_until=until,
        next_run=next_start(schedule, now),
        hidden=len(_existing(schedule.devices)) - len(shown),
    )


def _existing(numbers: Iterable[int]) -> list[Device]:
    every = current_monitor().tracker.devices()
    return [every[number] for number in numbers if number in every]


def next_start(schedule: Schedule, now: datetime) -> datetime | None:
    """When the schedule begins the next time; None if it never does."""
    change = next_change(schedule, now)
    if change is None or not is_due(schedule, now):
        return change
    return next_change(schedule, change)


def may_edit(stored: StoredSchedule) -> bool:
    """True if this person may change the schedule: all of its cameras."""
    return all(map(_may_edit(visible_fleet()), _existing(_followed(stored.schedule).devices)))


def _may_edit(visible: VisibleFleet) -> Callable[[Device], bool]:
    return lambda device: visible.may(EDIT, device)


# -- changed ---------------------------------------------------------------------------------


def add(given: ScheduleFields) -> SavedItem:
    """Add a schedule. Raises Refused, HttpError (401, 403) and Unreachable."""
    wanted = _merged(Schedule(0, "", "", (), server_zone()), given)
    with _changing(wanted.devices):
        stored = registry().add(wanted, actor_name())
    note("schedule.added", _about(stored), "Added", after=audit_values(stored.schedule))
    return SavedItem(stored, _warnings(wanted, stored))


def change(id: int, given: ScheduleFields) -> SavedItem:
    """Change what is given of a schedule. Raises Refused, HttpError (401, 403) and Unreachable."""
    stored = existing(id)
    wanted = _merged(stored.schedule, given)
    with _changing((*stored.schedule.devices, *wanted.devices)):
        # Another person's change meanwhile stays, where this one is about something else.
        changed = registry().change(id, lambda schedule: _merged(schedule, given))
    _note_change(stored, changed)
    return SavedItem(changed, _warnings(wanted, changed))


def set_active(id: int, is_active: bool) -> SavedItem:
    """Activate or deactivate a schedule. Raises Refused, HttpError and Unreachable."""
    stored = existing(id)
    with _changing(stored.schedule.devices):
        changed = registry().set_active(id, is_active)
    _note_change(stored, changed)
    return SavedItem(changed, _warnings(changed.schedule, changed))


def delete(id: int) -> StoredSchedule:
    """Delete a schedule. Raises Refused, HttpError (401, 403) and Unreachable."""
    stored = existing(id)
    with _changing(stored.schedule.devices):
        deleted = registry().delete(id)
    note("schedule.deleted", _about(stored), "Deleted", audit_values(stored.schedule))
    return deleted


def undo(id: int, revision: int) -> StoredSchedule:
    """Undo the last change of a schedule. Raises Refused, HttpError (401, 403) and Unreachable."""
    stored = registry().find_deleted(id)
    if not _is_seen(stored):
        raise no_schedule(id)
    before = stored.previous.devices if stored.previous else ()
    with _changing((*stored.schedule.devices, *before)):
        undone = registry().undo(id, revision)
    values = audit_values(undone.schedule)
    text = "Change undone" if undone.deleted_at is None else "Addition undone"
    note("schedule.changed", _about(undone), text, audit_values(stored.schedule), values)
    return undone


@contextmanager
def _changing(numbers: Sequence[int]) -> Iterator[None]:
    """Lock the accounts for a change of a schedule for these cameras, and check the permission for
    each once more. Raises HttpError (401, 403)."""
    devices = _existing(followed(numbers, current_monitor().redirects))
    with visible_fleet().acting(EDIT):
        visible = visible_fleet().refreshed()
        if visible is None:
            raise login_ended()
        refused = [device for device in devices if not visible.may(EDIT, device)]
        if refused:
            raise _not_allowed(refused[0])
        yield


def _not_allowed(device: Device) -> HttpError:
    if device.id not in visible_fleet().devices():
        return HttpError(
            403,
            "This schedule also records cameras that you cannot see",
            "An administrator can change it, or create a schedule for your cameras alone.",
        )
    if visible_fleet().may(EDIT, device):
        return permission_gone()
    return HttpError(
        403,
        f"You don't have permission to schedule recordings of {labels.name(device)}",
        "An administrator can grant it under Settings > Users.",
    )


def _note_change(before: StoredSchedule, after: StoredSchedule) -> None:
    if after.revision == before.revision:
        return
    old, new = audit_values(before.schedule), audit_values(after.schedule)
    changed = [key for key in new if new[key] != old[key]]
    if changed == ["active"]:
        text = "Activated" if after.schedule.is_active else "Deactivated"
    else:
        text = f"{', '.join(changed)} changed".capitalize()
    note(
        "schedule.changed",
        _about(after),
        text,
        {key: old[key] for key in changed},
        {key: new[key] for key in changed},
    )


def _about(stored: StoredSchedule) -> str:
    return f"schedule {stored.schedule.name}"


# -- read from a request -----------------------------------------------------------------------


def _merged(schedule: Schedule, given: ScheduleFields) -> Schedule:
    """The schedule with the values of a request. Raises Invalid, and NotFound for a camera."""
    values: dict[str, Any] = {}
    fields = given.model_fields_set
    zone = one_line(given.timezone or "") or schedule.zone
    if "name" in fields:
        values["name"] = given.name or ""
    if {"camera", "cameras"} & fields:
        values["devices"] = _cameras(given)
    if given.schedule_type is not None:
        values["kind"] = given.schedule_type
    if "days_of_week" in fields:
        values["days"] = tuple(given.days_of_week or ())
    if given.is_active is not None:
        values["is_active"] = given.is_active
    if "record_quality" in fields:
        values["quality"] = given.record_quality
    return replace(schedule, zone=zone, **values, **_times(given, zone, schedule))


def _cameras(given: ScheduleFields) -> tuple[int, ...]:
    several = [visible_fleet().device(str(key)).id for key in given.cameras or ()]
    if given.camera is None or given.camera == "":
        return tuple(several)
    first = visible_fleet().device(str(given.camera)).id
    if several and first not in several:
        raise invalid(
            "camera", "camera is none of cameras", "Send one of the two, or both with that camera."
        )
    return tuple(several) or (first,)


def _times(given: ScheduleFields, zone: str, schedule: Schedule) -> dict[str, Any]:
    """Times and dates. A date and time are those of a one-time schedule."""
    values: dict[str, Any] = {}
    kind = given.schedule_type or schedule.kind
    for side in ("start", "end"):
        for part in ("date", "time"):
            if f"{side}_{part}" in given.model_fields_set:
                values[f"{side}_{part}"] = getattr(given, f"{side}_{part}")
        at = values.get(f"{side}_time")
        if isinstance(at, datetime):
            day, clock = _local(at, zone, f"{side}_time", kind)
            values[f"{side}_time"] = clock
            values[f"{side}_date"] = values.get(f"{side}_date") or day
    return values


def _local(at: datetime, zone: str, name: str, kind: str) -> tuple[date, time]:
    """The day and the time of day that a clock in the zone shows. Raises Invalid."""
    if kind != ONE_TIME:
        raise invalid(name, "A time of day is expected", "Send a time such as 18:00.")
    if at.tzinfo is not None:
        if zone not in zones():
            return at.date(), at.time().replace(microsecond=0)  # its check names the zone
        at = at.astimezone(ZoneInfo(zone))
    return at.date(), at.time().replace(microsecond=0)


def _warnings(wanted: Schedule, stored: StoredSchedule) -> list[str]:
    texts, now = unused(wanted), current_monitor().clock()
    schedule = stored.schedule
    if schedule.is_active and not is_due(schedule, now) and next_change(schedule, now) is None:
        texts.append(OVER)
    return texts


def week(schedule: Schedule, first: datetime) -> Sequence[tuple[datetime, datetime]]:
    """The times of a week at which a schedule records while it is active."""
    active = replace(schedule, is_active=True)
    return occurrences(active, first, first + timedelta(days=7))
