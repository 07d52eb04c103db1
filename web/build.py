"""Build the monitor over all packages for the routes, and the authentication of requests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from accounts.build import AccountsPackage
from audit.build import AuditPackage
from discovery.build import DiscoveryPackage
from fleet.build import FleetPackage
from fleet.history.journal_readers import MemoryReader
from fleet.package import Package, Packages
from inventory.build import InventoryPackage
from video.build import VideoPackage
from web.http.authentication import Network, RequestAuthenticator
from web.http.broadcaster import EventBroadcaster
from web.http.monitor import Monitor
from web.http.stream_sessions import StreamSessions
from web.http.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Options of the pages and the API, by their names in `settings.py`."""

    site_name: str
    site_description: str
    logo_file: Path | None
    logo_type: str
    database_path: Path
    auto_scan_interval: int
    trusted_proxies: tuple[Network, ...]
    allowed_networks: tuple[Network, ...]
    allowed_origins: tuple[str, ...]
    max_viewers: int
    max_viewers_per_user: int


@dataclass(frozen=True, slots=True)
class WebPackage(Package):
    """The monitor for pages and the API."""

    monitor: Monitor

    def start(self) -> None:
        self.monitor.watchdog.start()

    def stop(self) -> None:
        self.monitor.end_streams()
        self.monitor.watchdog.stop()


def build_web(options: WebOptions, clock: Callable[[], datetime], packages: Packages) -> WebPackage:
    """The monitor over the packages that were built before."""
    fleet, discovery = packages.find(FleetPackage), packages.find(DiscoveryPackage)
    accounts, inventory = packages.find(AccountsPackage), packages.find(InventoryPackage)
    broadcaster = EventBroadcaster()
    journal = fleet.journal
    journal.readers.add(MemoryReader(journal.engine, "event_stream", broadcaster.publish))
    discovery.scanner.on_progress = broadcaster.progress
    discovery.scanner.on_checks = broadcaster.checks
    monitor = Monitor(
        name=options.site_name,
        description=options.site_description,
        logo=options.logo_file,
        logo_type=options.logo_type,
        database=options.database_path,
        scan_interval=options.auto_scan_interval,
        clock=clock,
        rules=fleet.rules,
        tracker=fleet.tracker,
        secrets=fleet.secrets,
        disk=fleet.disk,
        journal=journal,
        journal_writer=fleet.journal_writer,
        scanner=discovery.scanner,
        workbooks=inventory.workbooks,
        uploads=inventory.uploads,
        scheduler=discovery.scheduler,
        broadcaster=broadcaster,
        set_auto_scan=discovery.set_auto_scan,
        authenticator=RequestAuthenticator(
            accounts.accounts,
            accounts.jwt_tokens,
            trusted_proxies=options.trusted_proxies,
            allowed_networks=options.allowed_networks,
            allowed_origins=options.allowed_origins,
        ),
        preferences=accounts.preferences,
        audit=packages.find(AuditPackage).audit,
        watchdog=Watchdog(),
        trusted=fleet.trusted,
        packages=packages,
        streams=packages.find(VideoPackage).streams,
        stream_sessions=StreamSessions(clock, options.max_viewers, options.max_viewers_per_user),
    )
    return WebPackage(monitor)
