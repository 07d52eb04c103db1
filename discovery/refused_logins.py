"""The logins that were refused, where and how often, by a keyed fingerprint of each.

A budget that only the records had would be new for the same login after it was saved again, undone,
taken away and given back, or deleted and added. Here it is known by what is sent, and to where.
"""

from dataclasses import dataclass, field
from time import monotonic

from fleet.model import Access
from sources.device_urls import SCHEMES
from store.secret_counts import SecretCounts

PAUSE = 900.0
"""Seconds after a refusal until a person can test the same login again."""


@dataclass(frozen=True, slots=True)
class SentLogin:
    """A login as one device sees it."""

    host: str
    port: int | None
    username: str
    password: str = field(repr=False)

    @property
    def texts(self) -> tuple[str, ...]:
        return self.host.lower(), str(self.port), self.username, self.password


class RefusedLogins:
    """How often each login was refused since it was accepted last; `counts` keeps it."""

    def __init__(self, counts: SecretCounts | None = None) -> None:
        self._counts = counts
        self._until: dict[tuple[str, str], dict[str, float]] = {}
        """By host and user name, and then by fingerprint."""

    @property
    def is_empty(self) -> bool:
        return self._counts is None or self._counts.is_empty

    def of(self, login: SentLogin) -> int:
        return self._counts.of(*login.texts) if self._counts else 0

    def spend(self, login: SentLogin, number: int = 1) -> None:
        """Add a refusal, durably."""
        if self._counts and number > 0:
            self._counts.add(*login.texts, number=number)
            recent = self._until.setdefault((login.host.lower(), login.username), {})
            recent[self._counts.fingerprint(*login.texts)] = monotonic() + PAUSE

    def forget(self, login: SentLogin) -> None:
        """Begin again: the device accepted the login. Then others of this user can be tested."""
        self._until.pop((login.host.lower(), login.username), None)
        if self._counts:
            self._counts.forget(*login.texts)

    def until(self, login: SentLogin) -> float:
        """The monotonic time until which a person does not test this login again; 0 for none."""
        recent = self._until.get((login.host.lower(), login.username))
        if self._counts is None or not recent:
            return 0.0
        return recent.get(self._counts.fingerprint(*login.texts), 0.0)


def port_of(source: str, access: Access) -> int | None:
    """The port that a source asks at, also where it is the default one."""
    schemes = {"rtsp": ("rtsp", "rtsps"), "onvif": ("http", "https")}.get(source)
    if access.port is not None or schemes is None:
        return access.port
    return SCHEMES[schemes[bool(access.options.get("tls"))]]
