"""Scan a range of addresses by hand: what listens there, asked without any login."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

from discovery.ranges import RangePlan
from fleet.model import CannotAsk
from inventory.range_inbox import INTERRUPTED, RUNNING, RangeRecord
from sources import net, ws_discovery, ws_discovery_wire
from sources.ws_discovery_wire import PORT, ProbeMatch
from store.sql import Unreachable

log = logging.getLogger(__name__)
AT_ONCE = 128
"""Addresses that are asked side by side."""
WAIT = 2.0
"""Seconds for the answers of one address."""
RATE = 400
"""Addresses at most that are begun in a second."""
KEEP_EVERY = 0.25
"""Seconds after which what answered is kept, and how far the scan is."""
OPTIONS = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
"""What every RTSP server answers, without a login."""
RTSP, HTTP = b"RTSP/", b"HTTP/"
LONGEST = 120
"""Characters of what a device says of itself."""
DONE, CANCELLED, FAILED = "done", "cancelled", "failed"
INTERNAL = "an internal error, see the log"
NOT_CHECKED = "some addresses could not be checked: {}"
UNSAVED = "{} of these results could not be saved. Check the database, then scan again"


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """What an address answered: open ports, and the first ONVIF device with its `onvif_port` and
    `onvif_path`. `endpoint` is its endpoint reference."""

    address: str
    rtsp_port: int | None = None
    http_port: int | None = None
    is_onvif: bool = False
    endpoint: str = ""
    onvif_port: int | None = None
    onvif_path: str = ""
    is_tls: bool = False
    name: str = ""
    model: str = ""


@dataclass(slots=True)
class RangeProgress:
    """A scan of a range that runs or has ended. `error`: what this server could not ask;
    `is_stopped`: a person stopped it."""

    plan: RangePlan
    by: str
    asked: int = 0
    answered: int = 0
    state: str = RUNNING
    error: str = ""
    is_stopped: bool = False
    waiting: list[RangeAnswer] = field(default_factory=list)
    keeping: asyncio.Future[None] | None = None

    @property
    def record(self) -> RangeRecord:
        """What is shown and kept of it."""
        total = len(self.plan.addresses)
        return RangeRecord(self.plan.text, self.state, self.asked, total, self.answered, self.error)


def longest_seconds(count: int) -> float:
    """How long a scan of so many addresses takes if nothing responds."""
    return -(-count // AT_ONCE) * WAIT


class RangeScans:
    """Runs one scan of a range at a time in the loop of the Scanner.

    `begin` runs a coroutine there; `keep` stores answers and how far the scan is, from a thread
    that may wait, and raises Unreachable.
    """

    def __init__(
        self,
        begin: Callable[[Coroutine[Any, Any, None]], Future[None]],
        keep: Callable[[RangeProgress, Sequence[RangeAnswer]], None],
        probe_port: int = PORT,
    ) -> None:
        self.progress: RangeProgress | None = None
        self._begin = begin
        self._keep = keep
        self._probe_port = probe_port
        self._call: Future[None] | None = None
        self._lock = Lock()

    def start(self, plan: RangePlan, by: str) -> bool:
        """Begin a scan; False if one is running. Raises CannotAsk when the monitor is stopping."""
        with self._lock:
            if self.progress is not None and self.progress.state == RUNNING:
                return False
            progress = RangeProgress(plan, by)
            self._call = self._begin(self._run(progress))
            self._call.add_done_callback(lambda call: _note_failure(call, progress))
            self.progress = progress
        return True

    def cancel(self) -> bool:
        """Stop the running scan; False if none runs. What answered so far is kept."""
        with self._lock:
            is_running = self.progress is not None and self.progress.state == RUNNING
            if is_running and self.progress and self._call is not None:
                self.progress.is_stopped = True
                self._call.cancel()
            return is_running

    async def _run(self, progress: RangeProgress) -> None:
        """Whatever fails, the scan has ended afterwards."""
        state = FAILED
        try:
            result = await self._ask_to_the_end(progress)
            await self._hand_over(progress, result)
            state = result
        except asyncio.CancelledError:
            state = _cancelled(progress)
        except Unreachable as error:
            progress.error = UNSAVED.format(len(progress.waiting))
            log.warning("%s: %s", progress.error, error)
        finally:
            progress.state = state
            log.info(
                "Scan of %d addresses %s: %d responded",
                len(progress.plan.addresses),
                state,
                progress.answered,
            )

    async def _ask_to_the_end(self, progress: RangeProgress) -> str:
        """Ask every address; how it ended."""
        keeping = asyncio.create_task(self._keep_often(progress))
        keeping.add_done_callback(lambda task: _note_failure(task, progress))
        try:
            await self._ask_all(progress)
        except asyncio.CancelledError:
            return _cancelled(progress)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        return FAILED if progress.error and not progress.answered else DONE

    async def _ask_all(self, progress: RangeProgress) -> None:
        free, tasks = asyncio.Semaphore(AT_ONCE), set[asyncio.Task[None]]()

        async def ask_one(address: str) -> None:
            answer = await self._ask(address, progress)
            if answer is not None:
                progress.answered += 1
                progress.waiting.append(answer)

        def end(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            free.release()
            progress.asked += not task.cancelled()
            _note_failure(task, progress)

        try:
            for number, address in enumerate(progress.plan.addresses):
                await free.acquire()
                if number % (RATE // 20) == 0:
                    await asyncio.sleep(1 / 20)
                task = asyncio.create_task(ask_one(address))
                tasks.add(task)
                task.add_done_callback(end)
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in [*tasks]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_often(self, progress: RangeProgress) -> None:
        kept = -1
        while True:
            with suppress(Unreachable):
                if progress.waiting or progress.asked != kept:
                    asked = progress.asked
                    await self._hand_over(progress, RUNNING)
                    kept = asked
            await asyncio.sleep(KEEP_EVERY)

    async def _hand_over(self, progress: RangeProgress, state: str) -> None:
        """Keep what answered, and how far the scan is, in this state, after what is being kept
        now. A caller that is cancelled meanwhile loses no answer, and one that cannot be kept waits
        for the next time. Raises what `keep` does."""
        if progress.keeping is not None:
            await asyncio.wait([progress.keeping])
        answers, progress.waiting = progress.waiting, []
        kept = replace(progress, state=state, waiting=[], keeping=None)
        loop = asyncio.get_running_loop()
        progress.keeping = loop.run_in_executor(None, self._keep, kept, answers)
        progress.keeping.add_done_callback(partial(_put_back, progress, answers))
        await asyncio.shield(progress.keeping)

    async def _ask(self, address: str, progress: RangeProgress) -> RangeAnswer | None:
        """What the address answers; None for nothing that could be a camera."""
        plan = progress.plan
        results = await asyncio.gather(
            _first_bytes(address, plan.rtsp_port, OPTIONS),
            _first_bytes(address, plan.http_port),
            ws_discovery.unicast_probe(address, WAIT, self._probe_port),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, CannotAsk):
                progress.error = progress.error or NOT_CHECKED.format(result.reason)
        spoken, http, matches = (
            None if isinstance(result, BaseException) else result for result in results
        )
        # One that is slow to answer is a busy camera.
        rtsp = isinstance(spoken, bytes) and RTSP.startswith(spoken[: len(RTSP)])
        is_web = isinstance(spoken, bytes) and spoken.startswith(HTTP)
        web = plan.rtsp_port if is_web else None
        answer = RangeAnswer(
            address,
            plan.rtsp_port if rtsp else None,
            plan.http_port if http is not None else web,
        )
        if isinstance(matches, list) and matches:
            answer = _with_match(answer, matches[0])
        return answer if answer.rtsp_port or answer.http_port or answer.is_onvif else None


def _note_failure(call: Future[None] | asyncio.Task[None], progress: RangeProgress) -> None:
    """Log a fault of ours in a part of a scan that has ended."""
    error = None if call.cancelled() else call.exception()
    if error is not None:
        progress.error = progress.error or INTERNAL
        log.error("A part of the scan of %s failed", progress.plan.text, exc_info=error)


def _put_back(
    progress: RangeProgress, answers: Sequence[RangeAnswer], keeping: asyncio.Future[None]
) -> None:
    """Let the answers wait again that could not be kept."""
    if keeping.cancelled() or keeping.exception() is not None:
        progress.waiting[:0] = answers


def _cancelled(progress: RangeProgress) -> str:
    return CANCELLED if progress.is_stopped else INTERRUPTED


async def _first_bytes(address: str, port: int, question: bytes = b"") -> bytes | None:
    """The first bytes that the port answers to the question, empty without any in time; None if it
    accepts no connection, or closes it without an answer. Raises CannotAsk."""
    writer, answer, is_closed = None, b"", False
    try:
        async with asyncio.timeout(WAIT):
            reader, writer = await asyncio.open_connection(address, port)
            if question:
                writer.write(question)
                answer = await reader.read(LONGEST)
                is_closed = not answer
    except TimeoutError:
        pass
    except OSError as error:
        if writer is None and net.cannot_ask(error):
            raise CannotAsk("range", net.reason_of(error)) from error
        is_closed = True
    if writer is None:
        return None
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return None if is_closed else answer


def _with_match(answer: RangeAnswer, match: ProbeMatch) -> RangeAnswer:
    """The answer with what the ONVIF device says of itself, read as in a search of all networks."""
    named = ws_discovery_wire.names(match.scopes)
    answer = replace(
        answer,
        is_onvif=True,
        endpoint=match.endpoint,
        name=_plain(named.get("name", "")),
        model=_plain(named.get("hardware", "")),
    )
    place = ws_discovery_wire.candidate(match)
    if place is None or not match.xaddrs:
        return answer
    return replace(answer, onvif_port=place.port, onvif_path=place.path, is_tls=place.is_tls)


def _plain(text: str) -> str:
    text = " ".join(text.split())
    return "".join(c for c in text if c.isprintable())[:LONGEST]
