"""Small sources for tests of the engine: each does one thing, well or badly."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from fleet.model import DEFAULT_SITE, CannotAsk, Coverage, Report, Sighting
from sources.source import Source
from tests.home import Clock

Outcomes = AsyncIterator[Report | Coverage]


def key(number: int) -> str:
    return f"mac:02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def seen(clock: Clock, source: str, number: int, part: str = "here") -> Sighting:
    """Device `number` at its usual address, heard by this part of the source."""
    address = f"10.0.{number >> 8}.{number & 255}"
    return Sighting(
        DEFAULT_SITE, (key(number),), source, clock(), address=address, scope=f"{source}:{part}"
    )


@dataclass
class FindingSource:
    """Finds these devices, one each `pause` seconds, then says what it asked.

    `parts` are the scopes that it asks, `failed` those that it cannot. `heard` and
    `part_of` may be changed between two scans.
    """

    clock: Clock
    name: str = "finds"
    devices: Sequence[int] = (1, 2, 3)
    pause: float = 0.0
    part_of: dict[int, str] = field(default_factory=dict)
    parts: Sequence[str] = ("here",)
    failed: dict[str, str] = field(default_factory=dict)

    async def discover(self) -> Outcomes:
        for number in self.devices:
            await asyncio.sleep(self.pause)
            yield seen(self.clock, self.name, number, self.part_of.get(number, "here"))
        scopes = tuple(f"{self.name}:{part}" for part in self.parts)
        failed = {f"{self.name}:{part}": why for part, why in self.failed.items()}
        yield Coverage(self.name, scopes, 12, len(self.devices), {}, failed)

    def source(self, timeout: float = 60) -> Source:
        return Source(self.name, self.name.title(), timeout, discover=self.discover)


async def deaf(go: asyncio.Event) -> None:
    """Wait for `go`, whatever is cancelled meanwhile."""
    while not go.is_set():
        with suppress(asyncio.CancelledError):
            await go.wait()


def hangs(timeout: float) -> Source:
    async def discover() -> Outcomes:
        await asyncio.Event().wait()
        yield Coverage("hangs", (), 0, 0)

    return Source("hangs", "A source that never ends", timeout, discover=discover)


def breaks(after: Iterable[Report] = (), error: Exception | None = None) -> Source:
    """Yields `after`, then raises: an error of the program unless another is given."""

    async def discover() -> Outcomes:
        for report in after:
            yield report
        raise error or ZeroDivisionError("nobody expected this")

    return Source("breaks", "A broken source", 60, discover=discover)


def cannot_ask(reason: str = "the line is cut") -> Source:
    return breaks(error=CannotAsk("breaks", reason))
