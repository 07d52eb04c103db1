"""Import a list of cameras."""

from flask import Blueprint, Response

from inventory import import_rows
from inventory.model import Table
from web.http.actions import imports
from web.http.authorization import max_body, needs
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.imports import ImportBody, Imported, ImportedRow, imported, texts_of

bp = Blueprint("imports", __name__)
MAX_BODY = 8 << 20


@bp.post("/api/cameras/import")
@needs("device.add")
@max_body(MAX_BODY)
@describes(body=ImportBody, answer=Imported, errors=(422, 507))
def import_cameras() -> Response:
    """Add and change cameras by a list, in one write. Refused rows are reported, the others are
    saved. The same list again changes nothing."""
    given = json_body(ImportBody)
    titles = list(ImportedRow.model_fields)
    lines = {0: titles} | {at: texts_of(row) for at, row in enumerate(given.rows, 1)}
    preview = imports.preview(import_rows.import_list(Table(given.name, lines)), given.name)
    if given.dry_run:
        return json_response(imported(preview.results, preview.counts, True, (), preview.notes))
    result = imports.save(preview.key)
    return json_response(imported(result.results, result.counts, False, result.undo, preview.notes))
