"""How often a still of each camera is due."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from fleet.merged import numbers_of, own_number
from fleet.model import Fleet, Invalid
from stills import still_rows as rows

if TYPE_CHECKING:
    from sqlalchemy import Engine

SHORTEST, LONGEST = 60, 604_800
"""Seconds between two stills of a camera; 0 turns them off."""


class Intervals:
    """The seconds between two stills: `default`, or what a person set for a device, else for a
    record that was merged into it. Methods raise Unreachable."""

    def __init__(self, engine: "Engine", default: int, fleet: Callable[[], Fleet]) -> None:
        self.default = default
        self._fleet = fleet
        self._engine = engine
        self._lock = Lock()
        self._own: Mapping[int, int] = {}

    def open(self) -> None:
        """Load what is set; the tables must exist."""
        with self._lock:
            self._own = rows.intervals(self._engine)

    def of(self, device: int) -> int:
        """Seconds between two stills of a device; 0: none are taken by themselves."""
        own = self.own(device)
        return self.default if own is None else own

    def own(self, device: int) -> int | None:
        """The seconds that a person set for this device, if any."""
        own = self._own
        number = own_number(own, self._fleet(), device)
        return None if number is None else own[number]

    def set(self, device: int, seconds: int | None) -> None:
        """Set them for a device; None: as for all others. Raises Invalid."""
        if seconds is not None and seconds and not SHORTEST <= seconds <= LONGEST:
            invalid = Invalid(
                f"The interval of {seconds} s is invalid",
                f"Enter 0 for no stills, or {SHORTEST} to {LONGEST} seconds.",
            )
            invalid.field = "interval"
            raise invalid
        with self._lock:
            merged = numbers_of(self._fleet(), device) if seconds is None else [device]
            for number in {device, *self._own.keys() & merged}:
                rows.set_interval(self._engine, number, seconds)
            own = {other: value for other, value in self._own.items() if other not in merged}
            self._own = own if seconds is None else {**own, device: seconds}
