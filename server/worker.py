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
from server.refusals import refusal, status_of
from server.shares import Turns, who_shares
from server.shortage import Shortage

TICK = 0.25
ACCEPTED_AT_ONCE, READY_AT_ONCE = 256, 64
"""Connections that are looked after before others are heard again."""
SHARE_OF_ROOM = 4
"""One address can have one of so many parts of all connections."""
MAX_RUNNING, SHARE_OF_RUNNING = 64, 24
"""Requests that run at a time, and those of one address. Event streams are not among them."""
MAX_LARGE, SHARE_OF_LARGE = 8, 2
"""Uploads over a megabyte that are being read."""
MAX_HELD = 64 << 20
"""Bytes that are kept for all slow clients together."""
STALLED = 2.0
"""Seconds without progress after which a client can be cut off to make room."""
LAST_WORD = 0.25
"""Seconds in which a server that stops still takes the request that a client is sending."""
MAX_DRAINED = 16 << 20


class Answer(wsgi.Response):
    """Tells when it is an event stream: those wait for their client, and hold no turn."""

    def __init__(self, request: Any, sock: ClientSocket, cfg: Any, on_stream: Callable[[], object]):
        super().__init__(request, sock, cfg)
        self._on_stream = on_stream

    def send_headers(self) -> None:
        if not self.headers_sent and self._is_event_stream():
            self.sock.most_unsent = 0  # type: ignore[attr-defined]
            self._on_stream()
        super().send_headers()

    def _is_event_stream(self) -> bool:
        kinds = [value for name, value in self.headers if name.lower() == "content-type"]
        return bool(kinds) and kinds[0].startswith("text/event-stream")


