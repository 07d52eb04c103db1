"""Access: only this machine until the first account exists, and no other web site."""

import http.client
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

import app as monitor_app
from tests.home import Clock, Home, Running, running
from web.http import authorization

ROUTES: dict[tuple[str, str], str | None] = {
    ("GET", "/static/<path:filename>"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/"): "device.list",
    ("GET", "/cameras/<key>"): "device.view",
    ("GET", "/cameras/<key>/check"): "device.view",
    ("POST", "/cameras/<key>/check"): "device.poll",
    ("POST", "/cameras/<key>/record"): "recording.control",
    ("POST", "/cameras/<key>/edit"): "device.edit",
    ("POST", "/cameras/<key>/merge"): "device.edit",
    ("POST", "/cameras/<key>/split"): "device.edit",
    ("POST", "/undo/<int:event>"): "device.edit",
    ("POST", "/scan"): "scan.start",
    ("POST", "/check"): "scan.start",
    ("POST", "/scan/stop"): "scan.start",
    ("POST", "/auto-scan"): "scan.automatic",
    ("GET", "/api/cameras"): "device.list",
    ("GET", "/api/camera/<key>"): "device.view",
    ("POST", "/api/cameras"): "device.add",
    ("DELETE", "/api/cameras/<key>"): "fleet.delete",
    ("GET", "/api/cameras/<key>"): "device.view",
    ("PATCH", "/api/cameras/<key>"): "device.edit",
    ("PUT", "/api/cameras/<key>"): "device.edit",
    ("POST", "/api/cameras/<key>/test"): "device.poll",
    ("POST", "/api/cameras/import"): "device.add",
    ("POST", "/api/cameras/test"): "device.add",
    ("GET", "/api/devices"): "device.list",
    ("POST", "/api/devices"): "device.add",
    ("DELETE", "/api/devices/<key>"): "fleet.delete",
    ("GET", "/api/devices/<key>"): "device.view",
    ("PATCH", "/api/devices/<key>"): "device.edit",
    ("PUT", "/api/devices/<key>"): "device.edit",
    ("POST", "/api/devices/<key>/poll"): "device.poll",
    ("DELETE", "/api/scan-range"): "scan.start",
    ("GET", "/api/scan-range"): "scan.view",
    ("POST", "/api/scan-range"): "scan.start",
    ("POST", "/api/scan-range/inbox"): "device.add",
    ("GET", "/cameras/<key>/connection"): "device.edit",
    ("POST", "/cameras/<key>/connection"): "device.edit",
    ("GET", "/cameras/add"): "device.add",
    ("POST", "/cameras/add"): "device.add",
    ("GET", "/cameras/import"): "device.add",
    ("POST", "/cameras/import"): "device.add",
    ("POST", "/cameras/import/refused"): "device.add",
    ("POST", "/cameras/import/save"): "device.add",
    ("GET", "/scan-range"): "scan.start",
    ("POST", "/scan-range"): "scan.start",
    ("POST", "/scan-range/inbox"): "device.add",
    ("POST", "/scan-range/stop"): "scan.start",
    ("GET", "/schedules"): "schedule.view",
    ("POST", "/schedules"): "schedule.edit",
    ("GET", "/schedules/edit"): "schedule.view",
    ("POST", "/schedules/edit"): "schedule.edit",
    ("GET", "/api/schedules"): "schedule.view",
    ("POST", "/api/schedules"): "schedule.edit",
    ("GET", "/api/schedules/<int:id>"): "schedule.view",
    ("PUT", "/api/schedules/<int:id>"): "schedule.edit",
    ("PATCH", "/api/schedules/<int:id>"): "schedule.edit",
    ("DELETE", "/api/schedules/<int:id>"): "schedule.edit",
    ("POST", "/api/schedules/<int:id>/activate"): "schedule.edit",
    ("POST", "/api/schedules/<int:id>/deactivate"): "schedule.edit",
    ("GET", "/v0/api/cctv/schedules"): "schedule.view",
    ("POST", "/v0/api/cctv/schedules"): "schedule.edit",
    ("GET", "/v0/api/cctv/schedules/<int:id>"): "schedule.view",
    ("PUT", "/v0/api/cctv/schedules/<int:id>"): "schedule.edit",
    ("PATCH", "/v0/api/cctv/schedules/<int:id>"): "schedule.edit",
    ("DELETE", "/v0/api/cctv/schedules/<int:id>"): "schedule.edit",
    ("POST", "/v0/api/cctv/schedules/<int:id>/activate"): "schedule.edit",
    ("POST", "/v0/api/cctv/schedules/<int:id>/deactivate"): "schedule.edit",
    ("POST", "/api/schedules/<int:id>/undo"): "schedule.edit",
    ("GET", "/v0/api/cctv/cameras"): "device.list",
    ("POST", "/v0/api/cctv/cameras"): "device.add",
    ("DELETE", "/v0/api/cctv/cameras/<key>"): "fleet.delete",
    ("GET", "/v0/api/cctv/cameras/<key>"): "device.view",
    ("PATCH", "/v0/api/cctv/cameras/<key>"): "device.edit",
    ("PUT", "/v0/api/cctv/cameras/<key>"): "device.edit",
    ("POST", "/v0/api/cctv/cameras/<key>/test_connection"): "device.poll",
    ("POST", "/v0/api/cctv/cameras/<key>/start_recording"): "recording.control",
    ("POST", "/v0/api/cctv/cameras/<key>/stop_recording"): "recording.control",
    ("GET", "/v0/api/cctv/cameras/<key>/recording_status"): "recording.view",
    ("PATCH", "/api/camera/<key>"): "device.edit",
    ("POST", "/api/camera/<key>/retire"): "device.edit",
    ("POST", "/api/camera/<key>/restore"): "device.edit",
    ("POST", "/api/undo"): "device.edit",
    ("POST", "/api/cleanup"): "fleet.clean",
    ("GET", "/settings/cleanup"): "fleet.clean",
    ("GET", "/settings/ignored"): "device.add",
    ("POST", "/settings/ignored"): "device.add",
    ("POST", "/settings/cleanup"): "fleet.clean",
    ("POST", "/settings/cleanup/delete"): "fleet.delete",
    ("POST", "/api/delete"): "fleet.delete",
    ("DELETE", "/api/camera/<key>"): "fleet.delete",
    ("POST", "/cameras/<key>/delete"): "fleet.delete",
    ("POST", "/api/clock/confirm"): "fleet.clean",
    ("POST", "/settings/clock"): "fleet.clean",
    ("GET", "/api/stats"): "device.list",
    ("GET", "/api/scan"): "scan.view",
    ("POST", "/api/scan"): "scan.start",
    ("DELETE", "/api/scan"): "scan.start",
    ("POST", "/api/auto-scan"): "scan.automatic",
    ("GET", "/api/jobs"): "job.view",
    ("GET", "/api/events"): "event.view",
    ("GET", "/api/live"): "video.view",
    ("GET", "/api/cameras/<key>/live.mp4"): "video.view",
    ("GET", "/api/cameras/<key>/stream"): "video.view",
    ("GET", "/v0/api/cctv/cameras/<key>/stream"): "video.view",
    ("GET", "/v0/api/cctv/streams"): "stream.view",
    ("GET", "/v0/api/cctv/streams/active"): "stream.view",
    ("GET", "/wall"): "video.view",
    ("GET", "/wall/edit"): "video.view",
    ("POST", "/wall"): "account.change",
    ("GET", "/wall/shared/<token>"): None,
    ("GET", "/wall/shared/<token>/live"): None,
    ("GET", "/api/export"): "fleet.export",
    ("POST", "/columns"): "account.change",
    ("POST", "/api/cameras/bulk"): "device.edit",
    ("POST", "/api/cameras/bulk/undo"): "device.edit",
    ("POST", "/bulk"): "device.edit",
    ("POST", "/bulk/undo"): "device.edit",
    ("GET", "/api/docs"): "docs.view",
    ("GET", "/metrics"): "metrics.view",
    ("GET", "/filters"): "device.list",
    ("GET", "/views"): "device.list",
    ("POST", "/views"): "account.change",
    ("GET", "/parts/palette"): "docs.view",
    ("GET", "/parts/top"): "device.list",
    ("GET", "/parts/rows"): "device.list",
    ("GET", "/parts/names"): "device.list",
    ("GET", "/parts/choices"): "device.list",
    ("GET", "/parts/suggestions"): "device.list",
    ("GET", "/parts/camera/<key>"): "device.view",
    ("GET", "/parts/camera/<key>/events"): "event.view",
    ("GET", "/events"): "event.view",
    ("GET", "/parts/events"): "event.view",
    ("GET", "/settings"): "settings.view",
    ("GET", "/settings/sources"): "settings.view",
    ("GET", "/settings/jobs"): "job.view",
    ("GET", "/settings/about"): "settings.view",
    ("POST", "/settings/jobs/<name>/run"): "job.run",
    ("POST", "/api/jobs/<name>/run"): "job.run",
    ("POST", "/api/camera/<key>/merge"): "device.edit",
    ("POST", "/api/camera/<key>/split"): "device.edit",
    ("GET", "/api/camera/<key>/uptime"): "device.view",
    ("GET", "/account"): "account.view",
    ("GET", "/sites"): "device.list",
    ("GET", "/settings/workbook"): "workbook.edit",
    ("POST", "/settings/workbook"): "workbook.edit",
    ("POST", "/settings/workbook/commit"): "workbook.edit",
    ("POST", "/settings/workbook/serial"): "workbook.edit",
    ("POST", "/cameras/<key>/serial"): "workbook.edit",
    ("POST", "/settings/workbook/undo"): "workbook.edit",
    ("GET", "/api/dvrs"): "device.list",
    ("GET", "/api/search"): "device.list",
    ("POST", "/api/update-p2p"): "workbook.edit",
    ("POST", "/api/refresh"): "scan.start",
    ("POST", "/api/dvrs/check"): "scan.start",
    ("GET", "/api/download.csv"): "fleet.export",
    ("GET", "/api/download.xlsx"): "fleet.export",
    ("POST", "/account/password"): "account.change",
    ("POST", "/account/tokens"): "account.change",
    ("POST", "/account/tokens/<int:id>/revoke"): "account.change",
    ("GET", "/v0/api/cctv/recordings"): "recording.view",
    ("GET", "/v0/api/cctv/recordings/<int:id>"): "recording.view",
    ("GET", "/v0/api/cctv/recordings/<int:id>/download"): "recording.download",
    ("GET", "/api/recordings"): "recording.view",
    ("GET", "/stills"): "still.view",
    ("GET", "/cameras/<key>/stills"): "still.view",
    ("GET", "/api/cameras/<key>/stills"): "still.view",
    ("POST", "/api/cameras/<key>/stills"): "still.take",
    ("GET", "/api/cameras/<key>/stills/newest"): "still.view",
    ("GET", "/api/cameras/<key>/stills/<int:id>"): "still.view",
    ("GET", "/api/cameras/<key>/stills/archive"): "still.view",
    ("GET", "/api/stills/archive"): "still.view",
    ("GET", "/api/cameras/<key>/stills/film"): "still.view",
    ("POST", "/api/cameras/<key>/stills/film"): "still.view",
    ("DELETE", "/api/cameras/<key>/stills/film"): "still.view",
    ("GET", "/api/cameras/<key>/stills/film.mp4"): "still.view",
    ("POST", "/cameras/<key>/stills/film"): "still.view",
    ("GET", "/api/cameras/<key>/stills/interval"): "still.view",
    ("PUT", "/api/cameras/<key>/stills/interval"): "still.edit",
    ("POST", "/cameras/<key>/stills/interval"): "still.edit",
    ("GET", "/api/picture-health"): "health.view",
    ("GET", "/api/cameras/<key>/picture-health"): "health.view",
    ("PATCH", "/api/cameras/<key>/picture-health"): "health.edit",
    ("POST", "/api/cameras/<key>/picture-health/check"): "health.edit",
    ("POST", "/api/cameras/<key>/picture-health/references"): "health.edit",
    ("POST", "/api/cameras/<key>/picture-health/expected"): "health.edit",
    ("GET", "/api/cameras/<key>/picture-health/pictures/newest"): "health.view",
    ("GET", "/api/cameras/<key>/picture-health/pictures/<int:id>"): "health.view",
    ("DELETE", "/api/cameras/<key>/picture-health/pictures/<int:id>"): "health.edit",
    ("GET", "/cameras/<key>/picture-health"): "health.view",
    ("POST", "/cameras/<key>/picture-health"): "health.edit",
    ("GET", "/recordings"): "recording.view",
    ("GET", "/recordings/<key>"): "recording.view",
    ("POST", "/recordings/<int:id>/protect"): "recording.edit",
    ("POST", "/recordings/<int:id>/delete"): "recording.edit",
    ("POST", "/recordings/<int:id>/restore"): "recording.edit",
    ("GET", "/recordings/<int:id>/link"): "recording.download",
    ("POST", "/recordings/<int:id>/link"): "recording.share",
    ("GET", "/api/recordings/<int:id>"): "recording.view",
    ("PATCH", "/api/recordings/<int:id>"): "recording.edit",
    ("DELETE", "/api/recordings/<int:id>"): "recording.edit",
    ("POST", "/api/recordings/<int:id>/restore"): "recording.edit",
    ("GET", "/api/recordings/<int:id>/download"): "recording.download",
    ("GET", "/api/recordings/<int:id>/thumbnail.jpg"): "recording.view",
    ("POST", "/api/recordings/<int:id>/link"): "recording.share",
    ("GET", "/api/recordings/<int:id>/shared.mp4"): None,
    ("GET", "/api/cameras/<key>/days/<date>"): "recording.view",
    ("GET", "/api/cameras/<key>/playback"): "recording.view",
    ("GET", "/api/cameras/<key>/playback.mp4"): "recording.view",
    ("GET", "/api/cameras/<key>/thumbnail.jpg"): "recording.view",
    ("GET", "/api/recordings/coverage"): "recording.view",
    ("GET", "/api/recordings/storage"): "recording.view",
    ("GET", "/api/cameras/<key>/link"): "recording.view",
    ("GET", "/recordings/coverage"): "recording.view",
    ("GET", "/api/audit"): "audit.view",
    ("GET", "/api/audit.csv"): "audit.view",
    ("POST", "/api/auth/login"): None,
    ("POST", "/api/auth/logout"): "account.view",
    ("POST", "/api/auth/password"): "account.change",
    ("GET", "/api/auth/profile"): "account.view",
    ("POST", "/api/auth/refresh"): None,
    ("GET", "/api/tokens"): "account.change",
    ("POST", "/api/tokens"): "account.change",
    ("DELETE", "/api/tokens/<int:id>"): "account.change",
    ("GET", "/api/credentials"): "credentials.manage",
    ("POST", "/api/credentials"): "credentials.manage",
    ("GET", "/api/credentials/<id>"): "credentials.manage",
    ("PATCH", "/api/credentials/<id>"): "credentials.manage",
    ("PUT", "/api/credentials/<id>"): "credentials.manage",
    ("DELETE", "/api/credentials/<id>"): "credentials.manage",
    ("GET", "/settings/credentials"): "credentials.manage",
    ("POST", "/settings/credentials"): "credentials.manage",
    ("GET", "/settings/credentials/<id>"): "credentials.manage",
    ("POST", "/settings/credentials/<id>"): "credentials.manage",
    ("GET", "/api/users"): "user.manage",
    ("POST", "/api/users"): "user.manage",
    ("GET", "/api/users/<int:id>"): "user.manage",
    ("PATCH", "/api/users/<int:id>"): "user.manage",
    ("DELETE", "/api/users/<int:id>"): "user.manage",
    ("GET", "/api/users/<int:id>/grants"): "user.manage",
    ("POST", "/api/users/<int:id>/grants"): "user.manage",
    ("DELETE", "/api/users/<int:id>/grants/<int:number>"): "user.manage",
    ("DELETE", "/api/users/<int:id>/tokens/<int:number>"): "user.manage",
    ("POST", "/api/keys/rotate"): "key.rotate",
    ("GET", "/login"): None,
    ("POST", "/login"): None,
    ("POST", "/logout"): "account.view",
    ("GET", "/setup"): None,
    ("POST", "/setup"): None,
    ("GET", "/settings/audit"): "audit.view",
    ("GET", "/settings/users"): "user.manage",
    ("POST", "/settings/users"): "user.manage",
    ("GET", "/settings/users/<int:id>"): "user.manage",
    ("POST", "/settings/users/<int:id>"): "user.manage",
    ("POST", "/settings/users/<int:id>/grants"): "user.manage",
    ("POST", "/settings/users/<int:id>/tokens/<int:number>/revoke"): "user.manage",
    ("POST", "/theme"): "docs.view",
    ("GET", "/logo"): "docs.view",
    ("GET", "/manifest.webmanifest"): "docs.view",
    ("GET", "/openapi.json"): "docs.view",
}
"""Every route, and the action that it needs; None: it is open. A new one gets its line here."""

STRANGERS = {
    "from another machine": ("10.1.1.1", {}),
    "from another machine by IPv6": ("2001:db8::1", {}),
    "from another machine by a mapped address": ("::ffff:10.1.1.1", {}),
    "from a link-local address": ("fe80::1%eth0", {}),
    "from nowhere": ("", {}),
    "by a name of somebody else": ("127.0.0.1", {"Host": "evil.example"}),
    "by a name that begins like ours": ("127.0.0.1", {"Host": "localhost.evil.example"}),
    "by a name with ours as user": ("127.0.0.1", {"Host": "localhost@evil.example"}),
    "by an address of the network": ("127.0.0.1", {"Host": "10.1.1.1:5000"}),
    "by a broken name": ("127.0.0.1", {"Host": "[::1"}),
    "through a proxy": ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
    "through nginx": ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}),
    "through a proxy of RFC 7239": ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
    "through a proxy that tells the host": ("127.0.0.1", {"X-Forwarded-Host": "localhost"}),
    "through a proxy that tells the scheme": ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
    "through a proxy that names itself": ("127.0.0.1", {"Via": "1.1 proxy"}),
}


