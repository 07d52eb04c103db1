"""The time for which the status of a device holds without a new check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet import state
from fleet.model import Fleet
from fleet.status import Rules

AUTO_SCAN = "auto_scan"
"""Name of the job of the automatic scan."""
WITHOUT_SCANS = 300
"""Seconds that are taken for the interval while nothing scans by itself."""


@dataclass(frozen=True, slots=True)
class SourceInterval:
    """Interval at which a source asks a listed device, in seconds. `probes`: it asks only
    devices with access for it, each on the interval of that access where that has one."""

    seconds: float
    probes: bool = False


def rules_of(fleet: Fleet, scan_interval: float, intervals: Mapping[str, SourceInterval]) -> Rules:
    """The rules of status: patience is two intervals of each source.

    `intervals` are those of the sources that ask listed devices. A device that a source does not
    ask by itself is only scanned, every `scan_interval` seconds while auto-scan is on; without it
    the patience is ten minutes.
    """
    down = {
        scope: datetime.fromisoformat(entry["since"]) for scope, entry in state.down(fleet).items()
    }
    is_scanning = state.auto_scan(fleet)
    return Rules(
        patience=timedelta(seconds=2 * (scan_interval if is_scanning else WITHOUT_SCANS)),
        intervals={
            name: timedelta(seconds=interval.seconds) for name, interval in intervals.items()
        },
        probing=frozenset(name for name, interval in intervals.items() if interval.probes),
        down=down,
    )
