"""A canary in every field that takes text: the secret ones are never seen again, anywhere."""

import base64
import html
import http.client
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from settings import Settings
from simulators.panasonic import Camera, Network
from tests import stored_secrets, warm_start
from tests.home import ROOT, Answer, Running, running, until
from tests.web.closed import bearer, cookie, path_of
from tests.web.roles import TABLE, reading_of

GATE = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
KEYS = {
    name.upper(): f"Tukan{name}Kolibri0123456789abcdef"
    for name, option in Settings.model_fields.items()
    if "Secret" in str(option.annotation) and name != "database_url"
}
"""Every secret option; a new one is covered by itself."""
FIRST = KEYS["ADMIN_PASSWORD"]
OPTIONS = {**KEYS, "ADMIN_USERNAME": "Ada", "LOG_LEVEL": "DEBUG", "FLASK_DEBUG": "true"}
# Bodies that are taken; every other field of theirs gets a canary all the same.
SOUND: dict[str, dict[str, Any]] = {
    "/api/auth/login": {"username": "Ada"},
    "/api/users": {"username": "Vera", "role": "viewer"},
    "/api/users/{id}": {"role": "operator"},
    "/api/users/{id}/grants": {"level": "view", "device": 1, "site": None, "hours": None,
                               "weekdays": [], "rights": []},
    "/api/tokens": {"scope": "read", "expires": None, "devices": None},
    "/api/schedules": {"camera": 1, "cameras": [1], "schedule_type": "weekly",
                       "start_time": "18:00", "end_time": "06:00", "days_of_week": ["monday"],
                       "start_date": None, "end_date": None, "timezone": "UTC",
                       "record_quality": None},
    "/api/camera/{key}": {"parent": None, "parents": None, "kind": "switch",
                          "recording": {"record_quality": "high"}},
}  # fmt: skip


@dataclass
class CanaryRun:
    """A running monitor, the canaries planted in it, and all that it answered."""

    monitor: Running
    secrets: list[str] = field(
        default_factory=lambda: [*KEYS.values(), *stored_secrets.TEXTS.values()]
    )
    plain: list[str] = field(default_factory=list)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    key: dict[str, str] = field(default_factory=dict)
    number: Iterator[int] = field(default_factory=lambda: count(1000))

    def secret(self) -> str:
        """A password good enough to be taken."""
        self.secrets.append(f"Tukan{next(self.number)}Kolibri")
        return self.secrets[-1]

    def text(self) -> str:
        """What a page would run if it did not escape it."""
        self.plain.append(f"<script>canary{next(self.number)}</script>")
        return self.plain[-1]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        answer = self.monitor.request(method, path, body, {**self.key, **headers})
        self.answers.append((f"{method} {path}", answer))
        return answer

    def read(self, path: str) -> Answer:
        """What a browser gets; of live video, which has no end, the beginning."""
        if reading_of(path) == "GET":
            return self.ask("GET", path, Accept="text/html")
        answer = self.monitor.beginning(path, {**self.key, "Accept": "text/html"})
        if not answer.status:  # A camera that sends nothing: it is waited for.
            return self.ask("HEAD", path, Accept="text/html")
        self.answers.append((f"GET {path}", answer))
        return answer

    def send(self, path: str, **form: str) -> Answer:
        """A form, as a browser sends it."""
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor.port, timeout=30)
        try:
            connection.request("POST", path, urlencode(form), {**self.key, **kind})
            got = connection.getresponse()
            answer = Answer(got.status, dict(got.getheaders()), got.read())
        finally:
            connection.close()
        self.answers.append((f"POST {path}", answer))
        return answer

    def enter(self, name: str, password: str) -> None:
        """Log in; the tokens are secrets from then on."""
        answer = self.monitor.request(
            "POST", "/api/auth/login", {"username": name, "password": password}
        )
        assert answer.status == 200, answer.body
        self.secrets += [answer.json["access_token"], answer.json["refresh_token"]]
        self.key = bearer(answer.json["access_token"])

    def filled(self, schema: Any, schemas: Any) -> Any:
        """A value for a schema with a canary in every text of it."""
        for choice in schema.get("anyOf", ())[:1]:
            schema = {**choice, **{key: schema[key] for key in ("format",) if key in schema}}
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        if "properties" in schema:
            return {name: self.filled(part, schemas) for name, part in schema["properties"].items()}
        if schema.get("type") == "array":
            return [self.filled(schema["items"], schemas)]
        if schema.get("type") == "string":
            return self.secret() if schema.get("format") == "password" else self.text()
        return {"boolean": True, "integer": 1, "number": 1.0}[schema["type"]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryRun]:
    folder = tmp_path_factory.mktemp("canary")
    (folder / "data").mkdir()
    stored_secrets.write_secrets(folder / "camera_database.json", folder / "data")
    with running(folder, is_warm=False, **OPTIONS) as monitor:
        ports = (int(monitor.environment[f"EASY_IP_{end}"]) for end in ("PORT", "REPLY_PORT"))
        ask, reply = (("127.0.0.1", port) for port in ports)
        with Network([GATE], listen=ask, reply_to=reply):
            made = CanaryRun(monitor)
            made.enter("Ada", FIRST)
            assert made.ask("POST", "/api/scan").status == 200
            until(lambda: monitor.request("GET", "/api/stats", headers=made.key).json["total"])
            merge_and_rotate(made)
            plant(made)
            yield made


