"""Streams of cameras that are not in the list: opened elsewhere, and read as all others are."""

import itertools
from collections.abc import Sequence
from threading import Lock

from video.model import NotOpened, OpenedStream, StreamKey
from video.streams import Opener


class Visitors:
    """An opener that also has streams which were opened already, each for a single picture. They
    have the numbers below 0, so nothing is written about them. Every method may be called from any
    thread."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._lock = Lock()
        self._numbers = itertools.count(1)
        self._opened: dict[StreamKey, OpenedStream] = {}

    def admit(self, opened: OpenedStream) -> StreamKey:
        """The key under which this stream can be read once. Call `dismiss` afterwards."""
        with self._lock:
            key = StreamKey(-next(self._numbers))
            self._opened[key] = opened
        return key

    def dismiss(self, key: StreamKey) -> None:
        """End a stream that was not read."""
        with self._lock:
            opened = self._opened.pop(key, None)
        if opened is not None:
            self._opener.end(opened)

    def open(self, key: StreamKey) -> OpenedStream:
        if not key.is_visitor:
            return self._opener.open(key)
        with self._lock:
            opened = self._opened.pop(key, None)
        if opened is None:
            raise NotOpened("this stream was read already")
        return opened

    def end(self, opened: OpenedStream) -> None:
        self._opener.end(opened)

    def closed(self, key: StreamKey) -> None:
        if not key.is_visitor:
            self._opener.closed(key)

    def refused(self, key: StreamKey, number: int) -> Sequence[StreamKey]:
        return [] if key.is_visitor else self._opener.refused(key, number)

    def alive(self, key: StreamKey, at: float) -> bool:
        return key.is_visitor or self._opener.alive(key, at)
