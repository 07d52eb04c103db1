"""docs/coming-from.md: what it calls the same works, what it calls not yet does not exist."""

import http.client
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.security import generate_password_hash

import settings as options
from simulators.easy4ip import Cloud, Recorder
from tests import workbooks
from tests.home import ROOT, Answer, Home, Running, running, until
from tests.texts import (
    MAC,
    Request,
    add_recording,
    answering,
    basic,
    code,
    curl,
    known_monitor,
    read,
    table,
)
from tests.warm_start import run

PASSWORD = "seven grey owls"
QUICK = {"EASY4IP_TIMEOUT": "0.5"}
"""No cloud answers here, so a check of the recorders ends when its time is up."""
MADE_AT_RUN_TIME = (
    *("data/logs/app.log", "data/camera_monitor.db"),
    *("media/recordings/", "media/thumbnails/"),
)
ELSEWHERE = {
    "docker build": "Dockerfile",
    "docker run": "Dockerfile",
    "docker logs": "Dockerfile",
    "sudo systemctl": "deploy/camera-monitor.service",
    "lsof": "gunicorn.conf.py",
    "kill -9": "store/json_file.py",
}
"""Commands of the machine, which no test runs, and the file of ours that they are about."""

ENDLESS = ("GET /v0/api/cctv/cameras/1/stream/",)
"""Requests whose answers go on and on; tests/web/api/test_live.py reads them."""

PROMISED: dict[str, set[str]] = {
    "GET /api/cameras": {"cameras", "count", "last_scan", "scan_in_progress"},
    "GET /api/stats": {
        *("total_cameras", "active", "offline", "missing", "ip_changed", "total_discoveries"),
        *("cameras_with_ip_changes", "last_scan", "scan_in_progress", "auto_scan_enabled"),
        *("auto_scan_interval", "total", "online", "lastUpdated"),
    },
    f"GET /api/camera/{MAC}": {
        *("mac_address", "serial_number", "camera_name", "model_name", "firmware_version"),
        *("current_ip", "current_port", "current_subnet", "current_gateway", "network_mode"),
        *("first_seen", "last_seen", "total_discoveries", "status", "ip_history"),
    },
}
"""The keys that the former programs documented."""

WORD_FOR_WORD: dict[str, Any] = {
    "POST /api/scan": {"success": True, "message": "Scan started"},
    'POST /api/auto-scan {"enabled": true}': {
        "success": True,
        "auto_scan_enabled": True,
        "interval": 300,
    },
}


@dataclass(frozen=True)
class Row:
    origin: str
    former: str
    present: str
    differs: str

    @property
    def is_not_yet(self) -> bool:
        return self.present.lower().startswith("not yet")

    @property
    def is_same(self) -> bool:
        return self.present == "the same"

    @property
    def needs_login(self) -> bool:
        return self.present.startswith(("with a login", "the same, with a password of your own"))


def rows() -> list[Row]:
    parts = re.split(r"^## From (.+)$", read("docs/coming-from.md"), flags=re.MULTILINE)
    named = zip(parts[1::2], parts[2::2], strict=True)
    return [Row(origin, *cells) for origin, text in named for cells in table(text, "before")]


ROWS = rows()
NOT_YET = [row for row in ROWS if row.is_not_yet]
AVAILABLE = [row for row in ROWS if not row.is_not_yet]

KINDS = {
    "request": r"(GET|POST|PUT|PATCH|DELETE) /",
    "curl": r"curl ",
    "option": r"[A-Z][A-Z0-9_]*=\S+$",
    "password": r"pass_user$",
    "start": r"(python app\.py|gunicorn app:app)( > \S+ 2>&1)?$",
    "command": r"python cli\.py ",
    "make": r"make [a-z]+$",
    "copy": r"(0 2 \* \* \* )?cp ",
    "elsewhere": "|".join(ELSEWHERE),
}


def kind(span: str) -> str:
    """How a piece of code in the text can be checked; `former` if it is another program's."""
    for name, pattern in KINDS.items():
        if re.match(pattern, span):
            return name
    is_file = (ROOT / span).is_file() or span in MADE_AT_RUN_TIME or "data/copies" in span
    return "file" if is_file else "former"


