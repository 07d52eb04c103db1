"""List, make and revoke a person's own tokens."""

from accounts.model import NotAllowed, Token, User
from web.http.auditing import note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.accounts import NewToken
from web.http.visible_fleet import visible_fleet


def tokens_of(user: int) -> tuple[Token, ...]:
    return current_monitor().authenticator.accounts.snapshot.tokens_of(user)


def create_token(user: User, given: NewToken) -> tuple[Token, str]:
    """Make a token. Raises NotAllowed, NotFound and HttpError (401, 403)."""
    devices = given.devices
    if devices is not None:  # a number that was merged away leads to the one that stays
        devices = [visible_fleet().device(str(number)).id for number in devices]
    if given.expires is not None and given.expires <= current_monitor().clock():
        raise NotAllowed("expires is in the past", "Enter a later time.", field="expires")
    accounts = current_monitor().authenticator.accounts
    with visible_fleet().acting("account.change"):
        token_and_text = accounts.add_token(
            user.id, given.name, given.scope, devices, given.expires
        )
    note("token.made", user.name, f"{given.name} ({given.scope})")
    return token_and_text


def revoke_own_token(user: User, id: int) -> None:
    """Delete a token. Raises HttpError: 404 for a token that is not this user's, 401 and 403."""
    with visible_fleet().acting("account.change"):
        if id not in {own.id for own in tokens_of(user.id)}:
            raise HttpError(404, f"Token {id} does not exist", "GET /api/tokens lists the tokens.")
        token = current_monitor().authenticator.accounts.revoke_token(id)
    note("token.revoked", user.name, token.name)
