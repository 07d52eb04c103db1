"""The Prober: asks every device with access to a probing source, one at a time, when it is due.

Runs in the Scanner's loop. What a password is sent to is in discovery/guarded_probes.py, what an
answer says in discovery/probe_results.py.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from weakref import WeakValueDictionary

from discovery.channel_questions import entries_of, next_channel
from discovery.channel_reports import unreported_ids
from discovery.device_tracker import DeviceTracker
from discovery.down_scopes import DownScopes
from discovery.due_queue import NOW, DueQueue, Question, QueueEntry
from discovery.guarded_probes import GuardedProbes
from discovery.loop_time import loop_time
from discovery.probe_results import ANSWERED, MISSED, NOT_ASKED, ProbeResult, ProbeResults
from discovery.proving import OtherDevice
from discovery.refused_logins import RefusedLogins
from discovery.secret_hosts import Unproven, UnprovenRefusal, unproven_reason
from discovery.sessions import Sessions, Stream
from fleet.model import CannotAsk, Device, Finding, NoAnswer, Report
from fleet.places import session_owner
from sources import net
from sources.identify import Identification
from sources.source import SessionRefused, Source
from store.vault import SecretLost

SYNC_EVERY = 0.25
"""Seconds until a change of the fleet is noticed."""
PARENT_RETRY = 5.0
"""Seconds until a parent is asked once more because a child missed."""
SESSION_RETRY = 5.0
"""Seconds until a device is asked again whose sessions were all in use."""


class Prober:
    """Asks the questions of the due queue, and those that a caller waits for.

    `deliver` takes the reports; `keep` also waits until they are on disk. `unseal` turns the id of
    a secret into its text when a question begins and raises SecretLost. `on_answer` is called with
    the source that got an answer and the time.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        deliver: Callable[[Iterable[Report]], None],
        keep: Callable[[Iterable[Report]], Awaitable[None]],
        unseal: Callable[[str], str],
        sessions: Sessions,
        on_answer: Callable[[str, datetime], None] = lambda source, at: None,
        identification: Identification | None = None,
        refused: RefusedLogins | None = None,
    ) -> None:
        self.queue = DueQueue(sources)
        self.tracker = tracker
        self.clock = clock
        self.deliver = deliver
        self._keep = keep
        self.sessions = sessions
        self.on_answer = on_answer
        self.counts: dict[str, list[int]] = {}
        """[asked, answered] by source, since the caller cleared it."""
        self._scopes = DownScopes()
        self._guarded = GuardedProbes(
            *(self.queue, tracker, clock, deliver, keep, unseal),
            identification or Identification(),
            refused or RefusedLogins(),
        )
        self.gate, self.proving = self._guarded.gate, self._guarded.proving
        self._results = ProbeResults(tracker, clock, self._scopes)
        self._awaited: dict[Question, list[asyncio.Future[ProbeResult]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = WeakValueDictionary[int, asyncio.Lock]()
        self._is_running = False
        self._is_closed = False

    # -- asking --------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask every device when it is due, for as long as the monitor runs."""
        if not self.queue.sources:
            return
        self._is_running = True
        for name in self.queue.sources:
            self._scopes.remember(self.tracker.down(), name)
        while True:
            self._pump()
            due = self.queue.next_at()
            wait = SYNC_EVERY if due is None else min(SYNC_EVERY, max(0.01, due - loop_time()))
            await asyncio.sleep(wait)

    def submit(
        self, questions: Iterable[Question], urgency: int = NOW
    ) -> list[asyncio.Future[ProbeResult]]:
        """Ask these now; one that is under way is joined. Those that nobody can ask are left
        out, and all of them when the monitor is stopping. A future that is cancelled withdraws its
        question if that has not begun."""
        if self._is_closed:
            return []
        self._sync()
        futures = []
        for question in questions:
            if self.queue.prioritize(question, loop_time(), urgency):
                if urgency == NOW:
                    self.queue.ask_by_hand(question)
                future = asyncio.get_running_loop().create_future()
                future.add_done_callback(partial(self._stop_waiting, question))
                self._awaited.setdefault(question, []).append(future)
                futures.append(future)
        self._pump()
        return futures

    def entry(self, question: Question) -> QueueEntry | None:
        """How the device is asked now; None if this source does not ask it."""
        self._sync()
        return self.queue.entry(question)

    async def open(
        self,
        source: Source,
        entry: QueueEntry,
        device: Device,
        owner: int = 0,
        *,
        is_brief: bool = False,
    ) -> ProbeResult:
        """Ask once by a source that opens a stream, or takes a snapshot, beside the queue. What it
        learns is handed over; a device that misses is checked at once instead, which judges that.
        `is_brief`: the answer is no check, so its findings are not kept."""
        result = await self._probe(source, entry, device, self.clock(), owner)
        self._sync()  # it may have been changed or deleted meanwhile
        if not self.queue.is_current(entry):
            return result
        if result.state != MISSED:
            # At once: the next question must see what this login cost, and a device that is deleted
            # now must not come back by a report that waits.
            kept = (each for each in result.reports if not (is_brief and _is_finding(each)))
            await self._keep(kept)
        elif entry.was_up:
            self.queue.make_due(entry.question, loop_time())
            self._pump()
        return result

    async def spend(self, question: Question, number: int) -> None:
        """Count logins that a device refused beside the questions of its source."""
        device = self.tracker.devices().get(question[0])
        if device is not None and question[1] in device.access:
            await self._keep(self._guarded.gate.spend(device, question[1], number))

    def opened(self, entry: QueueEntry) -> None:
        """Note that a stream of the device plays: it is up, also for a check that missed."""
        if not entry.was_up:
            entry.was_up, entry.retries = True, []
            self._ask_channels(entry.question[0])

    def questions(self, source: str) -> list[Question]:
        """The questions of one source, one for each device that it probes."""
        self._sync()
        return self.queue.questions(source)

    async def close(self) -> None:
        """Cancel the questions that are under way; they say nothing about their devices."""
        self._is_running, self._is_closed = False, True
        for futures in list(self._awaited.values()):
            for future in list(futures):
                future.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._guarded.close()

    def _stop_waiting(self, question: Question, future: asyncio.Future[ProbeResult]) -> None:
        """Forget a future whose caller waits no longer."""
        waiting = self._awaited.get(question, [])
        with suppress(ValueError):
            waiting.remove(future)
        if not waiting:
            self._awaited.pop(question, None)
            if future.cancelled():
                self.queue.withdraw(question)

    def _sync(self) -> None:
        """Bring the queue in line with the newest snapshot of the fleet."""
        fleet = self.tracker.fleet()
        for question in self.queue.update(fleet.devices, loop_time(), fleet.credentials):
            self._guarded.forget(question)
            self.deliver(self._scopes.forget(question, self.clock()))
            self._resolve(
                question, ProbeResult(*question, NOT_ASKED, "no longer checked by this source")
            )

    def _pump(self) -> None:
        """Begin the questions that can begin now."""
        if self._is_closed:
            return
        self._sync()
        if self._is_running:
            self.queue.wake(loop_time())
        for entry in self.queue.begin(loop_time()):
            task = asyncio.get_running_loop().create_task(self._question(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # -- one question --------------------------------------------------------------------

    async def _question(self, entry: QueueEntry) -> None:
        answer, again = ProbeResult(*entry.question, NOT_ASKED, "Camera Monitor is stopping"), None
        try:
            device = self.tracker.devices().get(entry.question[0])
            if device is not None:
                answer, again = await self._within_sessions(entry, device)
        finally:
            self._finish(entry, answer, again)

    async def _within_sessions(
        self, entry: QueueEntry, device: Device
    ) -> tuple[ProbeResult, float | None]:
        """Ask, unless a reader proves the device already, or all its sessions are in use."""
        source, started = self.queue.sources[entry.source], self.clock()
        if not source.takes_session:
            return await self._probe(source, entry, device, started), None
        owner = session_owner(device, source.name, self.tracker.devices())
        if self.sessions.is_read(owner, device.id):
            proof = self._results.alive(device, source.name, started)
            return ProbeResult(
                *entry.question, ANSWERED, "its stream is being read", (proof,)
            ), None
        stream = Stream(device.id, source.name)
        if not self.sessions.reserve(owner, stream):
            reason = f"all {self.sessions.budget(owner)} sessions of the device are in use"
            return ProbeResult(*entry.question, NOT_ASKED, reason), SESSION_RETRY
        try:
            async with self.turn(owner):
                return await self._probe(source, entry, device, started, owner), None
        finally:
            self.sessions.release(owner, stream)

    def turn(self, owner: int) -> asyncio.Lock:
        """The lock of logins at the streams of a device: several at once could all be refused."""
        return self._turns.setdefault(owner, asyncio.Lock())

    async def _probe(
        self, source: Source, entry: QueueEntry, device: Device, started: datetime, owner: int = 0
    ) -> ProbeResult:
        """Probe once under a deadline, and turn whatever it raises into a result."""
        try:
            reports = await self._guarded.reports(source, entry, device)
            return self._results.answered(entry, device, started, reports)
        except SessionRefused as error:
            self.sessions.refused(owner or device.id)
            return self._results.refused(entry, device, started, owner, error)
        except CannotAsk as error:
            return self._results.not_asked(entry, error.scope, error.reason)
        except SecretLost:
            reason = "the stored password cannot be read; enter it again"
            return self._results.without_password(source, entry, reason)
        except UnprovenRefusal as error:
            reason = f"the device at {entry.host} has no free session ({error})"
            return ProbeResult(*entry.question, NOT_ASKED, reason)
        except OtherDevice:
            return self._results.other_device(entry, device, started)
        except Unproven:
            return self._results.without_password(source, entry, unproven_reason(entry))
        except NoAnswer as error:
            return self._results.missed(entry, device, started, str(error))
        except TimeoutError:
            reason = f"no response within {source.timeout:g} s"
            return self._results.missed(entry, device, started, reason)
        except OSError as error:
            if net.is_of_server(error):
                return self._results.not_asked(entry, source.name, net.reason_of(error))
            return self._results.missed(entry, device, started, net.reason_of(error))
        except Exception as error:  # noqa: BLE001  the table in tests/test_layout.py has it
            return self._results.failed(source, entry, device, error)

    def _finish(self, entry: QueueEntry, answer: ProbeResult, again: float | None) -> None:
        """Hand over the result of a question, and begin those that waited for it."""
        self._sync()
        is_current, now = self.queue.is_current(entry), self.clock()
        was_up = entry.was_up
        answered = {ANSWERED: True, MISSED: False}.get(answer.state)
        is_first_miss = self.queue.ended(entry, loop_time(), answered, again)
        if answered is False:
            self._guarded.missed(entry)
        if is_current:
            self._count(entry.source, answered, now)
            reports = answer.reports
            if answered:
                reports += tuple(self._scopes.answered(entry.question, reports, now))
            self.deliver(reports)
            if is_first_miss:
                self._ask_parents(entry.question[0])
                if question := next_channel(self.queue, self.tracker, entry.question[0]):
                    self.queue.make_due(question, loop_time())
            elif answered and not was_up:
                self._ask_channels(entry.question[0])
            self._ask_unreported(reports)
        # What was asked in another way than the device has now says nothing: it is asked again.
        if is_current or self.queue.entry(entry.question) is None:
            self._resolve(entry.question, answer)
        if self._is_running or self._awaited:
            self._pump()

    def _count(self, source: str, answered: bool | None, now: datetime) -> None:
        if answered is None:
            return
        count = self.counts.setdefault(source, [0, 0])
        count[0] += 1
        if answered:
            count[1] += 1
            self.on_answer(source, now)

    def _ask_parents(self, device: int) -> None:
        """Ask the parents of a device that missed, as its connection may be down. A parent is asked
        once, however many of its children miss."""
        devices, now = self.tracker.devices(), loop_time()
        child = devices.get(device)
        for parent in child.parents if child else ():
            for question in self.queue.questions_of(parent):
                entry = self.queue.entry(question)
                if entry is not None and now - entry.began >= PARENT_RETRY:
                    self.queue.make_due(question, now)

    def _ask_channels(self, recorder: int) -> None:
        """Ask the channels of a recorder that is back."""
        for channel in self.tracker.channels_of(recorder):
            for question in self.queue.questions_of(channel.id):
                self.queue.make_due(question, loop_time())

    def is_read(self, device: Device, source: str, ago: float) -> None:
        """Report that a reader got packets of the device so many seconds ago."""
        at = self.clock() - timedelta(seconds=ago)
        self.deliver((self._results.alive(device, source, at),))

    def _ask_unreported(self, reports: Iterable[Report]) -> None:
        """Ask for the streams of channels that their recorder no longer lists: an answer from
        before says nothing about now."""
        now = loop_time()
        for device in unreported_ids(reports):
            for entry in entries_of(self.queue, device):
                if entry.was_up and now - entry.began >= PARENT_RETRY:
                    self.queue.make_due(entry.question, now)

    def _resolve(self, question: Question, answer: ProbeResult) -> None:
        for future in list(self._awaited.get(question, ())):
            if not future.done():
                future.set_result(answer)


def _is_finding(report: Report) -> bool:
    return isinstance(report, Finding)
