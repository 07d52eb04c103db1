"""A reader of opened streams, as the child process reads them: packets from whichever socket."""

import select
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from sources.rtsp_playing import Playing

SECONDS = 10.0
"""In which what a test waits for must have come."""


class Medium(Protocol):
    @property
    def channel(self) -> int: ...


class Opened(Protocol):
    """An `OpenedStream` of `video`, or a `Played` of `sources`."""

    @property
    def media(self) -> Sequence[Medium]: ...
    @property
    def transport(self) -> str: ...
    @property
    def sockets(self) -> Sequence[socket.socket]: ...
    @property
    def control(self) -> Mapping[str, Any]: ...
    @property
    def rest(self) -> bytes: ...


@dataclass
class StreamReader:
    """Use it as a context: the end sends TEARDOWN."""

    opened: Opened
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.playing = Playing(self.opened.control, self.opened.media, self.opened.rest)
        self.packets += self.playing.feed(b"")
        for sock in self.opened.sockets:
            sock.setblocking(False)

    def __enter__(self) -> "StreamReader":
        return self

    def __exit__(self, *error: object) -> None:
        if not self.is_closed:
            self.connection.send(self.playing.teardown())
        for sock in self.opened.sockets:
            sock.close()

    @property
    def connection(self) -> socket.socket:
        return self.opened.sockets[0]

    def read(self, count: int, *channels: int) -> list[bytes]:
        """Read until there are so many packets, of these channels or of any; those that came when
        the stream ended or the time is up."""
        ends_at = monotonic() + SECONDS
        while len(self.of(*channels)) < count and monotonic() < ends_at and not self.is_closed:
            self._read_once()
        return self.of(*channels)

    def read_to_end(self) -> None:
        """Read until the device closes the connection."""
        ends_at = monotonic() + SECONDS
        while not self.is_closed and monotonic() < ends_at:
            self._read_once()

    def of(self, *channels: int) -> list[bytes]:
        return [data for channel, data in self.packets if not channels or channel in channels]

    def _read_once(self) -> None:
        ready, _writable, _failed = select.select(self.opened.sockets, [], [], 0.5)
        for sock in ready:
            try:
                data = sock.recv(65536)
            except ConnectionError:
                data = b""
            if sock is not self.connection:
                self.packets.append((self.opened.sockets.index(sock) - 1, data))
                continue
            self.is_closed = not data
            self.packets += self.playing.feed(data)
            if output := self.playing.to_send():
                self.connection.send(output)
