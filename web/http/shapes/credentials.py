"""Credential sets as JSON. No answer has a password."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from fleet import access_fields
from fleet.edit.credential_edits import LONGEST_NAME
from fleet.model import CredentialSet
from fleet.stream_url import LONGEST_PASSWORD
from web.http.payloads import Strict

Password = Annotated[str, Field(json_schema_extra={"format": "password"})]


class NewCredentials(Strict):
    """A login with a name. Without a password, the password is empty."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    username: str = Field(min_length=1, max_length=access_fields.LONGEST_USERNAME)
    password: Password = Field("", max_length=LONGEST_PASSWORD)


class CredentialsChange(Strict):
    """The changes. Fields that are left out keep their value; "" is an empty password."""

    name: str = Field("", min_length=1, max_length=LONGEST_NAME)
    username: str = Field("", min_length=1, max_length=access_fields.LONGEST_USERNAME)
    password: Password = Field("", max_length=LONGEST_PASSWORD)


class CredentialsRow(TypedDict):
    """A credential set. `devices`: the number of devices for which it was chosen, also retired
    ones."""

    id: str
    name: str
    username: str
    has_password: bool
    devices: int


class CredentialsList(TypedDict):
    credentials: list[CredentialsRow]
    count: int


class CredentialsSaved(TypedDict):
    """`credentials` is null after a deletion. `undo`: the number for POST /api/undo, or null."""

    success: bool
    credentials: CredentialsRow | None
    undo: int | None


def credentials_row(id: str, entry: CredentialSet, devices: int) -> CredentialsRow:
    return {
        "id": id,
        "name": entry.name,
        "username": entry.username,
        "has_password": entry.secret is not None,
        "devices": devices,
    }


def credentials_list(rows: Iterable[CredentialsRow]) -> CredentialsList:
    shown = [*rows]
    return {"credentials": shown, "count": len(shown)}


def credentials_saved(row: CredentialsRow | None, undo: int | None) -> CredentialsSaved:
    return {"success": True, "credentials": row, "undo": undo}
