"""A gunicorn worker that gives a thread only to a complete request.

One loop accepts, waits for headers and bodies, sends what slow clients have not received, and
waits for clients to close; nothing in it blocks. Threads run the app.
"""

import contextlib
import ipaddress
import os
import selectors
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.workers import base
from gunicorn.workers.gthread import PollableMethodQueue

from server.client_socket import ClientSocket
from server.connection import Connection, Stage
from server.fair_queue import FairQueue, client_key
from server.refusals import refusal, status_of
from server.shortage import Shortage

TICK = 0.25
ACCEPTED_AT_ONCE, READY_AT_ONCE = 256, 64
"""Connections that are looked after before others are heard again."""
SHARE_OF_CONNECTIONS = 4
"""One address can have one of so many parts of all connections."""
MAX_RUNNING, SHARE_OF_RUNNING = 64, 24
"""Requests that run at a time, and those of one address. Event streams are not among them."""
MAX_LARGE, SHARE_OF_LARGE = 8, 2
"""Uploads over a megabyte that are being read."""
MAX_HELD = 64 << 20
"""Bytes that are kept for all slow clients together."""
STALLED = 2.0
"""Seconds without progress after which a client can be cut off to make room."""
STOP_GRACE = 0.25
"""Seconds in which a server that stops still takes the request that a client is sending."""
MAX_DRAINED = 16 << 20


class WorkerResponse(wsgi.Response):
    """A response that tells if it goes on and on, which keeps no other request waiting."""

    def __init__(self, request: Any, sock: ClientSocket, cfg: Any, on_stream: Callable[[], object]):
        super().__init__(request, sock, cfg)
        self._on_stream = on_stream

    def send_headers(self) -> None:
        if not self.headers_sent and self._is_endless():
            self.sock.max_unsent = 0  # type: ignore[attr-defined]
            self._on_stream()
        super().send_headers()

    def _is_endless(self) -> bool:
        """True for events and live pictures: they alone ask proxies not to keep anything back."""
        return ("x-accel-buffering", "no") in (
            (name.lower(), value) for name, value in self.headers
        )