def merge_and_rotate(run: CanaryRun) -> None:
    """Events with whole records of devices with passwords, and all of them sealed again."""
    merged = run.ask("POST", "/api/camera/1/merge", {"with": 2})
    assert merged.status == 200, merged.body
    before = database_of(run)
    assert run.ask("POST", "/api/keys/rotate").json["secrets"] == len(stored_secrets.TEXTS)
    assert not set(before.values()) & set(database_of(run).values())
    undone = run.ask("POST", "/api/undo", {"event": merged.json["undo"]})
    assert undone.status == 200, undone.body


def database_of(run: CanaryRun) -> dict[str, str]:
    """The sealed texts in the database file."""
    return stored_secrets.sealed_in(run.monitor.folder / "camera_database.json")


def plant(run: CanaryRun) -> None:
    """Send canaries in every field of every request."""
    document = run.ask("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "requestBody" not in operation:
                continue
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            where = re.sub(r"{\w+}", "2" if "users" in path else "1", path)
            for sound in (SOUND.get(path, {}), {}):
                run.ask(method.upper(), where, {**run.filled(schema, schemas), **sound})
            long = {name: run.secret() + "x" * 1001 for name in ("password", "current")}
            run.ask(method.upper(), where, {**run.filled(schema, schemas), **long})
    # A password that counts, changed twice, and login tokens and API tokens that count.
    first, second = run.secret(), run.secret()
    body = {"username": "Otto", "password": first, "role": "admin"}
    assert run.ask("POST", "/api/users", body).status == 201
    run.enter("Otto", first)
    change = {"current": first, "password": second}
    assert run.ask("POST", "/api/auth/password", change).status == 200
    made = run.monitor.request("POST", "/api/tokens", {"name": run.text()}, run.key)
    run.secrets.append(made.json["token"])
    run.key = {}
    entered = run.send("/login", username="Otto", password=second)
    secret = entered.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    run.answers.pop()  # the one answer that has it
    run.secrets.append(secret)
    run.key = cookie(secret)
    plant_by_forms(run)
    for header in (
        bearer(run.secret()),
        bearer(f"cm_{run.secret()}"),
        {"Authorization": "Basic " + base64.b64encode(f"Ada:{run.secret()}".encode()).decode()},
        {"Authorization": run.secret()},
        cookie(run.secret()),
        {"Proxy-Authorization": f"Basic {run.secret()}"},
    ):
        for path in ("/", "/api/stats", "/nowhere", "/api/auth/refresh"):
            run.ask("GET", path, **{"Cookie": "", "Accept": "text/html", **header})


def plant_by_forms(run: CanaryRun) -> None:
    """The same in the forms of the pages, sound ones and such that are shown again."""
    twice = run.secret()
    run.send("/login", username=run.text(), password=run.secret())
    run.send("/account/password", current=run.secret(), password=twice, again=twice)
    run.send("/account/password", current=run.secret(), password=run.secret(), again="x")
    run.send(
        "/account/tokens",
        name=run.text(),
        devices=run.text(),
        scope=run.text(),
    )
    run.send("/settings/users", username=run.text(), password=run.secret(), role="viewer")
    run.send("/settings/users", username="Lea", password=run.secret(), role=run.text())
    assert run.send(
        "/settings/users", username="Lea", password=run.secret(), role="viewer"
    ).status == 303  # fmt: skip
    run.send("/settings/users/2", role=run.text(), password=run.secret())
    run.send(
        "/settings/users/2/grants",
        level=run.text(),
        site=run.text(),
        hours=run.text(),
    )
    run.send(
        "/setup",
        username=run.text(),
        password=run.secret(),
        again=run.secret(),
    )
    run.send(
        "/cameras/1/edit",
        name=run.text(),
        notes=run.text(),
        tags=run.text(),
        site="x",
    )


def seen(run: CanaryRun) -> Iterator[tuple[str, Answer]]:
    """Every page that a link leads to, and every route that is read."""
    waiting = [path_of(rule) for method, rule in TABLE if method == "GET" and "static" not in rule]
    waiting += ["/nowhere", "/api/nowhere", "/cameras/99", "/?q=" + quote(run.text())]
    known = set(waiting)
    while waiting:
        path = waiting.pop(0)
        answer = run.read(path)
        yield path, answer
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            for link in re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.body.decode()):
                link = html.unescape(link)
                if link not in known and "static" not in link and len(known) < 300:
                    known.add(link)
                    waiting.append(link)


def spellings(secret: str) -> set[bytes]:
    plain = secret.encode()
    return {plain, base64.b64encode(plain).rstrip(b"="), plain.hex().encode(), plain[::-1]}


def found_in(raw: bytes, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if any(spelled in raw for spelled in spellings(secret))]


