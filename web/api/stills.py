"""Stills of a camera: the list, the newest, one of them, and taking one now."""

from flask import Blueprint, Response, request

from web.http.actions import still_archives, still_films, still_intervals, stills
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.stills import (
    ArchiveQuery,
    FilmBody,
    FilmFileQuery,
    FilmJson,
    FilmQuery,
    HourArchiveQuery,
    NewestQuery,
    PictureQuery,
    StillIntervalChange,
    StillIntervalJson,
    StillIntervalSaved,
    StillList,
    StillQuery,
    StillTaken,
    film_json,
    still_interval_saved,
    still_list,
    still_taken,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("stills", __name__)
PICTURE = ("image/jpeg",)
ZIP = (still_archives.MEDIA_TYPE,)
VIDEO = (still_films.MEDIA_TYPE,)


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
    """Get how often stills of a camera are taken automatically, and when the next one is due."""
    return json_response(still_intervals.as_json(visible_fleet().device(key)))


@bp.put("/api/cameras/<key>/stills/interval")
@needs("still.edit")
@describes(
    body=StillIntervalChange, answer=StillIntervalSaved, errors=(403, 404, 422, 503), status=200
)
def set_interval(key: str) -> Response:
    """Set how often stills of a camera are taken automatically: every so many seconds, never (0),
    or as often as for all cameras (null)."""
    device = visible_fleet().device(key)
    still_intervals.change(device, json_body(StillIntervalChange).interval)
    return json_response(still_interval_saved(still_intervals.as_json(device)))


@bp.get("/api/cameras/<key>/stills/archive")
@needs("still.view")
@describes(query=ArchiveQuery, answer=bytes, media=ZIP, errors=(404, 422, 503))
def download(key: str) -> Response:
    """Download the stills of a day, or of several days, as a ZIP file."""
    return still_archives.of_days(visible_fleet().device(key), query_args(ArchiveQuery))


@bp.get("/api/stills/archive")
@needs("still.view")
@describes(query=HourArchiveQuery, answer=bytes, media=ZIP, errors=(404, 422, 503))
def download_hour() -> Response:
    """Download a still of each camera, all of the same hour, as a ZIP file."""
    query = query_args(HourArchiveQuery)
    return still_archives.of_hour(stills.cameras(), query.day, query.hour)


@bp.get("/api/cameras/<key>/stills/film")
@needs("still.view")
@describes(query=FilmQuery, answer=FilmJson, errors=(404, 422, 503))
def film(key: str) -> Response:
    """Get what there is of the time-lapse of a day: none, how far it is, or where it plays."""
    device, day = visible_fleet().device(key), query_args(FilmQuery).day
    return json_response(film_json(still_films.films().state(device.id, day), device.id, day))


@bp.post("/api/cameras/<key>/stills/film")
@needs("still.view")
@describes(body=FilmBody, answer=FilmJson, errors=(404, 409, 422, 503))
def make_film(key: str) -> Response:
    """Begin to make the time-lapse of a day, unless it is there: each still of the day is a frame
    of it. GET tells how far it is."""
    device, day = visible_fleet().device(key), json_body(FilmBody).day
    return json_response(film_json(still_films.make(device, day), device.id, day))


@bp.delete("/api/cameras/<key>/stills/film")
@needs("still.view")
@describes(query=FilmQuery, answer=FilmJson, errors=(404, 422, 503))
def cancel_film(key: str) -> Response:
    """Stop making the time-lapse of a day. One that is ready stays."""
    device, day = visible_fleet().device(key), query_args(FilmQuery).day
    return json_response(film_json(still_films.cancel(device, day), device.id, day))


@bp.get("/api/cameras/<key>/stills/film.mp4")
@needs("still.view")
@describes(query=FilmFileQuery, answer=bytes, media=VIDEO, errors=(404, 416, 422, 503))
def film_file(key: str) -> Response:
    """Play the time-lapse of a day as MP4, also in ranges of bytes."""
    return still_films.send(visible_fleet().device(key), query_args(FilmFileQuery).day)
