"""The settings page of the workbook: preview, import, undo, and serials of skipped rows."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from fleet.model import Refused
from fleet.queries import LONGEST_PLACE
from fleet.secret_columns import secret_titles
from fleet.texts import sentences
from inventory.uploads import MAX_LOCK_WAIT, TooManyUploads
from inventory.workbook import MAX_BYTES, NotReadable
from web.http.actions.recorders import change_serial
from web.http.auditing import note
from web.http.authorization import max_body, needs
from web.http.errors import HttpError, page_hint, status_of, wants_page
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet
from web.pages import serial_history
from web.pages.watching import running_checks

bp = Blueprint("workbook_pages", __name__)
NEWS_FOR = timedelta(minutes=10)
"""How long the page says that an import was undone."""


@bp.get("/settings/workbook")
@needs("workbook.edit")
def workbook() -> str:
    """The workbook: what was read, which rows were not, and the form for a new one."""
    return _page()


def _page(**more: Any) -> str:
    monitor = current_monitor()
    book, pending = monitor.workbooks.state.book, monitor.workbooks.pending()
    problems = book.problems if book else ()
    return render_template(
        "settings_workbook.html",
        path=monitor.workbooks.path,
        state=monitor.workbooks.state,
        pending=pending,
        problems=[
            problem for problem in problems if not (problem.row and problem.row.site in pending)
        ],
        hidden=more.pop("hidden", secret_titles(book.columns if book else ())),
        last_import=monitor.uploads.last_import(),
        undone_at=_recent(monitor.uploads.undone_at()),
        checks=running_checks(monitor),
        **more,
    )


def _recent(at: datetime | None) -> datetime | None:
    """A time of the last minutes; None for an earlier one, which is no news."""
    return at if at and current_monitor().clock() - at < NEWS_FOR else None


@bp.post("/settings/workbook")
@needs("workbook.edit")
@max_body(MAX_BYTES + 4096)
def upload() -> Any:
    """The form "Preview": what the new workbook would change."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return Response(_page(fault="Choose a workbook first."), 422)
    try:
        preview = current_monitor().uploads.preview(file.stream)
    except NotReadable as error:
        if not wants_page():
            raise HttpError(422, error.error, error.hint) from None
        return Response(_page(fault=str(error)), 422)
    except TooManyUploads:
        return _busy()
    finally:
        visible_fleet().check("workbook.edit")  # reading it may have taken half a minute
    reverted = serial_history.reverted(preview.changed)
    return _page(preview=preview, reverted=reverted, hidden=secret_titles(preview.book.columns))


def _busy() -> Response:
    """The answer to too many uploads at the same time."""
    error, wait = "Other uploads are being processed", f"{MAX_LOCK_WAIT:.0f}"
    headers = {"Retry-After": wait}
    if not wants_page():
        raise HttpError(503, error, f"Upload the file again in {wait} s.", headers)
    return Response(_page(fault=f"{error}. Upload the file again in {wait} s."), 503, headers)


@bp.post("/settings/workbook/serial")
@needs("workbook.edit")
def serial() -> Any:
    """The button "Save serial number" of a row that has none of its own."""
    site = request.form.get("site", "")[:LONGEST_PLACE]
    try:
        change_serial(site, request.form.get("serial", "")[:200])
    except Refused as error:
        wrong = sentences(f"{site}: {error.error}", page_hint(error.hint))
        return Response(_page(wrong=wrong), status_of(error))
    return redirect("/settings/workbook", 303)


@bp.post("/settings/workbook/commit")
@needs("workbook.edit")
def commit() -> Any:
    """The button "Import"."""
    key, judge = request.form.get("key", ""), visible_fleet().judge("workbook.edit")
    return _done(lambda: current_monitor().uploads.commit(key, judge), "imported a workbook")


@bp.post("/settings/workbook/undo")
@needs("workbook.edit")
def undo() -> Any:
    """The button "Undo": restore the previous workbook."""
    judge = visible_fleet().judge("workbook.edit")
    return _done(lambda: current_monitor().uploads.undo(judge), "restored the previous workbook")


def _done(change: Any, text: str) -> Any:
    try:
        result = change()
    except TooManyUploads:
        return _busy()
    except Refused as error:
        return Response(
            _page(fault=sentences(error.error, page_hint(error.hint))), status_of(error)
        )
    except OSError as error:
        raise HttpError(
            507,
            f"{current_monitor().workbooks.path} cannot be written ({error.strerror})",
            "Free disk space or allow this user to write the file.",
        ) from None
    note("workbook.changed", current_monitor().workbooks.path.name, f"{text}: {result}")
    return redirect("/settings/workbook", 303)
