"""The pages behind "Settings": sources, jobs, about; and the looks of all pages."""

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

from web.http.actions.jobs import confirm_clock, job_rows, run_job
from web.http.authorization import needs
from web.http.errors import Problem
from web.http.monitor import monitor
from web.http.openapi import VERSION
from web.http.shapes.scans import heard

bp = Blueprint("settings_pages", __name__)
OWN_PATH = re.compile(r"/(?!/)[\w./?=&%+:,~-]*", re.ASCII)
"""Where the switch of the looks leads back: a place on this very site."""
THEMES = ("auto", "light", "dark")


def theme() -> str:
    """The chosen look, from the cookie."""
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


@bp.get("/settings")
@needs("settings.view")
def settings() -> Any:
    """Leads to the first of the settings pages."""
    return redirect("/settings/sources", 302)


@bp.get("/settings/sources")
@needs("settings.view")
def sources() -> str:
    """What each source is, and what it last did."""
    here = monitor()
    memo = here.tracker.fleet().state
    last = memo.get("last_scan") or {}
    did = {one["name"]: one for one in last.get("sources", [])}
    swept = here.scanner.swept
    did |= {name: one.plain() for name, (_at, one) in swept.items()}
    return render_template(
        "settings_sources.html",
        sources=list(here.scanner.sources.values()),
        did=did,
        swept={name: at.isoformat() for name, (at, _one) in swept.items()},
        heard={name: at.isoformat() for name, at in here.scanner.heard.items()},
        last=last,
        down=here.tracker.down(),
        unconfirmed=[heard(one) for one in here.scanner.unverified.heard()],
        auto_scan=here.has_auto_scan(),
    )


@bp.get("/settings/jobs")
@needs("job.view")
def jobs() -> str:
    """What runs by itself."""
    here = monitor()
    return render_template(
        "settings_jobs.html", jobs=job_rows(), doubt=here.trusted.doubt(), now=here.clock()
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
    """The version, where things are, and whose work it stands on."""
    here = monitor()
    return render_template(
        "settings_about.html",
        version=VERSION,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        paths=[
            ("Database", here.database.resolve()),
            ("Data", here.tracker.file.data_dir.resolve()),
            ("Copies", here.tracker.file.copies_dir.resolve()),
            ("Program", Path(sys.argv[0]).resolve().parent),
        ],
        packages=packages(),
    )


def packages() -> list[tuple[str, str, str]]:
    """(name, version, licence) of every package that the monitor runs on, by name."""
    lock = Path(current_app.root_path, "requirements.txt").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    found = {}
    for one in metadata.distributions():
        if _normal(one.metadata["Name"]) not in wanted:
            continue
        known: dict[str, Any] = one.metadata.json
        licence = str(known.get("license_expression") or known.get("license") or "")
        if not licence or len(licence) > 60:
            named = [c.rsplit(" :: ", 1)[1] for c in known.get("classifier", []) if "License" in c]
            licence = ", ".join(named)
        found[str(known["name"]).lower()] = (str(known["name"]), one.version, licence)
    return [found[name] for name in sorted(found)]


def _normal(name: str) -> str:
    """A package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@bp.post("/theme")
@needs("docs.view")
def choose_theme() -> Any:
    """The three-way switch of the looks: a cookie and nothing else."""
    chosen = request.form.get("theme", "auto")
    back = request.form.get("back", "/")
    answer = redirect(back if OWN_PATH.fullmatch(back) else "/", 303)
    if chosen in THEMES:
        answer.set_cookie("theme", chosen, max_age=365 * 86400, samesite="Lax")
    return answer


@bp.get("/logo")
@needs("docs.view")
def logo() -> Response:
    """The picture of LOGO_FILE."""
    file = monitor().logo
    if file is None or not file.is_file():
        raise Problem(404, "There is no logo", "Set LOGO_FILE to an SVG, PNG, JPEG or WebP file.")
    return send_file(file.resolve(), mimetype=monitor().logo_type, max_age=300)