@pytest.fixture(scope="module")
def read(run: CanaryRun) -> dict[str, Answer]:
    return dict(seen(run))


def test_every_field_of_the_api_had_its_canary_and_some_were_taken(
    run: CanaryRun, read: dict[str, Answer]
) -> None:
    assert len(run.plain) > 40
    assert len(run.secrets) > 30
    done = {name for name, answer in run.answers if answer.status < 400}
    assert done >= {"PATCH /api/camera/1", "POST /api/users", "PATCH /api/users/2"}
    assert len(read) > 40
    name = read["/api/camera/1"].json["camera_name"]
    assert name in run.plain
    assert html.escape(name) in read["/cameras/1"].body.decode()


def test_no_answer_has_a_secret(run: CanaryRun, read: dict[str, Answer]) -> None:
    for name, answer in run.answers:
        raw = f"{answer.headers}".encode() + answer.body
        assert found_in(raw, run.secrets) == [], name
        assert b"scrypt:" not in raw, name


def test_no_page_runs_what_was_typed(run: CanaryRun, read: dict[str, Answer]) -> None:
    for name, answer in run.answers:
        assert b"<script>canary" not in f"{answer.headers}".encode(), name
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert b"<script>canary" not in answer.body, name
        else:
            assert answer.headers["X-Content-Type-Options"] == "nosniff", name


def test_no_file_of_the_monitor_and_no_command_line_has_a_secret(
    run: CanaryRun, read: dict[str, Answer]
) -> None:
    for path in run.monitor.files():
        assert found_in(path.read_bytes(), run.secrets) == [], path
    assert run.monitor.process is not None
    session = run.monitor.process.pid
    lines = [path.read_bytes() for path in of_session(session)]
    assert len(lines) >= 2
    assert found_in(b"\n".join(lines), run.secrets) == []


def test_a_stored_password_is_nowhere_but_sealed_in_the_database(
    run: CanaryRun, read: dict[str, Answer]
) -> None:
    folder = run.monitor.folder
    database = folder / "camera_database.json"
    opened = stored_secrets.opened_in(database, folder / "data")
    assert opened.items() >= stored_secrets.TEXTS.items(), "they are all still there"
    of_sets = opened.keys() - stored_secrets.TEXTS.keys()
    assert of_sets, "the password of the credential set that the run added"
    assert {opened[id] for id in of_sets} <= {*run.secrets}
    sealed = list(database_of(run).values())
    for name, answer in run.answers:
        assert found_in(f"{answer.headers}".encode() + answer.body, sealed) == [], name
    kept = {database, *(folder / "data" / "copies").iterdir()}
    assert found_in(database.read_bytes(), sealed) == sealed
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            assert found_in(path.read_bytes(), sealed) == [], path
    merges = [
        event for event in read["/api/events"].json["events"] if event["kind"] == "device.merged"
    ]
    assert merges[0]["before"]["goes"]["access"]["rtsp"]["has_password"] is True


def test_an_event_stream_and_a_command_have_no_stored_password(
    run: CanaryRun, read: dict[str, Answer]
) -> None:
    secrets = [*stored_secrets.TEXTS.values(), *database_of(run).values()]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "0"}
    stream = run.ask("GET", "/api/events?for=1", **headers)
    assert b"device.merged" in stream.body
    assert found_in(stream.body, secrets) == []
    for command in (
        *(
            ["list", "--json"],
            ["export"],
            ["export", "--former"],
            ["stats"],
            ["history", "--mac", "1"],
        ),
        *(["user", "list"], ["cleanup", "--days", "1", "--dry-run"], ["keys", "rotate"]),
    ):
        done = warm_start.run(
            [sys.executable, "cli.py", *command],
            cwd=ROOT,
            env=run.monitor.environment,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert found_in(done.stdout + done.stderr, secrets) == [], command


def logs(run: CanaryRun) -> Iterator[bytes]:
    yield from (path.read_bytes() for path in (run.monitor.folder / "data" / "logs").iterdir())
    yield run.monitor.output.read_bytes()


def test_the_log_has_no_error_of_the_program(run: CanaryRun, read: dict[str, Answer]) -> None:
    assert [text for text in logs(run) if b"Traceback" in text or b" ERROR " in text] == []


def test_the_log_has_no_hash_of_a_password(run: CanaryRun, read: dict[str, Answer]) -> None:
    assert [text for text in logs(run) if b"scrypt:" in text] == []


def of_session(session: int) -> Iterator[Path]:
    """The command lines of all processes that the monitor started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session:
            yield stat.with_name("cmdline")


def test_a_start_that_fails_does_not_tell_the_password_of_the_database(tmp_path: Path) -> None:
    for url in (
        "postgresql://ada:{}@127.0.0.1:1/x",
        "postgresql://ada:{}@[::1/x",
        "mysql://a:{}@h/x",
    ):
        monitor = Running(tmp_path, DATABASE_URL=url.format(FIRST), LOG_LEVEL="DEBUG")
        assert monitor.spawn().wait(60) != 0
        assert "Camera Monitor cannot start" in monitor.text()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or FIRST.encode() not in path.read_bytes(), path
