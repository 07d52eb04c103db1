"""The values of stills: what is kept of a picture, and what could not be taken. No I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime

HOUR, ASKED, FINDING = "hour", "asked", "finding"
"""Why a still was taken: it was due, a person asked for it, or a finding shows it."""
BELIEVABLE_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""A time before this was read from a clock that was not set."""


@dataclass(frozen=True, slots=True)
class Still:
    """One picture that is kept. `id` grows with each, so it tells which of two is newer whatever
    the clock said. `taken_at` is in UTC; unless `clock_known` it was read before the clock of this
    server was set. `way`, `width`, `height` and `notes` are those of its `TakenPicture`. `size` is
    in bytes, `name` that of its file. `why` is HOUR, ASKED or FINDING; `slot` is the beginning of
    the hour, or other interval, for which it was taken."""

    id: int
    device: int
    taken_at: datetime
    clock_known: bool
    way: str
    width: int
    height: int
    size: int
    name: str
    why: str
    slot: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """A still that was due in `slot` and could not be taken, with the reason in a sentence."""

    device: int
    slot: datetime
    reason: str
