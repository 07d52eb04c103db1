"""The time that other clients wait while a thousand are slow, lazy or silent."""

import http.client
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.running import HERE, monitor
from bench.table import Row

MANY = 1000
ATTACKERS = tuple(f"127.0.0.{number}" for number in range(2, 6))
HOST = b"Host: localhost\r\n"
KINDS = {
    "never close": b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n",
    "say nothing": b"",
    "never end the header": b"GET / HTTP/1.1\r\n" + HOST,
    "never end the body": b"POST /api/scan HTTP/1.1\r\nContent-Length: 9\r\n" + HOST + b"\r\n{",
    "never read": (b"GET /static/style.css HTTP/1.1\r\n" + HOST + b"\r\n") * 8,
}


@contextmanager
def crowd(port: int, request: bytes) -> Iterator[None]:
    with ExitStack() as stack:
        for number in range(MANY):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.bind((ATTACKERS[number % len(ATTACKERS)], 0))
            try:
                sock.connect((HERE, port))
                sock.sendall(request)
            except OSError:
                continue  # closed to make room for another
        yield


def worst(port: int, address: str, path: str) -> float:
    """The longest of ten requests from this address, each on a new connection; ms."""
    took = []
    for _ in range(10):
        begin = time.perf_counter()
        connection = http.client.HTTPConnection(HERE, port, 60, source_address=(address, 0))
        connection.request("GET", path, headers={"Host": "localhost"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        took.append((time.perf_counter() - begin) * 1000)
    return max(took)


def slow(folder: Path) -> list[Row]:
    """1,000 clients of each kind, from four addresses, one kind after the other."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = []
    with monitor(folder) as process:
        for kind, request in KINDS.items():
            with crowd(process.port, request):
                health = worst(process.port, HERE, "/healthz")
                page = worst(process.port, HERE, "/")
                same = worst(process.port, ATTACKERS[0], "/healthz")
            title = f"1,000 clients that {kind}"
            note = f"page / {page:.0f} ms; from an address of theirs {same:.0f} ms"
            rows.append(Row(f"{title}: worst /healthz", health, "ms", 1000, note=note))
            rows.append(Row(f"{title}: worst page", page, "ms", 1000))
    return rows
