"""The form that edits the selected rows of the list; without script it does the same."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request
from pydantic import ValidationError

from fleet.model import DEFAULT_SITE, Invalid, Refused
from fleet.texts import sentences
from web.http.actions import bulk
from web.http.actions.bulk import BulkChange, BulkResult
from web.http.authorization import needs
from web.http.errors import HttpError, page_hint, status_of
from web.http.shapes.devices import MAX_BULK, BulkAccess
from web.pages import fleet_view, pickers
from web.pages.fleet import fleet_page

bp = Blueprint("bulk_pages", __name__)
MAX_DIGITS = 9
ACCESS = ("port", "path", "username", "password")
RECORDING = ("bulk_auto_record", "bulk_record_quality", "bulk_retention_days")
TITLES = {"username": "user name", "source": "protocol"}
BACK = frozenset({"/settings/ignored", "/scan-range"})
"""Pages outside the list that "Undo" returns to."""


@bp.post("/bulk")
@needs("device.edit")
def edit() -> Any:
    """The buttons of the selection: tag, site, parent device, retire and restore."""
    try:
        result = _edited()
    except Refused as fault:
        typed = {"parent": pickers.as_typed("parent")}
        page = fleet_page(
            {"bulk": {"fault": sentences(fault.error, page_hint(fault.hint))}, "pickers": typed}
        )
        return Response(page, status_of(fault))
    return fleet_page({"bulk": {"result": result, "text": bulk.summary(result)}})


def _edited() -> BulkResult:
    change, form = _change(request.form.get("do", "")), request.form
    if form.get("every"):
        count = _count_in(form["every"])
        return bulk.edit_many(bulk.devices_matching(fleet_view.page_query(), (), count), change)
    ids = [int(id) for id in form.getlist("id")[:MAX_BULK] if id.isdecimal() and len(id) < 19]
    if not ids:
        raise Invalid("No rows are selected", "Select rows by their checkboxes first.")
    devices, missing = bulk.devices_of(ids)
    return bulk.edit_many(devices, change, missing)


def _count_in(text: str) -> int:
    """The number of devices that the form says were on the page. Raises Invalid."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise Invalid("Invalid number of devices", "Reload the list, then try again.")
    return int(text)


def _change(action: str) -> BulkChange:
    """The change of this button. Raises Invalid."""
    form = request.form
    tags = [tag.strip() for tag in form.get("bulk_tag", "").split(",") if tag.strip()]
    match action:
        case "tag" | "untag" if not tags:
            raise Invalid("No tag was entered", "Enter one or several, separated by commas.")
        case "tag":
            return BulkChange(add_tags=tags)
        case "untag":
            return BulkChange(remove_tags=tags)
        case "site":
            return BulkChange(fields={"site": form.get("bulk_site", "").strip() or DEFAULT_SITE})
        case "parent":
            return BulkChange(fields={"parent": _parent()})
        case "no_parent":
            return BulkChange(fields={"parent": None})
        case "interval":
            return BulkChange(fields={"interval": form.get("bulk_interval", "").strip() or None})
        case "credentials":
            return BulkChange(fields={"credentials": form.get("bulk_credentials", "")[:40] or None})
        case "connection":
            return BulkChange(access=_access())
        case "recording":
            return BulkChange(fields={"recording": _recording()})
        case "retire":
            return BulkChange(retired=True)
        case "restore":
            return BulkChange(retired=False)
        case "enter":
            return _change(_filled(form))
    raise HttpError(422, "The form cannot do this", "Use one of its buttons.")


def _filled(form: Mapping[str, str]) -> str:
    """The button of the only filled menu of the form, for Enter in it without script. Raises
    Invalid."""
    fields = {
        "tag": ("bulk_tag",),
        "site": ("bulk_site",),
        "parent": ("parent", "parent_search"),
        "interval": ("bulk_interval",),
        "credentials": ("bulk_credentials",),
        "connection": tuple(f"bulk_{name}" for name in ACCESS),
        "recording": RECORDING,
    }
    filled = [name for name, keys in fields.items() if any(form.get(key) for key in keys)]
    if len(filled) != 1:
        raise Invalid("Nothing was changed", "Press the button of the change that you want.")
    return filled[0]


def _access() -> dict[str, Any]:
    """What the form changes of a connection; an empty field changes nothing. Raises Invalid."""
    form = request.form
    typed = {name: form.get(f"bulk_{name}", "").strip() for name in ACCESS}
    given = {name: text for name, text in typed.items() if text}
    if not given:
        raise Invalid("Nothing was entered", "Enter a port, a path or a user name.")
    values = {**given, "source": form.get("bulk_source", "")}
    try:
        access = BulkAccess.model_validate(values, strict=False)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise Invalid(f"The {TITLES.get(name, name)} is invalid", "Correct it.") from None
    return access.model_dump(exclude_none=True)


def _recording() -> dict[str, Any]:
    """The recording settings that the form changes; an empty field changes nothing. Raises
    Invalid."""
    always, quality, days = (request.form.get(name, "").strip() for name in RECORDING)
    given: dict[str, Any] = {"auto_record": always == "yes"} if always else {}
    if quality:
        given["record_quality"] = quality
    if days:
        is_number = days.isascii() and days.isdecimal() and len(days) <= MAX_DIGITS
        given["retention_days"] = int(days) if is_number else days
    if not given:
        raise Invalid("Nothing was entered", "Choose what changes in the recording settings.")
    return given


def _parent() -> int:
    """The device that the form chose. Raises Invalid."""
    numbers = pickers.picked_numbers("parent")
    if len(numbers) != 1:
        raise pickers.invalid("parent", "Select one parent device", pickers.HINT)
    return numbers[0]


@bp.post("/bulk/undo")
@needs("device.edit")
def undo() -> Any:
    """The button "Undo" after it. The list says what could not be undone."""
    numbers = [
        int(number)
        for number in request.form.get("events", "").split(",")[:MAX_BULK]
        if number.isdecimal() and len(number) < 19
    ]
    try:
        result = bulk.undo_many(numbers)
    except Refused as fault:
        page = fleet_page({"bulk": {"fault": sentences(fault.error, page_hint(fault.hint))}})
        return Response(page, status_of(fault))
    if result.text and not result.failed:
        back = request.form.get("back", "")
        return redirect(back if back in BACK else fleet_view.links()(), 303)
    return fleet_page({"bulk": {"result": result, "text": bulk.summary(result)}})
