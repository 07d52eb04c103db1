"""Puts the house together and runs it: the only place that composes.

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
from accounts.audit import Audit
from accounts.first import make_first
from accounts.model import Entry, NotAllowed
from accounts.tickets import Tickets
from discovery.progress import SourceProgress
from discovery.scanner import Scanner
from discovery.scheduler import Job, Scheduler
from discovery.uploads import Uploads
from discovery.workbooks import Workbooks
from fleet import clock as clocks
from fleet.journal import Courier, Journal
from fleet.model import CannotAsk, ClockStep, Fleet
from fleet.status import Rules, statuses
from fleet.tracker import Tracker, WhyNot
from fleet.trusted_clock import TrustedClock
from settings import Settings
from sources import easy4ip, panasonic
from sources.easy4ip_wire import KeyPair
from sources.source import Source
from store.json_file import CannotKeep, CannotOpen, JsonFile
from store.owner import InUse
from store.probe import Probe
from store.sql import Damaged, Unreachable, default_url
from store.vault import SecretLost, Vault
from web import (
    api,
    audit_log,
    auth,
    cameras,
    cleanup_pages,
    compress,
    dates,
    deletion,
    dvrs,
    errors,
    events,
    gate,
    health,
    hosts,
    login_pages,
    metrics,
    openapi,
    pages,
    scans,
    settings_pages,
    sight,
    site_pages,
    user_pages,
    users,
)
from web.asking import Access
from web.house import AUTO_SCAN, WORKBOOK, House
from web.stream import Hub
from web.watchdog import Watchdog

log = logging.getLogger("camera_monitor")
ROOMS = (
    *(cameras, scans, events, health, metrics, openapi, pages, settings_pages),
    *(auth, users, audit_log, login_pages, user_pages, dvrs, site_pages),
    *(deletion, cleanup_pages),
)
"""The files of `web/` that have routes."""
AHEAD = timedelta(minutes=1)
"""How far the clock may be behind the newest sighting before that is a clock set back."""
FIRST_LOOK = 1.0
"""Seconds that a start waits for the workbook."""
BOOT_ERROR = 3
"""What gunicorn takes as: this worker will never start, give up."""


def utc_now() -> datetime:
    return datetime.now(UTC)


# -- the house ---------------------------------------------------------------------------


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
    for scope, said in fleet.memo.get("down", {}).items():
        source, since = scope.partition(":")[0], datetime.fromisoformat(said["since"])
        down[source] = max(since, down.get(source, since))
    interval = max(settings.auto_scan_interval, settings.easy4ip_interval)
    if not fleet.memo.get(AUTO_SCAN):
        interval = max(300, settings.easy4ip_interval)
    return Rules(patience=timedelta(seconds=2 * interval), down=down)


def statuses_of(settings: Settings, fleet: Fleet) -> dict[int, str]:
    """The statuses of a fleet that was read from its file."""
    return statuses(fleet.devices, utc_now(), rules_of(settings, fleet))


def build_house(
    settings: Settings,
    clock: Callable[[], datetime] = utc_now,
    sources: Sequence[Source] | None = None,
) -> House:
    """All the parts, joined; nothing is opened and no thread runs yet.

    `sources` other than those of the settings are for tests. Raises BadOption.
    """

    def rules() -> Rules:
        return rules_of(settings, tracker.fleet())

    tracker = Tracker(JsonFile(settings.database_path, settings.data_dir), rules)
    journal = build_journal(settings)
    chosen = build_sources(settings, clock) if sources is None else sources
    hub = Hub()
    audit = Audit(journal.engine, settings.data_dir, tracker.file.missing)
    courier = Courier(tracker, journal, hub.tell, audit.flush)
    tracker.on_events = audit.on_lines = courier.notify
    workbooks = Workbooks(settings.p2p_workbook, tracker, clock)
    house = House(
        name=settings.site_name,
        description=settings.site_description,
        logo=settings.logo_file,
        logo_type=options.LOGOS[settings.logo_file.suffix.lower()] if settings.logo_file else "",
        database=settings.database_path,
        scan_interval=settings.auto_scan_interval,
        clock=clock,
        rules=rules,
        tracker=tracker,
        disk=Probe(tracker.file.unwritable),
        journal=journal,
        courier=courier,
        scanner=Scanner(
            chosen,
            tracker,
            clock,
            hub.progress,
            partial(note_asked, journal),
            lambda name: workbooks.targets() if name == easy4ip.NAME else (),
            lambda: bool(tracker.fleet().memo.get(AUTO_SCAN)),
        ),
        workbooks=workbooks,
        uploads=Uploads(settings.data_dir / "uploads", workbooks),
        scheduler=Scheduler(()),
        hub=hub,
        set_auto_scan=lambda enabled, why_not: set_auto_scan(house, enabled, why_not),
        access=build_access(settings, journal, clock),
        audit=audit,
        watchdog=Watchdog(),
        trusted=TrustedClock(
            settings.data_dir / "clock.json", clock, monotonic, tracker.file.missing
        ),
    )
    courier.on_back = house.access.accounts.open
    house.scheduler = Scheduler(table_of_jobs(house, settings), partial(clock_was_set, house))
    return house


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
        Tickets(key("ticket", settings.jwt_secret_key), clock),
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


def table_of_jobs(house: House, settings: Settings) -> list[Job]:
    """Everything that runs by itself."""

    discovering = [one.name for one in house.scanner.sources.values() if one.discover]

    def recorders() -> str:
        house.workbooks.keep()
        if easy4ip.NAME not in house.scanner.sources:
            return ""
        # At once the first time; afterwards spread, so that the cloud hears us evenly.
        is_first = house.scheduler.states["recorders"].last_result == ""
        spread = 0.0 if is_first else settings.easy4ip_interval * 0.6
        did = house.scanner.sweep(easy4ip.NAME, spread)
        if did is None:
            return "none is to be asked about"
        if did.failed:
            raise CannotAsk(easy4ip.NAME, " ".join(did.failed.values()))
        return f"{len(did.found)} online, {did.missed} not"

    def scan() -> str:
        if not house.scanner.start("auto-scan", discovering):
            return "A scan was running already"
        house.scanner.wait(300)
        last = house.scanner.last
        if last and last.error:
            raise CannotAsk(AUTO_SCAN, last.error)
        return f"{last.found} devices answered" if last else ""

    def tick() -> str:
        events = house.tracker.tick(house.clock())
        house.disk.renewed()
        house.trusted.doubt()
        with suppress(Unreachable):  # said already; what is not written down stays for later
            house.access.accounts.note_uses()
        house.audit.flush()
        return f"{len(events)} changes"

    def forget() -> str:
        if doubt := house.trusted.doubt():
            return doubt
        until = house.clock() - timedelta(days=settings.keep_events_days)
        try:
            events = house.journal.forget(until)
            lines = house.audit.forget(house.clock() - timedelta(days=settings.keep_audit_days))
        except Unreachable as error:
            return str(error)
        return f"{events} events and {lines} lines of the audit log forgotten"

    return [
        Job(AUTO_SCAN, "Scan the network", settings.auto_scan_interval, scan, paused=True),
        Job("recorders", "Ask about the recorders", settings.easy4ip_interval, recorders),
        Job(WORKBOOK, "Read the workbook when it changed", 5, lambda: house.workbooks.keep()),
        Job(health.TICK, "Let time pass, write what waits", 60, tick),
        Job("forget", "Forget what is too old", 86400, forget),
    ]


def clock_was_set(house: House, seconds: float) -> None:
    """Tell it once, and let nothing that was seen before look newer than what comes."""
    log.warning("The clock of this server jumped by %.0f s", seconds)
    if seconds < 0:
        # What it asked before the step cannot be told from what answers after it.
        house.scanner.cancel()
    now = house.clock()
    house.tracker.apply([ClockStep(now, seconds)], now)


def set_auto_scan(house: House, enabled: bool, why_not: WhyNot) -> None:
    """Throw the toggle, durably. Turned on, a scan starts at once."""
    house.tracker.remember({AUTO_SCAN: enabled}, house.clock(), why_not)
    if enabled:
        house.scheduler.resume(AUTO_SCAN)
    else:
        house.scheduler.pause(AUTO_SCAN)


def open_house(house: House, settings: Settings) -> None:
    """Own the database, bring the journal up to date, let the courier run.

    Raises CannotOpen in words.
    """
    house.tracker.open()
    try:
        house.tracker.continue_above(*house.journal.open(), house.clock())
        newest = house.journal.find(limit=1)
        house.access.accounts.open()
        open_accounts(house, settings)
    except SecretLost as error:
        raise CannotOpen(str(error)) from error
    except (InUse, Damaged) as error:
        raise CannotOpen(str(error)) from error
    except Unreachable as error:
        raise CannotOpen(f"{error}. Check DATABASE_URL and DATA_DIR.") from error
    house.trusted.open(newest[0].at if newest else None)
    now, seen = house.clock(), clocks.newest(house.tracker.devices())
    if seen is not None and seen - now > AHEAD:
        clock_was_set(house, (now - seen).total_seconds())
    if AUTO_SCAN not in house.tracker.fleet().memo and settings.auto_scan:
        house.tracker.remember({AUTO_SCAN: True}, house.clock())
    house.courier.start()
    house.courier.notify()


def open_accounts(house: House, settings: Settings) -> None:
    """The first account, where options or moncam's file name it. Raises CannotOpen."""
    secret = settings.admin_password
    was_open = not house.access.accounts.has_any()
    try:
        make_first(
            house.access.accounts,
            settings.admin_username,
            secret.get_secret_value() if secret else None,
        )
    except NotAllowed as error:
        raise CannotOpen(
            f"ADMIN_USERNAME and ADMIN_PASSWORD do not fit: {error.error}. {error.hint}"
        ) from error
    for one in house.access.accounts.book.users.values() if was_open else ():
        text = f"{one.name} is the first administrator"
        house.audit.note(Entry(house.clock(), "start", "", "user.added", one.name, text))


