"""Puts the monitor together and runs it: the only place that composes.

`python app.py` starts it; `gunicorn app:app` works too, with one worker.
"""

if __name__ == "__main__":
    # Before the imports below: gunicorn's first process needs none of them and stays small.
    import serving

    serving.main()

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from time import monotonic
from typing import Any

from flask import Flask
from pydantic import SecretStr

import serving
import settings as options
from accounts.accounts import Accounts
from accounts.bootstrap import bootstrap_admin
from accounts.jwt_tokens import JwtTokens
from accounts.model import NotAllowed
from audit.audit_log import Audit
from audit.model import Entry
from discovery.progress import SourceProgress
from discovery.scanner import Scanner
from discovery.scheduler import Scheduler
from fleet import clock as clocks
from fleet.job import Job
from fleet.journal import Journal, JournalWriter
from fleet.journal_readers import MemoryReader
from fleet.model import CannotAsk, ClockStep, Fleet
from fleet.status import Rules, statuses
from fleet.tracker import Precondition, Tracker
from fleet.trusted_clock import TrustedClock
from inventory.uploads import Uploads
from inventory.workbooks import Workbooks
from settings import Settings
from sources import easy4ip, panasonic
from sources.easy4ip_wire import KeyPair
from sources.source import Source
from store.disk_check import DiskCheck
from store.json_file import CannotKeep, CannotOpen, JsonFile
from store.owner import InUse
from store.sql import Damaged, Unreachable, default_url
from store.vault import SecretLost, Vault
from web import application
from web.http.authentication import Access
from web.http.broadcaster import EventBroadcaster
from web.http.monitor import AUTO_SCAN, TICK, WORKBOOK, Monitor
from web.http.watchdog import Watchdog

log = logging.getLogger("camera_monitor")
AHEAD = timedelta(minutes=1)
"""How far the clock may be behind the newest sighting before that is a clock set back."""
FIRST_LOOK = 1.0
"""Seconds that a start waits for the workbook."""
BOOT_ERROR = 3
"""What gunicorn takes as: this worker will never start, give up."""


def utc_now() -> datetime:
    return datetime.now(UTC)


# -- the monitor ---------------------------------------------------------------------------


def build_sources(settings: Settings, clock: Callable[[], datetime]) -> list[Source]:
    easy_ip = panasonic.EasyIpOptions(
        clock=clock,
        targets=settings.easy_ip_targets,
        port=settings.easy_ip_port,
        reply_port=settings.easy_ip_reply_port,
    )
    host, _, port = settings.easy4ip_server.rpartition(":")
    cloud = easy4ip.Easy4IpOptions(
        clock=clock,
        server=(host, int(port)),
        keys=KeyPair(settings.easy4ip_user, settings.easy4ip_key),
        rate=settings.easy4ip_rate,
        waits=easy4ip.waits(settings.easy4ip_timeout),
        most=settings.easy4ip_concurrency,
    )
    return [panasonic.source(easy_ip), easy4ip.source(cloud)]


def rules_of(settings: Settings, fleet: Fleet) -> Rules:
    """The rules of status: patience is two intervals, or ten minutes without auto-scan."""
    down: dict[str, datetime] = {}
    for scope, said in fleet.state.get("down", {}).items():
        source, since = scope.partition(":")[0], datetime.fromisoformat(said["since"])
        down[source] = max(since, down.get(source, since))
    interval = max(settings.auto_scan_interval, settings.easy4ip_interval)
    if not fleet.state.get(AUTO_SCAN):
        interval = max(300, settings.easy4ip_interval)
    return Rules(patience=timedelta(seconds=2 * interval), down=down)


def statuses_of(settings: Settings, fleet: Fleet) -> dict[int, str]:
    """The statuses of a fleet that was read from its file."""
    return statuses(fleet.devices, utc_now(), rules_of(settings, fleet))


