"""The pages of schedules: the list, and the form with a week to draw in."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import ValidationError

from fleet import labels
from fleet.model import Device, Invalid, Refused
from fleet.texts import one_line
from video.due import is_always_recorded
from video.recorded import QUALITIES
from video.schedule import DAYS, KINDS, WEEKLY, Schedule
from video.schedule_check import LONGEST_NAME, zones
from video.schedule_words import (
    Bar,
    clock_text,
    described,
    first_day_shown,
    week_bars,
)
from video.server_zone import server_zone
from web.http.actions import schedules
from web.http.authorization import needs
from web.http.errors import HttpError, page_hint, status_of
from web.http.invalid import wording
from web.http.monitor import current_monitor
from web.http.shapes.schedules import ScheduleFields, ScheduleItem
from web.http.visible_fleet import can, visible_fleet
from web.pages import pickers
from web.pages.dates import span

bp = Blueprint("schedules_pages", __name__)
KIND_TITLES = {
    "daily": "Every day",
    "weekly": "Days of the week",
    "one_time": "One time",
    "continuous": "Always",
}
QUALITY_TITLES = {
    "": "As set for each camera",
    "high": "High (main stream)",
    "medium": "Medium (main stream)",
    "low": "Low (sub stream)",
}
DONE = {
    "added": "Schedule created",
    "changed": "Schedule saved",
    "activated": "Schedule activated",
    "deactivated": "Schedule deactivated",
    "deleted": "Schedule deleted",
    "undone": "Undone",
    "unchanged": "Nothing changed",
}
SHOWN_NAMES = 3
FIELDS = ("camera", "cameras")
"""Errors of these are shown beside the field that finds cameras."""


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule as the list shows it. `zone` is empty for that of this server."""

    item: ScheduleItem
    when: str
    zone: str
    week: tuple[tuple[Bar, ...], ...]
    monday: date
    cameras: str
    all_cameras: str
    next: str
    at: datetime | None
    shares: str
    may_edit: bool

    @property
    def schedule(self) -> Schedule:
        return self.item.stored.schedule


@bp.get("/schedules")
@needs("schedule.view")
def index() -> str:
    """All schedules that this person sees."""
    camera = request.args.get("camera", "")[:60]
    device = visible_fleet().device(camera) if camera else None
    chosen = schedules.items(schedules.seen(camera))
    is_own_link = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    done = request.args.get("done", "") if is_own_link else ""
    return render_template(
        "schedules.html",
        rows=[_view(item) for item in chosen],
        days=DAYS,
        camera=device,
        camera_name=labels.name(device) if device else "",
        done=DONE.get(done, ""),
        undo=(_number("id"), _number("revision")) if done not in ("undone", "unchanged") else None,
    )


def _view(item: ScheduleItem) -> ScheduleView:
    schedule, now = item.stored.schedule, current_monitor().clock()
    names = [*item.cameras.values()]
    if item.hidden:
        names.append(f"{item.hidden} that you cannot see")
    monday = first_day_shown(schedule, now)
    return ScheduleView(
        item=item,
        when=described(schedule),
        zone="" if schedule.zone == server_zone() else schedule.zone,
        week=tuple(tuple(bars) for bars in week_bars(schedule, monday)),
        monday=monday,
        cameras=_shortened(names) or "No cameras left",
        all_cameras=", ".join(names) if len(names) > SHOWN_NAMES else "",
        next=next_words(item, now),
        at=item.due_until if item.is_due else item.next_run,
        shares=_shares(item),
        may_edit=schedules.may_edit(item.stored),
    )


def _shortened(names: list[str]) -> str:
    shown, more = names[:SHOWN_NAMES], len(names) - SHOWN_NAMES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def next_words(item: ScheduleItem, now: datetime) -> str:
    """What comes next, such as "now, until Tue 06:00" or "Mon 18:00, in 6 h"."""
    schedule = item.stored.schedule
    zone = ZoneInfo(schedule.zone)
    if not schedule.is_active:
        return "off"
    if item.is_due:
        return f"now, until {_moment(item.due_until, zone, now)}" if item.due_until else "now"
    if item.next_run is None:
        return "over"
    return f"{_moment(item.next_run, zone, now)}, in {span(item.next_run - now)}"


