"""Log in and out, and change one's own password."""

from typing import Any

from flask import g, request

from accounts import passwords
from accounts.model import NotAllowed, Person, Session, User
from fleet.authors import NOBODY
from web.http.auditing import note
from web.http.authentication import COOKIE, TooManyTries, client_address, is_encrypted, log_in
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet


def authenticate(name: str, password: str) -> User:
    """The user with this name and password. Raises HttpError (401, 429); failures are logged."""
    authenticator = current_monitor().authenticator
    if not authenticator.accounts.has_any():
        raise HttpError(401, "No account exists yet", "Create the first account at /setup.")
    try:
        user = log_in(authenticator, name, password)
    except TooManyTries as error:
        raise error.as_refusal() from None
    if user is None:
        note(
            "login.failed",
            authenticator.accounts.name_for_log(name),
            "wrong user name or password",
            by=NOBODY,
        )
        raise HttpError(
            401,
            "Wrong user name or password",
            "An administrator can set a new password under Settings > Users.",
        )
    return user


def start_session(user: User, kind: str) -> tuple[Session, str]:
    """Start a session for a user who has just logged in, and log it."""
    authenticator = current_monitor().authenticator
    address = client_address(authenticator)
    agent = request.headers.get("User-Agent", "")
    session = authenticator.accounts.begin_session(user, kind, address, agent)
    note("login", user.name, f"logged in ({kind})", by=user.name)
    return session


def set_cookie(response: Any, secret: str, session: Session) -> None:
    response.set_cookie(
        COOKIE,
        secret,
        expires=session.ends,
        httponly=True,
        samesite="Lax",
        secure=is_encrypted(current_monitor().authenticator),
    )


def end_session(response: Any) -> None:
    """End the session of the person of the request, and its cookie with the response."""
    person: Person = g.person
    if person.session is not None:
        current_monitor().authenticator.accounts.end_sessions(person.session)
        note("logout", person.name, "logged out")
    response.delete_cookie(COOKIE)


def own_user() -> User:
    """The account of the person of the request. Raises HttpError (409) if they have none."""
    person: Person = g.person
    if person.user is None:
        raise HttpError(409, "You have no account", "Create one under Settings > Users.")
    return current_monitor().authenticator.accounts.user(person.user)


def change_password(user: User, current: str, new: str) -> None:
    """Change the password of a user. Raises HttpError (401, 403, 429) and NotAllowed."""
    authenticator = current_monitor().authenticator
    try:
        known = log_in(authenticator, user.name, current)
    except TooManyTries as error:
        raise error.as_refusal("Too many attempts") from None
    if known is None:
        raise NotAllowed("Wrong password", "Enter your current password.", 403, "current")
    stored = passwords.hash_new(new, user.name)
    with visible_fleet().acting("account.change"):
        authenticator.accounts.change(user.id, stored=stored, keep=g.person.session)
    note("user.password", user.name, "changed their own password")