def build_monitor(
    settings: Settings,
    clock: Callable[[], datetime] = utc_now,
    sources: Sequence[Source] | None = None,
) -> Monitor:
    """All the parts, joined; nothing is opened and no thread runs yet.

    `sources` other than those of the settings are for tests. Raises BadOption.
    """

    def rules() -> Rules:
        return rules_of(settings, tracker.fleet())

    tracker = Tracker(JsonFile(settings.database_path, settings.data_dir), rules)
    journal = build_journal(settings)
    chosen = build_sources(settings, clock) if sources is None else sources
    broadcaster = EventBroadcaster()
    audit = Audit(journal.engine, settings.data_dir, tracker.file.missing)
    journal.readers.add(MemoryReader(journal.engine, "event_stream", broadcaster.tell))
    journal_writer = JournalWriter(tracker, journal, audit.flush)
    tracker.on_events = audit.on_lines = journal_writer.notify
    workbooks = Workbooks(settings.p2p_workbook, tracker, clock)
    monitor = Monitor(
        name=settings.site_name,
        description=settings.site_description,
        logo=settings.logo_file,
        logo_type=options.LOGOS[settings.logo_file.suffix.lower()] if settings.logo_file else "",
        database=settings.database_path,
        scan_interval=settings.auto_scan_interval,
        clock=clock,
        rules=rules,
        tracker=tracker,
        disk=DiskCheck(tracker.file.unwritable),
        journal=journal,
        journal_writer=journal_writer,
        scanner=Scanner(
            chosen,
            tracker,
            clock,
            broadcaster.progress,
            partial(note_asked, journal),
            lambda name: workbooks.targets() if name == easy4ip.NAME else (),
            lambda: bool(tracker.fleet().state.get(AUTO_SCAN)),
        ),
        workbooks=workbooks,
        uploads=Uploads(settings.data_dir / "uploads", workbooks),
        scheduler=Scheduler(()),
        broadcaster=broadcaster,
        set_auto_scan=lambda enabled, precondition: set_auto_scan(monitor, enabled, precondition),
        access=build_access(settings, journal, clock),
        audit=audit,
        watchdog=Watchdog(),
        trusted=TrustedClock(
            settings.data_dir / "clock.json", clock, monotonic, tracker.file.missing
        ),
    )
    journal_writer.on_back = monitor.access.accounts.open
    monitor.scheduler = Scheduler(table_of_jobs(monitor, settings), partial(clock_was_set, monitor))
    return monitor


def build_journal(settings: Settings) -> Journal:
    """The journal in the SQL database of the settings. Raises BadOption."""
    secret = settings.database_url
    url = secret.get_secret_value() if secret else default_url(settings.data_dir)
    try:
        return Journal(url)
    except ValueError as error:
        raise options.BadOption(f"DATABASE_URL does not fit: {error}.") from None


def build_access(settings: Settings, journal: Journal, clock: Callable[[], datetime]) -> Access:
    """Who comes in: accounts beside the journal, keys in the data folder or from options."""
    vault = Vault(settings.data_dir / "keys")

    def key(name: str, option: SecretStr | None) -> Callable[[], bytes]:
        if option is not None:
            given = option.get_secret_value().encode()
            return lambda: given
        return cache(partial(vault.signing_key, name))

    return Access(
        Accounts(journal.engine, key("session", settings.secret_key), clock),
        JwtTokens(key("ticket", settings.jwt_secret_key), clock),
        trusted_proxies=settings.trusted_proxies,
        allowed_networks=settings.allowed_networks,
        allowed_origins=settings.allowed_origins,
    )


def note_asked(journal: Journal, at: datetime, asked: Iterable[SourceProgress]) -> None:
    """The journal keeps which scopes were asked today; uptimes are judged by it."""
    covered = [one.coverage for one in asked if one.coverage]
    scopes = {scope for one in covered if one.scopes for scope in (one.source, *one.scopes)}
    try:
        journal.was_asked(at, sorted(scopes))
    except Unreachable as error:
        log.warning("%s", error)


