"""Slow, lazy and greedy clients hold up nobody else. All on real processes and sockets."""

import http.client
import json
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.home import Running, until

MANY = 1000
ATTACKERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
HOST = b"Host: localhost\r\n"
PAGE = b"GET / HTTP/1.1\r\n" + HOST
STYLE = b"GET /static/style.css HTTP/1.1\r\n" + HOST + b"\r\n"
KINDS = {
    "asks to close and never closes": b"GET /healthz HTTP/1.1\r\nConnection: close\r\n"
    + HOST
    + b"\r\n",
    "says nothing": b"",
    "never ends its header": PAGE + b"X-Slow:",
    "never ends its body": b"POST /api/scan HTTP/1.1\r\nContent-Length: 99\r\n" + HOST + b"\r\nab",
    "never ends an upload": b"POST /settings/workbook HTTP/1.1\r\nContent-Length: 9999999\r\n"
    + HOST
    + b"\r\nab",
    "never ends its chunks": b"POST /api/scan HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    + HOST
    + b"\r\n5\r\nab",
    "never reads its answer": STYLE * 8,
}
HASTY = """
import sys
from server import client_socket, connection
connection.HEAD_SECONDS = connection.BODY_SECONDS = connection.CLOSE_SECONDS = 0.5
client_socket.STALL_TIMEOUT = connection.STALL_TIMEOUT = 0.5
import serving
sys.argv = ["app.py"]
serving.main()
"""
"""A server with short deadlines; what they are is not the point here."""


def client(port: int, address: str = "127.0.0.1", buffer: int | None = None) -> socket.socket:
    sock = socket.socket()
    if buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.settimeout(30)
    sock.bind((address, 0))
    sock.connect(("127.0.0.1", port))
    return sock


@contextmanager
def crowd(port: int, request: bytes, count: int, *addresses: str) -> Iterator[list[socket.socket]]:
    """So many clients that send this and then do nothing."""
    with ExitStack() as stack:
        socks = []
        for number in range(count):
            sock = client(port, addresses[number % len(addresses)], 2048)
            stack.callback(sock.close)
            socks.append(sock)
            try:
                sock.sendall(request)
            except OSError:
                continue  # it was closed to make room for another
        yield socks


def is_open(sock: socket.socket) -> bool:
    """The server has neither closed it nor said anything."""
    watch = select.poll()
    watch.register(sock, select.POLLIN)
    return not watch.poll(0)


def ask(port: int, address: str, path: str) -> int:
    """A request from this address; its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, 30, source_address=(address, 0))
    connection.request("GET", path, headers={"Host": "localhost"})
    status = connection.getresponse().status
    connection.close()
    return status


def whole_answer(sock: socket.socket, request: bytes = b"") -> bytes:
    """What comes until the server closes."""
    sock.sendall(request)
    answer = b""
    while piece := sock.recv(65536):
        answer += piece
    return answer


def worker_of(monitor: Running) -> int:
    assert monitor.process is not None
    pid = monitor.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def until_alone(monitor: Running) -> None:
    """Until the clients of other tests are gone."""
    descriptors = Path(f"/proc/{worker_of(monitor)}/fd")
    until(lambda: len(list(descriptors.iterdir())) < 80, 60, "the others are gone")


@pytest.fixture(scope="module", autouse=True)
def _enough_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that can open 1,312 descriptors, and trusts a proxy at 127.0.0.7."""
    monitor = Running(tmp_path_factory.mktemp("narrow"), TRUSTED_PROXIES="127.0.0.7")
    try:
        yield monitor.start("sh", "-c", f"ulimit -n 1312; exec {sys.executable} app.py")
    finally:
        monitor.kill()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    monitor = Running(tmp_path_factory.mktemp("hasty"))
    try:
        yield monitor.start(sys.executable, "-c", HASTY)
    finally:
        monitor.kill()


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_slow_clients_hold_up_nobody(narrow: Running, kind: str) -> None:
    worker = worker_of(narrow)
    with crowd(narrow.port, KINDS[kind], MANY, *ATTACKERS):
        for address in ("127.0.0.1", ATTACKERS[0]):
            assert [ask(narrow.port, address, path) for path in ("/healthz", "/")] == [200, 200]
    assert worker_of(narrow) == worker


