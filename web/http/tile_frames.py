"""The pictures of all tiles of a page in one response: frames, each of one tile.

A frame is a head of eleven bytes (tile, kind, age, length: 16, 8, 32 and 32 bits, the first byte
the highest) and its content. `age`: milliseconds since its content arrived at this server.
"""

import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as Flag

import orjson

from video.model import ENDED, Fragment, Init, Picture, StreamKey, StreamState
from video.watching import MJPEG
from web.http.live_views import Connection, LiveView, Recheck
from web.http.shapes.video import init_head, stream_info

HEAD = struct.Struct(">HBII")
STATE, INIT, FRAGMENT, PICTURE, PING = range(5)
EVERY_TILE = 0xFFFF
PING_EVERY = 1.0
"""Seconds between two frames that prove that this server runs."""
GATHER_EACH, LONGEST_GATHER = 0.0015, 0.04
"""Seconds for each tile, and at the most, for which frames are gathered: one write has many."""
MAX_ROUND = 1 << 20
"""Bytes of one write: a slow viewer takes what is newest after them."""
MAX_AGE = 0xFFFFFFFF
GONE = "This camera does not exist, or you are not allowed to watch it"


@dataclass(slots=True)
class Tile:
    """One tile of the page. `view` is None for a camera that cannot be watched."""

    number: int
    view: LiveView | None
    may_go_on: Recheck = field(init=False)

    def __post_init__(self) -> None:
        self.may_go_on = Recheck(lambda: self.view is not None and self.view.may_go_on())

    def close(self) -> None:
        view, self.view = self.view, None
        if view is not None:
            view.close()


def frame(tile: int, kind: int, content: bytes, age: float = 0.0) -> bytes:
    milliseconds = min(max(0, round(age * 1000)), MAX_AGE)
    return HEAD.pack(tile, kind, milliseconds, len(content)) + content


def frames(
    tiles: Sequence[Tile], line: Connection, clock: Callable[[], datetime]
) -> Iterator[bytes]:
    """The frames of all tiles, as they come; no tile waits for another. Ends when none is left."""
    news = Flag()
    for tile in tiles:
        if tile.view is None:
            yield frame(tile.number, STATE, _gone(clock()))
        else:
            tile.view.follow(news.set)
    news.set()
    pinged = time.monotonic()
    gather = min(LONGEST_GATHER, GATHER_EACH * len(tiles))
    while not line.is_over():
        news.wait(0.5)
        if line.closing.wait(gather):
            return
        news.clear()
        data = b"".join(_round(tiles, news, clock))
        if not any(tile.view for tile in tiles):
            yield data
            return
        if time.monotonic() - pinged >= PING_EVERY:
            pinged = time.monotonic()
            data += frame(EVERY_TILE, PING, b"")
        if data:
            yield data


def _round(tiles: Sequence[Tile], news: Flag, clock: Callable[[], datetime]) -> Iterator[bytes]:
    """What all tiles have now, one value of each in turn."""
    size, waiting = 0, [tile for tile in tiles if tile.view]
    for tile in waiting:
        if not tile.may_go_on():
            tile.close()
            yield frame(tile.number, STATE, _gone(clock()))
    while waiting := [tile for tile in waiting if tile.view]:
        for tile in tuple(waiting):
            data = _next(tile, clock)
            if data is None:
                waiting.remove(tile)
            else:
                size += len(data)
                yield data
        if size > MAX_ROUND:
            news.set()
            return


def _next(tile: Tile, clock: Callable[[], datetime]) -> bytes | None:
    """The next frame of a tile; None when it has none now."""
    view = tile.view
    assert view is not None
    value = view.next(0)
    if value is None:
        return None
    match value:
        case StreamState():
            if _needs_pictures(value) and view.kind != MJPEG:
                view.begin_again(kind=MJPEG)
            info = stream_info(value, view.key, clock(), view.asked)
            data = frame(tile.number, STATE, orjson.dumps(info))
        case Init():
            head = orjson.dumps(init_head(value))
            content = struct.pack(">H", len(head)) + head + value.data
            data = frame(tile.number, INIT, content)
        case Fragment():
            data = frame(tile.number, FRAGMENT, value.data, clock().timestamp() - value.at)
        case Picture():
            data = frame(tile.number, PICTURE, value.data, clock().timestamp() - value.at)
    view.session.sent += len(data)
    return data


def _needs_pictures(state: StreamState) -> bool:
    return state.format is not None and bool(state.format.video) and not state.format.codecs


def _gone(now: datetime) -> bytes:
    info = stream_info(StreamState(ENDED, now, GONE), StreamKey(0), now)
    return orjson.dumps(info)
