"""Opens streams of a real RTSP server, straight, as the tests of streams need it."""

import socket
from dataclasses import dataclass, field
from urllib.parse import urljoin

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
    refusal: NotOpened | None = None

    def open(self, key: StreamKey) -> OpenedStream:
        if self.refusal:
            raise self.refusal
        host, port, path = self.places[key.device]
        try:
            stream = play(host, port, f"rtsp://{host}:{port}{path}")
        except OSError as error:
            raise NotOpened(f"refused: {error.strerror}") from None
        self.opened.append(key)
        return stream

    def closed(self, key: StreamKey) -> None:
        self.given_back.append(key)

    def alive(self, key: StreamKey, at: float) -> None:
        self.seen_alive.add(key)


def play(host: str, port: int, url: str) -> OpenedStream:
    """A stream over TCP: DESCRIBE, SETUP of each medium, PLAY. Raises OSError."""
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
    media = []
    for place, medium in enumerate(parse(description).media):
        address = urljoin(url + "/", medium.control)
        transport = f"RTP/AVP/TCP;unicast;interleaved={2 * place}-{2 * place + 1}"
        fields, _body = ask("SETUP", address, Transport=transport)
        session = fields["session"].partition(";")[0]
        media.append(OpenedMedium(medium.kind, medium.encoding, 2 * place))
    ask("PLAY", url)
    control = {
        "transport": "tcp",
        "url": url,
        "session": session,
        "number": number,
        "has_get_parameter": True,
    }
    return OpenedStream(description, tuple(media), "tcp", (connection,), control, data)
