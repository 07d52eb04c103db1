"""The cost of the due queue: 10,000 devices, with a source that answers at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import fleets
from bench.running import share_of_core
from bench.table import Row
from discovery.scanner import Scanner
from fleet.database import record
from fleet.model import Access, Fleet, Report, Sighting, Target
from fleet.tracker import Tracker
from sources.source import Source

SIZE = 10_000
INTERVAL = 600
SECONDS = 60.0
FIRST = 130.0
"""Seconds until every device has been asked and has found its moment within the interval."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def give_access(folder: Path, size: int) -> Tracker:
    """A fleet of so many devices, each of which a source probes."""
    fleets.write_fleet(folder, size)
    tracker = fleets.tracker_in(folder)
    fleet, access = tracker.fleet(), {"instant": Access(interval=INTERVAL)}
    tracker.close()
    devices = {
        id: replace(device, access=access, retired_at=None) for id, device in fleet.devices.items()
    }
    data = record.Encoder().encode(Fleet(devices, next_id=fleet.next_id, sequence=fleet.sequence))
    (folder / "camera_database.json").write_bytes(data)
    return fleets.tracker_in(folder)


def due(folder: Path) -> list[Row]:
    """CPU of this process while 10,000 devices are asked every ten minutes, and of the first
    round after a start."""
    asked = 0

    async def probe(target: Target) -> Sequence[Report]:
        nonlocal asked
        asked += 1
        return [Sighting(target.site, (target.key,), "instant", utc_now(), address=target.host)]

    tracker = give_access(folder, SIZE)
    source = Source("instant", "Answers at once", 5, probe=probe, interval=INTERVAL)
    scanner = Scanner([source], tracker, utc_now)
    scanner.open()
    try:
        first, _took = share_of_core(FIRST)
        first_asked, asked = asked, 0
        share, took = share_of_core(SECONDS)
        rate = asked / took
    finally:
        scanner.close()
        tracker.close()
    note = f"{rate:.1f} questions a second, with the tracker and its file"
    return [
        Row("10k due every 10 min: CPU of one core", share, "%", 5, note=note),
        Row(
            "10k asked for the first time: CPU of one core",
            first,
            "%",
            note=f"{first_asked} questions in {FIRST:.0f} s",
        ),
    ]