def listed_spans(wanted: str) -> list[str]:
    """Every piece of this kind that the text says works here as it stands, each once, in its
    order."""
    texts = [text for row in AVAILABLE for text in says_works(row)]
    spans = [span for text in texts for span in code(text)]
    spans += [span for row in ROWS for span in code(row.differs)]
    return [span for span in dict.fromkeys(spans) if kind(span) == wanted]


def says_works(row: Row) -> tuple[str, ...]:
    if row.needs_login:
        return ()
    return (row.former, row.present) if row.is_same else (row.present,)


def request_of(span: str) -> Request:
    if kind(span) == "curl":
        return curl(span)
    method, path, body = [*span.split(" ", 2), ""][:3]
    return Request(method, path, body=json.loads(body) if body else None)


# -- the form ----------------------------------------------------------------------------


def test_every_origin_has_a_table_and_every_row_says_what_it_is_here() -> None:
    origins = {row.origin for row in ROWS}
    assert len(origins) == 5
    assert all(row.former and row.present for row in ROWS)
    assert len({(row.origin, row.former) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", AVAILABLE, ids=lambda row: row.former)
def test_a_row_that_works_can_be_checked(row: Row) -> None:
    spans = code(row.former)
    kinds = {kind(span) for span in spans}
    if row.is_same:
        assert "former" not in kinds
    elif row.needs_login:
        assert kinds <= {"request", "curl"}
        assert len(spans) == 1
    elif spans:
        assert not kinds & {"request", "curl"}, "a request is the same, or it is not yet there"
        assert code(row.present)
        assert all(kind(span) != "former" for span in code(row.present))


# -- what works --------------------------------------------------------------------------


def with_recorder(folder: Path) -> Path:
    """A workbook with the one site of the examples lies there."""
    workbooks.write(folder / "P2P1.xlsx", [("SIM00001PAZ0001", "SITE-001", "First store")])
    return folder


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with known_monitor(with_recorder(tmp_path_factory.mktemp("coming-from")), **QUICK) as monitor:
        add_recording(monitor, datetime.now(UTC) - timedelta(hours=1))
        yield monitor


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same monitor with an account that is called as the device backend's."""
    with known_monitor(with_recorder(tmp_path_factory.mktemp("closed")), **QUICK) as monitor:
        add_user(monitor, "admin", "admin", {})
        add_recording(monitor, datetime.now(UTC) - timedelta(hours=1))
        yield monitor


def add_user(monitor: Running, name: str, role: str, headers: dict[str, str], **more: Any) -> int:
    body = {"username": name, "password": PASSWORD, "role": role, **more}
    answer = monitor.request("POST", "/api/users", body, headers)
    assert answer.status == 201, answer.body
    return int(answer.json["id"])


def as_user(monitor: Running, name: str, password: str = PASSWORD) -> dict[str, str]:
    """The header of a script that has logged in."""
    answer = monitor.request("POST", "/api/auth/login", {"username": name, "password": password})
    assert answer.status == 200, answer.body
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def ask(monitor: Running, made: Request, headers: dict[str, str]) -> Answer:
    """The answer to a request as it was typed, with the name of the machine that was typed."""
    typed = made.host.replace("YOUR_SERVER_IP", "192.0.2.7")
    host = {} if typed.startswith("localhost") else {"Host": typed}
    return monitor.request(made.method, made.path, made.body, {**made.headers, **host, **headers})


def test_every_request_works_as_it_was_typed(monitor: Running) -> None:
    check_requests(monitor, {})


def test_every_request_works_after_a_login_and_not_without_one(closed: Running) -> None:
    check_requests(closed, as_user(closed, "admin"))
    for span in (*listed_spans("request"), *listed_spans("curl")):
        assert ask(closed, request_of(span), {}).status == 401, span


def check_requests(monitor: Running, headers: dict[str, str]) -> None:
    spans = [*listed_spans("request"), *listed_spans("curl")]
    assert {*PROMISED, *WORD_FOR_WORD} <= set(spans)
    for span in spans:
        made = request_of(span)
        if made.path == "/api/scan":
            until(
                lambda: monitor.get("/api/scan", **headers).json["running"] is None,
                what="no scan runs",
            )
        if span.startswith(ENDLESS):
            made = replace(made, method="HEAD")
        answer = ask(monitor, made, headers)
        assert answer.status in (200, 201), f"{span}: {answer.body.decode()}"
        if span in PROMISED:
            assert PROMISED[span] <= set(answer.json), span
        if span in WORD_FOR_WORD:
            assert answer.json == WORD_FOR_WORD[span]


def test_a_request_that_needs_a_login_works_with_the_one_that_is_shown(
    monitor: Running, closed: Running
) -> None:
    rows = [row for row in ROWS if row.present.startswith("with a login")]
    assert rows
    made = closed.request("POST", "/api/tokens", {"name": "script"}, as_user(closed, "admin")).json
    for row in rows:
        (former,), (present,) = code(row.former), code(row.present)
        assert ask(monitor, request_of(former), {}).status == 403
        assert ask(closed, request_of(former), {}).status == 401
        shown = request_of(present.replace("TOKEN", made["token"]))
        assert ask(closed, shown, {}).status == 200, present


def test_the_login_of_the_device_backend_works_with_a_password_of_ones_own(
    closed: Running,
) -> None:
    (row,) = [row for row in ROWS if row.needs_login and "/api/auth/login" in row.former]
    made = request_of(code(row.former)[0])
    assert ask(closed, made, {}).status == 401
    answer = ask(
        closed, Request(made.method, made.path, body={**made.body, "password": PASSWORD}), {}
    )
    assert answer.status == 200
    assert {"access_token", "refresh_token"} <= set(answer.json)
    profile = closed.get(
        "/api/auth/profile", Authorization=f"Bearer {answer.json['access_token']}"
    ).json
    assert (profile["username"], profile["role"]) == ("admin", "admin")


def test_the_default_password_is_refused_wherever_it_is_set(tmp_path: Path) -> None:
    former = {"username": "admin", "password": "admin123"}
    with running(tmp_path / "api") as monitor:
        assert monitor.request("POST", "/api/auth/login", former).status == 401
        refused = monitor.request("POST", "/api/users", {**former, "role": "admin"})
        assert refused.status == 422
    place = Running(tmp_path, ADMIN_USERNAME="admin", ADMIN_PASSWORD="admin123")
    assert place.spawn().wait(60) != 0
    assert "Invalid ADMIN_USERNAME or ADMIN_PASSWORD" in place.text()


def fill_in(monitor: Running, path: str, form: str) -> Answer:
    """What a browser without script sends for a form."""
    connection = http.client.HTTPConnection("127.0.0.1", monitor.port, timeout=30)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, form.replace(" ", "+"), kind)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def test_every_way_to_log_in_works(closed: Running) -> None:
    header = {"Authorization": basic("admin", PASSWORD)}
    assert closed.request("GET", "/api/stats", headers=header).status == 200
    entered = fill_in(closed, "/login", f"username=admin&password={PASSWORD}")
    assert entered.status == 303
    cookie = entered.headers["Set-Cookie"].partition(";")[0]
    assert closed.get("/api/stats", Cookie=cookie).status == 200
    made = closed.request("POST", "/api/tokens", {"name": "key"}, as_user(closed, "admin"))
    header = {"Authorization": f"Bearer {made.json['token']}"}
    assert closed.request("GET", "/api/stats", headers=header).status == 200


def test_the_roles_are_those_of_the_device_backend(closed: Running) -> None:
    admin = as_user(closed, "admin")
    may: dict[str, list[int]] = {}
    for role in ("viewer", "operator"):
        add_user(closed, role, role, admin)
    for role in ("viewer", "operator", "admin"):
        until(lambda: closed.get("/api/scan", **admin).json["running"] is None)
        asked = [("GET", "/api/cameras/"), ("POST", "/api/scan"), ("GET", "/api/users")]
        header = as_user(closed, role)
        may[role] = [closed.request(*request, headers=header).status for request in asked]
    assert may == {
        "viewer": [200, 403, 403],
        "operator": [200, 200, 403],
        "admin": [200, 200, 200],
    }


def test_access_is_for_each_user_and_camera_with_hours(closed: Running) -> None:
    admin, now = as_user(closed, "admin"), datetime.now().astimezone()
    guard = add_user(closed, "guard", "viewer", admin, all_cameras=False)
    path = f"/api/users/{guard}/grants"
    hours = [f"{now + timedelta(hours=offset):%H:%M}" for offset in (-2, 2, 4)]
    for device, span in ((1, f"{hours[0]}-{hours[1]}"), (2, f"{hours[1]}-{hours[2]}")):
        body = {"level": "view", "device": device, "hours": span}
        assert closed.request("POST", path, body, admin).status == 201
    header = as_user(closed, "guard")
    seen = closed.get("/api/cameras/", **header).json["cameras"]
    assert [camera["id"] for camera in seen] == [1]
    assert closed.get("/api/camera/1", **header).status == 200
    assert closed.get("/api/camera/2", **header).status == 404
    for right in ("record", "schedule", "download"):
        body = {"level": "control", "device": 2, "rights": [right], "weekdays": ["mon"]}
        assert closed.request("POST", path, body, admin).status == 201


def test_only_the_named_site_gets_cors_headers(tmp_path: Path) -> None:
    (span,) = [span for span in listed_spans("option") if span.startswith("ALLOWED_ORIGINS=")]
    name, _, site = span.partition("=")
    with running(tmp_path, **{name: site}) as monitor:
        add_user(monitor, "admin", "admin", {})
        header = as_user(monitor, "admin")
        mine, other = (
            monitor.get("/api/stats", Origin=origin, **header)
            for origin in (site, "https://other.example")
        )
        assert monitor.get("/api/stats", Origin=site).status == 401
    assert mine.status == 200
    assert mine.headers["Access-Control-Allow-Origin"] == site
    assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize(
    ("kept", "status"),
    [(generate_password_hash("raspberry", "pbkdf2:sha256"), 200), ("sha256$salt$" + "0" * 64, 401)],
    ids=["kind that can be checked", "kind that cannot"],
)
def test_the_password_of_moncam_is_taken_over(kept: str, status: int, tmp_path: Path) -> None:
    assert listed_spans("password") == ["pass_user"]
    (tmp_path / "pass_user").write_text(kept)
    place = Running(tmp_path)
    try:
        place.start("env", "-C", str(tmp_path), sys.executable, str(ROOT / "app.py"))
        login = {"username": "admin", "password": "raspberry"}
        assert place.request("POST", "/api/auth/login", login).status == status
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()
    assert ("Set it again" in place.text()) == (status == 401)


def test_every_word_of_the_pages_stands_on_them(monitor: Running) -> None:
    pages = monitor.get("/").body + monitor.get("/cameras/1").body
    seen = " ".join(re.sub(r"<[^>]+>", " ", pages.decode()).split()).casefold()
    words = [
        text
        for row in AVAILABLE
        if not code(row.former)
        for text in re.findall(r'"([^"]+)"', row.differs)
    ]
    assert len(words) > 15
    assert [text for text in words if text.removesuffix(" off").casefold() not in seen] == []


@pytest.mark.parametrize("span", listed_spans("option"))
def test_every_option_is_accepted(span: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, given = span.partition("=")
    monkeypatch.setenv(name, given)
    value: Any = getattr(options.load(), name.lower())
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(str(item).removesuffix("/32") for item in value)
    assert str(value).lower() == given.lower()


def test_an_option_that_is_another_here_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in AVAILABLE if not row.is_same]
    spans = [span for row in rows for span in code(row.former) if kind(span) == "option"]
    assert len(spans) == 2
    for span in spans:
        name, _, given = span.partition("=")
        monkeypatch.setenv(name, given)
        with pytest.raises(options.BadOption, match=name):
            options.load()
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "line", sorted({span.partition(" >")[0] for span in listed_spans("start")})
)
def test_every_way_to_start_it_starts_it(line: str, tmp_path: Path) -> None:
    program, argument = line.split()
    place = Running(tmp_path)
    try:
        place.start(str(Path(sys.executable).with_name(program)), argument)
        assert place.stop() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()
    assert "Press Ctrl+C to stop" in place.text()


