"""The requests of the CCTV system about streams: the pictures of a camera, and who watches."""

from collections.abc import Sequence

from flask import Blueprint, Response

from fleet import labels
from web.http.authorization import needs
from web.http.live_responses import picture_response
from web.http.payloads import describes, json_response, query_args
from web.http.shapes.video import PictureQuery, StreamSessionRow, session_rows
from web.http.stream_sessions import StreamSession
from web.http.visible_fleet import visible_fleet

bp = Blueprint("cctv_streams", __name__)


@bp.get("/v0/api/cctv/cameras/<key>/stream", strict_slashes=False)
@needs("video.view")
@describes(
    query=PictureQuery,
    answer=bytes,
    media=("multipart/x-mixed-replace",),
    errors=(404, 409, 422, 503),
)
def stream(key: str) -> Response:
    """Watch a camera as JPEG pictures one after the other, for an `<img>`. Headers say which stream
    is shown, how old its first picture is, and from which size it was scaled."""
    visible = visible_fleet()
    return picture_response(visible, visible.device(key), query_args(PictureQuery))


@bp.get("/v0/api/cctv/streams", strict_slashes=False)
@needs("stream.view")
@describes(answer=list[StreamSessionRow])
def streams() -> Response:
    """List who watches which camera, and who did a while ago, the newest first."""
    return _answer(visible_fleet().monitor.stream_sessions.all())


@bp.get("/v0/api/cctv/streams/active", strict_slashes=False)
@needs("stream.view")
@describes(answer=list[StreamSessionRow])
def active() -> Response:
    """List who watches which camera now, the oldest first."""
    return _answer(visible_fleet().monitor.stream_sessions.active())


def _answer(sessions: Sequence[StreamSession]) -> Response:
    visible = visible_fleet()
    devices = visible.devices()
    shown = {session.key.device for session in sessions}
    names = {id: labels.name_among(devices[id], devices) for id in shown if id in devices}
    return json_response(session_rows(sessions, names, visible.monitor.clock()))
