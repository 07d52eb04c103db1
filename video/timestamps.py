"""Times of packets that can be believed, made of a camera's stamps and of arrivals. Pure, no I/O.

Stamps tell how far pictures are from each other, more exactly than arrivals, which come in
bursts. Arrivals are on this server's clock, which stamps are not. So the distance is the stamps',
as long as it is believable, and the time is bent gently to where arrivals say that it is. RTCP is
not asked: cameras whose stamps are wrong are those whose reports are.
"""

import heapq
from collections import deque

AHEAD = 2.0
"""Seconds that a time can be ahead of the arrival: some cameras begin with a burst."""
BEHIND = 12.0
"""Seconds that it can be behind it: more than a connection is silent before it is given up."""
BACK = 1.0
"""Seconds that stamps can go back: pictures that are shown in another order than they are sent."""
SMALLEST = 0.001
"""Seconds between two packets whose stamps tell nothing."""
FIRST_WINDOW, WINDOW = 1.0, 8.0
"""Seconds of arrivals that are compared with stamps before the time is bent again. The first is
short, so that a clock that is very wrong is soon seen; each next one twice as long."""
GENTLE = 0.05
"""How much faster or slower the time runs at most while it is bent."""
BEND, LEARN = 0.25, 0.03
"""Shares of a window's lead that the next window takes back, and that every later one does: what
remains is the error of the camera's clock. Larger shares would swing."""
WRONG_RATE = 0.03
"""Share by which stamps can run wrong before their rate is measured instead."""
MAX_RATE = 20.0
LATEST = 0.4
"""Seconds for which packets are held back at most for their order."""
MAX_DEPTH = 16


class StampClock:
    """The times of one medium. `ticks`: of its stamps in a second.

    `unbelievable` counts the stamps that were not believed.
    """

    def __init__(self, ticks: int) -> None:
        self.unbelievable = 0
        self._ticks = ticks
        self._stamp: int | None = None
        self._time = 0.0
        self._arrived = 0.0
        self._suspect: tuple[int, float] | None = None
        self._highest = 0
        self._latest = 0.0
        self._rate = 1.0
        self._measured = 1.0
        self._bend = 0.0
        self._lead = 0.0
        self._window = _Window()
        self._window_size = FIRST_WINDOW

    def time_of(self, stamp: int, arrived: float) -> float:
        """When a packet with this stamp (32 bits) was made, on the clock of `arrived`."""
        if self._stamp is None:
            self._highest, self._latest = stamp, arrived
            self._accept(stamp, arrived, arrived, 0.0)
            return arrived
        distance = self._distance(self._stamp, stamp)
        if not self._is_believable(stamp, distance, arrived):
            shown = self._estimated(stamp, arrived)
        else:
            shown = self._followed(stamp, distance, arrived)
        self._latest = max(self._latest, shown)
        return shown

    def _followed(self, stamp: int, distance: float, arrived: float) -> float:
        """The time of a stamp that is as far from the last one as it can be."""
        time = self._time + distance * self._rate * (1 + self._bend)
        if time < arrived - BEHIND:
            time = arrived + self._lead
        self._accept(stamp, min(time, arrived + AHEAD), arrived, distance)
        if self._distance(self._highest, stamp) <= 0:
            return self._time
        self._highest = stamp
        return max(self._time, self._latest + SMALLEST)

    def _distance(self, before: int, stamp: int) -> float:
        ticks = (stamp - before) & 0xFFFFFFFF
        return (ticks - 0x100000000 if ticks & 0x80000000 else ticks) / self._ticks

    def _is_believable(self, stamp: int, distance: float, arrived: float) -> bool:
        is_ahead = distance - (arrived - self._arrived) > AHEAD
        return bool(distance) and not is_ahead and self._distance(self._highest, stamp) > -BACK

    def _accept(self, stamp: int, time: float, arrived: float, distance: float) -> None:
        self._stamp, self._time, self._arrived, self._suspect = stamp, time, arrived, None
        self._window.add(distance, time, arrived)
        if self._window.seconds >= self._window_size:
            self._adjust(arrived)

    def _estimated(self, stamp: int, arrived: float) -> float:
        """A time for a stamp that is not believed: that of the arrival, after the packet before.

        A second one that fits to the first shows that the camera has set its clock: its stamps are
        believed from there on.
        """
        self.unbelievable += 1
        time = max(arrived + self._lead, self._latest + SMALLEST)
        if self._suspect is not None:
            before, then = self._suspect
            distance = self._distance(before, stamp)
            if 0 < distance < AHEAD and abs(distance - (arrived - then)) < AHEAD:
                self._stamp, self._time, self._arrived, self._suspect = stamp, time, arrived, None
                self._highest, self._window = stamp, _Window()
                return time
        self._suspect = (stamp, arrived)
        return time

    def _adjust(self, arrived: float) -> None:
        """Bend the time to the arrivals: the least late of a window shows where it should be."""
        window, self._window = self._window, _Window()
        seconds, self._window_size = window.seconds, min(self._window_size * 2, WINDOW)
        before = self._measured
        self._measured = window.arrival_span / window.stamp_span if window.stamp_span > 0 else 1.0
        error = self._measured / self._rate - 1
        # A stall and what comes after it are wrong in opposite directions: two windows must agree.
        is_steady = abs(before / self._measured - 1) < abs(error) / 4
        if abs(error) > WRONG_RATE and is_steady and 1 / MAX_RATE < self._measured < MAX_RATE:
            self._rate = self._measured
            self._time = max(self._time, arrived)
            return
        self._lead = min(window.lead, 0.0)
        self._rate *= 1 - _gentle(LEARN * window.lead / seconds)
        self._bend = _gentle(-BEND * window.lead / seconds)


