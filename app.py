"""Puts the house together and runs it: the only place that composes.

`python app.py` starts it; `gunicorn app:app` works too, with one worker.
"""

if __name__ == "__main__":
    # Before the imports below: gunicorn's first process needs none of them and stays small.
    import serving

    serving.main()

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flask import Flask

import settings as options
from discovery.progress import Scan
from discovery.scanner import Scanner
from discovery.scheduler import Job, Scheduler
from fleet.journal import Courier, Journal
from fleet.model import Fleet
from fleet.status import Rules, statuses
from fleet.tracker import Tracker
from settings import Settings
from sources import panasonic
from sources.source import Source
from store.json_file import CannotKeep, CannotOpen, JsonFile
from store.sql import Unreachable, default_url
from web import (
    cameras,
    compress,
    dates,
    errors,
    events,
    gate,
    health,
    metrics,
    openapi,
    pages,
    scans,
    settings_pages,
)
from web.house import AUTO_SCAN, House
from web.stream import Hub

log = logging.getLogger("camera_monitor")
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
    return [panasonic.source(easy_ip)]


def rules_of(settings: Settings, fleet: Fleet) -> Rules:
    """The rules of status: patience is two intervals, or ten minutes without auto-scan."""
    if fleet.memo.get(AUTO_SCAN):
        return Rules(patience=timedelta(seconds=2 * settings.auto_scan_interval))
    return Rules(patience=timedelta(minutes=10))


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
    secret = settings.database_url
    url = secret.get_secret_value() if secret else default_url(settings.data_dir)
    try:
        journal = Journal(url, echo=settings.flask_debug)
    except ValueError as error:
        raise options.BadOption(f"DATABASE_URL does not fit: {error}.") from None
    chosen = build_sources(settings, clock) if sources is None else sources
    hub = Hub()
    courier = Courier(tracker, journal, hub.tell)
    tracker.on_events = courier.notify
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
        journal=journal,
        courier=courier,
        scanner=Scanner(chosen, tracker, clock, hub.progress, partial(note_asked, journal)),
        scheduler=Scheduler(()),
        hub=hub,
        set_auto_scan=lambda enabled: set_auto_scan(house, enabled),
    )
    house.scheduler = Scheduler(table_of_jobs(house, settings))
    return house


def note_asked(journal: Journal, scan: Scan) -> None:
    """The journal keeps which scopes were asked today; uptimes are judged by it."""
    covered = [one.coverage for one in scan.sources.values() if one.coverage]
    scopes = {scope for one in covered if one.scopes for scope in (one.source, *one.scopes)}
    try:
        journal.was_asked(scan.started, sorted(scopes))
    except Unreachable as error:
        log.warning("%s", error)


def table_of_jobs(house: House, settings: Settings) -> list[Job]:
    """Everything that runs by itself."""

    def scan() -> str:
        if not house.scanner.start("auto-scan"):
            return "A scan was running already"
        house.scanner.wait(300)
        last = house.scanner.last
        if last and last.error:
            raise RuntimeError(last.error)
        return f"{last.found} devices answered" if last else ""

    def tick() -> str:
        events = house.tracker.tick(house.clock())
        return f"{len(events)} changes"

    def forget() -> str:
        until = house.clock() - timedelta(days=settings.keep_events_days)
        return f"{house.journal.forget(until)} events forgotten"

    return [
        Job(AUTO_SCAN, "Scan the network", settings.auto_scan_interval, scan, paused=True),
        Job(health.TICK, "Let time pass, write what waits", 60, tick),
        Job("forget", "Forget old events", 86400, forget),
    ]


def set_auto_scan(house: House, enabled: bool) -> None:
    """Throw the toggle, durably. Turned on, a scan starts at once."""
    house.tracker.remember({AUTO_SCAN: enabled}, house.clock())
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
        house.tracker.continue_above(*house.journal.open())
    except Unreachable as error:
        raise CannotOpen(f"{error}. Check DATABASE_URL and DATA_DIR.") from error
    if AUTO_SCAN not in house.tracker.fleet().memo and settings.auto_scan:
        house.tracker.remember({AUTO_SCAN: True}, house.clock())
    house.courier.start()
    house.courier.notify()


def start_house(house: House, settings: Settings) -> None:
    """Everything that runs by itself begins. Raises CannotOpen in words."""
    open_house(house, settings)
    house.scanner.open()
    house.scheduler.start()
    if house.has_auto_scan():
        house.scheduler.resume(AUTO_SCAN)


def stop_house(house: House) -> None:
    """End in the order of the data path, so that nothing is lost on the way."""
    house.hub.close()
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
    gate.register(app)
    errors.register(app)
    compress.register(app)
    dates.register(app)
    for room in (cameras, scans, events, health, metrics, openapi, pages, settings_pages):
        app.register_blueprint(room.bp)
    app.jinja_env.globals.update(
        house=house, status_words=pages.STATUS_WORDS, theme=settings_pages.theme
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


def set_up_logging(settings: Settings) -> None:
    """One line each, on stdout and in DATA_DIR/logs/app.log (5 files of 5 MB)."""
    from logging.handlers import RotatingFileHandler

    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    folder = settings.data_dir / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                folder / "app.log", maxBytes=5_000_000, backupCount=4, encoding="utf-8"
            )
        )
    except OSError as error:
        print(f"{folder} cannot be written ({error.strerror}); logs go to stdout only.")
    level = "DEBUG" if settings.flask_debug else settings.log_level
    logging.basicConfig(
        level=level,
        handlers=handlers,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)


def banner(settings: Settings) -> str:
    line = "=" * 70
    shown = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host
    return "\n".join(
        (
            line,
            settings.site_name,
            line,
            f"Database: {settings.database_path}",
            f"Auto-scan interval: {settings.auto_scan_interval} seconds",
            "",
            f"Starting web server on http://{shown}:{settings.port}",
            "Press Ctrl+C to stop",
            line,
        )
    )


def begin(app: Flask, settings: Settings) -> None:
    """In the worker: logging, then the house. Leaves with one sentence if it cannot."""
    set_up_logging(settings)
    if settings.flask_env:
        log.info("FLASK_ENV is accepted and has no effect: there is no debug server.")
    try:
        start_house(app.extensions["house"], settings)
    except (CannotOpen, CannotKeep) as error:
        print(f"Camera Monitor cannot start. {error}", file=sys.stderr, flush=True)
        sys.exit(BOOT_ERROR)
    print(banner(settings), flush=True)
    if settings.logo_file and not settings.logo_file.is_file():
        log.warning("LOGO_FILE=%s is not there; pages have no logo", settings.logo_file)
    log.info("The house stands: %d devices known", len(app.extensions["house"].tracker.devices()))


def end(app: Flask) -> None:
    house: House = app.extensions["house"]
    if house.scheduler.is_running():
        stop_house(house)
