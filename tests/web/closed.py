"""A closed monitor in this process: every kind of person, and how each of them asks.

Ada the admin, Otto the operator and Vera the viewer see every camera. Lea and Gus see camera
OWN alone: Lea by a grant to view, Gus by one of level admin. Three tokens of Ada: one reads,
one operates, one operates on camera OWN alone.
"""

import base64
import io
import json
import re
import weakref
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from flask import Flask
from werkzeug.test import TestResponse

from accounts.model import User
from fleet import recorder_list
from fleet.model import Finding
from simulators.panasonic import Camera
from tests.accounts.people import PASSWORD, add
from tests.home import Clock, Home
from web.http.authentication import COOKIE

OWN, OTHER, NOBODY = 1, 7002, 7999
"""The camera that limited people see, one that they do not, and a number that none has."""
STREAM = {"Accept": "text/event-stream"}
PAGE = {"Accept": "text/html"}
API = ("/api", "/v0", "/openapi", "/metrics", "/healthz", "/readyz")
"""Paths without pages: refusals are JSON for browsers, too."""
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
PEOPLE = {
    "Ada": ("admin", True),
    "Otto": ("operator", True),
    "Vera": ("viewer", True),
    "Lea": ("viewer", False),
    "Gus": ("viewer", False),
}
GATE = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
SHED = Camera("d4:2d:c5:00:00:02", "127.20.0.10", "Shed")
VAULT = Camera("a8:13:74:ab:cd:ef", "127.20.7.77", "Zebrawood", serial="QQ5577QQ")
TWIN = Camera("a8:13:74:ab:cd:ee", "127.20.0.9", "Quaggasaurus", serial="QQ5588QQ")
TRACES = (
    *("zebrawood", "quagga", "a8:13:74", "a81374", "a8-13-74", "127.20.7.77", "qq55"),
    *("7002", "7003", "7004", "basement-q", "oubliette", "carbuncle"),
)
"""What must never reach somebody who sees neither VAULT nor TWIN, in lower case."""


@dataclass
class Visitor:
    """Somebody who asks the monitor, by headers that are made anew for each request."""

    home: Home
    headers: dict[str, str] = field(default_factory=dict)
    user: int | None = None

    def ask(self, method: str, path: str, address: str = "127.0.0.1", **more: Any) -> TestResponse:
        client = self.home.app.test_client(use_cookies=False)
        headers = {**self.key(), **more.pop("headers", {})}
        base = {"REMOTE_ADDR": address}
        answer = client.open(path, method=method, headers=headers, environ_base=base, **more)
        # What is not read to its end is over when nobody holds it, like a connection.
        if close := getattr(answer.response, "close", None):
            weakref.finalize(answer, close)
        return answer

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def key(self) -> dict[str, str]:
        """A token says who it is by itself; a user begins a session each time."""
        if self.user is None:
            return self.headers
        accounts = self.home.monitor.authenticator.accounts
        return cookie(
            accounts.begin_session(accounts.user(self.user), "browser", "127.0.0.1", "")[1]
        )