def refusal_of(headers: dict[str, str]) -> int:
    """The status for such a stranger: 400 where the Host header names no machine at all."""
    return 400 if headers.get("Host") in ("[::1", "localhost@evil.example") else 403


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("gate"), Clock())
    yield made
    made.close()


def routes_of(app: Flask) -> Iterator[tuple[str, str, str]]:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, rule.rule, rule.endpoint


def path_of(rule: str) -> str:
    filled = {"<key>": "1", "<path:filename>": "style.css"}
    rule = re.sub("<int:[a-z]+>", "1", rule)
    for name, value in filled.items():
        rule = rule.replace(name, value)
    return rule


def test_every_route_names_its_action_or_is_open(home: Home) -> None:
    actions = {
        (method, rule): authorization.action_of(home.app, endpoint)
        for method, rule, endpoint in routes_of(home.app)
    }
    assert actions == ROUTES, (
        "tests/web/http/test_authorization.py: ROUTES has each route with the action of its "
        "@needs, one of RULES in accounts/rights.py; None where everybody may"
    )


def test_a_monitor_with_a_route_that_names_no_action_does_not_start(home: Home) -> None:
    app = monitor_app.create_app(home.monitor)
    app.add_url_rule("/forgotten", "forgotten", lambda: "open to all")
    with pytest.raises(RuntimeError, match="/forgotten"):
        authorization.check_routes(app)


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_is_refused_everywhere_but_at_what_is_open(
    home: Home, stranger: tuple[str, dict[str, str]]
) -> None:
    address, headers = stranger
    refused = refusal_of(headers)
    for (method, rule), action in ROUTES.items():
        answer = home.client.open(
            path_of(rule),
            method=method,
            headers=headers,
            environ_base={"REMOTE_ADDR": address},
        )
        if action is None and rule != "/setup":  # that one is for this machine or its key
            assert answer.status_code != 403, rule
            answer.close()
        else:
            assert answer.status_code == refused, f"{method} {rule}"
            if rule != "/setup":
                assert set(answer.json) == {"error", "hint"}