def start_house(house: House, settings: Settings) -> None:
    """Everything that runs by itself begins. Raises CannotOpen in words."""
    open_house(house, settings)
    house.watchdog.start()
    house.scanner.open()
    house.scheduler.start()
    house.scheduler.run_now(WORKBOOK)
    # No longer: 50,000 rows take seconds, and what the database knows can be seen meanwhile.
    house.workbooks.was_read.wait(FIRST_LOOK)
    if house.has_auto_scan():
        house.scheduler.resume(AUTO_SCAN)


def stop_house(house: House) -> None:
    """End in the order of the data path, so that nothing is lost on the way."""
    house.hub.close()
    house.watchdog.stop()
    house.scheduler.stop()
    house.scanner.close()
    house.courier.stop()
    house.tracker.close()
    house.journal.close()


# -- the web app -------------------------------------------------------------------------


def create_app(house: House) -> Flask:
    """The Flask app over a house. No thread starts here."""
    app = Flask("app", static_folder="static", template_folder="templates")
    app.extensions["house"] = house
    app.config["MAX_CONTENT_LENGTH"] = 1 << 20
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    hosts.register(app)
    gate.register(app)
    api.register(app)
    errors.register(app)
    compress.register(app)
    dates.register(app)
    for room in ROOMS:
        app.register_blueprint(room.bp)
    app.jinja_env.globals.update(
        house=house,
        status_words=pages.STATUS_WORDS,
        theme=settings_pages.theme,
        can=sight.can,
        person=sight.person,
    )
    gate.check_routes(app)
    return app


