"""What one camera says about itself through its events, and how fast it answers meanwhile. Pure.

All times are seconds of the monotonic clock.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

from sources.onvif_notifications import Notification

Key = tuple[str, tuple[str, ...]]
"""The kind of a finding, and the tokens of the sources in the device that it is about."""
MOMENTARY_LASTS = 600.0
"""Seconds for which something is taken to last whose end the camera never tells."""
MAX_STATES = 512
SLOW, TIMES_SLOWER = 1.0, 4.0
"""An answer is slow that takes this many seconds, and this many times longer than before."""
MEASURED = 3
"""Answers in a row by which a camera is judged; one alone can be slow."""
HUNG = 8.0
"""Seconds that a missing answer is taken to have lasted."""


@dataclass(slots=True)
class EventStates:
    """The newest state of each thing that the camera told of. `held` are the kinds of the findings
    that it had when the subscription began."""

    held: Collection[str] = ()
    _until: dict[Key, float] = field(default_factory=dict)
    """Until when it is so: for ever, for a while, or not (0)."""

    def note(self, notifications: Iterable[Notification], now: float) -> None:
        """Take what the camera says; the oldest is forgotten where it tells of too many things."""
        for each in notifications:
            key = (each.kind, each.sources)
            if each.is_so and each.needs_change and each.is_first and each.kind not in self.held:
                continue
            lasts = MOMENTARY_LASTS if each.is_momentary else math.inf
            self._until.pop(key, None)
            self._until[key] = now + lasts if each.is_so else 0.0
            if len(self._until) > MAX_STATES:
                del self._until[next(iter(self._until))]

    def current(self, now: float) -> Iterator[tuple[Key, bool]]:
        """Each thing that the camera told of, and whether it is so now."""
        return ((key, until > now) for key, until in self._until.items())


@dataclass(slots=True)
class Latencies:
    """How long the camera took to answer before its events were read, and the newest answers."""

    before: float
    slow: float = SLOW
    _after: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED))

    def note(self, seconds: float) -> None:
        self._after.append(seconds)

    @property
    def now(self) -> float:
        """The usual one of the newest; that of before where there are too few."""
        return median(self._after) if len(self._after) == MEASURED else self.before

    @property
    def is_slow(self) -> bool:
        """True if the camera has become slow."""
        return self.now >= self.slow and self.now >= TIMES_SLOWER * self.before
