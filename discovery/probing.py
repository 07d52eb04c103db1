"""The Prober: asks every device with access to a probing source, one at a time, when it is due.

Runs in the Scanner's loop. A miss, a deadline and an error are those of one device; a scope
that cannot be asked is reported once and makes no device miss.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from discovery.channel_questions import entries_of, next_channel
from discovery.channel_reports import is_of_channel, missed_along, of_channel, unreported
from discovery.device_tracker import DeviceTracker
from discovery.down_scopes import DownScopes
from discovery.due_queue import NOW, DueQueue, Question, QueueEntry
from discovery.logins import Allowance, LoginGate
from discovery.outcomes import name_of
from discovery.probe_tasks import ProbeTasks
from discovery.secret_hosts import (
    Proofs,
    Unproven,
    UnprovenRefusal,
    access_without_secrets,
    has_proof,
    may_send_secrets,
    proof_of,
    with_place_key,
)
from discovery.sessions import Sessions, Stream
from fleet import identity, logins
from fleet.model import (
    Access,
    CannotAsk,
    Device,
    Finding,
    Miss,
    NoAnswer,
    Report,
    Sighting,
    Target,
)
from fleet.places import access_key, session_owner
from fleet.reduce import claims
from sources import net
from sources.source import SessionRefused, Source
from store.vault import SecretLost

log = logging.getLogger(__name__)
SYNC_EVERY = 0.25
"""Seconds until a change of the fleet is noticed."""
PARENT_RETRY = 5.0
"""Seconds until a parent is asked once more because a child missed."""
SESSION_RETRY = 5.0
"""Seconds until a device is asked again whose sessions were all in use."""
ERROR = "source.error"
"""The kind of the finding about a device that meets an error in the program."""
PASSWORD = "access.password"  # nosec B105 (a kind of finding)
"""The kind of the finding about a device whose stored password cannot be read, or may not be
sent to its new address."""

ANSWERED, MISSED, NOT_ASKED, FAILED = "answered", "missed", "not asked", "failed"
"""The states of a result. Failed: an error in the program."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one question: `state` is one of those above, `reason` says why it is not
    answered, `reports` is what the tracker got."""

    device: int
    source: str
    state: str
    reason: str = ""
    reports: tuple[Report, ...] = ()


class Prober:
    """Asks the questions of the due queue, and those that a caller waits for.

    `deliver` takes the reports; `unseal` turns the id of a secret into its text when a question
    begins and raises SecretLost. `on_answer` is called with the source that got an answer and the
    time.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        deliver: Callable[[Iterable[Report]], None],
        unseal: Callable[[str], str],
        sessions: Sessions,
        on_answer: Callable[[str, datetime], None] = lambda source, at: None,
    ) -> None:
        self.queue = DueQueue(sources)
        self.tracker = tracker
        self.clock = clock
        self.deliver = deliver
        self.unseal = unseal
        self.sessions = sessions
        self.on_answer = on_answer
        self.counts: dict[str, list[int]] = {}
        """[asked, answered] by source, since the caller cleared it."""
        self._scopes = DownScopes()
        self._probes = ProbeTasks()
        self._proofs = Proofs()
        self._gate = LoginGate(tracker)
        self._awaited: dict[Question, list[asyncio.Future[ProbeResult]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged: set[tuple[str, str]] = set()
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
            wait = SYNC_EVERY if due is None else min(SYNC_EVERY, max(0.01, due - _now()))
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
            if self.queue.prioritize(question, _now(), urgency):
                future = asyncio.get_running_loop().create_future()
                future.add_done_callback(partial(self._stop_waiting, question))
                self._awaited.setdefault(question, []).append(future)
                futures.append(future)
        self._pump()
        return futures

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
        await self._probes.close()

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
        for question in self.queue.update(fleet.devices, _now(), fleet.credentials):
            self._proofs.forget(question)
            self._gate.forget(question)
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
            self.queue.wake(_now())
        for entry in self.queue.begin(_now()):
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
            proof = self._alive(device, source.name, started)
            return ProbeResult(
                *entry.question, ANSWERED, "its stream is being read", (proof,)
            ), None
        stream = Stream(device.id, source.name)
        if not self.sessions.reserve(owner, stream):
            reason = f"all {self.sessions.budget(owner)} sessions of the device are in use"
            return ProbeResult(*entry.question, NOT_ASKED, reason), SESSION_RETRY
        try:
            return await self._probe(source, entry, device, started, owner), None
        finally:
            self.sessions.release(owner, stream)

    async def _probe(
        self, source: Source, entry: QueueEntry, device: Device, started: datetime, owner: int = 0
    ) -> ProbeResult:
        """Probe once under a deadline, and turn whatever it raises into a result."""
        try:
            reports = await self._reports(source, entry, device)
            return self._answered(entry, device, started, reports)
        except SessionRefused as error:
            self.sessions.refused(owner or device.id)
            return self._refused(entry, device, started, owner, error)
        except CannotAsk as error:
            return self._not_asked(entry, error.scope, error.reason)
        except SecretLost:
            reason = "the stored password cannot be read; enter it again"
            return self._without_password(source, entry, reason)
        except UnprovenRefusal as error:
            reason = f"the device at {entry.host} has no free session ({error})"
            return ProbeResult(*entry.question, NOT_ASKED, reason)
        except Unproven:
            return self._without_password(source, entry, self._unproven(entry, device))
        except NoAnswer as error:
            return self._missed(entry, device, started, str(error))
        except TimeoutError:
            reason = f"no response within {source.timeout:g} s"
            return self._missed(entry, device, started, reason)
        except OSError as error:
            if net.cannot_ask(error):
                return self._not_asked(entry, source.name, net.reason_of(error))
            return self._missed(entry, device, started, net.reason_of(error))
        except Exception as error:  # noqa: BLE001  the table in tests/test_layout.py has it
            return self._failed(source, entry, device, error)

    async def _reports(self, source: Source, entry: QueueEntry, device: Device) -> Sequence[Report]:
        """The reports of the probe. Where the password may not be sent yet, the device is asked
        without it first. Raises Unproven, UnprovenRefusal, SecretLost and whatever ProbeTasks.run
        does."""
        access = self._access(device, source.name)
        if not may_send_secrets(access, entry.host):
            reports = await self._reports_before_proof(source, entry, device, access)
            if reports is not None:
                return reports
        allowance = self._gate.allowance(device, source.name, access)
        target = self._target(source, entry, device, access, allowance)
        judge = partial(self._gate.judged, device, source.name, access, allowance, self.clock())
        try:
            return judge(await self._probes.run(source, entry.question, target))
        except SessionRefused as error:
            raise SessionRefused(error.reason, judge(error.reports)) from error

    def _access(self, device: Device, source: str) -> Access:
        """The access of the device as it is now, with the login that is used."""
        fleet = self.tracker.fleet()
        return logins.resolved(device, source, fleet.devices, fleet.credentials)

    async def _reports_before_proof(
        self, source: Source, entry: QueueEntry, device: Device, access: Access
    ) -> Sequence[Report] | None:
        """Ask without the password, unless a proof is remembered. None when the device has proved
        itself at this host; else the reports, of nothing or of another device. Raises as `_reports`
        does."""
        at_host = self.tracker.at_address(entry.host, device.site)
        disputed = self.tracker.disputed()
        proof = proof_of(entry, device, at_host, disputed, _now())
        if self._proofs.is_valid(proof) or self._is_lent_by_proved(entry, device, at_host):
            return None
        plain = access_without_secrets(access)
        target = self._target(source, entry, device, plain, Allowance(may_login=False))
        target = with_place_key(target, source.name, access)
        try:
            reports = await self._probes.run(source, entry.question, target)
        except SessionRefused as error:
            reports = error.reports
            if not has_proof(device, reports, self.tracker.known, disputed):
                raise UnprovenRefusal(error.reason) from error
        is_seen = any(isinstance(report, Sighting) for report in reports)
        if not is_seen or self._is_other_device(device, reports):
            return reports
        if not has_proof(device, reports, self.tracker.known, disputed):
            raise Unproven
        self._proofs.keep(proof)
        return None

    def _is_lent_by_proved(
        self, entry: QueueEntry, device: Device, at_host: Sequence[Device]
    ) -> bool:
        """True for a channel with the login of its recorder, which has proved itself at this
        host."""
        devices = self.tracker.devices()
        owner = devices.get(session_owner(device, entry.source, devices))
        if owner is None or owner.id == device.id:
            return False
        if logins.has_own_login(device.access.get(entry.source, Access())):
            return False
        disputed, now = self.tracker.disputed(), _now()
        return any(
            known.host == entry.host
            and self._proofs.is_valid(proof_of(known, owner, at_host, disputed, now))
            for known in entries_of(self.queue, owner.id)
        )

    def _target(
        self,
        source: Source,
        entry: QueueEntry,
        device: Device,
        access: Access,
        allowance: Allowance,
    ) -> Target:
        """The target of a question, with its secrets unsealed if a login is allowed. Raises
        SecretLost."""
        if not allowance.may_login:
            access = access_without_secrets(access)
        secrets = {name: self.unseal(id) for name, id in access.secret_options.items()}
        return Target(
            device.site,
            access_key(source.name, replace(access, host=entry.host)) or "",
            entry.host,
            access.port,
            access.path,
            access.username,
            self.unseal(access.secret) if access.secret else None,
            access.tls_pin,
            access.method,
            {**access.options, **secrets},
            allowance.refusals,
            allowance.attempts_left,
            access.worked_at,
            access.clock,
            may_login=allowance.may_login,
        )

    def _alive(self, device: Device, source: str, at: datetime) -> Sighting:
        """A proof that the device is where it is known to be, and nothing else."""
        keys = device.identities[:1]
        return Sighting(
            device.site,
            keys,
            source,
            at,
            device.kind,
            device.address,
            only_alive=True,
            device=device.id,
        )

    # -- results -------------------------------------------------------------------------

    def _answered(
        self,
        entry: QueueEntry,
        device: Device,
        started: datetime,
        reports: Sequence[Report],
        reason: str = "",
    ) -> ProbeResult:
        every = (self._report_of(entry, device, started, report) for report in reports)
        own = tuple(report for report in every if not _is_cleared_already(device, report))
        kept = tuple(of_channel(device, entry.source, own))
        if self._is_other_device(device, kept):
            # Its name is for those who see it; a reason is for all who see this device.
            missed = self._miss(entry, device, started, "another device responds at this address")
            # It may answer elsewhere at this moment, which counts more.
            missed = replace(missed, at=started)
            kept = tuple(report for report in kept if not _is_about(device, report))
            return ProbeResult(*entry.question, MISSED, missed.reason, (*kept, missed))
        if not any(isinstance(report, Sighting) for report in kept):
            misses = [report for report in kept if isinstance(report, Miss)]
            if not misses:
                misses = [self._miss(entry, device, started, "its response does not identify it")]
                kept += tuple(misses)
            return ProbeResult(*entry.question, MISSED, misses[0].reason, kept)
        channels = self.tracker.channels_of(device.id)
        kept += tuple(unreported(channels, kept, entry.source, started))
        cleared = self._cleared(entry, device, ERROR, PASSWORD)
        return ProbeResult(*entry.question, ANSWERED, reason, (*kept, *cleared))

    def _refused(
        self,
        entry: QueueEntry,
        device: Device,
        started: datetime,
        owner: int,
        error: SessionRefused,
    ) -> ProbeResult:
        """The result of a refused session, which proves the device that refused it: of a channel,
        the recorder refuses, so the channel was not asked."""
        if owner in (0, device.id) or error.reports:
            proof = error.reports or (self._alive(device, entry.source, started),)
            return self._answered(entry, device, started, proof, error.reason)
        reason = f"the recorder has no free session ({error.reason})"
        return ProbeResult(*entry.question, NOT_ASKED, reason)

    def _cleared(self, entry: QueueEntry, device: Device, *kinds: str) -> list[Finding]:
        """The findings of these kinds that the device has no longer."""
        return [
            Finding(_key(device), fault.kind, self.clock(), fault.text, entry.source, cleared=True)
            for fault in device.findings
            if fault.kind in kinds and fault.source == entry.source
        ]

    def _report_of(
        self, entry: QueueEntry, device: Device, started: datetime, report: Report
    ) -> Report:
        """The report for the tracker, with the time and the device of the question. The place that
        was asked proves nothing beside a key of the device that answers there."""
        place = access_key(entry.source, replace(entry.access, host=entry.host))
        if isinstance(report, Miss | Finding) and report.identity == place:
            # A device that is asked at its own address is not known by that place.
            report = replace(report, identity=_key(device))
        if isinstance(report, Miss):
            return replace(report, asked=started)
        if not isinstance(report, Sighting):
            return report
        is_there = place in report.identities or report.address in (None, entry.host)
        keys = report.identities
        if not claims.is_at_place_only(identity.proved(report, self.tracker.disputed())):
            keys = tuple(key for key in keys if key != place)
        learned = report.learned
        if learned is not None:
            learned = replace(learned, access=device.access.get(entry.source))
        proved = device.id if is_there else None
        return replace(report, identities=keys, asked=started, device=proved, learned=learned)

    def _is_other_device(self, device: Device, reports: Iterable[Report]) -> bool:
        """True if another device was proved instead of the one that was asked."""
        is_proved = False
        for sighting in reports:
            if not isinstance(sighting, Sighting) or is_of_channel(sighting):
                continue
            keys = identity.proved(sighting, self.tracker.disputed())
            owners = [self.tracker.known(key, sighting.site) for key in keys]
            ids = {owner.id for owner in owners if owner}
            if device.id in ids or not (ids or identity.is_another(device, sighting)):
                return False
            is_proved = True
        return is_proved

    def _missed(
        self, entry: QueueEntry, device: Device, started: datetime, reason: str
    ) -> ProbeResult:
        miss, cleared = self._miss(entry, device, started, reason), self._cleared
        channels = self.tracker.channels_of(device.id)
        behind = missed_along(channels, entry.source, miss)
        return ProbeResult(
            *entry.question, MISSED, reason, (miss, *behind, *cleared(entry, device, PASSWORD))
        )

    def _miss(self, entry: QueueEntry, device: Device, started: datetime, reason: str) -> Miss:
        return Miss(_key(device), entry.source, self.clock(), reason, device.site, started)

    def _not_asked(self, entry: QueueEntry, scope: str, reason: str) -> ProbeResult:
        down = self._scopes.down(scope, reason, entry.question, self.clock())
        return ProbeResult(*entry.question, NOT_ASKED, reason, tuple(down))

    def _unproven(self, entry: QueueEntry, device: Device) -> str:
        saved = entry.access.secret_host or "another address"
        return (
            f"the password was saved for {saved}, and the device at {entry.host} cannot be "
            "identified; enter the password again"
        )

    def _without_password(self, source: Source, entry: QueueEntry, reason: str) -> ProbeResult:
        """The result for a device whose password cannot be read, or not be sent."""
        text = f"{source.title}: {reason}"
        finding = Finding(f"id:{entry.question[0]}", PASSWORD, self.clock(), text, source.name)
        return ProbeResult(*entry.question, NOT_ASKED, text, (finding,))

    def _failed(
        self, source: Source, entry: QueueEntry, device: Device, error: Exception
    ) -> ProbeResult:
        """The result after an error in the program, which is logged once."""
        kind = name_of(error)
        if (source.name, kind) not in self._logged:
            self._logged.add((source.name, kind))
            log.exception("%s: internal error while checking a device", source.title)
        reason = f"{source.title}: internal error ({kind}); see the log"
        finding = Finding(_key(device), ERROR, self.clock(), reason, source.name)
        return ProbeResult(*entry.question, FAILED, reason, (finding,))

    def _finish(self, entry: QueueEntry, answer: ProbeResult, again: float | None) -> None:
        """Hand over the result of a question, and begin those that waited for it."""
        self._sync()
        is_current, now = self.queue.is_current(entry), self.clock()
        was_up = entry.was_up
        answered = {ANSWERED: True, MISSED: False}.get(answer.state)
        is_first_miss = self.queue.ended(entry, _now(), answered, again)
        if answered is False:
            self._proofs.forget(entry.question)
        if is_current:
            self._count(entry.source, answered, now)
            reports = answer.reports
            if answered:
                reports += tuple(self._scopes.answered(entry.question, reports, now))
            self.deliver(reports)
            if is_first_miss:
                self._ask_parents(entry.question[0])
                if question := next_channel(self.queue, self.tracker, entry.question[0]):
                    self.queue.make_due(question, _now())
            elif answered and not was_up:
                self._ask_channels(entry.question[0])
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
        devices, now = self.tracker.devices(), _now()
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
                self.queue.make_due(question, _now())

    def _resolve(self, question: Question, answer: ProbeResult) -> None:
        for future in list(self._awaited.get(question, ())):
            if not future.done():
                future.set_result(answer)


def _key(device: Device) -> str:
    """The key of the record itself, whatever its identities become."""
    return f"id:{device.id}"


def _is_about(device: Device, report: Report) -> bool:
    """True for a finding about the record itself."""
    return isinstance(report, Finding) and report.identity == _key(device)


def _is_cleared_already(device: Device, report: Report) -> bool:
    """True for the end of a finding that the device does not have: sources report all that an
    answer disproves."""
    if not (isinstance(report, Finding) and report.cleared and _is_about(device, report)):
        return False
    return (report.source, report.kind) not in {(f.source, f.kind) for f in device.findings}


def _now() -> float:
    return asyncio.get_running_loop().time()
