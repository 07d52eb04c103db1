"""The audit log, by API."""

from flask import Blueprint, Response

from fleet.csv_text import as_csv
from web.http.authorization import needs
from web.http.monitor import monitor
from web.http.payloads import answered, asked, describes
from web.http.shapes.audit import AuditQuery, EntryRow, entry_row

bp = Blueprint("audit_log", __name__)
COLUMNS = ("at", "who", "address", "action", "about", "text")


@bp.get("/api/audit")
@needs("audit.view")
@describes(query=AuditQuery, answer=list[EntryRow], errors=(422, 503))
def audit() -> Response:
    """Who did what, newest first."""
    found = monitor().audit.find(**asked(AuditQuery).model_dump())
    return answered([entry_row(one) for one in found])


@bp.get("/api/audit.csv")
@needs("audit.view")
@describes(query=AuditQuery, answer=str, media=("text/csv",), errors=(422, 503))
def audit_csv() -> Response:
    """The same as a table for a spreadsheet."""
    found = monitor().audit.find(**asked(AuditQuery).model_dump())
    text = as_csv([entry_row(one) for one in found], COLUMNS)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(text, mimetype="text/csv", headers=headers)
