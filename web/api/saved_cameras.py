"""Cameras that people list: add, read, change, delete, check, and test before they are saved."""

from collections.abc import Callable, Iterator
from contextlib import closing

import orjson
from flask import Blueprint, Response, request, stream_with_context

from discovery.trial_steps import Step
from discovery.trials import Trial
from fleet import shapes, status
from web.http.actions.cameras import (
    SavedDevice,
    add_camera,
    begin_trial,
    change_camera,
    check_now,
    delete_listed,
    sent_name,
)
from web.http.authorization import needs
from web.http.live_views import has_hung_up
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.cameras import (
    CameraFields,
    CameraSaved,
    CheckResult,
    ConnectionFields,
    NewCamera,
    SavedCamera,
    TrialResult,
    camera_saved,
    saved_camera,
    step_row,
    trial_result,
)
from web.http.shapes.devices import Deleted, deleted
from web.http.visible_fleet import visible_fleet

bp = Blueprint("saved_cameras", __name__)
LINES = "application/x-ndjson"
PAUSE = 1.0
"""Seconds after which it is noticed that the client of a connection test has left."""


@bp.post("/api/cameras", strict_slashes=False)
@needs("device.add")
@describes(body=NewCamera, answer=CameraSaved, errors=(404, 409, 503), status=201)
def create() -> Response:
    """Add a camera by its address or stream URL. It is checked at once."""
    return _answer(add_camera(json_body(NewCamera)), 201)


@bp.get("/api/cameras/<key>", strict_slashes=False)
@needs("device.view")
@describes(answer=SavedCamera, errors=(404,))
def read(key: str) -> Response:
    """Get a camera with how it is reached, without its password."""
    return json_response(_camera(key))


@bp.put("/api/cameras/<key>", strict_slashes=False)
@bp.patch("/api/cameras/<key>", strict_slashes=False)
@needs("device.edit")
@describes(body=CameraFields, answer=CameraSaved, errors=(404, 409, 503))
def change(key: str) -> Response:
    """Change a camera. Fields that are left out keep their value, also with PUT."""
    return _answer(change_camera(visible_fleet().device(key), json_body(CameraFields)))


@bp.delete("/api/cameras/<key>", strict_slashes=False)
@needs("fleet.delete")
@describes(answer=Deleted, errors=(404, 409, 415, 507))
def delete(key: str) -> Response:
    """Permanently delete a camera. This cannot be undone; its events stay in the journal. A body
    with `confirm` is optional: then its exact name must be there."""
    return json_response(deleted(delete_listed(visible_fleet().device(key), sent_name())))


@bp.post("/api/cameras/<key>/test", strict_slashes=False)
@needs("device.poll")
@describes(answer=CheckResult, errors=(404, 503))
def check(key: str) -> Response:
    """Check a saved camera now by every source that can, and wait for the results."""
    return json_response(check_now(visible_fleet().device(key)))


@bp.post("/api/cameras/test", strict_slashes=False)
@needs("device.add")
@describes(
    body=ConnectionFields, answer=TrialResult, media=("application/json", LINES), errors=(503,)
)
def test() -> Response:
    """Test an address and a login before the camera is saved; the login is not kept. With
    `Accept: application/x-ndjson`, each step is sent as a line when it comes."""
    trial = begin_trial(json_body(ConnectionFields))
    sock = request.environ.get("gunicorn.socket")
    steps = _until_left(trial, lambda: has_hung_up(sock))
    if request.accept_mimetypes.best != LINES:
        return json_response(trial_result(steps))
    response = Response(stream_with_context(map(_line, steps)), mimetype=LINES)
    response.call_on_close(trial.close)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _line(step: Step) -> bytes:
    return orjson.dumps(step_row(step)) + b"\n"


def _until_left(trial: Trial, has_left: Callable[[], bool]) -> Iterator[Step]:
    """The steps of the trial, which ends when its client has left."""
    with closing(trial):
        for step in trial.steps(PAUSE):
            if step is not None:
                yield step
            elif has_left():
                return


def _camera(key: str) -> SavedCamera:
    monitor, visible = current_monitor(), visible_fleet()
    device, now, rules = visible.device(key), monitor.clock(), monitor.rules()
    device_status = status.status(device, monitor.tracker.devices(), now, rules)
    detail = shapes.detail(device, device_status, now, rules, visible.devices())
    return saved_camera(device, detail, shows_username=visible.may("device.edit", device))


def _answer(saved: SavedDevice, code: int = 200) -> Response:
    answer = camera_saved(_camera(str(saved.id)), saved.undo, saved.warnings)
    return json_response(answer, code)
