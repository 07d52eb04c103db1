"""How long the status of a device holds without a new question."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from fleet import state
from fleet.model import Fleet
from fleet.status import Rules

AUTO_SCAN = "auto_scan"
"""Name of the job of the automatic scan."""
WITHOUT_SCANS = 300
"""Seconds that are taken for the interval while nothing scans by itself."""


def rules_of(fleet: Fleet, scan_interval: float, intervals: Mapping[str, float]) -> Rules:
    """The rules of status: patience is two intervals of each source.

    `intervals` are the seconds between two questions to a listed device, by source. The other
    sources scan, every `scan_interval` seconds while auto-scan is on; without it their patience
    is ten minutes.
    """
    down = {
        scope: datetime.fromisoformat(entry["since"]) for scope, entry in state.down(fleet).items()
    }
    is_scanning = state.auto_scan(fleet)
    return Rules(
        patience=timedelta(seconds=2 * (scan_interval if is_scanning else WITHOUT_SCANS)),
        intervals={source: timedelta(seconds=interval) for source, interval in intervals.items()},
        down=down,
    )
