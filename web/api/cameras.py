"""The cameras: lists, one camera, and what people may change."""

from typing import Any

from flask import Blueprint, Response

from fleet import shapes, status
from fleet.model import Edit
from fleet.queries import CAMERAS, select
from web.http.actions.devices import apply_edit, edit_of, retire_silent, undo_of, undoing
from web.http.authorization import needs
from web.http.monitor import Monitor, monitor
from web.http.payloads import answered, asked, describes, sent
from web.http.shapes.devices import (
    Change,
    Cleaned,
    Cleanup,
    Edited,
    ListQuery,
    Merge,
    Split,
    UndoBody,
)
from web.http.visible_fleet import visible

bp = Blueprint("cameras", __name__)


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
