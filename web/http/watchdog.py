"""Cut off long responses whose client reads nothing any more or has lost its permission."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

CHECK_EVERY = 0.5
PATIENCE = 10.0
"""Seconds for which a reader may take nothing of what was handed over."""


@dataclass(slots=True, eq=False)
class GuardedAnswer:
    """One long response. `since`: when the piece that is being sent was handed over."""

    sock: socket.socket
    may_go_on: Callable[[], bool]
    since: float | None = None


class Watchdog:
    """One thread that watches all long responses."""

    def __init__(self) -> None:
        self._lines: set[GuardedAnswer] = set()
        self._lock = Lock()
        self._over = Event()
        self._thread = Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def guard(
        self, pieces: Iterator[bytes], sock: socket.socket | None, may_go_on: Callable[[], bool]
    ) -> Iterator[bytes]:
        """The same pieces. Without a socket (no real connection) nothing is watched."""
        if sock is None:
            yield from pieces
            return
        line = GuardedAnswer(sock, may_go_on)
        with self._lock:
            self._lines.add(line)
        try:
            for piece in pieces:
                line.since = time.monotonic()
                yield piece
                line.since = None
        finally:
            with self._lock:
                self._lines.discard(line)

    def _run(self) -> None:
        while not self._over.wait(CHECK_EVERY):
            with self._lock:
                # The lock is held meanwhile, so that no socket is cut that serves another by now.
                for line in self._lines:
                    if line.since is not None and self._is_over(line, line.since):
                        with suppress(OSError):
                            line.sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _is_over(line: GuardedAnswer, since: float) -> bool:
        return time.monotonic() - since > PATIENCE or not line.may_go_on()
