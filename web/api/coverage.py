"""Recordings that are missing, their disk, and the links to cameras, by API."""

from flask import Blueprint, Response

from web.http.actions import coverage
from web.http.authorization import needs
from web.http.payloads import describes, json_response, query_args
from web.http.shapes.coverage import (
    CoverageJson,
    CoverageQuery,
    LinkQualityJson,
    StorageJson,
    link_quality_json,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("coverage", __name__)


@bp.get("/api/recordings/coverage")
@needs("recording.view")
@describes(query=CoverageQuery, answer=CoverageJson, errors=(404, 422, 503))
def report() -> Response:
    """Compare what was scheduled with what is recorded, the worst camera first."""
    return json_response(coverage.coverage_report(query_args(CoverageQuery)))


@bp.get("/api/recordings/storage")
@needs("recording.view")
@describes(answer=StorageJson, errors=(503,))
def storage() -> Response:
    """Get the disk of the recordings, and how long those of each camera are kept."""
    return json_response(coverage.storage())


@bp.get("/api/cameras/<key>/link")
@needs("recording.view")
@describes(answer=LinkQualityJson, errors=(404, 503))
def link(key: str) -> Response:
    """Get the quality of the link to a camera, by day, with a judgement of each stream."""
    device = visible_fleet().device(key)
    return json_response(link_quality_json(device.id, coverage.link_days(device)))