def _gentle(share: float) -> float:
    return min(max(share, -GENTLE), GENTLE)


class _Window:
    """Arrivals and stamps of some seconds. `lead`: how far the time was ahead of the arrival that
    was the least late."""

    def __init__(self) -> None:
        self.lead = -BEHIND
        self.stamp_span = 0.0
        self._first: float | None = None
        self._last = 0.0

    def add(self, distance: float, time: float, arrived: float) -> None:
        if self._first is None:
            self._first = arrived
        else:
            self.stamp_span += distance
        self._last = arrived
        self.lead = max(self.lead, time - arrived)

    @property
    def arrival_span(self) -> float:
        return self._last - (self._first or 0.0)

    seconds = arrival_span


class DecodingOrder:
    """Gives each picture of one stream the time at which it is decoded.

    Stamps tell when a picture is shown; those that are sent before one that is shown earlier have
    to be decoded before it. `reorder` is how many there are, as the parameter sets tell; where they
    do not, it is seen from the stamps, and what follows is shown later by so much.
    """

    def __init__(self, reorder: int | None = None, step: float = 0.04) -> None:
        self._depth = min(reorder or 0, MAX_DEPTH)
        self._step = step
        self._heap: list[float] = []
        self._recent: deque[float] = deque(maxlen=MAX_DEPTH)
        self._last: float | None = None
        self._shift = 0.0

    def times(self, shown: float) -> tuple[float, float]:
        """(`pts`, `dts`) of the next picture: `dts` grows strictly and is never after `pts`."""
        self._recent.append(shown)
        heapq.heappush(self._heap, shown)
        if len(self._heap) > self._depth:
            time = heapq.heappop(self._heap)
        else:
            # The first pictures: nothing is known yet of what is shown before them.
            time = self._heap[0] - (self._depth - len(self._heap) + 1) * self._step
        dts = time + self._shift
        if self._last is not None and dts <= self._last:
            self._learn(self._last + SMALLEST - dts)
            dts = self._last + SMALLEST
        self._last = dts
        return max(shown + self._shift, dts), dts

    def _learn(self, missing: float) -> None:
        if self._depth < MAX_DEPTH and self._shift + missing <= LATEST:
            self._shift += missing
            self._depth += 1
            self._heap = sorted(self._recent)[-self._depth :]
