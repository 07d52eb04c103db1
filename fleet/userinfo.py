"""Separate the login from the host in a URL, also where the password is not encoded. Pure."""

from contextlib import suppress
from ipaddress import ip_address

ADDRESS, NAME, LABEL, NEITHER = 3, 2, 1, 0
"""How sure it is that a text is the host of a URL: an IP address, a name with a dot, one without;
none, because what follows the colon is not a port."""


def split(rest: str) -> tuple[str | None, str]:
    """Split a URL after `://` into its login, None without one, and what begins with the host.

    A password may contain `@`, `/`, `?` and `#` that nobody encoded. Then the login ends at the
    last `@`, unless the text before is more likely the host than the text behind: a part of a
    password must not be taken for the path, which is stored and shown.
    """
    first = _authority(rest)
    at, last = first.rfind("@"), rest.rfind("@")
    if last > at and ":" in first:
        before, behind = _rank(first[at + 1 :]), _rank(_authority(rest[last + 1 :]))
        if before < ADDRESS and before <= behind:
            at = last
    return (rest[:at], rest[at + 1 :]) if at >= 0 else (None, rest)


def _authority(text: str) -> str:
    return text[: min((end for end in map(text.find, "/?#") if end >= 0), default=len(text))]


def _rank(place: str) -> int:
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    numbers = port.split(":") if port else []
    if not host or not all(number.isascii() and number.isdecimal() for number in numbers):
        return NEITHER
    with suppress(ValueError):
        ip_address(host)
        return ADDRESS
    return NAME if "." in host.strip(".") else LABEL
