"""docs/coming-from.md: what it calls the same works, what it calls not yet does not exist."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from werkzeug.exceptions import MethodNotAllowed, NotFound

import settings as options
from tests.home import ROOT, Home, Running, until
from tests.test_docs import MAC, Request, answering, code, curl, known_house, read, table

MADE_AT_RUN_TIME = ("data/logs/app.log", "data/camera_monitor.db")
ELSEWHERE = {
    "docker build": "Dockerfile",
    "docker run": "Dockerfile",
    "docker logs": "Dockerfile",
    "sudo systemctl": "deploy/camera-monitor.service",
    "lsof": "gunicorn.conf.py",
    "kill -9": "store/json_file.py",
}
"""Commands of the machine, which no test runs, and the file of ours that they are about."""

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
    there: str
    here: str
    differs: str

    @property
    def is_not_yet(self) -> bool:
        return self.here.lower().startswith("not yet")

    @property
    def is_same(self) -> bool:
        return self.here == "the same"


def rows() -> list[Row]:
    parts = re.split(r"^## From (.+)$", read("docs/coming-from.md"), flags=re.MULTILINE)
    named = zip(parts[1::2], parts[2::2], strict=True)
    return [Row(origin, *cells) for origin, text in named for cells in table(text, "there")]


ROWS = rows()
NOT_YET = [row for row in ROWS if row.is_not_yet]
HERE = [row for row in ROWS if not row.is_not_yet]

KINDS = {
    "request": r"(GET|POST|PUT|PATCH|DELETE) /",
    "curl": r"curl ",
    "option": r"[A-Z][A-Z0-9_]*=\S+$",
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


def told(wanted: str) -> list[str]:
    """Every piece of this kind that the text says works here, each once, in its order."""
    spans = [span for row in HERE for text in (row.there, row.here) for span in code(text)]
    spans += [span for row in ROWS for span in code(row.differs)]
    return [span for span in dict.fromkeys(spans) if kind(span) == wanted]


def request_of(span: str) -> Request:
    if kind(span) == "curl":
        return curl(span)
    method, path, body = [*span.split(" ", 2), ""][:3]
    return Request(method, path, body=json.loads(body) if body else None)


# -- the form ----------------------------------------------------------------------------


def test_every_origin_has_a_table_and_every_row_says_what_it_is_here() -> None:
    origins = {row.origin for row in ROWS}
    assert len(origins) == 5
    assert all(row.there and row.here for row in ROWS)
    assert len({(row.origin, row.there) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", HERE, ids=lambda row: row.there)
def test_a_row_that_works_can_be_checked(row: Row) -> None:
    spans = code(row.there)
    kinds = {kind(span) for span in spans}
    if row.is_same:
        assert "former" not in kinds
    elif spans:
        assert not kinds & {"request", "curl"}, "a request is the same, or it is not yet there"
        assert code(row.here)
        assert all(kind(span) != "former" for span in code(row.here))


# -- what works --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with known_house(tmp_path_factory.mktemp("coming-from")) as house:
        yield house


def test_every_request_works_as_it_was_typed(house: Running) -> None:
    spans = [*told("request"), *told("curl")]
    assert {*PROMISED, *WORD_FOR_WORD} <= set(spans)
    for span in spans:
        made = request_of(span)
        if made.path == "/api/scan":
            until(lambda: house.get("/api/scan").json["running"] is None, what="no scan runs")
        answer = house.request(made.method, made.path, made.body, made.headers)
        assert answer.status == 200, f"{span}: {answer.body.decode()}"
        if span in PROMISED:
            assert PROMISED[span] <= set(answer.json), span
        if span in WORD_FOR_WORD:
            assert answer.json == WORD_FOR_WORD[span]


def test_every_word_of_the_pages_stands_on_them(house: Running) -> None:
    pages = house.get("/").body + house.get("/cameras/1").body
    seen = " ".join(re.sub(r"<[^>]+>", " ", pages.decode()).split()).casefold()
    words = [
        word
        for row in HERE
        if not code(row.there)
        for word in re.findall(r'"([^"]+)"', row.differs)
    ]
    assert len(words) > 15
    assert [word for word in words if word.removesuffix(" off").casefold() not in seen] == []


@pytest.mark.parametrize("span", told("option"))
def test_every_option_is_accepted(span: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, given = span.partition("=")
    monkeypatch.setenv(name, given)
    value: Any = getattr(options.load(), name.lower())
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    assert str(value).lower() == given.lower()


@pytest.mark.parametrize("line", sorted({one.partition(" >")[0] for one in told("start")}))
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
    lines = told("command")
    assert len(lines) > 2
    with answering(place):
        for line in lines:
            command = [sys.executable, *shlex.split(line)[1:]]
            done = subprocess.run(
                command, cwd=ROOT, env=place.environment, capture_output=True, timeout=60
            )
            assert done.returncode == 0, f"{line}: {done.stderr.decode()}"


def test_every_backup_copies_the_database(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "camera_database.json").write_text("{}")
    lines = told("copy")
    for line in lines:
        typed = line.removeprefix("0 2 * * * ").replace("\\%", "%")
        typed = typed.replace("/path/to/", f"{tmp_path}/")
        subprocess.run(["sh", "-c", typed], cwd=tmp_path, check=True, timeout=60)
    assert len(list(tmp_path.rglob("*_2*.json"))) == len(lines) == 2


def test_every_make_target_and_file_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert {line.removeprefix("make ") for line in told("make")} <= targets
    for line in told("elsewhere"):
        assert (
            ROOT / next(ELSEWHERE[word] for word in ELSEWHERE if line.startswith(word))
        ).exists()


def test_the_docker_command_is_the_one_at_the_top_of_the_dockerfile() -> None:
    text = read("Dockerfile").partition("FROM")[0]
    said = " ".join(re.sub(r"^# ?|\\$", "", line).strip() for line in text.splitlines())
    told_here = [span for row in HERE for span in code(row.here) if span.startswith("docker run")]
    assert len(told_here) == 1
    assert told_here[0] in " ".join(said.split())


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
    assert len(made) > 30
    local = [one for one in made if one.host.startswith("localhost")]
    assert [one.path for one in local if exists(app, one)] == []
    for one in made:
        if one not in local:
            answer = app.test_client().get(one.path, headers={"Host": one.host})
            assert answer.status_code == 403, one


def not_yet(*kinds: str) -> list[str]:
    return [span for row in NOT_YET for span in code(row.there) if kind(span) in kinds]


def test_no_option_that_is_not_yet_here_is_known() -> None:
    names = {span.partition("=")[0].lower() for span in not_yet("option")}
    assert len(names) > 5
    assert not names & set(options.Settings.model_fields)


def test_no_file_that_is_not_yet_here_is_there() -> None:
    words = {word for span in not_yet("former", "elsewhere") for word in span.split()}
    modules = {f"{word.partition('.')[0]}.py" for word in words if not word.startswith(("/", "-"))}
    names = {Path(word).name for word in words} | modules | {"compose.yaml", "docker-compose.yml"}
    assert [name for name in sorted(names) if (ROOT / name).exists()] == []
