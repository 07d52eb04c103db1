"""The page "Audit" behind "Settings"."""

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from pydantic import ValidationError

from fleet import labels
from fleet.authors import AUTO_SCAN_AUTHOR, NOT_USERS
from fleet.natural_order import natural_key
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.shapes.audit import AuditQuery
from web.http.visible_fleet import visible_fleet
from web.pages import audit_view

bp = Blueprint("audit_pages", __name__)
PER_PAGE = 100
ALL_IN_CSV = 1000


@bp.get("/settings/audit")
@needs("audit.view")
def audit() -> str:
    """The audit log in plain words, newest first, filtered by person, action, day and text."""
    query = _query()
    entries = current_monitor().audit.find(**query.model_dump())
    kept = query.model_dump(mode="json", include={"who", "action", "q", "since", "until"})
    kept = {key: value for key, value in kept.items() if value}
    days = {key: request.args[key] for key in ("from", "to") if _day(key)}
    links = {key: query_value for key, query_value in kept.items() if key in ("who", "action", "q")}
    older = {**links, **days, "before": entries[-1].id} if len(entries) == PER_PAGE else None
    return render_template(
        "settings_audit.html",
        lines=[audit_view.line(entry, _device_name) for entry in entries],
        query=query,
        days=days,
        is_filtered=bool(links or days),
        groups=audit_view.GROUPS,
        people=_people(),
        users=_user_numbers(),
        csv=urlencode({**kept, "limit": ALL_IN_CSV}),
        older=urlencode(older) if older else "",
    )


def _query() -> AuditQuery:
    """The filter in the URL; what does not fit there is left out rather than refused."""
    given: dict[str, Any] = {key: value for key, value in request.args.items() if value}
    first, last = _day("from"), _day("to")
    given |= {"since": first} if first else {}
    given |= {"until": last + timedelta(days=1)} if last else {}
    try:
        known = {key: value for key, value in given.items() if key in AuditQuery.model_fields}
        return AuditQuery.model_validate({**known, "limit": PER_PAGE})
    except ValidationError:
        return AuditQuery(limit=PER_PAGE)


def _day(key: str) -> datetime | None:
    """The beginning of the day in the URL, in the zone of this server; None if it is no date."""
    try:
        day = date.fromisoformat(request.args.get(key, ""))
        midnight = datetime(day.year, day.month, day.day).astimezone()
        return midnight if 1970 <= midnight.year < 9999 else None
    except (ValueError, OverflowError):
        return None


def _people() -> list[str]:
    """The names that the filter by person offers."""
    users = current_monitor().authenticator.accounts.snapshot.users.values()
    others = (name for name in NOT_USERS if name != AUTO_SCAN_AUTHOR)
    return [*sorted((user.name for user in users), key=natural_key), *others]


def _user_numbers() -> dict[str, int]:
    users = current_monitor().authenticator.accounts.snapshot.users.values()
    return {user.name: user.id for user in users}


def _device_name(number: int) -> str | None:
    """The name of a device now, also under a number from before a merge; None once deleted."""
    devices = visible_fleet().devices()
    number = current_monitor().redirects.get(number, number)
    return labels.name_among(devices[number], devices) if number in devices else None
