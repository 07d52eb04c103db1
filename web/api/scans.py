"""Start, watch and stop a scan; the auto-scan toggle; statistics."""

from time import monotonic

from flask import Blueprint, Response

from fleet import shapes
from web.http.actions.scans import fleet_stats, set_auto_scan
from web.http.auditing import actor_name
from web.http.authorization import needs
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.scans import (
    ScanState,
    Started,
    StatsQuery,
    Toggle,
    Toggled,
    scan_state,
    started,
    toggled,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("scans", __name__)


@bp.post("/api/scan", strict_slashes=False)
@needs("scan.start")
@describes(answer=Started, errors=(409,))
def start() -> Response:
    """Start a network scan."""
    if not current_monitor().scanner.start(actor_name()):
        raise HttpError(
            409,
            "A scan is already running",
            "Wait for it to finish, or stop it first.",
        )
    return json_response(started("Scan started"))


@bp.get("/api/scan", strict_slashes=False)
@needs("scan.view")
@describes(answer=ScanState)
def progress() -> Response:
    """Get the running scan, the running checks, and the result of the last scan."""
    monitor = current_monitor()
    scan = monitor.scanner.progress()
    checks = monitor.scanner.checks()
    last, heard = visible_fleet().last_scan(), monitor.scanner.unverified.heard()
    return json_response(scan_state(scan, checks, last, monitor.tracker.down(), heard, monotonic()))


@bp.delete("/api/scan", strict_slashes=False)
@needs("scan.start")
@describes(answer=Started, errors=(409,))
def cancel() -> Response:
    """Stop the running scan. Devices already found are kept; devices of unfinished
    sources keep their status."""
    if not current_monitor().scanner.cancel():
        raise HttpError(409, "No scan is running", "The scan has already finished.")
    return json_response(started("Scan stopped"))


@bp.post("/api/auto-scan", strict_slashes=False)
@needs("scan.automatic")
@describes(body=Toggle, answer=Toggled, errors=(422,))
def auto_scan() -> Response:
    """Turn automatic scans on or off. The setting is kept after a restart."""
    enabled = json_body(Toggle).enabled
    set_auto_scan(enabled)
    interval = current_monitor().scan_interval
    return json_response(toggled(enabled, interval))


@bp.get("/api/stats", strict_slashes=False)
@needs("device.list")
@describes(query=StatsQuery, answer=shapes.Stats)
def stats() -> Response:
    """Get the device counts, of all or one kind. Active + offline + missing = total."""
    return json_response(fleet_stats(query_args(StatsQuery).kind))
