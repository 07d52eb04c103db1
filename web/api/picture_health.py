"""Picture health: its state, its settings, its pictures, and judging a picture now."""

from flask import Blueprint, Response

from web.http.actions import picture_health
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response, query_args
from web.http.shapes.picture_health import (
    HealthChange,
    HealthDone,
    HealthJson,
    HealthList,
    HealthQuery,
    NewestSampleQuery,
    NewExpected,
    NewReference,
    health_done,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("picture_health", __name__)
PICTURE = ("image/jpeg",)


@bp.get("/api/picture-health")
@needs("health.view")
@describes(query=HealthQuery, answer=HealthList, errors=(422,))
def index() -> Response:
    """List the cameras with the state of their pictures, and how many are in each state."""
    return json_response(picture_health.listed(query_args(HealthQuery)))


@bp.get("/api/cameras/<key>/picture-health")
@needs("health.view")
@describes(answer=HealthJson, errors=(404, 503))
def state(key: str) -> Response:
    """Get the picture health of a camera, with its settings and its pictures."""
    device = visible_fleet().device(key)
    return json_response(picture_health.as_json(device, picture_health.of(device)))


@bp.patch("/api/cameras/<key>/picture-health")
@needs("health.edit")
@describes(body=HealthChange, answer=HealthDone, errors=(404, 422, 503))
def change(key: str) -> Response:
    """Change the settings of picture health of a camera. What is left out keeps its value."""
    device, body = visible_fleet().device(key), json_body(HealthChange)
    picture_health.change(device, body.changes())
    return _done(key)


@bp.post("/api/cameras/<key>/picture-health/check")
@needs("health.edit")
@describes(answer=HealthDone, errors=(404, 409, 503))
def check(key: str) -> Response:
    """Take a picture of the camera now and check it."""
    picture_health.check(visible_fleet().device(key))
    return _done(key)


@bp.post("/api/cameras/<key>/picture-health/references")
@needs("health.edit")
@describes(body=NewReference, answer=HealthDone, errors=(404, 409, 422, 503), status=201)
def add_reference(key: str) -> Response:
    """Set a reference: a picture taken now, or a still. Later pictures are compared with it."""
    device, body = visible_fleet().device(key), json_body(NewReference)
    picture_health.add_reference(device, body.still)
    return _done(key, 201)


@bp.post("/api/cameras/<key>/picture-health/expected")
@needs("health.edit")
@describes(body=NewExpected, answer=HealthDone, errors=(404, 409, 422, 503), status=201)
def expect(key: str) -> Response:
    """Add an expected picture: the newest, or one that is kept. Similar ones are not reported."""
    device, body = visible_fleet().device(key), json_body(NewExpected)
    picture_health.expect(device, body.picture)
    return _done(key, 201)


@bp.get("/api/cameras/<key>/picture-health/pictures/newest")
@needs("health.view")
@describes(query=NewestSampleQuery, answer=bytes, media=PICTURE, errors=(404, 416, 422))
def newest(key: str) -> Response:
    """Get the newest sample as JPEG, with its time in X-Taken-At. It is kept while a fault is
    suspected or found."""
    query_args(NewestSampleQuery)
    return picture_health.send_newest(visible_fleet().device(key))


@bp.get("/api/cameras/<key>/picture-health/pictures/<int:id>")
@needs("health.view")
@describes(answer=bytes, media=PICTURE, errors=(404, 416, 503))
def picture(key: str, id: int) -> Response:
    """Get a picture that is kept as JPEG, also in ranges of bytes: a reference, an expected
    picture, or one that raised a finding."""
    return picture_health.send(visible_fleet().device(key), id)


@bp.delete("/api/cameras/<key>/picture-health/pictures/<int:id>")
@needs("health.edit")
@describes(answer=HealthDone, errors=(404, 503))
def remove(key: str, id: int) -> Response:
    """Delete a reference or an expected picture."""
    picture_health.remove(visible_fleet().device(key), id)
    return _done(key)


def _done(key: str, status: int = 200) -> Response:
    device = visible_fleet().device(key)
    health = picture_health.as_json(device, picture_health.of(device))
    return json_response(health_done(health), status)
