"""The requests of the DVR dashboard, word for word: recorders of the workbook."""

import csv
import io
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from flask import Blueprint, Response

from fleet import recorder_list, shapes, status
from fleet.csv_text import cell
from fleet.model import Device
from fleet.texts import name_of
from inventory.export import made_of
from web.http.actions.recorders import put_serial, recorders
from web.http.auditing import note, who
from web.http.authorization import needs
from web.http.errors import Problem
from web.http.monitor import monitor
from web.http.payloads import answered, asked, describes, sent
from web.http.shapes.recorders import (
    COLUMNS,
    DvrQuery,
    Dvrs,
    NewSerial,
    Ok,
    Refreshed,
    SearchedDvr,
    SiteQuery,
    row_of,
)
from web.http.visible_fleet import visible

bp = Blueprint("dvrs", __name__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PATIENCE = 120.0
"""Seconds that a refresh waits for its scan."""


def _word(state: str) -> str:
    return "online" if state in status.UP else "offline"


def _chosen(wanted: str) -> list[dict[str, str]]:
    return [row_of(one) for one, state in recorders() if wanted in ("all", _word(state))]


@bp.get("/api/dvrs", strict_slashes=False)
@needs("device.list")
@describes(query=DvrQuery, answer=Dvrs)
def dvrs() -> Response:
    """The recorders of the workbook, all or by status."""
    return answered({"items": _chosen(asked(DvrQuery).status)})


@bp.get("/api/search")
@needs("device.list")
@describes(query=SiteQuery, answer=SearchedDvr, errors=(404,))
def search() -> Response:
    """The recorder of one site, with its status."""
    wanted = name_of(asked(SiteQuery).site)
    for device, state in recorders():
        row = row_of(device)
        if row["SITE"] == wanted:
            return answered({**row, "status": _word(state)})
    books = monitor().workbooks
    if (skipped := books.skipped(wanted)) and not visible().is_limited:
        raise Problem(
            404,
            f"Row {skipped.number} of {books.path.name} is not used: {skipped.error}",
            "Enter its serial with POST /api/update-p2p, or in the workbook.",
        )
    raise Problem(404, f"There is no site {wanted[:60]}", "GET /api/dvrs lists the sites.")


@bp.post("/api/update-p2p")
@needs("workbook.edit")
@describes(body=NewSerial, answer=Ok, errors=(404, 422))
def update() -> Response:
    """Another recorder stands at a site now: its serial goes into the workbook."""
    given = sent(NewSerial)
    put_serial(given.site, given.number)
    return answered({"ok": True})


@bp.post("/api/refresh")
@needs("scan.start")
@describes(answer=Refreshed, errors=(503,))
def refresh() -> Response:
    """Ask about every recorder now, and wait for the answer."""
    here = monitor()
    here.workbooks.keep()
    visible().check("scan.start")
    end = monotonic() + PATIENCE
    # One that runs already may leave the recorders out, or not know a serial from a moment ago.
    if not here.scanner.start(who()) and here.scanner.wait(PATIENCE):
        visible().check("scan.start")
        here.scanner.start(who())
    if not here.scanner.wait(max(0.0, end - monotonic())):
        raise Problem(503, "The scan has not ended yet", "Ask GET /api/stats in a minute.")
    visible().check("scan.start")
    devices, statuses = visible().statuses()
    kept = [one for one in devices.values() if one.kind == "recorder" and one.retired_at is None]
    return answered({"ok": True, **counts([(one, statuses[one.id]) for one in kept])})


def counts(found: Sequence[tuple[Device, str]]) -> Mapping[str, Any]:
    """Their number is online + offline."""
    online = sum(1 for _device, state in found if state in status.UP)
    return {
        "total": len(found),
        "online": online,
        "offline": len(found) - online,
        "lastUpdated": shapes.last_updated(monitor().tracker.fleet(), monitor().swept_at()),
    }


@bp.get("/api/download.csv")
@needs("fleet.export")
@describes(query=DvrQuery, answer=str, media=("text/csv",))
def download() -> Response:
    """The same rows as a file for a spreadsheet."""
    wanted = asked(DvrQuery).status
    rows = _chosen(wanted)
    note("fleet.export", "recorders", f"{len(rows)} recorders exported")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(row[title]) for title in COLUMNS] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="dvrs_{wanted}.csv"'}
    return Response(out.getvalue(), mimetype="text/csv", headers=headers)


@bp.get("/api/download.xlsx")
@needs("fleet.export")
@describes(query=DvrQuery, answer=bytes, media=(XLSX,))
def download_workbook() -> Response:
    """The same rows as a workbook; uploading it again changes nothing."""
    wanted = asked(DvrQuery).status
    chosen = [one for one, state in recorders() if wanted in ("all", _word(state))]
    note("fleet.export", "recorders", f"{len(chosen)} recorders exported")
    headers = {"Content-Disposition": f'attachment; filename="dvrs_{wanted}.xlsx"'}
    rows = [{**recorder_list.row_of(one).extra, **row_of(one)} for one in chosen]
    return Response(made_of(rows), mimetype=XLSX, headers=headers)
