"""The page of missing recordings."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, render_template, request

from video.outages import CAUSES
from video.retention import size_text
from web.http.actions.coverage import coverage_report, storage
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.shapes.coverage import DEFAULT, LONGEST, CoverageQuery, CoverageRow
from web.pages.dates import length_text

bp = Blueprint("coverage_pages", __name__)
MOST_GAPS = 3
PRESETS = {1: "Last 24 h", 7: "7 days", 30: "30 days"}
FAULT = (
    "This time cannot be shown. Choose a first day that is not in the future and not after the "
    f"last day, {LONGEST.days} days at the most."
)


@dataclass(frozen=True, slots=True)
class Span:
    """The time of the page. `first` and `last`: the days of the form, as they were typed if
    there is a `fault`. `days`: which preset it is; 0 for other days."""

    query: CoverageQuery
    first: str
    last: str
    days: int = 0
    fault: str = ""


@bp.get("/recordings/coverage")
@needs("recording.view")
def page() -> str:
    """Compare what was scheduled with what is recorded."""
    span = _span(current_monitor().clock())
    report = coverage_report(span.query)
    return render_template(
        "coverage.html",
        report=report,
        rows=[(row, _longest(row), _causes(row)) for row in report["cameras"]],
        disk=storage(),
        size=size_text,
        length=length_text,
        span=span,
        presets=PRESETS,
        today=current_monitor().clock().astimezone().date(),
    )


def _span(now: datetime) -> Span:
    """The time in the URL: `days` up to now, or the days `from` and `to`, which can be moments
    too. A time that cannot be shown is a fault, beside the time without one."""
    first, last = (request.args.get(name, "")[:40] for name in ("from", "to"))
    if not first and not last:
        return _preset(now, request.args.get("days", DEFAULT.days, type=int))
    try:
        since = _moment(first) if first else None
        until = min(_moment(last, is_last=True), now) if last else None
        if since and since >= now:
            raise ValueError(first)
        return Span(_query(since, until), _typed(first), _typed(last))
    except (ValueError, OverflowError):
        preset = _preset(now, DEFAULT.days)
        return Span(preset.query, _typed(first), _typed(last), fault=FAULT)


def _preset(now: datetime, days: int) -> Span:
    days = days if days in PRESETS else DEFAULT.days
    since = now - timedelta(days=days)
    first, last = (f"{moment.astimezone():%F}" for moment in (since, now))
    return Span(_query(since, now), first, last, days)


def _query(since: datetime | None, until: datetime | None) -> CoverageQuery:
    """Raises ValueError for a time that is too long or ends before it begins."""
    values = {"from": since, "to": until, "camera": request.args.get("camera", type=int)}
    return CoverageQuery.model_validate(values)


def _moment(text: str, is_last: bool = False) -> datetime:
    """A moment, or the beginning of a day on this server; of the last day its end. Raises
    ValueError and OverflowError."""
    if len(text) > len("2026-11-28"):
        return datetime.fromisoformat(text).astimezone()
    day = date.fromisoformat(text) + timedelta(days=is_last)
    return datetime(day.year, day.month, day.day).astimezone()


def _typed(text: str) -> str:
    """The day of the form; what is not a day cannot be shown there."""
    with suppress(ValueError):
        return date.fromisoformat(text[:10]).isoformat()
    return ""


def _longest(row: CoverageRow) -> list[Any]:
    return sorted(row["gaps"], key=lambda gap: -gap["seconds"])[:MOST_GAPS]


def _causes(row: CoverageRow) -> list[tuple[str, float]]:
    """The causes of the gaps, each with its seconds, the longest first."""
    seconds: dict[str, float] = {}
    for gap in row["gaps"]:
        seconds[gap["cause"]] = seconds.get(gap["cause"], 0.0) + gap["seconds"]
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return [(CAUSES[cause], length) for cause, length in ordered]
