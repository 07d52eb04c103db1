"""The examples in the texts work: requests, a source, an error, nginx, and modes of files."""

import asyncio
import http.client
import json
import re
import shutil
import socket
import ssl
import string
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fleet.model import Coverage, NoAnswer, Sighting, Target
from simulators.status_line import address
from store.secret_counts import SecretCounts
from store.vault import Vault
from tests.discovery import status_line
from tests.fleet.tracking import opened
from tests.home import (
    Answer,
    Clock,
    Home,
    Running,
    free_port,
    until,
)
from tests.texts import (
    MAC,
    Request,
    add_recording,
    add_still,
    blocks,
    code,
    curl,
    curl_lines,
    known_monitor,
    read,
    table,
)

Make = Callable[..., Home]


KEPT = {"RECORDINGS_KEEP_DAYS": "3650", "STILLS_KEEP_DAYS": "3650", "TZ": "UTC"}
"""For the day of the examples, in whatever year and zone the test runs."""


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("docs")
    with known_monitor(folder, **KEPT) as monitor:
        add_recording(monitor, datetime(2026, 11, 28, 9, 12, tzinfo=UTC))
        add_still(monitor, datetime(2026, 11, 28, 9, 12, tzinfo=UTC))
        yield monitor


def test_the_example_of_a_source_works() -> None:
    scope: dict[str, Any] = {"__name__": "acme"}
    text, probing, _trial = blocks(read("docs/sources.md"), "python")
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
        asyncio.run(asked(b"NOT-A-MAC Front door\n")),
        asyncio.run(asked(b"A" * 70_000 + b"\n")),
    ):
        (missed,) = reports
        assert isinstance(missed, Coverage), "one that is off was asked: it is missed, and offline"
        assert (missed.scopes, missed.failed, missed.answers) == (("acme",), {}, 0)
    sighting, coverage = asyncio.run(asked(f"{MAC} Front door\n".encode()))
    assert isinstance(sighting, Sighting)
    assert (sighting.identities, sighting.name) == ((f"mac:{MAC}",), "Front door")
    assert isinstance(coverage, Coverage)


def test_the_example_of_a_probe_takes_a_line_without_end_for_no_answer() -> None:
    async def ask() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"A" * 70_000 + b"\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            probe = status_line.build(status_line.Options(), Clock()).probe
            assert probe is not None
            with pytest.raises(NoAnswer, match="does not answer in this protocol"):
                await probe(Target("here", f"status_line:127.0.0.1:{port}", "127.0.0.1", port))

    asyncio.run(ask())


def test_the_example_makes_a_database_with_devices_that_are_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_sources, trial = blocks(read("docs/sources.md"), "python")
    monkeypatch.chdir(tmp_path)
    exec(compile(trial, "docs/sources.md", "exec", dont_inherit=True), {"__name__": "trial"})
    with opened(tmp_path / "data/try") as tracker:
        devices = tracker.devices().values()
        assert [device.access["status_line"].port for device in devices] == [7007] * 20
        assert {device.address for device in devices} == {address(n) for n in range(20)}


def test_the_example_of_an_error_is_a_real_one(make_home: Make) -> None:
    (example,) = blocks(read("docs/api.md"), "json")
    assert make_home().client.get("/api/camera/99").get_json() == json.loads(example)


def test_every_curl_example_of_the_api_page_works_in_the_order_shown(monitor: Running) -> None:
    lines = curl_lines("docs/api.md")
    assert len(lines) > 50
    run(lines, monitor)
    assert monitor.get("/api/cameras").status == 401, "the first account has closed the monitor"


def answer_to(monitor: Running, made: Request) -> Answer:
    return monitor.request(made.method, made.path, made.body, made.headers)


def run(lines: list[str], monitor: Running) -> None:
    """Do them one after the other; `NAME=$(curl ... | jq -r .key)` keeps a value for `$NAME`."""
    kept: dict[str, str] = {}
    for line in lines:
        keeps = re.fullmatch(r"(\w+)=\$\((.+) \| jq -r \.([\w.]+)\)", line)
        made = curl(string.Template(keeps[2] if keeps else line).substitute(kept))
        answer = answer_to(monitor, made)
        if "--retry" in line:
            until(lambda made=made: answer_to(monitor, made).status != 503)
            answer = answer_to(monitor, made)
        assert answer.status in (200, 201), f"{line}: {answer.body.decode()}"
        if keeps:
            kept[keeps[1]] = reduce(getitem, keeps[3].split("."), answer.json)


def test_the_security_page_names_every_file_with_a_secret_and_its_mode(tmp_path: Path) -> None:
    rows = {code(row[0])[0]: code(row[1])[0] for row in table(read("docs/security.md"), "file")}
    vault = Vault(tmp_path / "data" / "keys")
    vault.seal("secret", "test")
    counts = SecretCounts(tmp_path / "data" / "refused_logins.json", vault, "logins")
    counts.add("a login")
    counts.save(counts.snapshot())
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
