"""Add, change and delete credential sets in the name of the person of the request."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet import logins, public, stream_url
from fleet.edit import editing
from fleet.model import CredentialSet, Device, Edit, Event, Invalid, NotFound
from fleet.natural_order import natural_key
from web.http.auditing import actor_name, note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet

ACTION, EDIT = "credentials.manage", "credentials"


@dataclass(frozen=True, slots=True)
class UsedSet:
    """A credential set with its id and the devices for which it was chosen."""

    id: str
    credentials: CredentialSet
    devices: Sequence[Device]


def all_sets() -> list[UsedSet]:
    """All credential sets, by name."""
    fleet = current_monitor().tracker.fleet()
    users: dict[str, list[Device]] = {id: [] for id in fleet.credentials}
    for device in fleet.devices.values():
        for id in logins.sets_of(device):
            users.get(id, []).append(device)
    rows = [UsedSet(id, entry, users[id]) for id, entry in fleet.credentials.items()]
    return sorted(rows, key=lambda row: natural_key(row.credentials.name))


def existing_set(id: str) -> UsedSet:
    """The set with this id. Raises NotFound."""
    for row in all_sets():
        if row.id == id:
            return row
    raise NotFound("This credential set does not exist", "It may have been deleted.")


def add(name: str, username: str, password: str) -> tuple[str, int | None]:
    """Add a set; its id and the number that undoes it. Raises Refused and HttpError."""
    id = f"c{secrets.token_hex(6)}"
    return id, _edit(id, {"name": name, "username": username}, password)


def change(id: str, values: Mapping[str, str], password: str | None) -> int | None:
    """Change what is given, and check all devices that use it at once; a password of None stays.
    Returns the number that undoes it, if anything changed. Raises Refused and HttpError."""
    existing_set(id)
    return _edit(id, dict(values), password)


def delete(id: str) -> int | None:
    """Delete a set that no device uses. Returns the number that undoes it. Raises Refused and
    HttpError."""
    existing_set(id)
    return _edit(id, {"delete": True}, None)


def login_of(text: str) -> tuple[str, str | None]:
    """User name and password of the set with this name or id. Raises Invalid and SecretLost."""
    name = text.strip().casefold()
    for id, entry in current_monitor().tracker.fleet().credentials.items():
        if text == id or name == entry.name.casefold():
            secret = entry.secret
            return entry.username, current_monitor().secrets.unseal(secret) if secret else None
    raise invalid("credentials", "The credential set does not exist", "Choose another one.")


def apply(edit: Edit) -> list[Event]:
    """Apply the edit of a credential set, and write it into the audit log."""
    monitor = current_monitor()
    events = monitor.tracker.apply([edit], monitor.clock(), visible_fleet().judge(ACTION))
    for event in events:
        before, after = public.of_event(event.before), public.of_event(event.after)
        note(event.kind, "credential set", event.text, before, after)
    return list(events)


def check_may_undo() -> None:
    """Check the permission to undo an edit of a credential set. Raises HttpError (403)."""
    if not visible_fleet().may(ACTION):
        raise HttpError(
            403, "Only administrators can change credential sets", "Ask an administrator."
        )


def _edit(id: str, fields: dict[str, Any], password: str | None) -> int | None:
    """Apply the edit; a password of None is not part of it."""
    monitor = current_monitor()
    with monitor.secrets.sealing() as seal:
        if password is not None:
            fields["secret"] = seal(stream_url.valid_password(password) or "") if password else None
        events = apply(Edit(EDIT, id, fields, actor_name(), monitor.clock()))
    return next((event.sequence for event in events if editing.can_undo(event)), None)


def invalid(name: str, error: str, hint: str) -> Invalid:
    """The error of one field."""
    fault = Invalid(error, hint)
    fault.field = name
    return fault
