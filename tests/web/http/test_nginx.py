"""A real nginx with TLS in front of a real monitor: who asks, from where, and that it flows."""

import http.client
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.accounts.people import PASSWORD
from tests.home import Running, free_port, running, until
from tests.web.visits import ADMIN, CAMERAS, ask, basic, closed_monitor

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
CLIENT, LIAR = "127.20.0.77", "203.0.113.9"
"""Where the client is, and where it says that it is."""
LIES = {"X-Forwarded-For": LIAR, "Forwarded": f"for={LIAR}", "X-Forwarded-Host": "evil.example"}
HEADERS = {
    "full": (
        "proxy_http_version 1.1;",
        "proxy_set_header Connection '';",
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Host $http_host;",
    ),
    "short": (
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Real-IP $remote_addr;",
    ),
    "none": (),
}
TRUSTED = {"TRUSTED_PROXIES": "127.0.0.1"}
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{monitor};
            {headers}
        }}
    }}
}}
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class ProxiedAnswer:
    """An answer; `cookie` is what a browser would send back."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": (self.headers["Set-Cookie"] or "").partition(";")[0]}


@dataclass
class Nginx:
    """The proxy, asked as a client at CLIENT would."""

    monitor: Running
    kind: str
    port: int
    tls: ssl.SSLContext
    browser: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        origin = f"https://127.0.0.1:{self.port}"
        self.browser = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}

    @property
    def tells_scheme(self) -> bool:
        return any("X-Forwarded-Proto" in line for line in HEADERS[self.kind])

    def open(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=30, context=self.tls, source_address=(CLIENT, 0)
        )

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> ProxiedAnswer:
        connection, given = self.open(), dict(headers or {})
        if isinstance(body, dict):
            if "Origin" in given:
                body, given = urlencode(body), {**FORM, **given}
            else:
                body, given = json.dumps(body), {"Content-Type": "application/json", **given}
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return ProxiedAnswer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def log_in(self, name: str = "Ada", **headers: str) -> ProxiedAnswer:
        """As the form does."""
        body = {"username": name, "password": PASSWORD}
        return self.ask("POST", "/login", body, {**self.browser, **headers})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    command = ("openssl", "req", "-x509", *kind, *subject, *files)
    subprocess.run(command, check=True, capture_output=True)
    return folder


@contextmanager
def nginx(folder: Path, certificate: Path, monitor: Running, kind: str) -> Iterator[Nginx]:
    """The proxy as a process of ours, with the headers of that kind."""
    if NGINX is None:
        pytest.skip("nginx is missing: apt-get install nginx")
    shutil.copytree(certificate, folder)
    port = free_port()
    headers = "\n            ".join(HEADERS[kind])
    config = CONFIG.format(folder=folder, port=port, monitor=monitor.port, headers=headers)
    (folder / "nginx.conf").write_text(config)
    files = ("-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf"))
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen([NGINX, *files], stdout=output, stderr=output)
    proxy = Nginx(monitor, kind, port, ssl.create_default_context(cafile=str(folder / "cert.pem")))

    def answers() -> bool:
        assert process.poll() is None, (folder / "output.txt").read_text()
        try:
            return proxy.ask("GET", "/healthz").status == 200
        except OSError:
            return False

    try:
        until(answers, 30, "nginx answers")
        yield proxy
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module", params=["full", "short"])
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> Iterator[Nginx]:
    """nginx with all the usual headers, or with Host and X-Real-IP only, which is trusted."""
    folder = tmp_path_factory.mktemp("proxy")
    with (
        closed_monitor(folder / "monitor", **TRUSTED) as monitor,
        nginx(folder / "nginx", certificate, monitor, request.param) as started,
    ):
        yield started


@pytest.fixture
def behind(
    tmp_path: Path, certificate: Path
) -> Iterator[Callable[[str, Mapping[str, str]], Nginx]]:
    """Starts a monitor with these options behind an nginx of this kind."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(kind: str, options: Mapping[str, str]) -> Nginx:
            monitor = stack.enter_context(running(tmp_path / kind, **options))
            return stack.enter_context(
                nginx(tmp_path / f"{kind}-nginx", certificate, monitor, kind)
            )

        yield start


def entries(proxy: Nginx, action: str) -> Any:
    return ask(proxy.monitor, "GET", f"/api/audit?action={action}")


# -- a closed monitor --------------------------------------------------------------------------


def test_the_page_logs_in_with_a_cookie_that_is_secure_where_the_way_is_known(
    proxy: Nginx,
) -> None:
    asked = proxy.ask("GET", "/cameras/1", headers=proxy.browser)
    assert (asked.status, asked.headers["Location"]) == (303, "/login?next=/cameras/1")
    answer = proxy.log_in()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    attributes = {
        attribute.strip().lower() for attribute in answer.headers["Set-Cookie"].split(";")[1:]
    }
    assert {"httponly", "samesite=lax"} <= attributes
    assert ("secure" in attributes) == proxy.tells_scheme
    page = proxy.ask("GET", "/", headers={**proxy.browser, **answer.cookie})
    assert page.status == 200
    assert "Camera 1" in page.text
    plain = proxy.monitor.request("POST", "/api/auth/login", {"username": "Ada", "password": "x"})
    assert plain.status == 401, "the monitor itself answers too, and asks for the login"


