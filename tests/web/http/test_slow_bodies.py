"""Rights are judged when the act is done: a body that comes slowly brings nobody in.

The headers and half of the body come while somebody may do it, the rest when they may no more.
"""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from simulators.panasonic import crowd
from tests import workbooks
from tests.accounts import people
from tests.accounts.people import NEW, PASSWORD
from tests.home import Clock, Home, Running, running
from tests.web.closed import bearer, cookie
from tests.web.visits import ask, basic

ROWS = [("SIM00001PAZ0001", "AAA-01", "Aachen"), ("SIM00002PAZ0002", "BBB-01", "Bergen")]
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "0123456789"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass
class Slow:
    """A request whose headers and half of whose body have been sent."""

    monitor: Running
    method: str
    path: str
    body: bytes
    kind: str
    key: Mapping[str, str]

    def __enter__(self) -> "Slow":
        headers = {
            "Host": f"127.0.0.1:{self.monitor.port}",
            "Content-Type": self.kind,
            "Content-Length": f"{len(self.body)}",
            **self.key,
        }
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join((*lines, "", "")).encode()
        self.sock = socket.create_connection(("127.0.0.1", self.monitor.port), timeout=30)
        self.sock.sendall(head + self.body[: len(self.body) // 2])
        return self

    def finish(self) -> tuple[int, str]:
        """Send the rest; the answer."""
        self.sock.sendall(self.body[len(self.body) // 2 :])
        answer = http.client.HTTPResponse(self.sock, method=self.method)
        answer.begin()
        return answer.status, answer.read().decode()

    def __exit__(self, *_error: object) -> None:
        self.sock.close()


def slow(
    monitor: Running, method: str, path: str, body: Any, key: Mapping[str, str], page: bool = False
) -> Slow:
    if isinstance(body, bytes):
        kind = MULTIPART
    elif page or not path.startswith("/api"):
        body, kind = urlencode(body).encode(), FORM
    else:
        body, kind = json.dumps(body).encode(), "application/json"
    # A body of nothing has no second half.
    return Slow(monitor, method, path, body or b"  ", kind, key)


def multipart(data: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="file"; filename="new.xlsx"'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


VERA, EDIT = {"username": "Vera"}, {"do": "change", "notes": "Mallory was here"}
MALLORY = {"username": "Mallory", "password": NEW, "role": "admin"}
CHANGE = {"current": PASSWORD, "password": NEW}
GRANT = {"level": "admin", "site": "AAA-01"}
ACTS: list[tuple[str, str, Any]] = [
    ("POST", "/api/users", MALLORY),
    ("POST", "/settings/users", MALLORY),
    ("PATCH", "/api/users/2", {"password": NEW}),
    ("PATCH", "/api/users/2", {"role": "admin"}),
    ("POST", "/settings/users/2", {"role": "viewer", "password": NEW}),
    ("POST", "/settings/users/2", {"do": "remove", "sure": "Vera"}),
    ("DELETE", "/api/users/2", {}),
    ("POST", "/api/users/2/grants", GRANT),
    ("POST", "/settings/users/2/grants", GRANT),
    ("DELETE", "/api/users/2/grants/1", {}),
    ("DELETE", "/api/users/2/tokens/1", {}),
    ("POST", "/settings/users/2/tokens/1/revoke", {"x": "y"}),
    ("POST", "/api/tokens", {"name": "mine", "scope": "operate"}),
    ("POST", "/account/tokens", {"name": "mine", "scope": "operate"}),
    ("POST", "/api/auth/password", CHANGE),
    ("POST", "/account/password", {**CHANGE, "again": NEW}),
    ("PATCH", "/api/camera/1", {"notes": "Mallory was here"}),
    ("POST", "/cameras/1/edit", EDIT),
    ("POST", "/api/camera/1/retire", {}),
    ("POST", "/api/camera/1/merge", {"with": 2}),
    ("POST", "/cameras/1/merge", {"with": "2"}),
    ("POST", "/api/camera/1/split", {"identities": ["mac:00:00:00:00:00:01"]}),
    ("POST", "/api/undo", {"event": 1}),
    ("POST", "/api/cleanup", {"days": 1}),
    ("DELETE", "/api/camera/2", {"confirm": "Camera 2"}),
    ("POST", "/api/delete", {"not_seen_days": 1, "confirm": 0}),
    ("POST", "/api/scan", {}),
    ("POST", "/scan", {"x": "y"}),
    ("POST", "/api/auto-scan", {"enabled": True}),
    ("POST", "/auto-scan", {"enabled": "on"}),
    ("POST", "/api/jobs/tick/run", {}),
    ("POST", "/api/refresh", {}),
    ("POST", "/api/update-p2p", {"site": "AAA-01", "p2pNumber": "MALLORY123"}),
    ("POST", "/settings/workbook", multipart(workbooks.book_of([("MALLORY123", "AAA-01", "M")]))),
    ("POST", "/settings/workbook/serial", {"site": "AAA-01", "serial": "MALLORY123"}),
    ("POST", "/cameras/1/serial", {"p2pNumber": "MALLORY123"}),
    ("POST", "/settings/workbook/commit", {"key": "a" * 64}),
    ("POST", "/settings/workbook/undo", {"x": "y"}),
]
ENDS = ("removed", "password", "logout", "limited", "revoked", "basic")


@dataclass
class Scene:
    """A running monitor with many administrators, each logged in; some are used up by each test."""

    monitor: Running
    keys: list[tuple[int, str, str]]

    def administrator(self) -> tuple[int, str, dict[str, str]]:
        """The number, the name and the cookie of one who was not used yet."""
        number, name, secret = self.keys.pop()
        return number, name, cookie(secret)

    def state(self) -> Any:
        """What the acts would change, and what the log says of them."""
        users = ask(self.monitor, "GET", "/api/users")["users"]
        kept = [user for user in users if not user["username"].startswith("Eve")]
        return (
            [{**user, "last_login": "", "last_address": ""} for user in kept],
            [ask(self.monitor, "GET", f"/api/camera/{number}")["notes"] for number in (1, 2)],
            ask(self.monitor, "GET", "/api/stats")["auto_scan_enabled"],
            ask(self.monitor, "GET", "/api/scan")["last"],
            ask(self.monitor, "GET", "/api/dvrs"),
            (self.monitor.folder / "P2P1.xlsx").read_bytes(),
            list((self.monitor.folder / "data").glob("uploads/*")),
        )

    def done_by(self, name: str) -> Any:
        return ask(self.monitor, "GET", f"/api/audit?who={name}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, clock = tmp_path_factory.mktemp("slow"), Clock()
    clock.now = datetime.now(UTC)
    workbooks.write(folder / "P2P1.xlsx", ROWS)
    home = Home(folder, clock, *crowd(2))
    try:
        home.scan()
        accounts = home.monitor.authenticator.accounts
        people.add(accounts, "Ada", "admin")
        vera = people.add(accounts, "Vera")
        accounts.grant(vera.id, "view", device=1)
        accounts.add_token(vera.id, "report", "read")
        keys = []
        for number in range(2 * len(ACTS) + len(ENDS)):
            eve = people.add(accounts, f"Eve{number}", "admin")
            keys.append((eve.id, eve.name, accounts.begin_session(eve, "browser", "", "")[1]))
    finally:
        home.close()
    with running(folder) as monitor:
        yield Scene(monitor, keys)


@pytest.mark.parametrize(("method", "path", "body"), ACTS)
def test_who_is_removed_while_the_body_comes_does_nothing(
    scene: Scene, method: str, path: str, body: Any
) -> None:
    number, name, key = scene.administrator()
    before = scene.state()
    with slow(scene.monitor, method, path, body, key) as begun:
        ask(scene.monitor, "DELETE", f"/api/users/{number}")
        status, text = begun.finish()
    assert status == 401, text
    assert scene.state() == before
    assert scene.done_by(name) == []


@pytest.mark.parametrize("end", ENDS)
def test_every_way_in_which_a_right_ends_ends_what_is_under_way(scene: Scene, end: str) -> None:
    number, name, key = scene.administrator()
    ada, wanted = scene.monitor, 401
    if end == "basic":
        key = basic(name)
    if end == "revoked":
        made = scene.monitor.request("POST", "/api/tokens", {"name": "x", "scope": "operate"}, key)
        key = bearer(made.json["token"])
    act = ("PATCH", "/api/camera/1", {"notes": "Mallory"}) if end == "revoked" else ACTS[0]
    before = scene.state()
    with slow(scene.monitor, *act, key) as begun:
        if end == "removed":
            ask(ada, "DELETE", f"/api/users/{number}")
        elif end == "logout":
            assert scene.monitor.request("POST", "/api/auth/logout", headers=key).status == 200
        elif end == "revoked":
            token = made.json["id"]
            ask(ada, "DELETE", f"/api/users/{number}/tokens/{token}")
        elif end == "limited":
            ask(ada, "PATCH", f"/api/users/{number}", {"all_cameras": False})
            wanted = 403
        else:
            ask(ada, "PATCH", f"/api/users/{number}", {"password": NEW})
        status, text = begun.finish()
    assert status == wanted, text
    assert scene.state() == before


@pytest.mark.parametrize(("method", "path", "body"), ACTS)
def test_the_same_slow_request_is_taken_from_who_still_may(
    scene: Scene, method: str, path: str, body: Any
) -> None:
    """So that the refusals above are for who asks."""
    _number, _name, key = scene.administrator()
    with slow(scene.monitor, method, path, body, key) as begun:
        status, text = begun.finish()
    assert status not in (401, 403), text
    assert status < 500, text
