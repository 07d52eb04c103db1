"""One discovery without a monitor, for the command line."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from discovery.progress import Scan
from discovery.scanner import Scanner
from fleet.authors import COMMAND_LINE
from fleet.model import Coverage, Device, Event, Fleet, Report, Target
from fleet.reducer import reduce
from fleet.status_rules import WITHOUT_SCANS, rules_of
from sources.build import source_rules
from sources.source import Source


class MemoryTracker:
    """A tracker without a file, by the same rules."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._fleet = Fleet()
        self._rules = rules_of(self._fleet, WITHOUT_SCANS, source_rules(sources))

    def apply(self, reports: Sequence[Report], now: datetime) -> list[Event]:
        self._fleet, events = reduce(self._fleet, reports, now, self._rules)
        return events

    def fleet(self) -> Fleet:
        return self._fleet

    def devices(self) -> Mapping[int, Device]:
        return self._fleet.devices

    def known(self, key: str, site: str) -> Device | None:
        """No device is known: nothing listens between scans, so nothing asks for one."""
        return None

    def at_address(self, address: str, site: str) -> Sequence[Device]:
        """No device: nothing is asked by an access."""
        return ()

    def channels_of(self, id: int) -> Sequence[Device]:
        """No device: nothing is asked by an access."""
        return ()

    def disputed(self) -> Mapping[str, datetime]:
        return self._fleet.disputed

    def down(self) -> Mapping[str, Any]:
        return {}


def discover(
    sources: Sequence[Source], clock: Callable[[], datetime]
) -> tuple[list[Device], Scan | None]:
    """Scan once: the devices that answer, and what the scan did."""
    memory = MemoryTracker(sources)
    scanner = Scanner(sources, memory, clock)
    scanner.open(listen=False)
    try:
        scanner.start(COMMAND_LINE)
        scanner.wait()
    finally:
        scanner.close()
    return list(memory.devices().values()), scanner.last


def sweep(source: Source, targets: Sequence[Target]) -> list[Report | Coverage]:
    """Ask a source about these targets, in a loop of its own. Raises CannotAsk."""

    async def collect() -> list[Report | Coverage]:
        assert source.sweep is not None
        try:
            return [report async for report in source.sweep(targets, 0.0)]
        finally:
            source.close()

    return asyncio.run(collect())
