"""The logins that were refused, where, how often and when, by a keyed fingerprint of each.

A budget that only the records had would be new for the same login after it was saved again, undone,
taken away and given back, or deleted and added. Here it is known by what is sent, and to where.
"""

import ipaddress
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import time

from fleet.logins import MAX_REFUSALS
from fleet.model import Access
from sources.device_urls import SCHEMES
from store.secret_counts import SecretCounts

PAUSE = 900.0
"""Seconds after the last refusal until a person can test a spent login again."""
MAX_TESTED = 4
"""Refused logins of one user at one host and port within PAUSE, whatever the passwords. Devices
lock a user out after five, few after three."""


@dataclass(frozen=True, slots=True)
class SentLogin:
    """A login as one device sees it."""

    host: str
    port: int | None
    username: str
    password: str = field(repr=False)

    @property
    def at_port(self) -> tuple[str, ...]:
        return _canonical(self.host), str(self.port), self.username, self.password

    @property
    def at_host(self) -> tuple[str, ...]:
        return _canonical(self.host), self.username, self.password

    @property
    def of_user(self) -> tuple[str, ...]:
        return "user", _canonical(self.host), str(self.port), self.username, ""


class RefusedLogins:
    """How often each login was refused since it was accepted last; `counts` keeps it. The file is
    written in a thread of its own. `clock` gives Unix time, so that a pause outlives a restart."""

    def __init__(
        self, counts: SecretCounts | None = None, clock: Callable[[], float] = time
    ) -> None:
        self._counts = counts
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, "refused-logins")
        self._is_closed = False

    @property
    def is_empty(self) -> bool:
        return self._counts is None or self._counts.is_empty

    def of(self, login: SentLogin) -> int:
        """The refusals at this port, or what those at other ports of the host leave of it."""
        return max(self.at_port(login), self.elsewhere(login))

    def at_port(self, login: SentLogin) -> int:
        return self._counts.of(*login.at_port) if self._counts else 0

    def elsewhere(self, login: SentLogin) -> int:
        """What refusals at any ports of the host count at a port that has not seen the login. It
        may be another service of the device, with other accounts, or another device behind a port
        forward: one port in all has one attempt."""
        number = self._counts.of(*login.at_host) if self._counts else 0
        return MAX_REFUSALS if number > MAX_REFUSALS else min(number, 1)

    def spend(self, login: SentLogin, number: int = 1, *, is_last: bool = False) -> None:
        """Add refusals. `is_last`: the device accepts few more of this user."""
        if self._counts and number > 0:
            for texts in (login.at_port, login.at_host):
                self._counts.add(*texts, number=number, now=self._clock())
            self.note(login, MAX_TESTED if is_last else number)

    def note(self, login: SentLogin, number: int) -> None:
        """Add to what this user was refused with any password, which counts until a pause."""
        if self._counts and number > 0:
            now = self._clock()
            if self._counts.time_of(*login.of_user) < now - PAUSE:
                self._counts.forget(*login.of_user)
            self._counts.add(*login.of_user, number=number, now=now)
            self._save()

    def forget(self, login: SentLogin) -> None:
        """Begin again: the device accepted the login. Then others of this user can be tested."""
        every = (login.at_port, login.at_host, login.of_user)
        if self._counts and sum(self._counts.forget(*texts) for texts in every):
            self._save()

    def pause(self, login: SentLogin, pending: int = 0) -> float:
        """Seconds until a person can test this login; 0 for now. `pending`: logins of this user
        that are sent now."""
        if self._counts is None:
            return 0.0
        limits = (
            (login.at_port, MAX_REFUSALS),
            (login.at_host, MAX_REFUSALS),
            (login.of_user, MAX_TESTED - pending),
        )
        ends = [
            self._counts.time_of(*texts) + PAUSE
            for texts, most in limits
            if self._counts.of(*texts) >= most
        ]
        return max([0.0, *(end - self._clock() for end in ends)])

    def close(self) -> None:
        """Wait until all is written. What comes later is written at once."""
        self._is_closed = True
        self._writer.shutdown()

    def _save(self) -> None:
        if self._counts and self._is_closed:
            self._counts.save(self._counts.snapshot())
        elif self._counts:
            self._writer.submit(self._counts.save, self._counts.snapshot())


def port_of(source: str, access: Access) -> int | None:
    """The port that a source asks at, also where it is the default one."""
    schemes = {"rtsp": ("rtsp", "rtsps"), "onvif": ("http", "https")}.get(source)
    if access.port is not None or schemes is None:
        return access.port
    return SCHEMES[schemes[bool(access.options.get("tls"))]]


def _canonical(host: str) -> str:
    """One spelling of a host. Names other than localhost are not resolved."""
    name = host.strip("[]").rstrip(".").lower()
    name = "127.0.0.1" if name == "localhost" else name
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    return str(getattr(address, "ipv4_mapped", None) or address)
