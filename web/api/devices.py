"""The requests of the device backend: devices of every kind."""

from flask import Blueprint, Response

from fleet import labels
from fleet.kinds import CAMERAS
from fleet.queries import DeviceFilter, select
from web.http.actions.cameras import (
    SavedDevice,
    add_device,
    change_device,
    check_now,
    delete_listed,
    sent_name,
)
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.cameras import (
    CheckResult,
    DeviceFields,
    DeviceList,
    DeviceRow,
    DeviceSaved,
    NewDevice,
    PageQuery,
    device_list,
    device_row,
    device_saved,
)
from web.http.shapes.devices import Deleted, deleted
from web.http.visible_fleet import visible_fleet

bp = Blueprint("devices", __name__)


@bp.get("/api/devices", strict_slashes=False)
@needs("device.list")
@describes(query=PageQuery, answer=DeviceList)
def devices() -> Response:
    """List all devices of every kind, by number."""
    query = query_args(PageQuery)
    seen, statuses = visible_fleet().statuses()
    size = query.per_page if query.page else None
    page = select(seen.values(), statuses, DeviceFilter(page=query.page, per_page=size), CAMERAS)
    rows = [
        device_row(device, statuses[device.id], labels.name_among(device, seen))
        for device in page.devices
    ]
    return json_response(device_list(rows, page.total, query))


@bp.post("/api/devices", strict_slashes=False)
@needs("device.add")
@describes(body=NewDevice, answer=DeviceSaved, errors=(409, 503), status=201)
def create() -> Response:
    """Add a device. `warnings` in the answer says what has no effect yet."""
    return _answer(add_device(json_body(NewDevice)), 201)


@bp.get("/api/devices/<key>", strict_slashes=False)
@needs("device.view")
@describes(answer=DeviceRow, errors=(404,))
def read(key: str) -> Response:
    """Get a device."""
    return json_response(_device(key))


@bp.put("/api/devices/<key>", strict_slashes=False)
@bp.patch("/api/devices/<key>", strict_slashes=False)
@needs("device.edit")
@describes(body=DeviceFields, answer=DeviceSaved, errors=(404, 409, 503))
def change(key: str) -> Response:
    """Change a device. Fields that are left out keep their value."""
    return _answer(change_device(visible_fleet().device(key), json_body(DeviceFields)))


@bp.delete("/api/devices/<key>", strict_slashes=False)
@needs("fleet.delete")
@describes(answer=Deleted, errors=(404, 409, 415, 507))
def delete(key: str) -> Response:
    """Permanently delete a device. This cannot be undone; its events stay in the journal. A body
    with `confirm` is optional: then its exact name must be there."""
    return json_response(deleted(delete_listed(visible_fleet().device(key), sent_name())))


@bp.post("/api/devices/<key>/poll", strict_slashes=False)
@needs("device.poll")
@describes(answer=CheckResult, errors=(404, 503))
def poll(key: str) -> Response:
    """Check a device now by every source that can, and wait for the results."""
    return json_response(check_now(visible_fleet().device(key)))


def _device(key: str) -> DeviceRow:
    device, (seen, statuses) = visible_fleet().device(key), visible_fleet().statuses()
    name = labels.name_among(device, seen)
    return device_row(device, statuses.get(device.id, device.status), name)


def _answer(saved: SavedDevice, code: int = 200) -> Response:
    return json_response(device_saved(_device(str(saved.id)), saved.undo, saved.warnings), code)
