"""The cameras: lists, one camera, and what people may change."""

from typing import Any

from flask import Blueprint, Response

from fleet import shapes, status
from fleet.model import Edit
from web.http.actions import bulk, credentials
from web.http.actions.bulk import BulkChange, BulkResult
from web.http.actions.devices import (
    apply_and_audit,
    device_edit,
    is_deleted,
    retire_silent,
    undo_edit,
    undo_number,
)
from web.http.authorization import needs
from web.http.errors import HttpError
from web.http.monitor import Monitor, current_monitor
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.selection import selected
from web.http.shapes.devices import (
    BulkEdit,
    BulkEdited,
    BulkUndo,
    Change,
    Cleaned,
    Cleanup,
    Edited,
    ListQuery,
    Merge,
    Split,
    UndoBody,
    bulk_edited,
    camera_list,
    cleaned,
    edited,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("cameras", __name__)


@bp.get("/api/cameras", strict_slashes=False)
@needs("device.list")
@describes(query=ListQuery, answer=shapes.CameraList)
def cameras() -> Response:
    """List all cameras and recorders, with optional filter, search, sorting and paging."""
    monitor = current_monitor()
    devices, statuses = visible_fleet().statuses()
    page = selected(query_args(ListQuery), (devices, statuses))
    rows = monitor.encoded.of(page.devices, devices, statuses, monitor.clock(), monitor.rules())
    last_scan = shapes.last_scan(monitor.tracker.fleet())
    is_scanning = monitor.scanner.progress() is not None
    return json_response(camera_list(page, rows, last_scan, is_scanning))


@bp.get("/api/camera/<key>")
@needs("device.view")
@describes(answer=shapes.CameraDetail, errors=(404,))
def camera(key: str) -> Response:
    """Get a camera by its number or its MAC in any spelling."""
    return json_response(_detail(current_monitor(), key))


@bp.patch("/api/camera/<key>")
@needs("device.edit")
@describes(body=Change, answer=Edited, errors=(404, 409, 422))
def change(key: str) -> Response:
    """Change the name, notes, tags, site, kind or parent devices of a camera."""
    given = json_body(Change).model_dump(exclude_unset=True)
    for name in ("tags", "parents"):
        if given.get(name, ()) is None:
            given[name] = []
    if given.get("kind", "") is None:
        del given["kind"]
    return _edit(key, "change", given)


@bp.post("/api/camera/<key>/merge")
@needs("device.edit")
@describes(body=Merge, answer=Edited, errors=(404, 409, 422))
def merge(key: str) -> Response:
    """Merge two records of one device. The lower number is kept; the other redirects to it."""
    return _edit(key, "merge", json_body(Merge).model_dump(by_alias=True))


@bp.post("/api/camera/<key>/split")
@needs("device.edit")
@describes(body=Split, answer=Edited, errors=(404, 409, 422))
def split(key: str) -> Response:
    """Split identities off a record into another device. The two stay separate."""
    return _edit(key, "split", json_body(Split).model_dump())


@bp.get("/api/camera/<key>/uptime")
@needs("device.view")
@describes(answer=shapes.UptimeRow, errors=(404, 503))
def uptime(key: str) -> Response:
    """Get the uptime of a camera for each of the last 90 days."""
    monitor = current_monitor()
    device = visible_fleet().device(key)
    return json_response(
        shapes.uptime(monitor.journal.uptimes([device], monitor.clock())[device.id])
    )


@bp.post("/api/camera/<key>/retire")
@needs("device.edit")
@describes(answer=Edited, errors=(404, 409, 507))
def retire(key: str) -> Response:
    """Retire a camera: exclude it from all counts. It is restored when it is online again."""
    return _edit(key, "retire", {})


@bp.post("/api/camera/<key>/restore")
@needs("device.edit")
@describes(answer=Edited, errors=(404, 409, 507))
def restore(key: str) -> Response:
    """Restore a retired camera."""
    return _edit(key, "restore", {})


@bp.post("/api/undo")
@needs("device.edit")
@describes(body=UndoBody, answer=Edited, errors=(404, 409, 422, 503))
def undo() -> Response:
    """Undo an edit, unless the same value was changed since."""
    edit = undo_edit(current_monitor(), json_body(UndoBody).event)
    if edit.kind == credentials.EDIT:
        return json_response(edited(None, undo_number(credentials.apply(edit))))
    return _edited(edit)


@bp.post("/api/cleanup")
@needs("fleet.clean")
@describes(body=Cleanup, answer=Cleaned, errors=(409, 422))
def cleanup() -> Response:
    """Retire devices found by discovery that were not seen for this many days."""
    return json_response(cleaned(retire_silent(json_body(Cleanup).days)))


@bp.post("/api/cameras/bulk")
@needs("device.edit")
@describes(body=BulkEdit, answer=BulkEdited, errors=(409, 422, 507))
def bulk_edit() -> Response:
    """Change many cameras in one write: tags, site, parent device; retire or restore them."""
    given = json_body(BulkEdit)
    if (given.ids is None) == (given.filter is None):
        raise HttpError(422, "Select the devices by ids or by filter", "Send one of the two.")
    fields: dict[str, Any] = given.model_dump(
        include={"site", "parent", "interval", "credentials"}, exclude_unset=True
    )
    if given.recording:
        fields["recording"] = given.recording.model_dump(exclude_unset=True)
    access = given.access.model_dump(exclude_none=True) if given.access else {}
    change = BulkChange(given.add_tags, given.remove_tags, fields, given.retired, access)
    if given.filter is None:
        devices, missing = bulk.devices_of(given.ids or ())
        return _bulk_edited(bulk.edit_many(devices, change, missing))
    devices = bulk.devices_matching(given.filter, given.excluded, given.count)
    return _bulk_edited(bulk.edit_many(devices, change))


@bp.post("/api/cameras/bulk/undo")
@needs("device.edit")
@describes(body=BulkUndo, answer=BulkEdited, errors=(404, 422, 503, 507))
def bulk_undo() -> Response:
    """Undo a bulk edit. Values changed since are kept."""
    return _bulk_edited(bulk.undo_many(json_body(BulkUndo).events))


def _bulk_edited(result: BulkResult) -> Response:
    answer = bulk_edited(result.changed, result.unchanged, result.failed, result.undo, result.text)
    return json_response(answer)


def _edit(key: str, kind: str, fields: dict[str, Any]) -> Response:
    return _edited(device_edit(key, kind, fields))


def _edited(edit: Edit) -> Response:
    events = apply_and_audit(edit)
    number = edit.identity.removeprefix("id:")
    camera = None if is_deleted(events) else _detail(current_monitor(), number)
    return json_response(edited(camera, undo_number(events)))


def _detail(monitor: Monitor, key: str) -> shapes.CameraDetail:
    device, now, rules = visible_fleet().device(key), monitor.clock(), monitor.rules()
    device_status = status.status(device, monitor.tracker.devices(), now, rules)
    return shapes.detail(device, device_status, now, rules, visible_fleet().devices())
