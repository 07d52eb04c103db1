"""A pretend Easy4IP cloud: a main server, P2P servers, recorders, and all that can go wrong.

    python -m simulators.easy4ip --count 60 --port 8800

It lives on 127.0.0.1 only and forgives no fault in a request: see `Cloud.faults`.
"""

from __future__ import annotations

import argparse
import heapq
import math
import selectors
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from random import Random

from simulators import easy4ip_wire as wire
from simulators.easy4ip_wire import CloudAnswer, Malformed, Recorder, Request, RequestCounts, fleet

__all__ = ["Cloud", "Recorder", "Request", "CloudServer", "RequestCounts", "fleet", "main"]

Address = tuple[str, int]

HOST, STRANGER = "127.0.0.1", "127.66.6.6"
MAIN_PORT = 8800
FAULTS_KEPT = 100
BATCH = 64  # datagrams read from one socket before the others get their turn
BUFFER = 8 << 20  # bytes: a burst must not be lost in the kernel, where no seed decides
SO_TIMESTAMPNS = 35  # Linux; the socket module does not name it
SO_RCVBUFFORCE = 33
FOREIGN = 1 << 30  # flips a CSeq into one that no client has open
MIXTURE = {7: "offline", 13: "silent", 17: "info_empty", 19: "info_404"}


class CloudServer:
    """One UDP port of the cloud. Tests change its marks while it runs.

    `silent`: it hears, counts and never answers. `knows_keys`: if False, a P2P server answers 401
    KeyError to every request with auth, and answers the others. `refused_keys`: it did so once.
    `sheds_first`: it answers 401 TimeOut to each question first, and its repetition rightly.
    """

    def __init__(self, name: str, lock: threading.RLock, port: int = 0) -> None:
        self.name = name
        self.port = port  # known once it is open
        self.silent = False
        self.knows_keys = True
        self.refused_keys = False
        self.sheds_first = False
        self.shed: dict[tuple[str, str], int] = {}  # the CSeq of each question sent away
        self.tally = RequestCounts()
        self._lock = lock
        self._dead = False
        self._selector: selectors.BaseSelector | None = None

    @property
    def address(self) -> Address:
        """The address on which it listens."""
        return HOST, self.port

    @property
    def dead(self) -> bool:
        """True if its port refuses every datagram (ICMP); answers on their way are dropped."""
        return self._dead

    @dead.setter
    def dead(self, dead: bool) -> None:
        with self._lock:
            self._dead = dead
            if self._selector is not None:
                selector = self._selector
                self.close()
                self.open(selector)

    def open(self, selector: selectors.BaseSelector) -> None:
        """Bind the port (OSError if it is taken); `selector` will tell what can be read."""
        self.socket = _bound(self.address)
        self.port = self.socket.getsockname()[1]
        if self._dead:
            # The kernel takes packets of the peer alone; others could take a port that is closed.
            self.socket.connect(self.address)
        self._selector = selector
        selector.register(self.socket, selectors.EVENT_READ, self)

    def close(self) -> None:
        """Free the port."""
        if self._selector is not None:
            self._selector.unregister(self.socket)
            self._selector = None
            self.socket.close()


