"""Entries of the audit log as JSON."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import TypedDict

from audit.model import AuditEntry
from fleet.shapes import Time
from web.http.payloads import Moment, Query


class AuditQuery(Query):
    """A filter of the audit log, newest first."""

    who: str = Field("", max_length=80)
    action: str = Field(
        "", max_length=60, description="An action; `user.` matches all user actions."
    )
    q: str = Field("", max_length=100, pattern=r"^[^\x00]*$")
    since: Moment | None = None
    until: Moment | None = None
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(100, ge=1, le=1000)


class EntryRow(TypedDict):
    """One entry of the audit log; `before` and `after` hold what changed."""

    id: int
    at: Time
    who: str
    address: str
    action: str
    about: str
    text: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def entry_row(entry: AuditEntry) -> EntryRow:
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
