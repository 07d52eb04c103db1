"""Users, their roles and grants, by API."""

import re
from typing import Annotated

from flask import Blueprint, Response, g
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from accounts import account_rows, names, passwords
from accounts.model import Grant, Hours, NotAllowed, User
from fleet.shapes import Time
from web.api.auth import (
    Done,
    GrantRow,
    Level,
    Right,
    Role,
    Span,
    TokenRow,
    Weekday,
    grant_row,
    token_row,
    tokens_of,
)
from web.http.auditing import note
from web.http.authorization import needs
from web.http.monitor import monitor
from web.http.payloads import Strict, answered, describes, sent
from web.http.visible_fleet import visible

bp = Blueprint("users", __name__)
NUMBER = Field(ge=1, le=2**31 - 1)


def _hours(text: str | None) -> str | None:
    if text is None:
        return None
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("hours look like 08:00-18:00")
    return text


def _site(text: str | None) -> str | None:
    if text is not None and (not text.strip() or not text.isprintable()):
        raise ValueError("the name of a site, without control characters")
    return text


class NewUser(Strict):
    """The very first user becomes an administrator whatever is asked."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})
    role: Role = Field("viewer", description="`viewer`, `operator` or `admin`.")
    all_cameras: bool = Field(True, description="false: only what is granted.")


class UserChange(Strict):
    """What to change; what is left out stays."""

    role: Role | None = None
    password: str | None = Field(None, max_length=1000, json_schema_extra={"format": "password"})
    all_cameras: bool | None = None


class NewGrant(Strict):
    """What a user may on one camera or in one site; `hours` in the monitor's time zone."""

    level: Level = Field(description="`view`, `control` or `admin`.")
    device: Annotated[int, NUMBER] | None = None
    site: Annotated[str | None, AfterValidator(_site)] = Field(None, min_length=1, max_length=60)
    hours: Annotated[Span | None, AfterValidator(_hours)] = None
    weekdays: list[Weekday] = Field([], max_length=7, description="`mon` to `sun`; none: all.")
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


def user_row(user: User) -> UserRow:
    accounts = monitor().access.accounts
    return {
        "id": user.id,
        "username": user.name,
        "role": user.role,
        "all_cameras": user.sees_all,
        "created": user.created.isoformat() if user.created else None,
        "last_login": user.last_login.isoformat() if user.last_login else None,
        "last_address": user.last_address,
        "grants": [grant_row(one) for one in accounts.snapshot.grants_of(user.id)],
        "tokens": [token_row(one) for one in tokens_of(user.id)],
    }


@bp.get("/api/users", strict_slashes=False)
@needs("user.manage")
@describes(answer=Users)
def users() -> Response:
    """Every user with grants and tokens."""
    rows = [user_row(one) for one in monitor().access.accounts.snapshot.users.values()]
    return answered({"users": rows, "count": len(rows)})


@bp.post("/api/users", strict_slashes=False)
@needs("user.manage")
@describes(body=NewUser, answer=UserRow, errors=(409, 422), status=201)
def add() -> Response:
    """A new user. The first one closes the monitor: from then on everybody logs in."""
    given = sent(NewUser)
    made = add_user(given.username, given.password, given.role, given.all_cameras)
    return answered(user_row(made), 201)


def add_user(name: str, password: str, role: str, all_cameras: bool = True) -> User:
    """Raises NotAllowed and Problem (401, 403). The first one is an administrator."""
    accounts = monitor().access.accounts
    name = names.validated(name)
    stored = passwords.hash_new(password, name)
    with visible().acting("user.manage"):
        if not accounts.has_any():
            role, all_cameras = "admin", True
        made = accounts.add_hashed(name, stored, role, all_cameras)
    note("user.added", made.name, f"{made.name} is {made.role} now")
    return made


@bp.get("/api/users/<int:id>")
@needs("user.manage")
@describes(answer=UserRow, errors=(404,))
def user(id: int) -> Response:
    """One user."""
    return answered(user_row(monitor().access.accounts.user(id)))


@bp.patch("/api/users/<int:id>")
@needs("user.manage")
@describes(body=UserChange, answer=UserRow, errors=(404, 409, 422))
def change(id: int) -> Response:
    """Change role, password or reach. A new role or password ends what that user has open."""
    given = sent(UserChange)
    return answered(user_row(change_user(id, given.role, given.password, given.all_cameras)))


