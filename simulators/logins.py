"""The logins of a pretend device, for RTSP and HTTP alike: Basic (RFC 7617), Digest (RFC 7616 and
its older form without qop), and what makers add to them.

A device keeps each attempt, so that a test can prove which passwords it was shown.
"""

import hashlib
import itertools
import re
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
ALGORITHMS = {"md5": "MD5", "sha256": "SHA-256", "maker": "MD5"}
PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True)
class Attempt:
    """One login that a client tried. `outcome`: right, wrong, stale, or locked."""

    at: float
    """By the monotonic clock."""
    scheme: str
    username: str
    outcome: str
    method: str
    fields: dict[str, str]
    """Of Digest its parameters; of WS-UsernameToken (scheme wsse) its elements; of Basic, and of
    a token in clear text (wsse-text), the password."""

    def shows(self, password: str) -> bool:
        """Whether this password was used for it, also where only its digest was sent."""
        if self.scheme == "wsse":
            return self.fields.get("digest") == token_digest(self.fields, password)
        if self.scheme != "digest":
            return self.fields.get("password") == password
        return self.fields.get("response") == response(self.fields, self.method, password)


def response(fields: dict[str, str], method: str, password: str) -> str:
    """The `response` of a Digest header with these parameters."""
    make = HASHES.get(fields.get("algorithm", "MD5").upper(), hashlib.md5)

    def digest(*parts: str) -> str:
        return make(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    secret = digest(fields.get("username", ""), fields.get("realm", ""), password)
    request = digest(method, fields.get("uri", ""))
    nonce = fields.get("nonce", "")
    if not fields.get("qop"):
        return digest(secret, nonce, request)
    middle = (nonce, fields.get("nc", ""), fields.get("cnonce", ""), fields["qop"])
    return digest(secret, *middle, request)


def token_digest(fields: dict[str, str], password: str) -> str:
    """The password digest of a WS-UsernameToken with this nonce and time."""
    try:
        nonce = b64decode(fields.get("nonce", ""))
    except ValueError:
        nonce = b""
    text = nonce + fields.get("created", "").encode() + password.encode()
    return b64encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode()


@dataclass
class Accounts:
    """The one account of a device. Give the same object to its RTSP and its ONVIF server, and they
    share the lock-out."""

    username: str = ""
    """Empty: the device asks nobody for a login."""
    password: str = ""
    offers: tuple[str, ...] = ("md5",)
    """In the order of its challenges: basic, md5, sha256, maker (Digest with a realm of the maker's
    own, which no user name and password fit), unknown (a scheme of no RFC)."""
    realm: str = "IP Camera"
    refused_realm: str = ""
    """The realm after a wrong login, where it differs."""
    qop: str = "auth"
    """As offered; empty for the older form of Digest."""
    untidy: bool = False
    """Challenges with doubled blanks, `stale` without quotes, and a realm without quotes."""
    nonce_uses: int = 0
    """After this many requests a nonce is stale; 0: never."""
    always_stale: bool = False
    hides_stale: bool = False
    """A stale nonce is refused like a wrong password, with a newer nonce."""
    changes_after: int = 0
    """After this many accepted logins the password becomes another one; 0: never."""
    always_wrong: bool = False
    lock_after: int = 0
    """Wrong logins until the account is locked; 0: never."""
    lock_seconds: float = 1800
    shows_attempts: bool = False
    """Whether a refusal tells how many attempts are left."""
    attempts: list[Attempt] = field(default_factory=list)
    wrong_in_a_row: int = 0
    locked_until: float = 0
    _nonces: dict[str, tuple[str, int]] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def is_open(self) -> bool:
        return not self.username

    @property
    def attempts_left(self) -> int | None:
        """Until the account is locked, where the device tells it."""
        if not self.shows_attempts or not self.lock_after:
            return None
        return max(0, self.lock_after - self.wrong_in_a_row)

    @property
    def is_locked(self) -> bool:
        return time.monotonic() < self.locked_until

    @property
    def wrong(self) -> int:
        """Logins that it refused, also those refused because it is locked."""
        return sum(attempt.outcome in ("wrong", "locked") for attempt in self.attempts)

    @property
    def right(self) -> int:
        return sum(attempt.outcome == "right" for attempt in self.attempts)

    def saw(self, password: str) -> bool:
        """Whether any login was tried with this password."""
        return any(attempt.shows(password) for attempt in self.attempts)

    def unlock(self) -> None:
        self.locked_until, self.wrong_in_a_row = 0, 0

    def challenges(self, is_stale: bool = False) -> list[str]:
        """The values of the `WWW-Authenticate` headers, each with a nonce of its own."""
        realm = self.refused_realm if self.refused_realm and self.wrong_in_a_row else self.realm
        says_stale = (is_stale or self.always_stale) and not self.hides_stale
        return [self._challenge(offer, realm, says_stale) for offer in self.offers]

    def _challenge(self, offer: str, realm: str, is_stale: bool) -> str:
        if offer == "basic":
            return f'Basic realm="{realm}"'
        if offer == "unknown":
            return f'Vendor2 realm="{realm}", token="{next(self._numbers):08x}"'
        algorithm = ALGORITHMS[offer]
        nonce = hashlib.sha256(f"{id(self)}/{next(self._numbers)}".encode()).hexdigest()[:32]
        self._nonces[nonce] = (algorithm, 0)
        if offer == "maker":
            return f'Digest realm="TP-LINK Streaming Media", nonce="{nonce}"'
        if self.untidy:
            first = "cam" if " " in realm else realm
            return f'Digest  realm={first},nonce="{nonce}",  stale={str(is_stale).upper()}'
        parts = [f'realm="{realm}"', f'nonce="{nonce}"']
        if self.qop:
            parts.insert(0, f'qop="{self.qop}"')
        if algorithm != "MD5":
            parts.append(f'algorithm="{algorithm}"')
        if is_stale:
            parts.append('stale="TRUE"')
        return "Digest " + ", ".join(parts)

    def judge(self, method: str, header: str | None) -> str:
        """The outcome of a request with this `Authorization` header: right, wrong, stale, locked,
        or none (no login came with it, or only that of a scheme that was not offered)."""
        if self.is_open:
            return "right"
        if not header:
            return "none"
        scheme, _, rest = header.partition(" ")
        scheme = scheme.lower()
        fields = _basic(rest) if scheme == "basic" else _parameters(rest)
        if scheme == "basic":
            outcome = self._judge_basic(fields)
        elif scheme == "digest":
            outcome = self._judge_digest(method, fields)
        else:
            return "none"
        return self.note(scheme, fields, outcome, method)

    def note(self, scheme: str, fields: dict[str, str], outcome: str, method: str = "") -> str:
        """Keep an attempt, and lock the account after too many wrong ones; the final outcome."""
        if self.is_locked and outcome != "stale":
            outcome = "locked"
        username = fields.get("username", "")
        self.attempts.append(Attempt(time.monotonic(), scheme, username, outcome, method, fields))
        if outcome == "right":
            self.wrong_in_a_row = 0
            if self.right == self.changes_after:
                self.password = f"{self.password}-changed"
        elif outcome == "wrong":
            self.wrong_in_a_row += 1
            if self.lock_after and self.wrong_in_a_row >= self.lock_after:
                self.locked_until = time.monotonic() + self.lock_seconds
        return outcome

    def judge_token(self, fields: dict[str, str], is_fresh: bool) -> str:
        """The outcome of a WS-UsernameToken: right, wrong, locked, or stale by the device's clock.
        `fields`: username, and either nonce, created and digest, or the password."""
        if self.is_open:
            return "right"
        fits = fields.get("username") == self.username and (
            fields["password"] == self.password
            if "password" in fields
            else fields.get("digest") == token_digest(fields, self.password)
        )
        scheme = "wsse-text" if "password" in fields else "wsse"
        if scheme == "wsse" and not is_fresh:
            return self.note(scheme, fields, "stale")
        return self.note(scheme, fields, self._right_or_wrong(fits))

    def _judge_basic(self, fields: dict[str, str]) -> str:
        fits = (fields.get("username"), fields.get("password")) == (
            self.username,
            self.password,
        )
        return self._right_or_wrong("basic" in self.offers and fits)

    def _right_or_wrong(self, fits: bool) -> str:
        return "right" if fits and not self.always_wrong else "wrong"

    def _judge_digest(self, method: str, fields: dict[str, str]) -> str:
        algorithm = fields.get("algorithm", "MD5").upper()
        offered, uses = self._nonces.get(fields.get("nonce", ""), ("", 0))
        fits = fields.get("username") == self.username and fields.get("response") == response(
            fields, method, self.password
        )
        has_qop = fields.get("qop", "") == ("auth" if self.qop and not self.untidy else "")
        if not fits or not has_qop or "maker" in self.offers or offered not in ("", algorithm):
            return "wrong"
        if not offered or self.always_stale or (self.nonce_uses and uses >= self.nonce_uses):
            return "stale"
        self._nonces[fields["nonce"]] = (offered, uses + 1)
        return self._right_or_wrong(True)


def _basic(text: str) -> dict[str, str]:
    try:
        username, _, password = b64decode(text.strip(), validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"username": username, "password": password}


def _parameters(text: str) -> dict[str, str]:
    return {name.lower(): quoted or bare for name, quoted, bare in PARAMETER.findall(text)}
