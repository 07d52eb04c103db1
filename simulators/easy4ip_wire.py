"""The requests and answers of Dahua's Easy4IP cloud and its recorders. Pure: no I/O, no clock.

A request is held to every letter of the protocol's description, far stricter than the real cloud
is, so that a client that is answered here has made no mistake.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

# The vendor's desktop app (SmartPSS Lite since 2024-10) has these built in; they open no site.
USER, KEY = "cba1b29e32cb17aa46b8ff9e73c7f40b", "996103384cdf19179e19243e959bbf8b"
INFO_KEY, INFO_VECTOR = b"kRjmsUB&ezmdGLL67H#$ojw@XflcaIaf", b"MydvJw*Iw1w&i^kk"
DEVICE_SIDE = "127.0.0.1:8802"
WINDOW = 600  # seconds by which Created may differ from the cloud's clock
REMEMBERED = 60.0  # seconds in which a CSeq counts as repeated; the vendor's tools repeat for 20

# The four questions: by their path without the serial.
STEPS = {
    "/probe/p2psrv": "hello",
    "/online/p2psrv/": "lookup",
    "/probe/device/": "probe",
    "/info/device/": "info",
}
BARE = ["CSeq"]
WITH_AUTH = ["CSeq", "Authorization", "X-WSSE"]
AUTHORIZATION = 'WSSE profile="UsernameToken"'
PATH = re.compile(r"(/probe/p2psrv|/(?:online/p2psrv|probe/device|info/device)/)(.*)", re.DOTALL)
TOKEN = re.compile(
    r'UsernameToken Username="([^"]+)", PasswordDigest="([A-Za-z0-9+/]{27}=)", '
    r'Nonce="(0|-?[1-9]\d*)", Created="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"'
)
CSEQ = re.compile(rb"^CSeq: (\d{1,10})\r?$", re.MULTILINE)

REASONS = {
    100: "Trying",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    500: "Internal CloudServer Error",
}


class Malformed(Exception):
    """A request that differs from the description; the words say where."""


class Auth(NamedTuple):
    user: str
    digest: str
    nonce: str
    created: str


class Request(NamedTuple):
    """`step` is "hello", "lookup", "probe" or "info"; `auth` is None without the two headers."""

    step: str
    serial: str
    cseq: int
    auth: Auth | None


def parse(datagram: bytes) -> Request:
    """The request in a datagram; raises Malformed at the first deviation."""
    try:
        text = datagram.decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("bytes that are not ASCII") from None
    if re.search(r"(?<!\r)\n|\r(?!\n)", text):
        raise Malformed("a line end that is not CRLF")
    head, end, body = text.partition("\r\n\r\n")
    if not end:
        raise Malformed("no blank line at the end")
    if body:
        raise Malformed("a body after DHGET")
    first, *lines = head.split("\r\n")
    step, serial = _asked(first)
    cseq, auth = _headers(lines)
    return Request(step, serial, cseq, auth)


def cseq_of(datagram: bytes) -> int | None:
    """The CSeq of a request, however malformed the rest; None if there is none."""
    match = CSEQ.search(datagram)
    return int(match[1]) if match else None


def _asked(line: str) -> tuple[str, str]:
    verb, _, rest = line.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    if verb != "DHGET":
        raise Malformed(f"verb {verb!r}, not DHGET")
    if protocol != "HTTP/1.1":
        raise Malformed(f"protocol {protocol!r}, not HTTP/1.1")
    match = PATH.fullmatch(path)
    if not match:
        raise Malformed(f"unknown path {path!r}")
    stem, serial = match.groups()
    right = "" if stem == "/probe/p2psrv" else "[0-9A-Za-z]+"
    if not re.fullmatch(right, serial):
        raise Malformed(f"serial {serial!r} in {path!r}: letters and digits only")
    return STEPS[stem], serial


def _headers(lines: list[str]) -> tuple[int, Auth | None]:
    parts = [line.partition(": ") for line in lines]
    names, values = [name for name, _, _ in parts], [value for _, _, value in parts]
    if names not in (BARE, WITH_AUTH):
        raise Malformed(f"headers {names}, not {WITH_AUTH}")
    if not re.fullmatch(r"[1-9]\d*", values[0]) or int(values[0]) >= 2**31:
        raise Malformed(f"CSeq {values[0]!r}: not a decimal from 1 to 2147483647")
    if names == BARE:
        return int(values[0]), None
    if values[1] != AUTHORIZATION:
        raise Malformed(f"Authorization {values[1]!r}, not {AUTHORIZATION!r}")
    return int(values[0]), _auth(values[2])


def _auth(value: str) -> Auth:
    match = TOKEN.fullmatch(value)
    if not match:
        raise Malformed(f"X-WSSE {value!r}")
    auth = Auth(*match.groups())
    if not -(2**31) <= int(auth.nonce) < 2**32:
        raise Malformed(f"nonce {auth.nonce}: more than 32 bits")
    try:
        seconds(auth.created)
    except ValueError:
        raise Malformed(f"Created {auth.created!r}: no such time") from None
    return auth


def digest(nonce: str, created: str, user: str, key: str) -> str:
    """The WSSE PasswordDigest: the nonce goes in as its decimal text."""
    raw = hashlib.sha1(f"{nonce}{created}DHP2P:{user}:{key}".encode(), usedforsecurity=False)
    return b64encode(raw.digest()).decode()


@lru_cache(maxsize=4096)
def seconds(created: str) -> float:
    """Unix time of a Created value; ValueError if there is no such time."""
    return datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


@lru_cache(maxsize=16)
def date(second: int) -> str:
    """A Unix time as the Date header has it."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def sealed(text: str) -> str:
    """The content of `<Info>` for this plain text: AES-256-OFB, one key and vector for all."""
    from cryptography.hazmat.decrepit.ciphers.modes import OFB
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    pen = Cipher(AES(INFO_KEY), OFB(INFO_VECTOR)).encryptor()
    return b64encode(pen.update(text.encode()) + pen.finalize()).decode()


