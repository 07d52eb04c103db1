"""Start and stop recordings by hand, as the CCTV system does."""

from flask import Blueprint, Response, request

from video.build import VideoPackage
from video.recorder import Recorder
from web.http.actions.recordings import note_by_hand
from web.http.auditing import actor_name
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.recording_control import (
    CameraRecordingStatus,
    RecordingChanged,
    StartRecording,
    camera_recording_status,
    recording_changed,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("cctv_recording", __name__)


def recorder() -> Recorder:
    return current_monitor().packages.find(VideoPackage).recorder


@bp.post("/v0/api/cctv/cameras/<key>/start_recording", strict_slashes=False)
@needs("recording.control")
@describes(body=StartRecording, answer=RecordingChanged, errors=(404, 409, 503), status=201)
def start(key: str) -> Response:
    """Record a camera now. It ends by itself after `duration_minutes`. What a schedule records
    meanwhile is recorded once."""
    device = visible_fleet().device(key)
    wanted = json_body(StartRecording) if request.get_data() else StartRecording()
    recording = recorder().start_recording(
        device, wanted.duration_minutes, wanted.recording_name, actor_name()
    )
    text = f"Recording {recording.name} started for {wanted.duration_minutes} min"
    note_by_hand("recording.started", device, text, recording)
    return json_response(recording_changed(recording, "Recording started"), 201)


@bp.post("/v0/api/cctv/cameras/<key>/stop_recording", strict_slashes=False)
@needs("recording.control")
@describes(answer=RecordingChanged, errors=(404, 409, 503))
def stop(key: str) -> Response:
    """Stop the recording that was started by hand. Schedules go on."""
    device = visible_fleet().device(key)
    recording = recorder().stop_recording(device)
    text = f"Recording {recording.name} stopped"
    note_by_hand("recording.stopped", device, text, recording)
    return json_response(recording_changed(recording, "Recording stopped"))


@bp.get("/v0/api/cctv/cameras/<key>/recording_status", strict_slashes=False)
@needs("recording.view")
@describes(answer=CameraRecordingStatus, errors=(404, 503))
def status(key: str) -> Response:
    """Get what is recorded of a camera now, and its newest recording."""
    device, monitor = visible_fleet().device(key), current_monitor()
    state = recorder().status(device.id)
    return json_response(camera_recording_status(device.id, state, monitor.clock()))
