"""The fleet page and its forms: rendered on the server, complete without script.

One template part serves the first page and every refresh, so that they cannot differ.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from fleet import labels
from fleet.editable_fields import MAX_LENGTHS
from fleet.kinds import shown_as
from fleet.model import DEFAULT_SITE, Device, Edit, Refused
from fleet.status import TABLE
from fleet.texts import sentences
from web.http import columns
from web.http.actions import credentials
from web.http.actions.cameras import check_now
from web.http.actions.devices import (
    apply_and_audit,
    delete_device,
    device_edit,
    is_deleted,
    needs_full_view,
    undo_edit,
    undo_number,
)
from web.http.actions.recorders import change_serial
from web.http.actions.scans import check_recorders, set_auto_scan
from web.http.auditing import actor_name
from web.http.authorization import needs
from web.http.entered_logins import Entry
from web.http.errors import HttpError, page_hint, status_of
from web.http.monitor import current_monitor
from web.http.payloads import json_response
from web.http.redirects import own_path
from web.http.visible_fleet import current_person, visible_fleet
from web.pages import device_view, event_groups, fleet_view, pickers, recording_form
from web.pages.scan_causes import empty_results

bp = Blueprint("fleet_pages", __name__)
MAX_IDS = 200
MAX_ROWS = 1000
MAX_NAMES = 20_000
"""Rows whose names are sent; those after them are shown when they are there."""
MAX_ADDED = 300
"""Events of a new device, which its page offers to undo."""
SHORT_SITE = 13
"""Characters of a site for which its column has room in every window."""
STATUS_TITLES = {name: status.title for name, status in TABLE.items()}


@bp.get("/")
@needs("device.list")
def fleet() -> str:
    """All cameras with what is wrong first."""
    return fleet_page({})


@bp.get("/cameras/<key>")
@needs("device.view")
def camera(key: str) -> Any:
    """One camera, beside the list where there is room."""
    monitor = current_monitor()
    device = visible_fleet().device(key)
    if key != str(device.id):
        # A merge can be taken back, and then the number is another camera's page again.
        is_merged = key.isdecimal() and int(key) != device.id
        return redirect(f"/cameras/{device.id}", 302 if is_merged else 301)
    text = request.args.get("undo", "")
    undo = text if text.isdecimal() and len(text) < 19 else None
    numbers = request.args.get("added", "").split(",")[:MAX_ADDED]
    added = ",".join(text for text in numbers if text.isdecimal() and len(text) < 19)
    more = {"undo": undo, "added": added, "checked": _result(device, "checked")}
    more["refused"] = _result(device, "refused")
    return fleet_page({**device_view.detail(monitor, key), **more})


def _with_fault(device: Device, form: str, fault: Refused) -> Response:
    """The camera's page with the typed values of `form` and the error beside them."""
    name = {"change": "parents", "merge": "with"}.get(form)
    text = sentences(fault.error, page_hint(fault.hint))
    page = fleet_page(
        {
            **device_view.detail(current_monitor(), str(device.id)),
            "fault": {"form": form, "field": fault.field, "text": text},
            "pickers": {name: pickers.as_typed(name, but_for=(str(device.id),))} if name else {},
            "typed": request.form,
        }
    )
    return Response(page, status_of(fault))


def fleet_page(more: dict[str, Any]) -> str:
    """The list with the filter of the URL, and whatever else is on the page."""
    monitor, query = current_monitor(), fleet_view.page_query()
    newest = monitor.tracker.fleet().sequence
    table = fleet_view.rows(monitor, query, more.get("position") or 0)
    values = {
        **fleet_view.header(monitor, query, fleet_view.links()),
        "table": table,
        "newest": newest,
        "columns": columns.titles(table.columns),
        "every_column": columns.EVERY,
        "is_chosen": bool(columns.chosen_columns()),
        "has_long_sites": any(
            len(device.site) > SHORT_SITE for device in visible_fleet().devices().values()
        ),
        "is_crowded": columns.width_of(table.columns) > columns.ROOM,
        "page_sizes": fleet_view.PAGE_SIZES,
        "pages": fleet_view.page_numbers(table.page),
        "empty": [] if table.page.total else empty_results(monitor),
    }
    return render_template("fleet.html", **{**values, **more})


@bp.get("/parts/top")
@needs("device.list")
def top() -> str:
    """Everything above the table, for a refresh."""
    head = fleet_view.header(current_monitor(), fleet_view.page_query(), fleet_view.links())
    return render_template("parts/top.html", **head)


