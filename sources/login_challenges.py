"""Login challenges of HTTP and RTSP: reads them, and answers with Basic or Digest. Pure, no I/O.

RFC 7617 (Basic), RFC 7616 and RFC 2617 (Digest), as cameras really send them: several headers,
several challenges in one header, values without quotes, blanks doubled.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fleet.logins import NO_LOGIN
from fleet.model import Target

MAX_CHALLENGES = 16
MAX_PARAMETERS = 32
LONGEST_HEADER = 8192
"""Characters of one header; what is longer is not read."""
ALGORITHMS = {"sha-256": "sha256", "sha-512-256": "sha512_256", "md5": "md5"}
"""Digest algorithms, the strongest first, by what RFC 7616 calls them and hashlib calls them.

SHA-256 comes before SHA-512-256: the latter is specified twice and devices differ in it.
"""
ATTEMPTS = ("attempt", "tries", "retries", "chance")
"""Beginnings of the nouns for what is left."""
BETWEEN = frozenset(("", "s", "more", "remaining", "left", "login", "is", "are"))
"""What may be between that noun and the number."""
SPACED = str.maketrans("(:<>", "    ")
"""What separates words there, with the tags of a page."""
MARKS = ".,;)!="
LEFT = frozenset(("left", "remaining", "remain"))
MOST = frozenset(("max", "maximum", "limit", "allowed"))
"""What makes a number the one of all attempts."""
OWNERS = frozenset(("account", "user", "login"))
"""What may be locked."""
NOT_LOCKED = frozenset(("not", "will", "may", "be", "if"))
SEPARATORS = " \t,="
FOREIGN_REALMS = frozenset(("tp-link streaming media",))
"""Realms of login methods of a maker's own, which call themselves Digest."""
MAKERS_OWN = "maker's own"
"""The scheme of a challenge with such a realm: no username and password fit it."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge. `scheme` and the names of `parameters` are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        """The name in lower case without "-sess"; "md5" where the device names none."""
        return self._algorithm.removesuffix("-sess")

    @property
    def is_session(self) -> bool:
        return self._algorithm.endswith("-sess")

    @property
    def _algorithm(self) -> str:
        return self.parameters.get("algorithm", "").strip().lower() or "md5"

    @property
    def is_stale(self) -> bool:
        """True if the device refused the age of its nonce, and not the password."""
        return self.parameters.get("stale", "").strip().lower() == "true"

    @property
    def qualities(self) -> tuple[str, ...]:
        """The values of qop; empty for the form of RFC 2069, which has none."""
        values = self.parameters.get("qop", "").lower().replace(" ", "").split(",")
        return tuple(value for value in values if value)


@dataclass(frozen=True, slots=True)
class Login:
    """A username and a password, which may be empty. No login at all is None, not this."""

    username: str
    password: str = field(repr=False)


def login_of(target: Target) -> Login | None:
    """The login of a target; None without a user name. An empty password is a login."""
    if target.username is None or target.options.get("login") == NO_LOGIN:
        return None
    return Login(target.username, target.secret or "")


class MethodNotSupported(Exception):
    """No challenge can be answered with a username and a password; `schemes` are those offered."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        super().__init__("login method not supported")
        self.schemes = schemes


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """The challenges of all WWW-Authenticate headers, in their order.

    What cannot be read as a challenge is left out. A header is read by itself: the nonce of one
    never belongs to another.
    """
    every = list[Challenge]()
    for header in headers:
        if len(header) <= LONGEST_HEADER:
            every += _read(header)
    return [
        replace(each, scheme=MAKERS_OWN) if _is_makers_own(each) else each
        for each in every[:MAX_CHALLENGES]
    ]


def _is_makers_own(challenge: Challenge) -> bool:
    realm = challenge.parameters.get("realm", "").strip().lower()
    return challenge.scheme == "digest" and realm in FOREIGN_REALMS


def _read(header: str) -> list[Challenge]:
    every = list[Challenge]()
    scheme, parameters = "", dict[str, str]()
    for name, value in _parts(header):
        if value is not None:
            if len(parameters) < MAX_PARAMETERS:
                parameters.setdefault(name, value)
            continue
        if scheme:
            every.append(Challenge(scheme, parameters))
        scheme, parameters = name, {}
    if scheme:
        every.append(Challenge(scheme, parameters))
    return every


