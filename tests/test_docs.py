"""The texts say what is true: options, sources, requests, commands and places exist as told."""

import asyncio
import base64
import http.client
import json
import re
import shlex
import shutil
import socket
import ssl
import string
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import cli
from accounts import rights
from docs import floors
from fleet.model import Coverage, Sighting
from settings import Settings
from simulators.panasonic import Camera, Network
from sources.build import build_sources
from store.vault import Vault
from tests.home import (
    ROOT,
    Answer,
    Clock,
    Home,
    Running,
    free_port,
    running,
    settings_in,
    until,
)
from web.http import authorization

DOCS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "deploy").glob("*.md")])
MAC, SECOND_MAC = "d4:2d:c5:14:c5:70", "d4:2d:c5:14:c5:71"
Make = Callable[..., Home]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the tables whose first head is `first`, without heads and lines."""
    rows: list[list[str]] = []
    is_inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            is_inside = False
        elif cells[0] == first:
            is_inside = True
        elif is_inside and set(cells[0]) != {"-"}:
            rows.append([cell.replace(r"\|", "|") for cell in cells])
    return rows


def code(text: str) -> list[str]:
    """What stands between single backticks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@dataclass
class Request:
    """One request as a text shows it; `host` is the name that was typed."""

    method: str
    path: str
    host: str = "localhost:5000"
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def curl(line: str) -> Request:
    """The request that a curl command line makes; what comes after a pipe is left out."""
    words = shlex.split(line.partition(" | ")[0])
    assert words.pop(0) == "curl"
    made, method, url = Request("GET", ""), "", ""
    while words:
        argument = words.pop(0)
        if argument == "-X":
            method = words.pop(0)
        elif argument == "-H":
            name, _, value = words.pop(0).partition(": ")
            made.headers[name] = value
        elif argument == "-u":
            made.headers["Authorization"] = basic(*words.pop(0).split(":"))
        elif argument == "-d":
            made.body = json.loads(words.pop(0))
        elif argument.startswith("-"):
            assert set(argument[1:]) <= set("sNOJi"), f"curl {argument} is not known here"
        else:
            url = argument
    assert url.startswith("http://"), line
    made.host, _, path = url.removeprefix("http://").partition("/")
    made.path = f"/{path}"
    made.method = method or ("GET" if made.body is None else "POST")
    return made


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@contextmanager
def known_monitor(folder: Path, **environment: str) -> Iterator[Running]:
    """A real monitor that knows two cameras; the first one answers its scans."""
    folder.mkdir(parents=True, exist_ok=True)
    row = {"current_ip": "127.20.0.9", "last_seen": datetime.now(UTC).isoformat()}
    rows = {MAC: row, SECOND_MAC: row}
    (folder / "camera_database.json").write_text(json.dumps(rows))
    with running(folder, **environment) as monitor, answering(monitor):
        yield monitor


def answering(place: Running) -> Network:
    """The camera with this MAC, on the ports of the place."""
    ports = [int(place.environment[f"EASY_IP_{part}PORT"]) for part in ("", "REPLY_")]
    camera = Camera(MAC, "127.20.0.9", "Gate")
    return Network([camera], listen=("127.0.0.1", ports[0]), reply_to=("127.0.0.1", ports[1]))


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with known_monitor(tmp_path_factory.mktemp("docs")) as monitor:
        yield monitor


@pytest.fixture
def described(make_home: Make) -> dict[str, Any]:
    document: dict[str, Any] = make_home().client.get("/openapi.json").get_json()
    return document


# -- every text --------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_make_target_and_command_in_a_text_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for target in re.findall(r"(?:^ {4}|`|^[A-Z_=0-9 ]+)make ([a-z]+)", text, re.MULTILINE):
        assert target in targets, f"make {target}"
    for line in re.findall(r"python cli\.py ([^`\n]+)", text):
        wanted = shlex.split(line, comments=True)
        assert cli.parser().parse_args(wanted).command == wanted[0]


def test_the_readme_names_every_command_and_every_place() -> None:
    text = read("README.md")
    commands = {words[2] for words in map(str.split, code(text)) if words[1:2] == ["cli.py"]}
    actions = [action.choices for action in cli.parser()._actions if action.dest == "command"]
    assert commands == set(actions[0] or {})
    places = {place for row in table(text, "place") for place in code(row[0])}
    assert all((ROOT / place).exists() for place in places)
    rooms = {f"{path.parent.name}/" for path in ROOT.glob("*/*.py")}
    files = {path.name for path in ROOT.glob("*.py")}
    assert (rooms | files) <= places


