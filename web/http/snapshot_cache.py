"""Values that are worked out once for each snapshot of the devices."""

from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from fleet.model import Device

Value = TypeVar("Value")
MAX_SNAPSHOTS = 3
"""Snapshots with a value: all devices, and those of limited people who look just now."""


class SnapshotCache(Generic[Value]):
    """The value of each of the last snapshots. `make` works it out of the devices alone."""

    def __init__(self, make: Callable[[Collection[Device]], Value]) -> None:
        self._make = make
        self._known: tuple[tuple[Mapping[int, Device], Value], ...] = ()

    def of(self, snapshot: Mapping[int, Device]) -> Value:
        for devices, value in self._known:
            if devices is snapshot:
                return value
        value = self._make(snapshot.values())
        self._known = ((snapshot, value), *self._known[: MAX_SNAPSHOTS - 1])
        return value
