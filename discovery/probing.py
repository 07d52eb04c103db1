"""Asking one device at a time: every device with access to a source that probes, when it is due.

Runs in the Scanner's loop. A miss, a deadline and an error are those of one device; a scope that
cannot be asked is told once and calls nobody missing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from discovery.down_scopes import DownScopes
from discovery.due_queue import NOW, DueQueue, Entry, Question
from discovery.probe_tasks import AbnormalExit, ProbeTasks
from discovery.secret_hosts import Unproven, has_proof, is_bound, neutral_key, plain
from discovery.sessions import Sessions, session_owner
from fleet import identity
from fleet.access import place_key
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
from fleet.reduce import claims
from sources import net
from sources.source import SessionRefused, Source
from store.vault import SecretLost

log = logging.getLogger(__name__)
LOOK_EVERY = 0.25
"""Seconds until a change of the fleet is noticed."""
PARENT_AGAIN = 5.0
"""Seconds until a parent is asked once more because a child missed."""
SESSION_AGAIN = 5.0
"""Seconds until a device is asked again whose sessions were all in use."""
ERROR = "source.error"
"""The kind of the finding about a device that meets an error in the program."""
PASSWORD = "access.password"  # nosec B105 (a kind of finding)
"""The kind of the finding about a device whose stored password cannot be read, or may not be
sent to its new address."""

ANSWERED, MISSED, NOT_ASKED, FAILED = "answered", "missed", "not asked", "failed"
"""What came of a question. Failed: it met an error in the program."""


class Fleet(Protocol):
    """What the Prober needs of the Tracker."""

    def devices(self) -> Mapping[int, Device]: ...

    def known(self, key: str, site: str) -> Device | None: ...

    def down(self) -> Mapping[str, Any]: ...

    def disputed(self) -> Mapping[str, datetime]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What one source learned about one device when it was asked. `reason` says why it is not
    answered; `reports` is what the tracker got."""

    device: int
    source: str
    state: str
    reason: str = ""
    reports: tuple[Report, ...] = ()


