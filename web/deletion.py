"""Delete devices permanently: one by its name, many by a selection and their number."""

import logging
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response
from pydantic import Field
from typing_extensions import TypedDict

from fleet import cleaning, words
from fleet.cleaning import Selection
from fleet.model import Device, Edit, Event
from store.sql import Unreachable
from web.api import Strict, answered, describes, sent
from web.audits import note, who
from web.cameras import check_clock
from web.errors import Problem
from web.events import Moment
from web.gate import needs
from web.house import house
from web.sight import sight

bp = Blueprint("deletion", __name__)
log = logging.getLogger(__name__)
SAMPLE = 20
"""Devices that an answer names of a selection."""
MOST_NUMBERS = 1000
"""Numbers that the audit log keeps of one deletion; the journal has all of them."""


class Confirmation(Strict):
    """The exact name of the device."""

    confirm: str = Field(max_length=500)


class DeleteMany(Strict):
    """Which devices; without `confirm` they are only counted. `confirm` is their number."""

    first_seen_after: Moment | None = Field(None, strict=False)
    first_seen_before: Moment | None = Field(None, strict=False)
    not_seen_days: int | None = Field(None, ge=1, le=36500)
    never_named: bool = Field(False, description="Only those without name, notes and tags.")
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
    wanted = Selection(**given)
    found = chosen(wanted)
    body: DeletedMany = {
        "success": True,
        "count": len(found),
        "deleted": 0,
        "sample": [words.name(one) for one in found[:SAMPLE]],
    }
    if count is not None:
        body["deleted"] = delete_chosen(wanted, found, count)
    return answered(body)


def chosen(wanted: Selection) -> list[Device]:
    """The devices of the selection. Raises Problem for one that has no limit in time."""
    if wanted.is_empty:
        raise Problem(
            422,
            "The selection has no limit in time",
            "Give first_seen_after, first_seen_before or not_seen_days.",
        )
    here = house()
    return cleaning.selected(here.tracker.devices().values(), wanted, here.clock())


def delete_one(key: str, confirm: str) -> int:
    """Delete one device by who asks; its number. Raises Refused."""
    here, device = house(), sight().device(key)
    edit = Edit("delete", f"id:{device.id}", {"confirm": confirm}, who(), here.clock())
    (event,) = _apply([edit])
    note(event.kind, f"camera {event.device}", event.text, event.before)
    return device.id


def delete_chosen(wanted: Selection, found: list[Device], count: int) -> int:
    """Delete what was chosen by who asks; how many. Raises Problem (409) for another number."""
    if wanted.not_seen_days:
        check_clock()
    if count != len(found):
        raise Problem(
            409,
            f"The selection has {len(found)} devices now, not {count}",
            "Review the selection, then confirm the new number.",
        )
    events = _apply(cleaning.deletions(found, who(), house().clock()))
    numbers = [one.device for one in events][:MOST_NUMBERS]
    text = f"{len(events)} devices deleted: {wanted}"
    note("fleet.deleted", "fleet", text, {"numbers": numbers})
    return len(events)


def _apply(edits: Iterable[Edit]) -> list[Event]:
    here, edits, judge = house(), list(edits), sight().judge("fleet.delete")
    events: list[Any] = list(here.tracker.apply(edits, here.clock(), judge)) if edits else []
    gone = [one for one in events if one.kind == "device.deleted"]
    try:
        here.access.accounts.forget_devices([one.device for one in gone])
    except Unreachable as error:
        # Harmless: no device gets these numbers again.
        log.warning("Grants and tokens still name the deleted devices: %s", error)
    return gone
