"""The page that imports a list of cameras: paste or upload, preview, save, undo."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, render_template, request

from fleet.csv_export import as_csv
from fleet.edit.importing import RowResult
from fleet.model import Refused
from fleet.texts import sentences
from inventory import import_reader, import_rows
from inventory.import_rows import ImportList
from inventory.limits import MAX_BYTES, NotReadable
from web.http.actions import imports
from web.http.authorization import max_body, needs
from web.http.errors import HttpError, page_hint, status_of, wants_page
from web.http.visible_fleet import visible_fleet

bp = Blueprint("imports_pages", __name__)
SHOWN = 200
"""Rows of each state on the page."""
MAX_TEXT = 4 << 20
"""Bytes of a pasted list."""
LONGEST_NAME = 100


@bp.get("/cameras/import")
@needs("device.add")
def form() -> str:
    """The form that takes a list."""
    return _page()


def _page(**more: Any) -> str:
    return render_template(
        "import.html", columns=import_rows.SYNONYMS, most=import_rows.MAX_ROWS, shown=SHOWN, **more
    )


@bp.post("/cameras/import")
@needs("device.add")
@max_body(MAX_BYTES + MAX_TEXT)
def preview() -> Any:
    """The button "Preview": what each row would do."""
    request.max_form_memory_size = MAX_TEXT
    text, file = request.form.get("text", ""), request.files.get("file")
    name = (file.filename or "")[:LONGEST_NAME] if file else ""
    try:
        rows = _read(text) if not name or file is None else _read_file(file.read(), name)
    except NotReadable as error:
        if not wants_page():
            raise HttpError(422, error.error, error.hint) from None
        return Response(_page(fault=str(error), in_file=bool(name)), 422)
    visible_fleet().check("device.add")  # reading it may have taken half a minute
    previewed = imports.preview(rows, name or import_reader.PASTED)
    return _page(preview=previewed, groups=_groups(previewed.results))


def _read(text: str) -> ImportList:
    return _readable(lambda: import_reader.read_text(text))


def _read_file(data: bytes, name: str) -> ImportList:
    return _readable(lambda: import_reader.read_file(data, name))


def _readable(read: Any) -> ImportList:
    """Read the list. Raises NotReadable, also where no process can be started."""
    try:
        rows: ImportList = read()
        return rows
    except ChildProcessError as error:
        raise NotReadable(
            f"The list cannot be read now ({error.strerror})",
            "Free memory, or allow this user more processes.",
        ) from error


def _groups(results: Sequence[RowResult]) -> dict[str, list[RowResult]]:
    """The rows by what they do."""
    groups: dict[str, list[RowResult]] = {}
    for result in results:
        groups.setdefault(result.state, []).append(result)
    return groups


@bp.post("/cameras/import/save")
@needs("device.add")
def save() -> Any:
    """The button "Import"."""
    try:
        result = imports.save(request.form.get("key", ""))
    except Refused as error:
        text = sentences(error.error, page_hint(error.hint))
        return Response(_page(fault=text), status_of(error))
    return _page(result=result, groups=_groups(result.results))


@bp.post("/cameras/import/refused")
@needs("device.add")
def refused() -> Any:
    """The button "Download refused rows": a CSV file with the reason of each."""
    name, rows = imports.refused_cells(request.form.get("key", ""))
    given = [column for column in import_rows.SYNONYMS if any(column in row for row in rows)]
    keys = ["row", *given, "error", "hint"]
    body = as_csv(({key: row.get(key, "") for key in keys} for row in rows), keys)
    headers = {"Content-Disposition": 'attachment; filename="refused_rows.csv"'}
    return Response(body, mimetype="text/csv", headers=headers)
