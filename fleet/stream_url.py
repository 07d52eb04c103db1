"""Parse stream URLs as people type and paste them. Pure.

The login is taken out of the URL, also out of its path, where placeholders take its place. So
what is kept and shown has none.
"""

import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from fleet import access_fields, path_logins, userinfo
from fleet.model import Invalid
from fleet.path_logins import PathLogin

SCHEMES = {"rtsp": False, "rtsps": True}
"""Whether a stream of the scheme is encrypted."""
LONGEST = 3000
LONGEST_PASSWORD = 256
EXAMPLE = "Enter a URL such as rtsp://192.168.1.20:554/live."
ENCODED = (
    "If the password contains / or ?, write %2F or %3F, or enter it in its own field. Write %40 "
    "for an @ in the path."
)
_NOT_UTF8 = (
    "The login in the stream URL is not encoded as UTF-8",
    "Enter user name and password in their own fields.",
)


@dataclass(frozen=True, slots=True)
class StreamUrl:
    """A stream URL, taken apart. `port` is that of the scheme where the URL names none; `path` has
    the query. `password` is None where the URL has none, and empty where it has an empty one.
    `has_port`: the URL names the port."""

    tls: bool
    host: str
    port: int
    path: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    has_port: bool = field(default=True, compare=False)

    @property
    def text(self) -> str:
        """The URL without the login."""
        scheme = "rtsps" if self.tls else "rtsp"
        host = f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{self.path}"


def parse(text: Any) -> StreamUrl:
    """Parse an RTSP URL. Raises Invalid for the field `rtsp_url`; no message quotes the URL, which
    may contain a password."""
    try:
        return _parse(text)
    except Invalid as invalid:
        invalid.field = "rtsp_url"
        raise


def _parse(text: Any) -> StreamUrl:
    if not isinstance(text, str):
        raise Invalid("The stream URL must be text", EXAMPLE)
    text = text.strip()
    if len(text) > LONGEST:
        raise Invalid(f"The stream URL has more than {LONGEST} characters", EXAMPLE)
    if any(c.isspace() or unicodedata.category(c)[0] == "C" for c in text):
        raise Invalid("The stream URL contains a space or an invisible character", EXAMPLE)
    scheme, separator, rest = text.partition("://")
    tls = SCHEMES.get(scheme.lower()) if separator else None
    if tls is None:
        raise Invalid("A stream URL begins with rtsp:// or rtsps://", EXAMPLE)
    login, after = userinfo.split(rest)
    length = min((at for at in (after.find("/"), after.find("?")) if at >= 0), default=len(after))
    inner = _taken_out(after[length:])
    url = _place(tls, after[:length], inner.path)
    username, password = _login(login) if login else (None, None)
    if inner.password is not None:
        _check_same(username, inner.username)
        _check_same(password, inner.password)
        username, password = username or inner.username, valid_password(inner.password)
        access_fields.values({"username": username})
    return replace(url, username=username, password=password)


def _taken_out(path: str) -> PathLogin:
    try:
        return path_logins.taken_out(path)
    except UnicodeDecodeError:
        raise Invalid(*_NOT_UTF8) from None


def _check_same(of_host: str | None, of_path: str | None) -> None:
    if None not in (of_host, of_path) and of_host != of_path:
        raise Invalid(
            "The stream URL has one login before the host and another in the path",
            "Remove one of the two. Both are filled in from the login of the device.",
        )


def _place(tls: bool, place: str, path: str) -> StreamUrl:
    if "@" in path:
        # Else a part of such a password would be shown as the path.
        raise Invalid("The stream URL has an @ after the host", ENCODED)
    if not place or (place.startswith(":") and place.count(":") == 1):
        raise Invalid("The stream URL has no host", EXAMPLE)
    if place.count(":") > 1 and not place.startswith("["):
        raise Invalid(
            "The IPv6 address in the stream URL has no brackets", "Enter it as in [fe80::1]:554."
        )
    # A zone is written %25eth0 in a URL (RFC 6874).
    typed = access_fields.endpoint(place.replace("%25", "%"))
    default = access_fields.DEFAULT_PORTS["rtsps" if tls else "rtsp"]
    kept = access_fields.values({"path": path})
    has_port = typed.port is not None
    return StreamUrl(tls, typed.host, typed.port or default, kept["path"], has_port=has_port)


def _login(text: str) -> tuple[str, str | None]:
    """The user name and the password before the @, decoded."""
    raw_name, colon, raw_password = text.partition(":")
    name, password = _decoded(raw_name), _decoded(raw_password) if colon else None
    if not name:
        raise Invalid("The stream URL has no user name before the @", EXAMPLE)
    access_fields.values({"username": name})
    return name, valid_password(password)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Invalid(*_NOT_UTF8) from None


def parse_path(text: str) -> PathLogin:
    """Parse the path of a stream, from which a login is taken out. Raises Invalid for the field
    `path`; no message quotes the path."""
    try:
        inner = _taken_out(text.strip())
        valid_password(inner.password)
        access_fields.values({"username": inner.username})
        return replace(inner, path=access_fields.values({"path": inner.path})["path"])
    except Invalid as invalid:
        invalid.field = "path"
        raise


def valid_password(value: str | None) -> str | None:
    """The password of a device as it is sealed. Raises Invalid, which does not quote it."""
    invalid = None
    if value and len(value) > LONGEST_PASSWORD:
        limit = f"more than {LONGEST_PASSWORD} characters"
        invalid = Invalid(f"The password has {limit}", "Check what you entered.")
    elif value and any(unicodedata.category(c)[0] == "C" for c in value):
        invalid = Invalid("The password contains an invisible character", "Remove it.")
    if invalid is not None:
        invalid.field = "password"
        raise invalid
    return value
