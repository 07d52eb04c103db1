"""Open before the first account means this machine: the kernel says who owns the other end."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.accounts.people import PASSWORD
from tests.home import ROOT, Answer, Running, free_port, running, until
from tests.web.http.test_nginx import NGINX
from web.http import peer

NOBODY = 65534
FIRST = {"username": "Eve", "password": PASSWORD}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's")


def test_the_owner_of_the_other_end_is_known_for_each_kind_of_address() -> None:
    for family, listen, connect in (
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ):
        with socket.socket(family) as listener:
            listener.bind((listen, 0))
            listener.listen()
            with socket.create_connection((connect, listener.getsockname()[1])) as client:
                accepted, _address = listener.accept()
                with accepted:
                    ends = accepted.getpeername()[:2], accepted.getsockname()[:2]
                    assert peer.connection_owner(*ends) == os.geteuid(), (listen, connect)
                    assert peer.connection_owner(ends[0], ("127.0.0.1", 9)) is None
                    client.close()
                    assert peer.connection_owner(*ends) is None, "nobody has it any more"


@contextmanager
def started(*command: str, port: int) -> Iterator[int]:
    """A process that listens on a port of loopback."""
    process = subprocess.Popen(command)

    def listens() -> bool:
        assert process.poll() is None
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    try:
        until(listens, what="it listens")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def relay(monitor: Running, uid: int, *more: str) -> Iterator[int]:
    port = free_port()
    script = str(ROOT / "tests/web/relay.py")
    command = (sys.executable, script, f"{uid}", f"{port}", f"{monitor.port}", *more)
    return started(*command, port=port)  # type: ignore[return-value]


def by(port: int, monitor: Running, method: str, path: str, body: object = None) -> Answer:
    """What the monitor answers over that port, as if it was its own."""
    near = Running(monitor.folder)
    near.port = port
    headers = {"Host": f"localhost:{monitor.port}", "Accept": "text/html"}
    return near.request(method, path, body, headers)


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("monitor")) as made:
        yield made


PLACES = (
    *(("GET", path) for path in ("/", "/api/cameras", "/setup", "/setup?key=guessed")),
    *(("POST", path) for path in ("/api/users", "/api/scan", "/setup")),
)


def test_a_forwarder_of_another_user_that_hides_itself_is_a_stranger(monitor: Running) -> None:
    with relay(monitor, NOBODY) as port:
        for method, path in PLACES:
            answer = by(port, monitor, method, path, FIRST if method == "POST" else None)
            assert answer.status == 403, (method, path)
        assert by(port, monitor, "GET", "/healthz").status == 200
    assert monitor.get("/api/cameras").status == 200, "it is still open to us"


def test_who_sends_and_is_gone_is_not_taken_for_root(run_monitor: Callable[..., Running]) -> None:
    """The kernel shows a connection that no process has open any more as one of user 0."""
    monitor = run_monitor()
    key = re.search(r"/setup\?key=\S+", monitor.text())
    assert key
    form = {**FIRST, "again": PASSWORD}
    with relay(monitor, NOBODY, "close") as port:
        for _ in range(5):
            send(port, monitor, "/setup", form)
            send(port, monitor, "/api/users", FIRST)
        until(lambda: not re.search(f":{monitor.port:04X} \\S+ 0[18] ", connections()))
        assert monitor.get("/api/users").json["users"] == []
        send(port, monitor, key[0], form)
        until(lambda: monitor.get("/api/users").status == 401, what="with the key it has come")


def send(port: int, monitor: Running, path: str, fields: dict[str, str]) -> None:
    """A request in one piece, whose answer nobody hears."""
    is_api = path.startswith("/api")
    body = (json.dumps(fields) if is_api else urlencode(fields)).encode()
    kind = "application/json" if is_api else "application/x-www-form-urlencoded"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:{monitor.port}\r\nContent-Type: {kind}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert sock.recv(1) == b""


def connections() -> str:
    return Path("/proc/net/tcp").read_text()


def test_a_forwarder_of_our_own_user_is_this_machine(monitor: Running) -> None:
    with relay(monitor, os.geteuid()) as port:
        assert by(port, monitor, "GET", "/api/cameras").status == 200


NGINX_CONF = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{monitor};
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


@contextmanager
def nginx(monitor: Running) -> Iterator[int]:
    """A proxy of another user that passes Host on and says nothing of itself."""
    if NGINX is None:
        pytest.skip("nginx is missing: apt-get install nginx")
    folder, port = Path(tempfile.mkdtemp(prefix="nginx-")), free_port()
    try:
        os.chown(folder, NOBODY, NOBODY)
        config = folder / "nginx.conf"
        config.write_text(NGINX_CONF.format(folder=folder, port=port, monitor=monitor.port))
        config.chmod(0o644)
        user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        files = ("-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config))
        with started(*user, NGINX, *files, port=port):
            yield port
    finally:
        shutil.rmtree(folder)


def test_behind_nginx_only_the_set_up_link_leads_in(run_monitor: Callable[..., Running]) -> None:
    monitor = run_monitor()
    with nginx(monitor) as port:
        for method, path in PLACES:
            answer = by(port, monitor, method, path, FIRST if method == "POST" else None)
            assert answer.status == 403, (method, path)
        link = re.search(r"/setup\?key=\S+", monitor.text())
        assert link
        assert by(port, monitor, "GET", link[0]).status == 200
    made = monitor.request("POST", "/api/users", {"username": "Ada", "password": PASSWORD})
    assert made.status == 201
