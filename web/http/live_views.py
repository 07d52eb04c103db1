"""Live pictures for one connection: who may see them, for how long, and what is counted."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event as Flag
from typing import Any

from flask import Response, request

from fleet import labels
from fleet.access_fields import SUB_PATH
from fleet.channels import SOURCE, STREAM, SUB_STREAM, stream_access
from fleet.model import Device
from sources.sub_paths import sub_path
from video.model import (
    MAIN,
    PLAYING,
    SUB,
    WAITING,
    Fragment,
    Init,
    Picture,
    StreamKey,
    StreamState,
)
from video.outages import NO_SUB
from video.watching import MJPEG, Watch
from web.http.auditing import note
from web.http.authentication import client_address
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.stream_sessions import StreamSession, TooManyViewers, Viewer
from web.http.visible_fleet import VisibleFleet

RECHECK_EVERY = 0.8
"""Seconds between two checks of a viewer's permission."""
MAX_UNSENT = 128 << 10
"""Bytes that the kernel keeps for a viewer: more would be an older picture, not a smoother one."""
FIRST_SECONDS, KEY_FRAME_SECONDS = 12.0, 330.0
"""How long a first picture is waited for: from a camera that may be off, and from one that sends
and has its key frames minutes apart."""
LONGEST_AGENT = 200
LEAVE_QUEUE = "camera_monitor.leave_queue"
"""In the environment of a request: a function that gives its turn to another one."""


@dataclass(slots=True)
class LiveView:
    """One picture that one person watches: `kind` is `mp4` or `mjpeg`, `shown_as` what the session
    is called, `asked` the stream that was asked for. `close` it."""

    visible: VisibleFleet
    viewer: Viewer
    key: StreamKey
    kind: str
    asked: str
    shown_as: str
    options: Mapping[str, Any]
    on_news: Callable[[], object] = lambda: None
    watch: Watch = field(init=False)
    session: StreamSession = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        monitor = self.visible.monitor
        options = self.options if self.kind == MJPEG else {}
        self.session = monitor.stream_sessions.begin(self.viewer, self.key, self.shown_as)
        self.watch = monitor.streams.watch(self.key, self.kind, self.viewer, **options)
        self.watch.on_news = self.on_news

    def next(self, timeout: float) -> Init | Fragment | Picture | StreamState | None:
        """The next value; None when none came within so many seconds. Goes on with the main stream
        where the camera turns out to have no sub stream, and with the record that remains where
        two were merged."""
        value = self.watch.next(timeout)
        remaining = self.visible.monitor.redirects.get(self.key.device)
        if isinstance(value, StreamState) and remaining is not None:
            self.begin_again(key=StreamKey(remaining, self.key.name))
            return self.watch.next(0)
        if isinstance(value, StreamState) and self.key.name == SUB and value.cause == NO_SUB:
            self.visible.monitor.stream_sessions.have_no_sub.add(self.key.device)
            self.begin_again(key=StreamKey(self.key.device, MAIN))
            return self.watch.next(0)
        return value

    def begin_again(self, key: StreamKey | None = None, kind: str = "") -> None:
        """Watch another stream, or in another kind, in place of this one."""
        self.close()
        self.key, self.kind = key or self.key, kind or self.kind
        self._begin()

    def follow(self, on_news: Callable[[], object]) -> None:
        """Call this when there is something to take."""
        self.on_news = self.watch.on_news = on_news

    def patience(self) -> float:
        """Seconds for which a first picture is waited for."""
        return patience_for(self.visible.monitor.streams.state(self.key))

    def may_go_on(self) -> bool:
        """True while the person is logged in, sees the camera, and may watch it."""
        now = self.visible.refreshed()
        return now is not None and may_watch(now, self.key.device)

    def close(self) -> None:
        self.watch.close()
        self.visible.monitor.stream_sessions.end(self.session)


def patience_for(state: StreamState | None) -> float:
    """Seconds for which a first picture of such a stream is waited for. A camera that is connected
    and sends nothing is waited for no longer than one that is off."""
    if state is None or state.activity not in (WAITING, PLAYING) or state.picture_at is None:
        return FIRST_SECONDS
    return KEY_FRAME_SECONDS if state.picture_at >= state.since else FIRST_SECONDS


def may_watch(visible: VisibleFleet, number: int) -> bool:
    fleet = visible.monitor.tracker.fleet()
    device = fleet.devices.get(fleet.redirects.get(number, number))
    return device is not None and visible.may("video.view", device)


def has_sub(device: Device) -> bool:
    """True if the device may have a second, smaller stream: it told of one, a person gave its path,
    or its maker has one beside the main stream. Opening it proves it."""
    if device.id in current_monitor().stream_sessions.have_no_sub:
        return False
    own, named = device.access.get(SOURCE), stream_access(device.links.get(STREAM))
    path = (own and own.path) or (named.path if named else "")
    is_given = own is not None and bool(own.options.get(SUB_PATH))
    return is_given or SUB_STREAM in device.links or sub_path(path) is not None


