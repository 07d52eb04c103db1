"""The rules of status that follow from the sources: how long one holds, and whose kind is right."""

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
class SourceRules:
    """The part of a source in the rules. `interval`: seconds between two questions to a listed
    device, None where it asks none. `probes`: it asks only devices with access for it, each on
    the interval of that access where that has one. `names_kind`: its answers name the kind."""

    interval: float | None = None
    probes: bool = False
    names_kind: bool = False


def rules_of(fleet: Fleet, scan_interval: float, sources: Mapping[str, SourceRules]) -> Rules:
    """The rules of status: patience is two intervals of each source.

    `sources` has the rules of each by its name. A device that a source does not ask by itself is
    only scanned, every `scan_interval` seconds while auto-scan is on; without it the patience is
    ten minutes.
    """
    down = {
        scope: datetime.fromisoformat(entry["since"]) for scope, entry in state.down(fleet).items()
    }
    is_scanning = state.auto_scan(fleet)
    return Rules(
        patience=timedelta(seconds=2 * (scan_interval if is_scanning else WITHOUT_SCANS)),
        intervals={
            name: timedelta(seconds=source.interval)
            for name, source in sources.items()
            if source.interval is not None
        },
        probing=frozenset(name for name, source in sources.items() if source.probes),
        kind_sources=frozenset(name for name, source in sources.items() if source.names_kind),
        down=down,
    )
