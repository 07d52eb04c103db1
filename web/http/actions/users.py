"""Add, change and remove users, their grants and tokens."""

from collections.abc import Sequence

from flask import g

from accounts import account_rows, names, passwords
from accounts.model import Grant, NotAllowed, User
from fleet import labels
from web.http.auditing import note
from web.http.monitor import current_monitor
from web.http.shapes.accounts import NewGrant, grant_row
from web.http.visible_fleet import visible_fleet

CHANGE_TITLES = {"role": "role", "all_cameras": "access to all cameras"}


def add_user(name: str, password: str, role: str, all_cameras: bool = True) -> User:
    """Add a user; the first is an administrator. Raises NotAllowed and HttpError (401, 403)."""
    accounts = current_monitor().authenticator.accounts
    name = names.validated(name)
    stored = passwords.hash_new(password, name)
    with visible_fleet().acting("user.manage"):
        if not accounts.has_any():
            role, all_cameras = "admin", True
        user = accounts.add_hashed(name, stored, role, all_cameras)
    note("user.added", user.name, f"{user.name} was added as {user.role}")
    return user


def change_user(id: int, role: str | None, password: str | None, all_cameras: bool | None) -> User:
    """Change a user. Raises NotAllowed and HttpError (401, 403)."""
    accounts = current_monitor().authenticator.accounts
    name = accounts.user(id).name
    stored = None if password is None else passwords.hash_new(password, name)
    with visible_fleet().acting("user.manage"):
        old = accounts.user(id)
        keep = g.person.session if g.person.user == id and role in (None, old.role) else None
        new = accounts.change(id, role=role, stored=stored, sees_all=all_cameras, keep=keep)
    before, after = ({"role": user.role, "all_cameras": user.sees_all} for user in (old, new))
    changed = {key for key in before if before[key] != after[key]}
    titles = [CHANGE_TITLES[key] for key in before if key in changed]
    titles += ["password"] if password is not None else []
    if titles:
        note(
            "user.changed",
            new.name,
            f"{' and '.join(titles)} changed".capitalize(),
            {key: before[key] for key in changed},
            {key: after[key] for key in changed},
        )
    return new


def remove_user(id: int) -> None:
    """Remove a user. Raises NotAllowed and HttpError (401, 403)."""
    accounts = current_monitor().authenticator.accounts
    with visible_fleet().acting("user.manage"):
        user = accounts.user(id)
        accounts.remove(id)
    note("user.removed", user.name, f"{user.name} ({user.role}) was removed")


def add_grant(id: int, given: NewGrant) -> Grant:
    """Add a grant. Raises NotAllowed, NotFound and HttpError (401, 403)."""
    (grant,) = add_grants(id, [given])
    return grant


def add_grants(id: int, wanted: Sequence[NewGrant]) -> list[Grant]:
    """Add several grants, or none of them where one is refused. Raises as `add_grant` does."""
    visible, accounts = visible_fleet(), current_monitor().authenticator.accounts
    devices = [
        None if given.device is None else visible.device(str(given.device)).id for given in wanted
    ]
    hours = [account_rows.parse_hours(given.hours) if given.hours else None for given in wanted]
    with visible.acting("user.manage"):
        name = accounts.user(id).name
        grants = accounts.grant_all(
            id,
            [
                Grant(
                    0,
                    id,
                    given.level,
                    device,
                    given.site,
                    span,
                    tuple(given.weekdays),
                    tuple(given.rights),
                    given.store,
                )
                for given, device, span in zip(wanted, devices, hours, strict=True)
            ],
        )
    redirects = current_monitor().redirects
    for grant in grants:
        note("grant.added", name, _grant_text(grant), after=grant_row(grant, redirects))
    return grants


def remove_grant(id: int, number: int) -> None:
    """Remove a grant. Raises NotAllowed (404) and HttpError (401, 403)."""
    accounts = current_monitor().authenticator.accounts
    with visible_fleet().acting("user.manage"):
        name, grant = accounts.user(id).name, accounts.revoke_grant(id, number)
    note(
        "grant.removed",
        name,
        _grant_text(grant),
        before=grant_row(grant, current_monitor().redirects),
    )


def _grant_text(grant: Grant) -> str:
    if grant.device is not None:
        device = current_monitor().tracker.devices().get(grant.device)
        return f"{grant.level} on {labels.name(device) if device else 'a deleted device'}"
    if grant.store is not None:
        return f"{grant.level} on store {grant.store}"
    return f"{grant.level} on site {labels.site_name(str(grant.site))}"


def revoke_user_token(id: int, number: int) -> None:
    """Delete a token of a user. Raises NotAllowed (404) and HttpError (401, 403)."""
    accounts = current_monitor().authenticator.accounts
    with visible_fleet().acting("user.manage"):
        name = accounts.user(id).name
        if number not in {own.id for own in accounts.snapshot.tokens_of(id)}:
            raise NotAllowed(f"User {id} has no token {number}", "List the user's tokens.", 404)
        token = accounts.revoke_token(number)
    note("token.revoked", name, token.name)
