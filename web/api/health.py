"""Liveness and readiness."""

from flask import Blueprint, Response

from web.http.actions.readiness import not_ready_reasons
from web.http.authorization import public
from web.http.monitor import current_monitor
from web.http.payloads import describes

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
@describes(answer=str, media=("text/plain",))
def healthz() -> Response:
    """Check that the server is running."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@public
@describes(answer=str, media=("text/plain",), errors=(503,))
def readyz() -> Response:
    """Check that the jobs run and the databases are writable."""
    monitor = current_monitor()
    is_ready = not not_ready_reasons(monitor, monitor.disk.last)
    text = "ready\n" if is_ready else "unready\n"
    return Response(text, 200 if is_ready else 503, mimetype="text/plain")