class CloudAnswer(NamedTuple):
    """An answer before it is written down. `form` is one of FORMS: how to spoil it, or ""."""

    code: int
    body: str = ""
    form: str = ""
    is_dated: bool = True

    def datagram(self, cseq: int | None, now: float) -> bytes:
        """The bytes to send at the cloud's Unix time `now`; no CSeq header if `cseq` is None."""
        body = BODY_FORMS.get(self.form, str)(self.body)
        lines = [f"HTTP/1.1 {self.code} {REASONS[self.code]}"]
        if self.is_dated:
            lines.append(f"Date: {date(int(now))}")
        if cseq is not None:
            lines.append(f"CSeq: {cseq}")
        if body:
            lines += ["Content-Type: ", f"Content-Length: {len(body.encode())}"]
        written = "\r\n".join([*lines, "", body]).encode()
        return WHOLE_FORMS.get(self.form, bytes)(written)


TRYING, NOT_FOUND = CloudAnswer(100), CloudAnswer(404)
TIMEOUT = CloudAnswer(401, "<body><Error>Error TimeOut</Error></body>")
KEY_ERROR = CloudAnswer(401, "<body><Error>KeyError</Error></body>")
FORBIDDEN = CloudAnswer(403, is_dated=False)  # the one that was logged had no Date
CODES = {"403": FORBIDDEN, "404": NOT_FOUND, "500": CloudAnswer(500), "timeout": TIMEOUT}


def _odd_spaces(datagram: bytes) -> bytes:
    head, end, body = datagram.partition(b"\r\n\r\n")
    return re.sub(rb"(?m)(^HTTP/1.1|:) ", rb"\1   ", head).replace(b"\r", b"  \r") + end + body


