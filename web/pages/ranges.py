"""The page that scans ranges of addresses, and the inbox with what was found."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from discovery.ranges import LONGEST
from fleet import labels
from fleet.access_fields import LONGEST_PATH
from fleet.model import Invalid, Refused
from fleet.texts import sentences
from inventory.inbox_rows import MAX_ENTRIES
from web.http.actions import ranges
from web.http.actions.ranges import Described, NewValues
from web.http.authorization import needs
from web.http.errors import HttpError, page_hint, status_of
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet
from web.pages import inbox_view, pickers
from web.pages.adding import site_names
from web.pages.dates import span
from web.pages.inbox_view import InboxPage

bp = Blueprint("ranges_pages", __name__)


@bp.get("/scan-range")
@needs("scan.start")
def page() -> str:
    """The form, the progress of the running scan, and the inbox; or the progress alone."""
    if request.args.get("part") == "progress":
        return render_template("parts/range_progress.html", scan=ranges.last_scan())
    return _page()


def _page(**more: Any) -> str:
    devices, shown = visible_fleet().devices(), _shown()
    known = [row.device for row in shown.items if row.device]
    return render_template(
        "scan_range.html",
        **{
            "scan": ranges.last_scan(),
            "inbox": shown,
            "names": {device.id: labels.name_among(device, devices) for device in known},
            "ticked": _numbers() if "inbox_fault" in more else (),
            "ignored": len(current_monitor().tracker.fleet().ignored),
            "sets": sorted(
                entry.name for entry in current_monitor().tracker.fleet().credentials.values()
            ),
            "picker": pickers.as_typed("device") if "fault" in more else pickers.of(()),
            "parents": pickers.as_typed("parent") if "fault" in more else pickers.of(()),
            "site_names": site_names(),
            "typed": request.form if request.method == "POST" else {},
            **more,
        },
    )


def _shown() -> InboxPage:
    """The page of the inbox that the address or the form names."""
    return inbox_view.page_of(
        ranges.rows(), request.values.get("show", ""), request.values.get("page", "")
    )


def _described() -> Described:
    """The plan that the form describes. Raises Invalid."""
    form = request.form
    rtsp, http = (_port(form.get(name, ""), name) for name in ("rtsp_port", "http_port"))
    return ranges.describe(form.get("ranges", "")[: LONGEST + 1], rtsp, http, form.get("site", ""))


def _port(text: str, name: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= 65535:
        return int(text)
    raise pickers.invalid(name, "The port is invalid", "Enter a number from 1 to 65535.")


@bp.post("/scan-range")
@needs("scan.start")
def start() -> Any:
    """The button "Check range", which says what would be scanned, and "Start scan"."""
    try:
        described = _described()
        if request.form.get("do") != "start":
            return _page(plan=described, duration=_duration(described))
        ranges.start(described, "confirm_public" in request.form)
    except Invalid as error:
        shown = {"plan": described, "duration": _duration(described)} if _is_public(error) else {}
        return Response(_page(fault=_text(error), field=error.field, **shown), 422)
    except HttpError as error:
        if error.status != 409:
            raise
        return Response(_page(fault=_text(error), field=""), 409)
    return redirect("/scan-range", 303)


def _duration(described: Described) -> str:
    return span(timedelta(seconds=described.seconds))


def _is_public(error: Invalid) -> bool:
    return error.field == "confirm_public"


def _text(error: Refused | HttpError) -> str:
    return sentences(error.error, page_hint(error.hint))


@bp.post("/scan-range/stop")
@needs("scan.start")
def stop() -> Any:
    """The button "Stop"."""
    ranges.scans().cancel()
    return redirect("/scan-range", 303)


@bp.post("/scan-range/inbox")
@needs("device.add")
def decide() -> Any:
    """The buttons of the inbox."""
    form = request.form
    try:
        some = ranges.chosen(_every() if form.get("every") else _numbers())
        username, password = form.get("username", "").strip(), form.get("password", "")
        match form.get("do", ""):
            case "add":
                credentials, new = form.get("credentials", ""), _new_values()
                return _page(result=ranges.add(some, username, password, credentials, new))
            case "ignore":
                ignored = ranges.ignore(some)
                done = f"{_addresses(ignored.count)} ignored"
                return _page(done=done, undo=ignored.undo)
            case "link":
                numbers = pickers.picked_numbers("device")
                if len(numbers) > 1:
                    raise pickers.invalid("device", "Select one device", pickers.HINT)
                number = numbers[0] if numbers else None
                return _page(result=ranges.link(some, number, username, password))
            case "remove":
                ranges.inbox().remove([entry.id for entry in some])
                return _page(done=f"{_addresses(len(some))} removed from the inbox")
    except Refused as error:
        return Response(_page(inbox_fault=_text(error), fault=""), status_of(error))
    raise HttpError(422, "The form cannot do this", "Use one of its buttons.")


def _numbers() -> list[int]:
    """The numbers of the entries that are ticked."""
    texts = request.form.getlist("id")[:MAX_ENTRIES]
    return [int(id) for id in texts if id.isascii() and id.isdecimal() and len(id) < 10]


def _every() -> list[int]:
    """The numbers of all entries that pass the filter, on all pages. Raises Refused when they are
    not as many as the person saw."""
    ids = [row.entry.id for row in inbox_view.filtered(ranges.rows(), request.form.get("show", ""))]
    if request.form["every"] != f"{len(ids)}":
        raise Refused(
            f"The inbox has {_addresses(len(ids))} now, not {request.form['every'][:9]}",
            "Nothing was changed. Review the list, then try again.",
        )
    return ids


def _new_values() -> NewValues:
    """What the form gives all devices that it adds. Raises Invalid."""
    form, numbers = request.form, pickers.picked_numbers("parent")
    if len(numbers) > 1:
        raise pickers.invalid("parent", "Select one parent device", pickers.HINT)
    tags = [tag.strip() for tag in form.get("new_tags", "").split(",") if tag.strip()]
    parent = numbers[0] if numbers else None
    return NewValues(
        form.get("new_site", ""), tags, parent, form.get("new_path", "")[: LONGEST_PATH + 1]
    )


def _addresses(count: int) -> str:
    return f"{count:,} address{'' if count == 1 else 'es'}"