def change_user(id: int, role: str | None, password: str | None, all_cameras: bool | None) -> User:
    """Raises NotAllowed and Problem (401, 403)."""
    accounts = monitor().access.accounts
    name = accounts.user(id).name
    stored = None if password is None else passwords.hash_new(password, name)
    with visible().acting("user.manage"):
        old = accounts.user(id)
        keep = g.person.session if g.person.user == id and role in (None, old.role) else None
        new = accounts.change(id, role=role, stored=stored, sees_all=all_cameras, keep=keep)
    before, after = ({"role": one.role, "all_cameras": one.sees_all} for one in (old, new))
    changed = {key for key in before if before[key] != after[key]}
    text = ", ".join([*sorted(changed), *(["password"] if password is not None else [])])
    if text:
        note(
            "user.changed",
            new.name,
            text,
            {key: before[key] for key in changed},
            {key: after[key] for key in changed},
        )
    return new


@bp.delete("/api/users/<int:id>")
@needs("user.manage")
@describes(answer=Done, errors=(404, 409))
def remove(id: int) -> Response:
    """Remove a user with all grants, sessions and tokens."""
    remove_user(id)
    return answered({"success": True})


def remove_user(id: int) -> None:
    """Raises NotAllowed and Problem (401, 403)."""
    accounts = monitor().access.accounts
    with visible().acting("user.manage"):
        gone = accounts.user(id)
        accounts.remove(id)
    note("user.removed", gone.name, f"{gone.name} was {gone.role}")


# -- grants --------------------------------------------------------------------------------


@bp.get("/api/users/<int:id>/grants")
@needs("user.manage")
@describes(answer=list[GrantRow], errors=(404,))
def grants(id: int) -> Response:
    """What was granted to a user."""
    accounts = monitor().access.accounts
    return answered([grant_row(one) for one in accounts.snapshot.grants_of(accounts.user(id).id)])


@bp.post("/api/users/<int:id>/grants")
@needs("user.manage")
@describes(body=NewGrant, answer=GrantRow, errors=(404, 409, 422), status=201)
def grant(id: int) -> Response:
    """Grant a camera or a site. It adds to what the role gives."""
    return answered(grant_row(add_grant(id, sent(NewGrant))), 201)


def add_grant(id: int, given: NewGrant) -> Grant:
    """Raises NotAllowed, NotFound and Problem (401, 403)."""
    device = visible().device(str(given.device)).id if given.device is not None else None
    hours: Hours | None = account_rows.hours_of(given.hours) if given.hours else None
    accounts = monitor().access.accounts
    with visible().acting("user.manage"):
        name = accounts.user(id).name
        made = accounts.grant(
            id,
            given.level,
            device=device,
            site=given.site,
            hours=hours,
            weekdays=given.weekdays,
            rights=given.rights,
        )
    note("grant.added", name, _said(made), after=grant_row(made))
    return made


@bp.delete("/api/users/<int:id>/grants/<int:number>")
@needs("user.manage")
@describes(answer=Done, errors=(404,))
def take_back(id: int, number: int) -> Response:
    """Take a grant back. What it allowed ends within a second."""
    remove_grant(id, number)
    return answered({"success": True})


def remove_grant(id: int, number: int) -> None:
    """Raises NotAllowed (404) and Problem (401, 403)."""
    accounts = monitor().access.accounts
    with visible().acting("user.manage"):
        name, gone = accounts.user(id).name, accounts.revoke_grant(id, number)
    note("grant.removed", name, _said(gone), before=grant_row(gone))


def _said(grant: Grant) -> str:
    place = f"camera {grant.device}" if grant.device is not None else f"site {grant.site}"
    return f"{grant.level} on {place}"


@bp.delete("/api/users/<int:id>/tokens/<int:number>")
@needs("user.manage")
@describes(answer=Done, errors=(404,))
def revoke(id: int, number: int) -> Response:
    """End a token of a user."""
    revoke_token(id, number)
    return answered({"success": True})


def revoke_token(id: int, number: int) -> None:
    """Raises NotAllowed (404) and Problem (401, 403)."""
    accounts = monitor().access.accounts
    with visible().acting("user.manage"):
        name = accounts.user(id).name
        if number not in {one.id for one in tokens_of(id)}:
            raise NotAllowed(f"User {id} has no token {number}", "List the user's tokens.", 404)
        gone = accounts.revoke_token(number)
    note("token.revoked", name, gone.name)