def cookie(secret: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={secret}"}


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def visitors(home: Home) -> dict[str, Visitor]:
    """A visitor for each user and token of the text above, and one who is not logged in."""
    accounts = home.monitor.authenticator.accounts
    users = {name: add(accounts, name, *what) for name, what in PEOPLE.items()}
    accounts.grant(users["Lea"].id, "view", device=OWN)
    accounts.grant(users["Gus"].id, "admin", device=OWN)
    visitors = {name: Visitor(home, user=user.id) for name, user in users.items()}
    for name, scope, devices in (
        ("read token", "read", None),
        ("operate token", "operate", None),
        ("camera token", "operate", [OWN]),
    ):
        text = accounts.add_token(users["Ada"].id, name, scope, devices)[1]
        visitors[name] = Visitor(home, bearer(text))
    return {"stranger": Visitor(home), **visitors}


def login(home: Home, name: str, password: str = PASSWORD, **more: Any) -> TestResponse:
    """A login by API."""
    body = {"username": name, "password": password}
    return Visitor(home).ask("POST", "/api/auth/login", json=body, **more)


def user_named(home: Home, name: str) -> User:
    user = home.monitor.authenticator.accounts.by_name(name)
    assert user is not None
    return user


def monitor_of_two(folder: Path, clock: Clock) -> tuple[Home, dict[str, Visitor]]:
    """A closed monitor with GATE (1, own), SHED (2), VAULT (7002), TWIN and a recorder of the list.

    TWIN has GATE's address, GATE and SHED stand behind VAULT, and Gus was granted SHED too.
    Everything that can happen to a camera has happened to VAULT, which is off, as is SHED.
    """
    gate, shed, vault, twin = (replace(camera) for camera in (GATE, SHED, VAULT, TWIN))
    home = Home(folder, clock, gate, shed)
    home.monitor.scheduler.start()
    home.scan()
    home.monitor.tracker.continue_above(0, OTHER - 1, home.clock())
    for camera in (vault, twin):
        home.network.cameras.append(camera)
        home.scan()
    ask = visitors(home)
    words = {"notes": "Oubliette", "tags": ["carbuncle"], "site": "Basement-Q"}
    body_of(ask["Ada"].ask("PATCH", f"/api/camera/{OTHER}", json=words))
    for parent in (OWN, 2):
        body_of(ask["Ada"].ask("PATCH", f"/api/camera/{parent}", json={"parent": OTHER}))
    for what in ("retire", "restore"):
        body_of(ask["Ada"].ask("POST", f"/api/camera/{OTHER}/{what}"))
    accounts = home.monitor.authenticator.accounts
    nia = add(accounts, "Nia", "viewer", sees_all=False)
    for device in (OWN, OTHER):
        accounts.grant(nia.id, "admin", device=device)
    accounts.grant(user_named(home, "Gus").id, "admin", device=2)
    accounts.add_token(user_named(home, "Ada").id, "oubliette", "read", [OTHER])
    ask["token of Nia"] = Visitor(
        home, bearer(accounts.add_token(nia.id, "gate", "operate", [OWN])[1])
    )
    row = recorder_list.RecorderRow("Basement-Q", "QQ5599QQ", "Zebrawood Street")
    home.monitor.tracker.apply(
        recorder_list.edits([row], home.monitor.tracker.devices(), "workbook", clock()), clock()
    )
    home.monitor.tracker.apply(naming_vault(OWN, clock()), clock())
    vault.on = shed.on = False
    home.scan()
    assert [device.id for device in home.devices()] == [OWN, 2, OTHER, OTHER + 1, OTHER + 2]
    assert home.status("2") == "UNREACHABLE"
    kinds = {finding.kind for finding in home.device().findings}
    assert kinds >= {"address.shared", *NAMING}
    return home, ask


NAMING = ("identity.shared", "mac.contested", "kind.to_come")
"""Findings that name the other device, beside the one that TWIN causes."""


def naming_vault(device: int, at: datetime) -> list[Finding]:
    """Findings of the device that name VAULT."""
    text, evidence = f"also used at {VAULT.ip}", {"addresses": [VAULT.ip], "keys": ["Zebrawood"]}
    return [Finding(f"id:{device}", kind, at, text, "onvif", evidence) for kind in NAMING]


def body_of(answer: TestResponse) -> Any:
    """The JSON body of an answer, which must be a success."""
    assert answer.status_code in (200, 201), answer.text
    return answer.json


def routes_of(app: Flask) -> Iterator[tuple[str, str]]:
    """Every (method, rule)."""
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, rule.rule


def path_of(rule: str, key: int = OWN, event: int = 1) -> str:
    """A rule with its gaps filled; users and tokens of this number do not exist."""
    filled = {
        "<key>": str(key),
        "<int:event>": str(event),
        "<int:id>": "999",
        "<int:number>": "999",
        "<name>": "tick",
        "<date>": "2026-03-01",
        "<path:filename>": "style.css",
    }
    for name, value in filled.items():
        rule = rule.replace(name, value)
    return rule


def text_of(answer: TestResponse) -> str:
    """The text of an answer; of a workbook, that of all its parts."""
    if not answer.data.startswith(b"PK"):
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        return "\n".join(packed.read(name).decode() for name in packed.namelist())


def traces_in(answer: TestResponse | bytes | str) -> list[str]:
    """The traces of VAULT and TWIN in an answer, headers and all."""
    if isinstance(answer, TestResponse):
        answer = f"{answer.headers}\n{text_of(answer)}"
    text = answer.decode() if isinstance(answer, bytes) else answer
    return [trace for trace in TRACES if trace in text.casefold()]


def is_our_refusal(answer: TestResponse) -> bool:
    """A refusal in our shape, which says nothing of the program."""
    if answer.mimetype != "application/json":
        return False
    body: Mapping[str, Any] = json.loads(answer.text)
    text = answer.text
    return set(body) == {"error", "hint"} and "Traceback" not in text and ".py" not in text


def follow(visitor: Visitor, query: str = "", **headers: str) -> tuple[TestResponse, Iterator[str]]:
    """Open an event stream and read it piece by piece."""
    answer = visitor.get(f"/api/events?{query}", headers={**STREAM, **headers})
    assert answer.status_code == 200, answer.text
    return answer, (piece.decode() for piece in answer.iter_encoded())


def read_until(pieces: Iterator[str], wanted: str) -> str:
    """Read the pieces up to one with this text."""
    text = ""
    while wanted not in text:
        text += next(pieces)
    return text


# -- what does not count ------------------------------------------------------------------

KEY = "a key that only this monitor has, long enough for each of the algorithms"


def basic(text: str | bytes) -> dict[str, str]:
    raw = text.encode() if isinstance(text, str) else text
    return {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}


def signed(home: Home, key: str = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    """An access token of a session of Vera that was not written by the monitor."""
    accounts = home.monitor.authenticator.accounts
    session = accounts.begin_session(user_named(home, "Vera"), "script", "127.0.0.1", "")[0]
    ends = (home.clock() + timedelta(hours=1)).timestamp()
    body = {"sub": session.digest, "kind": "access", "exp": ends, **changes}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key if algorithm != "none" else None, algorithm)


def parts(text: str, **changed: Any) -> str:
    """The token with its payload changed and its signature kept."""
    head, middle, tail = text.split(".")
    body = json.loads(base64.urlsafe_b64decode(middle + "=="))
    raw = json.dumps({**body, **changed}).encode()
    return ".".join((head, base64.urlsafe_b64encode(raw).decode().rstrip("="), tail))


FORGED: dict[str, Callable[[Home], str]] = {
    "signed with another key": lambda home: signed(home, "x" * 40),
    "signed with an empty payload": lambda home: jwt.encode({}, KEY),
    "not signed at all": lambda home: signed(home, algorithm="none"),
    "without its signature": lambda home: signed(home).rpartition(".")[0] + ".",
    "signed by another algorithm": lambda home: signed(home, algorithm="HS512"),
    "changed": lambda home: parts(signed(home), sub="1" * 64),
    "made to last": lambda home: parts(signed(home), exp=9e9),
    "cut": lambda home: signed(home)[:-4],
    "expired": lambda home: signed(home, exp=home.clock().timestamp() - 1),
    "without an end": lambda home: signed(home, exp=None),
    "with an end that is no time": lambda home: signed(home, exp="tomorrow"),
    "with an end that is a list": lambda home: signed(home, exp=[9e9]),
    "with an end that is no number": lambda home: signed(home, exp=float("nan")),
    "of no session": lambda home: signed(home, sub="9" * 64),
    "of the row of a session": lambda home: signed(home, sub="1"),
    "of a negative session": lambda home: signed(home, sub="-1"),
    "of an endless session": lambda home: signed(home, sub="9" * 5000),
    "of a session of another type": lambda home: signed(home, sub=1),
    "without a session": lambda home: signed(home, sub=None),
    "of another kind": lambda home: signed(home, kind="setup"),
    "without a kind": lambda home: signed(home, kind=None),
    "with a kind that is a list": lambda home: signed(home, kind=["access"]),
    "a refresh token": lambda home: body_of(login(home, "Vera"))["refresh_token"],
    "the secret of a cookie": lambda home: Visitor(home, user=3).key()["Cookie"].split("=", 1)[1],
    "nothing": lambda home: "",
    "nonsense": lambda home: "nonsense",
    "dots": lambda home: "..",
    "not ASCII": lambda home: "\u00e9.\u00e9.\u00e9",
    "very long": lambda home: "a" * 60_000,
    "an unknown API token": lambda home: "cm_" + "a" * 43,
    "a mark alone": lambda home: "cm_",
}


BODIES = {
    "nothing": b"",
    "no JSON": b"username=Ada",
    "half of it": b'{"username": "Ada"',
    "a list": b"[1]",
    "a number": b"1",
    "null": b"null",
    "not UTF-8": b'{"username": "\xff\xfe"}',
    "a lone surrogate": b'{"username": "\\ud800", "password": "\\udfff", "name": "\\ud800"}',
    "NUL": b'{"username": "Ada\\u0000", "password": "\\u0000", "name": "\\u0000", "q\\u0000": 1}',
    "too deep": b"[" * 100_000,
    "too deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "too deep in a field": b'{"username": ' * 50_000 + b"1" + b"}" * 50_000,
    "too large": b'{"username": "' + b"a" * (2 << 20) + b'"}',
    "other types": b'{"username": ["Ada"], "password": {"$ne": ""}, "name": 5, "enabled": "yes"}',
    "numbers without end": b'{"event": 1e999, "days": 99999999999999999999, "with": -1}',
    "fields in other letters": '{"\u0436\u0434": 1, "\u5165": 2, "a\\nb": 3}'.encode(),
    "a prototype": b'{"__proto__": {"role": "admin"}, "__class__": "x"}',
}

