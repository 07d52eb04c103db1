"""What was sent of recordings that still run, so that further ranges are of the same bytes.

The file of a running recording is not only longer a moment later: its index is another one, too, so
every byte has another place. A player or a download manager that goes on gets what it began with.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from video.joined_mp4 import JoinedMp4

MOST = 32
"""Files that are remembered."""
LASTS = 3600.0
"""Seconds since the last request, after which a file is forgotten."""
AT_ONCE = 10.0
"""Seconds in which requests for the beginning belong together: some programs ask for several
ranges at once, and for the head before."""


@dataclass(slots=True)
class _Sent:
    joined: JoinedMp4
    asked_at: float


@dataclass(slots=True)
class RunningParts:
    """Files by recording, part and who asked for them."""

    timer: Callable[[], float] = time.monotonic
    _sent: "OrderedDict[tuple[int, int, str], _Sent]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def keep(self, recording: int, part: int, person: str, joined: JoinedMp4) -> None:
        """Remember what a person gets."""
        with self._lock:
            self._sent.pop((recording, part, person), None)
            self._sent[recording, part, person] = _Sent(joined, self.timer())
            while len(self._sent) > MOST:
                self._sent.popitem(last=False)

    def going_on(
        self, recording: int, part: int, person: str, start: int, tag: str | None
    ) -> JoinedMp4 | None:
        """The file that a request for a range goes on with, or None. `start`: its first byte, or
        less than 0 for the last ones; `tag`: the content that it wants, where it says so."""
        now = self.timer()
        with self._lock:
            for key in [key for key, sent in self._sent.items() if now - sent.asked_at > LASTS]:
                del self._sent[key]
            sent = self._sent.get((recording, part, person))
            if sent is None or (tag is not None and sent.joined.etag != tag):
                return None
            if tag is None and start == 0 and now - sent.asked_at > AT_ONCE:
                return None
            sent.asked_at = now
            self._sent.move_to_end((recording, part, person))
            return sent.joined
