"""The number of sessions that each device accepts, learned from its refusals.

Many cameras serve few RTSP sessions and answer 453 to the next one. Whatever holds a session (a
probe while it runs, a reader of one stream) reserves it first. Readers run in threads of their
own: all of this may be called from any thread.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import NamedTuple

FRESH = 10.0
"""Seconds for which a packet of a stream proves that the device is alive."""
RELEARN = 86_400.0
"""Seconds after a refusal until one session more is tried, and as long for each further one."""


class Stream(NamedTuple):
    """A use of one session. `device`: the device that the stream shows, a channel of a recorder or
    the device itself; `name`: `main`, `sub` (with the video source before it where a device has
    several: `2/main`), or the name of the source that probes."""

    device: int
    name: str


@dataclass(slots=True)
class _Budget:
    """`most`: sessions that the device takes, as far as a refusal told; `refused_at`: when."""

    open: set[Stream] = field(default_factory=set)
    alive: dict[Stream, float] = field(default_factory=dict)
    most: int | None = None
    refused_at: float = 0.0


class Sessions:
    """The sessions of all devices, by the id of their `owner`, the device that serves them
    (`fleet.places.session_owner`)."""

    def __init__(self, timer: Callable[[], float] = monotonic) -> None:
        self._timer = timer
        self._lock = Lock()
        self._budgets: dict[int, _Budget] = {}

    def reserve(self, owner: int, stream: Stream) -> bool:
        """Take a session for one stream; False when it is taken, or when the device would
        refuse. Give it back with `release`."""
        with self._lock:
            budget = self._budgets.setdefault(owner, _Budget())
            most = self._most(budget)
            if stream in budget.open or (most is not None and len(budget.open) >= most):
                return False
            budget.open.add(stream)
            return True

    def release(self, owner: int, stream: Stream) -> None:
        """Give a session back."""
        with self._lock:
            budget = self._budgets.get(owner)
            if budget is None:
                return
            budget.open.discard(stream)
            budget.alive.pop(stream, None)
            if not budget.open and budget.most is None:
                del self._budgets[owner]

    def refused(self, owner: int) -> int:
        """Learn from a refusal: the device takes one session less than are reserved now, and at
        least one. Returns its budget."""
        with self._lock:
            budget = self._budgets.setdefault(owner, _Budget())
            budget.most = max(1, len(budget.open) - 1)
            budget.refused_at = self._timer()
            return budget.most

    def budget(self, owner: int) -> int | None:
        """The number of sessions that the device accepts; None as long as it refused none."""
        with self._lock:
            known = self._budgets.get(owner)
            return self._most(known) if known else None

    def _most(self, budget: _Budget) -> int | None:
        if budget.most is None:
            return None
        return budget.most + int((self._timer() - budget.refused_at) / RELEARN)

    def reader_alive(self, owner: int, stream: Stream, at: float) -> None:
        """Note that a reader got packets at this time of the monotonic clock, so that no probe
        takes a session meanwhile."""
        with self._lock:
            budget = self._budgets.get(owner)
            if budget is not None and stream in budget.open:
                budget.alive[stream] = at

    def is_read(self, owner: int, device: int, within: float = FRESH) -> bool:
        """True if a reader got packets of the device in the last seconds. Those of one channel
        prove the recorder that serves it, and no other channel."""
        with self._lock:
            budget, now = self._budgets.get(owner), self._timer()
            return budget is not None and any(
                now - at <= within
                for stream, at in budget.alive.items()
                if device in (owner, stream.device)
            )