def _parts(header: str) -> Iterable[tuple[str, str | None]]:
    """Names with their values, and the names of schemes, which have the value None."""
    at = 0
    while at < len(header):
        if header[at] in SEPARATORS:
            at += 1
            continue
        start = at
        while at < len(header) and header[at] not in SEPARATORS:
            at += 1
        name = header[start:at].lower()
        after = at
        while after < len(header) and header[after] in " \t":
            after += 1
        if after < len(header) and header[after] == "=":
            value, at = _value(header, after + 1)
            yield name, value
        else:
            yield name, None


def _value(header: str, at: int) -> tuple[str, int]:
    """The value that begins here, and where it ends. Without quotes it may have blanks."""
    while at < len(header) and header[at] in " \t":
        at += 1
    if at < len(header) and header[at] == '"':
        return _quoted(header, at + 1)
    end = header.find(",", at)
    end = len(header) if end < 0 else end
    return header[at:end].strip(), end


def _quoted(header: str, at: int) -> tuple[str, int]:
    characters = list[str]()
    while at < len(header) and header[at] != '"':
        if header[at] == "\\" and at + 1 < len(header):
            at += 1
        characters.append(header[at])
        at += 1
    return "".join(characters), at + 1


def attempts_left(text: str) -> int | None:
    """The number of login attempts that a refusal says are left, such as "You still have 29
    attempt(s)"; 0 for a locked account; None if it says nothing about them."""
    words = [part.strip(MARKS) for part in text[:LONGEST_HEADER].lower().translate(SPACED).split()]
    for place, name in enumerate(words):
        if name.startswith(ATTEMPTS):
            left = _left_at(words, place)
            if left is not None:
                return left
    return 0 if any(_is_locked(words, at) for at in range(len(words))) else None


def _left_at(words: Sequence[str], place: int) -> int | None:
    """The attempts left by the words around this noun. Of "attempt 4 of 5", 1 is left."""
    before, after = range(place - 1, place - 4, -1), range(place + 1, place + 5)
    for at in (_number_at(words, before), _number_at(words, after)):
        if at is None:
            continue
        if words[at + 1 : at + 2] == ["of"] and (most := _number_at(words, [at + 2])) is not None:
            return max(0, int(words[most]) - int(words[at]))
        if words[at - 1 : at] == ["of"] and (used := _number_at(words, [at - 2])) is not None:
            number, most = int(words[used]), int(words[at])
            return number if LEFT & {*words[at : place + 3]} else max(0, most - number)
        if not MOST & {*words[max(0, min(at, place) - 3) : max(at, place)]}:
            return int(words[at])
    return None


def _number_at(words: Sequence[str], places: Iterable[int]) -> int | None:
    """The place of the first number, apart from the words that may be between it and its noun."""
    for at in places:
        if not 0 <= at < len(words):
            return None
        if words[at].isascii() and words[at].isdecimal() and len(words[at]) <= 3:
            return at
        if words[at] not in BETWEEN:
            return None
    return None


def _is_locked(words: Sequence[str], place: int) -> bool:
    """True if the words before "locked" say that an account is so now."""
    before = {*words[max(0, place - 5) : place]}
    if words[place : place + 2] == ["locked", "out"]:
        return not before & NOT_LOCKED
    return words[place] == "locked" and bool(before & OWNERS) and not before & NOT_LOCKED


def strongest(offered: Iterable[Challenge], *, may_use_basic: bool = True) -> Challenge:
    """The strongest challenge that can be answered. Raises MethodNotSupported.

    Basic sends the password as it is: `may_use_basic` is False where the other end has not proved
    who it is.
    """
    every = list(offered)
    for algorithm in ALGORITHMS:
        for challenge in every:
            if challenge.scheme == "digest" and _can_answer(challenge, algorithm):
                return challenge
    for challenge in every:
        if challenge.scheme == "basic" and may_use_basic:
            return challenge
    raise MethodNotSupported(tuple(dict.fromkeys(challenge.scheme for challenge in every)))


def renewed(
    used: Challenge, offered: Iterable[Challenge], *, is_silent: bool = False
) -> Challenge | None:
    """The challenge to answer once more, where the device refused only the age of the nonce; None
    if it refused the login.

    `is_silent`: also where it has a newer nonce and does not say that the other one is stale. Only
    Digest of the same realm and algorithm is a newer nonce: after one Digest, another scheme would
    show the password to a device that may have learned to ask for it.
    """
    if used.scheme != "digest":
        return None
    for challenge in offered:
        is_same = challenge.scheme == "digest" and _realm(challenge) == _realm(used)
        is_new = challenge.parameters.get("nonce") != used.parameters.get("nonce")
        is_renewed = is_same and is_new and (challenge.is_stale or is_silent)
        if is_renewed and _can_answer(challenge, used.algorithm):
            return challenge
    return None


