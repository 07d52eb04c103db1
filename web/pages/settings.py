"""The settings pages for sources, jobs and version; the theme and the logo of all pages."""

import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    redirect,
    render_template,
    request,
    send_file,
)

from fleet import state
from web.http.actions.jobs import auto_scan_job, confirm_clock, job_rows, run_job
from web.http.authorization import needs
from web.http.errors import HttpError
from web.http.monitor import Monitor, current_monitor
from web.http.openapi import VERSION
from web.http.redirects import own_path
from web.http.shapes.scans import heard_row, source_row
from web.pages import watching
from web.pages.connection_view import EDITABLE
from web.pages.scan_causes import likely_causes

bp = Blueprint("settings_pages", __name__)
THEMES = ("auto", "light", "dark")


def theme() -> str:
    """The chosen theme, from the cookie."""
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


@bp.get("/settings")
@needs("settings.view")
def settings() -> Any:
    """Redirect to the first of the settings pages."""
    return redirect("/settings/sources", 302)


@bp.get("/settings/sources")
@needs("settings.view")
def sources() -> str:
    """The sources and their last result."""
    monitor = current_monitor()
    last, scanner = state.last_scan(monitor.tracker.fleet()), monitor.scanner
    results = {source["name"]: source for source in last.get("sources", [])}
    swept = dict(scanner.swept)
    results |= {name: source_row(progress) for name, (_at, progress) in swept.items()}
    every_source = list(scanner.sources.values())
    return render_template(
        "settings_sources.html",
        sources=every_source,
        results=results,
        causes={
            source.name: likely_causes(source, results[source.name])
            for source in every_source
            if source.name in results
        },
        every={source.name: watching.every(source.interval) for source in every_source},
        checks=watching.running_checks(monitor),
        listed={source.name: len(scanner.targets(source.name)) for source in every_source},
        connected=_connected(monitor),
        next_scan=auto_scan_job()["next_run"],
        scan_every=watching.every(monitor.scan_interval),
        is_scanning=scanner.progress() is not None,
        swept={name: at.isoformat() for name, (at, _one) in swept.items()},
        heard={name: at.isoformat() for name, at in monitor.scanner.heard.items()},
        last=last,
        down=monitor.tracker.down(),
        unconfirmed=[heard_row(device) for device in monitor.scanner.unverified.heard()],
        auto_scan=monitor.has_auto_scan(),
    )


def _connected(monitor: Monitor) -> dict[str, int]:
    """How many connections each source checks, of those that people enter."""
    devices = monitor.tracker.devices().values()
    return {
        name: sum(name in device.access and device.retired_at is None for device in devices)
        for name in EDITABLE
    }


@bp.get("/settings/jobs")
@needs("job.view")
def jobs() -> str:
    """The jobs and their last run."""
    monitor = current_monitor()
    return render_template(
        "settings_jobs.html",
        jobs=job_rows(),
        checks=watching.running_checks(monitor),
        doubt=monitor.trusted.distrust_reason(),
        now=monitor.clock(),
    )


@bp.post("/settings/clock")
@needs("fleet.clean")
def confirm_clock_form() -> Any:
    """The button "The date is right"."""
    confirm_clock()
    return redirect("/settings/jobs", 303)


@bp.post("/settings/jobs/<name>/run")
@needs("job.run")
def run_job_form(name: str) -> Any:
    """The button "Run now"."""
    run_job(name)
    return redirect("/settings/jobs", 303)


@bp.get("/settings/about")
@needs("settings.view")
def about() -> str:
    """The version, the paths, and the packages it is built with."""
    monitor = current_monitor()
    return render_template(
        "settings_about.html",
        version=VERSION,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        paths=[
            ("Database", monitor.database.resolve()),
            *((title, path.resolve()) for title, path in monitor.tracker.store.places().items()),
            ("Program", Path(sys.argv[0]).resolve().parent),
        ],
        packages=packages(),
    )


def packages() -> list[tuple[str, str, str]]:
    """(name, version, licence) of every package that Camera Monitor is built with, by name."""
    lock = Path(current_app.root_path, "requirements.txt").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    licences = {}
    for package in metadata.distributions():
        if _normal(package.metadata["Name"]) not in wanted:
            continue
        known: dict[str, Any] = package.metadata.json
        licence = str(known.get("license_expression") or known.get("license") or "")
        if not licence or len(licence) > 60:
            named = [c.rsplit(" :: ", 1)[1] for c in known.get("classifier", []) if "License" in c]
            licence = ", ".join(named)
        licences[str(known["name"]).lower()] = (str(known["name"]), package.version, licence)
    return [licences[name] for name in sorted(licences)]


def _normal(name: str) -> str:
    """The normal form of a package's name, as in lock files."""
    return re.sub(r"[-_.]+", "-", name).lower()


@bp.post("/theme")
@needs("docs.view")
def choose_theme() -> Any:
    """The theme switch: it sets a cookie and nothing else."""
    chosen = request.form.get("theme", "auto")
    back = request.form.get("back", "/")
    answer = redirect(own_path(back), 303)
    if chosen in THEMES:
        answer.set_cookie("theme", chosen, max_age=365 * 86400, samesite="Lax")
    return answer


@bp.get("/logo")
@needs("docs.view")
def logo() -> Response:
    """The picture of LOGO_FILE."""
    file = current_monitor().logo
    if file is None or not file.is_file():
        raise HttpError(404, "No logo is set", "Set LOGO_FILE to an SVG, PNG, JPEG or WebP file.")
    return send_file(file.resolve(), mimetype=current_monitor().logo_type, max_age=300)
