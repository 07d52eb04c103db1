"""The messages of the process that uses the cameras of this computer.

Each is 8 bytes (the lengths of head and data, big-endian), a head in JSON, and data.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

STARTED, PICTURE, CAMERAS, TROUBLE = "started", "picture", "cameras", "trouble"
"""The kinds: the camera runs; its picture, as JPEG; the cameras of this computer; what is wrong."""
HEADER = struct.Struct("!II")
MOST_HEAD, MOST_DATA = 1 << 20, 33 << 20
"""Bytes. A longer message is the sign of a process that is out of its mind."""

Message = tuple[Mapping[str, Any], bytes]


class Malformed(Exception):
    """The bytes are no message."""


def encode(kind: str, head: Mapping[str, Any] | None = None, data: bytes = b"") -> bytes:
    text = json.dumps({"kind": kind, **(head or {})}).encode()
    return HEADER.pack(len(text), len(data)) + text + data


class Decoder:
    """Bytes in pieces of any size, to messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises Malformed."""
        self._bytes += data
        messages = []
        while len(self._bytes) >= HEADER.size:
            head, length = HEADER.unpack_from(self._bytes)
            if head > MOST_HEAD or length > MOST_DATA:
                raise Malformed(f"a message of {head} and {length} bytes")
            end = HEADER.size + head + length
            if len(self._bytes) < end:
                break
            messages.append(self._message(HEADER.size + head, end))
            del self._bytes[:end]
        return messages

    def _message(self, start: int, end: int) -> Message:
        try:
            head = json.loads(self._bytes[HEADER.size : start])
        except ValueError:
            raise Malformed("a head that is not JSON") from None
        if not isinstance(head, dict):
            raise Malformed("a head that is not an object")
        return head, bytes(self._bytes[start:end])
