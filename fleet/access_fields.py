"""Validate how a source reaches a device, as people type it: address, port, path, login. Pure.

An address may be a whole URL: it is taken apart. A password in it, or in the path, is refused
in words, because both are shown and passwords are not.
"""

import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import orjson

from fleet import path_logins, userinfo
from fleet.model import Access, Invalid
from fleet.secret_columns import is_secret

FIELDS = ("host", "port", "path", "username", "tls_pin", "interval", "options", "digest_only")
"""What a person may set, beside the password, which is kept apart as a secret."""
MIN_INTERVAL, MAX_INTERVAL = 10, 86_400
"""Seconds between two checks."""
LONGEST_HOST, LONGEST_PATH, LONGEST_USERNAME = 253, 1000, 128
LONGEST_METHOD = 40
MAX_ATTEMPTS = 1000
"""Login attempts of one device, refused or left; no device has so many."""
MAX_CLOCK_ERROR = 1e10
"""Seconds; a clock that is set wrong shows its first day, which is decades ago."""
MAX_OPTIONS, MAX_OPTION_BYTES = 32, 2000
SUB_PATH = "sub_path"
"""The option with the path of the sub stream, where a person gave it."""
EVENTS = "events"
"""The option with which the camera's own events are read: true or absent."""
DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
SECURE = ("rtsps", "https")
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER_LABEL = re.compile(r"\d+|0x[0-9a-f]*")
ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""The name of a source, of a kind, of an option."""
PIN = re.compile(r"[0-9a-f]{64}")
PASSWORD = re.compile(
    r"(?i)(?:(?:^|[^a-z0-9])(?:user|login|admin)?_?(?:pass?|pswd?|psw|pw)"
    r"|passwd|password|passphrase|passcode|pwd|secret)="
    r"(?!_(?:channel|stream)=)[^&/;?]"
)
LOGIN_IN_URL = re.compile(r"//[^/@:]*:[^/@]*@")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A typed address, taken apart. `is_secure`: its scheme is rtsps or https."""

    host: str
    port: int | None = None
    path: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    is_secure: bool = False


def endpoint(text: Any) -> Endpoint:
    """Parse an address: a host name, an IP address, either with a port, or a whole URL.

    Raises Invalid.
    """
    if not isinstance(text, str):
        raise _invalid("host", "The address must be text", 'Send {"host": "192.168.1.20"}.')
    text = text.strip()
    if len(text) > LONGEST_HOST + LONGEST_PATH:
        raise _invalid("host", "The address is too long", "Enter a host name or an IP address.")
    if "://" in text:
        return _from_url(text)
    name, port = _host_and_port(text)
    return Endpoint(_host(name), port)


def values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of FIELDS that were given, as they are kept. Raises Invalid, which names the
    field; a URL as host also gives port, path and user name."""
    kept = {name: _CHECKS[name](fields[name]) for name in FIELDS if name in fields}
    if fields.get("host") is not None:
        kept |= _from_endpoint(endpoint(fields["host"]), kept)
    return kept


def validated(access: Access) -> Access:
    """An access that a file holds, in the form in which an edit keeps it. Raises Invalid, which
    names the field, for a value that no edit could have set."""
    given = {name: getattr(access, name) for name in FIELDS}
    if access.host is not None and (typed := endpoint(access.host)) != Endpoint(typed.host):
        raise _invalid("host", "The address contains more than a host", _ENTER)
    if not is_method(access.method):
        raise _invalid("method", "The login method is invalid", "Enter a method such as digest.")
    for name, is_valid in LEARNED.items():
        if not is_valid(getattr(access, name)):
            raise _invalid(name, f"The value of {name} is invalid", "Remove it.")
    return replace(access, **{name: _CHECKS[name](value) for name, value in given.items()})


def _is_clock(seconds: float | None) -> bool:
    return seconds is None or (math.isfinite(seconds) and abs(seconds) <= MAX_CLOCK_ERROR)


LEARNED: Mapping[str, Callable[[Any], bool]] = {
    "refusals": lambda number: 0 <= number <= MAX_ATTEMPTS,
    "attempts_left": lambda number: number is None or 0 <= number <= MAX_ATTEMPTS,
    "worked_at": lambda at: at is None or at.tzinfo is not None,
    "clock": _is_clock,
    "transport": lambda name: name in ("", "tcp", "udp"),
}
"""What sources learn about an access, beside the method and the certificate, with the test of a
value of the right type."""


def is_method(text: str) -> bool:
    """True for a valid name of a login method, like digest-sha-256, or an empty text for none."""
    is_plain = not text or (text.isascii() and text.replace("-", "").isalnum())
    return is_plain and len(text) <= LONGEST_METHOD


def _from_endpoint(typed: Endpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the typed address. Raises Invalid when another field contradicts it."""
    if typed.password is not None:
        raise _invalid("host", *_HAS_PASSWORD)
    kept: dict[str, Any] = {"host": typed.host}
    for name in ("port", "path", "username"):
        value = getattr(typed, name)
        if not value:
            continue
        if given.get(name) not in (None, "", value):
            raise _invalid(
                name,
                f"The address contains {_TITLES[name]} {value}, but {name} is {given[name]}",
                "Enter it in only one of the two places.",
            )
        kept[name] = value
    if typed.is_secure:
        kept["options"] = _options({**(given.get("options") or {}), "tls": True})
    return kept


