"""Scanning: start, watch, stop; the auto-scan toggle; the counts."""

from flask import Blueprint, Response

from fleet import shapes
from web.http.actions.scans import counts, set_auto_scan
from web.http.auditing import who
from web.http.authorization import needs
from web.http.errors import Problem
from web.http.monitor import monitor
from web.http.payloads import answered, asked, describes, sent
from web.http.shapes.scans import (
    ScanState,
    Started,
    StatsQuery,
    Toggle,
    Toggled,
    heard,
)
from web.http.visible_fleet import visible

bp = Blueprint("scans", __name__)


@bp.post("/api/scan", strict_slashes=False)
@needs("scan.start")
@describes(answer=Started, errors=(409,))
def start() -> Response:
    """Start a network scan now."""
    if not monitor().scanner.start(who()):
        raise Problem(
            409, "A scan is already running", "Watch it with GET /api/scan, or stop it with DELETE."
        )
    return answered({"success": True, "message": "Scan started"})


@bp.get("/api/scan", strict_slashes=False)
@needs("scan.view")
@describes(answer=ScanState)
def progress() -> Response:
    """The running scan, and what the last one did."""
    here = monitor()
    scan = here.scanner.progress()
    body: ScanState = {
        "running": scan.plain() if scan else None,
        "last": visible().last_scan(),
        "down": here.tracker.down(),
        "heard": [heard(one) for one in here.scanner.unverified.heard()],
    }
    return answered(body)


@bp.delete("/api/scan", strict_slashes=False)
@needs("scan.start")
@describes(answer=Started, errors=(409,))
def cancel() -> Response:
    """Stop the running scan. What was found stays; devices of sources that had not
    finished keep their status."""
    if not monitor().scanner.cancel():
        raise Problem(409, "No scan is running", "There is nothing to stop.")
    return answered({"success": True, "message": "Scan stopped"})


@bp.post("/api/auto-scan", strict_slashes=False)
@needs("scan.automatic")
@describes(body=Toggle, answer=Toggled, errors=(422,))
def auto_scan() -> Response:
    """Turn automatic scanning on or off. It stays so after a restart."""
    enabled = sent(Toggle).enabled
    set_auto_scan(enabled)
    interval = monitor().scan_interval
    return answered({"success": True, "auto_scan_enabled": enabled, "interval": interval})


@bp.get("/api/stats", strict_slashes=False)
@needs("device.list")
@describes(query=StatsQuery, answer=shapes.Stats)
def stats() -> Response:
    """The counts, of all or of one kind. Active + offline + missing = total."""
    return answered(counts(asked(StatsQuery).kind))