def test_every_command_works(tmp_path: Path) -> None:
    place = Running(tmp_path)
    row = {"current_ip": "127.20.0.9", "last_seen": datetime.now(UTC).isoformat()}
    (tmp_path / "camera_database.json").write_text(json.dumps({MAC: row}))
    lines = listed_spans("command")
    assert len(lines) > 2
    with answering(place), Cloud([Recorder("SERIAL")]) as cloud:
        place.environment["EASY4IP_SERVER"] = f"127.0.0.1:{cloud.port}"
        for line in lines:
            command = [sys.executable, *shlex.split(line)[1:]]
            is_asked = re.search(r" user (add|passwd) ", line)
            done = run(
                [*command, *(["--password-stdin"] if is_asked else [])],
                cwd=ROOT,
                env=place.environment,
                input=PASSWORD.encode() if is_asked else None,
            )
            assert done.returncode == 0, f"{line}: {done.stderr.decode()}"


def test_every_backup_copies_the_database(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "camera_database.json").write_text("{}")
    lines = listed_spans("copy")
    for line in lines:
        typed = line.removeprefix("0 2 * * * ").replace("\\%", "%")
        typed = typed.replace("/path/to/", f"{tmp_path}/")
        subprocess.run(["sh", "-c", typed], cwd=tmp_path, check=True, timeout=60)
    assert len(list(tmp_path.rglob("*_2*.json"))) == len(lines) == 2


