"""Starting and stopping recordings, as JSON."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from fleet.shapes import Time, iso
from video.recorded import Recording
from video.recorder import DEFAULT_MINUTES, MOST_MINUTES, RecordingStatus
from web.http.payloads import Strict

StatusName = Literal["recording", "completed", "failed"]


class StartRecording(Strict):
    """A recording by hand."""

    duration_minutes: int = Field(DEFAULT_MINUTES, ge=1, le=MOST_MINUTES)
    recording_name: str = Field("", max_length=200, pattern=r"^[^\x00-\x1f]*$")


class ControlledRecording(TypedDict):
    """A recording. `kind` is manual, schedule or auto; `due_until`: when it ends by itself, null
    without an end. `reason`: why it has failed, or has gaps."""

    id: int
    name: str
    kind: str
    schedule: int | None
    stream: str
    quality: str
    status: StatusName
    reason: str
    started_at: Time
    ended_at: Time | None
    due_until: Time | None
    by: str
    url: str


class RecordingChanged(TypedDict):
    """A recording that was started or stopped."""

    success: bool
    message: str
    recording: ControlledRecording


class CameraRecordingStatus(TypedDict):
    """What is recorded of a camera. `status` is that of the newest recording, null if there never
    was one; `recordings` are all that run now. `reason`: why no picture is being recorded, or
    empty. `elapsed_seconds` and `remaining_seconds` are those of the newest one while it runs.
    `size` in bytes and `resolution`: of the file that is being written."""

    camera: int
    is_recording: bool
    status: StatusName | None
    reason: str
    recording: ControlledRecording | None
    recordings: list[ControlledRecording]
    elapsed_seconds: int | None
    remaining_seconds: int | None
    size: int | None
    resolution: str | None


def controlled_recording(recording: Recording) -> ControlledRecording:
    return {
        "id": recording.id,
        "name": recording.name,
        "kind": recording.kind,
        "schedule": recording.schedule,
        "stream": recording.stream,
        "quality": recording.quality,
        "status": recording.status,  # type: ignore[typeddict-item]
        "reason": recording.reason,
        "started_at": iso(recording.started_at) or "",
        "ended_at": iso(recording.ended_at),
        "due_until": iso(recording.due_until),
        "by": recording.by,
        "url": f"/v0/api/cctv/recordings/{recording.id}/",
    }


def recording_changed(recording: Recording, message: str) -> RecordingChanged:
    return {"success": True, "message": message, "recording": controlled_recording(recording)}


def camera_recording_status(
    camera: int, status: RecordingStatus, now: datetime
) -> CameraRecordingStatus:
    newest = status.recordings[-1] if status.recordings else None
    file = status.files[-1] if status.files else None
    shown = newest or status.last
    left = newest.due_until - now if newest and newest.due_until else None
    return {
        "camera": camera,
        "is_recording": newest is not None,
        "status": shown.status if shown else None,  # type: ignore[typeddict-item]
        "reason": status.reason or (shown.reason if shown else ""),
        "recording": controlled_recording(shown) if shown else None,
        "recordings": [controlled_recording(recording) for recording in status.recordings],
        "elapsed_seconds": _seconds(now - newest.started_at) if newest else None,
        "remaining_seconds": _seconds(left) if left is not None else None,
        "size": file.size if file else None,
        "resolution": f"{file.width}x{file.height}" if file else None,
    }


def _seconds(length: timedelta) -> int:
    return max(0, round(length.total_seconds()))
