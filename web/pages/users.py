"""The page "Users" behind "Settings"."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import ValidationError

from accounts.model import LEVELS, RIGHTS, ROLES, WEEKDAYS, NotAllowed, User
from fleet import labels
from fleet.model import NotFound
from fleet.natural_order import natural_key
from web.http.actions import users
from web.http.authorization import needs
from web.http.invalid import wording
from web.http.monitor import current_monitor
from web.http.shapes.accounts import NewGrant, UserRow, user_row
from web.http.visible_fleet import visible_fleet

bp = Blueprint("users_pages", __name__)


@bp.get("/settings/users")
@needs("user.manage")
def index() -> str:
    """All users, and the form for a new one."""
    return _index()


def _index(**more: Any) -> str:
    rows = [_row(user) for user in current_monitor().authenticator.accounts.snapshot.users.values()]
    rows.sort(key=lambda row: natural_key(row["username"]))
    return render_template("settings_users.html", users=rows, roles=ROLES, **more)


def _row(user: User) -> UserRow:
    return user_row(
        user, current_monitor().authenticator.accounts.snapshot, current_monitor().redirects
    )


@bp.post("/settings/users")
@needs("user.manage")
def add() -> Any:
    """The form "Add user"."""
    form = request.form
    name, password = form.get("username", "")[:200], form.get("password", "")[:1000]
    try:
        user = users.add_user(name, password, form.get("role", ""), "limited" not in form)
    except NotAllowed as fault:
        return Response(_index(fault=fault, typed=form), fault.status)
    return redirect(f"/settings/users/{user.id}", 303)


@bp.get("/settings/users/<int:id>")
@needs("user.manage")
def user(id: int) -> str:
    """One user: role, password, grants, tokens."""
    return _user(id)


def _user(id: int, **more: Any) -> str:
    row = _row(current_monitor().authenticator.accounts.user(id))
    devices = visible_fleet().devices()
    sites = sorted({device.site for device in devices.values()}, key=natural_key)
    return render_template(
        "settings_user.html",
        row=row,
        roles=ROLES,
        levels=LEVELS,
        rights=RIGHTS,
        weekdays=WEEKDAYS,
        sites=sites,
        cameras={device.id: labels.name(device) for device in devices.values()},
        **more,
    )


@bp.post("/settings/users/<int:id>")
@needs("user.manage")
def change(id: int) -> Any:
    """The form of one user."""
    form = request.form
    try:
        if form.get("do") == "remove":
            _check_sure(id)
            users.remove_user(id)
            return redirect("/settings/users", 303)
        users.change_user(
            id, form.get("role"), form.get("password", "")[:1000] or None, "limited" not in form
        )
    except NotAllowed as fault:
        return Response(_user(id, fault=fault), fault.status)
    return redirect(f"/settings/users/{id}", 303)


def _check_sure(id: int) -> None:
    """Check the typed name of a user to be removed for good. Raises NotAllowed."""
    accounts = current_monitor().authenticator.accounts
    user = accounts.user(id)
    if accounts.by_name(request.form.get("sure", "")) != user:
        raise NotAllowed(
            "The name does not match", f"Enter {user.name} to remove the user.", field="sure"
        )


@bp.post("/settings/users/<int:id>/grants")
@needs("user.manage")
def grant(id: int) -> Any:
    """The form "Grant", and the buttons that take one back."""
    form = request.form
    try:
        remove = form.get("remove", "")
        if remove.isdecimal() and len(remove) < 10:
            users.remove_grant(id, int(remove))
        else:
            users.add_grant(id, _grant())
    except (NotAllowed, NotFound) as problem:
        fault = NotAllowed(problem.error, problem.hint, 422, problem.field or "device")
        return Response(_user(id, grant_fault=fault, typed=form), 422)
    except ValidationError as error:
        detail = error.errors()[0]
        fault = NotAllowed(wording(detail), "Correct the value.", 422, str(detail["loc"][0]))
        return Response(_user(id, grant_fault=fault, typed=form), 422)
    return redirect(f"/settings/users/{id}", 303)


def _grant() -> NewGrant:
    form = request.form
    device = form.get("device", "").strip()
    return NewGrant.model_validate(
        {
            "level": form.get("level", ""),
            "device": int(device) if device.isdecimal() and len(device) < 10 else None,
            "site": form.get("site") or None,
            "hours": form.get("hours", "").replace(" ", "") or None,
            "weekdays": form.getlist("weekdays"),
            "rights": form.getlist("rights"),
        }
    )


@bp.post("/settings/users/<int:id>/tokens/<int:number>/revoke")
@needs("user.manage")
def revoke(id: int, number: int) -> Any:
    """The button "Revoke" beside a token."""
    users.revoke_user_token(id, number)
    return redirect(f"/settings/users/{id}", 303)
