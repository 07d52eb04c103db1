"""Authenticate the request: credentials, client address, proxies, and the transport."""

import hashlib
import ipaddress
import os
import secrets
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from flask import g, request

from accounts.accounts import TOKEN_PREFIX, Accounts
from accounts.jwt_tokens import JwtTokens
from accounts.limiter import Limiter
from accounts.model import Person, User
from fleet.authors import COMMAND_LINE, LOCAL
from web.http import peer
from web.http.errors import HttpError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED = ("forwarded", "x-forwarded-", "x-real-ip", "via")
COOKIE = "camera_monitor"
THIS_MACHINE = Person(LOCAL, "admin", until_first=True)
"""The person at this server while there is no account."""
COMMANDS = Person(COMMAND_LINE, "admin")
MAX_REMEMBERED = 1000
LONGEST_ROUTE = 2000
"""Characters of X-Forwarded-For that are read: the newest, more proxies than anybody has."""


@dataclass(slots=True)
class RequestAuthenticator:
    """Accounts, tokens and networks by which a request is authenticated.

    `setup_key` opens the page for the first account, once.
    """

    accounts: Accounts
    jwt_tokens: JwtTokens
    limiter: Limiter = field(default_factory=Limiter)
    trusted_proxies: tuple[Network, ...] = ()
    allowed_networks: tuple[Network, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    setup_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    proves_peer: Callable[[Mapping[str, Any]], bool] = peer.is_our_own
    """Whether the connection of a WSGI environment comes from our own user, or root."""


TOO_MANY = "Too many login attempts with this account or from this address"


class TooManyTries(Exception):
    """Raised when the login must wait so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds

    def as_refusal(self, text: str = TOO_MANY) -> HttpError:
        """The response of this text that says when to try again (429)."""
        hint, headers = f"Try again in {self.seconds} s.", {"Retry-After": str(self.seconds)}
        return HttpError(429, text, hint, headers)


def person_of(authenticator: RequestAuthenticator) -> Person | None:
    """The person of the request; None without valid credentials. Looked up once a request.

    Raises TooManyTries.
    """
    if "person" not in g:
        g.person = _authenticate(authenticator)
    person: Person | None = g.person
    return person


def _authenticate(authenticator: RequestAuthenticator) -> Person | None:
    if over_command_socket():
        return COMMANDS
    if not authenticator.accounts.has_any():
        return THIS_MACHINE if is_this_machine(authenticator) else None
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind:
        return _by_header(authenticator, kind.lower(), value.strip())
    cookie = "" if is_other_site() else request.cookies.get(COOKIE, "")
    person = authenticator.accounts.by_secret(cookie) if cookie else None
    return person if person is not None and person.session is not None else None


def _by_header(authenticator: RequestAuthenticator, kind: str, value: str) -> Person | None:
    if kind == "bearer" and value.startswith(TOKEN_PREFIX):
        person = authenticator.accounts.by_secret(value)
        return person if person is not None and person.token is not None else None
    if kind == "bearer":
        session = authenticator.jwt_tokens.read("access", value)
        return authenticator.accounts.by_digest(session) if session is not None else None
    # Werkzeug fails at letters that are no base64.
    given = request.authorization if kind == "basic" and value.isascii() else None
    if given is not None and is_private(authenticator):
        name, password = given.username, given.password
        return _by_password(authenticator, name or "", password or "")
    return None


# A script that sends name and password with every request costs one check, not hundreds.
_checked: "OrderedDict[bytes, str]" = OrderedDict()
_checked_lock = Lock()
_pepper = secrets.token_bytes(32)


def _by_password(authenticator: RequestAuthenticator, name: str, password: str) -> Person | None:
    user = authenticator.accounts.by_name(name)
    mark = hashlib.blake2b(f"{name}\0{password}".encode("utf-8", "replace"), key=_pepper).digest()
    if user is not None and _checked.get(mark) == user.password:
        # Otherwise guesses at a remembered password would have no limit.
        if seconds := authenticator.limiter.seconds_left(name, client_address(authenticator)):
            raise TooManyTries(seconds)
        return authenticator.accounts.by_password(user.id)
    user = log_in(authenticator, name, password)
    if user is None:
        g.failed_name = name
        return None
    with _checked_lock:
        _checked[mark] = user.password
        while len(_checked) > MAX_REMEMBERED:
            _checked.popitem(last=False)
    return authenticator.accounts.by_password(user.id)


def log_in(authenticator: RequestAuthenticator, name: str, password: str) -> User | None:
    """The user with this name and password, or None. Raises TooManyTries."""
    seconds = authenticator.limiter.wait(name, client_address(authenticator))
    if seconds:
        raise TooManyTries(seconds)
    user = authenticator.accounts.check(name, password)
    if user is not None:
        authenticator.limiter.succeeded(name)
    return user


# -- client address and transport ----------------------------------------------------------


def client_address(authenticator: RequestAuthenticator) -> str:
    """The address of the client. Headers of a proxy are believed only from a trusted one."""
    peer = request.remote_addr or ""
    if not _is_in(peer, authenticator.trusted_proxies):
        return peer
    route, real = _forwarded_route()
    if is_contradictory():
        return peer
    for hop in reversed(route):
        if not _is_in(hop, authenticator.trusted_proxies):
            return hop if _address(hop) else peer
    return real if _address(real) else peer


def _forwarded_route() -> tuple[list[str], str]:
    """The addresses in the headers X-Forwarded-For and X-Real-IP."""
    route = request.headers.get("X-Forwarded-For", "")[-LONGEST_ROUTE:]
    addresses = [part.strip() for part in route.split(",")]
    return [part for part in addresses if part], request.headers.get("X-Real-IP", "").strip()


def is_contradictory() -> bool:
    """True if the two headers name different addresses.

    A proxy writes one of them and passes on the client's own in the other; nobody can tell which.
    """
    route, real = _forwarded_route()
    return bool(route and real and _address(route[-1]) != _address(real))


def is_encrypted(authenticator: RequestAuthenticator) -> bool:
    """True if the connection of the browser is known to be TLS."""
    if request.scheme == "https":
        return True
    scheme = request.headers.get("X-Forwarded-Proto", "").split(",")[-1].strip().lower()
    return _is_in(request.remote_addr or "", authenticator.trusted_proxies) and scheme == "https"


def is_private(authenticator: RequestAuthenticator) -> bool:
    """True if nobody can read the request on its way: TLS, or it never leaves this machine.

    A trusted proxy that says nothing of the way is its owner's to answer for.
    """
    peer = request.remote_addr or ""
    if _is_in(peer, authenticator.trusted_proxies):
        return is_encrypted(authenticator) or "X-Forwarded-Proto" not in request.headers
    return request.scheme == "https" or (is_loopback(peer) and not is_forwarded())


def is_allowed_network(authenticator: RequestAuthenticator) -> bool:
    """True if ALLOWED_NETWORKS has the client's address; this machine is always allowed."""
    address = client_address(authenticator)
    if not authenticator.allowed_networks or over_command_socket():
        return True
    if is_contradictory() and _is_in(request.remote_addr or "", authenticator.trusted_proxies):
        return False
    return (is_loopback(address) and not is_forwarded()) or _is_in(
        address, authenticator.allowed_networks
    )


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = _address(address)
    return parsed is not None and any(parsed in network for network in networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def over_command_socket() -> bool:
    """True if the request came by `control.sock` from its owner or root: trusted, no login."""
    sock = request.environ.get("gunicorn.socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return False
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid = struct.unpack("3i", raw)[1]
    return uid in (0, os.getuid())


def is_forwarded() -> bool:
    """True if a proxy passed the request on."""
    return any(name.lower().startswith(FORWARDED) for name, _value in request.headers)


def is_other_site() -> bool:
    """True if a browser says that the request comes from a script or form of another web site.

    Those that ALLOWED_ORIGINS does not name cannot change anything; for the others only a
    token counts, not the cookie and not where the browser runs.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is None:
        return False
    if site is not None:
        return site not in ("same-origin", "none")
    return origin.partition("://")[2] != request.host


def is_this_machine(authenticator: RequestAuthenticator) -> bool:
    """True if the request comes from this machine, by our own user or root.

    That is from a loopback address, without a proxy, by a name of this machine.

    The name is checked so that a web page elsewhere cannot reach in by a DNS name that
    leads to 127.0.0.1; the user, because a proxy can hide that it is one.
    """
    if is_forwarded() or is_other_site():
        return False
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        # Only a proxy with nginx's default settings still speaks HTTP/1.0.
        return False
    is_local = is_loopback(request.remote_addr or "") and is_local_name(request.host)
    return is_local and authenticator.proves_peer(request.environ)


def host_name() -> str | None:
    """The host name in the Host header; None if it is invalid."""
    try:
        parts = urlsplit(f"//{request.host}")
        _port = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.hostname and not (parts.username or parts.path) else None


def is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def is_loopback(address: str) -> bool:
    parsed = _address(address)
    return parsed is not None and parsed.is_loopback