def table_of_jobs(monitor: Monitor, settings: Settings) -> list[Job]:
    """Everything that runs by itself."""

    discovering = [one.name for one in monitor.scanner.sources.values() if one.discover]

    def recorders() -> str:
        monitor.workbooks.keep()
        if easy4ip.NAME not in monitor.scanner.sources:
            return ""
        # At once the first time; afterwards spread, so that the cloud hears us evenly.
        is_first = monitor.scheduler.states["recorders"].last_result == ""
        spread = 0.0 if is_first else settings.easy4ip_interval * 0.6
        did = monitor.scanner.sweep(easy4ip.NAME, spread)
        if did is None:
            return "none is to be asked about"
        if did.failed:
            raise CannotAsk(easy4ip.NAME, " ".join(did.failed.values()))
        return f"{len(did.found)} online, {did.missed} not"

    def scan() -> str:
        if not monitor.scanner.start("auto-scan", discovering):
            return "A scan was running already"
        monitor.scanner.wait(300)
        last = monitor.scanner.last
        if last and last.error:
            raise CannotAsk(AUTO_SCAN, last.error)
        return f"{last.found} devices answered" if last else ""

    def tick() -> str:
        events = monitor.tracker.tick(monitor.clock())
        monitor.disk.renewed()
        monitor.trusted.doubt()
        with suppress(Unreachable):  # said already; what is not written down stays for later
            monitor.access.accounts.note_uses()
        monitor.audit.flush()
        return f"{len(events)} changes"

    def forget() -> str:
        if doubt := monitor.trusted.doubt():
            return doubt
        until = monitor.clock() - timedelta(days=settings.keep_events_days)
        try:
            events = monitor.journal.forget(until)
            behind = monitor.journal.readers.check(monitor.clock())
            lines = monitor.audit.forget(monitor.clock() - timedelta(days=settings.keep_audit_days))
        except Unreachable as error:
            return str(error)
        done = f"{events} events and {lines} lines of the audit log forgotten"
        return ". ".join([done, *behind])

    return [
        Job(AUTO_SCAN, "Scan the network", settings.auto_scan_interval, scan, paused=True),
        Job("recorders", "Ask about the recorders", settings.easy4ip_interval, recorders),
        Job(WORKBOOK, "Read the workbook when it changed", 5, lambda: monitor.workbooks.keep()),
        Job(TICK, "Let time pass, write what waits", 60, tick),
        Job("forget", "Forget what is too old", 86400, forget),
    ]


def clock_was_set(monitor: Monitor, seconds: float) -> None:
    """Tell it once, and let nothing that was seen before look newer than what comes."""
    log.warning("The clock of this server jumped by %.0f s", seconds)
    if seconds < 0:
        # What it asked before the step cannot be told from what answers after it.
        monitor.scanner.cancel()
    now = monitor.clock()
    monitor.tracker.apply([ClockStep(now, seconds)], now)


def set_auto_scan(monitor: Monitor, enabled: bool, precondition: Precondition) -> None:
    """Throw the toggle, durably. Turned on, a scan starts at once."""
    monitor.tracker.remember({AUTO_SCAN: enabled}, monitor.clock(), precondition)
    if enabled:
        monitor.scheduler.resume(AUTO_SCAN)
    else:
        monitor.scheduler.pause(AUTO_SCAN)


def open_monitor(monitor: Monitor, settings: Settings) -> None:
    """Own the database, bring the journal up to date, let the journal_writer run.

    Raises CannotOpen in words.
    """
    monitor.tracker.open()
    try:
        monitor.tracker.continue_above(*monitor.journal.open(), monitor.clock())
        newest = monitor.journal.find(limit=1)
        monitor.access.accounts.open()
        open_accounts(monitor, settings)
    except SecretLost as error:
        raise CannotOpen(str(error)) from error
    except (InUse, Damaged) as error:
        raise CannotOpen(str(error)) from error
    except Unreachable as error:
        raise CannotOpen(f"{error}. Check DATABASE_URL and DATA_DIR.") from error
    monitor.trusted.open(newest[0].at if newest else None)
    now, seen = monitor.clock(), clocks.newest(monitor.tracker.devices())
    if seen is not None and seen - now > AHEAD:
        clock_was_set(monitor, (now - seen).total_seconds())
    if AUTO_SCAN not in monitor.tracker.fleet().state and settings.auto_scan:
        monitor.tracker.remember({AUTO_SCAN: True}, monitor.clock())
    monitor.journal_writer.start()
    monitor.journal_writer.notify()


