"""Whose turn it is to log in: streams at one server, as one user, one after the other. Pure."""

from fleet import logins
from fleet.model import Access

Turn = tuple[str | None, int | None, str | None]
"""Host, port and user name, whatever the site: this server asks one device there."""


def is_known_to_work(login: Access) -> bool:
    """True if a device has accepted this login, and no person has changed it since."""
    return login.method not in ("", logins.NO_LOGIN)


def turn_of(host: str | None, login: Access) -> Turn | None:
    """The turn that a question with this login waits for, as each must see what the one before it
    cost. None for a login that is known to work."""
    if not login.refusals and is_known_to_work(login):
        return None
    return login.host or host, login.port, login.username
