"""The schedules of the CCTV system."""

from flask import Blueprint, Response

from web.http.actions import schedules
from web.http.actions.schedules import SavedItem
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.schedules import (
    SavedSchedule,
    ScheduleDeleted,
    ScheduleFields,
    ScheduleQuery,
    ScheduleRow,
    UndoChange,
    saved_schedule,
    schedule_deleted,
    schedule_row,
)

bp = Blueprint("cctv_schedules", __name__)
LIST = "/api/schedules"
CCTV = "/v0/api/cctv/schedules"
"""Where the CCTV system has the same requests."""


@bp.get(CCTV, strict_slashes=False)
@bp.get(LIST, strict_slashes=False)
@needs("schedule.view")
@describes(query=ScheduleQuery, answer=list[ScheduleRow], errors=(404,))
def listed() -> Response:
    """List the schedules by number. The header X-Total-Count has their number."""
    query = query_args(ScheduleQuery)
    every = schedules.seen(query.camera)
    chosen = every
    if query.page:
        begin = (query.page - 1) * query.per_page
        chosen = every[begin : begin + query.per_page]
    response = json_response([schedule_row(item) for item in schedules.items(chosen)])
    response.headers["X-Total-Count"] = str(len(every))
    return response


@bp.post(CCTV, strict_slashes=False)
@bp.post(LIST, strict_slashes=False)
@needs("schedule.edit")
@describes(body=ScheduleFields, answer=SavedSchedule, errors=(404, 409, 503), status=201)
def create() -> Response:
    """Create a schedule. `warnings` in the answer says what has no effect."""
    return _answer(schedules.add(json_body(ScheduleFields)), 201)


@bp.get(f"{CCTV}/<int:id>", strict_slashes=False)
@bp.get(f"{LIST}/<int:id>", strict_slashes=False)
@needs("schedule.view")
@describes(answer=ScheduleRow, errors=(404,))
def read(id: int) -> Response:
    """Get a schedule, with its next run."""
    return json_response(schedule_row(schedules.item(schedules.existing(id))))


@bp.put(f"{CCTV}/<int:id>", strict_slashes=False)
@bp.patch(f"{CCTV}/<int:id>", strict_slashes=False)
@bp.put(f"{LIST}/<int:id>", strict_slashes=False)
@bp.patch(f"{LIST}/<int:id>", strict_slashes=False)
@needs("schedule.edit")
@describes(body=ScheduleFields, answer=SavedSchedule, errors=(404, 409, 503))
def change(id: int) -> Response:
    """Change a schedule. Fields that are left out keep their value."""
    return _answer(schedules.change(id, json_body(ScheduleFields)))


@bp.delete(f"{CCTV}/<int:id>", strict_slashes=False)
@bp.delete(f"{LIST}/<int:id>", strict_slashes=False)
@needs("schedule.edit")
@describes(answer=ScheduleDeleted, errors=(404, 409, 503))
def delete(id: int) -> Response:
    """Delete a schedule. What it recorded is kept."""
    return json_response(schedule_deleted(schedules.delete(id)))


@bp.post(f"{CCTV}/<int:id>/activate", strict_slashes=False)
@bp.post(f"{LIST}/<int:id>/activate", strict_slashes=False)
@needs("schedule.edit")
@describes(answer=SavedSchedule, errors=(404, 409, 503))
def activate(id: int) -> Response:
    """Activate a schedule: it records from its next time on, which can be now."""
    return _answer(schedules.set_active(id, True))


@bp.post(f"{CCTV}/<int:id>/deactivate", strict_slashes=False)
@bp.post(f"{LIST}/<int:id>/deactivate", strict_slashes=False)
@needs("schedule.edit")
@describes(answer=SavedSchedule, errors=(404, 409, 503))
def deactivate(id: int) -> Response:
    """Deactivate a schedule: its recording ends, and it records nothing until it is activated."""
    return _answer(schedules.set_active(id, False))


@bp.post(f"{LIST}/<int:id>/undo", strict_slashes=False)
@needs("schedule.edit")
@describes(body=UndoChange, answer=SavedSchedule, errors=(404, 409, 503))
def undo(id: int) -> Response:
    """Undo the last change of a schedule, also its deletion; `revision` says which change."""
    return _answer(SavedItem(schedules.undo(id, json_body(UndoChange).revision)))


def _answer(saved: SavedItem, code: int = 200) -> Response:
    item = schedules.item(saved.stored)
    return json_response(saved_schedule(item, saved.warnings), code)
