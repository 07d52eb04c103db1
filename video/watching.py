"""What viewers of a stream are given: the newest, and never more than they take."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Condition, Lock
from types import TracebackType
from typing import NamedTuple, Self

from video.model import Fragment, Init, Picture, StreamKey, StreamState

MP4, MJPEG, KEY = "mp4", "mjpeg", "key"
"""What is watched: the stream itself, pictures of it, or the picture of one key frame."""
MAX_KEPT, MAX_KEPT_SECONDS = 8 << 20, 60.0
"""Bytes and seconds since the last key frame that are kept for the next viewer. A camera whose key
frames are minutes apart has more: its next viewer waits for a key frame."""
MAX_QUEUED = 8 << 20
"""Bytes that wait for one viewer; one that takes less goes on at the next key frame."""
LATE = 2.0
"""Seconds after which a viewer skips to the newest key frame."""


class PictureOptions(NamedTuple):
    """How the pictures of a stream are made; viewers with equal options share a decoder.

    `max_width` in pixels, 0 as it is; `max_rate` in pictures per second; `quality` of the JPEG.
    """

    max_width: int = 1280
    max_rate: float = 10.0
    quality: int = 80


@dataclass(frozen=True, slots=True, order=True)
class KeyWish:
    """A wish for the picture of one key frame, undamaged and in full size. With `grey_width`, also
    one in grey of so many pixels' width at most, for a program; nothing but that, if not `is_seen`,
    which can wait a moment.

    The last one is taken if it came within `fresh` seconds, else the next one, and after `wait`
    seconds without one the last one after all, however old. `number` tells wishes apart.
    """

    number: int
    fresh: float
    wait: float
    grey_width: int = 0
    is_seen: bool = True


class Watch:
    """What one viewer gets. One thread calls `next`, any other may call `close`."""

    def __init__(
        self,
        key: StreamKey,
        kind: str,
        viewer: object,
        since: datetime,
        options: PictureOptions | KeyWish | None,
        on_close: Callable[["Watch"], None],
    ) -> None:
        self.key = key
        self.kind = kind
        self.viewer = viewer
        self.since = since
        self.options = options
        self.skips = 0
        self.is_closed = False
        self.on_news: Callable[[], object] = lambda: None
        """Called when there is something to take, or the watch was closed: one thread can so wait
        for many watches."""
        self._on_close = on_close
        self._changed = Condition()
        self._state: StreamState | None = None
        self._picture: Picture | None = None
        self._init: Init | None = None
        self._fragments: deque[Fragment] = deque()
        self._queued = 0
        self._waits_for_key = True

    def next(self, timeout: float | None = None) -> Init | Fragment | Picture | StreamState | None:
        """The next value for this viewer; None when none came within `timeout` seconds, and at once
        when the watch is closed."""
        with self._changed:
            if not self._changed.wait_for(self._has_any, timeout) or self.is_closed:
                return None
            return self._take()

    def close(self) -> None:
        """End the watch; a thread that waits in `next` wakes up."""
        with self._changed:
            was_closed, self.is_closed = self.is_closed, True
            self._drop_fragments()
            self._changed.notify_all()
        self.on_news()
        if not was_closed:
            self._on_close(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def offer(self, value: Init | Fragment | Picture | StreamState) -> None:
        """Give the viewer a value; never blocks."""
        with self._changed:
            if self.is_closed:
                return
            match value:
                case StreamState():
                    self._state = value
                case Picture():
                    self._picture = value
                case Init():
                    self._drop_fragments()
                    self._init = value
                case Fragment():
                    self._queue(value)
            self._changed.notify()
        self.on_news()

    def _queue(self, fragment: Fragment) -> None:
        is_late = bool(self._fragments) and fragment.at - self._fragments[0].at > LATE
        is_full = self._queued + len(fragment.data) > MAX_QUEUED
        if (is_late and fragment.is_key) or is_full:
            self.skips += 1
            self._drop_fragments()
        if self._waits_for_key and not fragment.is_key:
            return
        self._waits_for_key = False
        self._fragments.append(fragment)
        self._queued += len(fragment.data)

    def _has_any(self) -> bool:
        waiting = self._state or self._init or self._fragments or self._picture
        return self.is_closed or bool(waiting)

    def _take(self) -> Init | Fragment | Picture | StreamState | None:
        if state := self._state:
            self._state = None
            return state
        if init := self._init:
            self._init = None
            return init
        if self._fragments:
            fragment = self._fragments.popleft()
            self._queued -= len(fragment.data)
            return fragment
        picture, self._picture = self._picture, None
        return picture

    def _drop_fragments(self) -> None:
        self._fragments.clear()
        self._queued = 0
        self._waits_for_key = True


class Viewers:
    """Passes the values of one stream to its viewers, and keeps what a new one needs at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._watches: set[Watch] = set()
        self._init: Init | None = None
        self._group: list[Fragment] = []
        self._kept = 0
        self._pictures: dict[PictureOptions | KeyWish, Picture] = {}

    def add(self, watch: Watch, state: StreamState) -> None:
        """Add a viewer: it gets the state, and what there is since the last key frame."""
        with self._lock:
            self._watches.add(watch)
            watch.offer(state)
            if watch.options is not None:
                if picture := self._pictures.get(watch.options):
                    watch.offer(picture)
                return
            if self._init:
                watch.offer(self._init)
            for fragment in self._group:
                watch.offer(fragment)

    def remove(self, watch: Watch) -> None:
        with self._lock:
            self._watches.discard(watch)
            if not self.is_watched_as(MP4):
                self._forget_group()
                self._init = None
            if watch.options and all(watch.options != other.options for other in self._watches):
                self._pictures.pop(watch.options, None)

    def watches(self) -> tuple[Watch, ...]:
        with self._lock:
            return tuple(self._watches)

    def is_watched_as(self, kind: str) -> bool:
        return any(watch.kind == kind for watch in self._watches)

    def picture_options(self) -> frozenset[PictureOptions]:
        """The options of the pictures that somebody watches."""
        options = (watch.options for watch in self._watches)
        return frozenset(each for each in options if isinstance(each, PictureOptions))

    def key_wishes(self) -> frozenset[KeyWish]:
        """The wishes for a key frame."""
        options = (watch.options for watch in self._watches)
        return frozenset(each for each in options if isinstance(each, KeyWish))

    def put(self, value: Init | Fragment | StreamState) -> None:
        """Pass a value on, and keep it for the next viewer."""
        with self._lock:
            match value:
                case Init():
                    self._init = value
                    self._forget_group()
                case Fragment():
                    if self._init is None:
                        return  # of a muxer whose last viewer has left
                    self._keep(value)
            for watch in self._watches:
                if watch.kind == MP4 or isinstance(value, StreamState):
                    watch.offer(value)

    def put_picture(self, options: PictureOptions | KeyWish, picture: Picture) -> None:
        """Pass a picture to those who watch with these options."""
        with self._lock:
            watches = [watch for watch in self._watches if watch.options == options]
            if watches:
                self._pictures[options] = picture
            for watch in watches:
                watch.offer(picture)

    def forget(self) -> None:
        """Keep nothing of a connection that has ended: its picture is old."""
        with self._lock:
            self._init = None
            self._forget_group()
            self._pictures.clear()

    def _keep(self, fragment: Fragment) -> None:
        if fragment.is_key:
            self._forget_group()
        elif not self._group:
            return
        self._group.append(fragment)
        self._kept += len(fragment.data)
        if self._kept > MAX_KEPT or fragment.at - self._group[0].at > MAX_KEPT_SECONDS:
            self._forget_group()

    def _forget_group(self) -> None:
        self._group = []
        self._kept = 0