def source(value: Any) -> str:
    """The name of a source as edits carry it. Raises Invalid."""
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise _invalid("source", "The source is missing or invalid", "Enter a source such as rtsp.")
    return value


# -- the address ---------------------------------------------------------------------------


def _from_url(text: str) -> Endpoint:
    login, _ = userinfo.split(text.partition("://")[2])
    if login and any(mark in login for mark in "/?#"):
        raise _invalid("host", *_HAS_PASSWORD)
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise _invalid("host", "The URL is invalid", _EXAMPLE) from None
    if url.scheme not in DEFAULT_PORTS:
        raise _invalid("host", f"{url.scheme[:20]}:// is not supported", _EXAMPLE)
    if url.fragment or text.endswith("#"):
        raise _invalid("host", "The URL contains a #", "Write %23 if it is part of the path.")
    if not url.hostname:
        raise _invalid("host", "The URL has no host", _EXAMPLE)
    if port == 0:
        raise _invalid("host", *_BAD_PORT)
    # A zone is written %25eth0 in a URL (RFC 6874).
    name = url.netloc.rpartition("@")[2].replace("%25", "%")
    return Endpoint(
        _host(_host_and_port(name)[0]),
        port or DEFAULT_PORTS[url.scheme],
        _path(_path_of(url)),
        _username(unquote(url.username)) if url.username else None,
        unquote(url.password) if url.password else None,
        url.scheme in SECURE,
    )


def _path_of(url: SplitResult) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Split `10.0.0.5:554` and `[::1]:554`; a bare IPv6 address is all host."""
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _invalid("host", "The IPv6 address is invalid", "Enter it as in [fe80::1]:554.")
        return name, _port(rest[1:]) if rest else None
    if text.count(":") != 1:
        return text, None
    name, _, number = text.partition(":")
    return name, _port(number) if number else None


def _host(text: str) -> str:
    address = _address(text)
    return address if address is not None else _name(text)


def _address(text: str) -> str | None:
    """An IP address in its usual spelling; None for what is none. Raises Invalid for one that
    no device can have."""
    plain, percent, zone = text.partition("%")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if percent and not (address.version == 6 and address.is_link_local and ZONE.fullmatch(zone)):
        raise _invalid("host", "The IPv6 zone is invalid", "Enter it as in fe80::1%eth0.")
    is_broadcast = address.version == 4 and int(address) >> 28 == 15
    if address.is_unspecified or address.is_multicast or is_broadcast:
        raise _invalid("host", f"{address} is not the address of a single device", _ENTER)
    return f"{address}%{zone}" if percent else str(address)


def _name(text: str) -> str:
    """A host name in small letters, international ones in their ASCII form."""
    wrong = _invalid("host", "The host name is invalid", _ENTER)
    if not text or len(text) > LONGEST_HOST or not text.isprintable():
        raise wrong
    try:
        name = text.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        raise wrong from None
    labels = name.split(".")
    if len(name) > LONGEST_HOST or not all(LABEL.fullmatch(label) for label in labels):
        raise wrong
    if NUMBER_LABEL.fullmatch(labels[-1]):
        # Resolvers read 010.0.0.1 and 10.1 as addresses, each in its own way.
        raise _invalid(
            "host", "The IPv4 address is invalid", "Enter an address such as 192.168.1.20."
        )
    return name


# -- the other fields ------------------------------------------------------------------------


def _any_host(value: Any) -> str | None:
    """Parse the host field; None restores the device's own address."""
    return None if value is None else endpoint(value).host


def _number(value: Any) -> Any:
    """A number that was typed as text; any other value as it is."""
    is_typed = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value) if is_typed and len(value) < 10 else value


def _port(value: Any) -> int | None:
    if value is None or value == "":
        return None
    value = _number(value)
    if type(value) is not int or not 1 <= value <= 65535:
        raise _invalid("port", *_BAD_PORT)
    return value


