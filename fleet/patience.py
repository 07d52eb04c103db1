"""How long the status of a device holds without a new question."""

from datetime import datetime, timedelta

from fleet.model import Fleet
from fleet.status import Rules

AUTO_SCAN = "auto_scan"
"""Name of the toggle among the facts of the fleet, and of its job."""
WITHOUT_SCANS = 300
"""Seconds that are taken for the interval while nothing scans by itself."""


def rules_of(fleet: Fleet, scan_interval: float, listed_interval: float) -> Rules:
    """The rules of status: patience is two intervals, or ten minutes without auto-scan.

    `scan_interval` and `listed_interval` are the seconds between two automatic scans and
    between two questions to a device that somebody listed.
    """
    down: dict[str, datetime] = {}
    for scope, entry in fleet.state.get("down", {}).items():
        source, since = scope.partition(":")[0], datetime.fromisoformat(entry["since"])
        down[source] = max(since, down.get(source, since))
    interval = max(scan_interval, listed_interval)
    if not fleet.state.get(AUTO_SCAN):
        interval = max(WITHOUT_SCANS, listed_interval)
    return Rules(patience=timedelta(seconds=2 * interval), down=down)
