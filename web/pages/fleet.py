"""The pages: server-rendered, whole without script. Forms post here and lead back.

One template part serves the first page and every refresh, so that they cannot differ.
"""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from fleet import status
from fleet.model import Device, Edit, Refused
from web.http.actions.devices import apply_edit, delete_one, edit_of, undo_of, undoing
from web.http.actions.scans import set_auto_scan
from web.http.auditing import who
from web.http.authorization import needs
from web.http.errors import Problem, status_of
from web.http.monitor import monitor
from web.http.visible_fleet import visible
from web.pages import fleet_view

bp = Blueprint("pages", __name__)
MAX_IDS = 200
STATUS_WORDS = {
    status.ACTIVE: "Active",
    status.IP_CHANGED: "IP changed",
    status.OFFLINE: "Offline",
    status.MISSING: "Missing",
    status.UNKNOWN: "Not checked",
    status.UNREACHABLE: "Unreachable",
}


@bp.get("/")
@needs("device.list")
def fleet() -> str:
    """All cameras with what is wrong first."""
    return _fleet_page({})


@bp.get("/cameras/<key>")
@needs("device.view")
def camera(key: str) -> Any:
    """One camera, beside the list where there is room."""
    here = monitor()
    device = visible().device(key)
    if key != str(device.id):
        # A merge can be taken back, and then the number is another camera's page again.
        is_merged = key.isdecimal() and int(key) != device.id
        return redirect(f"/cameras/{device.id}", 302 if is_merged else 301)
    text = request.args.get("undo", "")
    undo = text if text.isdecimal() and len(text) < 19 else None
    return _fleet_page({"detail": fleet_view.detail(here, device), "undo": undo})


def _again(device: Device, form: str, fault: Refused) -> Response:
    """The camera's page with what was typed in `form`, and beside it why it does not fit."""
    page = _fleet_page(
        {
            "detail": fleet_view.detail(monitor(), device),
            "fault": {"form": form, "field": fault.field, "text": f"{fault.error}. {fault.hint}"},
            "typed": request.form,
        }
    )
    return Response(page, status_of(fault))


def _fleet_page(more: dict[str, Any]) -> str:
    here, query = monitor(), fleet_view.page_query()
    found = fleet_view.rows(here, query)
    return render_template(
        "fleet.html",
        **fleet_view.top(here, query, fleet_view.links()),
        found=found,
        columns=fleet_view.COLUMNS,
        page_sizes=fleet_view.PAGE_SIZES,
        pages=fleet_view.page_numbers(found.listing),
        trouble=[source.trouble for source in here.scanner.sources.values()],
        **more,
    )


@bp.get("/parts/top")
@needs("device.list")
def top() -> str:
    """Everything above the table, anew."""
    head = fleet_view.top(monitor(), fleet_view.page_query(), fleet_view.links())
    return render_template("parts/top.html", **head)


@bp.get("/parts/rows")
@needs("device.list")
def rows() -> Response:
    """A stretch of the table (`offset`, `limit`), or the rows of some `ids`."""
    here = monitor()
    if "ids" in request.args:
        numbers = request.args["ids"].split(",")[:MAX_IDS]
        wanted = [int(one) for one in numbers if one.isdecimal() and len(one) < 10]
        found = fleet_view.rows_of(here, fleet_view.page_query(), wanted)
    else:
        query = fleet_view.page_query()
        limit = min(_number("limit", fleet_view.FIRST_ROWS), 200)
        found = fleet_view.stretch(here, query, _number("offset", 0), limit)
    return Response(found.html, headers={"X-Total-Count": str(found.listing.total)})


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal() or len(text) > 9:
        raise Problem(422, f"{name} must be a whole number", "Leave it out for the beginning.")
    return int(text)


@bp.get("/parts/camera/<key>")
@needs("device.view")
def camera_part(key: str) -> str:
    """The detail of one camera, anew."""
    here = monitor()
    detail = fleet_view.detail(here, visible().device(key))
    return render_template("parts/detail.html", **detail, undo=None)


@bp.post("/scan")
@needs("scan.start")
def scan() -> Any:
    """The button "Scan network"."""
    monitor().scanner.start(who())
    return redirect("/", 303)


@bp.post("/scan/stop")
@needs("scan.start")
def stop() -> Any:
    """The button "Stop"."""
    monitor().scanner.cancel()
    return redirect("/", 303)


@bp.post("/auto-scan")
@needs("scan.automatic")
def auto_scan() -> Any:
    """The auto-scan switch."""
    enabled = request.form.get("enabled") == "on"
    set_auto_scan(enabled)
    return redirect("/", 303)


@bp.post("/cameras/<key>/edit")
@needs("device.edit")
def edit(key: str) -> Any:
    """The form of a camera: what it is called, where it is, retire, restore."""
    kind = request.form.get("do", "change")
    if kind not in ("change", "retire", "restore"):
        raise Problem(422, f"The form cannot do {kind[:40]!r}", "Use one of its buttons.")
    return _edit(key, kind, _fields() if kind == "change" else {})


def _fields() -> dict[str, Any]:
    """The form's texts as the edit wants them."""
    form = request.form
    fields: dict[str, Any] = {key: form[key] for key in ("name", "notes", "site") if key in form}
    if "tags" in form:
        fields["tags"] = [one.strip() for one in form["tags"].split(",") if one.strip()]
    if "parent" in form:
        text = form["parent"].strip()
        fields["parent"] = int(text) if text.isdecimal() and len(text) < 10 else text or None
    return fields


@bp.post("/cameras/<key>/merge")
@needs("device.edit")
def merge(key: str) -> Any:
    """The form "The same device as number"."""
    return _edit(key, "merge", {"with": request.form.get("with", "").strip()[:20]})


@bp.post("/cameras/<key>/split")
@needs("device.edit")
def split(key: str) -> Any:
    """The form "These are another device"."""
    return _edit(key, "split", {"identities": request.form.getlist("identities")})


def _edit(key: str, kind: str, fields: dict[str, Any]) -> Any:
    try:
        return _apply(edit_of(key, kind, fields))
    except Refused as fault:
        return _again(visible().device(key), kind, fault)


@bp.post("/cameras/<key>/delete")
@needs("fleet.delete")
def delete(key: str) -> Any:
    """The form "Delete camera", with its name typed to confirm."""
    try:
        delete_one(key, request.form.get("confirm", "")[:500])
    except Refused as fault:
        return _again(visible().device(key), "delete", fault)
    return redirect("/", 303)


@bp.post("/undo/<int:event>")
@needs("device.edit")
def undo(event: int) -> Any:
    """The button "Undo"."""
    return _apply(undoing(monitor(), event))


def _apply(edit: Edit) -> Any:
    events = apply_edit(edit)
    device = visible().device(edit.identity.removeprefix("id:"))
    undoable = undo_of(events)
    suffix = f"?undo={undoable}" if undoable else ""
    return redirect(f"/cameras/{device.id}{suffix}", 303)
