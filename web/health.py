"""Is it alive, is it ready, and its numbers for Prometheus."""

from flask import Blueprint, Response

from web import shapes
from web.api import answered, describes
from web.audits import note
from web.gate import is_open, needs
from web.house import House, house
from web.sight import sight

bp = Blueprint("health", __name__)
TICK = "tick"
"""The job that must run every minute."""
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
    here = house()
    is_ready = not troubles(here, here.disk.last)
    text = "ready\n" if is_ready else "unready\n"
    return Response(text, 200 if is_ready else 503, mimetype="text/plain")


def troubles(here: House, disk: str) -> list[str]:
    """The problems that keep this server from working now, as sentences.

    `disk` is what its probe says: `last` for strangers, whose requests write nothing.
    """
    tracker, courier = here.tracker, here.courier
    carried = "" if courier.is_alive() else "Events are not carried to the journal any more."
    found = [
        tracker.trouble or disk,
        courier.trouble or carried,
        here.audit.trouble,
        _stuck(here),
    ]
    return [one for one in found if one]


def _stuck(here: House) -> str:
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
    here = house()
    devices, statuses = sight().statuses()
    now, rules = here.clock(), here.rules()
    note("fleet.export", "fleet", f"{len(devices)} devices exported")
    rows = (shapes.detail(one, statuses[one.id], now, rules) for one in devices.values())
    response = answered(shapes.export(rows, now))
    name = f"camera_database_{now.astimezone():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
