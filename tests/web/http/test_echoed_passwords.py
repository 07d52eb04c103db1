"""Devices that repeat their passwords wherever they send a text, and a whole monitor with them: the
passwords are used, and are nowhere that a person or a program can read."""

import base64
import html
import io
import json
import re
import socket
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, VideoSource, camera_sources, recorder_sources
from simulators.place import Place, SimulatedCamera, camera
from simulators.rtsp import RtspDevice, RtspServers, Stream
from tests import warm_start
from tests.home import ROOT, Answer, Running, free_port, until
from tests.web.closed import path_of
from tests.web.roles import TABLE, reading_of

CAMERA, RECORDER, SHARED, XMEYE, BASIC, REFUSED = (f"127.98.0.{number}" for number in range(1, 7))
PASSWORDS = {
    CAMERA: "Tukan/Grün&77",
    RECORDER: "Zaun@König?42",
    SHARED: 'Ibis"Wolke%41',
    XMEYE: "Star+Nebel/85",
    BASIC: "Specht Ufer'63",
    REFUSED: "Rohr#Dommel+19",
}
CHANNELS = 4


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def spellings(password: str) -> set[str]:
    """The password as it can be written, in lower case."""
    every = {password, password[::-1], password.encode().hex(), repr(password)[1:-1]}
    every |= {quote(password), quote(password, safe=""), quote_plus(password)}
    every |= {quote(quote(password, safe=""), safe=""), html.escape(password)}
    every |= {json.dumps(password)[1:-1], json.dumps(password, ensure_ascii=False)[1:-1]}
    every |= {in_base64(password).rstrip("="), in_base64(f"admin:{password}").rstrip("=")}
    return {spelling.lower() for spelling in every}


SPELLINGS = {host: spellings(password) for host, password in PASSWORDS.items()}


def echoed(text: str) -> list[str]:
    """The devices whose password is in the text."""
    lowered = text.lower()
    return [host for host, every in SPELLINGS.items() if any(each in lowered for each in every)]


def login(host: str, **more: Any) -> Accounts:
    return Accounts("admin", PASSWORDS[host], realm=f"for {in_base64(PASSWORDS[host])}", **more)


def with_echoes(
    host: str, mac: str, sources: tuple[VideoSource, ...], **more: Any
) -> SimulatedCamera:
    """A device that writes its password into all that it says by ONVIF and RTSP."""
    password = PASSWORDS[host]
    made = camera(host, mac, login(host), f"name {password}", _named(sources, password))
    _echo(made.onvif, password)
    made.rtsp.echoes_login = True
    made.rtsp.server = f"Server/{quote(password, safe='')}"
    return made


def _named(sources: tuple[VideoSource, ...], password: str) -> tuple[VideoSource, ...]:
    def named(source: VideoSource) -> VideoSource:
        profiles = (replace(each, name=f"{each.name} {password}") for each in source.profiles)
        return replace(source, profiles=tuple(profiles))

    return tuple(named(source) for source in sources)


def _echo(device: OnvifDevice, password: str) -> None:
    device.manufacturer, device.model = f"Acme {password}", in_base64(f"admin:{password}")
    device.serial, device.firmware = f"A-{quote(password, safe='')}", f"1.0 {password}"
    device.hardware = in_base64(password)
    device.scopes = (f"onvif://www.onvif.org/location/{quote(password, safe='')}",)
    device.echoes_login = True


def rtsp_device(host: str, path: str, **more: Any) -> RtspDevice:
    """One that only RTSP reaches; where its path has the login it asks for no other."""
    accounts = Accounts() if path.startswith("/user=") else login(host, **more)
    server = f"Server {in_base64(f'admin:{PASSWORDS[host]}')} {quote(PASSWORDS[host])}"
    return RtspDevice(
        host, streams={path: Stream()}, accounts=accounts, echoes_login=True, server=server
    )


