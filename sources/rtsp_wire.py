"""RTSP on the wire: requests as bytes, and the messages in a stream of bytes. Pure, no I/O.

RFC 2326, as devices really speak it: interleaved data before and between answers, stray line ends,
lines that end with a line feed alone, answers without CSeq.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = "RTSP/1.0"
MAX_HEAD = 64 * 1024
"""Bytes of a message before its body."""
MAX_BODY = 256 * 1024
MAX_HEADERS = 256
STATUS_LINE = re.compile(r"RTSP/[0-9]\.[0-9]\s+([0-9]{3})(?:\s+(.*))?", re.DOTALL)
REQUEST_LINE = re.compile(r"([A-Z_]{1,32})\s+(\S+)\s+RTSP/[0-9]\.[0-9]")
LENGTH = re.compile(r"[0-9]{1,9}")
CONTROLS = dict.fromkeys((*range(9), *range(10, 32), *range(127, 160)))
"""Characters that no line may hold, except the tab; those of a request would be refused."""
BEGINNINGS = (b"RTSP/", b"$")
MEDIA = ord("$")


class InvalidResponse(Exception):
    """Raised for bytes that are not RTSP, or too many of them; the text is the reason."""


class TooLong(InvalidResponse):
    """Raised for a response with a body that no camera needs."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response. The names in `headers` are in lower case; a repeated one keeps its order."""

    code: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.code < 300

    def header(self, name: str) -> str:
        """The first value of this header, in lower case; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def cseq(self) -> int | None:
        """The number of the request that it answers. None if it is missing or not a number, as
        in some refusals."""
        text = self.header("cseq")
        return int(text) if LENGTH.fullmatch(text) else None

    @property
    def session(self) -> str:
        """The id of the session, without its parameters; empty if there is none."""
        return self.header("session").partition(";")[0].strip()

    @property
    def timeout(self) -> float | None:
        """Seconds of silence after which the device ends the session; None where it names none."""
        for part in self.header("session").split(";")[1:]:
            name, _, value = (text.strip() for text in part.partition("="))
            if name.lower() == "timeout" and value.isascii() and value.isdecimal():
                return float(value[:6]) or None
        return None


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the device, such as OPTIONS or ANNOUNCE; clients answer 501 or nothing."""

    method: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Media data on this channel of the connection (RFC 2326, section 10.12)."""

    channel: int
    data: bytes = field(repr=False)

    @property
    def framed(self) -> bytes:
        """The bytes as they came."""
        return b"$" + bytes((self.channel,)) + len(self.data).to_bytes(2, "big") + self.data


Message = Response | Request | Interleaved


def request(method: str, url: str, cseq: int, headers: Mapping[str, str] | None = None) -> bytes:
    """A request without a body. Raises ValueError for a value that would begin another line."""
    lines = [f"{method} {url} {VERSION}", f"CSeq: {cseq}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if any(character in line for line in lines for character in "\r\n\x00"):
        raise ValueError("a line end in a request")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Reader:
    """Takes a stream of bytes apart. `feed()` bytes, then take messages until there is none."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._head: tuple[Response | Request, int] | None = None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def skip_media(self) -> None:
        """Drop the interleaved data at the beginning, quicker than one message after the other."""
        place, size = 0, len(self._buffer)
        while self._head is None and size - place >= 4 and self._buffer[place] == MEDIA:
            end = place + 4 + (self._buffer[place + 2] << 8) + self._buffer[place + 3]
            if end > size:
                break
            place = end
        del self._buffer[:place]

    @property
    def rest(self) -> bytes:
        """What came after the last message."""
        return bytes(self._buffer)

    @property
    def is_within_message(self) -> bool:
        """True while the bytes so far end in the middle of a message."""
        return self._head is not None or bool(self._buffer.strip(b"\r\n"))

    def next(self) -> Message | None:
        """The next message, or None until more bytes are there. Raises InvalidResponse."""
        if self._head is None:
            self._skip_line_ends()
            if self._buffer[:1] == b"$":
                return self._interleaved()
            self._head = self._read_head()
        return self._with_body()

    def _skip_line_ends(self) -> None:
        if self._buffer.startswith((b"\r", b"\n")):
            del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))]

    def _interleaved(self) -> Interleaved | None:
        if len(self._buffer) < 4:
            return None
        end = 4 + int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < end:
            return None
        message = Interleaved(self._buffer[1], bytes(self._buffer[4:end]))
        del self._buffer[:end]
        return message

    def _read_head(self) -> tuple[Response | Request, int] | None:
        end = self._end_of_head()
        if end is None:
            self._refuse_early()
            return None
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return read_head(head)

    def _end_of_head(self) -> int | None:
        """Where the head ends, its empty line included. Each byte is looked at once."""
        start = max(0, self._searched - 3)
        ends = [
            place + len(mark)
            for mark in (b"\r\n\r\n", b"\n\n")
            if (place := self._buffer.find(mark, start)) >= 0
        ]
        self._searched = len(self._buffer)
        return min(ends, default=None)

    def _refuse_early(self) -> None:
        """Refuse what cannot become a message, without waiting for its end."""
        begin = bytes(self._buffer[:40])
        is_begun = any(begin.startswith(mark[: len(begin)]) for mark in BEGINNINGS)
        if begin and not is_begun and not _may_be_request(begin):
            raise InvalidResponse(_what_is(begin))
        if len(self._buffer) > MAX_HEAD:
            raise InvalidResponse("sent a response without an end")

    def _with_body(self) -> Message | None:
        if self._head is None:
            return None
        message, length = self._head
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        if isinstance(message, Response) and body:
            return Response(message.code, message.reason, message.headers, body)
        return message


def read_head(head: bytes) -> tuple[Response | Request, int]:
    """The message of these lines, and the bytes of its body. Raises InvalidResponse."""
    lines = head.decode("utf-8", "replace").splitlines()
    first = lines[0].strip() if lines else ""
    headers = _headers(lines[1:])
    response, sent = STATUS_LINE.fullmatch(first), REQUEST_LINE.fullmatch(first)
    if response:
        message: Response | Request = Response(
            int(response.group(1)), (response.group(2) or "").strip(), headers
        )
    elif sent:
        message = Request(sent.group(1), headers)
    else:
        raise InvalidResponse(_what_is(first.encode()[:40]))
    return message, _length(headers)


def _headers(lines: list[str]) -> tuple[tuple[str, str], ...]:
    headers = list[tuple[str, str]]()
    for line in (line.translate(CONTROLS) for line in lines):
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = name, f"{value} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if colon and len(headers) < MAX_HEADERS:
            headers.append((name.strip().lower(), value.strip()))
    return tuple(headers)


def _length(headers: tuple[tuple[str, str], ...]) -> int:
    text = next((value for name, value in headers if name == "content-length"), "")
    length = int(text) if LENGTH.fullmatch(text) else 0
    if length > MAX_BODY:
        raise TooLong(f"sent a response of {length} bytes")
    return length


def _may_be_request(begin: bytes) -> bool:
    method = begin.partition(b" ")[0]
    return method.isalpha() and method.isupper()


def _what_is(begin: bytes) -> str:
    """What the other end speaks, in words; its bytes are not repeated."""
    if begin.startswith(b"HTTP/"):
        return "speaks HTTP, not RTSP"
    if begin[:1] == b"\x15" or begin[:2] == b"\x16\x03":
        return "speaks TLS, not RTSP"
    if begin.startswith(b"SSH-"):
        return "speaks SSH, not RTSP"
    return "does not speak RTSP"