class Worker(base.Worker):
    """`trusted_proxies` have no share; `on_stop` is called as soon as the server stops."""

    trusted_proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.on_stop: Callable[[], object] = lambda: None
        self._room = int(self.cfg.worker_connections)
        self._clients: dict[str | None, set[Connection]] = defaultdict(set)
        self._turns: Turns[Connection] = Turns(MAX_RUNNING, SHARE_OF_RUNNING)
        self._large: Turns[Connection] = Turns(MAX_LARGE, SHARE_OF_LARGE)
        self._calls = PollableMethodQueue()
        self._held = 0
        self._ticked_at = self._deaf_until = 0.0
        self._no_accept = Shortage(
            self.log, "Cannot accept a connection", "Connections are accepted again"
        )
        self._no_thread = Shortage(
            self.log, "Cannot start a thread for a request", "Threads for requests start again"
        )
        self._is_listening = False

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """Called by gunicorn before it starts a worker."""
        if cfg.is_ssl:
            raise SystemExit(
                "Camera Monitor does not serve TLS by itself: put nginx or Caddy in front of it "
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
        ready.sort(key=lambda one: len(self._clients.get(one.who, ())) if one.who else 0)
        for one in ready[:READY_AT_ONCE]:
            self._on_ready(one)
        now = time.monotonic()
        if now - self._ticked_at >= TICK:
            self._ticked_at = now
            self._tick(now)

    def _tick(self, now: float) -> None:
        waiting = [one for one in self._all() if one.stage is not Stage.RUNNING]
        for one in waiting:
            if now > one.expires_at():
                self._expire(one)
        self._held = sum(one.held() for one in self._all())
        self._cut_back(now)
        self._no_accept.look(now)
        self._no_thread.look(now)
        if self.alive and now > self._deaf_until:
            self._listen(True)

    def _stop(self) -> None:
        """Answer what runs, end the event streams, and leave within the graceful time-out."""
        self.alive = False
        self._listen(False)
        self.on_stop()
        now = time.monotonic()
        soon, end = now + LAST_WORD, now + self.cfg.graceful_timeout
        while any(self._all()) and time.monotonic() < end:
            self._serve(0.02)
            for one in self._all() if time.monotonic() > soon else ():
                if one.stage not in (Stage.RUNNING, Stage.SENDING):
                    self._close(one)
        for one in self._all():
            # A thread that still waits for this client ends with its socket.
            with contextlib.suppress(OSError):
                one.sock.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._poller.close()
        for listener in self.sockets:
            listener.close()

    def _all(self) -> list[Connection]:
        return [one for group in self._clients.values() for one in group]

    def _watch(self, one: Connection, events: int) -> None:
        """Be told when the client sends or takes something; 0: not now."""
        if events == one.watched:
            return
        if not one.watched:
            self._poller.register(one.sock, events, one)
        elif events:
            self._poller.modify(one.sock, events, one)
        else:
            self._poller.unregister(one.sock)
        one.watched = events

    # -- who comes in --------------------------------------------------------------------

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
                self._deaf_until = time.monotonic() + TICK
                return
            self._admit(sock, client, listener)

    def _admit(self, sock: socket.socket, client: Any, listener: Any) -> None:
        who = who_shares(client, self.trusted_proxies)
        if sock.family != socket.AF_UNIX and not self._has_room(who):
            sock.close()
            return
        ours = ClientSocket(sock)
        one = Connection(self.cfg, ours, client, listener.getsockname(), who)
        self._clients[who].add(one)
        self._watch(one, selectors.EVENT_READ)

    def _has_room(self, who: str | None) -> bool:
        """There is room for one more, if need be because the idlest one goes."""
        group = self._clients.get(who, set())
        if who is not None and len(group) >= self._room // SHARE_OF_ROOM:
            return self._close_idlest(group)
        if sum(map(len, self._clients.values())) < self._room:
            return True
        return self._close_idlest(self._largest_group())

    def _largest_group(self) -> Iterable[Connection]:
        return max(self._clients.values(), key=len, default=set())

    def _close_idlest(self, group: Iterable[Connection]) -> bool:
        """Whether one of them could be closed."""
        waiting = [one for one in group if one.stage is not Stage.RUNNING]
        if not waiting:
            return False
        self._close(min(waiting, key=lambda one: one.moved_at))
        return True

    def _cut_back(self, now: float) -> None:
        """Too much is kept for slow clients: those that hold most and do not move go first."""
        if self._held > MAX_HELD:
            # Since the last tick it only grew: what has been answered meanwhile is still in it.
            self._held = sum(one.held() for one in self._all())
        while self._held > MAX_HELD:
            held: dict[str | None, int] = defaultdict(int)
            stalled = []
            for one in self._all():
                held[one.who] += one.held()
                moved_at = max(one.moved_at, one.sock.moved_at)
                if one.stage is Stage.BODY or (
                    one.stage is Stage.SENDING and now - moved_at > STALLED
                ):
                    stalled.append(one)
            if not stalled:
                return
            worst = max(stalled, key=lambda one: (held[one.who], one.held()))
            self._held -= worst.held()
            self._close(worst)

    # -- what comes ----------------------------------------------------------------------

    def _on_ready(self, one: Connection) -> None:
        if one.stage is Stage.GONE:
            return  # closed since, to make room
        if one.watched & selectors.EVENT_WRITE:
            self._send_on(one)
        else:
            self._receive(one)

    def _receive(self, one: Connection) -> None:
        try:
            data = one.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(one)
        elif one.stage is Stage.CLOSING:
            one.drained += len(data)
            if one.drained > MAX_DRAINED:
                self._close(one)
        else:
            self._held += len(data)
            if self._held > MAX_HELD:
                self._cut_back(time.monotonic())
            if one.stage is not Stage.GONE:
                one.feed(data)
                self._advance(one)

    def _advance(self, one: Connection) -> None:
        """Something came: the request may be whole."""
        with self._or_refuse(one):
            if one.stage is Stage.HEAD:
                if one.is_head_whole():
                    one.parse()
                elif one.is_head_too_long():
                    self._refuse(one, 431 if one.has_request_line() else 414)
                    return
                else:
                    self._watch(one, selectors.EVENT_READ)
                    return
            if one.is_whole():
                self._run_in_turn(one)
            elif not one.is_large():
                one.answer_expectation()
                self._watch(one, selectors.EVENT_READ)
            elif self._large.take(one.who):
                one.read_on()
                self._run_in_turn(one)
            else:
                self._refuse(one, 503)

    @contextlib.contextmanager
    def _or_refuse(self, one: Connection) -> Iterator[None]:
        """An error in a request ends its own connection and nothing else."""
        try:
            yield
        except (NoMoreData, StopIteration, OSError):
            self._close(one)
        except Exception as error:  # noqa: BLE001
            self.handle_error(one.request, one.sock, one.client, error)
            self._finish_sending(one, goes_on=False)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Like gunicorn's, but in the error shape of the API."""
        status = status_of(exc)
        if status == 500:
            self.log.error("Error handling request %s", getattr(req, "uri", ""), exc_info=exc)
        else:
            self.log.warning("Invalid request from %s: %s", addr[0] if addr else "", exc)
        with contextlib.suppress(OSError):
            client.sendall(refusal(status))

    def _refuse(self, one: Connection, status: int) -> None:
        with contextlib.suppress(OSError):
            one.sock.sendall(refusal(status))
        self._finish_sending(one, goes_on=False)

    def _expire(self, one: Connection) -> None:
        if one.has_part():
            self._refuse(one, 408)
        else:
            self._close(one)

    # -- running the app -----------------------------------------------------------------

    def _run_in_turn(self, one: Connection) -> None:
        self._watch(one, 0)
        if one.sock.family == socket.AF_UNIX:
            self._submit(one)
            return
        one.enter(Stage.QUEUED)
        self._turns.add(one.who, one)
        self._next_turn()

    def _next_turn(self) -> None:
        while one := self._turns.next():
            one.has_turn = True
            self._submit(one)

    def _submit(self, one: Connection) -> None:
        one.enter(Stage.RUNNING)
        taken = Lock()
        try:
            self._pool.submit(self._work, one, taken)
        except RuntimeError as error:
            self._no_thread.failed(error, time.monotonic())
            # The pool has kept it all the same, for a thread that becomes free.
            if taken.acquire(blocking=False):
                with contextlib.suppress(OSError):
                    one.sock.sendall(refusal(503))
                self._calls.defer(self._on_answered, one, False)

    def _work(self, one: Connection, taken: Lock) -> None:
        """In a thread: `_handle`, if nobody has `taken` the request to refuse it."""
        if not taken.acquire(blocking=False):
            return
        goes_on = False
        try:
            goes_on = self._handle(one)
        finally:
            self._calls.defer(self._on_answered, one, goes_on)

    def _release(self, one: Connection) -> None:
        """Give its turn to another request: it has ended, or is an event stream."""
        if one.has_turn:
            one.has_turn = False
            self._turns.done(one.who)
            self._next_turn()

    def _handle(self, one: Connection) -> bool:
        """Run the app and send its answer; whether the connection goes on."""
        on_stream = partial(self._calls.defer, self._release, one)
        answer, started = None, datetime.now(UTC)
        app: Any = self.wsgi
        try:
            answer, environ = wsgi.create(
                one.request, one.sock, one.client, one.server, self.cfg, Answer, (on_stream,)
            )
            environ["wsgi.multithread"] = True
            if not self.alive or one.inbox.pull or not self.cfg.keepalive:
                answer.force_close()
            try:
                with contextlib.ExitStack() as stack:
                    pieces = app(environ, answer.start_response)
                    stack.callback(getattr(pieces, "close", lambda: None))
                    for piece in pieces:
                        answer.write(piece)
                    answer.close()
            finally:
                self.log.access(answer, one.request, environ, datetime.now(UTC) - started)
        except OSError:
            return False  # the client has gone, or takes nothing
        except BaseException as error:  # a SystemExit too has to be answered and logged
            if answer is not None and answer.headers_sent:
                self.log.exception("Error while sending a response")
            else:
                self.handle_error(one.request, one.sock, one.client, error)
            return False
        return not answer.should_close()

    def _on_answered(self, one: Connection, goes_on: bool) -> None:
        self._release(one)
        self._return_upload(one)
        self._finish_sending(one, goes_on=goes_on)

    def _return_upload(self, one: Connection) -> None:
        if one.inbox.pull:
            self._large.done(one.who)
            one.inbox.pull = None

    # -- after the answer ----------------------------------------------------------------

    def _finish_sending(self, one: Connection, goes_on: bool) -> None:
        one.goes_on = goes_on
        one.enter(Stage.SENDING)
        self._held += len(one.sock.unsent)
        self._send_on(one)

    def _send_on(self, one: Connection) -> None:
        try:
            if not one.sock.flush():
                self._watch(one, selectors.EVENT_WRITE)
            elif one.goes_on:
                self._go_on(one)
            else:
                one.shut()
                self._watch(one, selectors.EVENT_READ)
        except OSError:
            self._close(one)

    def _go_on(self, one: Connection) -> None:
        with self._or_refuse(one):
            if one.next_request():
                self._advance(one)
            else:
                self._watch(one, selectors.EVENT_READ)

    def _close(self, one: Connection) -> None:
        self._watch(one, 0)
        if one.stage is Stage.QUEUED:
            self._turns.drop(one.who, one)
        self._return_upload(one)
        one.enter(Stage.GONE)
        one.sock.close()
        self._clients[one.who].discard(one)
        if not self._clients[one.who]:
            del self._clients[one.who]
