"""The pages: server-rendered, whole without script. Forms post here and lead back."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import ValidationError

from fleet import status
from fleet.model import Edit
from web import shapes
from web.cameras import undoing, who
from web.gate import needs
from web.health import troubles
from web.house import house
from web.listing import Listing, ListQuery, select
from web.scans import auto_scan_job, counts

bp = Blueprint("pages", __name__)
PER_PAGE = 100
FILTERS = (
    ("all", "All"),
    ("active", "Active"),
    ("ip_changed", "IP changed"),
    ("offline", "Offline"),
    ("missing", "Missing"),
)
COLUMNS = (
    ("status", "Status"),
    ("name", "Name"),
    ("address", "Address"),
    ("mac", "MAC"),
    ("model", "Model"),
    ("last_seen", "Last seen"),
    ("discoveries", "Discoveries"),
)


@bp.get("/")
@needs("device.list")
def fleet() -> str:
    """All cameras with what is wrong first."""
    here = house()
    query = _query()
    devices, statuses = here.statuses()
    found = select(devices.values(), statuses, query, shapes.CAMERAS)
    now, rules = here.clock(), here.rules()
    scan = here.scanner.progress()
    return render_template(
        "fleet.html",
        rows=[shapes.row(one, statuses[one.id], now, rules) for one in found.devices],
        listing=found,
        query=query,
        stats=counts(),
        findings=_with_findings(devices, statuses),
        filters=FILTERS,
        columns=COLUMNS,
        link=_link,
        scan=scan.plain() if scan else None,
        last=here.tracker.fleet().memo.get("last_scan"),
        auto=auto_scan_job(),
        notices=_notices(),
        pages=_pages(found),
    )


def _query() -> ListQuery:
    """The filter in the URL; what does not fit there is left out rather than refused."""
    asked = {key: value for key, value in request.args.items() if key in ListQuery.model_fields}
    asked.setdefault("sort", "status")
    asked.setdefault("page", "1")
    asked.setdefault("per_page", str(PER_PAGE))
    try:
        return ListQuery.model_validate(asked)
    except ValidationError as error:
        bad = {str(one["loc"][0]) for one in error.errors()}
        rest = {key: value for key, value in asked.items() if key not in bad}
        return ListQuery.model_validate({"page": 1, "per_page": PER_PAGE, **rest})


def _link(**changes: Any) -> str:
    """This page's URL with other values; a new filter begins at the first page."""
    kept = {key: value for key, value in request.args.items() if key in ListQuery.model_fields}
    if "page" not in changes:
        kept.pop("page", None)
    kept.update({key: str(value) for key, value in changes.items()})
    return "/?" + urlencode({key: value for key, value in kept.items() if value})


def _pages(found: Listing) -> list[int]:
    """The page numbers worth a link: the first, the last, and those around this one."""
    here = found.page or 1
    near = {1, found.pages, *range(here - 2, here + 3)}
    return sorted(page for page in near if 1 <= page <= found.pages)


def _with_findings(devices: Any, statuses: dict[int, str]) -> int:
    query = ListQuery(findings=True)
    return select(devices.values(), statuses, query, shapes.CAMERAS).total


def _notices() -> list[str]:
    """What a person must know before anything else."""
    here = house()
    down = here.tracker.fleet().memo.get("down", {})
    asked = [f"{scope} cannot be asked: {one['reason']}" for scope, one in down.items()]
    damage = [here.tracker.damage] if here.tracker.damage else []
    return [*damage, *troubles(here), *asked]


@bp.get("/cameras/<key>")
@needs("device.view")
def camera(key: str) -> Any:
    """One camera with its whole history."""
    here = house()
    device = here.tracker.device(key)
    if key != str(device.id):
        return redirect(f"/cameras/{device.id}", 301)
    _devices, statuses = here.statuses()
    row = shapes.detail(device, statuses[device.id], here.clock(), here.rules())
    events = here.journal.find(device=device.id, limit=50)
    return render_template("camera.html", row=row, events=events, undo=request.args.get("undo"))


@bp.post("/scan")
@needs("scan.start")
def scan() -> Any:
    """The button "Scan network"."""
    house().scanner.start(who())
    return redirect("/", 303)


@bp.post("/scan/stop")
@needs("scan.start")
def stop() -> Any:
    """The button "Stop"."""
    house().scanner.cancel()
    return redirect("/", 303)


@bp.post("/auto-scan")
@needs("scan.automatic")
def auto_scan() -> Any:
    """The auto-scan switch."""
    house().set_auto_scan(request.form.get("enabled") == "on")
    return redirect("/", 303)


@bp.post("/cameras/<key>/edit")
@needs("device.edit")
def edit(key: str) -> Any:
    """The form of a camera: name and notes, retire, restore."""
    device = house().tracker.device(key)
    kind = request.form.get("do", "change")
    fields = {name: request.form[name] for name in ("name", "notes") if name in request.form}
    return _apply(Edit(kind, f"id:{device.id}", fields, who(), house().clock()))


@bp.post("/undo/<int:event>")
@needs("device.edit")
def undo(event: int) -> Any:
    """The button "Undo"."""
    return _apply(undoing(house(), event))


def _apply(edit: Edit) -> Response:
    here = house()
    events = here.tracker.apply([edit], here.clock())
    suffix = f"?undo={events[0].sequence}" if events else ""
    place = edit.identity.removeprefix("id:")
    return redirect(f"/cameras/{place}{suffix}", 303)  # type: ignore[return-value]


STATUS_WORDS = {
    status.ACTIVE: "Active",
    status.IP_CHANGED: "IP changed",
    status.OFFLINE: "Offline",
    status.MISSING: "Missing",
    status.UNKNOWN: "Not checked",
    status.UNREACHABLE: "Unreachable",
}
