"""Server-sent events: one broadcaster, and any number of readers that cannot block it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition
from threading import Event as Flag
from typing import Any, Protocol

import orjson

from discovery.progress import Scan, SourceProgress
from fleet.model import Event
from web.http.shapes.events import event_row
from web.http.shapes.scans import scan_row
from web.http.shapes.stream import checking_message, reset_message, stream_kind

KEPT_MESSAGES = 2000
"""Messages kept for readers that come back or fall behind."""
MAX_STREAMS = 200
MAX_STREAMS_OF_USER = MAX_STREAMS // 2
"""Streams of one user: enough for a wall of screens, with room left for the others."""
PING_EVERY = 15.0
RECHECK_EVERY = 0.8
"""Seconds between two checks of a reader's permission."""
GATHER_EACH, LONGEST_GATHER = 0.0025, 0.5
"""Seconds for each reader, and at the most, for which a page's stream gathers what happens."""


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message, encoded once. Progress is no event."""

    position: int
    event: Event | None
    data: bytes


Recheck = Callable[[], Callable[[Event | None], bool] | None]
"""Returns a test for the events that its reader may see now (None: progress), or None to end."""


class Feed(Protocol):
    """Further messages for one reader, beside the events."""

    def news(self, messages: Sequence[StreamMessage]) -> bytes:
        """The bytes to send with these messages."""
        ...

    def summary(self, position: int) -> bytes:
        """The bytes to send when all up to this position of the broadcaster is sent. It takes
        longer."""
        ...

    def patience(self) -> float:
        """Seconds until the next call of `summary`, if no message comes before."""
        ...


def sse_message(kind: str, body: Any, id: int | None = None) -> bytes:
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + orjson.dumps(body) + b"\n\n"


RESET = sse_message("reset", reset_message("Too many events were missed. Reload the page."))
RIGHTS_CHANGED = sse_message(
    "reset", reset_message("Your permissions have changed. Reload the page.")
)


def event_message(event: Event) -> bytes:
    return sse_message(stream_kind(event), event_row(event), event.sequence)


def progress_message(scan: Scan) -> bytes:
    return sse_message("progress", scan_row(scan))


def checks_message(checks: Sequence[SourceProgress]) -> bytes:
    return sse_message("checking", checking_message(checks, time.monotonic()))


class TooManyStreams(Exception):
    """Raised when `most` streams are open already: of this user, or of all."""

    def __init__(self, most: int, is_own: bool) -> None:
        super().__init__(most)
        self.most = most
        self.is_own = is_own


class EventBroadcaster:
    """Publishes events and progress; every stream follows from its own position."""

    def __init__(self) -> None:
        self._messages: deque[StreamMessage] = deque(maxlen=KEPT_MESSAGES)
        self._position = 0
        self._news = Condition()
        self._streams: Counter[str] = Counter()
        self._closing = False
        self._closed = Flag()

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events that the journal has stored."""
        self._add([(event, event_message(event)) for event in events])

    def progress(self, scan: Scan) -> None:
        """Send the progress of the scan; only of interest now, so without an id."""
        self._add([(None, progress_message(scan))])

    def checks(self, checks: Sequence[SourceProgress]) -> None:
        """Send the progress of the running checks, once more when there are none any more."""
        self._add([(None, checks_message(checks))])

    def _add(self, messages: Sequence[tuple[Event | None, bytes]]) -> None:
        with self._news:
            for event, data in messages:
                self._position += 1
                self._messages.append(StreamMessage(self._position, event, data))
            self._news.notify_all()

    def close(self) -> None:
        """End every stream."""
        with self._news:
            self._closing = True
            self._closed.set()
            self._news.notify_all()

    @property
    def streams(self) -> int:
        return self._streams.total()

    def enter(self, reader: str) -> None:
        """Take one of the places for streams. Raises TooManyStreams."""
        with self._news:
            if self._streams[reader] >= MAX_STREAMS_OF_USER:
                raise TooManyStreams(MAX_STREAMS_OF_USER, is_own=True)
            if self.streams >= MAX_STREAMS:
                raise TooManyStreams(MAX_STREAMS, is_own=False)
            self._streams[reader] += 1

    def leave(self, reader: str) -> None:
        with self._news:
            self._streams[reader] -= 1
            if not self._streams[reader]:
                del self._streams[reader]

    def position(self) -> int:
        """The current position: a stream from here on gets new messages only."""
        with self._news:
            return self._position

    def follow(
        self,
        position: int,
        until: float,
        recheck: Recheck,
        last_sent: int = -1,
        feed: Feed | None = None,
        notice: Callable[[], bytes] = bytes,
    ) -> Iterator[bytes]:
        """Yield the messages after `position`, without events up to the number `last_sent`.

        Ends at the monotonic time `until`; a comment now and then proves the line. A reader that
        fell behind is told to reload. Within a second after `recheck` says so it is over. With a
        `feed`, what it makes of them comes too, and the more readers there are, the longer they
        gather what happens before they are woken. `notice`, asked after each `recheck`, gives
        what the reader must know before the next messages.
        """
        pinged = time.monotonic()
        while not self._closing and time.monotonic() < until:
            patience = feed.patience() if feed else RECHECK_EVERY
            messages, now_at = self._wait(position, min(patience, until - time.monotonic()))
            may_see = recheck()
            if may_see is None:
                return
            if len(messages) < now_at - position:
                yield RESET
            position = now_at
            new = (
                message
                for message in messages
                if message.event is None or message.event.sequence > last_sent
            )
            visible_messages = [message for message in new if may_see(message.event)]
            data = notice() + b"".join(message.data for message in visible_messages)
            if feed:
                data += feed.news(visible_messages)
            if data or time.monotonic() - pinged >= PING_EVERY:
                pinged = time.monotonic()
                yield data or b": still here\n\n"
            if feed and (summary := feed.summary(position)):
                pinged = time.monotonic()
                yield summary
            if feed and messages:
                self._closed.wait(min(LONGEST_GATHER, GATHER_EACH * self.streams))

    def _wait(self, position: int, seconds: float) -> tuple[list[StreamMessage], int]:
        """The messages after `position` and the newest position; waits until there are some."""
        with self._news:
            self._news.wait_for(
                lambda: self._closing or self._position > position, max(0.0, seconds)
            )
            return self._since(position), self._position

    def _since(self, position: int) -> list[StreamMessage]:
        """The kept messages after `position`, oldest first. The caller holds the lock."""
        newer: list[StreamMessage] = []
        for message in reversed(self._messages):
            if message.position <= position:
                break
            newer.append(message)
        return newer[::-1]
