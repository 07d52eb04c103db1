"""What every source is to the Scanner."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from fleet.model import Coverage, Report, Sighting, Target

Reports = AsyncIterator[Report | Coverage]


@dataclass(frozen=True, slots=True)
class Source:
    """What a source file's `source(options)` returns.

    `discover()` looks for whoever is there and ends by itself with one Coverage.
    `listen()` yields what devices say unasked, for as long as the monitor runs, marked as
    `only_alive`; `confirm(sighting)` asks one of those, if it is on our own subnets, and its
    answer comes out of `listen()` as proof; False when nothing was sent. `sweep(targets,
    seconds)` asks about those that somebody listed, begun over so many seconds, and ends with
    one Coverage. All may raise CannotAsk. `timeout` is the deadline of `discover` and `sweep`
    in seconds, with `each` more for every listed device. `close()` lets go of sockets, in the
    loop that opened them. `trouble` is what a person should check when it finds nothing.
    """

    name: str
    title: str
    timeout: float
    discover: Callable[[], Reports] | None = None
    listen: Callable[[], Reports] | None = None
    confirm: Callable[[Sighting], bool] | None = None
    sweep: Callable[[Sequence[Target], float], Reports] | None = None
    trouble: str = ""
    close: Callable[[], None] = lambda: None
    each: float = 0.0
