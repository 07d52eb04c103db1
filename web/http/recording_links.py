"""Links with which a player plays one recording for a time, without a login.

A link has the number of the recording, when it ends, and the user (and the token, if there was one)
who made it, signed with a key that is derived from that of the sessions. It plays as long as that
user may share the recording and it is not deleted. It ends with the token that made it, and with
the password of its user. The signature is in the query, which is never logged.

Its end is a time of the wall clock, the only one that outlasts a restart: a clock that is set back
by an hour lets it play for an hour longer. What is being downloaded at its end is sent whole.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from accounts.model import Person
from web.http.monitor import Monitor

PURPOSE = "links to recordings"
DAY = 24 * 60
MOST_MINUTES = 30 * DAY


@dataclass(frozen=True, slots=True)
class Link:
    """`until`: seconds of the Unix clock. `user` is 0 where there are no accounts, `token` for a
    link that was made without one."""

    recording: int
    until: int
    user: int
    token: int = 0


def signature(monitor: Monitor, link: Link) -> str:
    accounts = monitor.authenticator.accounts
    user = accounts.snapshot.users.get(link.user)
    # With the stored hash of the password in it, a new password ends all links of a user.
    proof = user.password if user else ""
    text = f"{link.recording} {link.until} {link.user} {link.token} {proof}"
    key = accounts.digest(PURPOSE)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(monitor: Monitor, link: Link, text: str, now: datetime) -> bool:
    """True if the link was made here and has not ended."""
    is_ours = hmac.compare_digest(signature(monitor, link).encode(), text.encode())
    return is_ours and now.timestamp() < link.until


def person_behind(monitor: Monitor, link: Link) -> Person | None:
    """The user who made the link, as of now; None when the account or the token is gone."""
    accounts = monitor.authenticator.accounts
    if not link.user:
        return None if accounts.has_any() else Person("", "admin", until_first=True)
    if link.token:
        return accounts.snapshot.by_token(link.token, monitor.clock())
    user = accounts.snapshot.users.get(link.user)
    # With the stored password as proof: a new one also ends a download that runs.
    return accounts.snapshot.person(user.id, proof=user.password) if user else None
