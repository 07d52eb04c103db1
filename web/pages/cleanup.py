"""The "Cleanup" settings page: retire silent devices, delete unwanted ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from accounts.deletion import sample
from fleet.edit.cleaning import Selection
from fleet.model import Device, Invalid, Refused
from web.http.actions.devices import deletion, retire_silent
from web.http.authorization import needs
from web.http.errors import status_of
from web.pages.pickers import invalid

bp = Blueprint("cleanup_pages", __name__)
VALID_DAYS = range(1, 36501)


@bp.get("/settings/cleanup")
@needs("fleet.clean")
def index() -> str:
    """Both forms, and the result of the last one, which a link cannot forge."""
    done = request.args.get("done", "")
    number, _, what = done.partition(" ")
    is_result = number.isascii() and number.isdecimal() and len(number) < 10
    return _index(done=done if is_result and what in ("retired", "deleted") else "")


def _index(**more: Any) -> str:
    return render_template("settings_cleanup.html", typed=request.form, **more)


def _with_fault(fault: Refused, **more: Any) -> Response:
    """The page with the typed values, and the error beside its field."""
    return Response(_index(fault=fault, **more), status_of(fault))


@bp.post("/settings/cleanup")
@needs("fleet.clean")
def retire() -> Any:
    """The button "Retire devices"."""
    try:
        days = _days("days")
    except Invalid as fault:
        return _with_fault(fault)
    number = retire_silent(days or 90)
    return redirect(f"/settings/cleanup?done={number}+retired", 303)


@bp.post("/settings/cleanup/delete")
@needs("fleet.delete")
def delete() -> Any:
    """The button "Preview", and then "Delete" with the number of devices."""
    try:
        wanted = _selection()
        selected = deletion().select(wanted)
    except Invalid as fault:
        fault.field = fault.field or "not_seen_days"
        return _with_fault(fault)
    count = request.form.get("confirm", "").strip()
    if not count.isdecimal() or len(count) > 9:
        return _index(**_preview(wanted, selected))
    try:
        number = deletion().delete_selected(wanted, selected, int(count))
    except Refused as fault:
        fault.field = "confirm"
        return _with_fault(fault, **_preview(wanted, selected))
    return redirect(f"/settings/cleanup?done={number}+deleted", 303)


def _preview(wanted: Selection, selected: Sequence[Device]) -> dict[str, Any]:
    return {"wanted": wanted, "count": len(selected), "sample": sample(selected)}


def _selection() -> Selection:
    """The form's fields. Raises Invalid."""
    return Selection(
        _moment("first_seen_after"),
        _moment("first_seen_before"),
        _days("not_seen_days"),
        "never_named" in request.form,
    )


def _days(name: str) -> int | None:
    text = request.form.get(name, "").strip()
    if not text:
        return None
    if not (text.isdecimal() and len(text) < 6 and int(text) in VALID_DAYS):
        raise invalid(name, "Days must be a whole number from 1 to 36500", "Correct the number.")
    return int(text)


def _moment(name: str) -> datetime | None:
    """A time in the zone of this server, as a browser's field sends it. Raises Invalid."""
    text = request.form.get(name, "").strip()
    try:
        return datetime.fromisoformat(text[:40]).astimezone() if text else None
    except (ValueError, OverflowError):
        raise invalid(name, "Invalid time", "Enter a time such as 2026-11-27T09:30.") from None
