"""The state of one connection: what has arrived of its request, and its deadlines.

gunicorn's parser alone decides what a request is. Here it is only found out when one is
whole, so that the parser never has to wait for a client.
"""

import enum
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import ChunkMissingTerminator
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader

from server.client_socket import MAX_UNSENT, STALL_TIMEOUT, ClientSocket

HEAD_SECONDS = 10.0
"""For the whole header, from its first byte; a new connection has the same for that byte."""
BODY_SECONDS = 30.0
CLOSE_SECONDS = 2.0
"""For the client to close as well, so that it surely reads the end of its answer."""
SLOWEST = 4096
"""Bytes a second; a client that transfers at least this many gets more time."""
LONGEST_HEAD = 1 << 16
LONGEST_LINE = 8192
"""Of the framing of a chunked body."""
MAX_BUFFERED = (1 << 20) + 8192
"""Bytes of a body that are waited for without a thread; no request but an upload has more."""


class Stage(enum.Enum):
    IDLE = "nothing of a request has come"
    HEAD = "the header is coming"
    BODY = "the body is coming"
    QUEUED = "the whole request waits for its turn"
    RUNNING = "the app works on the request"
    SENDING = "the client takes the rest of its answer"
    CLOSING = "our side is closed, the client's not yet"
    GONE = "closed"


class RequestBuffer(Unreader):
    """The bytes received so far, as gunicorn's parser reads them. Their end is the end of the
    request, unless `pull` is set: then the reading thread waits for more."""

    pull: Callable[[int], bytes] | None = None

    def feed(self, data: bytes) -> None:
        self.buf.seek(0, os.SEEK_END)
        self.buf.write(data)

    def chunk(self, size_hint: int | None = None) -> bytes:
        return self.pull(max(65536, size_hint or 0)) if self.pull else b""

    def __len__(self) -> int:
        return self.buf.getbuffer().nbytes


