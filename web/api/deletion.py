"""Delete devices permanently: one by its name, many by a selection and their number."""

from flask import Blueprint, Response

from accounts.deletion import sample
from fleet.edit.cleaning import Selection
from web.http.actions.devices import delete_device, deletion
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.devices import (
    Confirmation,
    Deleted,
    DeletedMany,
    DeleteMany,
    deleted,
    deleted_many,
)

bp = Blueprint("deletion", __name__)


@bp.delete("/api/camera/<key>")
@needs("fleet.delete")
@describes(body=Confirmation, answer=Deleted, errors=(404, 409, 422, 507))
def delete(key: str) -> Response:
    """Permanently delete a camera. This cannot be undone; its events stay in the journal."""
    number = delete_device(key, json_body(Confirmation).confirm)
    return json_response(deleted(number))


@bp.post("/api/delete")
@needs("fleet.delete")
@describes(body=DeleteMany, answer=DeletedMany, errors=(409, 422, 507))
def delete_many() -> Response:
    """Count the selected devices, or permanently delete them by confirming their number."""
    given = json_body(DeleteMany).model_dump()
    count = given.pop("confirm")
    selection, devices_deletion = Selection(**given), deletion()
    selected = devices_deletion.select(selection)
    names = sample(selected)
    number = 0 if count is None else devices_deletion.delete_selected(selection, selected, count)
    return json_response(deleted_many(len(selected), number, names))