def _long(body: str) -> str:
    return (body or "<body></body>").replace("</body>", f"<Padding>{'0' * 6000}</Padding></body>")


BODY_FORMS: dict[str, Callable[[str], str]] = {
    "dtd": lambda body: '<!DOCTYPE body [<!ENTITY a "a">]>' + (body or "<body></body>"),
    "not_xml": lambda body: (body or "<body></body>").replace("</", "<"),
    "long": _long,
}
WHOLE_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "no_reason": lambda datagram: re.sub(rb"^(HTTP/1.1 \d+) [^\r]*", rb"\1", datagram),
    "no_blank_line": lambda datagram: datagram.replace(b"\r\n\r\n", b"\r\n", 1),
    "odd_spaces": _odd_spaces,
    "lower_case": lambda datagram: re.sub(
        rb"(?m)^[A-Z][A-Za-z-]+(?=: )", lambda name: name[0].lower(), datagram
    ),
    "cut": lambda datagram: datagram[: len(datagram) // 2],
    "noise": lambda datagram: bytes(range(256)),
    "empty": lambda datagram: b"",
}
FORMS = {*BODY_FORMS, *WHOLE_FORMS}
BAD_US = {
    "us_empty": "",
    "us_no_colon": "127.0.0.1",
    "us_port_word": "127.0.0.1:none",
    "us_port_0": "127.0.0.1:0",
    "us_port_65536": "127.0.0.1:65536",
}
KINDS = {"ok", "silent", "key_error", "no_us", "info_empty", "info_missing", "no_body"}
KINDS |= CODES.keys() | BAD_US.keys() | FORMS

NOWHERE = {"probe": "404", "info": "404"}  # no P2P server has it
# What a recorder of each state answers; a step that is not named is "ok".
STATES: dict[str, dict[str, str]] = {
    "online": {},
    "offline": {"lookup": "404", **NOWHERE},
    "unknown": {"lookup": "404", **NOWHERE},  # on the wire nobody can tell it from the one above
    "no_us": {"lookup": "no_us", **NOWHERE},
    **{state: {"lookup": state} for state in BAD_US},
    "probe_404": {"probe": "404"},
    "info_404": {"info": "404"},
    "gone": NOWHERE,
    "silent": {"probe": "silent", "info": "silent"},
    "probe_silent": {"probe": "silent"},
    "info_silent": {"info": "silent"},
    "info_empty": {"info": "info_empty"},
    "info_missing": {"info": "info_missing"},
    "no_body": {"info": "no_body"},
    "key_error": {"probe": "key_error", "info": "key_error"},
}


@dataclass
class Recorder:
    """One pretend recorder, or a serial that none has. Tests change it while its cloud runs.

    `state` is one of STATES and says what becomes of the steps "lookup", "probe" and "info".
    `answers` says otherwise for single steps: one of KINDS, for example {"info": "dtd"}. `once`
    does so for the next request of that step only (each datagram counts, also if its answer is
    lost). `server` is the index of its P2P server; `us` is what the lookup says in place of that
    server's address. `trying`: how many "100 Trying" come before each final answer. `cseq`: that
    of the answers about it, in place of the cloud's own `cseq` when not empty.
    """

    serial: str
    server: int = 0
    state: str = "online"
    version: str = "6.7.30"
    ports: dict[str, int] = field(
        default_factory=lambda: {
            "httpport": 80,
            "privport": 37777,
            "rtspport": 554,
            "tlsprivport": 37778,
        }
    )
    randsalt: str = "5daf91fc5cfc1be8e081cfb08f792726"
    us: str = ""
    trying: int = 0
    cseq: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    once: dict[str, str] = field(default_factory=dict)

    def next_kind(self, step: str) -> str:
        """The kind of its next answer to `step`; uses up `once`."""
        kind = STATES[self.state].get(step, "ok")
        kind = self.once.pop(step, self.answers.get(step, kind))
        if kind not in KINDS:
            raise ValueError(f"{self.serial}: no such answer {kind!r} (there are {sorted(KINDS)})")
        return kind


