"""The requests of the DVR dashboard, unchanged: the recorders of the workbook."""

import csv
import io
from time import monotonic

from flask import Blueprint, Response

from fleet import shapes, status
from fleet.csv_export import cell
from fleet.model import Device
from fleet.texts import name_of
from inventory.export import XLSX, workbook_bytes
from web.http.actions.recorders import change_serial, recorders
from web.http.actions.scans import check_recorders
from web.http.auditing import actor_name, note
from web.http.authorization import needs
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.recorders import (
    COLUMNS,
    DvrQuery,
    DvrRow,
    Dvrs,
    NewSerial,
    Ok,
    Refreshed,
    SearchedDvr,
    SiteQuery,
    dvr_list,
    full_workbook_row,
    ok,
    online_or_offline,
    refreshed,
    searched_dvr,
    workbook_row,
)
from web.http.shapes.scans import Started, started
from web.http.visible_fleet import visible_fleet

bp = Blueprint("dvrs", __name__)
REFRESH_TIMEOUT = 120.0
"""Seconds that a refresh waits for its scan."""


def _recorders(wanted: str) -> list[Device]:
    """The recorders with this status: `all`, `online` or `offline`."""
    return [
        device
        for device, status_name in recorders()
        if wanted in ("all", online_or_offline(status_name in status.UP))
    ]


def _rows(wanted: str) -> list[DvrRow]:
    return [workbook_row(device) for device in _recorders(wanted)]


@bp.get("/api/dvrs", strict_slashes=False)
@needs("device.list")
@describes(query=DvrQuery, answer=Dvrs)
def dvrs() -> Response:
    """List the recorders of the workbook, optionally by status."""
    return json_response(dvr_list(_rows(query_args(DvrQuery).status)))


@bp.get("/api/search")
@needs("device.list")
@describes(query=SiteQuery, answer=SearchedDvr, errors=(404,))
def search() -> Response:
    """Get the recorder of a site, with its status."""
    wanted = name_of(query_args(SiteQuery).site)
    for device, status_name in recorders():
        row = workbook_row(device)
        if row["SITE"] == wanted:
            return json_response(searched_dvr(row, status_name in status.UP))
    books = current_monitor().workbooks
    if (skipped := books.skip_reason(wanted)) and not visible_fleet().is_limited:
        raise HttpError(
            404,
            f"Row {skipped.number} of {books.path.name} was skipped: {skipped.error}",
            "Enter its serial number with POST /api/update-p2p, or in the workbook.",
        )
    raise HttpError(404, f"Site {wanted[:60]} does not exist", "GET /api/dvrs lists the sites.")


@bp.post("/api/update-p2p")
@needs("workbook.edit")
@describes(body=NewSerial, answer=Ok, errors=(404, 422))
def update() -> Response:
    """Replace the recorder of a site. The new serial number is written to the workbook."""
    given = json_body(NewSerial)
    change_serial(given.site, given.number)
    return json_response(ok())


@bp.post("/api/refresh")
@needs("scan.start")
@describes(answer=Refreshed, errors=(503,))
def refresh() -> Response:
    """Check all recorders now, and wait for the result."""
    monitor = current_monitor()
    monitor.workbooks.sync()
    visible_fleet().check("scan.start")
    end = monotonic() + REFRESH_TIMEOUT
    # One that runs already may leave the recorders out, or not know a serial from a moment ago.
    if not monitor.scanner.start(actor_name()) and monitor.scanner.wait(REFRESH_TIMEOUT):
        visible_fleet().check("scan.start")
        monitor.scanner.start(actor_name())
    if not monitor.scanner.wait(max(0.0, end - monotonic())):
        raise HttpError(503, "The scan is still running", "Check GET /api/stats in a minute.")
    visible_fleet().check("scan.start")
    devices, statuses = visible_fleet().statuses()
    listed = [
        device
        for device in devices.values()
        if device.kind == "recorder" and device.retired_at is None
    ]
    online = sum(statuses[device.id] in status.UP for device in listed)
    last_updated = shapes.last_updated(monitor.tracker.fleet(), monitor.swept_at())
    return json_response(refreshed(len(listed), online, last_updated))


@bp.post("/api/dvrs/check")
@needs("scan.start")
@describes(answer=Started, errors=(409,))
def check() -> Response:
    """Start a check of all recorders. GET /api/scan shows its progress."""
    if not check_recorders():
        raise HttpError(
            409,
            "No check started: one is already running, or no recorders are listed",
            "Wait for it to finish, or upload a workbook under Settings > Workbook.",
        )
    return json_response(started("Check started"))


@bp.get("/api/download.csv")
@needs("fleet.export")
@describes(query=DvrQuery, answer=str, media=("text/csv",))
def download() -> Response:
    """Download the recorders as CSV."""
    wanted = query_args(DvrQuery).status
    rows = _rows(wanted)
    note("fleet.export", "recorders", f"{len(rows)} recorders exported")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(text) for text in row.values()] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="dvrs_{wanted}.csv"'}
    return Response(out.getvalue(), mimetype="text/csv", headers=headers)


@bp.get("/api/download.xlsx")
@needs("fleet.export")
@describes(query=DvrQuery, answer=bytes, media=(XLSX,))
def download_workbook() -> Response:
    """Download the recorders as a workbook. Importing it again changes nothing."""
    wanted = query_args(DvrQuery).status
    chosen = _recorders(wanted)
    note("fleet.export", "recorders", f"{len(chosen)} recorders exported")
    headers = {"Content-Disposition": f'attachment; filename="dvrs_{wanted}.xlsx"'}
    rows = [full_workbook_row(device) for device in chosen]
    return Response(workbook_bytes(rows), mimetype=XLSX, headers=headers)
