"""URLs that devices hand out, as they really write them. Pure, no I/O.

The host of such a URL is never trusted: the caller uses the address at which it reached the device.
"""

import html
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import unquote

from fleet import userinfo

SCHEMES = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
"""The schemes that are accepted, with their ports."""
SAFE_IN_PATH = "!#$%&'()*+,/:;=?@[]~-._"
"""Characters of a path and query that are sent as they are; all else is percent-encoded."""
LONGEST = 2048
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class DeviceUrl:
    """`host` is without brackets; `path` has the query and begins with a slash. `username` and
    `password` are those of the URL, decoded; None where it has none."""

    scheme: str
    host: str
    port: int
    path: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_tls(self) -> bool:
        return self.scheme in ("https", "rtsps")

    @property
    def address(self) -> Address | None:
        """The host as an address; None for a name."""
        with suppress(ValueError):
            return ip_address(self.host)
        return None


def parse(text: str) -> DeviceUrl | None:
    """The URL, repaired: line breaks and blanks dropped, entities decoded, a port that is written
    twice taken once, the login ended where `userinfo` says. None for another scheme, or what is no
    URL. Never raises."""
    text = _visible(text)
    if "&" in text and ";" in text:
        text = _visible(html.unescape(text))
    scheme, separator, rest = text.partition("://")
    if scheme.lower() not in SCHEMES or not separator or len(rest) > LONGEST:
        return None
    login, rest = userinfo.split(rest)
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    host, port = _host_and_port(rest[:end], SCHEMES[scheme.lower()])
    if not host:
        return None
    username, _, password = (login or "").partition(":")
    path = rest[end:].partition("#")[0]
    return DeviceUrl(
        scheme.lower(),
        host,
        port,
        path if path.startswith("/") else f"/{path}",
        None if login is None else unquote(username),
        None if login is None else unquote(password),
    )


def _visible(text: str) -> str:
    return "".join(character for character in text if character > " ")


def _host_and_port(place: str, default: int) -> tuple[str, int]:
    """The host and the last usable port; an empty host for what is none."""
    if place.startswith("["):
        host, _, ports = place[1:].partition("]")
    else:
        host, _, ports = place.partition(":")
    numbers = [int(port) for port in ports.split(":") if _is_port(port)]
    usable = [number for number in numbers if 0 < number < 65536]
    return host, usable[-1] if usable else default


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6