def test_one_address_has_a_share_and_takes_nothing_from_others(narrow: Running) -> None:
    until_alone(narrow)
    with (
        crowd(narrow.port, b"", 10, "127.0.0.8") as others,
        crowd(narrow.port, b"", 250, "127.0.0.9") as greedy,
        crowd(narrow.port, b"", 250, "127.0.0.7") as proxied,
    ):
        assert ask(narrow.port, "127.0.0.1", "/healthz") == 200
        until(lambda: sum(map(is_open, greedy)) == 200, what="the share is a quarter of 800")
        assert all(map(is_open, greedy[50:]))
        assert all(map(is_open, others))
        assert all(map(is_open, proxied))


def test_commands_get_in_however_full_it_is(narrow: Running) -> None:
    with crowd(narrow.port, b"", MANY, *ATTACKERS, "127.0.0.6"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        sock.connect(str(narrow.folder / "data" / "control.sock"))
        answer = whole_answer(sock, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        sock.close()


def test_large_uploads_of_one_address_are_read_two_at_a_time(narrow: Running) -> None:
    until_alone(narrow)
    request = KINDS["never ends an upload"].replace(b"\r\nab", b"\r\nContent-Type: a/b\r\n\r\nab")
    request = request.replace(b"\r\n\r\nContent-Type", b"\r\nContent-Type")
    request = request.replace(b"a/b", b"multipart/form-data; boundary=x")
    with crowd(narrow.port, request, 2, "127.0.0.9") as first:
        third = client(narrow.port, "127.0.0.9")
        assert whole_answer(third, request).startswith(b"HTTP/1.1 503")
        assert all(map(is_open, first))
        third.close()


def test_the_limit_of_descriptors_is_raised_where_that_is_allowed(
    run_monitor: Callable[..., Running], tmp_path: Path
) -> None:
    monitor = Running(tmp_path)
    try:
        monitor.start("sh", "-c", f"ulimit -Sn 256; exec {sys.executable} app.py")
        limits = Path(f"/proc/{worker_of(monitor)}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        assert int(line.split()[3]) == 4608
    finally:
        monitor.kill()


# -- deadlines ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["never ends its header", "never ends its body", "never ends its chunks"]
)
def test_a_request_that_does_not_come_to_its_end_is_refused(hasty: Running, kind: str) -> None:
    sock = client(hasty.port)
    assert whole_answer(sock, KINDS[kind]).startswith(b"HTTP/1.1 408")
    sock.close()


def test_a_client_that_says_nothing_is_let_go_without_a_word(hasty: Running) -> None:
    sock = client(hasty.port)
    assert whole_answer(sock) == b""
    sock.close()


def test_a_client_that_does_not_close_is_closed(hasty: Running) -> None:
    sock = client(hasty.port)
    assert whole_answer(sock, KINDS["asks to close and never closes"]).endswith(b"ok\n")

    def is_cut() -> bool:
        try:
            sock.sendall(b"x")
        except OSError:
            return True
        return False

    until(is_cut, what="the server has closed its end of the connection too")
    sock.close()


def test_an_answer_that_nobody_reads_is_dropped(hasty: Running) -> None:
    asked = 200
    sock = client(hasty.port, buffer=2048)
    sock.sendall(STYLE * asked)

    def is_dropped() -> bool:
        return f":{hasty.port:04X} " not in _established(sock.getsockname()[1])

    until(is_dropped, what="the server has given up")
    sock.close()
    assert ask(hasty.port, "127.0.0.1", "/healthz") == 200


def _established(port: int) -> str:
    """Lines of the kernel's table about the server's end of this client's connection."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return "\n".join(line for line in lines if f":{port:04X} 01 " in line)


def test_a_body_that_keeps_coming_has_the_time_it_needs(hasty: Running) -> None:
    body = b"x" * 60_000
    sock = client(hasty.port)
    sock.sendall(b"POST /api/scan HTTP/1.1\r\nConnection: close\r\nContent-Length: 60000\r\n")
    sock.sendall(HOST + b"\r\n")
    slow = client(hasty.port)
    for at in range(0, len(body), 6000):
        sock.sendall(body[at : at + 6000])
        # Each piece waits for a whole deadline of another client that sends nothing.
        if at < 12_000:
            assert whole_answer(slow) == b""
            slow.close()
            slow = client(hasty.port)
    assert not whole_answer(sock).startswith(b"HTTP/1.1 408")
    sock.close()
    slow.close()


# -- HTTP, byte by byte ------------------------------------------------------------------


def test_requests_one_behind_the_other_are_answered_in_order(narrow: Running) -> None:
    last = b"GET /readyz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    request = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    sock = client(narrow.port)
    answer = whole_answer(sock, request * 5 + last)
    assert answer.count(b"HTTP/1.1 200") == 6
    assert answer.count(b"\r\n\r\nok\n") == 5
    assert answer.endswith(b"ready\n")
    sock.close()


def test_a_request_in_single_bytes_is_answered(narrow: Running) -> None:
    sock = client(narrow.port)
    request = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    for at in range(len(request)):
        sock.sendall(request[at : at + 1])
    assert whole_answer(sock).startswith(b"HTTP/1.1 200")
    sock.close()


def test_a_body_that_nobody_read_is_not_taken_for_a_request(narrow: Running) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
    end = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    by_length = b"POST /healthz HTTP/1.1\r\nContent-Length: %d\r\n" % len(hidden) + HOST + b"\r\n"
    by_chunks = b"POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n"
    chunks = b"%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n"
    sock = client(narrow.port)
    answer = whole_answer(sock, by_length + hidden + by_chunks + chunks + end)
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"405", b"405", b"200"]
    sock.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"400"),
        (b"Content-Length: -5\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked, gzip\r\n\r\n", b"400"),
        (b"X Y: 1\r\n\r\n", b"400"),
        (b"X: 1\n\n", b"400"),
        (b"X: " + b"y" * 100_000, b"431"),
        (b"X: " + b"y" * 10_000 + b"\r\n\r\n", b"431"),
        (b"Expect: miracles\r\n\r\n", b"417"),
    ],
)
def test_what_two_servers_could_read_differently_is_refused(
    narrow: Running, request_: bytes, status: bytes
) -> None:
    sock = client(narrow.port)
    start = b"POST /healthz HTTP/1.1\r\n" + HOST
    answer = whole_answer(sock, start + request_)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert set(error_in(answer)) == {"error", "hint"}
    sock.close()


def error_in(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert f"Content-Length: {len(body)}".encode() in head
    return json.loads(body)


@pytest.mark.parametrize("length", [5_000, 20_000, 200_000])
def test_a_url_that_is_too_long_is_an_error_and_a_hint(narrow: Running, length: int) -> None:
    sock = client(narrow.port)
    line = b"GET /api/cameras?q=" + b"x" * length + b" HTTP/1.1\r\n"
    answer = whole_answer(sock, line + HOST + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 414 ")
    assert error_in(answer) == {
        "error": "The URL is too long",
        "hint": "Use fewer or shorter parameters.",
    }
    sock.close()


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(narrow: Running) -> None:
    sock = client(narrow.port)
    sock.sendall(b"POST /api/scan HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\n")
    sock.sendall(b"Content-Length: 2\r\n" + HOST + b"\r\n")
    assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    answer = whole_answer(sock, b"{}")
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 409"))
    sock.close()


def test_old_and_short_requests_are_answered(narrow: Running) -> None:
    for request, body in (
        (b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", b"ok\n"),
        (b"HEAD /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", b""),
    ):
        sock = client(narrow.port)
        answer = whole_answer(sock, request)
        assert b" 200 OK\r\n" in answer
        assert answer.partition(b"\r\n\r\n")[2] == body
        sock.close()


# -- signals -----------------------------------------------------------------------------


@contextmanager
def events(port: int) -> Iterator[http.client.HTTPResponse]:
    """An open event stream."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/api/events", headers={"Accept": "text/event-stream"})
    with closing(connection), connection.getresponse() as answer:
        assert answer.readline() == b"retry: 3000\n"
        yield answer


def test_signals_of_process_managers_stop_nothing_and_hup_restarts(
    run_monitor: Callable[..., Running],
) -> None:
    monitor = run_monitor()
    assert monitor.process is not None
    first = worker_of(monitor)
    with events(monitor.port) as stream:
        for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2, signal.SIGHUP):
            monitor.process.send_signal(number)
        until(lambda: not Path(f"/proc/{first}").exists(), what="the first worker has ended")
        assert monitor.request("POST", "/api/scan").status in (200, 409)
        stream.read()  # raises IncompleteRead without the last chunk
    assert worker_of(monitor) != first
    assert monitor.process.poll() is None
    assert "Traceback" not in monitor.text()


def test_a_stop_ends_streams_with_their_last_chunk(run_monitor: Callable[..., Running]) -> None:
    monitor = run_monitor()
    with ExitStack() as stack:
        streams = [stack.enter_context(events(monitor.port)) for _ in range(20)]
        assert monitor.stop() == 0
        for stream in streams:
            stream.read()  # raises IncompleteRead without the last chunk