@bp.get("/parts/rows")
@needs("device.list")
def rows() -> Response:
    """A stretch of the table (`offset`, `limit`), or the rows of some `ids`."""
    monitor = current_monitor()
    if "ids" in request.args:
        numbers = request.args["ids"].split(",")[:MAX_IDS]
        wanted = [int(number) for number in numbers if number.isdecimal() and len(number) < 10]
        shown = fleet_view.columns_of(request.args.get("columns", ""))
        rendered = fleet_view.changed_rows(monitor, fleet_view.page_query(), wanted, shown)
    else:
        query = fleet_view.page_query()
        limit = min(_number_argument("limit", fleet_view.FIRST_ROWS), MAX_ROWS)
        rendered = fleet_view.row_range(monitor, query, _number_argument("offset", 0), limit)
    return Response(rendered.html, headers={"X-Total-Count": str(rendered.page.total)})


@bp.get("/parts/names")
@needs("device.list")
def names() -> Response:
    """The number, name and status of every row of the list, in its order: what is shown of a row
    until it is there."""
    snapshot = visible_fleet().statuses()
    devices = fleet_view.whole_list(fleet_view.page_query(), snapshot)[:MAX_NAMES]
    titles = {name: [title, name.lower()] for name, title in STATUS_TITLES.items()}
    return json_response(
        [
            [device.id, labels.name_among(device, snapshot[0]), *titles[snapshot[1][device.id]]]
            for device in devices
        ]
    )


