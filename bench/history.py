"""A long journal: what the page costs over it, and how long rolling it up for the first time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench import fleets
from bench.running import monitor, typical
from bench.table import Row
from fleet.history.event_rows import events
from fleet.history.journal import Journal
from fleet.history.uptime import DAYS
from store.sql import default_url

CAMERAS, EACH = 50, 2000
MILLION = 500
"""Cameras whose events make a million."""


def history(folder: Path) -> list[Row]:
    """`GET /` with 2,000 events for each of 50 cameras; a million events rolled up."""
    rows = []
    for cameras in (CAMERAS, MILLION):
        place = folder / str(cameras)
        place.mkdir()
        fleets.write_fleet(place, cameras)
        rolled = fill(place, cameras)
        with monitor(place) as process:
            page = typical(20, lambda n: process.client.ask("GET", "/"))
            first = process.started
        count = cameras * EACH
        note = f"{rolled:.1f} s to roll them up once, after an update; start {first:.2f} s"
        rows.append(Row(f"{count} events of {cameras} cameras: page /", page, "ms", 150, note=note))
    return rows


def fill(folder: Path, cameras: int) -> float:
    """Events as an older version left them; seconds until they are rolled up."""
    journal = Journal(default_url(folder / "data"))
    journal.open()
    with journal.engine.begin() as connection:
        for part in batches(cameras):
            connection.execute(insert(events), part)
    begin = time.monotonic()
    for _ in journal.fill_uptimes():
        pass
    took = time.monotonic() - begin
    journal.close()
    return took


def batches(cameras: int) -> Iterator[list[dict[str, Any]]]:
    """Each camera goes and comes EACH times in the last DAYS days; some at a time."""
    begin, sequence = datetime.now(UTC) - timedelta(days=DAYS), 1000
    kinds = (("device.offline", "ACTIVE", "OFFLINE"), ("device.back", "OFFLINE", "ACTIVE"))
    for number in range(EACH):
        at, part = begin + number * timedelta(days=DAYS) / EACH, []
        kind, before, after = kinds[number % 2]
        for device in range(1, cameras + 1):
            sequence += 1
            row = {"sequence": sequence, "at": at, "kind": kind, "device": device}
            row |= {"text": f"Camera {device}: {kind}", "before": {"status": before}}
            part.append({**row, "after": {"status": after}})
        yield part