def test_a_stranger_with_a_browser_reads_why_and_what_to_do(home: Home) -> None:
    answer = home.client.get(
        "/", headers={"Accept": "text/html"}, environ_base={"REMOTE_ADDR": "10.1.1.1"}
    )
    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert "is not set up yet" in answer.text
    assert "only this server can open it" in answer.text
    assert "ssh -L" in answer.text
    assert 'href="/static/style.css"' in answer.text


def test_a_stranger_at_the_api_reads_the_same_as_json(home: Home) -> None:
    answer = home.client.get(
        "/api/cameras", headers={"Accept": "text/html"}, environ_base={"REMOTE_ADDR": "10.1.1.1"}
    )
    assert answer.status_code == 403
    assert "is not set up yet" in answer.json["error"]
    assert "ssh -L" in answer.json["hint"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:5000", "127.0.0.1", "127.0.0.1:5000", "[::1]", "[::1]:5000"]
)
def test_this_machine_may(home: Home, address: str, host: str) -> None:
    answer = home.client.get(
        "/api/stats", headers={"Host": host}, environ_base={"REMOTE_ADDR": address}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": "nonsense"},
        {"Origin": "http://["},
        {"Origin": ""},
    ],
)
def test_another_web_site_changes_nothing_here(home: Home, headers: dict[str, str]) -> None:
    for method, rule in ROUTES:
        if method != "GET":
            answer = home.client.open(path_of(rule), method=method, headers=headers)
            assert answer.status_code == 403, f"{method} {rule}"
            assert "Cross-site request" in answer.json["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:5000"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost:5000"},
    ],
)
def test_the_own_page_and_a_script_may_change_something(
    home: Home, headers: dict[str, str]
) -> None:
    given = {"Host": "localhost:5000", **headers}
    assert home.client.post("/api/cleanup", json={}, headers=given).status_code == 200


