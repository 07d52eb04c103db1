"""Build the fleet: the tracker over its store, the journal, and the trusted clock."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from pydantic import SecretStr

from fleet import clock as clocks
from fleet.database.build import build_store
from fleet.fleet_secrets import FleetSecrets
from fleet.history.journal import Journal, JournalWriter
from fleet.model import ClockStep
from fleet.package import Job, Package, Packages
from fleet.status import Rules
from fleet.status_rules import SourceRules, rules_of
from fleet.texts import sentences
from fleet.tracker import Tracker
from fleet.trusted_clock import TrustedClock
from store.disk_check import DiskCheck
from store.json_file import CannotOpen
from store.owner import InUse
from store.secret_counts import SecretCounts
from store.sql import Damaged, NotCopied, Unreachable, default_url
from store.vault import Vault

log = logging.getLogger(__name__)
TICK = "tick"
"""Name of the job that must run every minute."""
AHEAD = timedelta(minutes=1)
"""How far the clock may be behind the newest sighting before that is a clock set back."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """Options of the fleet, by their names in `settings.py`."""

    database_path: Path
    data_dir: Path
    database_url: SecretStr | None
    keep_events_days: int
    auto_scan_interval: int


@dataclass(slots=True)
class FleetPackage(Package):
    """The tracker, its store, the journal and their jobs."""

    options: FleetOptions
    clock: Callable[[], datetime]
    packages: Packages
    rules: Callable[[], Rules]
    tracker: Tracker
    secrets: FleetSecrets
    journal: Journal
    journal_writer: JournalWriter
    disk: DiskCheck
    trusted: TrustedClock
    refused: SecretCounts
    """The logins that devices refused."""

    def open(self) -> None:
        """Own the store, update the journal's tables, and start the flow of events into it."""
        self.tracker.open()
        if loss := self.secrets.key_loss():
            log.error("%s", loss)
        try:
            highest = self.journal.open()
            # The former tracker's file opens in a first start, which is no update.
            notice = "" if self.tracker.was_original else self.tracker.notice
            notices = (notice, self.journal.notice)
            self.tracker.continue_above(*highest, self.clock(), notices)
            newest = self.journal.find(limit=1)
        except (InUse, Damaged, NotCopied) as error:
            raise CannotOpen(str(error)) from error
        except Unreachable as error:
            raise CannotOpen(sentences(str(error), "Check DATABASE_URL and DATA_DIR.")) from error
        self.trusted.open(newest[0].at if newest else None)
        now, seen = self.clock(), clocks.newest_time(self.tracker.devices())
        if seen is not None and seen - now > AHEAD:
            self.clock_was_set((now - seen).total_seconds())
        self.journal_writer.start()
        self.journal_writer.notify()

    def jobs(self) -> Sequence[Job]:
        return (
            Job(TICK, "Update statuses and save pending changes", 60, self._tick_all),
            Job("forget", "Delete old events", 86400, self._forget_all),
        )

    def tick(self) -> str:
        events = self.tracker.tick(self.clock())
        self.disk.current()
        self.trusted.distrust_reason()
        return f"{len(events)} {'change' if len(events) == 1 else 'changes'}"

    def forget(self) -> str:
        until = self.clock() - timedelta(days=self.options.keep_events_days)
        number = self.journal.forget(until)
        return f"{number} {'event' if number == 1 else 'events'}"

    def stop(self) -> None:
        self.journal_writer.stop()
        self.tracker.close()
        self.journal.close()

    def clock_was_set(self, seconds: float) -> None:
        """Apply a step of the system clock to the fleet and log it once."""
        log.warning("The clock of this server jumped by %.0f s", seconds)
        now = self.clock()
        self.tracker.apply([ClockStep(now, seconds)], now)

    def _tick_all(self) -> str:
        done = [package.tick() for package in self.packages]
        return " and ".join(text for text in done if text)

    def _forget_all(self) -> str:
        """Delete what is too old in all packages; nothing while the clock is in doubt."""
        if doubt := self.trusted.distrust_reason():
            return doubt
        try:
            done = [package.forget() for package in self.packages]
            behind = self.journal.readers.check(self.clock())
        except Unreachable as error:
            return str(error)
        return ". ".join([f"{' and '.join(text for text in done if text)} deleted", *behind])


def build_fleet(
    options: FleetOptions,
    clock: Callable[[], datetime],
    packages: Packages,
    sources: Mapping[str, SourceRules],
) -> FleetPackage:
    """Build the tracker, its journal and their clock; nothing is opened yet.

    `sources` has what the rules of status need of each source. `packages`: those that
    live through the minutes and days with the fleet. Raises CannotOpen for a DATABASE_URL that
    does not fit.
    """

    def rules() -> Rules:
        return rules_of(tracker.fleet(), options.auto_scan_interval, sources)

    store = build_store(options.database_path, options.data_dir)
    tracker = Tracker(store, rules)
    vault = Vault(options.data_dir / "keys")
    secrets = FleetSecrets(tracker, vault, clock)
    secret = options.database_url
    try:
        journal = Journal(secret.get_secret_value() if secret else default_url(options.data_dir))
    except ValueError as error:
        raise CannotOpen(f"Invalid DATABASE_URL: {error}.") from None
    journal_writer = JournalWriter(tracker, journal)
    tracker.on_events = journal_writer.notify
    trusted = TrustedClock(options.data_dir / "clock.json", clock, monotonic, store.missing)
    return FleetPackage(
        *(options, clock, packages, rules, tracker, secrets, journal, journal_writer),
        *(DiskCheck(store.unwritable), trusted),
        SecretCounts(options.data_dir / "refused_logins.json", vault, "logins"),
    )
