"""The sockets of one stream that plays: its packets, signs of life, and the end of its session."""

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from video.model import OpenedMedium, OpenedStream

PIECE = 64 * 1024
MAX_READ = 8 * PIECE
"""Bytes of one socket that are read before another stream has its turn."""
MAX_DATAGRAMS = 400
DRAIN, QUIET = 1.0, 0.25
"""Seconds after TEARDOWN in which the socket is still read, and those of silence that end it: a
socket that is closed over unread bytes is reset, and the device may lose what was sent."""


class Playing(Protocol):
    """The protocol of a stream that plays: `sources/rtsp_playing.py`."""

    next_keep_alive: float
    ended: str
    refusals: int

    def feed(self, data: bytes) -> list[tuple[int, bytes]]: ...
    def keep_alive(self, now: float) -> bytes: ...
    def teardown(self) -> bytes: ...
    def to_send(self) -> bytes: ...
    def forget_login(self) -> None: ...


MakePlaying = Callable[[Mapping[str, Any], Iterable[OpenedMedium], bytes], Playing]


class Ended(Exception):
    """The stream has ended; why, in words."""


class Connection:
    """The sockets of a stream, which are its own. Times are those of the monotonic clock."""

    def __init__(self, opened: OpenedStream, make_playing: MakePlaying) -> None:
        self._playing = make_playing(opened.control, opened.media, opened.rest)
        self._control, *pairs = opened.sockets
        self._unsent = b""
        self._has_rest = bool(opened.rest)
        self._ended = ""
        self._datagrams = [
            (medium.channel + place % 2, sock)
            for medium, first in zip(opened.media, range(0, len(pairs), 2), strict=False)
            for place, sock in enumerate(pairs[first : first + 2])
        ]
        self._drained_at = self._drained_until = 0.0
        for sock in opened.sockets:
            sock.setblocking(False)

    def read(self, now: float) -> list[tuple[int, bytes]]:
        """The packets that have come, each with its channel. Raises Ended after the last ones."""
        packets = self._read_control()
        for channel, sock in self._datagrams:
            packets += _datagrams(sock, channel)
        if now >= self._playing.next_keep_alive:
            self._unsent += self._playing.keep_alive(now)
        self._unsent += self._playing.to_send()
        if self._unsent:
            self._send()
        reason = self._playing.ended or self._ended
        if reason and (not packets or self.refusals):
            raise Ended(reason)
        return packets

    @property
    def refusals(self) -> int:
        """The logins that the device refused when its stream had to be kept alive."""
        return self._playing.refusals

    def forget_login(self) -> None:
        """Send no login any more: the device refused it elsewhere."""
        self._playing.forget_login()

    def end(self, now: float) -> None:
        """Ask the device to end the session; call `is_drained` until it is True, then `close`."""
        self._drained_at, self._drained_until = now + QUIET, now + DRAIN
        try:
            self._unsent += self._playing.teardown()
            self._send()
            self._control.shutdown(socket.SHUT_WR)
        except OSError:
            self._drained_until = now

    def is_drained(self, now: float) -> bool:
        """Read what the device still sends; True when nothing more comes."""
        try:
            if self._control.recv(PIECE):
                self._drained_at = now + QUIET
            else:
                return True
        except BlockingIOError:
            pass
        except OSError:
            return True
        return now >= min(self._drained_at, self._drained_until)

    def close(self) -> None:
        """Close all sockets."""
        self._control.close()
        for _channel, sock in self._datagrams:
            sock.close()

    def _read_control(self) -> list[tuple[int, bytes]]:
        packets = self._playing.feed(b"") if self._has_rest else []
        self._has_rest = False
        size = 0
        while size < MAX_READ:
            try:
                data = self._control.recv(PIECE)
            except BlockingIOError:
                break
            except OSError as error:
                self._ended = f"the connection was lost ({error.strerror})"
                break
            if not data:
                self._ended = "the device closed the connection"
                break
            size += len(data)
            packets += self._playing.feed(data)
            if len(data) < PIECE:
                break
        return packets

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._control.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._unsent = b""
            self._ended = self._ended or f"the connection was lost ({error.strerror})"


def _datagrams(sock: socket.socket, channel: int) -> list[tuple[int, bytes]]:
    packets = []
    for _ in range(MAX_DATAGRAMS):
        try:
            packets.append((channel, sock.recv(PIECE)))
        except BlockingIOError:
            break
        except OSError:
            break  # an ICMP error: the next datagram may come all the same
    return packets
