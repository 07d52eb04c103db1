"""Opens streams for their readers in the same way as a check: the device is identified before a
password is sent, refused logins and sessions are counted, and what it proves reaches the tracker.

Called from threads that wait; the work is done in the scanner's loop. A stream that plays leaves
it: its sockets belong to the reader. Only the bytes of TLS are carried there meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any

from discovery.due_queue import QueueEntry
from discovery.guarded_probes import with_told_stream
from discovery.opened_streams import opened_stream
from discovery.probe_results import ANSWERED, FAILED, NOT_ASKED, ProbeResult
from discovery.scanner import STOPPING, Scanner
from discovery.sessions import Stream
from fleet.access_fields import SUB_PATH
from fleet.channels import NO_STREAM, SOURCE, STREAM, SUB_STREAM
from fleet.model import Access, CannotAsk, Device, Finding, Report, Sighting, Target
from fleet.places import host_of, session_owner
from sources import rtsp
from sources.rtsp_client import Closed, Pump
from sources.rtsp_play import Opening, Played, end_session
from sources.source import Probe, SessionRefused, Source
from sources.sub_paths import sub_path
from video.model import SUB, NotOpened, OpenedStream, StreamKey
from video.outages import CUT, INCOMPLETE, NO_SUB, OFF, REFUSED, RETIRED, SERVER

TIMEOUT = 10.0
"""Seconds for one stream, from the first question to PLAY."""
MARGIN = 2.0
"""Seconds more that the loop has to end an opening in order."""
SESSION_WAIT, SESSION_STEP = 2.0, 0.1
"""Seconds that a check may hold the only session of a device."""
PROVES_EVERY = 45.0
"""Seconds between two proofs of a device by its reader, at least: packets are told of every few
seconds, and it is to be proved once a minute."""
BUSY_WAIT = 5.0
"""Seconds until an opening without a free session is worth another attempt."""
REFUSED_WAIT = 60.0
"""Likewise after a refused login."""
EARLY_STEPS, MOST_EARLY = 16, 0.25
"""By what part of their interval streams of a device renew their sessions earlier than others."""
MISSING_LASTS = 86_400.0
"""Seconds in which a sub stream that the device did not have is not asked for again."""
NOT_A_REASON = frozenset(("login.none", "identity.unproven"))
"""Findings with which a stream plays all the same."""
Place = tuple[str | None, int | None, str, Any, Any]
"""Where a stream is by what people and scans say: address, port, path, TLS, path of a sub stream.
What opening it teaches is no part of it."""


class StreamOpener:
    """`open`, `end`, `closed` and `alive` are called from any thread."""

    def __init__(self, scanner: Scanner, timer: Callable[[], float] = time.monotonic) -> None:
        self._scanner = scanner
        self._timer = timer
        self._lock = Lock()
        self._held: dict[StreamKey, tuple[int, Stream]] = {}
        self._places: dict[StreamKey, Place | None] = {}
        self._proved_at: dict[int, float] = {}
        self._missing: dict[tuple[int, str], float] = {}
        self._pumps = set[asyncio.Task[None]]()
        self._asked_first = set[int]()
        """Devices that refused a login of a stream that played: it is sent there with a new nonce
        only, which leaves no doubt about a refusal."""

    def open(self, key: StreamKey) -> OpenedStream:
        """Open a stream and wait for it. Give it back with `closed`. Raises NotOpened."""
        self.closed(key)
        try:
            call = self._scanner.begin(self._open(key))
        except CannotAsk as error:
            raise NotOpened(error.reason, cause=SERVER) from None
        try:
            return call.result(TIMEOUT + SESSION_WAIT + MARGIN)
        except CancelledError:
            raise NotOpened(STOPPING, cause=SERVER) from None
        except TimeoutError:
            call.add_done_callback(_close_late)
            call.cancel()
            raise NotOpened(f"not opened within {TIMEOUT:g} s") from None

    def end(self, opened: OpenedStream) -> None:
        """Send TEARDOWN for a stream that finds no reader, and close its sockets. Never blocks."""
        end_session(opened.control, opened.media, opened.sockets)

    def closed(self, key: StreamKey) -> None:
        """Give the session of a stream back that nobody reads any more."""
        with self._lock:
            held = self._held.pop(key, None)
        if held is not None:
            self._scanner.sessions.release(*held)

    def refused(self, key: StreamKey, number: int) -> list[StreamKey]:
        """Count logins that the device refused while a stream played, like those of a check; the
        other streams of the device, which must not send theirs."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return []
            owner = held[0]
            self._asked_first.add(owner)
            others = [other for other, (id, _stream) in self._held.items() if id == owner]
        with suppress(CannotAsk, CancelledError, TimeoutError):
            call = self._scanner.begin(self._scanner.prober.spend((key.device, SOURCE), number))
            call.result(MARGIN)
        return [other for other in others if other != key]

    def alive(self, key: StreamKey, at: float) -> bool:
        """Note that packets of the stream came at this time of the monotonic clock, so that no
        check takes a session meanwhile, and, once a minute, that the device was seen. False, and
        nothing noted, when the device is elsewhere now, or no longer asked."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return True
            if self._places[key] != _place(self._scanner.tracker.devices().get(key.device)):
                return False
            # The opening itself proves the device.
            is_due = at - self._proved_at.setdefault(key.device, at) >= PROVES_EVERY
            if is_due:
                self._proved_at[key.device] = at
        self._scanner.sessions.reader_alive(*held, at)
        if is_due:
            with suppress(CannotAsk):
                self._scanner.begin(self._prove(key.device, at))
        return True

    # -- in the loop ---------------------------------------------------------------------

    async def _prove(self, id: int, at: float) -> None:
        device = self._scanner.tracker.devices().get(id)
        if device is not None and device.retired_at is None:
            self._scanner.prober.is_read(device, SOURCE, max(0.0, self._timer() - at))

    async def _open(self, key: StreamKey) -> OpenedStream:
        device, entry = self._asked(key)
        owner = session_owner(device, SOURCE, self._scanner.tracker.devices())
        await self._reserve(key, owner)
        self._places[key] = _place(device)
        played: Played | None = None
        try:
            async with asyncio.timeout(TIMEOUT):
                if key.name == SUB:
                    played = await self._play_sub(device, entry, owner)
                else:
                    played = await self._play(device, entry, owner, _Attempt())
            self.alive(key, self._timer())
            self._scanner.prober.opened(entry)
        except TimeoutError:
            raise NotOpened(f"no stream within {TIMEOUT:g} s") from None
        finally:
            if played is None:
                self.closed(key)
        return self._handed_over(played, key, owner)

    def _asked(self, key: StreamKey) -> tuple[Device, QueueEntry]:
        """The device, and how it is asked. Raises NotOpened."""
        device = self._scanner.tracker.devices().get(key.device)
        if device is None:
            raise NotOpened("this device is no longer in the list", cause=RETIRED)
        entry = self._scanner.prober.entry((device.id, SOURCE))
        if entry is not None:
            return device, entry
        if device.retired_at is not None:
            raise NotOpened("this device is retired", cause=RETIRED)
        if SOURCE not in device.access:
            raise NotOpened("it has no RTSP connection: enter one on its page", cause=INCOMPLETE)
        raise NotOpened("its address is not known", cause=INCOMPLETE)

    async def _reserve(self, key: StreamKey, owner: int) -> None:
        """Take a session. Raises NotOpened."""
        stream, sessions = Stream(key.device, key.name), self._scanner.sessions
        ends_at = self._timer() + SESSION_WAIT
        while not sessions.reserve(owner, stream):
            if self._timer() >= ends_at:
                reason = f"all {sessions.budget(owner)} sessions of the device are in use"
                raise NotOpened(reason, BUSY_WAIT, REFUSED)
            await asyncio.sleep(SESSION_STEP)
        with self._lock:
            self._held[key] = owner, stream

    async def _play_sub(self, device: Device, entry: QueueEntry, owner: int) -> Played:
        """Play the first sub stream that the device has. Raises NotOpened."""
        for access in _sub_accesses(device, entry.access):
            place = device.id, access.path
            if self._timer() < self._missing.get(place, 0.0):
                continue
            attempt = _Attempt(access)
            try:
                return await self._play(device, entry, owner, attempt)
            except NotOpened:
                if not attempt.is_missing:
                    raise
                self._missing[place] = self._timer() + MISSING_LASTS
        raise NotOpened("this camera has no sub stream", cause=NO_SUB)

    async def _play(
        self, device: Device, entry: QueueEntry, owner: int, attempt: "_Attempt"
    ) -> Played:
        """Play a stream by the way of a check. Raises NotOpened."""
        # One after the other until its login is accepted: each could be refused.
        turn = self._scanner.prober.turn(owner)
        await turn.acquire()
        opening = attempt.opening = Opening(on_accepted=_once(turn.release))
        try:
            source = attempt.source(self._scanner.clock)
            result = await self._scanner.prober.open(source, entry, device, owner)
            if result.state == ANSWERED and (played := opening.take()) is not None:
                return played
        finally:
            opening.on_accepted()
            opening.close()
        raise _not_opened(result, device, attempt)

    def _handed_over(self, played: Played, key: StreamKey, owner: int) -> OpenedStream:
        if played.pump is not None:
            self._carry(played.pump)
        # Not all at once: after a first refusal, the others must not send their login.
        place = key.device * 2 + (key.name == SUB)
        early = place * 7 % EARLY_STEPS / EARLY_STEPS * MOST_EARLY
        return opened_stream(played, early, asks_first=owner in self._asked_first)

    def _carry(self, pump: Pump) -> None:
        task = asyncio.get_running_loop().create_task(pump.run())
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)


@dataclass(slots=True)
class _Attempt:
    """One attempt at a stream: the sub stream at `sub`, or the main stream without it."""

    sub: Access | None = None
    opening: Opening = field(default_factory=Opening)
    is_busy: bool = False
    has_cut: bool = False
    is_missing: bool = False

    def source(self, clock: Callable[[], datetime]) -> Source:
        source = rtsp.opening_source(clock, self.opening, TIMEOUT)
        assert source.probe is not None
        return replace(source, probe=partial(self._probe, source.probe))

    async def _probe(self, probe: Probe, target: Target) -> Sequence[Report]:
        if self.sub is not None:
            target = _at(self.sub, target)
        try:
            return self._of_device(await probe(target))
        except SessionRefused as error:
            self.is_busy = True
            error.reports = tuple(self._of_device(error.reports))
            raise
        except (ConnectionError, Closed):
            self.has_cut = True
            raise

    def _of_device(self, reports: Sequence[Report]) -> Sequence[Report]:
        """The reports for the device: its facts and findings are those of the main stream."""
        if self.sub is None:
            return reports
        kinds = {each.kind for each in reports if isinstance(each, Finding) and not each.cleared}
        self.is_missing = not kinds.isdisjoint(NO_STREAM)
        return [_brief(each) for each in reports if not _is_of_stream(each)]


def _place(device: Device | None) -> Place | None:
    """Where the stream of the device is; None for a device that is not asked for it."""
    access = device.access.get(SOURCE) if device is not None else None
    if device is None or access is None or device.retired_at is not None:
        return None
    options = access.options
    host = host_of(device, SOURCE)
    return host, access.port, access.path, options.get("tls"), options.get(SUB_PATH)


def _at(sub: Access, target: Target) -> Target:
    """The target with the place of a sub stream."""
    tls = {"tls": True} if sub.options.get("tls") is True else {}
    return replace(
        target,
        port=sub.port or target.port,
        path=sub.path,
        options={**target.options, **tls},
        worked_at=None,
        digest_only=target.digest_only or sub.digest_only,
    )


def _is_of_stream(report: Report) -> bool:
    return isinstance(report, Finding) and report.kind.startswith("stream.")


def _brief(report: Report) -> Report:
    if not isinstance(report, Sighting):
        return report
    learned = report.learned and replace(report.learned, worked_at=None)
    return replace(report, facts={}, is_brief=True, learned=learned)


def _sub_accesses(device: Device, access: Access) -> Iterator[Access]:
    """Where the sub stream may be: where a person said, else where the device said or its maker
    has it. What belongs to a path that a person entered comes first."""
    given = access.options.get(SUB_PATH)
    if given:
        yield replace(access, path=str(given))
        return
    main = with_told_stream(SOURCE, device, access)
    known: list[Access] = []
    if link := device.links.get(SUB_STREAM):
        asked = replace(device, links={STREAM: link})
        known.append(with_told_stream(SOURCE, asked, replace(access, path="")))
    if guessed := sub_path(main.path):
        known.insert(0 if access.path else len(known), replace(main, path=guessed))
    for each in known:
        if each.path != main.path:
            yield each


def _once(release: Callable[[], None]) -> Callable[[], None]:
    """The function, which does nothing when it is called again."""
    left = [release]
    return lambda: left.pop()() if left else None


def _not_opened(result: ProbeResult, device: Device, attempt: _Attempt) -> NotOpened:
    """The error for a device that gave no stream, with its reason."""
    raised = [each for each in result.reports if isinstance(each, Finding) and not each.cleared]
    texts = {each.kind: each.text for each in raised if each.kind not in NOT_A_REASON}
    if not texts and not result.reason:
        known = (each for each in device.findings if each.source == SOURCE)
        texts = {each.kind: each.text for each in known if each.kind.startswith("login.")}
    is_refused = any(kind.startswith("login.") for kind in texts)
    reason = next(iter(texts.values()), result.reason or "the device does not show its stream")
    wait = BUSY_WAIT if attempt.is_busy else REFUSED_WAIT if is_refused else None
    is_answer = bool(texts) or attempt.is_busy or result.state == ANSWERED
    return NotOpened(reason, wait, _cause(result.state, attempt, is_answer=is_answer))


def _cause(state: str, attempt: _Attempt, *, is_answer: bool) -> str:
    """The cause of a stream that was not opened, by the result of its attempt."""
    if state == FAILED:
        return SERVER
    if is_answer:
        return REFUSED
    if state == NOT_ASKED:
        return SERVER
    return CUT if attempt.has_cut else OFF


def _close_late(call: Future[OpenedStream]) -> None:
    """End a stream that opened when nobody waited any more."""
    if not call.cancelled() and call.exception() is None:
        opened = call.result()
        end_session(opened.control, opened.media, opened.sockets)
