"""The page of missing recordings."""

from typing import Any

from flask import Blueprint, render_template

from video.outages import CAUSES
from video.retention import size_text
from web.http.actions.coverage import coverage_report, storage
from web.http.authorization import needs
from web.http.payloads import query_args
from web.http.shapes.coverage import CoverageQuery, CoverageRow

bp = Blueprint("coverage_pages", __name__)
MOST_GAPS = 5


@bp.get("/recordings/coverage")
@needs("recording.view")
def page() -> str:
    """Compare what was scheduled with what is recorded."""
    report = coverage_report(query_args(CoverageQuery))
    return render_template(
        "coverage.html",
        report=report,
        rows=[(row, _longest(row), _causes(row)) for row in report["cameras"]],
        disk=storage(),
        size=size_text,
    )


def _longest(row: CoverageRow) -> list[Any]:
    return sorted(row["gaps"], key=lambda gap: -gap["seconds"])[:MOST_GAPS]


def _causes(row: CoverageRow) -> list[tuple[str, float]]:
    """The causes of the gaps, each with its minutes, the longest first."""
    minutes: dict[str, float] = {}
    for gap in row["gaps"]:
        minutes[gap["cause"]] = minutes.get(gap["cause"], 0.0) + gap["seconds"] / 60
    ordered = sorted(minutes.items(), key=lambda item: -item[1])
    return [(CAUSES[cause], length) for cause, length in ordered]
