"""The messages between the monitor and a child process that reads streams.

They pass over a pair of local sockets: 12 bytes (length of the head, length of the data, kind,
number of sockets, all big-endian), the stream's number, a head in JSON, and data. Sockets
go along with the first byte of their message (SCM_RIGHTS).
"""

import array
import json
import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OPEN, WANT, CLOSE, END, FORGET_LOGIN = 1, 2, 3, 4, 5
"""To the child: read this stream; what is wanted of it now; end it; end all of them; send its login
no more."""
BEAT, STATE, INIT, FRAGMENT, PICTURE, SEGMENT, COUNTS, ENDED = 16, 17, 18, 19, 20, 21, 22, 23
KEY_PICTURE = 24
"""From the child: it is alive, and when each stream got video; the other kinds are the values of
`video/model.py`; ENDED: the stream is closed, and why; KEY_PICTURE: the picture that fulfils a
wish for a key frame."""
HEADER = struct.Struct("!IIHHI")
MAX_HEAD, MAX_DATA = 1 << 20, 64 << 20
"""Bytes. A longer message is the sign of a child that is out of its mind."""
MAX_SOCKETS = 16
PIECE = 256 * 1024


class Malformed(Exception):
    """The other side sends what is no message: the connection must be closed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `stream`: number of the stream within this run of the monitor, 0 for all."""

    kind: int
    stream: int = 0
    head: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = field(default=b"", repr=False)
    sockets: tuple[socket.socket, ...] = field(default=(), repr=False)


def encode(message: Message) -> bytes:
    """The bytes of a message; its sockets are sent beside them."""
    head = json.dumps(message.head, separators=(",", ":")).encode() if message.head else b""
    counts = len(head), len(message.data), message.kind, len(message.sockets)
    return HEADER.pack(*counts, message.stream) + head + message.data


class Decoder:
    """Bytes in pieces of any size, to messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._sockets: deque[socket.socket] = deque()

    def feed(self, data: bytes, sockets: Sequence[socket.socket] = ()) -> list[Message]:
        """The messages that are complete now. Raises Malformed."""
        self._bytes += data
        self._sockets.extend(sockets)
        messages, start = [], 0
        while (end := self._end_of_message(start)) is not None:
            messages.append(self._message(start, end))
            start = end
        del self._bytes[:start]
        return messages

    def close(self) -> None:
        """Close the sockets of a message that was not complete."""
        while self._sockets:
            self._sockets.popleft().close()

    def _end_of_message(self, start: int) -> int | None:
        if len(self._bytes) - start < HEADER.size:
            return None
        head, data, _kind, sockets, _stream = HEADER.unpack_from(self._bytes, start)
        if head > MAX_HEAD or data > MAX_DATA or sockets > MAX_SOCKETS:
            raise Malformed(f"a message of {head} and {data} bytes with {sockets} sockets")
        end = start + HEADER.size + int(head) + int(data)
        return end if end <= len(self._bytes) else None

    def _message(self, start: int, end: int) -> Message:
        length, _data, kind, count, stream = HEADER.unpack_from(self._bytes, start)
        start += HEADER.size
        head = {}
        if length:
            try:
                head = json.loads(self._bytes[start : start + length])
            except ValueError:
                raise Malformed("a head that is not JSON") from None
        if not isinstance(head, dict) or len(self._sockets) < count:
            raise Malformed("a head that is no object, or sockets that are missing")
        sockets = tuple(self._sockets.popleft() for _ in range(count))
        return Message(kind, stream, head, bytes(self._bytes[start + length : end]), sockets)


class Closed(Exception):
    """The other side has closed the connection, or its process has ended."""


class Channel:
    """One end of the pair of sockets. One thread reads and one writes, at the same time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._decoder = Decoder()

    def send(self, message: Message) -> None:
        """Send a message; blocks as the socket does. The sockets stay open on this side too.

        Raises Closed, and TimeoutError of a socket that has a time-out: close it then, for a part
        of the message may be on its way.
        """
        data = memoryview(encode(message))
        try:
            if message.sockets:
                numbers = [sock.fileno() for sock in message.sockets]
                data = data[socket.send_fds(self.connection, [data], numbers) :]
            self.connection.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self) -> list[Message]:
        """The messages that one read completes, perhaps none. Blocks as the socket does.

        Raises Closed, Malformed, and TimeoutError of a socket that has a time-out.
        """
        room = socket.CMSG_SPACE(MAX_SOCKETS * array.array("i").itemsize)
        try:
            data, ancillary, _flags, _address = self.connection.recvmsg(
                PIECE, room, socket.MSG_CMSG_CLOEXEC
            )
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from None
        sockets = [sock for item in ancillary for sock in _sockets(*item)]
        if not data:
            raise Closed("closed")
        return self._decoder.feed(data, sockets)

    def close(self) -> None:
        """Close this end; the other one sees it."""
        self._decoder.close()
        self.connection.close()


def _sockets(level: int, kind: int, data: bytes) -> list[socket.socket]:
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        return []
    numbers = array.array("i")
    numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return [socket.socket(fileno=number) for number in numbers]
