"""Is it alive, is it ready, and its numbers for Prometheus."""

from flask import Blueprint, Response

from fleet import shapes
from web.http.auditing import note
from web.http.authorization import is_open, needs
from web.http.monitor import TICK, Monitor, monitor
from web.http.payloads import answered, describes
from web.http.visible_fleet import visible

bp = Blueprint("health", __name__)
LONGEST_SILENCE = 150.0
"""Seconds."""


@bp.get("/healthz")
@is_open
@describes(answer=str, media=("text/plain",))
def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@is_open
@describes(answer=str, media=("text/plain",), errors=(503,))
def readyz() -> Response:
    """The scheduler ticks and the databases can be written."""
    here = monitor()
    is_ready = not troubles(here, here.disk.last)
    text = "ready\n" if is_ready else "unready\n"
    return Response(text, 200 if is_ready else 503, mimetype="text/plain")


def troubles(here: Monitor, disk: str) -> list[str]:
    """The problems that keep this server from working now, as sentences.

    `disk` is what its probe says: `last` for strangers, whose requests write nothing.
    """
    tracker, journal_writer = here.tracker, here.journal_writer
    carried = "" if journal_writer.is_alive() else "Events are not carried to the journal any more."
    found = [
        tracker.trouble or disk,
        journal_writer.trouble or carried,
        here.audit.trouble,
        _stuck(here),
    ]
    return [one for one in found if one]


def _stuck(here: Monitor) -> str:
    """The tick did not come for two and a half minutes, by the monotonic clock."""
    if not here.scheduler.is_running():
        return "The scheduler does not run."
    if here.scheduler.silence(TICK) > LONGEST_SILENCE:
        return "The scheduler does not tick."
    return ""


@bp.get("/api/export")
@needs("fleet.export")
@describes(answer=shapes.Exported)
def export() -> Response:
    """The whole database as a dated JSON file, without secrets."""
    here = monitor()
    devices, statuses = visible().statuses()
    now, rules = here.clock(), here.rules()
    note("fleet.export", "fleet", f"{len(devices)} devices exported")
    rows = (shapes.detail(one, statuses[one.id], now, rules) for one in devices.values())
    response = answered(shapes.export(rows, now))
    name = f"camera_database_{now.astimezone():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
