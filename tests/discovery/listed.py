"""Devices that somebody listed, and a source that probes them as a test wants."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from fleet.database import record
from fleet.model import (
    DEFAULT_SITE,
    Access,
    CannotAsk,
    Device,
    Fleet,
    NoAnswer,
    Report,
    Sighting,
    SourceState,
    Target,
)
from sources.source import SessionRefused, Source


def now() -> datetime:
    return datetime.now(UTC)


def key(id: int) -> str:
    return f"onvif:{id}"


def listed(
    id: int,
    *names: str,
    address: str = "",
    parents: Sequence[int] = (),
    was_up: bool = True,
    **access: object,
) -> Device:
    """Build a device that these sources probe and that was up a minute ago."""
    address = address or f"10.0.{id >> 8}.{id & 255}"
    access = {"secret_host": address, "options": {"number": id}, **access}
    known: Mapping[str, Access] = {name: Access(**access) for name in names or ("tcp",)}  # type: ignore[arg-type]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Device(
        id,
        "camera",
        DEFAULT_SITE,
        (key(id),),
        address=address,
        access=known,
        parents=tuple(parents),
        listed=True,
        first_seen=at if was_up else None,
        last_seen=at if was_up else None,
        states={name: SourceState(seen_at=at) for name in known} if was_up else {},
        status="ACTIVE" if was_up else "UNKNOWN",
    )


def write_fleet(path: Path, devices: Iterable[Device]) -> None:
    """Write a database file with these devices."""
    by_id = {device.id: device for device in devices}
    fleet = record.indexed(Fleet(devices=by_id, next_id=max(by_id, default=0) + 1))
    path.write_bytes(record.Encoder().encode(fleet))


Behaviour = Callable[[Target], "Sequence[Report] | Exception | float | None"]


@dataclass
class ProbedSource:
    """A source that probes. `behaviour` says for each device what a question comes to: reports,
    an error to raise, or seconds until it answers; None is an answer at once."""

    name: str = "tcp"
    behaviour: dict[int, Behaviour] = field(default_factory=dict)
    asked: list[tuple[float, Target]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def probe(self, target: Target) -> Sequence[Report]:
        self.asked.append((monotonic(), target))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            behave = self.behaviour.get(target.options["number"], lambda target: None)
            result = behave(target)
            if isinstance(result, Exception):
                raise result
            if isinstance(result, float):
                await asyncio.sleep(result)
            if isinstance(result, float) or result is None:
                return [Sighting(target.site, (target.key,), self.name, now(), address=target.host)]
            return result
        finally:
            self.at_once -= 1

    def source(self, timeout: float = 5.0, interval: float = 600.0, **more: object) -> Source:
        return Source(  # type: ignore[arg-type]
            self.name,
            self.name.upper(),
            timeout,
            probe=self.probe,
            interval=interval,
            **more,
        )

    def times(self, id: int) -> list[float]:
        """The times at which a device was asked."""
        return [at for at, target in list(self.asked) if target.options["number"] == id]


def silent(target: Target) -> Exception:
    return NoAnswer("no answer to 3 requests")


def cut(target: Target) -> Exception:
    return CannotAsk("tcp:eth0", "the cable is out")


def breaks(target: Target) -> Exception:
    return ZeroDivisionError("nobody expected this")


def busy(target: Target) -> Exception:
    return SessionRefused("453 Not Enough Bandwidth")


def hangs(target: Target) -> float:
    return 3600.0
