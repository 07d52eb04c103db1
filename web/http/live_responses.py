"""The responses that show live video: fragmented MP4, pictures, and all tiles of a page."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TypeVar

from flask import Response, request

from fleet.model import Device, NotFound
from video.model import Fragment, Init, Picture, StreamState
from video.watching import MJPEG, MP4
from web.http import live_views, tile_frames
from web.http.errors import HttpError
from web.http.live_views import Connection, LiveView, Recheck
from web.http.shapes.video import MAX_RATE, MAX_TILES, MAX_WIDTH, PictureQuery, mp4_type
from web.http.stream_sessions import Viewer
from web.http.stream_texts import detail_of, text_of
from web.http.tile_frames import Tile
from web.http.visible_fleet import VisibleFleet

First = TypeVar("First", Init, Picture)

SILENT = 15.0
"""Seconds without a picture after which the response ends."""
WIDTHS = (320, 640, 960, 1280, MAX_WIDTH)
RATES = (1.0, 2.0, 5.0, 10.0, MAX_RATE)
"""Widths and rates of single pictures: viewers with equal ones share a decoder."""
USUAL_WIDTH, USUAL_RATE, SMALL_WIDTH = 1280, 10.0, 640
BOUNDARY = "picture"
PART = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
MULTIPART = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
FRAMES = "application/vnd.camera-monitor.frames"
TILE_WIDTH, TILE_RATE = 640, 5.0


def mp4_response(visible: VisibleFleet, device: Device, asked: str) -> Response:
    """The camera as fragmented MP4. Raises HttpError (503)."""
    if request.method == "HEAD":
        return Response(content_type="video/mp4")
    live_views.check_watchable(device)
    viewer = live_views.viewer_of(visible)
    give_back = live_views.take_places(viewer)
    with ExitStack() as undo:
        undo.callback(give_back)
        view = _begin(visible, viewer, device, asked, MP4)
        undo.callback(view.close)
        line = live_views.connection()
        init = _first(Init, view, line)
        media_type, chunks = mp4_type(init.format.codecs), _mp4(init, view, line)
        return live_views.endless(chunks, media_type, view.may_go_on, undo.pop_all().close)


def picture_response(visible: VisibleFleet, device: Device, query: PictureQuery) -> Response:
    """The camera as JPEG pictures, for an `<img>`. Raises HttpError (503)."""
    if request.method == "HEAD":
        return Response(content_type=MULTIPART)
    live_views.check_watchable(device)
    width, rate = _limits(query, is_small=query.quality == "sub")
    viewer = live_views.viewer_of(visible)
    give_back = live_views.take_places(viewer)
    with ExitStack() as undo:
        undo.callback(give_back)
        view = _begin(visible, viewer, device, query.quality, MJPEG, max_width=width, max_rate=rate)
        undo.callback(view.close)
        line = live_views.connection()
        first = _first(Picture, view, line)
        chunks = _multipart(first, view, line)
        response = live_views.endless(chunks, MULTIPART, view.may_go_on, undo.pop_all().close)
    _describe(response, first, view, query.quality)
    return response


def _describe(response: Response, first: Picture, view: LiveView, asked: str) -> None:
    age = max(0.0, view.visible.monitor.clock().timestamp() - first.at)
    response.headers["X-Picture-Age"] = f"{age:.3f}"
    response.headers["X-Picture-Size"] = f"{first.width}x{first.height}"
    response.headers["X-Source-Size"] = "{}x{}".format(*first.source)
    response.headers["X-Stream"] = view.key.name
    if asked != view.key.name:
        response.headers["X-Note"] = "This camera has no sub stream; main is shown, scaled"


def _limits(query: PictureQuery, is_small: bool) -> tuple[int, float]:
    """The width and the rate of the pictures: the largest ones that are not above the wishes."""
    width = query.width or (SMALL_WIDTH if is_small else USUAL_WIDTH)
    rate = query.rate or USUAL_RATE
    widths = [each for each in WIDTHS if each <= width] or [WIDTHS[0]]
    rates = [each for each in RATES if each <= rate] or [RATES[0]]
    return widths[-1], rates[-1]


def tiles_response(visible: VisibleFleet, wanted: str, viewer: Viewer | None = None) -> Response:
    """The frames of these tiles, as this person may see them. Raises HttpError (422, 503)."""
    asked = [each.split(":") for each in wanted.split(",")]
    if len(asked) > MAX_TILES:
        raise HttpError(422, f"{len(asked)} tiles are too many", f"Ask for at most {MAX_TILES}.")
    if request.method == "HEAD":
        return Response(content_type=FRAMES)
    viewer = viewer or live_views.viewer_of(visible)
    devices = [_device(visible, number) for number, *_rest in asked]
    shown = [
        (live_views.stream_key(device, quality), live_views.device_name(visible, device))
        for device, (_number, quality, *_rest) in zip(devices, asked, strict=True)
        if device
    ]
    give_back = live_views.take_places(viewer, len(asked))
    with ExitStack() as undo:
        undo.callback(give_back)
        live_views.note_view(viewer, [key for key, _name in shown], [name for _key, name in shown])
        tiles = list[Tile]()
        for device, (_number, quality, *jpeg) in zip(devices, asked, strict=True):
            tiles.append(_tile(len(tiles), visible, viewer, device, quality, bool(jpeg)))
            undo.callback(tiles[-1].close)
        chunks = tile_frames.frames(tiles, live_views.connection(), visible.monitor.clock)
        return live_views.endless(
            chunks, FRAMES, lambda: _is_still_in(visible), undo.pop_all().close
        )


def _is_still_in(visible: VisibleFleet) -> bool:
    return visible.refreshed() is not None


def _tile(
    number: int,
    visible: VisibleFleet,
    viewer: Viewer,
    device: Device | None,
    quality: str,
    is_jpeg: bool,
) -> Tile:
    kind, options = MJPEG if is_jpeg else MP4, {"max_width": TILE_WIDTH, "max_rate": TILE_RATE}
    if device is None:
        return Tile(number, None)
    view = live_views.begin_view(visible, viewer, device, quality, kind, "wall", options)
    return Tile(number, view)


def _device(visible: VisibleFleet, number: str) -> Device | None:
    try:
        device = visible.device(number)
    except NotFound:
        return None
    return device if visible.may("video.view", device) else None


def _begin(
    visible: VisibleFleet, viewer: Viewer, device: Device, asked: str, kind: str, **options: float
) -> LiveView:
    key, name = live_views.stream_key(device, asked), live_views.device_name(visible, device)
    live_views.note_view(viewer, [key], [name])
    return live_views.begin_view(visible, viewer, device, asked, kind, kind, options)


def _first(kind: type[First], view: LiveView, line: Connection) -> First:
    """Wait for the beginning, without keeping others waiting. Raises HttpError (503)."""
    line.leave_queue()
    began, may_go_on, state = time.monotonic(), Recheck(view.may_go_on), None
    while time.monotonic() - began < view.patience() and may_go_on() and not line.is_over():
        value = view.next(0.3)
        if isinstance(value, kind):
            return value
        if isinstance(value, StreamState):
            state = value
            if kind is Init and state.format and state.format.video and not state.format.codecs:
                break
    raise _no_picture(state, view.key.device)


def _no_picture(state: StreamState | None, device: int) -> HttpError:
    if state and state.format and state.format.video and not state.format.codecs:
        video = state.format.video.upper()
        url = f"/v0/api/cctv/cameras/{device}/stream/"
        hint = f"Use {url} instead, which sends JPEG pictures."
        return HttpError(503, f"MP4 cannot hold the video of this camera ({video})", hint)
    text = text_of(state) if state else "No picture"
    hint = (detail_of(state) if state else "") or "Check the camera, then try again."
    return HttpError(503, text, hint, {"Retry-After": "5"})


def _mp4(init: Init, view: LiveView, line: Connection) -> Iterator[bytes]:
    yield _counted(init.data, view)
    for value in _values(view, line):
        if isinstance(value, Init):
            return
        if isinstance(value, Fragment):
            yield _counted(value.data, view)


def _multipart(first: Picture, view: LiveView, line: Connection) -> Iterator[bytes]:
    """The pictures, each with the head of the next part: a browser shows it no sooner."""
    yield PART + _counted(first.data, view) + b"\r\n" + PART
    for value in _values(view, line):
        if isinstance(value, Picture):
            yield _counted(value.data, view) + b"\r\n" + PART


def _values(view: LiveView, line: Connection) -> Iterator[Init | Fragment | Picture]:
    """What comes, until it is over: the client or the right is gone, or no picture comes."""
    may_go_on, came = Recheck(view.may_go_on), time.monotonic()
    while may_go_on() and not line.is_over() and time.monotonic() - came < SILENT:
        value = view.next(0.5)
        if value is None or isinstance(value, StreamState):
            if view.watch.is_closed:
                return
            continue
        came = time.monotonic()
        yield value


def _counted(data: bytes, view: LiveView) -> bytes:
    view.session.sent += len(data)
    return data