def test_reading_is_allowed_to_a_link_from_another_site(home: Home) -> None:
    assert home.client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


# -- a running monitor ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("run")) as started:
        yield started


class OverSocket(http.client.HTTPConnection):
    """HTTP through `control.sock`."""

    def __init__(self, path: Path) -> None:
        super().__init__("camera-monitor", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self.path))


def test_a_command_is_trusted_over_the_socket_of_the_monitor(monitor: Running) -> None:
    connection = OverSocket(monitor.folder / "data" / "control.sock")
    try:
        for method, path, body in (
            ("GET", "/api/stats", None),
            ("POST", "/api/cleanup", b"{}"),
            ("GET", "/api/jobs", None),
        ):
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
    finally:
        connection.close()


def test_the_socket_of_the_monitor_is_for_its_owner_alone(monitor: Running) -> None:
    mode = (monitor.folder / "data" / "control.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE((monitor.folder / "data").stat().st_mode) == 0o700


def test_a_running_monitor_is_open_to_this_machine_and_closed_to_names_and_proxies(
    monitor: Running,
) -> None:
    assert monitor.get("/api/stats").status == 200
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "127.0.0.1"}):
        assert monitor.request("GET", "/api/stats", headers=headers).status == 403
        assert monitor.request("GET", "/healthz", headers=headers).status == 200
        assert monitor.request("GET", "/static/style.css", headers=headers).status == 200


@pytest.mark.parametrize("host", ["camera_monitor:5000", "_", "my_box.lan", "camera_monitor:80"])
def test_a_name_with_an_underscore_is_a_name(home: Home, host: str) -> None:
    """As Docker Compose gives to containers: stranger or not, the name is not the fault."""
    answer = home.client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 200
    closed = home.client.get("/api/stats", headers={"Host": host})
    assert closed.status_code == 403  # not this machine, and no account yet
    own = {"Host": host, "Origin": f"http://{host.removesuffix(':80')}"}
    assert "Cross-site request" not in home.client.post("/api/scan", headers=own).text
    moved = home.client.get("/api/devices", headers={"Host": host})
    assert moved.headers.get("Location", "/").startswith("/")
    other = {"Host": host, "Origin": "http://camera-monitor:5000"}
    assert "Cross-site request" in home.client.post("/api/scan", headers=other).text


@pytest.mark.parametrize(
    "host", ["a_b@evil.example", "a_b/c", "a_b:x", "a_b:5000:1", "a_b c", "a_é"]
)
def test_an_underscore_makes_no_name_of_what_is_none(home: Home, host: str) -> None:
    assert home.client.get("/healthz", headers={"Host": host}).status_code == 400
