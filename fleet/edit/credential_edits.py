"""Create, change and delete credential sets: a login with a name that many devices use."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fleet import access_fields, labels, unused_secrets
from fleet.edit import editing
from fleet.model import OF_A_SET, CredentialSet, Device, Edit, Invalid, NotFound, Refused
from fleet.reduce import access, login_budgets
from fleet.reduce.draft import Draft

MAX_SETS = 200
LONGEST_NAME = 60
NAMED = 3
"""Devices that a refusal names."""


def apply(draft: Draft, edit: Edit) -> None:
    """Create the set with the id of the edit (`name`, `username`, `secret`), change what is given,
    or with `delete` remove it.

    `secret` is sealed as in an edit of an access; None is an empty password. `expect`: what an undo
    expects. Raises Refused for a name that another set has, for the deletion of a set that a device
    uses, for more sets than a person can tell apart, and for what is not as an undo expects it.
    """
    id = edit.identity
    known = draft.credentials.get(id)
    _check_expected(id, known, edit)
    if edit.fields.get("delete"):
        _delete(draft, edit, id, known)
    elif known is None:
        _add(draft, edit, id)
    else:
        _change(draft, edit, id, known)


def users_of(draft: Draft, id: str) -> Iterator[tuple[Device, str]]:
    """Each device and source whose access names the set."""
    for device in draft.devices.values():
        for source, way in device.access.items():
            if way.credentials == id:
                yield device, source


def _add(draft: Draft, edit: Edit, id: str) -> None:
    if "name" not in edit.fields:
        raise NotFound(f"The credential set {id[:40]} does not exist", "Choose another one.")
    if not access_fields.WORD.fullmatch(id):
        raise Invalid("The id of the credential set is invalid", "Use letters and digits.")
    if len(draft.credentials) >= MAX_SETS:
        raise Refused(f"There are {MAX_SETS} credential sets already", "Delete unused ones.")
    new = _with_fields(draft, edit, id, CredentialSet("", ""))
    text = f"Credential set {new.name} was added {labels.author(edit.by)}"
    _put(draft, id, new, "credentials.added", text, {}, _told(id, new))


def _change(draft: Draft, edit: Edit, id: str, known: CredentialSet) -> None:
    new = _with_fields(draft, edit, id, known)
    if new == known:
        return
    before, after = _told(id, known), _told(id, new)
    changed = [name for name in after if before[name] != after[name]]
    titles = {"username": "user name", "secret": "password"}  # nosec B105 (what people call them)
    what = " and ".join(titles.get(name, name) for name in changed)
    text = f"Credential set {known.name}: {what} changed, {labels.author(edit.by)}"
    _put(draft, id, new, "credentials.changed", text, before, after)
    if (known.username, known.secret) == (new.username, new.secret):
        return
    if known.secret != new.secret:
        _keep_former(draft, known)
    for device, source in [*users_of(draft, id)]:
        login_budgets.renew(draft, draft.devices[device.id], source, id)


def _delete(draft: Draft, edit: Edit, id: str, known: CredentialSet | None) -> None:
    if known is None:
        raise NotFound(f"The credential set {id[:40]} does not exist", "It was deleted already.")
    names = list(dict.fromkeys(labels.name(device) for device, _source in users_of(draft, id)))
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise Refused(
            f"Credential set {known.name} is used by {', '.join(names[:NAMED])}{more}",
            "Choose another login for these devices first.",
        )
    del draft.credentials[id]
    _keep_former(draft, known)
    draft.is_changed = True
    text = f"Credential set {known.name} was deleted {labels.author(edit.by)}"
    draft.add_event("credentials.deleted", None, text, _told(id, known), {})


def _check_expected(id: str, known: CredentialSet | None, edit: Edit) -> None:
    """Raise Refused when the set is not as an undo expects it: {} for one that was deleted."""
    expected = edit.fields.get("expect")
    if expected is not None and expected != (_told(id, known) if known else {}):
        name = known.name if known else str(edit.fields.get("name", ""))
        raise Refused(
            f"Credential set {name} has been changed since then",
            "Undo the newer change first, or enter the values you want.",
        )


def _keep_former(draft: Draft, known: CredentialSet) -> None:
    """Keep the password of a set as the newest of the few that undo can bring back."""
    if known.secret is not None and (secret := draft.secrets.pop(known.secret, None)):
        draft.secrets[known.secret] = secret
    for id in unused_secrets.former_of_sets(draft.secrets, draft.credentials):
        del draft.secrets[id]


def _with_fields(draft: Draft, edit: Edit, id: str, known: CredentialSet) -> CredentialSet:
    """The set with the fields of the edit. Raises Invalid, which names the field."""
    values: dict[str, Any] = {}
    if "name" in edit.fields:
        values["name"] = _name(draft, edit.fields["name"], id)
    if "username" in edit.fields or not known.username:
        values |= access_fields.values({"username": edit.fields.get("username")})
        if values["username"] is None:
            raise _invalid("username", "The user name is empty", "Enter the user name.")
    if "secret" in edit.fields:
        value = edit.fields["secret"]
        is_own = value is not None and (value == known.secret or _is_former(draft, edit, value))
        values["secret"] = access.stored_secret(draft, value, OF_A_SET, is_own)
    return replace(known, **values)


def _is_former(draft: Draft, edit: Edit, value: Any) -> bool:
    """True if an undo brings back a password that is still kept. Raises Refused for one that is
    not."""
    if "expect" not in edit.fields or not isinstance(value, str):
        return False
    secret = draft.secrets.get(value)
    if secret is None or secret.device != OF_A_SET:
        raise Refused(
            "The former password is no longer stored",
            "Enter the password of the credential set again.",
        )
    return True


def _name(draft: Draft, value: Any, id: str) -> str:
    name = editing.clean("name", value)
    if not name or len(name) > LONGEST_NAME:
        raise _invalid(
            "name",
            f"A credential set needs a name of up to {LONGEST_NAME} characters",
            "Enter a name such as Gate cameras.",
        )
    for other, entry in draft.credentials.items():
        if other != id and name.casefold() in (entry.name.casefold(), other):
            raise _invalid("name", f"A credential set {name} exists already", "Use another name.")
    return name


def _put(
    draft: Draft,
    id: str,
    entry: CredentialSet,
    kind: str,
    text: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    draft.credentials[id] = entry
    draft.is_changed = True
    draft.add_event(kind, None, text, before, after)


def _told(id: str, entry: CredentialSet) -> dict[str, Any]:
    """The values of a set as events keep them; of the password the id."""
    return {"id": id, "name": entry.name, "username": entry.username, "secret": entry.secret}


def _invalid(name: str, error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = name
    return invalid