def is_watchable(device: Device) -> bool:
    """True if it is known where the stream of the device is."""
    return SOURCE in device.access or STREAM in device.links


def check_watchable(device: Device) -> None:
    """Raise HttpError (409) for a device without a known stream."""
    if not is_watchable(device):
        raise HttpError(
            409,
            "No stream of this camera is known",
            "Enter its RTSP URL or its login under Connection on its page.",
        )


def stream_key(device: Device, asked: str) -> StreamKey:
    """The stream that is shown where this one is asked for: main where there is no sub stream."""
    return StreamKey(device.id, SUB if asked != MAIN and has_sub(device) else MAIN)


def viewer_of(visible: VisibleFleet) -> Viewer:
    """Who sends the request. Before there are accounts everybody has the same name."""
    address = client_address(visible.monitor.authenticator)
    person = visible.person
    account = address if person.until_first else f"user {person.name}"
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    return Viewer(str(person.name), account, address, agent)


def note_view(viewer: Viewer, keys: Sequence[StreamKey], names: Sequence[str]) -> None:
    """Write to the audit log what this person begins to watch."""
    sessions = current_monitor().stream_sessions
    new = [sessions.is_new_view(viewer, key) for key in keys]
    shown = [(key, name) for key, name, is_new in zip(keys, names, new, strict=True) if is_new]
    if not shown:
        return
    about = f"camera {shown[0][0].device}" if len(shown) == 1 else f"{len(shown)} cameras"
    text = ", ".join(f"{name} ({key.name})" for key, name in shown)
    cameras = {"cameras": [key.device for key, _name in shown]}
    note("video.viewed", about, f"Live view of {text}", after=cameras, by=viewer.name)


def take_places(viewer: Viewer, tiles: int = 1) -> Callable[[], None]:
    """Take the places of a connection, and return how they are given back.

    Raises HttpError (503) when there are too many viewers.
    """
    sessions = current_monitor().stream_sessions
    try:
        sessions.take(viewer, tiles)
    except TooManyViewers as error:
        raise _too_many(error) from None
    return partial(sessions.give_back, viewer, tiles)


def _too_many(error: TooManyViewers) -> HttpError:
    whose = "You already have" if error.is_own else "There are already"
    return HttpError(
        503,
        f"{whose} {error.most} live views",
        "Close live views in other tabs and on other screens, then try again.",
        {"Retry-After": "30"},
    )


def begin_view(
    visible: VisibleFleet,
    viewer: Viewer,
    device: Device,
    asked: str,
    kind: str,
    shown_as: str,
    options: Mapping[str, Any],
) -> LiveView:
    """Begin to watch a device."""
    return LiveView(visible, viewer, stream_key(device, asked), kind, asked, shown_as, options)


def device_name(visible: VisibleFleet, device: Device) -> str:
    return labels.name_among(device, visible.devices())


@dataclass(slots=True)
class Connection:
    """The connection of the current request, as an endless response uses it."""

    sock: socket.socket | None
    closing: Flag
    leave_queue: Callable[[], object] = field(default=lambda: None)

    def is_over(self) -> bool:
        """True when the client has gone, or the server stops."""
        return self.closing.is_set() or has_hung_up(self.sock)

    def keep_newest(self) -> None:
        """Let the kernel keep little, so that a slow viewer skips instead of lagging behind."""
        if self.sock is not None:
            with suppress(OSError, AttributeError):
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT)


def connection() -> Connection:
    """The connection of the current request; it no longer keeps other requests waiting."""
    environ = request.environ
    return Connection(
        environ.get("gunicorn.socket"),
        current_monitor().stream_sessions.closing,
        environ.get(LEAVE_QUEUE, lambda: None),
    )


def has_hung_up(sock: socket.socket | None) -> bool:
    """True if the client has closed its end of the connection."""
    if sock is None:
        return False
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@dataclass(slots=True)
class Recheck:
    """Asks a question at most once in `RECHECK_EVERY` seconds; a no stays a no."""

    ask: Callable[[], bool]
    last: bool = True
    asked_at: float = field(default_factory=time.monotonic)

    def __call__(self) -> bool:
        now = time.monotonic()
        if self.last and now - self.asked_at >= RECHECK_EVERY:
            self.asked_at = now
            self.last = self.ask()
        return self.last


def endless(
    chunks: Iterator[bytes],
    media_type: str,
    may_go_on: Callable[[], bool],
    on_close: Callable[[], object],
) -> Response:
    """The response of a live picture: never kept, never compressed, never held back."""
    line = connection()
    line.keep_newest()
    body = current_monitor().watchdog.guard(chunks, line.sock, may_go_on)
    response = Response(body, content_type=media_type)
    response.call_on_close(on_close)
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["Cache-Control"] = "no-store, no-transform"
    return response
