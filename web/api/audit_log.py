"""The audit log, by API."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response
from pydantic import Field
from typing_extensions import TypedDict

from audit.model import Entry
from fleet.csv_text import as_csv
from fleet.shapes import Time
from web.api.events import Moment
from web.http.authorization import needs
from web.http.monitor import monitor
from web.http.payloads import Query, answered, asked, describes

bp = Blueprint("audit_log", __name__)
COLUMNS = ("at", "who", "address", "action", "about", "text")


class AuditQuery(Query):
    """Newest first."""

    who: str = Field("", max_length=80)
    action: str = Field("", max_length=60, description="An action; `user.` for a family.")
    q: str = Field("", max_length=100, pattern=r"^[^\x00]*$")
    since: Moment | None = None
    until: Moment | None = None
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(100, ge=1, le=1000)


class EntryRow(TypedDict):
    """One line of the audit log; `before` and `after` hold what changed."""

    id: int
    at: Time
    who: str
    address: str
    action: str
    about: str
    text: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


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


def entry_row(entry: Entry) -> EntryRow:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "who": entry.who,
        "address": entry.address,
        "action": entry.action,
        "about": entry.about,
        "text": entry.text,
        "before": entry.before,
        "after": entry.after,
    }
