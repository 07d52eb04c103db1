"""A client's socket that buffers unsent output, so that no thread waits for the client."""

import contextlib
import select
import socket
import time
from typing import Any

STALL_TIMEOUT = 10.0
"""Seconds for which a client can take nothing of its answer before it is cut off."""
MAX_UNSENT = 8 << 20
"""Bytes of one answer that can wait; a thread that has more of it waits too."""


class ClientSocket(socket.socket):
    """A socket that never blocks: `sendall` keeps the rest, and `flush` sends it later.

    `max_unsent` is how much can be kept before `sendall` waits for the client; then
    TimeoutError is raised after STALL_TIMEOUT seconds without progress.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.setblocking(False)
        self.unsent = bytearray()
        self.max_unsent = MAX_UNSENT
        self.moved_at = time.monotonic()

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send what can be sent now and keep the rest. Raises OSError when the client is gone."""
        if not self.unsent:
            self.moved_at = time.monotonic()
        self.unsent += data
        self.flush()
        while len(self.unsent) > self.max_unsent:
            self._wait(select.POLLOUT, self.moved_at + STALL_TIMEOUT)
            self.flush()

    def flush(self) -> bool:
        """Send what can be sent now. True if nothing is left. Raises OSError when it cannot be."""
        with contextlib.suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self.send(self.unsent)]
                self.moved_at = time.monotonic()
        return not self.unsent

    def receive_by(self, size: int, until: float) -> bytes:
        """Wait for data until the monotonic time `until`. Raises TimeoutError."""
        while True:
            with contextlib.suppress(BlockingIOError):
                return self.recv(size)
            self._wait(select.POLLIN, until)

    def _wait(self, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(self, event)
        remaining = until - time.monotonic()
        if remaining <= 0 or not poll.poll(remaining * 1000):
            raise TimeoutError("the client is too slow")