def __getattr__(name: str) -> Any:
    """`gunicorn app:app` finds its app here; importing this file builds nothing."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = create_app(build_house(options.load()))
    return made


# -- running -----------------------------------------------------------------------------


def begin(app: Flask, settings: Settings) -> None:
    """In the worker: logging, then the house. Leaves with one sentence if it cannot."""
    serving.set_up_logging(settings)
    if settings.flask_env:
        log.info("FLASK_ENV is accepted and has no effect: there is no debug server.")
    try:
        start_house(app.extensions["house"], settings)
    except (CannotOpen, CannotKeep) as error:
        print(f"Camera Monitor cannot start. {error}", file=sys.stderr, flush=True)
        sys.exit(BOOT_ERROR)
    house: House = app.extensions["house"]
    access = house.access
    key = "" if access.accounts.has_any() else access.setup_key
    print(serving.banner(settings, key), flush=True)
    if settings.logo_file and not settings.logo_file.is_file():
        log.warning("LOGO_FILE=%s is not there; pages have no logo", settings.logo_file)
    known = len(house.tracker.devices())
    log.info("Camera Monitor started: %d %s", known, "device" if known == 1 else "devices")


def end(app: Flask) -> None:
    house: House = app.extensions["house"]
    if house.scheduler.is_running():
        stop_house(house)