# -- options -----------------------------------------------------------------------------


def test_the_readme_begins_on_a_machine_with_nothing_installed() -> None:
    install = read("README.md").partition("## Install\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in install.splitlines() if line.startswith("    ")]
    packages = next(line for line in lines if "apt install" in line).split()
    # make cannot say itself that it is missing.
    assert {"git", "make", "python3", "python3-venv"} <= set(packages)
    assert lines[-3:] == [
        "git clone <repository address> camera-monitor",
        "cd camera-monitor",
        "make run",
    ]


def test_the_settings_page_lists_every_option_with_its_default_and_help() -> None:
    rows = {code(row[0])[0]: row[1:3] for row in table(read("docs/settings.md"), "option")}
    expected = {}
    for name, option in Settings.model_fields.items():
        shown = {None: "", (): "", True: "true", False: "false"}
        default = shown.get(option.default, option.default)
        expected[name.upper()] = [f"`{default}`" if default != "" else "", option.description]
    assert rows == expected


def test_the_settings_page_tells_the_bounds_of_every_number() -> None:
    rows = {code(row[0])[0]: row[3] for row in table(read("docs/settings.md"), "option")}
    for name, option in Settings.model_fields.items():
        assert rows[name.upper()]
        for bound in option.metadata:
            limit = getattr(bound, "ge", getattr(bound, "le", None))
            assert limit is None or str(limit) in rows[name.upper()], name


# -- sources -----------------------------------------------------------------------------


def test_the_sources_page_has_a_row_for_every_source(tmp_path: Path) -> None:
    built = build_sources(settings_in(tmp_path).select, Clock())
    rows = {code(row[0])[0]: row for row in table(read("docs/sources.md"), "name")}
    assert set(rows) == {source.name for source in built}, "docs/sources.md: a row for each"
    assert all(len(row) == 6 and all(row) for row in rows.values())


def test_the_sources_page_names_the_real_ports() -> None:
    row = next(row for row in table(read("docs/sources.md"), "name") if row[0] == "`panasonic`")
    options = Settings.model_fields
    ports = {str(options[name].default) for name in ("easy_ip_port", "easy_ip_reply_port")}
    assert set(re.findall(r"\d+", row[3])) == ports


def test_the_example_of_a_source_works() -> None:
    scope: dict[str, Any] = {"__name__": "acme"}
    text, probing = blocks(read("docs/sources.md"), "python")
    assert probing.strip() == read("tests/discovery/status_line.py").strip()
    exec(compile(text, "docs/sources.md", "exec", dont_inherit=True), scope)

    async def asked(line: bytes, is_on: bool = True) -> list[Any]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(line)
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            if not is_on:
                server.close()
            made = scope["source"](scope["AcmeOptions"](Clock(), "127.0.0.1", port))
            built = scope["build"](scope["Options"]("127.0.0.1"), Clock())
            assert (built.name, built.title) == (made.name, made.title)
            return [report async for report in made.discover()]

    for reports in (
        asyncio.run(asked(b"", is_on=False)),
        asyncio.run(asked(b"")),
        asyncio.run(asked(b"nonsense\n")),
    ):
        (missed,) = reports
        assert isinstance(missed, Coverage), "one that is off was asked: it is missed, and offline"
        assert (missed.scopes, missed.failed, missed.answers) == (("acme",), {}, 0)
    sighting, coverage = asyncio.run(asked(f"{MAC} Front door\n".encode()))
    assert isinstance(sighting, Sighting)
    assert (sighting.identities, sighting.name) == ((f"mac:{MAC}",), "Front door")
    assert isinstance(coverage, Coverage)


# -- the API -----------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """The text below each `### METHOD /path` of the API page."""
    parts = re.split(r"^##+ (.+)$", read("docs/api.md"), flags=re.MULTILINE)
    titles = zip(parts[1::2], parts[2::2], strict=True)
    return {title: text for title, text in titles if re.match(r"[A-Z]+ /", title)}


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_the_api_page_has_exactly_the_routes_that_exist(described: dict[str, Any]) -> None:
    assert set(sections()) == set(operations(described)), "docs/api.md: a section for each"


def test_the_api_page_names_every_parameter_and_every_key_of_a_body(
    described: dict[str, Any],
) -> None:
    for route, operation in operations(described).items():
        text = sections()[route]
        documented = {name for row in table(text, "parameter") for name in code(row[0])}
        assert documented == {
            parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"
        }
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            model = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            assert set(model["properties"]) <= set(code(text)), route


def test_the_api_page_names_every_key_of_every_answer(
    described: dict[str, Any], make_home: Make
) -> None:
    documented = set(code(read("docs/api.md")))
    for name, schema in described["components"]["schemas"].items():
        assert set(schema.get("properties", {})) <= documented, name
    home = make_home(Camera(MAC, "127.20.0.9"), folder="scanned")
    did, jobs = home.scan(), home.client.get("/api/jobs").get_json()
    assert set(did) | set(did["sources"][0]) | set(jobs[0]) <= documented


def test_the_api_page_names_every_error_status(described: dict[str, Any]) -> None:
    documented = {row[0] for row in table(read("docs/api.md"), "status")}
    for route, operation in operations(described).items():
        assert set(operation["responses"]) - {"200", "201"} <= documented, route


def test_the_api_page_names_every_kind_of_event_and_finding() -> None:
    program = "\n".join(
        path.read_text() for room in ("fleet", "sources") for path in room_files(room)
    )
    kinds = set(
        re.findall(r'"((?:device|finding|source)\.[a-z]+|[a-z]+\.(?:unset|open|shared))"', program)
    )
    assert len(kinds) > 15
    assert kinds <= set(code(read("docs/api.md")))


def room_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_the_api_page_names_every_metric(make_home: Make) -> None:
    text = make_home().client.get("/metrics").get_data(as_text=True)
    names = set(re.findall(r"^# HELP (\w+)", text, re.MULTILINE))
    assert names == {metric for metric in code(sections()["GET /metrics"]) if metric in names}


def test_the_example_of_an_error_is_a_real_one(make_home: Make) -> None:
    (example,) = blocks(read("docs/api.md"), "json")
    assert make_home().client.get("/api/camera/99").get_json() == json.loads(example)


def test_the_api_page_names_every_action_of_the_audit_log() -> None:
    program = "\n".join(path.read_text() for path in room_files("web"))
    actions = set(re.findall(r'\bnote\(\s*"([a-z.]+)"', program))
    assert len(actions) > 12
    documented = {action for row in table(read("docs/api.md"), "action") for action in code(row[0])}
    assert actions <= documented


def test_every_curl_example_of_the_api_page_works_in_the_order_shown(monitor: Running) -> None:
    lines = curl_lines("docs/api.md")
    assert len(lines) > 50
    run(lines, monitor)
    assert monitor.get("/api/cameras").status == 401, "the first account has closed the monitor"


def curl_lines(name: str) -> list[str]:
    """Every command line of the blocks of a text that is a curl, or keeps what one answers."""
    lines = [
        line
        for block in blocks(read(name), "sh")
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
    ]
    return [line for line in lines if re.match(r"(\w+=\$\()?curl ", line)]


def run(lines: list[str], monitor: Running) -> None:
    """Do them one after the other; `NAME=$(curl ... | jq -r .key)` keeps a value for `$NAME`."""
    kept: dict[str, str] = {}
    for line in lines:
        keeps = re.fullmatch(r"(\w+)=\$\((.+) \| jq -r \.(\w+)\)", line)
        made = curl(string.Template(keeps[2] if keeps else line).substitute(kept))
        answer = monitor.request(made.method, made.path, made.body, made.headers)
        assert answer.status in (200, 201), f"{line}: {answer.body.decode()}"
        if keeps:
            kept[keeps[1]] = answer.json[keeps[3]]


# -- security ----------------------------------------------------------------------------


def test_the_security_page_has_a_row_for_every_action_with_who_may() -> None:
    expected = {}
    for row in table(read("docs/security.md"), "what"):
        for action in code(row[1]):
            assert action not in expected
            expected[action] = row[2:]
    assert expected == {action: cells(rule) for action, rule in rights.RULES.items()}


def cells(rule: rights.Rule) -> list[str]:
    """What the table says of a rule: the least role, the grant and the scope of a token."""
    role = "everybody" if rule.personal else rule.role
    if rule.reads:
        scope = "`read`"
    else:
        scope = "none" if rule.personal or rule.role == "admin" else "`operate`"
    return [role, f"`{rule.level}`" if rule.level else "none", scope]


def test_the_security_page_names_everything_that_is_open_to_strangers(make_home: Make) -> None:
    app = make_home().app
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    opened = {rule.rule for rule in rules if authorization.action_of(app, rule.endpoint) is None}
    documented = {url for row in table(read("docs/security.md"), "open") for url in code(row[0])}
    assert documented == opened | {"/static/"}


def test_the_security_page_names_every_file_with_a_secret_and_its_mode(tmp_path: Path) -> None:
    rows = {code(row[0])[0]: code(row[1])[0] for row in table(read("docs/security.md"), "file")}
    vault = Vault(tmp_path / "data" / "keys")
    vault.seal("secret", "test")
    with known_monitor(tmp_path) as monitor:
        run(curl_lines("docs/security.md")[:2], monitor)
        for name, mode in rows.items():
            assert f"{(tmp_path / name).stat().st_mode & 0o777:04o}" == mode, name


def test_every_curl_example_of_the_security_page_works(tmp_path: Path) -> None:
    lines = curl_lines("docs/security.md")
    assert len(lines) > 5
    with known_monitor(tmp_path) as monitor:
        run(lines, monitor)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
@pytest.mark.parametrize("number", [0, 1], ids=["own", "host and x-real-ip only"])
def test_behind_nginx_as_the_security_page_sets_it_up(number: int, tmp_path: Path) -> None:
    text = blocks(read("docs/security.md"), "nginx")[number]
    with known_monitor(tmp_path, TRUSTED_PROXIES="127.0.0.1") as monitor:
        run(curl_lines("docs/security.md")[:1], monitor)
        with behind_nginx(text, monitor.port, tmp_path) as port:
            login = {"username": "ann", "password": "seven grey owls"}
            made = ask_over_tls(port, "POST", "/api/auth/login", json.dumps(login))
            assert made.status == 200, made.body
            headers = {"Authorization": f"Bearer {made.json['access_token']}"}
            assert ask_over_tls(port, "GET", "/api/stats", headers=headers).status == 200
            form = "username=ann&password=seven+grey+owls"
            entered = ask_over_tls(port, "POST", "/login", form, {"Content-Type": FORM})
            assert entered.status == 303
            assert ("Secure" in entered.headers["Set-Cookie"]) == (number == 0)
            headers = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0]}
            path = "/api/events?for=1&after=0"
            asked = {**headers, "Accept": "text/event-stream"}
            assert b"retry:" in ask_over_tls(port, "GET", path, headers=asked).body
            others = ask_over_tls(port, "GET", "/api/cameras", headers={"Host": "localhost"})
            assert others.status == 401


