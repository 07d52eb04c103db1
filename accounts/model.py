"""Accounts as values: users, grants, sessions, tokens, and the person behind a request."""

from dataclasses import dataclass, field
from datetime import datetime, time

ROLES = ("viewer", "operator", "admin")
"""Least first."""
LEVELS = ("view", "control", "admin")
"""What a grant gives on its cameras, least first."""
RIGHTS = ("record", "schedule", "download")
SCOPES = ("read", "operate")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of a day, from `start` until before `end`; past midnight when `start` is later."""

    start: time
    end: time

    def contains(self, at: time) -> bool:
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def are_past_midnight(self, at: time) -> bool:
        """True if `at` is in the part of a night that lies on the day after its beginning."""
        return self.start > self.end and at < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Grant:
    """The permissions of a user for one device, or with all of one site or store.

    `hours` and `weekdays` are in the monitor's own time zone; without them it is always.
    """

    id: int
    user: int
    level: str
    device: int | None = None
    site: str | None = None
    hours: Hours | None = None
    weekdays: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    store: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """An account. `sees_all`: the role applies to every camera; else only grants apply."""

    id: int
    name: str
    role: str
    password: str = field(repr=False)
    sees_all: bool = True
    created: datetime | None = None
    last_login: datetime | None = None
    last_address: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """An open login: in a browser by its cookie, in a script by its two tokens."""

    id: int
    user: int
    digest: str
    kind: str
    created: datetime
    ends: datetime
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A key for scripts. `devices`: only those; none means all that its user sees."""

    id: int
    user: int
    name: str
    digest: str
    scope: str
    created: datetime
    devices: tuple[int, ...] | None = None
    ends: datetime | None = None
    used: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """The person behind a request, with everything that permissions depend on. `user` is None
    for this server itself.

    `session`, `token` or `proof` (the stored hash, after name and password) is the credential
    of the request, so that it can be checked again later. `until_first`: valid only while there
    is no account.
    """

    name: str
    role: str
    sees_all: bool = True
    grants: tuple[Grant, ...] = ()
    user: int | None = None
    scope: str = "operate"
    devices: frozenset[int] | None = None
    session: int | None = None
    token: int | None = None
    proof: str = field(default="", repr=False)
    until_first: bool = False

    @property
    def is_limited(self) -> bool:
        """True if there may be cameras that they do not see."""
        return not self.sees_all or self.devices is not None


class NotAllowed(Exception):
    """Refusal of an account or its change: the error, and what to do next."""

    def __init__(self, error: str, hint: str, status: int = 422, field: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.hint = hint
        self.status = status
        self.field = field
