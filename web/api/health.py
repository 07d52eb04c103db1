"""Liveness and readiness, and the export of the fleet."""

from flask import Blueprint, Response

from fleet import shapes
from web.http.actions.readiness import not_ready_reasons
from web.http.auditing import note
from web.http.authorization import needs, public
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_response
from web.http.visible_fleet import visible_fleet

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
@describes(answer=str, media=("text/plain",))
def healthz() -> Response:
    """Check that the process answers."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@public
@describes(answer=str, media=("text/plain",), errors=(503,))
def readyz() -> Response:
    """Check that the jobs run and the databases can be written."""
    monitor = current_monitor()
    is_ready = not not_ready_reasons(monitor, monitor.disk.last)
    text = "ready\n" if is_ready else "unready\n"
    return Response(text, 200 if is_ready else 503, mimetype="text/plain")


@bp.get("/api/export")
@needs("fleet.export")
@describes(answer=shapes.Exported)
def export() -> Response:
    """The whole database as a dated JSON file, without secrets."""
    monitor = current_monitor()
    devices, statuses = visible_fleet().statuses()
    now, rules = monitor.clock(), monitor.rules()
    note("fleet.export", "fleet", f"{len(devices)} devices exported")
    rows = (shapes.detail(device, statuses[device.id], now, rules) for device in devices.values())
    response = json_response(shapes.export(rows, now))
    name = f"camera_database_{now.astimezone():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
