"""A story of pretend cameras: some move, some die, some come back.

The caller applies the changes to the cameras. The same seed gives the same story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import islice
from random import Random

FEWEST = 3  # actors: one moves twice, one dies, one moves last


@dataclass(frozen=True)
class CameraChange:
    """One camera's new state. `index` is its place in the crowd, `text` the words to log."""

    index: int
    address: str
    on: bool
    text: str


def addresses(first: str) -> Iterator[str]:
    """IPv4 addresses from `first` upwards, without those that end in 0 or 255."""
    number = int(IPv4Address(first))
    while True:
        if number % 256 not in (0, 255):
            yield str(IPv4Address(number))
        number += 1


class DeviceChanges:
    """An endless iterator of changes to the cameras at `homes`.

    Only `actors` (indexes into `homes`, at least three) change. A camera moves to an address that
    nobody has; what it leaves is free again, what a dead one had is not. After four changes one
    camera has had three addresses, one is off, and the last change was a move; from then on at
    least one is always off and at least every second change is a move.
    """

    def __init__(self, homes: Sequence[str], actors: Sequence[int], seed: int) -> None:
        self._homes = list(homes)
        self._actors = list(actors)
        self._chance = Random(seed)
        self._off: list[int] = []
        self._pool = list(islice(addresses(homes[0]), 2 * len(homes) + 16))
        self._opening = self._first_changes()
        self._has_moved = False

    def __iter__(self) -> Iterator[CameraChange]:
        return self

    def __next__(self) -> CameraChange:
        return next(self._opening, None) or self._any_change()

    def _first_changes(self) -> Iterator[CameraChange]:
        mover, victim, latecomer = self._chance.sample(self._actors, FEWEST)
        first_home = self._homes[mover]
        yield self._move(mover)
        yield self._die(victim)
        yield self._move(mover, shunned=first_home)
        yield self._move(latecomer)

    def _any_change(self) -> CameraChange:
        verbs: list[Callable[[int], CameraChange]] = [self._move]
        if self._has_moved and len(self._off) < max(2, len(self._actors) // 10):
            verbs.append(self._die)
        if self._has_moved and len(self._off) > 1:
            verbs.append(self._come_back)
        verb = self._chance.choice(verbs)
        alive = [actor for actor in self._actors if actor not in self._off]
        return verb(self._chance.choice(self._off if verb == self._come_back else alive))

    def _move(self, index: int, shunned: str = "") -> CameraChange:
        before = self._homes[index]
        taken = {shunned, *self._homes}
        after = self._chance.choice([place for place in self._pool if place not in taken])
        self._homes[index] = after
        self._has_moved = True
        return CameraChange(index, after, True, f"moved {before} -> {after}")

    def _die(self, index: int) -> CameraChange:
        self._off.append(index)
        self._has_moved = False
        return CameraChange(
            index, self._homes[index], False, f"went offline at {self._homes[index]}"
        )

    def _come_back(self, index: int) -> CameraChange:
        self._off.remove(index)
        self._has_moved = False
        return CameraChange(
            index, self._homes[index], True, f"is back online at {self._homes[index]}"
        )
