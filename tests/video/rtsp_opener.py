"""Opens streams of a real RTSP server, straight, as the tests of streams need it."""

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urljoin

from sources.rtsp_play import end_session
from sources.session_description import parse
from video.model import NotOpened, OpenedMedium, OpenedStream, StreamKey


@dataclass
class Server:
    """Opens the streams of devices that are at these places (host, port, path); keeps what was
    opened, what was given back, and what was alive."""

    places: dict[int, tuple[str, int, str]]
    opened: list[StreamKey] = field(default_factory=list)
    given_back: list[StreamKey] = field(default_factory=list)
    seen_alive: set[StreamKey] = field(default_factory=set)
    moved: set[StreamKey] = field(default_factory=set)
    refusals: dict[StreamKey, int] = field(default_factory=dict)
    refusal: NotOpened | None = None
    on_opened: Callable[[], object] = lambda: None
    uses_udp: bool = False

    def keys(self) -> list[StreamKey]:
        return [StreamKey(number) for number in self.places]

    def open(self, key: StreamKey) -> OpenedStream:
        if self.refusal:
            raise self.refusal
        host, port, path = self.places[key.device]
        try:
            stream = play(host, port, f"rtsp://{host}:{port}{path}", uses_udp=self.uses_udp)
        except OSError as error:
            raise NotOpened(f"refused: {error.strerror}") from None
        self.opened.append(key)
        self.moved.discard(key)
        self.on_opened()
        return stream

    def end(self, opened: OpenedStream) -> None:
        end_session(opened.control, opened.media, opened.sockets)

    def closed(self, key: StreamKey) -> None:
        self.given_back.append(key)

    def refused(self, key: StreamKey, number: int) -> list[StreamKey]:
        self.refusals[key] = self.refusals.get(key, 0) + number
        return [other for other in self.keys() if other != key]

    def alive(self, key: StreamKey, at: float) -> bool:
        self.seen_alive.add(key)
        return key not in self.moved


def pair(host: str) -> list[socket.socket]:
    """Two UDP sockets for RTP and RTCP, at ports in a row."""
    while True:
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "12"]
        sockets[0].bind((host, 0))
        try:
            sockets[1].bind((host, sockets[0].getsockname()[1] + 1))
        except OSError:
            for sock in sockets:
                sock.close()
            continue
        return sockets


def play(host: str, port: int, url: str, *, uses_udp: bool = False) -> OpenedStream:
    """A stream: DESCRIBE, SETUP of each medium, PLAY. Raises OSError."""
    connection = socket.create_connection((host, port), 10)
    number = 0
    session = ""
    data = b""

    def ask(method: str, address: str, **headers: str) -> tuple[dict[str, str], bytes]:
        nonlocal number, data
        number += 1
        lines = [f"{method} {address} RTSP/1.0", f"CSeq: {number}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Session: {session}"] if session else []
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionResetError(104, "closed")
            data += piece
        head, _, data = data.partition(b"\r\n\r\n")
        status, *rows = head.decode().split("\r\n")
        assert " 200 " in status, status
        fields = {name.lower(): value for name, value in (row.split(": ", 1) for row in rows)}
        length = int(fields.get("content-length", "0"))
        while len(data) < length:
            data += connection.recv(65536)
        body, data = data[:length], data[length:]
        return fields, body

    _fields, description = ask("DESCRIBE", url, Accept="application/sdp")
    media, datagrams = [], list[socket.socket]()
    for place, medium in enumerate(parse(description).media):
        address = urljoin(url + "/", medium.control)
        transport = f"RTP/AVP/TCP;unicast;interleaved={2 * place}-{2 * place + 1}"
        if uses_udp:
            datagrams += pair("127.0.0.1")
            first = datagrams[-2].getsockname()[1]
            transport = f"RTP/AVP;unicast;client_port={first}-{first + 1}"
        fields, _body = ask("SETUP", address, Transport=transport)
        session = fields["session"].partition(";")[0]
        media.append(OpenedMedium(medium.kind, medium.encoding, 2 * place))
    ask("PLAY", url)
    control = {
        "transport": "udp" if uses_udp else "tcp",
        "url": url,
        "session": session,
        "number": number,
        "has_get_parameter": True,
    }
    sockets = (connection, *datagrams)
    return OpenedStream(description, tuple(media), control["transport"], sockets, control, data)


class SilentCamera:
    """Answers as a camera does, and after PLAY sends nothing at all, or `media`: once, or without
    an end where it `floods`, or one of `pictures` at once and the next ones every `seconds`. It
    counts the connections that are open, and the most pictures that one of them got."""

    SDP = (
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        b"a=rtpmap:96 H264/90000\r\na=control:track1\r\n"
        b"m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:track2\r\n"
    )

    def __init__(
        self,
        media: bytes = b"",
        *,
        floods: bool = False,
        pictures: Sequence[bytes] = (),
        seconds: float = 0.0,
    ) -> None:
        self._pictures = pictures
        self._seconds = seconds
        self.most_pictures = 0
        self._media = media
        self._floods = floods
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.open = 0
        self.methods: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> "SilentCamera":
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            while line := lines.readline():
                self._answer(connection, line.split()[0].decode(), lines)
        with self._lock:
            self.open -= 1

    def _answer(self, connection: socket.socket, method: str, lines: BinaryIO) -> None:
        number = "0"
        while (row := lines.readline().decode()).strip():
            name, _, value = row.partition(":")
            number = value.strip() if name.lower() == "cseq" else number
        self.methods.append(method)
        body = self.SDP if method == "DESCRIBE" else b""
        head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 7\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        if method == "PLAY":
            connection.sendall(self._media)
            for number, picture in enumerate(self._pictures, 1):
                connection.sendall(picture)
                self.most_pictures = max(self.most_pictures, number)
                connection.settimeout(self._seconds)
                with suppress(TimeoutError):
                    if connection.recv(4096):  # TEARDOWN
                        return
                connection.settimeout(None)
            while self._floods:
                connection.sendall(self._media)
