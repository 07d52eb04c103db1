"""How long the status of a device holds without a new question."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from fleet.model import Fleet
from fleet.status import Rules

AUTO_SCAN = "auto_scan"
"""Name of the toggle among the facts of the fleet, and of its job."""
WITHOUT_SCANS = 300
"""Seconds that are taken for the interval while nothing scans by itself."""


def rules_of(fleet: Fleet, scan_interval: float, intervals: Mapping[str, float]) -> Rules:
    """The rules of status: patience is two intervals of each source.

    `intervals` are the seconds between two questions to a listed device, by source. The other
    sources scan, every `scan_interval` seconds while auto-scan is on; without it their patience
    is ten minutes.
    """
    down: dict[str, datetime] = {}
    for scope, entry in fleet.state.get("down", {}).items():
        source, since = scope.partition(":")[0], datetime.fromisoformat(entry["since"])
        down[source] = max(since, down.get(source, since))
    is_scanning = fleet.state.get(AUTO_SCAN)
    return Rules(
        patience=timedelta(seconds=2 * (scan_interval if is_scanning else WITHOUT_SCANS)),
        intervals={source: timedelta(seconds=interval) for source, interval in intervals.items()},
        down=down,
    )
