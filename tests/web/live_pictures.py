"""What the tests of live video share: a monitor with real cameras, and readers of its responses."""

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from tests.gst_server import gst_server
from tests.home import Running, running

ADDRESS = "127.83.0.1"
LOGIN = "admin:secret pass"
HEAD = struct.Struct(">HBII")
STATE, INIT, FRAGMENT, PICTURE, PING = range(5)
GATE, DEAD, H265, JPEG = 1, 2, 3, 4
"""The cameras: one with H.264 and Digest, one that is off, one with H.265, one with MJPEG."""
KINDS = {
    GATE: ("--codec", "h264"),
    H265: ("--codec", "h265"),
    JPEG: ("--codec", "mjpeg"),
}


@contextmanager
def cameras(*numbers: int) -> Iterator[dict[int, str]]:
    """Real RTSP servers for these cameras: {camera: URL}."""
    with ExitStack() as stack:
        urls = {}
        for number in numbers:
            address = ADDRESS.removesuffix("1") + str(number)
            options = ("--login", LOGIN, "--digest") if number == GATE else ()
            port = stack.enter_context(gst_server(address, *KINDS[number], *options))
            urls[number] = f"rtsp://{address}:{port}/stream1"
        yield urls


@contextmanager
def monitor_with(folder: Path, *numbers: int, **environment: str) -> Iterator[Running]:
    """A real monitor with the cameras GATE and DEAD, and these."""
    wanted = sorted({GATE, *numbers})
    with cameras(*wanted) as urls, running(folder, **environment) as monitor:
        for number in range(1, max(*wanted, DEAD) + 1):
            url = urls.get(number, f"rtsp://127.83.1.{number}:9/stream1")
            username, _, password = LOGIN.partition(":") if number == GATE else ("", "", "")
            add(monitor, number, url, username, password)
        yield monitor


def add(monitor: Running, number: int, url: str, username: str, password: str) -> None:
    body = {"name": f"Camera {number}", "rtsp_url": url}
    if username:
        body |= {"username": username, "password": password}
    answer = monitor.request("POST", "/api/cameras", body)
    assert answer.status == 201, answer.body
    assert answer.json["camera"]["id"] == number, answer.body


@dataclass
class Frame:
    tile: int
    kind: int
    age: float
    content: bytes

    @property
    def state(self) -> Any:
        return json.loads(self.content)


class Follower:
    """A client of an endless response, which reads it on a thread of its own."""

    def __init__(self, monitor: Running, path: str, **headers: str) -> None:
        self.data = b""
        self.has_ended = False
        self._connection = http.client.HTTPConnection("127.0.0.1", monitor.port, timeout=60)
        self._connection.request("GET", path, headers=headers)
        self._socket = self._connection.sock
        self.answer = self._connection.getresponse()
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while piece := self.answer.read1(1 << 16):
                self.data += piece
        except (OSError, http.client.HTTPException):
            pass  # one of the two hung up
        self.has_ended = True

    def frames(self, tile: int | None = None, kind: int | None = None) -> list[Frame]:
        """The whole frames so far, of this tile and kind."""
        data, at, frames = self.data, 0, []
        while at + HEAD.size <= len(data):
            number, sort, age, length = HEAD.unpack_from(data, at)
            end = at + HEAD.size + length
            if end > len(data):
                break
            frames.append(Frame(number, sort, age / 1000, data[at + HEAD.size : end]))
            at = end
        return [
            each
            for each in frames
            if (tile is None or each.tile == tile) and (kind is None or each.kind == kind)
        ]

    def close(self) -> None:
        if self._socket.fileno() != -1:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self.answer.close()
        self._connection.close()


@contextmanager
def following(monitor: Running, path: str, **headers: str) -> Iterator[Follower]:
    follower = Follower(monitor, path, **headers)
    try:
        yield follower
    finally:
        follower.close()
