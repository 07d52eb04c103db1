"""Coming in by API: login, tokens, profile, password, logout."""

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint, Response, g, request
from pydantic import Field
from typing_extensions import TypedDict

from accounts import passwords
from accounts.jwt_tokens import ACCESS_LASTS
from accounts.model import (
    LEVELS,
    RIGHTS,
    ROLES,
    SCOPES,
    WEEKDAYS,
    Grant,
    NotAllowed,
    Person,
    Session,
    Token,
    User,
)
from fleet.shapes import Time, like, one_of
from web.api.events import Moment
from web.http.auditing import note
from web.http.authentication import COOKIE, TooManyTries, client_address, is_encrypted, log_in
from web.http.authorization import is_open, needs
from web.http.errors import Problem
from web.http.monitor import monitor
from web.http.payloads import Strict, answered, describes, sent
from web.http.visible_fleet import visible

bp = Blueprint("auth", __name__)
Role = Annotated[str, one_of(ROLES)]
Level = Annotated[str, one_of(LEVELS)]
Scope = Annotated[str, one_of(SCOPES)]
Right = Annotated[str, one_of(RIGHTS)]
Weekday = Annotated[str, one_of(WEEKDAYS)]
Span = Annotated[str, like(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class Login(Strict):
    """Name and password."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})


class Password(Strict):
    """The password that counts now, and the new one."""

    current: str = Field(max_length=1000, json_schema_extra={"format": "password"})
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})


class NewToken(Strict):
    """A key for a script. `devices`: numbers of the only cameras it sees; none: all."""

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


class Welcome(JwtPair):
    refresh_token: str
    user: OwnAccount


class Done(TypedDict):
    success: bool


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
    """`token` is shown this once."""

    token: str


class GrantRow(TypedDict):
    """What a user may on one camera or in one site."""

    id: int
    level: Level
    device: int | None
    site: str | None
    hours: Span | None
    weekdays: list[Weekday]
    rights: list[Right]


class Profile(TypedDict):
    """Who asks, and what they may."""

    id: int | None
    username: str
    role: Role
    all_cameras: bool
    grants: list[GrantRow]


@bp.post("/api/auth/login")
@is_open
@describes(body=Login, answer=Welcome, errors=(401, 429))
def login() -> Response:
    """Log in. The access token is for the Authorization header, as Bearer."""
    given = sent(Login)
    user = user_of(given.username, given.password)
    session, _secret = begin(user, "script")
    tickets = monitor().access.tickets
    return answered(
        {
            **_tickets(session.digest),
            "refresh_token": tickets.write("refresh", session.digest, session.ends),
            "user": {"id": user.id, "username": user.name, "role": user.role},
        }
    )


def _tickets(session: str) -> JwtPair:
    return {
        "access_token": monitor().access.tickets.access(session),
        "token_type": "bearer",  # nosec B105 (no secret)
        "expires_in": int(ACCESS_LASTS.total_seconds()),
    }


def user_of(name: str, password: str) -> User:
    """The user who logs in so. Raises Problem (401, 429); both are written down."""
    access = monitor().access
    if not access.accounts.has_any():
        raise Problem(401, "There is no account yet", "Make the first one at /setup.")
    try:
        user = log_in(access, name, password)
    except TooManyTries as error:
        raise Problem(
            429,
            "Too many tries with this account or from this address",
            f"Try again in {error.seconds} seconds.",
            {"Retry-After": str(error.seconds)},
        ) from None
    if user is None:
        note(
            "login.failed",
            access.accounts.name_for_log(name),
            "wrong name or password",
            by="nobody",
        )
        raise Problem(
            401,
            "The name or the password is wrong",
            "An administrator can set a new password, under Settings, Users.",
        )
    return user


def begin(user: User, kind: str) -> tuple[Session, str]:
    """A session for a user who has just logged in, written down."""
    access = monitor().access
    address = client_address(access)
    agent = request.headers.get("User-Agent", "")
    found = access.accounts.begin_session(user, kind, address, agent)
    note("login", user.name, f"logged in by {kind}", by=user.name)
    return found


def set_cookie(response: Any, secret: str, session: Session) -> None:
    response.set_cookie(
        COOKIE,
        secret,
        expires=session.ends,
        httponly=True,
        samesite="Lax",
        secure=is_encrypted(monitor().access),
    )


@bp.post("/api/auth/refresh")
@is_open
@describes(answer=JwtPair, errors=(401, 422), security=("refresh",))
def refresh() -> Response:
    """A new access token. The refresh token comes in the Authorization header, as Bearer."""
    access = monitor().access
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    session = access.tickets.read("refresh", text.strip()) if kind.lower() == "bearer" else None
    if session is None or access.accounts.by_digest(session) is None:
        raise Problem(401, "The refresh token does not count any more", "Log in again.")
    return answered(_tickets(session))


@bp.get("/api/auth/profile")
@needs("account.view")
@describes(answer=Profile)
def profile() -> Response:
    """Who is asking, and what they may."""
    person: Person = g.person
    return answered(
        {
            "id": person.user,
            "username": person.name,
            "role": person.role,
            "all_cameras": person.sees_all,
            "grants": [grant_row(one) for one in visible().person.grants],
        }
    )


def now_at(device: int) -> int:
    """The number of the device that a grant or a token leads to, after every merge."""
    return monitor().tracker.fleet().redirects.get(device, device)


def grant_row(grant: Grant) -> GrantRow:
    return {
        "id": grant.id,
        "level": grant.level,
        "device": None if grant.device is None else now_at(grant.device),
        "site": grant.site,
        "hours": str(grant.hours) if grant.hours else None,
        "weekdays": list(grant.weekdays),
        "rights": list(grant.rights),
    }


@bp.post("/api/auth/logout")
@needs("account.view")
@describes(answer=Done)
def logout() -> Response:
    """End this session, with its tokens and open streams."""
    person: Person = g.person
    if person.session is not None:
        monitor().access.accounts.end_sessions(person.session)
        note("logout", person.name, "logged out")
    response = answered({"success": True})
    response.delete_cookie(COOKIE)
    return response


@bp.post("/api/auth/password")
@needs("account.change")
@describes(body=Password, answer=Done, errors=(403, 409, 422, 429))
def password() -> Response:
    """Change the own password. Every other session, token and stream of yours ends."""
    given = sent(Password)
    change_password(own_user(), given.current, given.password)
    return answered({"success": True})


def own_user() -> User:
    """The account of who asks. Raises Problem (409) for the machine itself, which has none."""
    person: Person = g.person
    if person.user is None:
        raise Problem(409, "You have no account here", "Make one under Settings, Users.")
    return monitor().access.accounts.user(person.user)


def change_password(user: User, current: str, new: str) -> None:
    """Raises Problem (401, 403, 429) and NotAllowed."""
    access = monitor().access
    try:
        known = log_in(access, user.name, current)
    except TooManyTries as error:
        raise Problem(
            429, "Too many tries", f"Try again in {error.seconds} seconds.",
            {"Retry-After": str(error.seconds)},
        ) from None  # fmt: skip
    if known is None:
        raise NotAllowed(
            "This is not your password", "Type the one that counts now.", 403, "current"
        )
    stored = passwords.hash_new(new, user.name)
    with visible().acting("account.change"):
        access.accounts.change(user.id, stored=stored, keep=g.person.session)
    note("user.password", user.name, "changed the own password")


# -- tokens --------------------------------------------------------------------------------


def token_row(token: Token) -> TokenRow:
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "devices": None
        if token.devices is None
        else list(dict.fromkeys(now_at(id) for id in token.devices)),
        "created": token.created.isoformat(),
        "expires": _iso(token.ends),
        "last_used": _iso(token.used),
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


@bp.get("/api/tokens")
@needs("account.change")
@describes(answer=list[TokenRow], errors=(409,))
def tokens() -> Response:
    """The own tokens."""
    return answered([token_row(one) for one in tokens_of(own_user().id)])


def tokens_of(user: int) -> list[Token]:
    return [one for one in monitor().access.accounts.snapshot.tokens.values() if one.user == user]


@bp.post("/api/tokens")
@needs("account.change")
@describes(body=NewToken, answer=TokenMade, errors=(404, 409, 422), status=201)
def make_token() -> Response:
    """A token for a script. Its text is shown this once."""
    given = sent(NewToken)
    token, text = new_token(own_user(), given)
    return answered({**token_row(token), "token": text}, 201)


def new_token(user: User, given: NewToken) -> tuple[Token, str]:
    """Raises NotAllowed, NotFound and Problem (401, 403)."""
    devices = given.devices
    if devices is not None:  # a number that was merged away leads to the one that stays
        devices = [visible().device(str(number)).id for number in devices]
    if given.expires is not None and given.expires <= monitor().clock():
        raise NotAllowed("expires is in the past", "Name a later time.", field="expires")
    accounts = monitor().access.accounts
    with visible().acting("account.change"):
        made = accounts.add_token(user.id, given.name, given.scope, devices, given.expires)
    note("token.made", user.name, f"{given.name} ({given.scope})")
    return made


@bp.delete("/api/tokens/<int:id>")
@needs("account.change")
@describes(answer=Done, errors=(404, 409))
def revoke_token(id: int) -> Response:
    """End one of the own tokens."""
    end_token(own_user(), id)
    return answered({"success": True})


def end_token(user: User, id: int) -> None:
    """Raises Problem: 404 for a token that is not this user's, 401 and 403."""
    with visible().acting("account.change"):
        if id not in {one.id for one in tokens_of(user.id)}:
            raise Problem(404, f"There is no token {id}", "GET /api/tokens lists them.")
        gone = monitor().access.accounts.revoke_token(id)
    note("token.revoked", user.name, gone.name)
