"""The client of Easy4IP servers: one socket for each, many requests in flight.

An answer counts only when it comes from the server that was asked and repeats the CSeq of
a request that waits; everything else is counted and ignored. Some servers answer with CSeq 0:
that counts on a socket of its own (`Server.dedicated_socket`) that has one open question.
"""

import asyncio
import math
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fleet.model import NoAnswer
from sources.easy4ip_wire import CloudResponse, InvalidResponse, KeyPair, parse_response, request

Address = tuple[str, int]
MAX_CSEQ = 1 << 31
BUSY_TRIES = 3
"""Times that a 401 TimeOut is answered with a new try."""
MAX_OFFSET = timedelta(days=3650)
CLOCK_IS_RIGHT = timedelta(minutes=5)
"""A 401 TimeOut to a time so near to the cloud's is no question of clocks: it sheds load."""
MAX_SLOWDOWN = 20
"""The part of its rate below which no server is asked."""
SHED_IN_A_ROW = 20
"""Answers 401 TimeOut, none other between them, after which a server is left alone."""
SHED_FEWEST = 3
"""Of so many requests at least: one recorder alone, whatever is wrong with it, keeps nobody
else from being asked."""
MAX_PATIENCE = 15.0
"""Seconds that a slow server gets for one answer, and for which a late one still counts."""
HALF_LIFE = 300.0
"""Seconds after which a slow answer counts half."""
BACKOFFS = (60.0, 120.0, 240.0, 480.0, 900.0)
"""Seconds for which it is, longer each time that it sheds load again afterwards."""


class KeyRejected(Exception):
    """Raised when the server rejects our key pair."""


class KeyUnknown(KeyRejected):
    """Raised when the server does not know our key pair; it may answer without."""


class ServerBusy(Exception):
    """Raised when the server sheds load, or our clock stays wrong for it."""


class ServerError(Exception):
    """Raised when the server has an error of its own, or answers unknown things."""


@dataclass(slots=True)
class CloudClock:
    """Our clock and how far the cloud's is ahead of it."""

    now: Callable[[], datetime]
    offset: timedelta = timedelta()
    seen: timedelta = timedelta()
    """How far ahead the newest answer said it is; only a 401 makes it count."""

    def cloud(self) -> datetime:
        return self.now() + self.offset

    def note_date(self, date: datetime, delay: float) -> None:
        """Take the date of an answer, sent within the last `delay` seconds."""
        least = date - self.now()
        most = least + timedelta(seconds=delay + 1)  # it tells whole seconds
        self.seen = max(least, min(most, timedelta()))

    def learn(self, date: datetime) -> None:
        """Take the cloud's time, unless it is none that a clock can show."""
        offset = date - self.now()
        if abs(offset) < MAX_OFFSET:
            self.offset = offset


@dataclass(slots=True)
class TokenBucket:
    """New requests to one server: `rate` a second, `burst` at once. `pace` is the rate that
    counts now: less while the server sheds load."""

    rate: float
    burst: float
    pace: float = field(init=False)
    level: float = field(init=False)
    at: float = field(init=False)
    slowed: float = field(init=False, default=-math.inf)

    def __post_init__(self) -> None:
        self.pace, self.level = self.rate, self.burst
        self.at = asyncio.get_running_loop().time()

    async def acquire(self, over: asyncio.Event) -> None:
        """Wait for a place, or until it is `over`. Who waits already keeps it: levels below
        zero are promised ones."""
        now = asyncio.get_running_loop().time()
        self.level = min(self.burst, self.level + (now - self.at) * self.pace)
        self.at = now
        self.level -= 1
        if self.level < 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(-self.level / self.pace):
                    await over.wait()

    def slow_down(self) -> None:
        """Halve the rate, without a burst; at most once a second, never to a stop."""
        now = asyncio.get_running_loop().time()
        if now - self.slowed >= 1:
            self.slowed = now
            self.pace = max(self.pace / 2, self.rate / MAX_SLOWDOWN)
            self.level = min(self.level, 0.0)

    def recover(self) -> None:
        """Raise the rate a little, after an answer."""
        self.pace = min(self.pace * 1.02, self.rate)


