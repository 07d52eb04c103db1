"""The interface of a store of the fleet, as the Tracker needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleet.model import Event, Fleet


@dataclass(frozen=True, slots=True)
class OpenedFleet:
    """The fleet that was read. `damage` is a sentence when an older copy was used.

    `is_current` is false for what must be written soon: it came from a copy or from another
    format. `is_original` says that this format is the one of the former tracker. `notice` tells
    a person that it was updated from another format, and where the original is kept.
    """

    fleet: Fleet
    damage: str = ""
    is_current: bool = False
    is_original: bool = False
    notice: str = ""


class FleetStore(Protocol):
    """Store of one fleet. One process at a time owns it; all others only read."""

    path: Path
    """What a person knows it by."""

    def check(self) -> None:
        """Check that nobody owns it and that it can be written, without keeping it.

        Raises CannotOpen in words.
        """
        ...

    def open(self) -> OpenedFleet:
        """Own it and read it; nothing there is an empty fleet. Raises CannotOpen in words."""
        ...

    def read(self) -> Fleet:
        """The fleet as it is kept now, without owning or changing anything. Raises CannotOpen."""
        ...

    def prepare(self, fleet: Fleet, events: Sequence[Event] = ()) -> None:
        """Prepare to write what changed since the last call, with the new `events`.

        Raises TypeError or ValueError for a value that cannot be kept.
        """
        ...

    def write(self, fleet: Fleet) -> None:
        """Keep the fleet durably, the events of its outbox with it: wholly or not at all.

        Raises CannotKeep; then what was kept before is unchanged.
        """
        ...

    @property
    def foreign_change(self) -> str:
        """The warning about a change by somebody else while the program was running; else empty."""
        ...

    def has_foreign_change(self) -> bool:
        """True if somebody else wrote it since the last write."""
        ...

    def newest_copy(self) -> tuple[Path | None, Fleet]:
        """The newest good copy with devices in it, kept for ever under the name that is
        returned; (None, an empty fleet) if there is none."""
        ...

    def places(self) -> dict[str, Path]:
        """The paths of its parts, by a title for people."""
        ...

    def missing(self) -> str:
        """The reason why what is written now would not be there later; else empty."""
        ...

    def unwritable(self) -> str:
        """The reason why nothing can be written now, as a sentence; else empty."""
        ...

    def close(self) -> None:
        """Release the store. Another process can own it from now on."""
        ...