NAMES = [
    *(
        (422, name)
        for name in (
            *("", " ", "a" * 41, "a" * 200, "Ad\u0430", "Ada\u202e", "Ada\u200b", "Ada\x00", "%s"),
            *("Ada\n2026", "<script>", "Ada\u115f", "\U0001f600", "../Ada", "Ada; DROP", "{0}"),
        )
    ),
    *(
        (409, name)
        for name in ("Ada", "ADA", " Ada ", "\uff21da", "\U0001d400da", "\u24b6da", "A\u1d48a")
    ),
]

NETWORKS = [
    ("10.1.2.3", {}, True),
    ("::ffff:10.1.2.3", {}, True),
    ("127.0.0.1", {}, True),
    ("10.2.0.1", {}, False),
    ("", {}, False),
    ("2001:db8::1", {}, False),
    ("10.2.0.1", {"X-Forwarded-For": "10.1.2.3"}, False),
    ("10.2.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
    ("127.0.0.1", {"X-Forwarded-For": "10.1.2.3"}, False),
    ("192.0.2.1", {}, False),
    ("192.0.2.1", {"X-Forwarded-For": "10.1.2.3"}, True),
    ("192.0.2.1", {"X-Forwarded-For": "10.1.2.3, 198.51.100.7"}, True),
    ("192.0.2.1", {"X-Forwarded-For": "10.2.0.1"}, False),
    ("192.0.2.1", {"X-Forwarded-For": "10.1.2.3, 10.2.0.1"}, False),
    ("192.0.2.1", {"X-Forwarded-For": "127.0.0.1"}, False),
    ("192.0.2.1", {"X-Forwarded-For": "nonsense"}, False),
    ("192.0.2.1", {"X-Real-IP": "10.1.2.3"}, True),
]
"""Who asks, with what headers, and whether 10.1.0.0/16 alone lets them in."""

OTHER_SITES = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
)


def operations(home: Home, ask: dict[str, Visitor]) -> list[tuple[str, str]]:
    """(method, path) of what takes a body."""
    document = body_of(ask["Ada"].get("/openapi.json"))
    return [
        (method.upper(), re.sub(r"{\w+}", "1", path))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "requestBody" in operation
    ]