def open_accounts(monitor: Monitor, settings: Settings) -> None:
    """The first account, where options or moncam's file name it. Raises CannotOpen."""
    secret = settings.admin_password
    was_open = not monitor.access.accounts.has_any()
    try:
        bootstrap_admin(
            monitor.access.accounts,
            settings.admin_username,
            secret.get_secret_value() if secret else None,
        )
    except NotAllowed as error:
        raise CannotOpen(
            f"ADMIN_USERNAME and ADMIN_PASSWORD do not fit: {error.error}. {error.hint}"
        ) from error
    for one in monitor.access.accounts.snapshot.users.values() if was_open else ():
        text = f"{one.name} is the first administrator"
        monitor.audit.note(Entry(monitor.clock(), "start", "", "user.added", one.name, text))


def start_monitor(monitor: Monitor, settings: Settings) -> None:
    """Everything that runs by itself begins. Raises CannotOpen in words."""
    open_monitor(monitor, settings)
    monitor.watchdog.start()
    monitor.scanner.open()
    monitor.scheduler.start()
    monitor.scheduler.run_now(WORKBOOK)
    # No longer: 50,000 rows take seconds, and what the database knows can be seen meanwhile.
    monitor.workbooks.was_read.wait(FIRST_LOOK)
    if monitor.has_auto_scan():
        monitor.scheduler.resume(AUTO_SCAN)


def stop_monitor(monitor: Monitor) -> None:
    """End in the order of the data path, so that nothing is lost on the way."""
    monitor.broadcaster.close()
    monitor.watchdog.stop()
    monitor.scheduler.stop()
    monitor.scanner.close()
    monitor.journal_writer.stop()
    monitor.tracker.close()
    monitor.journal.close()


# -- the web app -------------------------------------------------------------------------


def create_app(monitor: Monitor) -> Flask:
    """The Flask app over a monitor. No thread starts here."""
    app = Flask("app", static_folder="static", template_folder="templates")
    application.register(app, monitor)
    return app


def __getattr__(name: str) -> Any:
    """`gunicorn app:app` finds its app here; importing this file builds nothing."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = create_app(build_monitor(options.load()))
    return made


# -- running -----------------------------------------------------------------------------


def begin(app: Flask, settings: Settings) -> None:
    """In the worker: logging, then the monitor. Leaves with one sentence if it cannot."""
    serving.set_up_logging(settings)
    if settings.flask_env:
        log.info("FLASK_ENV is accepted and has no effect: there is no debug server.")
    try:
        start_monitor(app.extensions["monitor"], settings)
    except (CannotOpen, CannotKeep) as error:
        print(f"Camera Monitor cannot start. {error}", file=sys.stderr, flush=True)
        sys.exit(BOOT_ERROR)
    monitor: Monitor = app.extensions["monitor"]
    access = monitor.access
    key = "" if access.accounts.has_any() else access.setup_key
    print(serving.banner(settings, key), flush=True)
    if settings.logo_file and not settings.logo_file.is_file():
        log.warning("LOGO_FILE=%s is not there; pages have no logo", settings.logo_file)
    known = len(monitor.tracker.devices())
    log.info("Camera Monitor started: %d %s", known, "device" if known == 1 else "devices")


def end(app: Flask) -> None:
    monitor: Monitor = app.extensions["monitor"]
    if monitor.scheduler.is_running():
        stop_monitor(monitor)
