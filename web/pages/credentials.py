"""The page "Credential sets" behind "Settings"."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from fleet.access_fields import LONGEST_USERNAME
from fleet.edit.credential_edits import LONGEST_NAME
from fleet.model import Refused
from web.http.actions import credentials
from web.http.actions.credentials import UsedSet
from web.http.authorization import needs
from web.http.errors import page_hint, status_of
from web.pages.connection_form import LONGEST_PASSWORD

bp = Blueprint("credentials_pages", __name__)
LIST = "/settings/credentials"
FIELDS = ("name", "username", "password")


@bp.get(LIST)
@needs("credentials.manage")
def index() -> str:
    """All credential sets, and the form for a new one."""
    return _index()


@bp.post(LIST)
@needs("credentials.manage")
def add() -> Any:
    """The form "Add credential set"."""
    form = _typed()
    try:
        _check_password(form["password"])
        _id, undo = credentials.add(form["name"], form["username"], form["password"])
    except Refused as fault:
        return Response(_index(fault=_beside_field(fault), typed=form), status_of(fault))
    return _saved("added", undo)


@bp.get(f"{LIST}/<id>")
@needs("credentials.manage")
def edit_page(id: str) -> str:
    """One credential set: change or delete it."""
    return _edit_page(credentials.existing_set(id))


@bp.post(f"{LIST}/<id>")
@needs("credentials.manage")
def change(id: str) -> Any:
    """The forms of one credential set."""
    row, form = credentials.existing_set(id), _typed()
    try:
        if request.form.get("do") == "delete":
            return _saved("deleted", credentials.delete(id))
        password = form.pop("password")
        if not request.form.get("empty"):
            undo = credentials.change(id, form, password or None)
        else:
            undo = credentials.change(id, form, "")
    except Refused as fault:
        return Response(_edit_page(row, fault=_beside_field(fault), typed=form), status_of(fault))
    return _saved("changed", undo)


def _typed() -> dict[str, str]:
    lengths = (LONGEST_NAME + 1, LONGEST_USERNAME + 1, LONGEST_PASSWORD)
    return {
        key: request.form.get(key, "")[:most] for key, most in zip(FIELDS, lengths, strict=True)
    }


def _check_password(password: str) -> None:
    """Raise Invalid where the password is missing and its box is not ticked."""
    if not password and not request.form.get("empty"):
        raise credentials.invalid(
            "password", "Enter the password", "If it is empty, tick “The password is empty”."
        )


def _beside_field(fault: Refused) -> dict[str, str]:
    """The error as the page shows it, beside its field where it has one."""
    field = "password" if fault.field == "secret" else fault.field
    shown = field if field in FIELDS else ""
    return {"field": shown, "error": fault.error, "hint": page_hint(fault.hint)}


def _saved(act: str, undo: int | None) -> Any:
    number = f"&undo={undo}" if undo else ""
    return redirect(f"{LIST}?done={act if undo else 'unchanged'}{number}", 303)


def _index(**more: Any) -> str:
    undo = request.args.get("undo", "")
    done = request.args.get("done", "")
    return render_template(
        "settings_credentials.html",
        sets=[_row(row) for row in credentials.all_sets()],
        undo=undo if undo.isdecimal() and len(undo) < 19 else None,
        done=done if done in ("added", "changed", "deleted", "unchanged", "undone") else "",
        **{"typed": {}, "fault": None, **more},
    )


def _edit_page(row: UsedSet, **more: Any) -> str:
    return render_template(
        "settings_credential.html", row=_row(row), **{"typed": {}, "fault": None, **more}
    )


def _row(row: UsedSet) -> dict[str, Any]:
    """A set as the templates have it. `devices` are not retired."""
    retired = sum(device.retired_at is not None for device in row.devices)
    entry = row.credentials
    return {
        "id": row.id,
        "name": entry.name,
        "username": entry.username,
        "has_password": entry.secret is not None,
        "devices": len(row.devices) - retired,
        "retired": retired,
    }
