"""The monitor as routes see it: the parts that `app.py` put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from flask import current_app

from accounts.preferences import Preferences
from audit.audit_log import AuditLog
from discovery.scanner import Scanner
from discovery.scheduler import Scheduler
from fleet import state, status
from fleet.fleet_secrets import FleetSecrets
from fleet.history.journal import Journal, JournalWriter
from fleet.model import Device
from fleet.package import Packages
from fleet.status import Rules
from fleet.tracker import Precondition, Tracker
from fleet.trusted_clock import TrustedClock
from inventory.uploads import Uploads
from inventory.workbooks import Workbooks
from stills.build import StillsPackage
from store.disk_check import DiskCheck
from video.streams import Streams
from web.http.authentication import RequestAuthenticator
from web.http.broadcaster import EventBroadcaster
from web.http.encoded_rows import EncodedRows
from web.http.entered_logins import EnteredLogins
from web.http.latest_attention import LatestAttention
from web.http.stream_sessions import StreamSessions
from web.http.watchdog import Watchdog


@dataclass(slots=True)
class Monitor:
    """The parts of the running monitor. `set_auto_scan` turns the toggle, durably.

    `packages` has every other package too: `packages.find(VideoPackage)`.
    """

    name: str
    description: str
    logo: Path | None
    logo_type: str
    database: Path
    scan_interval: int
    clock: Callable[[], datetime]
    rules: Callable[[], Rules]
    tracker: Tracker
    disk: DiskCheck
    journal: Journal
    journal_writer: JournalWriter
    scanner: Scanner
    scheduler: Scheduler
    broadcaster: EventBroadcaster
    set_auto_scan: Callable[[bool, Precondition], None]
    workbooks: Workbooks
    uploads: Uploads
    authenticator: RequestAuthenticator
    preferences: Preferences
    secrets: FleetSecrets
    audit: AuditLog
    watchdog: Watchdog
    trusted: TrustedClock
    packages: Packages
    streams: Streams
    stream_sessions: StreamSessions

    encoded: EncodedRows = field(default_factory=EncodedRows)
    entered_logins: EnteredLogins = field(default_factory=EnteredLogins)
    check_results: EnteredLogins = field(default_factory=EnteredLogins)
    """Results of "Check now", each for the page that follows."""
    attention: LatestAttention = field(default_factory=LatestAttention)
    _statuses: tuple[Mapping[int, Device], datetime, dict[int, str]] | None = None

    def statuses(
        self, devices: Mapping[int, Device] | None = None
    ) -> tuple[Mapping[int, Device], dict[int, str]]:
        """All devices, of this snapshot or the newest one, and their statuses now; the same
        snapshot is judged once a second."""
        devices = self.tracker.devices() if devices is None else devices
        now, known = self.clock(), self._statuses
        if known and known[0] is devices and timedelta() <= now - known[1] < timedelta(seconds=1):
            return devices, known[2]
        statuses = status.statuses(devices, now, self.rules())
        self._statuses = (devices, now, statuses)
        return devices, statuses

    def end_streams(self) -> None:
        """End every response that would go on, and every wait for a still, as the server stops."""
        self.broadcaster.close()
        self.stream_sessions.closing.set()
        self.packages.find(StillsPackage).stills.stop()

    @property
    def redirects(self) -> Mapping[int, int]:
        """{number of a device that was merged away: number of the one that stayed}."""
        return self.tracker.fleet().redirects

    def swept_at(self) -> list[datetime]:
        """The start of the last sweep of each source."""
        return [at for at, _progress in tuple(self.scanner.swept.values())]

    def has_auto_scan(self) -> bool:
        return bool(state.auto_scan(self.tracker.fleet()))


def current_monitor() -> Monitor:
    """The monitor of the running app."""
    monitor: Monitor = current_app.extensions["monitor"]
    return monitor