def _path(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid("path", "The path must be text", 'Send {"path": "/live"}.')
    text = value.strip()
    scheme, separator, _ = text.partition("://")
    if separator and scheme.isalnum():
        raise _invalid(
            "path", "The path is a whole URL", "Enter the part after the address, such as /live."
        )
    if text and not text.startswith(("/", "?")):
        text = f"/{text}"
    if len(text) > LONGEST_PATH:
        raise _invalid("path", f"The path has more than {LONGEST_PATH} characters", "Shorten it.")
    if any(c.isspace() or unicodedata.category(c)[0] == "C" for c in text):
        raise _invalid(
            "path",
            "The path contains a space or an invisible character",
            "Write %20 instead of a space.",
        )
    if "#" in text:
        raise _invalid("path", "The path contains a #", "Write %23 instead.")
    if has_password(text):
        raise _invalid(
            "path",
            "The path contains a password",
            "Write {password} in its place, and enter it as the password of the device.",
        )
    return text


def has_password(text: str) -> bool:
    """True if a URL, a path or a part of one contains a password, and not only a place for it."""
    plain = unquote(path_logins.without_places(text))
    return bool(PASSWORD.search(plain) or LOGIN_IN_URL.search(plain))


def _username(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _invalid("username", "The user name must be text", 'Send {"username": "admin"}.')
    if len(value) > LONGEST_USERNAME:
        raise _invalid(
            "username", f"The user name has more than {LONGEST_USERNAME} characters", "Shorten it."
        )
    if any(unicodedata.category(c)[0] == "C" for c in value):
        raise _invalid("username", "The user name contains an invisible character", "Remove it.")
    if ":" in value:
        raise _invalid(
            "username",
            "A user name cannot contain a colon",
            "Enter only the name, and the password in its own field.",
        )
    return value


def _tls_pin(value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = value.lower().removeprefix("sha256:").replace(":", "") if isinstance(value, str) else ""
    if not PIN.fullmatch(text):
        raise _invalid(
            "tls_pin",
            "The certificate fingerprint is invalid",
            "Enter its SHA-256 fingerprint: 64 hexadecimal digits, with or without colons.",
        )
    return text


def _interval(value: Any) -> int | None:
    if value is None or value == "":
        return None
    value = _number(value)
    if type(value) is not int or not MIN_INTERVAL <= value <= MAX_INTERVAL:
        raise _invalid(
            "interval",
            "The interval is invalid",
            f"Enter seconds, from {MIN_INTERVAL} to {MAX_INTERVAL} (one day).",
        )
    return value


def _digest_only(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _invalid("digest_only", "digest_only must be true or false", "Send true or false.")
    return value


def _options(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_OPTIONS:
        raise _invalid("options", f"options must be an object of up to {MAX_OPTIONS} values", _LESS)
    for name, item in value.items():
        if not isinstance(name, str) or not WORD.fullmatch(name):
            raise _invalid("options", "An option has an invalid name", "Use letters, digits and _.")
        if not isinstance(item, str | int | float | bool | None):
            raise _invalid("options", f"The option {name} must be text or a number", _LESS)
        if is_secret(name) or (isinstance(item, str) and has_password(item)):
            raise _invalid(
                "options",
                f"The option {name} looks like a password or contains one",
                "Save it as the password instead.",
            )
    if len(orjson.dumps(dict(value))) > MAX_OPTION_BYTES:
        raise _invalid("options", f"The options are longer than {MAX_OPTION_BYTES} bytes", _LESS)
    options = dict(value)
    if SUB_PATH in options:
        options[SUB_PATH] = _path(options[SUB_PATH])
    if not isinstance(options.get(EVENTS, False), bool):
        raise _invalid("options", "The option events must be true or false", "Send true or false.")
    return options


def secret_options(value: Any) -> Mapping[str, Any]:
    """The secret options of an edit, by valid names; their values are not looked at. Raises
    Invalid."""
    if value is None:
        return {}
    is_valid = isinstance(value, Mapping) and len(value) <= MAX_OPTIONS
    if not is_valid or not all(isinstance(name, str) and WORD.fullmatch(name) for name in value):
        raise _invalid(
            "secret_options",
            f"secret_options must be an object of up to {MAX_OPTIONS} values",
            "Use names of lower-case letters, digits and _.",
        )
    return dict(value)


def _invalid(name: str, error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = name
    return invalid


_EXAMPLE = "Enter a URL such as rtsp://192.168.1.20:554/live."
_ENTER = "Enter a host name or an IP address such as 192.168.1.20."
_LESS = "Send fewer and shorter options."
_HAS_PASSWORD = (
    "The address contains a password",
    "Enter user name and password in their own fields, so that the password stays secret.",
)
_BAD_PORT = ("The port is invalid", "Enter a number from 1 to 65535.")
_TITLES = {"port": "the port", "path": "the path", "username": "the user name"}
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "host": _any_host,
    "port": _port,
    "path": _path,
    "username": _username,
    "tls_pin": _tls_pin,
    "interval": _interval,
    "options": _options,
    "digest_only": _digest_only,
}
