"""The scan engine alone, over small sources; it records everything that it does."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from discovery.progress import Scan
from discovery.scan_record import scan_record
from discovery.scanner import Scanner
from fleet.database.json_store import JsonStore
from fleet.model import Device, Event, Report
from fleet.status import Rules, statuses
from fleet.tracker import Tracker
from sources.source import Source
from tests.home import Clock


class Engine:
    """A Scanner over small sources, with a tracker of its own and all that was watched."""

    def __init__(self, folder: Path, clock: Clock, *sources: Source, **more: Any) -> None:
        self.clock = clock
        self.watched: list[dict[str, Any]] = []
        self.batches: list[tuple[float, Sequence[Report]]] = []
        self.tracker = Tracker(JsonStore(folder / "fleet.json", folder / "data"), Rules)
        self.tracker.open()
        self.scanner = Scanner(sources, self, clock, self._watch, **more)
        self.scanner.open()

    # What the Scanner needs of a tracker: it is told everything, and hands it on.

    def apply(self, reports: Sequence[Report], now: datetime) -> list[Event]:
        self.batches.append((monotonic(), reports))
        return self.tracker.apply(reports, now)

    def devices(self) -> Mapping[int, Device]:
        return self.tracker.devices()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["tracker"], name)

    # For tests.

    def _watch(self, scan: Scan) -> None:
        self.watched.append(scan_record(scan))

    def scan(self) -> dict[str, Any]:
        self.clock.forward(seconds=1)
        assert self.scanner.start("test")
        return self.ended()

    def ended(self) -> dict[str, Any]:
        assert self.scanner.wait(20)
        assert self.scanner.last is not None
        return scan_record(self.scanner.last)

    def status(self) -> dict[str, str]:
        devices = self.devices()
        by_id = statuses(devices, self.clock(), Rules())
        return {device.identities[0]: by_id[device.id] for device in devices.values()}

    def kinds(self) -> list[str]:
        return [event.kind for event in self.tracker.fleet().outbox]

    def close(self) -> None:
        self.scanner.close()
        self.tracker.close()


MakeEngine = Callable[..., Engine]


def states(did: dict[str, Any]) -> dict[str, str]:
    return {source["name"]: source["state"] for source in did["sources"]}
