"""Build the monitor from its packages and run it: the only place that composes.

`python app.py` starts it; `gunicorn app:app` works too, with one worker.
"""

if __name__ == "__main__":
    # Before the imports below: gunicorn's first process needs none of them and stays small.
    import serving

    serving.main()

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

import serving
import settings as options
from accounts.build import AccountsOptions, build_accounts
from audit.build import AuditOptions, build_audit
from discovery import lifecycle
from discovery.build import DiscoveryOptions, build_discovery
from discovery.trial_pictures import TrialPictures
from fleet.build import FleetOptions, build_fleet
from fleet.package import Packages
from inventory.build import InventoryOptions, build_inventory
from picture_health.build import PictureHealthOptions, build_picture_health
from settings import Settings
from sources.build import build_sources, source_rules
from sources.local_capture import CameraOptions, build_local_cameras
from sources.source import Source
from stills.build import FOLDER, StillsOptions, build_stills
from stills.taking import LOCAL, SNAPSHOT, STREAM, Way
from store.json_file import CannotKeep, CannotOpen
from video.build import VideoOptions, build_video
from video.folder_proof import STILLS, FolderProof
from video.server_zone import server_zone
from video.thumbnails import small_jpeg
from web import application
from web.build import WebOptions, build_web
from web.http.monitor import Monitor

log = logging.getLogger("camera_monitor")
BOOT_ERROR = 3
"""What gunicorn takes as: this worker will never start, give up."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def local_zone() -> ZoneInfo:
    return ZoneInfo(server_zone())


def build_monitor(
    settings: Settings,
    clock: Callable[[], datetime] = utc_now,
    sources: Sequence[Source] | None = None,
) -> Monitor:
    """All packages, joined; nothing is opened and no thread runs yet.

    A package is given what it uses of those above it. `sources` other than those of the
    settings are for tests. Raises CannotOpen for an option that does not fit.
    """
    select, packages = settings.select, Packages()
    if sources is None:
        sources = build_sources(select, clock)
    fleet = packages.add(build_fleet(select(FleetOptions), clock, packages, source_rules(sources)))
    audit = packages.add(build_audit(select(AuditOptions), clock, fleet))
    packages.add(build_accounts(select(AccountsOptions), clock, fleet, audit))
    inventory = packages.add(build_inventory(select(InventoryOptions), clock, fleet))
    discovery = packages.add(build_discovery(select(DiscoveryOptions), fleet, inventory, sources))
    video = packages.add(build_video(select(VideoOptions), clock, fleet, discovery.streams))
    discovery.scanner.trials.pictures = TrialPictures(
        clock, video.key_pictures.of_opened, small_jpeg
    )
    local = packages.add(
        build_local_cameras(
            select(CameraOptions),
            fleet.tracker.devices,
            lambda findings: fleet.tracker.apply(findings, clock()),
            clock,
        )
    )
    snapshot, stream = discovery.snapshots.fetch, video.key_pictures.take
    ways = (Way(LOCAL, local.capture), Way(SNAPSHOT, snapshot), Way(STREAM, stream))
    folder = FolderProof(settings.media_dir / FOLDER, settings.data_dir, contents=STILLS)
    own = (local_zone, small_jpeg, folder.prove_identity)
    packages.add(build_stills(select(StillsOptions), clock, fleet, ways, *own))
    seen = (video.key_pictures.sample, snapshot, local.capture)
    looks = (video.key_pictures.grey, snapshot, local.capture)
    health = select(PictureHealthOptions)
    packages.add(build_picture_health(health, clock, fleet, seen, local_zone, small_jpeg, looks))
    return packages.add(build_web(select(WebOptions), clock, packages)).monitor


def create_app(monitor: Monitor) -> Flask:
    """The Flask app over a monitor. No thread starts here."""
    app = Flask("app", static_folder="static", template_folder="templates")
    application.register(app, monitor)
    return app


def __getattr__(name: str) -> Any:
    """The app for `gunicorn app:app`; importing this file alone builds nothing."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = create_app(build_monitor(options.load()))
    return made


# -- running -----------------------------------------------------------------------------


def begin(app: Flask, settings: Settings) -> None:
    """Start logging and the monitor in the worker. Exits with one sentence if it cannot."""
    serving.set_up_logging(settings)
    if settings.flask_env:
        log.info("FLASK_ENV is ignored: there is no debug server.")
    monitor: Monitor = app.extensions["monitor"]
    try:
        lifecycle.start_all(monitor.packages)
    except (CannotOpen, CannotKeep) as error:
        print(f"Camera Monitor cannot start. {error}", file=sys.stderr, flush=True)
        sys.exit(BOOT_ERROR)
    authenticator = monitor.authenticator
    key = "" if authenticator.accounts.has_any() else authenticator.setup_key
    print(serving.banner(settings, key), flush=True)
    if settings.logo_file and not settings.logo_file.is_file():
        log.warning(
            "LOGO_FILE=%s does not exist; pages are shown without a logo", settings.logo_file
        )
    known = len(monitor.tracker.devices())
    log.info("Camera Monitor started: %d %s", known, "device" if known == 1 else "devices")


def end(app: Flask) -> None:
    """Stop the monitor when the worker ends."""
    monitor: Monitor = app.extensions["monitor"]
    if monitor.scheduler.is_running():
        lifecycle.stop_all(monitor.packages)
