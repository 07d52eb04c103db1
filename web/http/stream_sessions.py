"""Who watches which camera: one session for each picture that somebody sees, and the limits."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from threading import Event as Flag
from threading import Lock

from video.model import StreamKey

KEPT_ENDED = 200
"""Ended sessions that are kept for the list."""
TILES_PER_VIEWER = 9
"""So many tiles of one page count as one viewer, as they share a connection and a thread."""
SAME_VIEW = timedelta(minutes=15)
"""A person who comes back to the same picture within this time goes on with the same view in the
audit log: a page that reconnects adds no entry."""
MAX_REMEMBERED = 5000


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches: the name for people, `account` for the limits, the address, the program."""

    name: str
    account: str
    address: str
    agent: str


@dataclass(slots=True, eq=False)
class StreamSession:
    """One picture that somebody sees. `kind`: `mp4`, `mjpeg` or `wall`. Times are UTC."""

    id: int
    viewer: Viewer
    key: StreamKey
    kind: str
    began: datetime
    ended: datetime | None = None
    sent: int = 0

    def seconds(self, now: datetime) -> float:
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


class TooManyViewers(Exception):
    """Raised when `most` viewers are there already: of this user, or of all."""

    def __init__(self, most: int, is_own: bool) -> None:
        super().__init__(most)
        self.most = most
        self.is_own = is_own


@dataclass(slots=True)
class StreamSessions:
    """The sessions that are open, and the last ones that ended."""

    clock: Callable[[], datetime]
    max_viewers: int = 100
    max_of_user: int = 40
    _places: Counter[str] = field(default_factory=Counter)
    _active: dict[int, StreamSession] = field(default_factory=dict)
    _ended: deque[StreamSession] = field(default_factory=lambda: deque(maxlen=KEPT_ENDED))
    _noted: dict[tuple[str, StreamKey], datetime] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _lock: Lock = field(default_factory=Lock)
    have_no_sub: set[int] = field(default_factory=set)
    """The devices that turned out to have no sub stream."""
    closing: Flag = field(default_factory=Flag)
    """Set when the server stops: every response ends."""

    def take(self, viewer: Viewer, tiles: int = 1) -> None:
        """Take the places of a connection with so many tiles. Raises TooManyViewers."""
        wanted = math.ceil(tiles / TILES_PER_VIEWER)
        with self._lock:
            if self._places[viewer.account] + wanted > self.max_of_user:
                raise TooManyViewers(self.max_of_user, is_own=True)
            if self._places.total() + wanted > self.max_viewers:
                raise TooManyViewers(self.max_viewers, is_own=False)
            self._places[viewer.account] += wanted

    def give_back(self, viewer: Viewer, tiles: int = 1) -> None:
        with self._lock:
            self._places[viewer.account] -= math.ceil(tiles / TILES_PER_VIEWER)
            if self._places[viewer.account] <= 0:
                del self._places[viewer.account]

    def begin(self, viewer: Viewer, key: StreamKey, kind: str) -> StreamSession:
        with self._lock:
            session = StreamSession(next(self._numbers), viewer, key, kind, self.clock())
            self._active[session.id] = session
            return session

    def end(self, session: StreamSession) -> None:
        """End a session; a second call does nothing."""
        with self._lock:
            if self._active.pop(session.id, None) is not None:
                session.ended = self.clock()
                self._ended.append(session)
                self._noted[session.viewer.account, session.key] = session.ended

    def is_new_view(self, viewer: Viewer, key: StreamKey) -> bool:
        """True unless this person watches the stream already, or did in the last SAME_VIEW. Asking
        is noted as watching."""
        now = self.clock()
        with self._lock:
            last = self._noted.get((viewer.account, key))
            self._noted[viewer.account, key] = now
            if len(self._noted) > MAX_REMEMBERED:
                self._noted = {
                    place: at for place, at in self._noted.items() if now - at < SAME_VIEW
                }
            return last is None or not timedelta() <= now - last < SAME_VIEW

    @property
    def viewers(self) -> int:
        """The places that are taken."""
        return self._places.total()

    def active(self) -> Sequence[StreamSession]:
        """The open sessions, the oldest first."""
        with self._lock:
            return tuple(self._active.values())

    def all(self) -> Sequence[StreamSession]:
        """The open sessions and the last ones that ended, the newest first."""
        with self._lock:
            sessions = [*self._active.values(), *self._ended]
        return sorted(sessions, key=lambda session: session.id, reverse=True)