def _number_argument(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal() or len(text) > 9:
        raise HttpError(422, f"{name} must be a whole number", "Omit it to start at the beginning.")
    return int(text)


@bp.post("/columns")
@needs("account.change")
def choose_columns() -> Any:
    """The form "Columns": the columns of the list, kept for this person."""
    is_default = request.form.get("do") == "default"
    columns.choose_columns([] if is_default else request.form.getlist("column"))
    return redirect(fleet_view.list_url(request.form.get("back", "")), 303)


@bp.get("/parts/camera/<key>")
@needs("device.view")
def camera_part(key: str) -> str:
    """The detail of one camera, for a refresh."""
    detail = device_view.detail(current_monitor(), key)
    checked = _result(visible_fleet().device(key), "checked")
    return render_template("parts/detail.html", **detail, undo=None, checked=checked)


@bp.after_request
def without_gone(response: Response) -> Response:
    """204 in place of 404 for the refresh of a device that is gone: it is no error of the page, and
    a browser reports each 404 as one."""
    is_part = request.endpoint == "fleet_pages.camera_part" and "renewed" in request.args
    is_page = request.endpoint == "fleet_pages.camera" and "X-Refresh" in request.headers
    is_refresh = is_part or is_page
    return Response(status=204) if is_refresh and response.status_code == 404 else response


@bp.get("/parts/camera/<key>/events")
@needs("event.view")
def camera_events_part(key: str) -> str:
    """The events of one camera by a filter, or older ones."""
    device = visible_fleet().device(key)
    return render_template(
        "parts/detail_events.html",
        row={"id": device.id},
        kind_word=shown_as(device.kind),
        events=device_view.device_events(device),
        event_groups=event_groups,
        link=fleet_view.links(),
    )


@bp.post("/scan")
@needs("scan.start")
def scan() -> Any:
    """The button "Scan network"."""
    current_monitor().scanner.start(actor_name())
    return _back()


def _back() -> Any:
    """Redirect to the page of the button."""
    return redirect(own_path(request.form.get("back", "/")), 303)


@bp.post("/check")
@needs("scan.start")
def check() -> Any:
    """The button "Check all recorders now"."""
    check_recorders()
    return _back()


@bp.post("/scan/stop")
@needs("scan.start")
def stop() -> Any:
    """The button "Stop"."""
    current_monitor().scanner.cancel()
    return _back()


@bp.post("/auto-scan")
@needs("scan.automatic")
def auto_scan() -> Any:
    """The auto-scan switch."""
    enabled = request.form.get("enabled") == "on"
    set_auto_scan(enabled)
    return _back()


@bp.get("/cameras/<key>/check")
@needs("device.view")
def checked_device(key: str) -> Any:
    """The address of the button "Check now", opened by hand: the page of the camera."""
    return redirect(f"/cameras/{visible_fleet().device(key).id}", 303)


@bp.post("/cameras/<key>/check")
@needs("device.poll")
def check_device(key: str) -> Any:
    """The button "Check now", which leads to the page of the camera with the result of each source:
    a reload of that page checks nothing."""
    device = visible_fleet().device(key)
    text = check_now(device)["message"].rstrip(".")
    person = current_person()
    entry = Entry(result=(device.id, text))
    token = current_monitor().check_results.keep(person, entry, "") if person else ""
    return redirect(f"/cameras/{device.id}?checked={token}", 303)


def _result(device: Device, name: str) -> str:
    """The result that the URL names, of a check or of saving; empty without one of this device."""
    person, token = current_person(), request.args.get(name, "")[:100]
    entry = current_monitor().check_results.entry(person, token) if person and token else None
    id, text = entry.result if entry else (0, "")
    return text if id == device.id else ""


@bp.post("/cameras/<key>/edit")
@needs("device.edit")
def edit(key: str) -> Any:
    """The form of a camera: name, notes, tags, site, parent; retire, restore."""
    kind = request.form.get("do", "change")
    if kind not in ("change", "retire", "restore"):
        raise HttpError(422, f"Unknown action {kind[:40]!r}", "Use a button of the form.")
    return _edit(key, kind, (lambda: _fields(key)) if kind == "change" else dict)


def _fields(key: str) -> dict[str, Any]:
    """The fields of the edit, from the texts of the form. Raises Invalid and NotFound."""
    form = request.form
    fields: dict[str, Any] = {name: form[name] for name in MAX_LENGTHS if name in form}
    if form.get("kind"):
        fields["kind"] = form["kind"][:40]
    if "site" in fields:  # the page shows no name for the site of those that were given none
        fields["site"] = fields["site"].strip() or DEFAULT_SITE
    if "tags" in form:
        fields["tags"] = [tag.strip() for tag in form["tags"].split(",") if tag.strip()]
    if "parents_search" in form:
        fields["parents"] = pickers.picked_numbers("parents")
    if recording_form.FIELD in form:
        device = visible_fleet().device(key)
        fields["recording"] = recording_form.recording_of_form(form, device)
    return fields


@bp.post("/cameras/<key>/merge")
@needs("device.edit")
def merge(key: str) -> Any:
    """The form "Merge with"."""
    return _edit(key, "merge", _other_record)


def _other_record() -> dict[str, Any]:
    """The field of a merge. Raises Invalid, and HttpError (403) for a limited person."""
    if visible_fleet().is_limited:
        raise needs_full_view()
    numbers = pickers.picked_numbers("with")
    if len(numbers) != 1:
        raise pickers.invalid("with", "Select the device to merge with", pickers.HINT)
    return {"with": numbers[0]}


@bp.post("/cameras/<key>/split")
@needs("device.edit")
def split(key: str) -> Any:
    """The form "These are another device"."""
    return _edit(key, "split", lambda: {"identities": request.form.getlist("identities")})


def _edit(key: str, kind: str, read_fields: Callable[[], dict[str, Any]]) -> Any:
    try:
        return _apply(device_edit(key, kind, read_fields()))
    except Refused as fault:
        return _with_fault(visible_fleet().device(key), kind, fault)


@bp.post("/cameras/<key>/serial")
@needs("workbook.edit")
def serial(key: str) -> Any:
    """The form "Correct the serial number" of a recorder of the workbook."""
    device = visible_fleet().device(key)
    row = device_view.workbook_row(current_monitor(), device)
    if row is None:
        raise Refused(
            f"{labels.name(device)} is not in the workbook",
            "Add its row to the workbook, then correct its serial number.",
        )
    try:
        change_serial(row.site, request.form.get("p2pNumber", "")[:200])
    except Refused as fault:
        return _with_fault(device, "serial", fault)
    return redirect(f"/cameras/{device.id}", 303)


@bp.post("/cameras/<key>/delete")
@needs("fleet.delete")
def delete(key: str) -> Any:
    """The form "Delete camera", with its name typed to confirm."""
    try:
        delete_device(key, request.form.get("confirm", "")[:500])
    except Refused as fault:
        return _with_fault(visible_fleet().device(key), "delete", fault)
    return redirect("/", 303)


@bp.post("/undo/<int:event>")
@needs("device.edit")
def undo(event: int) -> Any:
    """The button "Undo"."""
    edit = undo_edit(current_monitor(), event)
    if edit.kind == credentials.EDIT:
        undoable = undo_number(credentials.apply(edit))
        return redirect(f"/settings/credentials?done=undone&undo={undoable or ''}", 303)
    return _apply(edit)


def _apply(edit: Edit) -> Any:
    events = apply_and_audit(edit)
    if is_deleted(events):
        return redirect("/", 303)
    device = visible_fleet().device(edit.identity.removeprefix("id:"))
    undoable = undo_number(events)
    suffix = f"?undo={undoable}" if undoable else ""
    return redirect(f"/cameras/{device.id}{suffix}", 303)