class ChunkedBody:
    """A parser of chunked bodies that tells when one is complete or broken, which is the same:
    the parser, which reads it then, refuses what is not right."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skip = 0
        self._is_last = False

    def is_whole(self, data: bytes) -> bool:
        """Feed the next bytes; True when the body is complete."""
        self._rest += data
        while not self._is_last:
            dropped = min(self._skip, len(self._rest))
            del self._rest[:dropped]
            self._skip -= dropped
            end = self._rest.find(b"\r\n", 0, LONGEST_LINE)
            if self._skip or end < 0:
                return not self._skip and len(self._rest) > LONGEST_LINE
            try:
                size = int(self._rest[:end].partition(b";")[0], 16)
            except ValueError:
                return True
            if size < 0:
                return True
            del self._rest[: end + 2]
            self._is_last = size == 0
            self._skip = size + 2
        rest = self._rest
        return rest[:2] == b"\r\n" or b"\r\n\r\n" in rest or len(rest) > LONGEST_LINE


class Connection:
    """One client's connection. `client_key`: see `server.fair_queue`. Times are monotonic."""

    def __init__(
        self, cfg: Any, sock: ClientSocket, client: Any, server: Any, client_key: str | None
    ) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        self.client_key = client_key
        self.watched = 0
        self.holds_slot = False
        self.goes_on = False
        self.drained = 0
        self.request: Any = None
        self.buffer = RequestBuffer()
        self._parser: Any = RequestParser(cfg, (), client)
        self._parser.unreader = self.buffer
        self._keepalive = float(cfg.keepalive)
        self._head = bytearray()
        self._chunks: ChunkedBody | None = None
        self._came = 0
        self._is_first = True
        self.enter(Stage.IDLE)

    def enter(self, stage: Stage) -> None:
        self.stage = stage
        self.since = self.moved_at = time.monotonic()
        self._unsent = len(self.sock.unsent)

    # -- what came -----------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the header or the body."""
        self.moved_at = time.monotonic()
        if self.stage is Stage.BODY:
            self.buffer.feed(data)
            self._came += len(data)
            self._is_whole = self._is_body_whole(data)
            return
        if self.stage is Stage.IDLE:
            self.enter(Stage.HEAD)
        self._searched = max(0, len(self._head) - 3)
        self._head += data

    def is_head_whole(self) -> bool:
        """True if the header has its end, or a line end that gunicorn's parser refuses."""
        new = self._head[self._searched :]
        return b"\r\n\r\n" in new or new.replace(b"\r\n", b"").lstrip(b"\n").count(b"\n") > 0

    def is_head_too_long(self) -> bool:
        return len(self._head) > LONGEST_HEAD

    def has_request_line(self) -> bool:
        """True if the first line is whole."""
        return b"\n" in self._head

    def has_part(self) -> bool:
        return self.stage in (Stage.HEAD, Stage.BODY)

    def buffered_bytes(self) -> int:
        """The number of bytes kept for this client, without those that a thread works with."""
        if self.stage is Stage.RUNNING:
            return 0
        return len(self._head) + len(self.buffer) + len(self.sock.unsent)

    def parse(self) -> None:
        """Read the header, which is whole. Raises what gunicorn's parser raises."""
        self.buffer.feed(bytes(self._head))
        self._head.clear()
        self.enter(Stage.BODY)
        self.request = next(self._parser)
        reader = self.request.body.reader
        self._chunks = ChunkedBody() if isinstance(reader, ChunkedReader) else None
        self._length = 0 if self._chunks else reader.length
        self._came = len(self.buffer)
        self._is_whole = self._is_body_whole(self.buffer.buf.getvalue())

    def _is_body_whole(self, new: bytes) -> bool:
        if self._chunks:
            return self._chunks.is_whole(new)
        return self._came >= self._length

    def is_whole(self) -> bool:
        """True if the request is complete, so that a thread does not wait for the client."""
        return self._is_whole

    def is_large(self) -> bool:
        """True if the request is too large to be kept: a thread reads the rest of it."""
        return not self._is_whole and max(self._length, self._came) > MAX_BUFFERED

    def stream_body(self) -> None:
        """Read the rest of the body on demand: `pull` waits for it in the thread of the request."""

        since = time.monotonic() + BODY_SECONDS

        def pull(size: int) -> bytes:
            data = self.sock.receive_by(size, since + self._came / SLOWEST)
            self._came += len(data)
            return data

        self.buffer.pull = pull

    def answer_expectation(self) -> None:
        """Send `100 Continue` to a client that waits for it before it sends the body."""
        if self.request._expected_100_continue:
            self.request._expected_100_continue = False
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def next_request(self) -> bool:
        """Prepare for the next request. True if a part of it has arrived already.

        What nobody read of the last body must not be taken for a request. Raises what
        gunicorn's parser raises about it.
        """
        if not self._parser.finish_body():
            raise ChunkMissingTerminator(b"")
        self.request = None
        self.sock.max_unsent = MAX_UNSENT
        self._is_first = False
        self.enter(Stage.IDLE)
        if rest := self.buffer.take_buffered():
            self.feed(rest)
        return bool(rest)

    # -- time ----------------------------------------------------------------------------

    def expires_at(self) -> float:
        """The time by which this connection must reach its next stage."""
        if self.stage is Stage.IDLE:
            return self.since + (HEAD_SECONDS if self._is_first else self._keepalive)
        if self.stage is Stage.HEAD:
            return self.since + HEAD_SECONDS
        if self.stage is Stage.BODY:
            return self.since + BODY_SECONDS + self._came / SLOWEST
        if self.stage is Stage.SENDING:
            taken = self._unsent - len(self.sock.unsent)
            end = self.since + BODY_SECONDS + taken / SLOWEST
            return min(end, self.sock.moved_at + STALL_TIMEOUT)
        return self.since + CLOSE_SECONDS if self.stage is Stage.CLOSING else float("inf")

    def close(self) -> None:
        """Close our side. Raises OSError when the client is gone."""
        self.sock.shutdown(socket.SHUT_WR)
        self.enter(Stage.CLOSING)
