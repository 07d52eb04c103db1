"""The pages for login, logout, the first account, and the own account."""

import hmac
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import ValidationError

from accounts.model import NotAllowed, User
from fleet.model import Invalid, NotFound
from web.http.actions.sessions import (
    authenticate,
    change_password,
    end_session,
    own_user,
    set_cookie,
    start_session,
)
from web.http.actions.tokens import create_token, revoke_own_token, tokens_of
from web.http.auditing import note
from web.http.authentication import is_this_machine
from web.http.authorization import deny_stranger, needs, public
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.redirects import own_path
from web.http.shapes.accounts import NewToken
from web.http.visible_fleet import can, visible_fleet
from web.pages import pickers

bp = Blueprint("login_pages", __name__)


def _next() -> str:
    """The page to open after the login: a path on this server."""
    return own_path(request.values.get("next", "/"))


@bp.get("/login")
@public
def login() -> Any:
    """The login page."""
    if not current_monitor().authenticator.accounts.has_any():
        return redirect("/setup", 303)
    return render_template("login.html", next=_next())


@bp.post("/login")
@public
def log_in() -> Any:
    """The form of the login page."""
    name, password = request.form.get("username", ""), request.form.get("password", "")
    try:
        user = authenticate(name[:200], password[:1000])
    except HttpError as problem:
        page = render_template("login.html", next=_next(), problem=problem, typed=name[:200])
        return Response(page, problem.status, headers=dict(problem.headers))
    return _welcome(user, _next())


def _welcome(user: User, path: str) -> Any:
    response = redirect(path, 303)
    session, secret = start_session(user, "browser")
    set_cookie(response, secret, session)
    return response


@bp.post("/logout")
@needs("account.view")
def logout() -> Any:
    """The button "Log out"."""
    response = redirect("/login", 303)
    end_session(response)
    return response


# -- the first account ---------------------------------------------------------------------


def _may_set_up() -> bool:
    """True from this machine, or with the link that was printed at start."""
    authenticator = current_monitor().authenticator
    if authenticator.accounts.has_any():
        return False
    key = request.values.get("key", "")
    return is_this_machine(authenticator) or hmac.compare_digest(
        key.encode(), authenticator.setup_key.encode()
    )


@bp.get("/setup")
@public
def setup() -> Any:
    """The page for the first account, an administrator."""
    if not _may_set_up():
        return deny_stranger()
    return render_template("setup.html", key=request.args.get("key", ""))


@bp.post("/setup")
@public
def set_up() -> Any:
    """The form of that page. Once the first account exists, everyone must log in."""
    if not _may_set_up():
        return deny_stranger()
    form = request.form
    name, password = form.get("username", ""), form.get("password", "")
    try:
        if password != form.get("again"):
            raise NotAllowed(
                "The passwords do not match", "Enter the same password twice.", field="again"
            )
        user = current_monitor().authenticator.accounts.add_first(name[:200], password[:1000])
    except NotAllowed as fault:
        page = render_template("setup.html", key=form.get("key", ""), fault=fault, typed=name[:200])
        return Response(page, fault.status)
    note(
        "user.added", user.name, f"{user.name} was created as the first administrator", by=user.name
    )
    return _welcome(user, "/")


# -- the own account -----------------------------------------------------------------------


@bp.get("/account")
@needs("account.view")
def account() -> Any:
    """The own account: password, tokens."""
    return _account()


def _account(status: int = 200, **more: Any) -> Response:
    person = visible_fleet().person
    tokens = tokens_of(person.user) if person.user is not None and can("account.change") else []
    numbers = [number for token in tokens for number in token.devices or ()]
    cameras = pickers.device_names([*numbers, *(grant.device for grant in person.grants)])
    page = render_template("account.html", me=person, tokens=tokens, cameras=cameras, **more)
    return Response(page, status)


@bp.post("/account/password")
@needs("account.change")
def password() -> Any:
    """The form "Change password"."""
    form = request.form
    try:
        if form.get("password") != form.get("again"):
            raise NotAllowed(
                "The passwords do not match", "Enter the same password twice.", field="again"
            )
        new = form.get("password", "")[:1000]
        change_password(own_user(), form.get("current", "")[:1000], new)
    except NotAllowed as fault:
        return _account(fault.status, fault=fault)
    return _account(
        done="Password changed. Your other sessions were logged out and your tokens revoked."
    )


@bp.post("/account/tokens")
@needs("account.change")
def make_token() -> Any:
    """The form "New token". Its text is shown this once."""
    form = request.form
    try:
        given = NewToken.model_validate(
            {
                "name": form.get("name", ""),
                "scope": form.get("scope", "read"),
                "devices": pickers.picked_numbers("devices") or None,
            }
        )
        token, text = create_token(own_user(), given)
    except ValidationError:
        fault = NotAllowed(
            "A name must have 1 to 60 characters", "Choose another name.", field="name"
        )
        return _account(422, fault=fault, picker=pickers.as_typed("devices"))
    except (NotAllowed, Invalid, NotFound) as problem:
        fault = NotAllowed(problem.error, problem.hint, field=problem.field or "devices")
        return _account(422, fault=fault, picker=pickers.as_typed("devices"))
    return _account(made=token, text=text)


@bp.post("/account/tokens/<int:id>/revoke")
@needs("account.change")
def revoke_token(id: int) -> Any:
    """The button "Revoke"."""
    revoke_own_token(own_user(), id)
    return redirect("/account", 303)
