"""The button that records a camera by hand, also without script."""

from typing import Any

from flask import Blueprint, redirect, request

from fleet.model import Invalid
from video.build import VideoPackage
from web.http.actions.recordings import note_by_hand
from web.http.auditing import actor_name
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet

bp = Blueprint("record_pages", __name__)


@bp.post("/cameras/<key>/record")
@needs("recording.control")
def record(key: str) -> Any:
    """Start a recording, or stop the one that was started by hand."""
    device = visible_fleet().device(key)
    recorder = current_monitor().packages.find(VideoPackage).recorder
    match request.form.get("do"):
        case "start":
            recording = recorder.start_recording(device, by=actor_name())
            text = f"Recording {recording.name} started"
            note_by_hand("recording.started", device, text, recording)
        case "stop":
            recording = recorder.stop_recording(device)
            text = f"Recording {recording.name} stopped"
            note_by_hand("recording.stopped", device, text, recording)
        case _:
            raise Invalid("The form cannot do this", "Use its button.")
    return redirect(f"/cameras/{device.id}", 303)
