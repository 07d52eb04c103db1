"""The cameras: lists, one camera, and what people may change."""

from collections.abc import Sequence
from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import Field
from typing_extensions import TypedDict

from fleet import cleaning, editing, shapes, status
from fleet.model import Device, Edit, Event, NotFound
from fleet.queries import CAMERAS, select
from web.http.auditing import note, who
from web.http.authorization import needs
from web.http.errors import Problem
from web.http.list_query import ListQuery
from web.http.monitor import Monitor, monitor
from web.http.payloads import Strict, answered, asked, describes, sent
from web.http.visible_fleet import visible

bp = Blueprint("cameras", __name__)
HIGHEST = 2**62
"""No number in a database is higher."""


Tag = Annotated[str, Field(max_length=editing.LONGEST_TAG)]


class Change(Strict):
    """What to change; what is left out stays. An empty name: the camera's own counts."""

    name: str | None = Field(None, max_length=editing.LONGEST["name"])
    notes: str | None = Field(None, max_length=editing.LONGEST["notes"])
    tags: list[Tag] | None = Field(None, max_length=editing.MAX_TAGS)
    site: str | None = Field(None, max_length=editing.LONGEST["site"])
    parent: int | None = Field(None, ge=1, description="The number of what it stands behind.")


class Merge(Strict):
    """The number of the other record of the same device."""

    other: int = Field(ge=1, alias="with")


class Split(Strict):
    """The identities that are another device."""

    identities: list[str] = Field(min_length=1, max_length=100)


class UndoBody(Strict):
    """The number of the edit's event, as the edit answered it."""

    event: int = Field(ge=1, le=HIGHEST)


class Cleanup(Strict):
    """Not seen for so many days."""

    days: int = Field(90, ge=1, le=36500)


class Cleaned(TypedDict):
    success: bool
    retired: int


class Edited(TypedDict):
    """The device after an edit. `undo`: what POST /api/undo takes, or null."""

    success: bool
    camera: shapes.CameraDetail
    undo: int | None


@bp.get("/api/cameras", strict_slashes=False)
@needs("device.list")
@describes(query=ListQuery, answer=shapes.CameraList)
def cameras() -> Response:
    """Every camera and recorder, with filter, search, sort and page on request."""
    here = monitor()
    devices, statuses = visible().statuses()
    found = select(devices.values(), statuses, asked(ListQuery).filter(), CAMERAS)
    body = {
        "cameras": here.encoded.of(found.devices, statuses, here.clock(), here.rules()),
        "count": len(found.devices),
        "last_scan": shapes.last_scan(here.tracker.fleet()),
        "scan_in_progress": here.scanner.progress() is not None,
    }
    if found.page is not None and found.per_page is not None:
        body["total"], body["page"], body["per_page"] = found.total, found.page, found.per_page
    return answered(body)


@bp.get("/api/camera/<key>")
@needs("device.view")
@describes(answer=shapes.CameraDetail, errors=(404,))
def camera(key: str) -> Response:
    """One camera, by its number or by its MAC in any spelling."""
    return answered(_detail(monitor(), key))


@bp.patch("/api/camera/<key>")
@needs("device.edit")
@describes(body=Change, answer=Edited, errors=(404, 409, 422))
def change(key: str) -> Response:
    """Change its name, notes, tags, site, or what it stands behind."""
    given = sent(Change).model_dump(exclude_unset=True)
    if given.get("tags", ()) is None:
        given["tags"] = []
    return _edit(key, "change", given)


@bp.post("/api/camera/<key>/merge")
@needs("device.edit")
@describes(body=Merge, answer=Edited, errors=(404, 409, 422))
def merge(key: str) -> Response:
    """Two records are one device: the lower number stays, the other leads to it."""
    return _edit(key, "merge", {"with": sent(Merge).other})


@bp.post("/api/camera/<key>/split")
@needs("device.edit")
@describes(body=Split, answer=Edited, errors=(404, 409, 422))
def split(key: str) -> Response:
    """Some identities of a record are another device, and stay so."""
    return _edit(key, "split", {"identities": sent(Split).identities})


@bp.get("/api/camera/<key>/uptime")
@needs("device.view")
@describes(answer=shapes.UptimeRow, errors=(404, 503))
def uptime(key: str) -> Response:
    """How well it answered on each of the last 90 days."""
    here = monitor()
    device = visible().device(key)
    return answered(shapes.uptime(here.journal.uptimes([device], here.clock())[device.id]))


@bp.post("/api/camera/<key>/retire")
@needs("device.edit")
@describes(answer=Edited, errors=(404, 409, 507))
def retire(key: str) -> Response:
    """Take a camera out of all counts. When it answers again, it comes back by itself."""
    return _edit(key, "retire", {})


@bp.post("/api/camera/<key>/restore")
@needs("device.edit")
@describes(answer=Edited, errors=(404, 409, 507))
def restore(key: str) -> Response:
    """Bring a retired camera back."""
    return _edit(key, "restore", {})


@bp.post("/api/undo")
@needs("device.edit")
@describes(body=UndoBody, answer=Edited, errors=(404, 409, 422, 503))
def undo() -> Response:
    """Take an edit back, unless somebody changed the same thing since."""
    return _edited(undoing(monitor(), sent(UndoBody).event))


@bp.post("/api/cleanup")
@needs("fleet.clean")
@describes(body=Cleanup, answer=Cleaned, errors=(409, 422))
def cleanup() -> Response:
    """Retire what discovery found once and nobody has seen for so many days."""
    return answered({"success": True, "retired": retire_silent(sent(Cleanup).days)})


def check_clock() -> None:
    """Raises Problem (409) while nothing may be judged by its age."""
    if doubt := monitor().trusted.doubt():
        raise Problem(409, doubt, "Confirm the date under Settings, Jobs, or set the clock.")


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


def beyond_reach() -> Problem:
    """The answer to who is limited and would change what others see."""
    return Problem(
        403,
        "Only who sees every camera may merge, split or move to another site",
        "Ask an administrator to do it.",
    )


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


def _edit(key: str, kind: str, fields: dict[str, Any]) -> Response:
    return _edited(edit_of(key, kind, fields))


def _edited(edit: Edit) -> Response:
    events = apply_edit(edit)
    body: Edited = {
        "success": True,
        "camera": _detail(monitor(), edit.identity.removeprefix("id:")),
        "undo": undo_of(events),
    }
    return answered(body)


def _detail(here: Monitor, key: str) -> shapes.CameraDetail:
    device, now, rules = visible().device(key), here.clock(), here.rules()
    word = status.status(device, here.tracker.devices(), now, rules)
    return shapes.detail(device, word, now, rules)
