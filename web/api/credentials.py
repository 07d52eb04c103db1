"""Credential sets, by API. No answer has a password."""

from flask import Blueprint, Response

from web.http.actions import credentials
from web.http.actions.credentials import UsedSet
from web.http.authorization import needs
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.credentials import (
    CredentialsChange,
    CredentialsList,
    CredentialsRow,
    CredentialsSaved,
    NewCredentials,
    credentials_list,
    credentials_row,
    credentials_saved,
)

bp = Blueprint("credentials", __name__)


@bp.get("/api/credentials", strict_slashes=False)
@needs("credentials.manage")
@describes(answer=CredentialsList)
def index() -> Response:
    """List the credential sets, without their passwords."""
    return json_response(credentials_list(map(_row, credentials.all_sets())))


@bp.post("/api/credentials", strict_slashes=False)
@needs("credentials.manage")
@describes(body=NewCredentials, answer=CredentialsSaved, errors=(409, 422, 503, 507), status=201)
def add() -> Response:
    """Add a credential set: a login that many devices use and that is changed in one place."""
    given = json_body(NewCredentials)
    id, undo = credentials.add(given.name, given.username, given.password)
    return json_response(credentials_saved(_row(credentials.existing_set(id)), undo), 201)


@bp.get("/api/credentials/<id>")
@needs("credentials.manage")
@describes(answer=CredentialsRow, errors=(404,))
def read(id: str) -> Response:
    """Get a credential set, without its password."""
    return json_response(_row(credentials.existing_set(id)))


@bp.put("/api/credentials/<id>")
@bp.patch("/api/credentials/<id>")
@needs("credentials.manage")
@describes(body=CredentialsChange, answer=CredentialsSaved, errors=(404, 409, 422, 503, 507))
def change(id: str) -> Response:
    """Change a credential set. With a new user name or password, all devices that use it are
    checked at once. Fields that are left out keep their value, also with PUT."""
    values = json_body(CredentialsChange).model_dump(exclude_unset=True)
    password = values.pop("password", None)
    undo = credentials.change(id, values, password)
    return json_response(credentials_saved(_row(credentials.existing_set(id)), undo))


@bp.delete("/api/credentials/<id>")
@needs("credentials.manage")
@describes(answer=CredentialsSaved, errors=(404, 409, 507))
def delete(id: str) -> Response:
    """Delete a credential set that no device uses."""
    return json_response(credentials_saved(None, credentials.delete(id)))


def _row(entry: UsedSet) -> CredentialsRow:
    return credentials_row(entry.id, entry.credentials, len(entry.devices))