class Prober:
    """Puts the questions of the due queue, and those that somebody waits for.

    `deliver` takes the reports; `unseal` turns the id of a secret into its text when a question
    begins and raises SecretLost. `heard` is called with the name of a source that got an answer,
    and the time.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        tracker: Fleet,
        clock: Callable[[], datetime],
        deliver: Callable[[Iterable[Report]], None],
        unseal: Callable[[str], str],
        sessions: Sessions,
        heard: Callable[[str, datetime], None] = lambda source, at: None,
    ) -> None:
        self.queue = DueQueue(sources)
        self.tracker = tracker
        self.clock = clock
        self.deliver = deliver
        self.unseal = unseal
        self.sessions = sessions
        self.heard = heard
        self.counts: dict[str, list[int]] = {}
        """How many were asked and how many answered since somebody cleared it, by source."""
        self._scopes = DownScopes()
        self._probes = ProbeTasks()
        self._proved: dict[Question, str] = {}
        self._awaited: dict[Question, list[asyncio.Future[Answer]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged: set[tuple[str, str]] = set()
        self._is_standing = False
        self._is_closed = False

    # -- asking --------------------------------------------------------------------------

    async def stand(self) -> None:
        """Ask every device when it is due, for as long as the monitor runs."""
        if not self.queue.sources:
            return
        self._is_standing = True
        for name in self.queue.sources:
            self._scopes.remember(self.tracker.down(), name)
        while True:
            self._pump()
            due = self.queue.next_at()
            wait = LOOK_EVERY if due is None else min(LOOK_EVERY, max(0.01, due - _now()))
            await asyncio.sleep(wait)

    def ask(
        self, questions: Iterable[Question], urgency: int = NOW
    ) -> list[asyncio.Future[Answer]]:
        """Ask these now; one that is under way is joined. Those that nobody can ask are left
        out, and all of them when the monitor is ending. A future that is cancelled withdraws its
        question if that has not begun."""
        if self._is_closed:
            return []
        self._look()
        futures = []
        for question in questions:
            if self.queue.hurry(question, _now(), urgency):
                future = asyncio.get_running_loop().create_future()
                future.add_done_callback(partial(self._left, question))
                self._awaited.setdefault(question, []).append(future)
                futures.append(future)
        self._pump()
        return futures

    def questions_of(self, device: int) -> list[Question]:
        """By which sources a device is probed."""
        self._look()
        return list(self.queue.questions_of(device))

    def questions(self, source: str) -> list[Question]:
        """Which devices a source probes."""
        self._look()
        return self.queue.questions(source)

    async def close(self) -> None:
        """End the questions that are under way. They say nothing about their devices."""
        self._is_standing, self._is_closed = False, True
        for futures in list(self._awaited.values()):
            for future in list(futures):
                future.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._probes.close()

    def _left(self, question: Question, future: asyncio.Future[Answer]) -> None:
        """Somebody waits no longer."""
        waiting = self._awaited.get(question, [])
        with suppress(ValueError):
            waiting.remove(future)
        if not waiting:
            self._awaited.pop(question, None)
            if future.cancelled():
                self.queue.withdraw(question, _now())

    def _look(self) -> None:
        """Take in what changed in the fleet."""
        for question in self.queue.update(self.tracker.devices(), _now()):
            self._proved.pop(question, None)
            self.deliver(self._scopes.forget(question, self.clock()))
            self._tell(question, Answer(*question, NOT_ASKED, "it is not asked any more"))

    def _pump(self) -> None:
        """Begin what can begin."""
        if self._is_closed:
            return
        self._look()
        if self._is_standing:
            self.queue.wake(_now())
        for entry in self.queue.begin(_now()):
            task = asyncio.get_running_loop().create_task(self._question(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # -- one question --------------------------------------------------------------------

    async def _question(self, entry: Entry) -> None:
        answer, again = Answer(*entry.question, NOT_ASKED, "the monitor is ending"), None
        try:
            device = self.tracker.devices().get(entry.question[0])
            if device is not None:
                answer, again = await self._within_sessions(entry, device)
        finally:
            self._end(entry, answer, again)

    async def _within_sessions(self, entry: Entry, device: Device) -> tuple[Answer, float | None]:
        """Ask, unless a reader proves the device already, or all its sessions are in use."""
        source, started = self.queue.sources[entry.source], self.clock()
        if not source.takes_session:
            return await self._put(source, entry, device, started), None
        owner = session_owner(device, source.name, self.tracker.devices())
        if self.sessions.is_read(owner):
            proof = self._alive(device, source.name, started)
            return Answer(*entry.question, ANSWERED, "its stream is read", (proof,)), None
        if not self.sessions.reserve(owner, f"{source.name}:{device.id}"):
            reason = f"all {self.sessions.budget(owner)} sessions of the device are in use"
            return Answer(*entry.question, NOT_ASKED, reason), SESSION_AGAIN
        try:
            return await self._put(source, entry, device, started, owner), None
        finally:
            self.sessions.release(owner, f"{source.name}:{device.id}")

    async def _put(
        self, source: Source, entry: Entry, device: Device, started: datetime, owner: int = 0
    ) -> Answer:
        """One probe under its deadline, whatever it raises."""
        try:
            reports = await self._asked(source, entry, device)
            return self._answered(entry, device, started, reports)
        except SessionRefused as error:
            self.sessions.refused(owner or device.id)
            proof = error.reports or (self._alive(device, source.name, started),)
            return self._answered(entry, device, started, proof, error.reason)
        except CannotAsk as error:
            return self._not_asked(entry, error.scope, error.reason)
        except SecretLost:
            reason = "the stored password cannot be read. Enter it again"
            return self._without_password(source, entry, reason)
        except Unproven:
            return self._without_password(source, entry, self._unproven(entry, device))
        except NoAnswer as error:
            return self._missed(entry, device, started, str(error))
        except TimeoutError:
            reason = f"no answer within {source.timeout:g} s"
            return self._missed(entry, device, started, reason)
        except OSError as error:
            if net.cannot_ask(error):
                return self._not_asked(entry, source.name, net.reason_of(error))
            return self._missed(entry, device, started, net.reason_of(error))
        except Exception as error:  # noqa: BLE001  the table in tests/test_layout.py has it
            return self._failed(source, entry, device, error)

    async def _asked(self, source: Source, entry: Entry, device: Device) -> Sequence[Report]:
        """What the probe reports. Where its password may not be sent yet, it is asked without it
        first. Raises Unproven, SecretLost and whatever ProbeTasks.run does."""
        access, question = device.access.get(source.name, Access()), entry.question
        if not is_bound(access, entry.host) and self._proved.get(question) != entry.host:
            target = self._target(source, entry, device, plain(access))
            target = neutral_key(target, source.name, access)
            reports = await self._probes.run(source, question, target)
            is_seen = any(isinstance(report, Sighting) for report in reports)
            if not is_seen or self._someone_else(device, reports):
                return reports
            if not has_proof(device, reports, self.tracker.known):
                raise Unproven
            self._proved[question] = entry.host
        target = self._target(source, entry, device, access)
        return await self._probes.run(source, question, target)

    def _target(self, source: Source, entry: Entry, device: Device, access: Access) -> Target:
        """Whom to ask, with its secrets unsealed. Raises SecretLost."""
        secrets = {name: self.unseal(id) for name, id in access.secret_options.items()}
        return Target(
            device.site,
            place_key(source.name, replace(access, host=entry.host)) or "",
            entry.host,
            access.port,
            access.path,
            access.username,
            self.unseal(access.secret) if access.secret else None,
            access.tls_pin,
            access.method,
            {**access.options, **secrets},
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

    # -- what came of it -----------------------------------------------------------------

    def _answered(
        self,
        entry: Entry,
        device: Device,
        started: datetime,
        reports: Sequence[Report],
        reason: str = "",
    ) -> Answer:
        kept = tuple(self._report_of(entry, device, started, report) for report in reports)
        if other := self._someone_else(device, kept):
            missed = self._miss(entry, device, started, f"another device answers there: {other}")
            # It may answer elsewhere at this moment, which counts more.
            missed = replace(missed, at=started)
            return Answer(*entry.question, MISSED, missed.reason, (*kept, missed))
        if not any(isinstance(report, Sighting) for report in kept):
            misses = [report for report in kept if isinstance(report, Miss)]
            if not misses:
                misses = [self._miss(entry, device, started, "its answer proves nothing")]
                kept += tuple(misses)
            return Answer(*entry.question, MISSED, misses[0].reason, kept)
        cleared = self._cleared(entry, device, ERROR, PASSWORD)
        return Answer(*entry.question, ANSWERED, reason, (*kept, *cleared))

    def _cleared(self, entry: Entry, device: Device, *kinds: str) -> list[Finding]:
        """The findings of these kinds that the device has no longer."""
        return [
            Finding(_key(device), fault.kind, self.clock(), fault.text, entry.source, cleared=True)
            for fault in device.findings
            if fault.kind in kinds and fault.source == entry.source
        ]

    def _report_of(self, entry: Entry, device: Device, started: datetime, report: Report) -> Report:
        """A report as the tracker gets it: with when and of whom it was asked. The place that was
        asked proves nothing beside a key of the device that answers there."""
        if isinstance(report, Miss):
            return replace(report, asked=started)
        if not isinstance(report, Sighting):
            return report
        place = place_key(entry.source, replace(entry.access, host=entry.host))
        is_there = place in report.identities or report.address in (None, entry.host)
        keys = report.identities
        if not claims.is_at_place_only(identity.proved(report, self.tracker.disputed())):
            keys = tuple(key for key in keys if key != place)
        learned = report.learned
        if learned is not None:
            learned = replace(learned, access=device.access.get(entry.source))
        asked = device.id if is_there else None
        return replace(report, identities=keys, asked=started, device=asked, learned=learned)

    def _someone_else(self, device: Device, reports: Iterable[Report]) -> str:
        """The name of the known device that was proved instead of the one that was asked."""
        others = []
        for sighting in reports:
            if not isinstance(sighting, Sighting):
                continue
            keys = identity.proved(sighting, self.tracker.disputed())
            owners = [self.tracker.known(key, sighting.site) for key in keys]
            other = next((owner for owner in owners if owner and owner.id != device.id), None)
            if device.id in (owner.id for owner in owners if owner):
                return ""
            if other is not None:
                others.append(other.name or other.identities[0])
            elif identity.is_another(device, sighting):
                others.append(keys[0])
            else:
                return ""
        return others[0] if others else ""

    def _missed(self, entry: Entry, device: Device, started: datetime, reason: str) -> Answer:
        miss, cleared = self._miss(entry, device, started, reason), self._cleared
        return Answer(*entry.question, MISSED, reason, (miss, *cleared(entry, device, PASSWORD)))

    def _miss(self, entry: Entry, device: Device, started: datetime, reason: str) -> Miss:
        return Miss(_key(device), entry.source, self.clock(), reason, device.site, started)

    def _not_asked(self, entry: Entry, scope: str, reason: str) -> Answer:
        down = self._scopes.down(scope, reason, entry.question, self.clock())
        return Answer(*entry.question, NOT_ASKED, reason, tuple(down))

    def _unproven(self, entry: Entry, device: Device) -> str:
        saved = device.access[entry.source].secret_host or "another address"
        return (
            f"the password was saved for {saved}, and nothing proves that {entry.host} is this "
            "device. Enter it again"
        )

    def _without_password(self, source: Source, entry: Entry, reason: str) -> Answer:
        """Its password cannot be read, or not be sent, so it alone is not asked."""
        text = f"{source.title}: {reason}"
        finding = Finding(f"id:{entry.question[0]}", PASSWORD, self.clock(), text, source.name)
        return Answer(*entry.question, NOT_ASKED, text, (finding,))

    def _failed(self, source: Source, entry: Entry, device: Device, error: Exception) -> Answer:
        """An error in the program, logged once. It says nothing about the device but this."""
        kind = str(error) if isinstance(error, AbnormalExit) else type(error).__name__
        if (source.name, kind) not in self._logged:
            self._logged.add((source.name, kind))
            log.exception("%s: an error in the program while asking a device", source.title)
        reason = f"{source.title}: an error in the program ({kind}); the log has the details"
        finding = Finding(_key(device), ERROR, self.clock(), reason, source.name)
        return Answer(*entry.question, FAILED, reason, (finding,))

    def _end(self, entry: Entry, answer: Answer, again: float | None) -> None:
        """Hand over what came of a question, and begin what waited for it."""
        self._look()
        is_current, now = self.queue.is_current(entry), self.clock()
        answered = {ANSWERED: True, MISSED: False}.get(answer.state)
        is_first_miss = self.queue.ended(entry, _now(), answered, again)
        if is_current:
            self._note(entry.source, answered, now)
            reports = answer.reports
            if answered:
                reports += tuple(self._scopes.answered(entry.question, reports, now))
            self.deliver(reports)
            if is_first_miss:
                self._ask_parents(entry.question[0])
        # What was asked in another way than the device has now says nothing: it is asked again.
        if is_current or self.queue.entry(entry.question) is None:
            self._tell(entry.question, answer)
        if self._is_standing or self._awaited:
            self._pump()

    def _note(self, source: str, answered: bool | None, now: datetime) -> None:
        if answered is None:
            return
        count = self.counts.setdefault(source, [0, 0])
        count[0] += 1
        if answered:
            count[1] += 1
            self.heard(source, now)

    def _ask_parents(self, device: int) -> None:
        """A device that was up missed: perhaps what it is connected through is down. Once,
        however many of its children miss."""
        devices, now = self.tracker.devices(), _now()
        child = devices.get(device)
        for parent in child.parents if child else ():
            for question in self.queue.questions_of(parent):
                entry = self.queue.entry(question)
                if entry is not None and now - entry.began >= PARENT_AGAIN:
                    self.queue.hurry(question, now)

    def _tell(self, question: Question, answer: Answer) -> None:
        for future in list(self._awaited.get(question, ())):
            if not future.done():
                future.set_result(answer)


def _key(device: Device) -> str:
    """The record itself, whatever its identities are by then."""
    return f"id:{device.id}"


def _now() -> float:
    return asyncio.get_running_loop().time()
