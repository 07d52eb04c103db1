"""The audit log, by API."""

from flask import Blueprint, Response

from fleet.csv_export import as_csv
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_response, query_args
from web.http.shapes.audit import AuditQuery, EntryRow, entry_row

bp = Blueprint("audit_log", __name__)
COLUMNS = ("at", "who", "address", "action", "about", "text")


@bp.get("/api/audit")
@needs("audit.view")
@describes(query=AuditQuery, answer=list[EntryRow], errors=(422, 503))
def audit() -> Response:
    """List audit log entries, newest first."""
    entries = current_monitor().audit.find(**query_args(AuditQuery).model_dump())
    return json_response([entry_row(entry) for entry in entries])


@bp.get("/api/audit.csv")
@needs("audit.view")
@describes(query=AuditQuery, answer=str, media=("text/csv",), errors=(422, 503))
def audit_csv() -> Response:
    """Download the audit log as CSV."""
    entries = current_monitor().audit.find(**query_args(AuditQuery).model_dump())
    text = as_csv([entry_row(entry) for entry in entries], COLUMNS)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(text, mimetype="text/csv", headers=headers)
