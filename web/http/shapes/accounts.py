"""Accounts, logins, tokens, users and grants as JSON."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from accounts.model import LEVELS, RIGHTS, ROLES, SCOPES, WEEKDAYS, Grant, Person, Token, User
from accounts.snapshot import AccountSnapshot
from fleet.queries import LONGEST_PLACE
from fleet.shapes import Time, enum_schema, pattern_schema
from web.http.payloads import Moment, Strict

Role = Annotated[str, enum_schema(ROLES)]
Level = Annotated[str, enum_schema(LEVELS)]
Scope = Annotated[str, enum_schema(SCOPES)]
Right = Annotated[str, enum_schema(RIGHTS)]
Weekday = Annotated[str, enum_schema(WEEKDAYS)]
HoursText = Annotated[str, pattern_schema(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class Login(Strict):
    """Name and password."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})


class Password(Strict):
    """The current password, and the new one."""

    current: str = Field(max_length=1000, json_schema_extra={"format": "password"})
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})


class NewToken(Strict):
    """A token for a script. `devices`: the numbers of the cameras it can see; null: all."""

    name: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
    scope: Scope = Field("read", description="`read` or `operate`.")
    devices: list[int] | None = Field(None, max_length=1000)
    expires: Moment | None = Field(None, strict=False)


class JwtPair(TypedDict):
    """`expires_in` in seconds."""

    access_token: str
    token_type: str
    expires_in: int


class OwnAccount(TypedDict):
    id: int
    username: str
    role: Role


class LoginAnswer(JwtPair):
    refresh_token: str
    user: OwnAccount


class Done(TypedDict):
    success: bool


class RotatedKeys(TypedDict):
    """The number of passwords encrypted with the new key; null if there was no key yet."""

    success: bool
    secrets: int | None


class TokenRow(TypedDict):
    """One token, without its text."""

    id: int
    name: str
    scope: Scope
    devices: list[int] | None
    created: Time
    expires: Time | None
    last_used: Time | None


class TokenMade(TokenRow):
    """`token` is shown only this once."""

    token: str


class GrantRow(TypedDict):
    """The permissions of a user for one camera, one site or one store."""

    id: int
    level: Level
    device: int | None
    site: str | None
    store: str | None
    hours: HoursText | None
    weekdays: list[Weekday]
    rights: list[Right]


class Profile(TypedDict):
    """The person of the request, with their permissions."""

    id: int | None
    username: str
    role: Role
    all_cameras: bool
    grants: list[GrantRow]


NUMBER = Field(ge=1, le=2**31 - 1)


def _hours(text: str | None) -> str | None:
    if text is None:
        return None
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("must be hours such as 08:00-18:00")
    return text


def _site(text: str | None) -> str | None:
    return _name_of("site", text)


def _store(text: str | None) -> str | None:
    return _name_of("store", text)


def _name_of(place: str, text: str | None) -> str | None:
    if text is not None and (not text.strip() or not text.isprintable()):
        raise ValueError(f"must be the name of a {place}, without control characters")
    return text


class NewUser(Strict):
    """A new user. The first one always becomes an administrator."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})
    role: Role = Field("viewer", description="`viewer`, `operator` or `admin`.")
    all_cameras: bool = Field(True, description="false: only granted cameras, sites and stores.")


class UserChange(Strict):
    """The changes. Fields that are left out keep their value."""

    role: Role | None = None
    password: str | None = Field(None, max_length=1000, json_schema_extra={"format": "password"})
    all_cameras: bool | None = None


class NewGrant(Strict):
    """Access to a camera, a site or a store; `hours` are in the time zone of this server."""

    level: Level = Field(description="`view`, `control` or `admin`.")
    device: Annotated[int, NUMBER] | None = None
    site: Annotated[str | None, AfterValidator(_site)] = Field(None, min_length=1, max_length=60)
    store: Annotated[str | None, AfterValidator(_store)] = Field(
        None, min_length=1, max_length=LONGEST_PLACE
    )
    hours: Annotated[HoursText | None, AfterValidator(_hours)] = None
    weekdays: list[Weekday] = Field(
        [], max_length=7, description="`mon` to `sun`; empty: every day."
    )
    rights: list[Right] = Field([], max_length=3, description="`record`, `schedule`, `download`.")


class UserRow(TypedDict):
    """One user, without the password."""

    id: int
    username: str
    role: Role
    all_cameras: bool
    created: Time | None
    last_login: Time | None
    last_address: str
    grants: list[GrantRow]
    tokens: list[TokenRow]


class Users(TypedDict):
    users: list[UserRow]
    count: int


def done() -> Done:
    """The answer of a request that did what was asked."""
    return {"success": True}


def rotated_keys(secrets: int | None) -> RotatedKeys:
    """The answer of a rotation; `secrets` is None when there was no key yet."""
    return {"success": True, "secrets": secrets}


def jwt_pair(access_token: str, seconds: float) -> JwtPair:
    """An access token, good for so many seconds."""
    return {
        "access_token": access_token,
        "token_type": "bearer",  # nosec B105 (no secret)
        "expires_in": int(seconds),
    }


def login_answer(tokens: JwtPair, refresh_token: str, user: User) -> LoginAnswer:
    """The answer of a login."""
    return {
        **tokens,
        "refresh_token": refresh_token,
        "user": {"id": user.id, "username": user.name, "role": user.role},
    }


def profile_row(person: Person, grants: Iterable[Grant], redirects: Mapping[int, int]) -> Profile:
    """The profile of a person, whose `grants` have followed every merge."""
    return {
        "id": person.user,
        "username": person.name,
        "role": person.role,
        "all_cameras": person.sees_all,
        "grants": [grant_row(grant, redirects) for grant in grants],
    }


def grant_row(grant: Grant, redirects: Mapping[int, int]) -> GrantRow:
    """A grant; `redirects` lead from the number of a merged device to the one that stayed."""
    return {
        "id": grant.id,
        "level": grant.level,
        "device": None if grant.device is None else redirects.get(grant.device, grant.device),
        "site": grant.site,
        "store": grant.store,
        "hours": str(grant.hours) if grant.hours else None,
        "weekdays": list(grant.weekdays),
        "rights": list(grant.rights),
    }


def token_row(token: Token, redirects: Mapping[int, int]) -> TokenRow:
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "devices": None
        if token.devices is None
        else list(dict.fromkeys(redirects.get(id, id) for id in token.devices)),
        "created": token.created.isoformat(),
        "expires": _iso_or_none(token.ends),
        "last_used": _iso_or_none(token.used),
    }


def new_token(token: Token, text: str, redirects: Mapping[int, int]) -> TokenMade:
    """A token that was just made, with its text."""
    return {**token_row(token, redirects), "token": text}


def user_row(user: User, accounts: AccountSnapshot, redirects: Mapping[int, int]) -> UserRow:
    return {
        "id": user.id,
        "username": user.name,
        "role": user.role,
        "all_cameras": user.sees_all,
        "created": _iso_or_none(user.created),
        "last_login": _iso_or_none(user.last_login),
        "last_address": user.last_address,
        "grants": [grant_row(grant, redirects) for grant in accounts.grants_of(user.id)],
        "tokens": [token_row(token, redirects) for token in accounts.tokens_of(user.id)],
    }


def user_list(rows: Sequence[UserRow]) -> Users:
    return {"users": [*rows], "count": len(rows)}


def _iso_or_none(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
