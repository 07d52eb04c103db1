"""Server-sent events: one broadcaster, any number of readers, none that can hold it up."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition
from threading import Event as Flag
from typing import Any, Protocol

import orjson

from fleet.model import Event
from web.http.shapes.events import plain

KEPT = 2000
"""Frames kept for readers that come back or fall behind."""
MAX_STREAMS = 200
MAX_OF_ONE = MAX_STREAMS // 2
"""Streams of one person: a wall of screens with one login, and still room for the others."""
PING_EVERY = 15.0
JUDGE_EVERY = 0.8
"""Seconds after which it is asked again whether a reader may go on."""
GATHER_EACH, LONGEST_GATHER = 0.0025, 0.5
"""Seconds for each reader, and at the most, for which a page's stream gathers what happens."""
KINDS = {"device.found": "found"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, encoded once. Progress is no event."""

    place: int
    event: Event | None
    data: bytes


Judge = Callable[[], Callable[[Event | None], bool] | None]
"""Says which events its reader may hear as of now (None: progress), or that it is over."""


class Feed(Protocol):
    """More than events, for one reader."""

    def news(self, frames: Sequence[Frame], place: int) -> bytes:
        """What to send after these frames, up to this place of the broadcaster."""
        ...

    def patience(self) -> float:
        """Seconds until it wants to be asked again without any."""
        ...


def frame_bytes(kind: str, body: Any, id: int | None = None) -> bytes:
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + orjson.dumps(body) + b"\n\n"


def encode(event: Event) -> bytes:
    """An event as one message: `found`, `status` for what else befell a device, `event`."""
    kind = KINDS.get(event.kind, "status" if event.kind.startswith("device.") else "event")
    return frame_bytes(kind, plain(event), event.sequence)


class TooManyReaders(Exception):
    """`most` follow the events already: of this person's own, or of all."""

    def __init__(self, most: int, is_own: bool) -> None:
        super().__init__(most)
        self.most = most
        self.is_own = is_own


class EventBroadcaster:
    """Takes events and progress, and lets every reader follow from where it was."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self._place = 0
        self._news = Condition()
        self._readers: Counter[str] = Counter()
        self._closing = False
        self._closed = Flag()

    def tell(self, events: Sequence[Event]) -> None:
        """Events that the journal has."""
        self._add([(event, encode(event)) for event in events])

    def progress(self, progress: dict[str, Any]) -> None:
        """How the scan goes; only of interest now, so without an id."""
        self._add([(None, frame_bytes("progress", progress))])

    def _add(self, frames: Sequence[tuple[Event | None, bytes]]) -> None:
        with self._news:
            for event, data in frames:
                self._place += 1
                self._frames.append(Frame(self._place, event, data))
            self._news.notify_all()

    def close(self) -> None:
        """End every stream."""
        with self._news:
            self._closing = True
            self._closed.set()
            self._news.notify_all()

    @property
    def readers(self) -> int:
        return self._readers.total()

    def enter(self, who: str) -> None:
        """Take a place among the readers. Raises TooManyReaders."""
        with self._news:
            if self._readers[who] >= MAX_OF_ONE:
                raise TooManyReaders(MAX_OF_ONE, is_own=True)
            if self.readers >= MAX_STREAMS:
                raise TooManyReaders(MAX_STREAMS, is_own=False)
            self._readers[who] += 1

    def leave(self, who: str) -> None:
        with self._news:
            self._readers[who] -= 1
            if not self._readers[who]:
                del self._readers[who]

    def place(self) -> int:
        """Where a reader that only wants what comes from now on begins."""
        with self._news:
            return self._place

    def follow(
        self, place: int, until: float, judge: Judge, told: int = -1, feed: Feed | None = None
    ) -> Iterator[bytes]:
        """What comes after `place`, without events up to the number `told`, until the
        monotonic time `until`; a comment now and then proves the line. A reader that fell
        behind is told to load anew. Within a second after `judge` says so it is over. With a
        `feed`, what it makes of them comes too, and the more readers there are, the longer they
        gather what happens before they are woken."""
        pinged = time.monotonic()
        while not self._closing and time.monotonic() < until:
            patience = feed.patience() if feed else JUDGE_EVERY
            frames, now_at = self._wait(place, min(patience, until - time.monotonic()))
            hears = judge()
            if hears is None:
                return
            if len(frames) < now_at - place:
                yield frame_bytes("reset", {"text": "Too much happened; load the page anew."})
            place = now_at
            new = (one for one in frames if one.event is None or one.event.sequence > told)
            heard = [one for one in new if hears(one.event)]
            fresh = b"".join(one.data for one in heard)
            if feed:
                fresh += feed.news(heard, place)
            if fresh or time.monotonic() - pinged >= PING_EVERY:
                pinged = time.monotonic()
                yield fresh or b": still here\n\n"
            if feed and frames:
                self._closed.wait(min(LONGEST_GATHER, GATHER_EACH * self.readers))

    def _wait(self, place: int, seconds: float) -> tuple[list[Frame], int]:
        """The frames after `place` and the newest place, once there are some or time is up."""
        with self._news:
            self._news.wait_for(lambda: self._closing or self._place > place, max(0.0, seconds))
            return self._since(place), self._place

    def _since(self, place: int) -> list[Frame]:
        """The kept frames after `place`, oldest first. The caller holds the lock."""
        found: list[Frame] = []
        for frame in reversed(self._frames):
            if frame.place <= place:
                break
            found.append(frame)
        return found[::-1]