class Cloud:
    """A main server and P2P servers ("regions"), each on a port of its own; it runs inside `with`.

    Whatever is public may be changed while it runs; hold `lock` to change several things at once.

    What goes wrong, all nothing at first. Shares are from 0 to 1 and drawn from `seed`, the step,
    the serial and how often that was asked: nothing else disturbs them.
    - `main_silent`; and `silent`, `dead`, `knows_keys` of each of `regions` (and of `main`).
    - `refuses_keys`: "403" or "key_error", what the main server answers to everybody with auth.
    - `skew`: seconds by which the cloud's clock is ahead of `clock`.
    - `busy`: share of requests that get 401 TimeOut though their time is right.
    - `request_loss`, `answer_loss`: share of datagrams lost on the way there, and back.
    - `delay`: seconds before the final answer, or a function of server and request that gives
      them; `math.inf` holds the answer until `release()`.
    - `late`, `lateness`: share of final answers that come so many seconds later still.
    - `duplicates`: share of final answers that are sent twice.
    - `forgers`: who sends the opposite just before each answer (or silence): "address" from
      127.66.6.6 and the right port, "port" from the right address, "cseq" from the right place
      with a foreign CSeq.
    - `cseq`: the one in answers is the "same", "wrong", "zero" or "missing".

    What it noticed: `faults` (the first 100 malformed requests, as words; answered 400), `refused`
    (wrong digests; answered 403), `asked_foreign` (serials that it was never told of, counted;
    answered 404), `asked` (requests by step and serial), and each server's `tally`.
    """

    def __init__(
        self,
        recorders: Iterable[Recorder] = (),
        *,
        servers: int = 8,
        port: int = 0,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.recorders = {recorder.serial: recorder for recorder in recorders}
        self.main = CloudServer("main", self.lock, port)
        self.regions = [CloudServer(f"US{number}", self.lock) for number in range(servers)]
        self.seed, self.clock = seed, clock
        self.keys = {wire.USER: wire.KEY}
        self.refuses_keys, self.skew = "", 0.0
        self.request_loss = self.answer_loss = self.busy = 0.0
        self.delay: float | Callable[[CloudServer, Request], float] = 0.0
        self.late = self.lateness = self.duplicates = 0.0
        self.forgers: set[str] = set()
        self.cseq = "same"
        # Answers on their way: when due (monotonic), in which order, from, to, what.
        self._due: list[tuple[float, int, CloudServer, Address, bytes]] = []
        self._order = count()
        self._liars: dict[tuple[str, int], socket.socket] = {}
        self.forget()

    def __enter__(self) -> Cloud:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind the ports (OSError if the main one is taken) and begin to answer."""
        self._selector = selectors.DefaultSelector()
        self._wake, woken = socket.socketpair()
        self._selector.register(woken, selectors.EVENT_READ, None)
        for server in self.servers:
            server.open(self._selector)
        self._thread = threading.Thread(target=self._run, args=(woken,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fall silent and free the ports; answers still on their way are dropped."""
        self._wake.close()
        self._thread.join()
        for server in self.servers:
            server.close()
        for liar in self._liars.values():
            liar.close()
        self._liars.clear()
        self._due.clear()
        self._selector.close()

    @property
    def servers(self) -> list[CloudServer]:
        """The main one, then the P2P ones."""
        return [self.main, *self.regions]

    @property
    def port(self) -> int:
        """The main server's UDP port on 127.0.0.1, once started."""
        return self.main.port

    @property
    def main_silent(self) -> bool:
        """True if the main server is silent."""
        return self.main.silent

    @main_silent.setter
    def main_silent(self, silent: bool) -> None:
        self.main.silent = silent

    @property
    def now(self) -> float:
        """Unix time by the cloud's own clock."""
        return self.clock() + self.skew

    @property
    def is_quiet(self) -> bool:
        """True if all answers to the requests so far are sent, apart from held ones."""
        with self.lock:
            return not self._due or self._due[0][0] == math.inf

    def forget(self) -> None:
        """Forget all that was noticed and counted; the seed's luck starts again."""
        with self.lock:
            self.faults: list[str] = []
            self.refused = 0
            self.asked_foreign: Counter[str] = Counter()
            self.asked: Counter[tuple[str, str]] = Counter()
            for server in self.servers:
                server.tally = RequestCounts()

    def release(self) -> None:
        """Send at once all answers that are held or on their way, oldest request first."""
        with self.lock:
            self._due = [(0.0, *entry[1:]) for entry in self._due]
            heapq.heapify(self._due)
        self._wake.send(b"!")

    def _run(self, woken: socket.socket) -> None:
        with woken:
            while True:
                for key, _ in self._selector.select(self._rest()):
                    if key.data is not None:
                        self._hear(key.data)
                    elif not woken.recv(64):
                        return
                self._speak()

    def _rest(self) -> float | None:
        """Seconds until the next answer may leave; None if there is none."""
        with self.lock:
            return None if self.is_quiet else max(0.0, self._due[0][0] - time.monotonic())

    def _hear(self, server: CloudServer) -> None:
        for _ in range(BATCH):
            try:
                datagram, notes, _, sender = server.socket.recvmsg(65535, 64, socket.MSG_DONTWAIT)
            except OSError:  # all is read, or the server just died
                return
            with self.lock:
                if not server.dead:
                    self._take(server, datagram, sender, _arrival(notes))

    def _take(self, server: CloudServer, datagram: bytes, sender: Address, arrival: float) -> None:
        try:
            request = self._understood(server, datagram)
        except Malformed as fault:
            if len(self.faults) < FAULTS_KEPT:
                self.faults.append(f"{server.name}: {fault}")
            if not server.silent:
                answer = CloudAnswer(400).datagram(wire.cseq_of(datagram), self.now)
                self._send_at(0.0, server, sender, answer)
            return
        server.tally.add(request, arrival)
        self.asked[request.step, request.serial] += 1
        if request.serial and not self._is_known(request.serial):
            self.asked_foreign[request.serial] += 1
        times = self.asked[request.step, request.serial]
        luck = Random(f"{self.seed} {request.step} {request.serial} {times}")
        if luck.random() >= self.request_loss:
            self._reply(server, request, sender, luck)

    def _is_known(self, serial: str) -> bool:
        """True if the cloud has this serial, as it is or in capitals."""
        return serial in self.recorders or serial in map(str.upper, self.recorders)

    def _understood(self, server: CloudServer, datagram: bytes) -> Request:
        request = wire.parse(datagram)
        if (request.step in ("probe", "info")) == (server is self.main):
            raise Malformed(f"{request.step} asked of the wrong server")
        # Some ask a P2P server again without auth, but only one that refused their keys.
        may_be_bare = request.step == "hello" or server is not self.main and server.refused_keys
        if request.auth is None and not may_be_bare:
            raise Malformed(f"{request.step} without auth headers")
        before = request.serial in ("", request.serial.upper()) or request.step != "lookup"
        if not before and not self.asked["lookup", request.serial.upper()]:
            raise Malformed(f"serial {request.serial!r} before it was asked in capitals")
        return request

    def _reply(self, server: CloudServer, request: Request, sender: Address, luck: Random) -> None:
        is_busy, is_late, is_double = (
            luck.random() < share for share in (self.busy, self.late, self.duplicates)
        )
        is_busy |= server.sheds_first and _is_sent_away(server, request)
        answer = wire.TIMEOUT if is_busy else self._verdict(server, request)
        server.refused_keys |= answer is wire.KEY_ERROR
        self._forge(server, request, sender, answer)
        if answer is None or server.silent:
            return
        delay = self.delay(server, request) if callable(self.delay) else self.delay
        delay += self.lateness if is_late else 0.0
        recorder = self.recorders.get(request.serial)
        parts = [(0.0, wire.TRYING)] * (recorder.trying if recorder else 0)
        parts += [(delay, answer)] * (2 if is_double else 1)
        for wait, part in parts:
            if luck.random() >= self.answer_loss:
                datagram = part.datagram(self._cseq_for(request), self.now)
                self._send_at(wait, server, sender, datagram)

    def _verdict(self, server: CloudServer, request: Request) -> CloudAnswer | None:
        """The final answer; None is silence."""
        refusal = self._refusal(server, request)
        if refusal is not None:
            return refusal
        if request.step == "hello":
            return CloudAnswer(200)
        recorder = self.recorders.get(request.serial)
        if recorder is None or server not in (self.main, self.regions[recorder.server]):
            return wire.NOT_FOUND
        return wire.answer(recorder, request, self._us(recorder))

    def _refusal(self, server: CloudServer, request: Request) -> CloudAnswer | None:
        if request.auth is None:
            return None
        refusal = wire.refusal(request.auth, self.keys, self.now)
        self.refused += refusal is wire.FORBIDDEN
        if refusal is None and server is self.main and self.refuses_keys:
            return {"403": wire.FORBIDDEN, "key_error": wire.KEY_ERROR}[self.refuses_keys]
        return refusal or (None if server.knows_keys else wire.KEY_ERROR)

    def _us(self, recorder: Recorder) -> str:
        return f"{HOST}:{self.regions[recorder.server].port}"

    def _cseq_for(self, request: Request) -> int | None:
        wrong = request.cseq ^ FOREIGN
        recorder = self.recorders.get(request.serial)
        kind = (recorder and recorder.cseq) or self.cseq
        return {"same": request.cseq, "wrong": wrong, "zero": 0, "missing": None}[kind]

    def _forge(
        self, server: CloudServer, request: Request, to: Address, truth: CloudAnswer | None
    ) -> None:
        recorder = self.recorders.get(request.serial) or Recorder(request.serial)
        lie = wire.right_answer(recorder, request.step, self._us(recorder))
        if truth is not None and truth.code < 300:
            lie = wire.NOT_FOUND
        for forger in sorted(self.forgers):
            cseq = request.cseq ^ FOREIGN if forger == "cseq" else request.cseq
            self._mouth(forger, server).sendto(lie.datagram(cseq, self.now), to)

    def _mouth(self, forger: str, server: CloudServer) -> socket.socket:
        if forger == "cseq":
            return server.socket
        place = {"address": (STRANGER, server.port), "port": (HOST, 0)}[forger]
        if place not in self._liars:
            self._liars[place] = _bound(place)
        return self._liars[place]

    def _send_at(self, wait: float, server: CloudServer, to: Address, datagram: bytes) -> None:
        due = time.monotonic() + wait
        heapq.heappush(self._due, (due, next(self._order), server, to, datagram))

    def _speak(self) -> None:
        with self.lock:
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, server, to, datagram = heapq.heappop(self._due)
                with suppress(OSError):  # its sender is gone, or has no room: lost, as on a wire
                    if not (server.dead or server.silent):
                        server.socket.sendto(datagram, to)


def _is_sent_away(server: CloudServer, request: Request) -> bool:
    """True if this question is asked for the first time; a repetition has a new CSeq."""
    question = request.step, request.serial
    if server.shed.setdefault(question, request.cseq) == request.cseq:
        return True
    del server.shed[question]
    return False


def _bound(address: Address) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.bind(address)
    return opened


def _arrival(notes: Sequence[tuple[int, int, bytes]]) -> float:
    """The Unix time at which the kernel got a datagram, however late it is read."""
    second, nanosecond = struct.unpack("ll", notes[0][2])
    return float(second + nanosecond / 1e9)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a cloud until SIGINT or SIGTERM; see `--help`."""
    parser = argparse.ArgumentParser("simulators.easy4ip", description="Simulated Easy4IP cloud.")
    say = parser.add_argument
    say(
        "--count",
        type=int,
        default=60,
        help="number of recorders (default: 60); some are offline or unusual",
    )
    say(
        "--port",
        type=int,
        default=MAIN_PORT,
        help="main UDP port (default: 8800); 0: choose one and print it",
    )
    say(
        "--loss",
        type=float,
        default=0.0,
        help="share of datagrams lost in each direction, 0 to 1 (default: 0)",
    )
    options = parser.parse_args(arguments)
    recorders = fleet(options.count)
    for number, recorder in enumerate(recorders):
        recorder.state = MIXTURE.get(number % 20, "online")
    endings = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the cloud's thread starts, so that it inherits this and they wait for us.
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    cloud = Cloud(recorders, port=options.port)
    cloud.request_loss = cloud.answer_loss = options.loss
    with cloud:
        if options.port == 0:
            print(cloud.port, flush=True)
        signal.sigwait(endings)


if __name__ == "__main__":
    main()