@dataclass(slots=True)
class Backoff:
    """The pause for a server that sheds load. `begun` wakes who waits for a place there."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    until: float = -math.inf
    sheds: int = 0
    paths: set[str] = field(default_factory=set)
    times: int = 0

    def check(self) -> None:
        """Check that no pause is on. Raises ServerBusy during one."""
        if asyncio.get_running_loop().time() < self.until:
            raise ServerBusy("it was busy, so requests are paused")
        self.begun.clear()

    def end(self) -> None:
        """Reset the count of rejections: the server accepted a request."""
        self.times = 0
        self._reset()

    def _reset(self) -> None:
        self.sheds = 0
        self.paths.clear()

    def add_rejection(self, path: str) -> None:
        """Note that the server rejected a request because of its load."""
        self.sheds += 1
        self.paths.add(path)
        now = asyncio.get_running_loop().time()
        if self.sheds < SHED_IN_A_ROW or len(self.paths) < SHED_FEWEST or now < self.until:
            return
        self.until = now + BACKOFFS[min(self.times, len(BACKOFFS) - 1)]
        self.times += 1
        self._reset()
        self.begun.set()


@dataclass(slots=True)
class PendingRequest:
    """A question that has no answer yet, and the sendings by which it was put, by CSeq."""

    answer: asyncio.Future[CloudResponse]
    cseqs: list[int] = field(default_factory=list)
    askers: int = 0


@dataclass(slots=True)
class Transmission:
    """One CSeq: the question behind it, when it went out first, and how often."""

    question: PendingRequest
    began: float
    times: int = 0
    is_over: bool = False


@dataclass(slots=True)
class ResponseTimes:
    """The response times of the cloud. Under load it answers after seconds: who then waits as long
    as ever calls recorders silent that are not."""

    usual: float = 0.0
    longest: float = 0.0
    at: float = 0.0

    def learn(self, sending: Transmission) -> None:
        """An answer came just now. After a repetition nobody knows which one it answers; but
        one that came when all was sent and waited for was late for sure."""
        now = asyncio.get_running_loop().time()
        delay = now - sending.began
        self.usual += (delay - self.usual) / 10
        if sending.times == 1 or sending.is_over:
            self.longest, self.at = max(delay, self._longest(now)), now

    def _longest(self, now: float) -> float:
        return self.longest * math.exp2((self.at - now) / HALF_LIFE)

    def wait_factor(self, waits: Sequence[float]) -> float:
        """The factor by which these waits are too short now; 1 when they are not."""
        longest = self._longest(asyncio.get_running_loop().time())
        return max(1.0, min(1.5 * longest, MAX_PATIENCE) / sum(waits))


class Server(asyncio.DatagramProtocol):
    """One server of the cloud behind one connected socket. Only one that `is_alone` takes an
    answer with CSeq 0."""

    def __init__(
        self,
        clock: CloudClock,
        keys: KeyPair,
        bucket: TokenBucket,
        waits: Sequence[float],
        response_times: ResponseTimes,
        is_alone: bool = False,
    ) -> None:
        self.clock = clock
        self.keys = keys
        self.bucket = bucket
        self.waits = waits
        self.backoff = Backoff()
        self.response_times = response_times
        self.requests = 0
        self.answers = 0
        self.is_alone = is_alone
        self.heard_at = -math.inf
        self.zero_at = -math.inf
        """When it last answered with CSeq 0."""
        self.address: Address = ("", 0)
        self.refused: Counter[str] = Counter()
        self._next = secrets.randbelow(MAX_CSEQ // 2)
        self._open: dict[tuple[str, bool], PendingRequest] = {}
        self._waiting: dict[int, Transmission] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, address: Address) -> None:
        """Connect the socket: the kernel drops what comes from elsewhere. Raises OSError."""
        loop = asyncio.get_running_loop()
        self.address = address
        self._transport, _same = await loop.create_datagram_endpoint(
            lambda: self, remote_addr=address
        )

    @asynccontextmanager
    async def dedicated_socket(self) -> AsyncIterator["Server"]:
        """The same server by a socket of its own, for one question at a time. What it is asked
        and answers there counts here too. Raises NoAnswer when there is no socket."""
        server = Server(
            self.clock, self.keys, self.bucket, self.waits, self.response_times, is_alone=True
        )
        server.backoff = self.backoff
        try:
            await server.open(self.address)
        except OSError as error:
            raise NoAnswer(f"cannot open another socket ({error.strerror})") from error
        try:
            yield server
        finally:
            server.close()
            self.requests += server.requests
            self.answers += server.answers
            self.refused += server.refused
            self.heard_at = max(self.heard_at, server.heard_at)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # -- what comes in -------------------------------------------------------------------

    def datagram_received(self, data: bytes, _sender: Address) -> None:
        try:
            answer = parse_response(data)
        except InvalidResponse as error:
            self.refused[str(error)] += 1
            return
        sending = self._waiting.get(answer.cseq)
        if answer.cseq == 0 and sending is None:
            self.zero_at = asyncio.get_running_loop().time()
            sending = self._only_open() if self.is_alone else None
        if sending is None or sending.question.answer.done():
            self.refused["unexpected response: late, repeated or forged"] += 1
        elif not answer.is_provisional:
            self.answers += 1
            self.heard_at = asyncio.get_running_loop().time()
            self.response_times.learn(sending)
            if answer.date is not None:
                self.clock.note_date(answer.date, self.heard_at - sending.began)
            sending.question.answer.set_result(answer)

    def _only_open(self) -> Transmission | None:
        """The only question that waits; None if there are more."""
        pending = [
            request for request in self._waiting.values() if not request.question.answer.done()
        ]
        return pending[0] if len(pending) == 1 else None

    def error_received(self, _error: Exception) -> None:
        """Ignore that nobody listens there: it is like silence."""
        self.refused["port closed"] += 1

    # -- asking --------------------------------------------------------------------------

    async def ask(self, path: str, with_keys: bool = True) -> CloudResponse:
        """Ask the server about the recorder: its answer is done, or 404.

        Raises NoAnswer after every try; KeyRejected, ServerBusy, ServerError for what it says of
        itself.
        """
        for tried in range(BUSY_TRIES + 1):
            offset = self.clock.offset
            answer = await self._exchange(path, with_keys, is_new=tried != 1)
            if answer.code != 401 or not answer.mentions("TimeOut"):
                break
            if answer.date is not None:
                self.clock.learn(answer.date)
            # Some send every first request away and answer its repetition: they are not busy.
            if tried and abs(self.clock.offset - offset) < CLOCK_IS_RIGHT:
                self.bucket.slow_down()
                self.backoff.add_rejection(path)
        else:
            raise ServerBusy("repeated 401 TimeOut responses")
        self.backoff.end()
        self.bucket.recover()
        if answer.code == 401 and answer.mentions("KeyError") and with_keys:
            raise KeyUnknown("unknown key pair")
        if answer.code in (401, 403):
            raise KeyRejected(f"the key pair was rejected ({answer.code})")
        if answer.code >= 400 and answer.code != 404:
            raise ServerError(f"response {answer.code}")
        return answer

    async def _exchange(self, path: str, with_keys: bool, is_new: bool) -> CloudResponse:
        """Send, and send again with fresh authentication, until an answer comes. What is not
        new waits for no place: by its answer we know whether the server sheds load."""
        self.backoff.check()
        if is_new:
            await self.bucket.acquire(self.backoff.begun)
            self.backoff.check()
        loop = asyncio.get_running_loop()
        key = (path, with_keys)
        question = self._open.setdefault(key, PendingRequest(loop.create_future()))
        question.askers += 1
        try:
            await self._send_until_answered(path, with_keys, question)
            if question.answer.done():
                return question.answer.result()
        finally:
            question.askers -= 1
            if question.answer.done():
                self._close(key, question)
            else:
                # Until then an answer to this sending is as good as one to the next.
                loop.call_later(MAX_PATIENCE, self._close, key, question)
        raise NoAnswer(f"no response to {len(self.waits)} requests")

    async def _send_until_answered(
        self, path: str, with_keys: bool, question: PendingRequest
    ) -> None:
        """Send and wait, until an answer comes or the attempts end."""
        cseq = self._next = (self._next + 1) % MAX_CSEQ
        sending = self._waiting[cseq] = Transmission(question, asyncio.get_running_loop().time())
        question.cseqs.append(cseq)
        wait_factor = self.response_times.wait_factor(self.waits)
        for wait in self.waits:
            if not question.answer.done():
                sending.times += 1
                self._send(path, cseq, with_keys)
                await asyncio.wait((question.answer,), timeout=wait * wait_factor)
        sending.is_over = True

    def _close(self, key: tuple[str, bool], question: PendingRequest) -> None:
        """Forget a question for which nobody waits now."""
        if question.askers == 0:
            if self._open.get(key) is question:
                del self._open[key]
            for cseq in question.cseqs:
                self._waiting.pop(cseq, None)

    def _send(self, path: str, cseq: int, with_keys: bool) -> None:
        assert self._transport is not None
        keys = self.keys if with_keys else None
        nonce = secrets.randbelow(MAX_CSEQ)
        self._transport.sendto(request(path, cseq, keys, nonce, self.clock.cloud()))
        self.requests += 1
