"""Is it alive, is it ready, and its numbers for Prometheus."""

from flask import Blueprint, Response

from fleet import shapes
from web.http.actions.readiness import troubles
from web.http.auditing import note
from web.http.authorization import is_open, needs
from web.http.monitor import monitor
from web.http.payloads import answered, describes
from web.http.visible_fleet import visible

bp = Blueprint("health", __name__)


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