@dataclass
class EchoRun:
    """A running monitor with those devices, and all that it answered."""

    monitor: Running
    place: Place
    rtsp: RtspServers
    answers: list[tuple[str, Answer]] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        answer = self.monitor.request(method, path, body, headers)
        self.answers.append((f"{method} {path}", answer))
        return answer

    def read(self, path: str, *, is_live_read: bool) -> Answer:
        """What a browser gets; of live video, which has no end, the beginning or the head."""
        if not is_live_read:
            return self.ask(reading_of(path), path, Accept="text/html")
        answer = self.monitor.beginning(path, {"Accept": "text/html"})
        self.answers.append((f"GET {path}", answer))
        return answer

    def rows(self) -> list[Any]:
        return list(self.ask("GET", "/api/cameras?per_page=100").json["cameras"])

    def device(self, host: str) -> RtspDevice:
        devices = [*(each.rtsp for each in self.place.cameras), *self.rtsp.devices]
        (device,) = [each for each in devices if each.address == host]
        return device

    def attempts(self, host: str) -> list[str]:
        """How the device judged the logins that it got."""
        return [each.outcome for each in self.device(host).accounts.attempts]


def xmeye_path(host: str) -> str:
    password = quote(PASSWORDS[host], safe="")
    return f"/user=admin&password={password}&channel=1&stream=0.sdp?"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoRun]:
    with ExitStack() as stack:
        ports = [free_port(socket.SOCK_DGRAM) for _ in range(2)]
        search = (("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]))
        devices = [
            with_echoes(CAMERA, "00:00:5e:00:53:71", camera_sources()),
            with_echoes(RECORDER, "00:00:5e:00:53:72", recorder_sources(CHANNELS)),
            with_echoes(SHARED, "00:00:5e:00:53:73", camera_sources()),
        ]
        place = stack.enter_context(Place(devices, search, free_port(), free_port()))
        others = [
            rtsp_device(XMEYE, xmeye_path(XMEYE)),
            rtsp_device(BASIC, "/live", offers=("basic",)),
            rtsp_device(REFUSED, "/live", always_wrong=True),
        ]
        servers = stack.enter_context(RtspServers(others, free_port()))
        monitor = Running(tmp_path_factory.mktemp("echoes"), LOG_LEVEL="DEBUG")
        monitor.is_warm = False
        stack.callback(monitor.stop)
        made = EchoRun(monitor.start(), place, servers)
        add_all(made)
        yield made


def add_all(run: EchoRun) -> None:
    """Add the devices in each way that there is, with each kind of login."""
    onvif = {"port": run.place.onvif.port}
    typed = {host: {"username": "admin", "password": PASSWORDS[host]} for host in PASSWORDS}
    shared = run.ask("POST", "/api/credentials", {"name": "Doors", **typed[SHARED]})
    xmeye = f"rtsp://{XMEYE}:{run.rtsp.port}{xmeye_path(XMEYE)}"
    userinfo = f"admin:{quote(PASSWORDS[BASIC], safe='')}"
    bodies = [
        {"ip_address": CAMERA, "onvif": onvif, **typed[CAMERA]},
        {"ip_address": RECORDER, "onvif": onvif, **typed[RECORDER]},
        {
            "ip_address": SHARED,
            "onvif": onvif,
            "credentials": shared.json["credentials"]["id"],
        },
        {"rtsp_url": xmeye},
        {"rtsp_url": f"rtsp://{userinfo}@{BASIC}:{run.rtsp.port}/live"},
        {"rtsp_url": f"rtsp://{REFUSED}:{run.rtsp.port}/live", **typed[REFUSED]},
    ]
    for body in bodies:
        run.ask("POST", "/api/cameras/test", body, Accept="application/x-ndjson")
        added = run.ask("POST", "/api/cameras", body)
        assert added.status == 201, added.body
    total = len(bodies) + CHANNELS
    until(lambda: len(run.rows()) >= total, 30, "the channels are listed")
    for row in run.rows():
        assert run.ask("POST", f"/api/devices/{row['id']}/poll").status == 200


def text_of(raw: bytes) -> str:
    """The text of an answer or a file; of a workbook, that of all its parts."""
    if not raw.startswith(b"PK"):
        return raw.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        return "\n".join(packed.read(name).decode() for name in packed.namelist())


@pytest.fixture(scope="module")
def read(run: EchoRun) -> dict[str, Answer]:
    """Every route that is read, for each device, and every page that a link leads to."""
    ids = [row["id"] for row in run.rows()]
    rules = [rule for method, rule in TABLE if method == "GET" and "static" not in rule]
    waiting = [path_of(rule, id) for rule in rules for id in (ids if "<key>" in rule else ids[:1])]
    waiting += ["/api/export?history=true", "/api/events?limit=1000", "/events?limit=1000"]
    # Each waits for its camera: some are enough.
    live = {f"/api/cameras/{id}/live.mp4" for id in ids[:3]}
    answers: dict[str, Answer] = {}
    for path in waiting:
        if path not in answers:
            answers[path] = run.read(path, is_live_read=path in live)
            links = re.findall(
                r'href="(/cameras/[0-9]+/[^"]*)"', answers[path].body.decode("utf-8", "replace")
            )
            # Days lead to earlier days without an end.
            waiting += [html.unescape(link) for link in links if "day=" not in link]
    return answers


def test_live_video_was_read(read: dict[str, Answer]) -> None:
    bodies = [answer.body for path, answer in read.items() if path.endswith("live.mp4")]
    assert any(body[4:8] == b"ftyp" for body in bodies), [len(body) for body in bodies]


def test_each_device_got_its_password_and_works(run: EchoRun) -> None:
    rows = {row["id"]: row for row in run.rows()}
    assert len(rows) == len(PASSWORDS) + CHANNELS
    assert {row["status"] for row in rows.values()} == {"ACTIVE"}
    for host in PASSWORDS.keys() - {XMEYE, REFUSED}:
        assert set(run.attempts(host)) == {"right"}, host
    assert set(run.attempts(REFUSED)) == {"wrong"}
    kinds = {row["current_ip"]: json.dumps(row["findings"]) for row in rows.values()}
    assert [host for host, kind in kinds.items() if "login.wrong" in kind] == [REFUSED]
    assert [host for host, kind in kinds.items() if "stream." in kind] == []
    asked = [each.url for each in run.device(XMEYE).requests if each.method == "DESCRIBE"]
    assert {url.partition(f":{run.rtsp.port}")[2] for url in asked} == {xmeye_path(XMEYE)}


def test_the_devices_did_repeat_their_passwords(run: EchoRun) -> None:
    """What is left of their texts shows where a password was."""
    for host in (CAMERA, RECORDER, SHARED):
        (row,) = [row for row in run.rows() if row["current_ip"] == host and not row["parents"]]
        facts = json.dumps(run.ask("GET", f"/api/cameras/{row['id']}").json)
        assert facts.count("***") > 10, host


def test_no_answer_repeats_a_password(run: EchoRun, read: dict[str, Answer]) -> None:
    assert len(read) > 150
    assert sum(answer.status == 200 for answer in read.values()) > 140
    for name, answer in run.answers:
        assert echoed(f"{answer.headers} {text_of(answer.body)}") == [], name


def test_a_path_with_a_login_is_shown_with_placeholders(
    run: EchoRun, read: dict[str, Answer]
) -> None:
    path = "/user={username}&password={password}&channel=1&stream=0.sdp?"
    body = {"rtsp_url": f"rtsp://{XMEYE}:{run.rtsp.port}{xmeye_path(XMEYE)}"}
    tested = run.ask("POST", "/api/cameras/test", body).json
    assert [stream["path"] for stream in tested["streams"]] == [path]
    (row,) = [row for row in run.rows() if row["current_ip"] == XMEYE]
    assert run.ask("GET", f"/api/cameras/{row['id']}").json["rtsp_url"].endswith(path)


def test_no_file_no_log_and_no_command_line_has_a_password(
    run: EchoRun, read: dict[str, Answer]
) -> None:
    for path in run.monitor.files():
        assert echoed(text_of(path.read_bytes())) == [], path
    assert run.monitor.process is not None
    proc = Path(f"/proc/{run.monitor.process.pid}")
    for part in ("cmdline", "environ"):
        assert echoed((proc / part).read_text()) == []


def test_the_export_command_prints_no_password(run: EchoRun) -> None:
    done = warm_start.run(
        [sys.executable, "cli.py", "export"],
        cwd=ROOT,
        env=run.monitor.environment,
    )
    assert done.returncode == 0
    assert echoed(text_of(done.stdout) + text_of(done.stderr)) == []
    assert b"127.98.0.1" in done.stdout