FORM = "application/x-www-form-urlencoded"
NAME = "cameras.example"


@contextmanager
def behind_nginx(text: str, port: int, folder: Path) -> Iterator[int]:
    """A real nginx with the servers of `text`, in front of the monitor at `port`."""
    make_certificate(folder)
    own, plain = free_port(), free_port()
    text = text.replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    text = text.replace("listen 443", f"listen 127.0.0.1:{own}")
    text = text.replace("listen 80", f"listen 127.0.0.1:{plain}")
    text = re.sub(r"(ssl_certificate\w*) .+;", rf"\1 {folder}/both.pem;", text)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}"
        f"http {{ access_log off; {paths}\n{text}\n}}"
    )
    process = subprocess.Popen(["nginx", "-c", str(file), "-p", str(folder)])
    try:
        until(lambda: is_listening(own), what="nginx listens")
        yield own
    finally:
        process.terminate()
        process.wait(20)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    kept = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(kept + made.public_bytes(Encoding.PEM))


def ask_over_tls(
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    given = {"Host": NAME, "Origin": f"https://{NAME}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, {**given, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


# -- architecture ----------------------------------------------------------------------------


def test_the_floors_are_drawn_as_the_imports_are() -> None:
    page = read("docs/architecture.md")
    assert floors.drawn_into(page) == page, "the imports have changed: run `make floors`"


def test_the_drawing_has_every_package_above_all_that_it_imports() -> None:
    levels, below = floors.FLOORS, floors.edges()
    assert {"app", "fleet", "store", "web/http"} <= levels.keys()
    assert "fleet" in below["discovery"]
    for name, others in below.items():
        assert all(levels[other] < levels[name] for other in others), name
        assert f"  {name} " in floors.drawing()


def test_a_page_without_a_place_for_the_drawing_is_refused() -> None:
    page = f"before\n{floors.BEGIN}old\n{floors.END}after\n"
    assert floors.drawn_into(page) == page.replace("old\n", floors.drawing())
    with pytest.raises(ValueError, match="has no lines"):
        floors.drawn_into("before\nafter\n")


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = re.findall(r"`([\w./]+(?:/|\.\w+))`", read("docs/architecture.md"))
    assert named
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []
