"""The messages between the monitor and the process that measures pictures.

A message is a list of parts: their number and their lengths, 4 bytes each, big-endian; then the
parts. To the process: a picture and earlier descriptors. From it: JSON and a descriptor.
"""

import socket
import struct
from time import monotonic

MOST_PARTS = 64
MOST_BYTES = 40 << 20
"""Of all parts. A picture has at most 32 MB."""
PIECE = 1 << 20


class Ended(Exception):
    """The other side has closed the connection, or sends what is no message."""


def send(connection: socket.socket, *parts: bytes) -> None:
    """Send a message. Raises Ended, and TimeoutError of a socket that has a time-out."""
    lengths = struct.pack(f"!{len(parts) + 1}I", len(parts), *map(len, parts))
    try:
        connection.sendall(b"".join((lengths, *parts)))
    except TimeoutError:
        raise
    except OSError as error:
        raise Ended(str(error)) from None


def receive(connection: socket.socket, until: float | None = None) -> list[bytes]:
    """The parts of one message, by this time of the monotonic clock. Raises Ended and
    TimeoutError."""
    (count,) = struct.unpack("!I", _exactly(connection, 4, until))
    if not 0 < count <= MOST_PARTS:
        raise Ended("a message of so many parts")
    lengths = struct.unpack(f"!{count}I", _exactly(connection, 4 * count, until))
    if sum(lengths) > MOST_BYTES:
        raise Ended("a message of so many bytes")
    return [_exactly(connection, length, until) for length in lengths]


def _exactly(connection: socket.socket, size: int, until: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if until is not None:
            connection.settimeout(max(until - monotonic(), 0.001))
        try:
            piece = connection.recv(min(size - len(data), PIECE))
        except TimeoutError:
            raise
        except OSError as error:
            raise Ended(str(error)) from None
        if not piece:
            raise Ended("closed")
        data += piece
    return bytes(data)