def test_a_browser_may_write_on_its_own_page_and_no_other_site_may(proxy: Nginx) -> None:
    mine = {**proxy.browser, **proxy.log_in().cookie}
    done = proxy.ask("POST", "/cameras/1/edit", {"do": "change", "notes": "By nginx"}, mine)
    assert done.status == 303, done.text
    assert ask(proxy.monitor, "GET", "/api/camera/1")["notes"] == "By nginx"
    old = {key: value for key, value in mine.items() if key != "Sec-Fetch-Site"}
    assert proxy.ask("POST", "/cameras/1/edit", {"do": "change", "notes": "Old"}, old).status == 303
    evil = {"Origin": "https://evil.example"}
    for lie in (
        {**mine, "Sec-Fetch-Site": "cross-site"},
        {**mine, **evil, "Sec-Fetch-Site": "same-site"},
        {**old, **evil},
        {**old, **evil, "X-Forwarded-Host": "evil.example"},
    ):
        answer = proxy.ask("POST", "/cameras/1/edit", {"do": "change", "notes": "Evil"}, lie)
        assert answer.status == 403, lie
    assert ask(proxy.monitor, "GET", "/api/camera/1")["notes"] == "Old"


def test_scripts_come_with_tokens_or_with_name_and_password(proxy: Nginx) -> None:
    assert proxy.ask("GET", "/api/cameras").status == 401
    assert proxy.ask("GET", "/api/cameras", headers=basic("Ada")).json["count"] == CAMERAS
    made = proxy.ask("POST", "/api/tokens", {"name": "Report"}, basic("Vera"))
    assert made.status == 201
    token = {"Authorization": f"Bearer {made.json['token']}"}
    assert proxy.ask("GET", "/api/cameras", headers=token).json["count"] == CAMERAS
    assert proxy.ask("POST", "/api/scan", headers=token).status == 403
    login = proxy.ask("POST", "/api/auth/login", {"username": "Vera", "password": PASSWORD})
    ticket = {"Authorization": f"Bearer {login.json['access_token']}"}
    assert proxy.ask("GET", "/api/auth/profile", headers=ticket).json["username"] == "Vera"


def test_the_stream_flows_as_it_happens_and_ends_with_the_login(proxy: Nginx) -> None:
    mine = proxy.log_in("Otto").cookie
    connection = proxy.open()
    try:
        connection.request("GET", "/api/events", headers={"Accept": "text/event-stream", **mine})
        stream = connection.getresponse()
        assert (stream.status, stream.headers["Content-Type"]) == (
            200,
            "text/event-stream; charset=utf-8",
        )
        assert b"retry" in stream.read1(65536)
        for number in range(3):  # each arrives before the next one happens
            ask(proxy.monitor, "PATCH", "/api/camera/2", {"notes": f"Told {number} {proxy.port}"})
            heard = b""
            while f"Told {number} {proxy.port}".encode() not in heard:
                piece = stream.read1(65536)
                assert piece, "the stream ended"
                heard += piece
        assert proxy.ask("POST", "/logout", {}, {**proxy.browser, **mine}).status == 303
        while stream.read1(65536):
            pass  # until it ends
    finally:
        connection.close()


@pytest.mark.parametrize("lies", [{}, LIES], ids=["honest", "lying"])
def test_the_audit_log_has_the_real_address_of_the_client(
    lies: dict[str, str], proxy: Nginx
) -> None:
    assert proxy.log_in("Vera", **lies).status == 303
    entry = entries(proxy, "login")[0]
    assert (entry["who"], entry["text"]) == ("Vera", "logged in (browser)")
    assert entry["address"] != LIAR
    if not lies or proxy.tells_scheme:
        assert entry["address"] == CLIENT
    else:
        assert entry["address"] == "127.0.0.1", "two stories: then only the proxy is known"


def test_without_trusted_proxies_what_they_tell_does_not_count(
    behind: Callable[[str, Mapping[str, str]], Nginx],
) -> None:
    proxy = behind("full", ADMIN)
    answer = proxy.log_in(**LIES)
    assert answer.status == 303
    assert "secure" not in answer.headers["Set-Cookie"].lower()
    assert entries(proxy, "login")[0]["address"] == "127.0.0.1"
    assert proxy.ask("GET", "/api/cameras", headers=basic("Ada")).status == 401, (
        "a password is not taken by a way that may be open"
    )


# -- an open monitor ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [("full", TRUSTED), ("full", {}), ("short", TRUSTED), ("none", {})],
    ids=["full", "full, not trusted", "short", "none"],
)
def test_an_open_monitor_is_closed_to_all_who_come_by_nginx(
    kind: str, options: Mapping[str, str], behind: Callable[[str, Mapping[str, str]], Nginx]
) -> None:
    proxy = behind(kind, options)
    assert proxy.monitor.get("/api/cameras").status == 200
    for host in ("127.0.0.1", "localhost", "evil.example"):
        for path in ("/", "/api/cameras", "/setup", "/setup?key=guessed"):
            headers = {"Host": f"{host}:{proxy.port}", "Accept": "text/html"}
            assert proxy.ask("GET", path, headers=headers).status == 403, (host, path)
    form = {"username": "Eve", "password": PASSWORD, "again": PASSWORD}
    assert proxy.ask("POST", "/setup", form, proxy.browser).status == 403
    link = re.search(r"/setup\?key=(\S+)", proxy.monitor.text())
    assert link
    if kind != "none":  # Host is the monitor's own there, so a browser's Origin is another site
        made = proxy.ask("POST", "/setup", {**form, "key": link[1]}, proxy.browser)
        assert made.status == 303, made.text
        assert proxy.ask("GET", "/", headers={**proxy.browser, **made.cookie}).status == 200
