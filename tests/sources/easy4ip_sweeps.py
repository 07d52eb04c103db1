"""Sweeps of the Easy4IP source over a pretend cloud on loopback, for its tests."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fleet.model import DEFAULT_SITE, CannotAsk, Coverage, Miss, Sighting, Target
from simulators import easy4ip_wire as wire
from simulators.easy4ip import Cloud, Recorder, fleet
from sources import easy4ip
from sources.easy4ip_wire import KeyPair

WAITS = (0.05, 0.1, 0.15)
KEYS = KeyPair(wire.USER, wire.KEY)


def key(serial: str) -> str:
    return f"row:{serial}"


@dataclass
class SweepResult:
    """The reports of one sweep by serial, and its Coverage or why nobody was asked."""

    online: dict[str, Sighting] = field(default_factory=dict)
    offline: dict[str, str] = field(default_factory=dict)
    coverage: Coverage | None = None
    cannot: CannotAsk | None = None

    @property
    def failed_scopes(self) -> set[str]:
        """The scopes whose recorders got no verdict."""
        assert self.coverage is not None
        return set(self.coverage.failed)


class Sweeper:
    """The source, in a loop of its own, towards one pretend cloud."""

    def __init__(self, cloud: Cloud, **changes: Any) -> None:
        given: dict[str, Any] = {
            "clock": lambda: datetime.now(UTC),
            "server": cloud.main.address,
            "keys": KEYS,
            "rate": 100_000.0,
            "burst": 100_000.0,
            "waits": WAITS,
            **changes,
        }
        self.pretend = cloud
        self.source = easy4ip.source(easy4ip.Easy4IpOptions(**given))
        self.runner = asyncio.Runner()

    def sweep(self, serials: Sequence[str] | None = None, spread: float = 0.0) -> SweepResult:
        chosen = list(self.pretend.recorders) if serials is None else serials
        return self.runner.run(self._sweep(chosen, spread))

    async def _sweep(self, serials: Sequence[str], spread: float) -> SweepResult:
        result = SweepResult()
        targets = [Target(DEFAULT_SITE, key(serial), "", path=serial) for serial in serials]
        assert self.source.sweep is not None
        try:
            async for report in self.source.sweep(targets, spread):
                self._note(result, report)
        except CannotAsk as error:
            result.cannot = error
        return result

    def _note(self, result: SweepResult, report: Any) -> None:
        match report:
            case Sighting():
                serial = report.serial or ""
                assert report.identities == (key(serial),)
                assert serial not in result.online
                result.online[serial] = report
            case Miss():
                serial = report.identity.removeprefix("row:")
                assert serial not in result.offline
                result.offline[serial] = report.reason
            case Coverage():
                assert result.coverage is None
                result.coverage = report

    def close(self) -> None:
        async def close() -> None:
            self.source.close()

        self.runner.run(close())
        self.runner.close()


@contextmanager
def sweeping(cloud: Cloud, **changes: Any) -> Iterator[Sweeper]:
    """A running cloud and its client; at the end, all requests must have been valid."""
    with cloud:
        sweeper = Sweeper(cloud, **changes)
        try:
            yield sweeper
        finally:
            sweeper.close()
        assert cloud.faults == []
        assert not cloud.asked_foreign


def with_online_recorders(*odd: Recorder) -> list[Recorder]:
    """Recorders, and one that is online on each of their two servers."""
    return [*odd, Recorder("SIM90000PAZ9000", 0), Recorder("SIM90001PAZ9001", 1)]


def some_offline(count: int, servers: int = 8) -> tuple[list[Recorder], set[str]]:
    recorders = fleet(count, servers)
    for place, state in ((7, "offline"), (77, "gone"), (107, "silent"), (207, "info_404")):
        recorders[place].state = state
    return recorders, {recorders[place].serial for place in (7, 77, 107, 207)}


class SenderRecordingCloud(Cloud):
    """It remembers from which sockets each server was asked."""

    def __init__(self, *given: Any, **changes: Any) -> None:
        super().__init__(*given, **changes)
        self.senders: dict[str, set[tuple[str, int]]] = {}

    def _take(self, server: Any, datagram: bytes, sender: tuple[str, int], arrival: float) -> None:
        self.senders.setdefault(server.name, set()).add(sender)
        super()._take(server, datagram, sender, arrival)