def _realm(challenge: Challenge) -> str | None:
    return challenge.parameters.get("realm")


def _can_answer(challenge: Challenge, algorithm: str) -> bool:
    is_known = not challenge.qualities or {"auth", "auth-int"} & set(challenge.qualities)
    if not is_known or challenge.algorithm != algorithm or "nonce" not in challenge.parameters:
        return False
    repeated = (challenge.parameters.get(name, "") for name in ("realm", "nonce", "opaque"))
    return not any(_is_unsendable(character) for text in repeated for character in text)


def _is_unsendable(character: str) -> bool:
    """True for what no header has: a control character, or half of one of two code units, which
    means a byte that is not UTF-8."""
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"


class Authorization:
    """The answers to one challenge. Each use of a nonce has a count of its own, as RFC 7616 asks.

    `answer()` gives the value of the Authorization header.
    """

    def __init__(self, challenge: Challenge, login: Login) -> None:
        self.challenge = challenge
        self._login = login
        self._count = 0
        self._client_nonce = secrets.token_hex(8)

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "Authorization":
        """The answers that go on where those with these `values` ended, in another process."""
        challenge = Challenge(values["scheme"], values["parameters"])
        restored = cls(challenge, Login(values["username"], values["password"]))
        restored._count, restored._client_nonce = values["count"], values["client_nonce"]
        return restored

    @property
    def values(self) -> dict[str, Any]:
        """The state, as JSON has it. It holds the password."""
        return {
            "scheme": self.challenge.scheme,
            "parameters": dict(self.challenge.parameters),
            "username": self._login.username,
            "password": self._login.password,
            "count": self._count,
            "client_nonce": self._client_nonce,
        }

    def renewed(self, challenge: Challenge) -> "Authorization":
        """The answers to another challenge with the same login."""
        return Authorization(challenge, self._login)

    def answer(self, method: str, uri: str, body: bytes = b"") -> str:
        """`uri` is the one of the request line, exactly as it is sent."""
        if self.challenge.scheme == "basic":
            pair = f"{self._login.username}:{self._login.password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        self._count += 1
        return "Digest " + ", ".join(self._parameters(method, uri, body))

    def _parameters(self, method: str, uri: str, body: bytes) -> list[str]:
        given = self.challenge.parameters
        quality = self._quality()
        count = f"{self._count:08x}"
        first = self._hash(
            f"{self._login.username}:{given.get('realm', '')}:{self._login.password}"
        )
        if self.challenge.is_session:
            first = self._hash(f"{first}:{given['nonce']}:{self._client_nonce}")
        action = f"{method}:{uri}"
        if quality == "auth-int":
            action += f":{self._hash_bytes(body)}"
        middle = f":{count}:{self._client_nonce}:{quality}" if quality else ""
        response = self._hash(f"{first}:{given['nonce']}{middle}:{self._hash(action)}")
        parameters = [
            *self._username(),
            f"realm={_quote(given.get('realm', ''))}",
            f"nonce={_quote(given['nonce'])}",
            f"uri={_quote(uri)}",
            f'response="{response}"',
        ]
        if "algorithm" in given:
            parameters.append(f"algorithm={given['algorithm'].strip()}")
        if "opaque" in given:
            parameters.append(f"opaque={_quote(given['opaque'])}")
        if quality:
            parameters += [f"qop={quality}", f"nc={count}", f'cnonce="{self._client_nonce}"']
        elif self.challenge.is_session:
            parameters.append(f'cnonce="{self._client_nonce}"')
        return parameters

    def _quality(self) -> str:
        qualities = self.challenge.qualities
        return next((name for name in ("auth", "auth-int") if name in qualities), "")

    def _username(self) -> list[str]:
        if self.challenge.parameters.get("userhash", "").strip().lower() == "true":
            realm = self.challenge.parameters.get("realm", "")
            return [f'username="{self._hash(f"{self._login.username}:{realm}")}"', "userhash=true"]
        return [f"username={_quote(self._login.username)}"]

    def _hash(self, text: str) -> str:
        return self._hash_bytes(text.encode())

    def _hash_bytes(self, data: bytes) -> str:
        # MD5 is the device's choice: what it offers is what it can check.
        name = ALGORITHMS[self.challenge.algorithm]
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
