"""One discovery without a house: for a command line that wants to see who is there."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from discovery.progress import Scan
from discovery.scanner import Scanner
from fleet.fold import fold
from fleet.model import Device, Event, Fleet, Report
from fleet.status import Rules
from sources.source import Source


class Memory:
    """A tracker that forgets: the same rules, no file."""

    def __init__(self) -> None:
        self.fleet = Fleet()

    def apply(self, reports: Sequence[Report], now: datetime) -> list[Event]:
        self.fleet, events = fold(self.fleet, reports, now, Rules())
        return events

    def devices(self) -> Mapping[int, Device]:
        return self.fleet.devices

    def down(self) -> Mapping[str, Any]:
        return {}

    def remember(self, facts: Mapping[str, Any], now: datetime) -> None:
        """Nothing outlives the command."""


def discover(
    sources: Sequence[Source], clock: Callable[[], datetime]
) -> tuple[list[Device], Scan | None]:
    """Who answers now, and what the scan did."""
    memory = Memory()
    scanner = Scanner(sources, memory, clock)
    scanner.open(listen=False)
    try:
        scanner.start("command line")
        scanner.wait()
    finally:
        scanner.close()
    return list(memory.devices().values()), scanner.last
