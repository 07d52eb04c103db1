"""Stills of a camera: the list, the newest, one of them, and taking one now."""

from flask import Blueprint, Response, request

from web.http.actions import still_intervals, stills
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.stills import (
    NewestQuery,
    PictureQuery,
    StillIntervalChange,
    StillIntervalJson,
    StillIntervalSaved,
    StillList,
    StillQuery,
    StillTaken,
    still_list,
    still_taken,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("stills", __name__)
PICTURE = ("image/jpeg",)


@bp.get("/api/cameras/<key>/stills", strict_slashes=False)
@needs("still.view")
@describes(query=StillQuery, answer=StillList, errors=(404, 422, 503))
def index(key: str) -> Response:
    """List the stills of a camera, newest first; of a day also its hours, with the reason for each
    still that is missing."""
    device, query = visible_fleet().device(key), query_args(StillQuery)
    rows, hours = stills.listed(device, query)
    return json_response(still_list(rows, hours))


@bp.post("/api/cameras/<key>/stills", strict_slashes=False)
@needs("still.take")
@describes(answer=StillTaken, errors=(403, 404, 409, 503, 507), status=201)
def take(key: str) -> Response:
    """Take a still now. Requests at the same time share one."""
    device = visible_fleet().device(key)
    row = stills.as_json(device, stills.take(device))
    response = json_response(still_taken(row), 201)
    response.headers["Location"] = row["url"]
    return response


@bp.get("/api/cameras/<key>/stills/newest")
@needs("still.view")
@describes(query=NewestQuery, answer=bytes, media=PICTURE, errors=(403, 404, 409, 416, 422, 503))
def newest(key: str) -> Response:
    """Get the newest still as JPEG, with its time in X-Taken-At. With `take=1` a new one is taken
    before, which needs the permission for it."""
    device, query = visible_fleet().device(key), query_args(NewestQuery)
    is_taken = query.take == "1" and request.method != "HEAD"
    still = stills.take_for_picture(device) if is_taken else stills.newest_or_error(device)
    return stills.send(device, still, query.size, "no-store" if is_taken else "private, no-cache")


@bp.get("/api/cameras/<key>/stills/<int:id>")
@needs("still.view")
@describes(query=PictureQuery, answer=bytes, media=PICTURE, errors=(404, 416, 422, 503))
def picture(key: str, id: int) -> Response:
    """Get a still as JPEG, also in ranges of bytes."""
    device, size = visible_fleet().device(key), query_args(PictureQuery).size
    return stills.send(device, stills.find(device, id), size, stills.KEPT)


@bp.get("/api/cameras/<key>/stills/interval")
@needs("still.view")
@describes(answer=StillIntervalJson, errors=(404,))
def interval(key: str) -> Response:
    """Get how often stills of a camera are taken by themselves, and when the next one is due."""
    return json_response(still_intervals.as_json(visible_fleet().device(key)))


@bp.put("/api/cameras/<key>/stills/interval")
@needs("still.edit")
@describes(
    body=StillIntervalChange, answer=StillIntervalSaved, errors=(403, 404, 422, 503), status=200
)
def set_interval(key: str) -> Response:
    """Set how often stills of a camera are taken by themselves: every so many seconds, never (0),
    or as often as for all cameras (null)."""
    device = visible_fleet().device(key)
    still_intervals.change(device, json_body(StillIntervalChange).interval)
    return json_response({"success": True, **still_intervals.as_json(device)})
