"""Readers of the event stream in a process of their own.

    python -m bench.streams PORT COUNT [QUERY]

It says "open" when all have their first bytes, reads until its input ends, and then says how
many messages it read.
"""

import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.running import ROOT

REQUEST = "GET /api/events{} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


@contextmanager
def readers(port: int, count: int, query: str = "") -> Iterator[list[int]]:
    """So many open event streams; at the end the list holds how many messages they read."""
    read: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-m", "bench.streams", str(port), str(count), query],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline().strip() != "open":
            raise RuntimeError("the streams could not be opened")
        yield read
        process.stdin.close()
        read.append(int(process.stdout.readline()))


def main(port: int, count: int, query: str) -> None:
    messages = 0
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            # One address has a share of the streams, so they come from several.
            source = (f"127.0.0.{1 + number % 4}", 0)
            sock = socket.create_connection(("127.0.0.1", port), source_address=source)
            sock.sendall(REQUEST.format(query).encode())
            if not sock.recv(65536).startswith(b"HTTP/1.1 200"):
                sys.exit("the monitor refused a stream")
            selector.register(sock, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("open", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    print(messages, flush=True)
                    return
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65536)
                if not data:
                    sys.exit("the monitor closed a stream")
                messages += data.count(b"\ndata: ")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), "".join(sys.argv[3:]))
