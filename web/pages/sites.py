"""The page of sites with their counts."""

from typing import Any

from flask import Blueprint, render_template, request

from fleet.queries import LONGEST_PLACE
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet
from web.pages import site_groups

bp = Blueprint("sites_pages", __name__)


@bp.get("/sites")
@needs("device.list")
def index() -> str:
    """Every store and site that this person sees something of, with counts; `q` finds names,
    `store` shows one store with all its sites."""
    devices, statuses = visible_fleet().statuses()
    text = request.args.get("q", "").strip()[:100]
    store = request.args.get("store", "")[:LONGEST_PLACE]
    view = site_groups.sites_view(
        site_groups.site_summaries(devices.values(), statuses), text, store
    )
    return render_template("sites.html", view=view, text=text, store=store, asked=_source_states())


def _source_states() -> list[dict[str, Any]]:
    """The state of each source that asks about listed devices. It counts them all, so it is not
    for those who see some."""
    monitor = current_monitor()
    if visible_fleet().is_limited:
        return []
    return [
        {
            "title": progress.title,
            "found": len(progress.found),
            "listed": progress.listed,
            "heard": monitor.scanner.heard[name].isoformat()
            if name in monitor.scanner.heard
            else None,
            "notes": progress.coverage.notes if progress.coverage else (),
            "down": [
                outage["reason"]
                for scope, outage in monitor.tracker.down().items()
                if scope.split(":")[0] == name
            ],
        }
        for name, (_at, progress) in monitor.scanner.swept.items()
    ]
