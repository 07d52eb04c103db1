"""Cut off long responses whose client reads nothing any more or has lost its permission."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

log = logging.getLogger(__name__)
CHECK_EVERY = 0.5
CLIENT_TIMEOUT = 10.0
"""Seconds after which a client that takes nothing is cut off."""


@dataclass(slots=True, eq=False)
class GuardedResponse:
    """A long response. `since`: the time at which its current chunk was handed over."""

    sock: socket.socket
    may_go_on: Callable[[], bool]
    since: float | None = None


class Watchdog:
    """One thread that watches all long responses."""

    def __init__(self) -> None:
        self._responses: set[GuardedResponse] = set()
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
        self, chunks: Iterator[bytes], sock: socket.socket | None, may_go_on: Callable[[], bool]
    ) -> Iterator[bytes]:
        """Pass the chunks on and watch them. Without a socket nothing is watched."""
        if sock is None:
            yield from chunks
            return
        response = GuardedResponse(sock, may_go_on)
        with self._lock:
            self._responses.add(response)
        try:
            for chunk in chunks:
                response.since = time.monotonic()
                yield chunk
                response.since = None
        finally:
            with self._lock:
                self._responses.discard(response)

    def _run(self) -> None:
        while not self._over.wait(CHECK_EVERY):
            with self._lock:
                # The lock is held meanwhile, so that no socket is cut that serves another by now.
                for response in self._responses:
                    if response.since is not None and self._is_over(response, response.since):
                        with suppress(OSError):
                            response.sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _is_over(response: GuardedResponse, since: float) -> bool:
        if time.monotonic() - since > CLIENT_TIMEOUT:
            return True
        try:
            return not response.may_go_on()
        except Exception:
            # Without this thread nobody would be cut off any more.
            log.exception("A response is ended: whether it may go on cannot be told")
            return True
