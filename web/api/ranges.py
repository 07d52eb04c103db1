"""Scan ranges of addresses, and decide about what was found."""

from flask import Blueprint, Response

from web.http.actions import ranges
from web.http.actions.ranges import NewValues
from web.http.authorization import needs
from web.http.errors import HttpError
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.imports import Imported, imported
from web.http.shapes.ranges import (
    InboxBody,
    RangeBody,
    RangeInfo,
    RangeState,
    range_info,
    range_state,
)
from web.http.shapes.scans import Started, started

bp = Blueprint("ranges", __name__)


@bp.get("/api/scan-range")
@needs("scan.view")
@describes(answer=RangeState, errors=(503,))
def state() -> Response:
    """Get the scan of a range that runs or has ended, and the inbox with what was found."""
    return json_response(range_state(ranges.last_scan(), ranges.rows()))


@bp.post("/api/scan-range")
@needs("scan.start")
@describes(body=RangeBody, answer=RangeInfo, errors=(409, 422, 503))
def start() -> Response:
    """Scan addresses, ranges and networks. No login is sent."""
    given = json_body(RangeBody)
    plan = ranges.describe(given.ranges, given.rtsp_port, given.http_port, given.site)
    if not given.dry_run:
        ranges.start(plan, given.confirm_public)
    is_started, unreachable = not given.dry_run, plan.unreachable
    info = range_info(plan.plan, plan.interfaces, plan.seconds, unreachable, is_started)
    return json_response(info)


@bp.delete("/api/scan-range")
@needs("scan.start")
@describes(answer=Started, errors=(409,))
def cancel() -> Response:
    """Stop the scan of a range. What it found is kept in the inbox."""
    if not ranges.scans().cancel():
        raise HttpError(409, "No range is being scanned", "The scan has already finished.")
    return json_response(started("Scan stopped"))


@bp.post("/api/scan-range/inbox")
@needs("device.add")
@describes(body=InboxBody, answer=Imported, errors=(404, 409, 422, 503, 507))
def decide() -> Response:
    """Add entries of the inbox with one login for all, ignore or remove them, or link them to
    known devices."""
    given = json_body(InboxBody)
    some = ranges.chosen(given.ids)
    counts = dict.fromkeys(("new", "changed", "unchanged", "refused"), 0)
    if given.do == "add":
        new = NewValues(given.site, given.tags, given.parent, given.path)
        result = ranges.add(some, given.username, given.password, given.credentials, new)
        return json_response(imported(result.results, result.counts, False, result.undo))
    if given.do == "link":
        result = ranges.link(some, given.device, given.username, given.password)
        return json_response(imported(result.results, result.counts, False, result.undo))
    if given.do == "ignore":
        ignored = ranges.ignore(some)
        counts["changed"] = ignored.count
        return json_response(imported((), counts, False, ignored.undo))
    ranges.inbox().remove([entry.id for entry in some])
    counts["unchanged"] = len(some)
    return json_response(imported((), counts, False, ()))
