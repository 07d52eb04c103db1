"""What is watched and how often, how far a check is, and which button the fleet needs next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from discovery.progress import SourceProgress
from fleet import recorder_list, status
from fleet.kinds import CAMERAS, shown_as
from web.http.monitor import Monitor
from web.http.selection import Snapshot
from web.http.shapes.scans import CheckRow, check_row
from web.http.visible_fleet import can, visible_fleet
from web.pages.dates import span

CHECK, SCAN, UPLOAD = "check", "scan", "upload"
"""The primary buttons."""


@dataclass(frozen=True, slots=True)
class Census:
    """How the devices of the visible fleet are watched. `listed`: recorders of the list;
    `scanned`: found by scans; `unchecked`: those of both that were never checked."""

    listed: int = 0
    scanned: int = 0
    unchecked: int = 0

    @property
    def total(self) -> int:
        return self.listed + self.scanned

    @property
    def is_list_only(self) -> bool:
        """True for a fleet in which nothing was found by a scan."""
        return self.listed > 0 and not self.scanned


@dataclass(frozen=True, slots=True)
class Round:
    """The last whole round over the list."""

    at: str
    online: int
    missed: int


@dataclass(frozen=True, slots=True)
class Watching:
    """`every`: how often the list is checked, in words. `checks` is empty for those who must not
    know how many devices there are; so is `last_round`. `stale_since`: the last scan, if it is
    so long ago that the statuses may have changed since."""

    census: Census
    primary: str
    every: str
    checks: list[CheckRow]
    last_round: Round | None
    stale_since: datetime | None = None

    @property
    def is_mostly_unchecked(self) -> bool:
        return 2 * self.census.unchecked >= self.census.total > 0


def census(snapshot: Snapshot) -> Census:
    devices, statuses = snapshot
    listed = scanned = unchecked = 0
    for device in devices.values():
        if device.retired_at is not None or shown_as(device.kind) not in CAMERAS:
            continue
        if recorder_list.is_in_list(device):
            listed += 1
        else:
            scanned += 1
        unchecked += statuses[device.id] == status.UNKNOWN
    return Census(listed, scanned, unchecked)


def primary_button(census: Census, can_check: bool) -> str:
    """The button that the fleet needs next. `can_check`: the list can be read."""
    if not census.is_list_only:
        return SCAN
    return CHECK if can_check else UPLOAD


def every(seconds: float) -> str:
    """Such as `every minute`, `every 10 min`."""
    return "every minute" if seconds == 60 else f"every {span(timedelta(seconds=seconds))}"


def watching(monitor: Monitor, snapshot: Snapshot) -> Watching:
    counted, scanner = census(snapshot), monitor.scanner
    is_hidden = visible_fleet().is_limited or not can("scan.view")
    lists = [source for source in scanner.sources.values() if source.sweep]
    needs_list = bool(monitor.workbooks.state.error) and can("workbook.edit")
    return Watching(
        counted,
        primary_button(counted, not needs_list),
        every(min((source.interval for source in lists), default=60)),
        [] if is_hidden else running_checks(monitor),
        None if is_hidden else _last_round(scanner.swept),
        _stale_since(monitor, snapshot) if counted.scanned else None,
    )


def _stale_since(monitor: Monitor, snapshot: Snapshot) -> datetime | None:
    """The last scan if it is older than a status stays current, else None. A person who must not
    know of it gets the last check of the devices that they see."""
    if last := visible_fleet().last_scan():
        at: datetime | None = datetime.fromisoformat(last["at"])
    else:
        scanned = (dev for dev in snapshot[0].values() if not recorder_list.is_in_list(dev))
        at = max(filter(None, map(status.last_asked, scanned)), default=None)
    return at if at and monitor.clock() - at > monitor.rules().patience else None


def running_checks(monitor: Monitor) -> list[CheckRow]:
    now = monotonic()
    return [check_row(check, now) for check in monitor.scanner.checks()]


def _last_round(swept: Mapping[str, tuple[datetime, SourceProgress]]) -> Round | None:
    """The last round of the source that was asked last. A round in which the source could not be
    reached at all checked nothing and is none."""
    rounds = [entry for name, entry in list(swept.items()) if name not in entry[1].failed]
    newest = max(rounds, key=lambda entry: entry[0], default=None)
    if newest is None:
        return None
    at, progress = newest
    return Round(at.isoformat(), len(progress.found), progress.missed)
