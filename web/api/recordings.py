"""Recordings: the list, one of them, its file, and the day of a camera."""

from datetime import date, timedelta
from functools import partial

from flask import Blueprint, Response

from web.http.actions import recordings
from web.http.actions.recordings import CHUNKS_AT_ONCE, library, recording_for
from web.http.actions.sharing import create_link
from web.http.auditing import actor_name
from web.http.authorization import needs, public
from web.http.byte_ranges import attachment, safe_name
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.recording_links import Link, is_signed, person_behind
from web.http.shapes.recordings import (
    CCTV,
    DayJson,
    DayQuery,
    LinkBody,
    LinkJson,
    LinkQuery,
    MomentQuery,
    PartQuery,
    PlaybackJson,
    RecordingChange,
    RecordingDeleted,
    RecordingDetail,
    RecordingJson,
    RecordingList,
    RecordingQuery,
    RecordingSaved,
    SpanQuery,
    day_json,
    link_json,
    playback_json,
    playback_url,
    recording_deleted,
    recording_detail,
    recording_list,
    recording_saved,
    zone_named,
)
from web.http.visible_fleet import visible_fleet, visible_to

bp = Blueprint("recordings", __name__)
VIDEO = ("video/mp4",)
PICTURE = ("image/jpeg",)
LONGEST_PART = 40
"""Characters of each name in the name of a file: many systems allow 255 bytes in all."""


@bp.get("/v0/api/cctv/recordings", strict_slashes=False)
@needs("recording.view")
@describes(query=RecordingQuery, answer=list[RecordingJson], errors=(404, 422, 503))
def cctv_list() -> Response:
    """List recordings, newest first, 1000 at the most without `page`. The header X-Total-Count has
    their number."""
    rows, total = recordings.listed(query_args(RecordingQuery), CCTV)
    response = json_response(rows)
    response.headers["X-Total-Count"] = str(total)
    return response


@bp.get("/v0/api/cctv/recordings/<int:id>", strict_slashes=False)
@needs("recording.view")
@describes(answer=RecordingDetail, errors=(404, 503))
def cctv_read(id: int) -> Response:
    """Get a recording."""
    return _detail(id, CCTV)


@bp.get("/v0/api/cctv/recordings/<int:id>/download", strict_slashes=False)
@needs("recording.download")
@describes(query=PartQuery, answer=bytes, media=VIDEO, errors=(403, 404, 416, 503))
def cctv_download(id: int) -> Response:
    """Download a recording as MP4, also in ranges of bytes."""
    return _download(id)


@bp.get("/api/recordings", strict_slashes=False)
@needs("recording.view")
@describes(query=RecordingQuery, answer=RecordingList, errors=(404, 422, 503))
def index() -> Response:
    """List recordings, newest first, 1000 at the most without `page`."""
    query = query_args(RecordingQuery)
    rows, total = recordings.listed(query)
    return json_response(recording_list(rows, total, query))


@bp.get("/api/recordings/<int:id>", strict_slashes=False)
@needs("recording.view")
@describes(answer=RecordingDetail, errors=(404, 503))
def read(id: int) -> Response:
    """Get a recording, with its files."""
    return _detail(id)


@bp.patch("/api/recordings/<int:id>", strict_slashes=False)
@needs("recording.edit")
@describes(body=RecordingChange, answer=RecordingSaved, errors=(403, 404, 422, 503))
def change(id: int) -> Response:
    """Rename a recording, or protect it from being deleted for its age or for space."""
    changed = recordings.change(id, json_body(RecordingChange))
    return json_response(recording_saved(recordings.as_json(changed)))


@bp.delete("/api/recordings/<int:id>", strict_slashes=False)
@needs("recording.edit")
@describes(answer=RecordingDeleted, errors=(403, 404, 409, 503))
def delete(id: int) -> Response:
    """Delete a recording. It can be restored until its files are deleted, a day later."""
    return json_response(recording_deleted(recordings.delete(id).id))


@bp.post("/api/recordings/<int:id>/restore")
@needs("recording.edit")
@describes(answer=RecordingSaved, errors=(403, 404, 503))
def restore(id: int) -> Response:
    """Restore a deleted recording."""
    return json_response(recording_saved(recordings.as_json(recordings.restore(id))))


@bp.get("/api/recordings/<int:id>/download")
@needs("recording.download")
@describes(query=PartQuery, answer=bytes, media=VIDEO, errors=(403, 404, 416, 503))
def download(id: int) -> Response:
    """Download a recording as MP4, also in ranges of bytes. One whose format changed has several
    parts."""
    return _download(id)


@bp.get("/api/recordings/<int:id>/thumbnail.jpg")
@needs("recording.view")
@describes(answer=bytes, media=PICTURE, errors=(404, 503))
def thumbnail(id: int) -> Response:
    """Get a small picture of the beginning of a recording."""
    recording = recording_for(id, "recording.view")
    return recordings.thumbnail(recordings.recording_picture(recording))


