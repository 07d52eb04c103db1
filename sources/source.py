"""The interface of a source for the Scanner."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from fleet.model import Coverage, Report, Sighting, Target

Reports = AsyncIterator[Report | Coverage]
Probe = Callable[[Target], Awaitable[Sequence[Report]]]


class SessionRefused(Exception):
    """The device answered that it has no session left for us (RTSP 453 or 503).

    It is alive: `reports` say what else it proved. Its session budget is lowered.
    """

    def __init__(self, reason: str, reports: Sequence[Report] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reports = tuple(reports)


@dataclass(frozen=True, slots=True)
class Cause:
    """A likely cause of an empty result, and what a person can do about it. `command` is for a
    shell; empty if there is none."""

    text: str
    remedy: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of reports, as a source file's `build(options, clock)` returns it.

    `discover()` searches for devices and ends by itself with one Coverage.
    `listen()` yields what devices say unasked, for as long as the monitor runs, marked as
    `only_alive`; `confirm(sighting)` asks one of those, if it is on our own subnets, and its
    answer comes out of `listen()` as proof; False when nothing was sent. `sweep(targets,
    seconds)` asks about the listed devices, spread over that many seconds, and ends with one
    Coverage. `probe(target)` asks one device and returns its reports; it may raise NoAnswer,
    SessionRefused, and OSError, which is judged by its number (`net.cannot_ask`). All may raise
    CannotAsk.

    `timeout` is the deadline in seconds of one `discover`, `sweep` or `probe`; a sweep has `each`
    more for every listed device. `interval` is how often a device is probed or swept, in
    seconds, unless its own access has another interval; `cap` is how many devices are probed at
    once. `takes_session`: a probe uses one of the few sessions of a device, as a reader
    of its stream does. `names_kind`: its answers say what kind of device it is, which replaces the
    kind that a source without it guesses. `close()` lets go of sockets, in the loop that opened
    them. `causes` are the likely ones when nothing answers, the likeliest first.
    """

    name: str
    title: str
    timeout: float
    discover: Callable[[], Reports] | None = None
    listen: Callable[[], Reports] | None = None
    confirm: Callable[[Sighting], bool] | None = None
    sweep: Callable[[Sequence[Target], float], Reports] | None = None
    causes: tuple[Cause, ...] = ()
    close: Callable[[], None] = lambda: None
    each: float = 0.0
    probe: Probe | None = None
    interval: float = 60.0
    cap: int = 50
    takes_session: bool = False
    names_kind: bool = False
