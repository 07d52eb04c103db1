"""Links with which a player plays one recording for a time, without a login.

A link has the number of the recording, when it ends, and the user who made it, signed with a key
that is derived from that of the sessions. It plays as long as that user may download the recording
and it is not deleted. The signature is in the query, which is never logged.
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
    """`until`: seconds of the Unix clock. `user` is 0 where there are no accounts."""

    recording: int
    until: int
    user: int


def signature(monitor: Monitor, link: Link) -> str:
    key = monitor.authenticator.accounts.digest(PURPOSE)
    text = f"{link.recording} {link.until} {link.user}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(monitor: Monitor, link: Link, text: str, now: datetime) -> bool:
    """True if the link was made here and has not ended."""
    is_ours = hmac.compare_digest(signature(monitor, link).encode(), text.encode())
    return is_ours and now.timestamp() < link.until


def person_behind(monitor: Monitor, link: Link) -> Person | None:
    """The user who made the link, as of now; None when the account is gone."""
    accounts = monitor.authenticator.accounts
    if not link.user:
        return None if accounts.has_any() else Person("", "admin", until_first=True)
    user = accounts.snapshot.users.get(link.user)
    # With the stored password as proof: a new one ends the link, and a download that runs.
    return accounts.snapshot.person(user.id, proof=user.password) if user else None