def refusal(auth: Auth, keys: dict[str, str], now: float) -> CloudAnswer | None:
    """The error for these auth headers at the cloud's time `now`; None if they are right."""
    if abs(seconds(auth.created) - now) > WINDOW:
        return TIMEOUT
    key = keys.get(auth.user)
    if key is None or digest(auth.nonce, auth.created, auth.user, key) != auth.digest:
        return FORBIDDEN
    return None


def fleet(size: int, servers: int = 8) -> list[Recorder]:
    """`size` recorders (at most 100,000) that are online: SIM00000PAZ0000, SIM00001PAZ0001 ..."""
    serials = (f"SIM{number:05}PAZ{number % 10_000:04}" for number in range(size))
    return [Recorder(serial, number % servers) for number, serial in enumerate(serials)]


def answer(recorder: Recorder, request: Request, us: str) -> CloudAnswer | None:
    """The answer of a recorder's servers about it now; None is silence.

    `us` is the address of the recorder's P2P server as "ip:port".
    """
    kind = recorder.next_kind(request.step)
    if kind == "silent":
        return None
    if kind == "key_error" and request.auth:
        return KEY_ERROR
    if kind in CODES:
        return CODES[kind]
    return CloudAnswer(200, _body(recorder, request.step, us, kind), kind if kind in FORMS else "")


def right_answer(recorder: Recorder, step: str, us: str) -> CloudAnswer:
    """The answer if the recorder were online."""
    return CloudAnswer(200, _body(recorder, step, us, "ok"))


def _body(recorder: Recorder, step: str, us: str, kind: str) -> str:
    if kind == "no_body" or step not in ("lookup", "info"):
        return ""
    if step == "lookup":
        us = BAD_US.get(kind, recorder.us or us)
        element = "" if kind == "no_us" else f"<US>{us}</US>"
        return f"<body><DS>{DEVICE_SIDE}</DS>{element}</body>"
    facts = {**recorder.ports, "randsalt": recorder.randsalt}
    info = sealed(json.dumps(facts, sort_keys=True, separators=(",", ":")))
    element = {"info_empty": "<Info></Info>", "info_missing": ""}.get(kind, f"<Info>{info}</Info>")
    return f"<body><DevVersion>{recorder.version}</DevVersion>{element}</body>"


class RequestCounts:
    """The requests to one server, lost datagrams and unknown serials included.

    `counts` is by step ("hello", "lookup", "probe", "info"). A request is new unless its CSeq and
    path were asked within the last minute. `peak`: the most new requests that ever arrived within
    one second, by the kernel's timestamps. `stale_repeats`: repeats with the nonce of before.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.peak = self.new = self.repeats = self.stale_repeats = 0
        self._second: deque[float] = deque()
        self._known: dict[tuple[int, str, str], tuple[float, str]] = {}

    def add(self, request: Request, now: float) -> None:
        """Count a request that arrived at Unix time `now`."""
        self.counts[request.step] += 1
        self._forget_before(now - REMEMBERED)
        nonce = request.auth.nonce if request.auth else ""
        key = request.cseq, request.step, request.serial
        # Taken out and put to the end, so that the oldest is always first.
        _, before = self._known.pop(key, (0.0, None))
        self._known[key] = now, nonce
        if before is None:
            self._add_new(now)
        else:
            self.repeats += 1
            self.stale_repeats += bool(nonce) and nonce == before

    def _add_new(self, now: float) -> None:
        self.new += 1
        self._second.append(now)
        while self._second[0] <= now - 1:
            self._second.popleft()
        self.peak = max(self.peak, len(self._second))

    def _forget_before(self, moment: float) -> None:
        while self._known and self._known[oldest := next(iter(self._known))][0] < moment:
            del self._known[oldest]
