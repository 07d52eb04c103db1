"""Delete devices permanently: one by its name, many by a selection and their number."""

from flask import Blueprint, Response
from pydantic import Field
from typing_extensions import TypedDict

from accounts.deletion import Deletion, sample
from fleet.cleaning import Selection
from web.api.events import Moment
from web.http.auditing import note, who
from web.http.authorization import needs
from web.http.monitor import monitor
from web.http.payloads import Strict, answered, describes, sent
from web.http.visible_fleet import visible

bp = Blueprint("deletion", __name__)


class Confirmation(Strict):
    """The exact name of the device."""

    confirm: str = Field(max_length=500)


class DeleteMany(Strict):
    """Which devices; without `confirm` they are only counted. `confirm` is their number."""

    first_seen_after: Moment | None = Field(None, strict=False)
    first_seen_before: Moment | None = Field(None, strict=False)
    not_seen_days: int | None = Field(None, ge=1, le=36500)
    never_named: bool = Field(
        False, description="Only devices without name, notes, tags and parent device."
    )
    confirm: int | None = Field(None, ge=0)


class Deleted(TypedDict):
    """The number of the device that is gone."""

    success: bool
    deleted: int


class DeletedMany(TypedDict):
    """`count`: how many the selection has; `deleted`: how many are gone; `sample`: some names."""

    success: bool
    count: int
    deleted: int
    sample: list[str]


@bp.delete("/api/camera/<key>")
@needs("fleet.delete")
@describes(body=Confirmation, answer=Deleted, errors=(404, 409, 422, 507))
def delete(key: str) -> Response:
    """Permanently delete a camera. This cannot be undone; its events stay in the journal."""
    number = delete_one(key, sent(Confirmation).confirm)
    return answered({"success": True, "deleted": number})


@bp.post("/api/delete")
@needs("fleet.delete")
@describes(body=DeleteMany, answer=DeletedMany, errors=(409, 422, 507))
def delete_many() -> Response:
    """Count the devices of a selection, or permanently delete them by confirming their number."""
    given = sent(DeleteMany).model_dump()
    count = given.pop("confirm")
    wanted, act = Selection(**given), deletion()
    found = act.select(wanted)
    body: DeletedMany = {
        "success": True,
        "count": len(found),
        "deleted": 0,
        "sample": sample(found),
    }
    if count is not None:
        body["deleted"] = act.delete_selected(wanted, found, count)
    return answered(body)


def delete_one(key: str, confirm: str) -> int:
    """Delete one device by who asks; its number. Raises Refused."""
    device = visible().device(key)
    deletion().delete(device, confirm)
    return device.id


def deletion() -> Deletion:
    """What deletes by who asks."""
    here, judge = monitor(), visible().judge("fleet.delete")
    return Deletion(
        here.tracker, here.access.accounts, here.trusted, note, who(), here.clock(), judge
    )