class Worker(base.Worker):
    """`trusted_proxies` have no share; `on_stop` is called as soon as the server stops."""

    trusted_proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.on_stop: Callable[[], object] = lambda: None
        self._max_connections = int(self.cfg.worker_connections)
        self._clients: dict[str | None, set[Connection]] = defaultdict(set)
        self._queue: FairQueue[Connection] = FairQueue(MAX_RUNNING, SHARE_OF_RUNNING)
        self._uploads: FairQueue[Connection] = FairQueue(MAX_LARGE, SHARE_OF_LARGE)
        self._calls = PollableMethodQueue()
        self._held = 0
        self._ticked_at = self._accept_again_at = 0.0
        self._no_accept = Shortage(
            self.log, "Cannot accept a connection", "Accepting connections again"
        )
        self._no_thread = Shortage(
            self.log, "Cannot start a thread for a request", "Starting threads for requests again"
        )
        self._is_listening = False

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """Check the options. Gunicorn calls it before it starts a worker."""
        if cfg.is_ssl:
            raise SystemExit(
                "Camera Monitor does not serve TLS itself. Put nginx or Caddy in front of it "
                "(docs/security.md), and start it without --certfile and --keyfile."
            )

    def init_process(self) -> None:
        self._pool = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="request")
        self._poller = selectors.DefaultSelector()
        self._calls.init()
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.alive = False
        self._calls.defer(lambda: None)

    # -- the loop ------------------------------------------------------------------------

    def run(self) -> None:
        wakes = self._calls.fileno()
        assert wakes is not None
        self._poller.register(wakes, selectors.EVENT_READ, self._calls.run_callbacks)
        self._listen(True)
        while self.alive and self.ppid == os.getppid():
            self._serve(TICK)
        self._stop()

    def _serve(self, seconds: float) -> None:
        self.notify()
        ready = []
        for key, _ in self._poller.select(seconds):
            if isinstance(key.data, Connection):
                ready.append(key.data)
            else:
                key.data(key.fileobj)
        # An address with few connections does not wait behind one with a thousand.
        ready.sort(
            key=lambda connection: (
                len(self._clients.get(connection.client_key, ())) if connection.client_key else 0
            )
        )
        for connection in ready[:READY_AT_ONCE]:
            self._on_ready(connection)
        now = time.monotonic()
        if now - self._ticked_at >= TICK:
            self._ticked_at = now
            self._tick(now)

    def _tick(self, now: float) -> None:
        waiting = [
            connection for connection in self._all() if connection.stage is not Stage.RUNNING
        ]
        for connection in waiting:
            if now > connection.expires_at():
                self._expire(connection)
        self._held = sum(connection.buffered_bytes() for connection in self._all())
        self._limit_memory(now)
        self._no_accept.check(now)
        self._no_thread.check(now)
        if self.alive and now > self._accept_again_at:
            self._listen(True)

    def _stop(self) -> None:
        """Answer what runs, end the event streams, and leave within the graceful time-out."""
        self.alive = False
        self._listen(False)
        self.on_stop()
        now = time.monotonic()
        soon, end = now + STOP_GRACE, now + self.cfg.graceful_timeout
        while any(self._all()) and time.monotonic() < end:
            self._serve(0.02)
            for connection in self._all() if time.monotonic() > soon else ():
                if connection.stage not in (Stage.RUNNING, Stage.SENDING):
                    self._close(connection)
        for connection in self._all():
            # A thread that still waits for this client ends with its socket.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._poller.close()
        for listener in self.sockets:
            listener.close()

    def _all(self) -> list[Connection]:
        return [connection for group in self._clients.values() for connection in group]

    def _watch(self, connection: Connection, events: int) -> None:
        """Register for events of the client's socket; 0: none for now."""
        if events == connection.watched:
            return
        if not connection.watched:
            self._poller.register(connection.sock, events, connection)
        elif events:
            self._poller.modify(connection.sock, events, connection)
        else:
            self._poller.unregister(connection.sock)
        connection.watched = events

    # -- new connections  --------------------------------------------------------------------

    def _listen(self, is_on: bool) -> None:
        if is_on == self._is_listening:
            return
        self._is_listening = is_on
        for listener in self.sockets:
            if is_on:
                listener.setblocking(False)
                self._poller.register(listener, selectors.EVENT_READ, self._accept)
            else:
                self._poller.unregister(listener)

    def _accept(self, listener: Any) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, client = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # No descriptors or memory: somebody goes, and we listen again a moment later.
                self._no_accept.failed(error, time.monotonic())
                self._close_idlest(self._largest_group())
                self._listen(False)
                self._accept_again_at = time.monotonic() + TICK
                return
            self._admit(sock, client, listener)

    def _admit(self, sock: socket.socket, client: Any, listener: Any) -> None:
        key = client_key(client, self.trusted_proxies)
        if sock.family != socket.AF_UNIX and not self._has_room(key):
            sock.close()
            return
        ours = ClientSocket(sock)
        connection = Connection(self.cfg, ours, client, listener.getsockname(), key)
        self._clients[key].add(connection)
        self._watch(connection, selectors.EVENT_READ)

    def _has_room(self, key: str | None) -> bool:
        """True if there is room for one more connection; closes the idlest one if need be."""
        group = self._clients.get(key, set())
        if key is not None and len(group) >= self._max_connections // SHARE_OF_CONNECTIONS:
            return self._close_idlest(group)
        if sum(map(len, self._clients.values())) < self._max_connections:
            return True
        return self._close_idlest(self._largest_group())

    def _largest_group(self) -> Iterable[Connection]:
        return max(self._clients.values(), key=len, default=set())

    def _close_idlest(self, group: Iterable[Connection]) -> bool:
        """Close the idlest of these connections; False if none is idle."""
        waiting = [connection for connection in group if connection.stage is not Stage.RUNNING]
        if not waiting:
            return False
        self._close(min(waiting, key=lambda connection: connection.moved_at))
        return True

    def _limit_memory(self, now: float) -> None:
        """Close slow clients while too much is kept for them, stalled ones with most first."""
        if self._held > MAX_HELD:
            # Since the last tick it only grew: what has been answered meanwhile is still in it.
            self._held = sum(connection.buffered_bytes() for connection in self._all())
        while self._held > MAX_HELD:
            held: dict[str | None, int] = defaultdict(int)
            stalled = []
            for connection in self._all():
                held[connection.client_key] += connection.buffered_bytes()
                moved_at = max(connection.moved_at, connection.sock.moved_at)
                if connection.stage is Stage.BODY or (
                    connection.stage is Stage.SENDING and now - moved_at > STALLED
                ):
                    stalled.append(connection)
            if not stalled:
                return
            worst = max(
                stalled,
                key=lambda connection: (held[connection.client_key], connection.buffered_bytes()),
            )
            self._held -= worst.buffered_bytes()
            self._close(worst)

    # -- what comes ----------------------------------------------------------------------

    def _on_ready(self, connection: Connection) -> None:
        if connection.stage is Stage.GONE:
            return  # closed since, to make room
        if connection.watched & selectors.EVENT_WRITE:
            self._send_on(connection)
        else:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
        elif connection.stage is Stage.CLOSING:
            connection.drained += len(data)
            if connection.drained > MAX_DRAINED:
                self._close(connection)
        else:
            self._held += len(data)
            if self._held > MAX_HELD:
                self._limit_memory(time.monotonic())
            if connection.stage is not Stage.GONE:
                connection.feed(data)
                self._advance(connection)

    def _advance(self, connection: Connection) -> None:
        """Handle new bytes of a connection: the request may be complete."""
        with self._or_refuse(connection):
            if connection.stage is Stage.HEAD:
                if connection.is_head_whole():
                    connection.parse()
                elif connection.is_head_too_long():
                    self._refuse(connection, 431 if connection.has_request_line() else 414)
                    return
                else:
                    self._watch(connection, selectors.EVENT_READ)
                    return
            if connection.is_whole():
                self._enqueue(connection)
            elif not connection.is_large():
                connection.answer_expectation()
                self._watch(connection, selectors.EVENT_READ)
            elif self._uploads.acquire(connection.client_key):
                connection.stream_body()
                self._enqueue(connection)
            else:
                self._refuse(connection, 503)

    @contextlib.contextmanager
    def _or_refuse(self, connection: Connection) -> Iterator[None]:
        """Run a step of a connection; an error in a request ends its own connection only."""
        try:
            yield
        except (NoMoreData, StopIteration, OSError):
            self._close(connection)
        except Exception as error:  # noqa: BLE001
            self.handle_error(connection.request, connection.sock, connection.client, error)
            self._finish_sending(connection, goes_on=False)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer an error like gunicorn does, in the error shape of the API."""
        status = status_of(exc)
        if status == 500:
            self.log.error("Error handling request %s", getattr(req, "uri", ""), exc_info=exc)
        else:
            self.log.warning("Invalid request from %s: %s", addr[0] if addr else "", exc)
        with contextlib.suppress(OSError):
            client.sendall(refusal(status))

    def _refuse(self, connection: Connection, status: int) -> None:
        with contextlib.suppress(OSError):
            connection.sock.sendall(refusal(status))
        self._finish_sending(connection, goes_on=False)

    def _expire(self, connection: Connection) -> None:
        if connection.has_part():
            self._refuse(connection, 408)
        else:
            self._close(connection)

    # -- running the app -----------------------------------------------------------------

    def _enqueue(self, connection: Connection) -> None:
        self._watch(connection, 0)
        if connection.sock.family == socket.AF_UNIX:
            self._submit(connection)
            return
        connection.enter(Stage.QUEUED)
        self._queue.add(connection.client_key, connection)
        self._run_next()

    def _run_next(self) -> None:
        while connection := self._queue.next():
            connection.holds_slot = True
            self._submit(connection)

    def _submit(self, connection: Connection) -> None:
        connection.enter(Stage.RUNNING)
        taken = Lock()
        try:
            self._pool.submit(self._work, connection, taken)
        except RuntimeError as error:
            self._no_thread.failed(error, time.monotonic())
            # The pool has kept it all the same, for a thread that becomes free.
            if taken.acquire(blocking=False):
                with contextlib.suppress(OSError):
                    connection.sock.sendall(refusal(503))
                self._calls.defer(self._on_answered, connection, False)

    def _work(self, connection: Connection, taken: Lock) -> None:
        """Run `_handle` in a thread, unless the request was `taken` to refuse it."""
        if not taken.acquire(blocking=False):
            return
        goes_on = False
        try:
            goes_on = self._handle(connection)
        finally:
            self._calls.defer(self._on_answered, connection, goes_on)

    def _release(self, connection: Connection) -> None:
        """Give the turn of a request that has ended, or is an event stream, to another one."""
        if connection.holds_slot:
            connection.holds_slot = False
            self._queue.release(connection.client_key)
            self._run_next()

    def _handle(self, connection: Connection) -> bool:
        """Run the app and send its answer. True if the connection stays open."""
        on_stream = partial(self._calls.defer, self._release, connection)
        answer, started = None, datetime.now(UTC)
        app: Any = self.wsgi
        try:
            answer, environ = wsgi.create(
                connection.request,
                connection.sock,
                connection.client,
                connection.server,
                self.cfg,
                WorkerResponse,
                (on_stream,),
            )
            environ["wsgi.multithread"] = True
            environ["camera_monitor.leave_queue"] = on_stream
            if not self.alive or connection.buffer.pull or not self.cfg.keepalive:
                answer.force_close()
            try:
                with contextlib.ExitStack() as stack:
                    pieces = app(environ, answer.start_response)
                    stack.callback(getattr(pieces, "close", lambda: None))
                    for piece in pieces:
                        answer.write(piece)
                    answer.close()
            finally:
                self.log.access(answer, connection.request, environ, datetime.now(UTC) - started)
        except OSError:
            return False  # the client has gone, or takes nothing
        except BaseException as error:  # a SystemExit too has to be answered and logged
            if answer is not None and answer.headers_sent:
                self.log.exception("Error while sending a response")
            else:
                self.handle_error(connection.request, connection.sock, connection.client, error)
            return False
        return not answer.should_close()

    def _on_answered(self, connection: Connection, goes_on: bool) -> None:
        self._release(connection)
        self._return_upload(connection)
        self._finish_sending(connection, goes_on=goes_on)

    def _return_upload(self, connection: Connection) -> None:
        if connection.buffer.pull:
            self._uploads.release(connection.client_key)
            connection.buffer.pull = None

    # -- after the answer ----------------------------------------------------------------

    def _finish_sending(self, connection: Connection, goes_on: bool) -> None:
        connection.goes_on = goes_on
        connection.enter(Stage.SENDING)
        self._held += len(connection.sock.unsent)
        self._send_on(connection)

    def _send_on(self, connection: Connection) -> None:
        try:
            if not connection.sock.flush():
                self._watch(connection, selectors.EVENT_WRITE)
            elif connection.goes_on:
                self._go_on(connection)
            else:
                connection.close()
                self._watch(connection, selectors.EVENT_READ)
        except OSError:
            self._close(connection)

    def _go_on(self, connection: Connection) -> None:
        with self._or_refuse(connection):
            if connection.next_request():
                self._advance(connection)
            else:
                self._watch(connection, selectors.EVENT_READ)

    def _close(self, connection: Connection) -> None:
        self._watch(connection, 0)
        if connection.stage is Stage.QUEUED:
            self._queue.remove(connection.client_key, connection)
        self._return_upload(connection)
        connection.enter(Stage.GONE)
        connection.sock.close()
        self._clients[connection.client_key].discard(connection)
        if not self._clients[connection.client_key]:
            del self._clients[connection.client_key]