@bp.post("/api/recordings/<int:id>/link")
@needs("recording.share")
@describes(body=LinkBody, answer=LinkJson, errors=(403, 404, 422, 503), status=201)
def make_link(id: int) -> Response:
    """Create a link with which a player plays a recording without a login, until it ends. It also
    ends when the recording is deleted, when its creator may not share it any more or has a new
    password, and with the token that created it."""
    url, ends_at = create_link(id, json_body(LinkBody).minutes)
    return json_response(link_json(url, ends_at), 201)


@bp.get("/api/recordings/<int:id>/shared.mp4")
@public
@describes(query=LinkQuery, answer=bytes, media=VIDEO, errors=(404, 416, 422, 503))
def shared(id: int) -> Response:
    """Play a recording by a link that `POST /api/recordings/{id}/link` gave out."""
    monitor, query = current_monitor(), query_args(LinkQuery)
    link = Link(id, query.until, query.user, query.token)
    person = None
    if is_signed(monitor, link, query.signature, monitor.clock()):
        person = person_behind(monitor, link)
    recording = library().find(id) if person else None
    if (
        person is None
        or recording is None
        or recording.deleted_at is not None
        or not recordings.may(visible_to(monitor, person), "recording.share", recording)
    ):
        raise HttpError(404, "This link is not valid any more", "Ask for a new one.")
    visible = visible_to(monitor, person)
    by = f"link of {person.name or 'this server'}"
    response = recordings.send_whole(
        recordings.part_of(recording, query.part, by),
        partial(recordings.may_still, visible, recording),
    )
    recordings.note_download(recording, query.part, by=by)
    return response


@bp.get("/api/cameras/<key>/days/<date>")
@needs("recording.view")
@describes(query=DayQuery, answer=DayJson, errors=(404, 422, 503))
def day(key: str, date: str) -> Response:
    """Get a day of a camera: what is recorded, gaps with their causes, recordings and events."""
    query, device = query_args(DayQuery), visible_fleet().device(key)
    zone = zone_named(query.zone)
    of_day = recordings.camera_day(device, query.stream, _date(date), zone)
    zone_name = query.zone or str(of_day.line.day.start.astimezone().tzname())
    return json_response(
        day_json(
            device.id,
            of_day.stream,
            of_day.day,
            of_day.line,
            zone_name,
            of_day.gaps,
            of_day.recordings,
            of_day.events,
        )
    )


@bp.get("/api/cameras/<key>/playback")
@needs("recording.view")
@describes(query=MomentQuery, answer=PlaybackJson, errors=(404, 422, 503))
def playback(key: str) -> Response:
    """Find the file that plays a moment, or what was recorded next within a day."""
    query, device = query_args(MomentQuery), visible_fleet().device(key)
    playing = recordings.playback(device, query.stream, query.at)
    url = playback_url(device.id, query.stream, playing)
    return json_response(playback_json(playing, url, max(query.at, playing.segment.started_at)))


@bp.get("/api/cameras/<key>/playback.mp4")
@needs("recording.view")
@describes(query=SpanQuery, answer=bytes, media=VIDEO, errors=(404, 416, 422, 503))
def playback_file(key: str) -> Response:
    """Play what was recorded in a time as one MP4, also in ranges of bytes. Gaps take no time in
    it; it ends where the format changes."""
    query, device = query_args(SpanQuery), visible_fleet().device(key)
    devices = recordings.devices_behind(device)
    joined = library().joined(devices, query.stream, query.since, query.until)
    if not joined:
        raise HttpError(404, "Nothing was recorded in this time", "Choose another moment.")
    response = recordings.send(joined[0], CHUNKS_AT_ONCE)
    recordings.note_playback(device, query.stream, query.since)
    return response


@bp.get("/api/cameras/<key>/thumbnail.jpg")
@needs("recording.view")
@describes(query=MomentQuery, answer=bytes, media=PICTURE, errors=(404, 422, 503))
def moment_thumbnail(key: str) -> Response:
    """Get a small picture of what was recorded at a moment."""
    query, device = query_args(MomentQuery), visible_fleet().device(key)
    until = query.at + timedelta(minutes=1)
    devices = recordings.devices_behind(device)
    return recordings.thumbnail(recordings.picture(devices, query.stream, query.at, until))


def _detail(id: int, base: str = "/api/recordings") -> Response:
    recording = recording_for(id, "recording.view")
    parts = library().of_recording(recording)
    return json_response(recording_detail(recordings.as_json(recording, base), parts))


def _download(id: int) -> Response:
    recording, part = recording_for(id, "recording.download"), query_args(PartQuery).part
    response = recordings.send_whole(
        recordings.part_of(recording, part, actor_name()),
        partial(recordings.may_still, visible_fleet(), recording),
    )
    _number, camera = recordings.Names(visible_fleet()).of(recording)
    names = " ".join(safe_name(text[:LONGEST_PART], "") for text in (camera, recording.name))
    moment = f" {recording.started_at.astimezone():%F %H-%M}"
    ending = ".mp4" if part == 1 else f" part {part}.mp4"
    name = f"{names}{moment}{ending}"
    response.headers["Content-Disposition"] = attachment(name)
    recordings.note_download(recording, part)
    return response


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HttpError(422, "date: a day such as 2026-11-28", "Correct the date.") from None
