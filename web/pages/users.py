"""The page "Users" behind "Settings"."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import ValidationError

from accounts.model import LEVELS, ROLES, WEEKDAYS, NotAllowed, User
from fleet.model import Refused
from fleet.natural_order import natural_key
from web.http.actions import users
from web.http.authorization import needs
from web.http.invalid import wording
from web.http.monitor import current_monitor
from web.http.shapes.accounts import NewGrant, UserRow, user_row
from web.pages import pickers

bp = Blueprint("users_pages", __name__)
RIGHT_TITLES = {
    "record": "Record (level Control)",
    "schedule": "Schedule recordings (level Control)",
    "download": "Download recordings",
}


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
    numbers = [number for token in row["tokens"] for number in token["devices"] or ()]
    cameras = pickers.device_names([*numbers, *(grant["device"] for grant in row["grants"])])
    return render_template(
        "settings_user.html",
        row=row,
        roles=ROLES,
        levels=LEVELS,
        weekdays=WEEKDAYS,
        rights=RIGHT_TITLES,
        cameras=cameras,
        **more,
    )


@bp.post("/settings/users/<int:id>")
@needs("user.manage")
def change(id: int) -> Any:
    """The forms of one user: role, password, removal."""
    form = request.form
    try:
        if form.get("do") == "remove":
            _check_sure(id)
            users.remove_user(id)
            return redirect("/settings/users", 303)
        if form.get("do") == "password":
            users.change_user(id, None, form.get("password", "")[:1000], None)
        else:
            users.change_user(id, form.get("role"), None, "limited" not in form)
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
            users.add_grants(id, _grants())
    except (NotAllowed, Refused) as problem:
        return _with_fault(id, problem.error, problem.hint, problem.field)
    except ValidationError as error:
        detail = error.errors()[0]
        return _with_fault(id, wording(detail), "Correct the value.", str(detail["loc"][0]))
    return redirect(f"/settings/users/{id}", 303)


def _with_fault(id: int, error: str, hint: str, field: str) -> Response:
    """The user's page with the typed values of the form "Grant" and the error beside its field."""
    field = "places" if field in ("", "device", "site", "store") else field
    fault = NotAllowed(error, hint, 422, field)
    return Response(_user(id, grant_fault=fault, picker=pickers.as_typed("places", True)), 422)


def _grants() -> list[NewGrant]:
    """A grant for each chosen device, site and store. Raises Invalid and ValidationError."""
    places = pickers.picked("places", with_sites=True)
    if not places:
        raise NotAllowed(
            "Choose a device, a site or a store", "Search for it by name.", field="places"
        )
    return [_grant(place) for place in places]


def _grant(place: str) -> NewGrant:
    form = request.form
    is_site, is_store = place.startswith(pickers.SITE), place.startswith(pickers.STORE)
    return NewGrant.model_validate(
        {
            "level": form.get("level", ""),
            "device": pickers.number_in(place),
            "site": place.removeprefix(pickers.SITE) if is_site else None,
            "store": place.removeprefix(pickers.STORE) if is_store else None,
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