def test_every_make_target_and_file_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert {line.removeprefix("make ") for line in listed_spans("make")} <= targets
    for line in listed_spans("elsewhere"):
        assert (
            ROOT
            / next(ELSEWHERE[beginning] for beginning in ELSEWHERE if line.startswith(beginning))
        ).exists()


def test_the_docker_command_is_the_one_at_the_top_of_the_dockerfile() -> None:
    text = read("Dockerfile").partition("FROM")[0]
    command = " ".join(re.sub(r"^# ?|\\$", "", line).strip() for line in text.splitlines())
    docker_runs = [
        span for row in AVAILABLE for span in code(row.present) if span.startswith("docker run")
    ]
    assert len(docker_runs) == 1
    assert docker_runs[0] in " ".join(command.split())


# -- what is not here yet ----------------------------------------------------------------


def exists(app: Any, made: Request) -> bool:
    """Whether some route takes it; what the route then answers is no matter."""
    try:
        app.url_map.bind("localhost").match(made.path.partition("?")[0], made.method)
    except (NotFound, MethodNotAllowed):
        return False
    return True


def test_no_request_that_is_not_yet_here_exists(make_home: Callable[..., Home]) -> None:
    app = make_home().app
    made = [request_of(span) for span in not_yet("request", "curl")]
    assert made
    assert [request.path for request in made if exists(app, request)] == []


def not_yet(*kinds: str) -> list[str]:
    return [span for row in NOT_YET for span in code(row.former) if kind(span) in kinds]


def test_no_option_that_is_not_yet_here_is_known() -> None:
    names = {span.partition("=")[0].lower() for span in not_yet("option")}
    assert len(names) > 5
    assert not names & set(options.Settings.model_fields)


def test_no_file_that_is_not_yet_here_is_there() -> None:
    words = {name for span in not_yet("former", "elsewhere") for name in span.split()}
    modules = {f"{name.partition('.')[0]}.py" for name in words if not name.startswith(("/", "-"))}
    names = {Path(name).name for name in words} | modules | {"compose.yaml", "docker-compose.yml"}
    assert [name for name in sorted(names) if (ROOT / name).exists()] == []
