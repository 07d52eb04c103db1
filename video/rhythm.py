"""How long a camera may be without a picture, by its own rhythm. Pure.

Some cameras send a picture every 30 s or every minute. The distance of their pictures is measured,
and remembered from connection to connection; the description of the stream may tell it before.
Where nothing tells, a connection on which only one picture came is kept longer each time, until
the second one shows the distance.
"""

from collections import deque
from dataclasses import dataclass

PERIODS = 2.5
"""A camera is without a picture after so many of its own distances."""
LONGEST = 300.0
"""Seconds without a picture that are never exceeded, whatever a camera says or does."""
GROWTH = 3.0
"""How much longer a connection is kept each time on which a second picture did not come."""
MOST_PATIENCE = 12.0
"""Likewise at most, as a multiple of the usual silence: two minutes."""
KEPT = 16
"""Distances that are compared."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a picture: `silence` of a usual camera; `distance` of the pictures of this
    one, where it is known; `longest`: how long it is kept as long as nothing tells a distance."""

    silence: float
    distance: float | None = None
    longest: float = 0.0

    def after(self, distance: float | None) -> "Patience":
        """The patience with the next connection, after one that ended without pictures. `distance`
        is what was measured there."""
        if distance is not None:
            return Patience(self.silence, distance)
        longer = max(self.longest, self.silence) * GROWTH
        return Patience(self.silence, self.distance, min(longer, self.silence * MOST_PATIENCE))

    def told_after(self, distance: float | None) -> float:
        """Seconds without a picture after which people are told. `distance`: as measured now."""
        known = self.distance if distance is None else distance
        return max(self.silence, min(PERIODS * (known or 0.0), LONGEST))

    def ended_after(self, distance: float | None) -> float:
        """Seconds without a picture after which the connection is closed."""
        shown = self.told_after(distance)
        return max(shown, self.longest) if distance is None else shown


class Distances:
    """Measures the distance of pictures: the second longest of the last ones, so that one stall
    changes nothing, and neither do several pictures at once."""

    def __init__(self) -> None:
        self.usual: float | None = None
        self._last: float | None = None
        self._distances: deque[float] = deque(maxlen=KEPT)

    def add(self, at: float) -> None:
        """Note that a picture came."""
        if self._last is not None:
            self._distances.append(at - self._last)
            self.usual = sorted(self._distances)[-2:][0]
        self._last = at