def _moment(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    local = at.astimezone(zone)
    days = (local.date() - now.astimezone(zone).date()).days
    if days == 0:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if 0 < days < 7 else f"{local:%-d %b %Y, %H:%M}"


def _shares(item: ScheduleItem) -> str:
    """What else records the same cameras at the same time, in words."""
    names = [f"“{other.name}”" for other in item.shares_with]
    devices = visible_fleet().devices()
    always = [id for id in item.cameras if is_always_recorded(devices[id])]
    if always and item.stored.schedule.is_active:
        names.append("the continuous recording of " + labels.name(devices[always[0]]))
    return _shortened(names)


# -- the form --------------------------------------------------------------------------------


@bp.get("/schedules/edit")
@needs("schedule.view")
def edit() -> str:
    """The form of a schedule; without a number that of a new one. Without its buttons for a person
    who may only see it."""
    id = _number("schedule")
    if id:
        stored = schedules.existing(id)
        return _form(stored.schedule, id, schedules.may_edit(stored))
    camera = request.args.get("camera", "")[:60]
    devices = (visible_fleet().device(camera).id,) if camera else ()
    return _form(_new(devices), may_edit=can("schedule.edit"))


def _new(devices: tuple[int, ...] = ()) -> Schedule:
    return Schedule(0, "", WEEKLY, devices, server_zone(), days=DAYS[:5])


@bp.post("/schedules/edit")
@needs("schedule.edit")
def save() -> Any:
    """Save the form."""
    id = _number("schedule")
    try:
        fields = _typed()
        if id:
            before = schedules.existing(id)
            saved = schedules.change(id, fields).stored
            done = "unchanged" if saved.revision == before.revision else "changed"
            return _back(done, saved.id, saved.revision)
        saved = schedules.add(fields).stored
        return _back("added", saved.id, saved.revision)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        text = {"field": name, "error": f"This {wording(first)}", "hint": ""}
        return Response(_form(_new(), id, typed=True, fault=text), 422)
    except (Refused, HttpError) as error:
        code = error.status if isinstance(error, HttpError) else status_of(error)
        name = "" if isinstance(error, HttpError) else error.field
        shown = "cameras" if name in FIELDS else name
        text = {"field": shown, "error": error.error, "hint": page_hint(error.hint)}
        return Response(_form(_new(), id, typed=True, fault=text), code)


def _typed() -> ScheduleFields:
    """The values of the form. Raises Invalid and ValidationError."""
    form = request.form
    dates = {f"{side}_date": form.get(f"{side}_date", "") or None for side in ("start", "end")}
    times = {f"{side}_time": form.get(f"{side}_time", "") or None for side in ("start", "end")}
    kind = form.get("schedule_type", "")
    if kind not in KINDS:
        raise _invalid("schedule_type", "No type is selected", "Choose one.")
    if kind != WEEKLY:
        times = times if kind != "continuous" else dict.fromkeys(times)
    values: dict[str, Any] = {
        "name": form.get("name", "")[: LONGEST_NAME + 1],
        "cameras": pickers.picked_numbers("cameras"),
        "schedule_type": kind,
        "days_of_week": form.getlist("days_of_week")[:7] if kind == WEEKLY else [],
        "timezone": one_line(form.get("timezone", ""))[:64] or server_zone(),
        "record_quality": form.get("record_quality") or None,
        "is_active": form.get("is_active") == "yes",
        **times,
        **dates,
    }
    return ScheduleFields.model_validate(values)


def _invalid(field: str, error: str, hint: str) -> Invalid:
    fault = Invalid(error, hint)
    fault.field = field
    return fault


def _form(
    schedule: Schedule,
    id: int = 0,
    may_edit: bool = True,
    typed: bool = False,
    fault: dict[str, str] | None = None,
) -> str:
    """The page of the form, with the values of a schedule or those that were typed."""
    form = request.form
    values: dict[str, Any] = {
        "name": schedule.name,
        "schedule_type": schedule.kind,
        "days_of_week": schedule.days,
        "start_time": clock_text(schedule.start_time),
        "end_time": clock_text(schedule.end_time),
        "start_date": schedule.start_date or "",
        "end_date": schedule.end_date or "",
        "timezone": schedule.zone,
        "record_quality": schedule.quality or "",
        "is_active": schedule.is_active,
    }
    if typed:
        values = {key: form.get(key, "")[:200] for key in values}
        values["days_of_week"] = form.getlist("days_of_week")[:7]
    monday = first_day_shown(schedule, current_monitor().clock())
    return render_template(
        "schedule_edit.html",
        id=id,
        values=values,
        picker=pickers.as_typed("cameras") if typed else pickers.of(schedule.devices),
        week=week_bars(schedule, monday) if schedule.start_time or not schedule.days else [[]] * 7,
        days=DAYS,
        kinds=KIND_TITLES,
        qualities={key: QUALITY_TITLES[key] for key in ("", *QUALITIES)},
        zones=sorted(zone for zone in zones() if "/" in zone and not zone.startswith("Etc/")),
        fault=fault,
        longest=LONGEST_NAME,
        may_edit=may_edit,
    )


# -- buttons ---------------------------------------------------------------------------------


@bp.post("/schedules")
@needs("schedule.edit")
def act() -> Any:
    """The buttons of a schedule: activate, deactivate, delete and undo."""
    id = _number("id")
    match request.form.get("do"):
        case "activate" | "deactivate" as do:
            stored = schedules.set_active(id, do == "activate").stored
            return _back(f"{do}d", stored.id, stored.revision)
        case "delete":
            stored = schedules.delete(id)
            return _back("deleted", stored.id, stored.revision)
        case "undo":
            schedules.undo(id, _number("revision"))
            return _back("undone")
        case _:
            raise HttpError(422, "The form cannot do this", "Use one of its buttons.")


def _back(done: str, id: int = 0, revision: int = 0) -> Any:
    number = f"&id={id}&revision={revision}" if id and done != "unchanged" else ""
    return redirect(f"/schedules?done={done}{number}", 303)


def _number(name: str) -> int:
    text = request.values.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


# -- of one device ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceSchedules:
    """What records a device, for its details: schedules with their times in words."""

    is_always: bool
    rows: tuple[tuple[Schedule, str], ...]
    may_add: bool


def of_device(device: Device) -> DeviceSchedules | None:
    """The schedules of a device; None where this person may not see them."""
    if not visible_fleet().may("schedule.view", device):
        return None
    chosen = [stored.schedule for stored in schedules.seen(str(device.id))]
    return DeviceSchedules(
        is_always_recorded(device),
        tuple((schedule, described(schedule)) for schedule in chosen),
        visible_fleet().may("schedule.edit", device),
    )
