"""What every source is to the Scanner."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fleet.model import Coverage, Report

Reports = AsyncIterator[Report | Coverage]


@dataclass(frozen=True, slots=True)
class Source:
    """What a source file's `source(options)` returns.

    `discover()` looks for whoever is there and ends by itself with one Coverage.
    `listen()` yields what devices say unasked, for as long as the house runs. Both may
    raise CannotAsk. `timeout` is the deadline of `discover` in seconds. `trouble` is what
    a person should check when it finds nothing.
    """

    name: str
    title: str
    timeout: float
    discover: Callable[[], Reports] | None = None
    listen: Callable[[], Reports] | None = None
    trouble: str = ""
