"""Build the scanner over all sources and the scheduler of all jobs."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from discovery import jobs
from discovery.progress import SourceProgress, scopes_of
from discovery.range_scan import RangeAnswer, RangeProgress, RangeScans
from discovery.refused_logins import RefusedLogins
from discovery.scanner import Scanner
from discovery.scheduler import Scheduler
from discovery.snapshots import SnapshotFetcher
from discovery.stream_opening import StreamOpener
from fleet import state
from fleet.build import FleetPackage
from fleet.model import AutoScan, Target
from fleet.package import Job, Package
from fleet.status_rules import AUTO_SCAN
from fleet.tracker import Precondition
from inventory.build import InventoryPackage
from sources import easy4ip
from sources.source import Source
from store.sql import Unreachable

log = logging.getLogger(__name__)
RECORDERS = "recorders"
"""The job that checks the recorders of the list."""


@dataclass(frozen=True, slots=True)
class DiscoveryOptions:
    """Options of discovery, by their names in `settings.py`."""

    auto_scan: bool
    auto_scan_interval: int
    easy4ip_interval: int


@dataclass(frozen=True, slots=True)
class DiscoveryPackage(Package):
    """The scanner, the scheduler and their jobs. The running monitor starts the scheduler."""

    options: DiscoveryOptions
    fleet: FleetPackage
    inventory: InventoryPackage
    scanner: Scanner
    scheduler: Scheduler
    ranges: RangeScans
    streams: StreamOpener
    snapshots: SnapshotFetcher

    def open(self) -> None:
        """Set the toggle as the options say, unless somebody has set it before."""
        tracker = self.fleet.tracker
        if state.auto_scan(tracker.fleet()) is None and self.options.auto_scan:
            tracker.apply([AutoScan(True)], self.fleet.clock())

    def jobs(self) -> Sequence[Job]:
        scanner, options, is_on = self.scanner, self.options, self.has_auto_scan()
        recorders = jobs.RecorderSweeps(
            scanner, options.easy4ip_interval, self.inventory.workbooks.sync
        )
        return (
            Job(
                *(AUTO_SCAN, "Scan the network", options.auto_scan_interval),
                lambda: jobs.scan(scanner),
                paused=not is_on,
                at_once=True,
            ),
            Job(RECORDERS, "Check the recorders", options.easy4ip_interval, recorders),
        )

    def start(self) -> None:
        self.scanner.open()

    def stop(self) -> None:
        self.scheduler.stop()
        self.scanner.close()

    def has_auto_scan(self) -> bool:
        """True if the network is scanned by itself."""
        return bool(state.auto_scan(self.fleet.tracker.fleet()))

    def set_auto_scan(self, enabled: bool, precondition: Precondition) -> None:
        """Set the toggle, durably. Turned on, a scan starts at once."""
        self.fleet.tracker.apply([AutoScan(enabled)], self.fleet.clock(), precondition)
        if enabled:
            self.scheduler.resume(AUTO_SCAN)
        else:
            self.scheduler.pause(AUTO_SCAN)

    def clock_was_set(self, seconds: float) -> None:
        """React to a jump of the wall clock while the monitor runs."""
        if seconds < 0:
            # What it asked before the step cannot be told from what answers after it.
            self.scanner.cancel()
        self.fleet.clock_was_set(seconds)


def build_discovery(
    options: DiscoveryOptions,
    fleet: FleetPackage,
    inventory: InventoryPackage,
    sources: Sequence[Source],
) -> DiscoveryPackage:
    """The scanner and the scheduler; no thread runs yet."""

    def targets(name: str) -> Sequence[Target]:
        return inventory.workbooks.targets() if name == easy4ip.NAME else ()

    def note_asked(at: datetime, progress: Iterable[SourceProgress]) -> None:
        """Note the scopes that were asked in the journal, which judges uptimes by them."""
        try:
            fleet.journal.note_asked(at, scopes_of(progress))
        except Unreachable as error:
            log.warning("%s", error)

    scanner = Scanner(
        sources,
        fleet.tracker,
        fleet.clock,
        on_asked=note_asked,
        targets=targets,
        may_confirm=lambda: package.has_auto_scan(),
        unseal=fleet.secrets.unseal,
        refused=RefusedLogins(fleet.refused),
    )
    scheduler = Scheduler(on_step=lambda seconds: package.clock_was_set(seconds))

    def check_new_recorders() -> None:
        """Check them now: by the job, or beside its round where that is running."""
        is_busy = scanner.is_asking(easy4ip.NAME)
        if is_busy or not scheduler.run_now(RECORDERS):
            scanner.check_now(easy4ip.NAME)

    inventory.workbooks.on_new_targets = check_new_recorders

    def keep(progress: RangeProgress, answers: Sequence[RangeAnswer]) -> None:
        """Put the answers of a scanned range into the inbox, with how far the scan is. Raises
        Unreachable."""
        by_address = {answer.address: asdict(answer) for answer in answers}
        inventory.inbox.keep(progress.plan.site, by_address, fleet.clock(), progress.record)

    ranges = RangeScans(scanner.begin, keep)
    package = DiscoveryPackage(
        *(options, fleet, inventory, scanner, scheduler, ranges),
        StreamOpener(scanner),
        SnapshotFetcher(scanner),
    )
    return package
