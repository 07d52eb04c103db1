"""Devices that announced themselves and are not confirmed: a bounded list."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from time import monotonic

from fleet.model import Device, Sighting

MAX_HEARD = 200
"""Entries of the list; what was not heard for the longest time leaves it."""
MAX_QUESTIONS = 30
"""Questions a minute to devices on the list; no more can enter outside of a scan."""
SAME_AGAIN = 30.0
"""Seconds until the same address is asked again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A device that announced itself and is not confirmed. `device` is the record whose identity it
    uses, if there is one; `times` how often it was noted, not how often it spoke."""

    identity: str
    source: str
    address: str | None
    name: str | None
    model: str | None
    first: datetime
    last: datetime
    times: int = 1
    device: int | None = None


class UnverifiedDevices:
    """The list of these devices, and a limit on questions to them. Bounded whatever comes."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, Heard] = {}
        self._asked: deque[tuple[float, str]] = deque()
        self._lock = Lock()

    def note(self, sighting: Sighting, device: Device | None) -> None:
        """Add a device, or update it with its newest announcement."""
        key, number = sighting.identities[0], device.id if device else None
        with self._lock:
            known = self._heard.pop(key, None)
            heard = Heard(
                key,
                sighting.source,
                sighting.address,
                sighting.name,
                sighting.model,
                sighting.at,
                sighting.at,
                device=number,
            )
            if known is not None:
                heard = replace(heard, first=known.first, times=known.times + 1)
            self._heard[key] = heard
            if len(self._heard) > MAX_HEARD:
                del self._heard[next(iter(self._heard))]

    def forget(self, identity: str) -> None:
        """Forget a device that has proved itself."""
        with self._lock:
            self._heard.pop(identity, None)

    def heard(self) -> list[Heard]:
        """Everything on the list, what was heard last first."""
        with self._lock:
            return list(self._heard.values())[::-1]

    def may_ask(self, address: str) -> bool:
        """True if one more question, to this address, stays within the limits."""
        now = self._clock()
        while self._asked and now - self._asked[0][0] >= 60:
            self._asked.popleft()
        return len(self._asked) < MAX_QUESTIONS and not any(
            asked == address and now - at < SAME_AGAIN for at, asked in self._asked
        )

    def asked(self, address: str) -> None:
        """Note a question to this address."""
        self._asked.append((self._clock(), address))
