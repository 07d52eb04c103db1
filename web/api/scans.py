"""Scanning: start, watch, stop; the auto-scan toggle; the counts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import BeforeValidator
from typing_extensions import TypedDict

from fleet import shapes
from web.http.auditing import note, who
from web.http.authorization import needs
from web.http.errors import Problem
from web.http.list_query import lower_case
from web.http.monitor import AUTO_SCAN, monitor
from web.http.payloads import Query, Strict, answered, asked, describes, sent
from web.http.shapes.scans import HeardRow, JobRow, heard, job_row
from web.http.visible_fleet import visible

bp = Blueprint("scans", __name__)


class Toggle(Strict):
    """Whether scans start by themselves."""

    enabled: bool


class Started(TypedDict):
    success: bool
    message: str


class Toggled(TypedDict):
    success: bool
    auto_scan_enabled: bool
    interval: int


class ScanState(TypedDict):
    """The running scan and the last one, each with what it did by source, and what was heard
    unasked and not confirmed."""

    running: dict[str, Any] | None
    last: dict[str, Any] | None
    down: Mapping[str, Any]
    heard: list[HeardRow]


class StatsQuery(Query):
    kind: Annotated[Literal["camera", "recorder"] | None, BeforeValidator(lower_case)] = None


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
    here = monitor()
    enabled = sent(Toggle).enabled
    here.set_auto_scan(enabled, visible().judge("scan.automatic"))
    note("scan.automatic", "auto-scan", "turned on" if enabled else "turned off")
    return answered({"success": True, "auto_scan_enabled": enabled, "interval": here.scan_interval})


@bp.get("/api/stats", strict_slashes=False)
@needs("device.list")
@describes(query=StatsQuery, answer=shapes.Stats)
def stats() -> Response:
    """The counts, of all or of one kind. Active + offline + missing = total."""
    return answered(counts(asked(StatsQuery).kind))


def counts(kind: str | None = None) -> shapes.Stats:
    here = monitor()
    devices, statuses = visible().statuses()
    if kind is not None:
        devices = {id: one for id, one in devices.items() if one.kind == kind}
    return shapes.stats(
        here.tracker.fleet(),
        devices.values(),
        statuses,
        scanning=here.scanner.progress() is not None,
        auto_scan=here.has_auto_scan(),
        interval=here.scan_interval,
        swept=swept(),
    )


def swept() -> list[datetime]:
    """When the last sweep of each source began."""
    return [at for at, _progress in tuple(monitor().scanner.swept.values())]


@bp.get("/api/jobs", strict_slashes=False)
@needs("job.view")
@describes(answer=list[JobRow])
def jobs() -> Response:
    """What runs by itself: last run, next run, last error."""
    return answered(job_rows())


def job_rows() -> list[JobRow]:
    """Every job as a row."""
    return [
        job_row(job.name, job.title, state, next_run)
        for job, state, next_run in monitor().scheduler.rows()
    ]


def auto_scan_job() -> JobRow:
    """The row of the auto-scan job, for the page."""
    return next(one for one in job_rows() if one["name"] == AUTO_SCAN)
