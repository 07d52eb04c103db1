"""Live video: as fragmented MP4, and for all tiles of a page."""

from flask import Blueprint, Response

from video.model import ENDED, StreamState
from web.http import live_views
from web.http.authorization import needs
from web.http.live_responses import FRAMES, mp4_response, tiles_response
from web.http.payloads import describes, json_response, query_args
from web.http.shapes.video import StreamInfo, StreamQuery, TilesQuery, stream_info
from web.http.visible_fleet import visible_fleet

bp = Blueprint("live", __name__)


@bp.get("/api/cameras/<key>/stream", strict_slashes=False)
@needs("video.view")
@describes(query=StreamQuery, answer=StreamInfo, errors=(404, 422))
def state(key: str) -> Response:
    """Get what a stream does now. A stream is open only while somebody watches or records it."""
    device, asked = visible_fleet().device(key), query_args(StreamQuery).quality
    monitor, shown = visible_fleet().monitor, live_views.stream_key(device, asked)
    now = monitor.clock()
    known = monitor.streams.state(shown) or StreamState(ENDED, now)
    return json_response(stream_info(known, shown, now, asked))


@bp.get("/api/cameras/<key>/live.mp4")
@needs("video.view")
@describes(query=StreamQuery, answer=bytes, media=("video/mp4",), errors=(404, 409, 422, 503))
def live(key: str) -> Response:
    """Watch a camera as fragmented MP4, without decoding. It begins with a key frame, and ends
    when the format of the camera changes."""
    visible = visible_fleet()
    return mp4_response(visible, visible.device(key), query_args(StreamQuery).quality)


@bp.get("/api/live")
@needs("video.view")
@describes(query=TilesQuery, answer=bytes, media=(FRAMES,), errors=(422, 503))
def tiles() -> Response:
    """Watch up to 36 cameras in one response, which ends with the last of them. A tile that cannot
    be watched says so in its state."""
    return tiles_response(visible_fleet(), query_args(TilesQuery).tiles)
