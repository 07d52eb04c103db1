"""The requests of the CCTV system: cameras as bare objects and lists."""

from collections.abc import Mapping

from flask import Blueprint, Response

from fleet import labels
from fleet.kinds import CAMERAS
from fleet.model import Device
from fleet.queries import DeviceFilter, select
from web.http.actions.cameras import (
    SavedDevice,
    add_camera,
    change_camera,
    check_now,
    delete_listed,
    sent_name,
)
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.cameras import (
    CameraFields,
    CctvCamera,
    CheckResult,
    NewCamera,
    PageQuery,
    SavedCctvCamera,
    cctv_camera,
    saved_cctv_camera,
)
from web.http.shapes.devices import Deleted, deleted
from web.http.visible_fleet import visible_fleet

bp = Blueprint("cctv", __name__)


@bp.get("/v0/api/cctv/cameras", strict_slashes=False)
@needs("device.list")
@describes(query=PageQuery, answer=list[CctvCamera])
def cameras() -> Response:
    """List all cameras and recorders, by number. The header X-Total-Count has their number."""
    query = query_args(PageQuery)
    devices, statuses = visible_fleet().statuses()
    size = query.per_page if query.page else None
    wanted = DeviceFilter(page=query.page, per_page=size)
    page = select(devices.values(), statuses, wanted, CAMERAS)
    response = json_response(
        [_row(device, statuses[device.id], devices) for device in page.devices]
    )
    response.headers["X-Total-Count"] = str(page.total)
    return response


@bp.post("/v0/api/cctv/cameras", strict_slashes=False)
@needs("device.add")
@describes(body=NewCamera, answer=SavedCctvCamera, errors=(404, 409, 503), status=201)
def create() -> Response:
    """Add a camera. `warnings` in the answer says what has no effect yet."""
    return _answer(add_camera(json_body(NewCamera)), 201)


@bp.get("/v0/api/cctv/cameras/<key>", strict_slashes=False)
@needs("device.view")
@describes(answer=CctvCamera, errors=(404,))
def read(key: str) -> Response:
    """Get a camera, without its password."""
    return json_response(_camera(key))


@bp.put("/v0/api/cctv/cameras/<key>", strict_slashes=False)
@bp.patch("/v0/api/cctv/cameras/<key>", strict_slashes=False)
@needs("device.edit")
@describes(body=CameraFields, answer=SavedCctvCamera, errors=(404, 409, 503))
def change(key: str) -> Response:
    """Change a camera. Fields that are left out keep their value."""
    return _answer(change_camera(visible_fleet().device(key), json_body(CameraFields)))


@bp.delete("/v0/api/cctv/cameras/<key>", strict_slashes=False)
@needs("fleet.delete")
@describes(answer=Deleted, errors=(404, 409, 415, 507))
def delete(key: str) -> Response:
    """Permanently delete a camera. This cannot be undone; its events stay in the journal. A body
    with `confirm` is optional: then its exact name must be there."""
    return json_response(deleted(delete_listed(visible_fleet().device(key), sent_name())))


@bp.post("/v0/api/cctv/cameras/<key>/test_connection", strict_slashes=False)
@needs("device.poll")
@describes(answer=CheckResult, errors=(404, 503))
def test_connection(key: str) -> Response:
    """Check a camera now, and wait for the results."""
    return json_response(check_now(visible_fleet().device(key)))


def _row(device: Device, device_status: str, seen: Mapping[int, Device]) -> CctvCamera:
    shows = visible_fleet().may("device.edit", device)
    name = labels.name_among(device, seen)
    return cctv_camera(device, device_status, name, shows_username=shows)


def _camera(key: str) -> CctvCamera:
    device, (seen, statuses) = visible_fleet().device(key), visible_fleet().statuses()
    return _row(device, statuses.get(device.id, device.status), seen)


def _answer(saved: SavedDevice, code: int = 200) -> Response:
    camera = saved_cctv_camera(_camera(str(saved.id)), saved.warnings)
    return json_response(camera, code)
