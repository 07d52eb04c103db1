"""The own tokens of a person: list, make, revoke."""

from accounts.model import NotAllowed, Token, User
from web.http.auditing import note
from web.http.errors import Problem
from web.http.monitor import monitor
from web.http.shapes.accounts import NewToken
from web.http.visible_fleet import visible


def tokens_of(user: int) -> tuple[Token, ...]:
    return monitor().access.accounts.snapshot.tokens_of(user)


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


def end_token(user: User, id: int) -> None:
    """Raises Problem: 404 for a token that is not this user's, 401 and 403."""
    with visible().acting("account.change"):
        if id not in {one.id for one in tokens_of(user.id)}:
            raise Problem(404, f"There is no token {id}", "GET /api/tokens lists them.")
        gone = monitor().access.accounts.revoke_token(id)
    note("token.revoked", user.name, gone.name)
