"""Viewers of live video in a process of their own.

    python -m bench.viewers PORT COUNT PATH

Each reads PATH as fast as it comes. For each line of input it says how many bytes they have read
since the line before, and the median age in milliseconds of what a framed response sent meanwhile.
"""

import json
import selectors
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from bench.running import ROOT

REQUEST = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = struct.Struct(">HBII")
PICTURES = (2, 3)
"""Kinds of frames that hold a picture (web/http/tile_frames.py)."""
Counts = Callable[[], tuple[int, float]]


@contextmanager
def viewers(port: int, count: int, path: str) -> Iterator[Counts]:
    """So many viewers, all with their first picture; the function gives (bytes, age)."""
    command = [sys.executable, "-m", "bench.viewers", str(port), str(count), path]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        given, received = process.stdin, process.stdout

        def counts() -> tuple[int, float]:
            given.write("\n")
            given.flush()
            line = received.readline()
            if not line:
                raise RuntimeError("the viewers have ended")
            size, age = json.loads(line)
            return size, age

        try:
            if received.readline().strip() != "open":
                raise RuntimeError(f"{path} could not be watched")
            yield counts
        finally:
            process.kill()


class _Frames:
    """The ages in a framed response, whose chunks of HTTP are taken away first."""

    def __init__(self) -> None:
        self.ages: list[int] = []
        self._raw = b""
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        self._raw += data
        while (end := self._raw.find(b"\r\n")) >= 0:
            size = int(self._raw[:end], 16)
            if len(self._raw) < end + 4 + size:
                break
            self._data += self._raw[end + 2 : end + 2 + size]
            self._raw = self._raw[end + 4 + size :]
        while len(self._data) >= HEAD.size:
            _tile, kind, age, length = HEAD.unpack_from(self._data)
            if len(self._data) < HEAD.size + length:
                return
            if kind in PICTURES:
                self.ages.append(age)
            del self._data[: HEAD.size + length]


def _opened(port: int, path: str, number: int) -> socket.socket:
    source = (f"127.0.0.{1 + number % 4}", 0)
    connection = socket.create_connection(("127.0.0.1", port), 60, source_address=source)
    connection.sendall(REQUEST.format(path).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        # Byte by byte: what follows belongs to the frames.
        head += connection.recv(1)
        if not head:
            break
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"refused: {head[:200]!r}")
    return connection


def main(port: int, count: int, path: str) -> None:
    frames = _Frames() if path.startswith("/api/live?") else None
    total = 0
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            selector.register(_opened(port, path, number), selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("open", flush=True)
        while True:
            for key, _ in selector.select():
                if isinstance(key.fileobj, socket.socket):
                    data = key.fileobj.recv(1 << 18)
                    if not data:
                        sys.exit("the monitor closed a stream")
                    total += len(data)
                    if frames:
                        frames.feed(data)
                    continue
                if not sys.stdin.readline():
                    return
                ages = frames.ages if frames else []
                print(json.dumps([total, median(ages) if ages else 0]), flush=True)
                total = 0
                ages.clear()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
