"""One probe of a device, with its password only where that may be sent and costs no lockout.

Not where another device may be (discovery/secret_hosts.py), and not beyond the refused logins that
a device may cost (discovery/logins.py). What it answers is handed on without its password.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from discovery import verdicts
from discovery.channel_questions import entries_of
from discovery.device_tracker import DeviceTracker
from discovery.due_queue import DueQueue, Question, QueueEntry
from discovery.hidden_passwords import HiddenErrors, hidden_reports
from discovery.login_attempts import LoginAttempts
from discovery.login_turns import is_known_to_work
from discovery.logins import Allowance, LoginGate
from discovery.loop_time import loop_time
from discovery.probe_results import is_other_device
from discovery.probe_tasks import ProbeTasks
from discovery.proving import Proving
from discovery.refused_logins import RefusedLogins
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
from discovery.verdicts import Verdict
from fleet import logins, status
from fleet.channels import SOURCE, STREAM, server_of, stream_access
from fleet.last_worked import worked_at
from fleet.model import Access, Device, Report, Sighting, Target, send_freely
from fleet.places import access_key, session_owner
from fleet.reduce.learning import is_same_but_learned
from sources.identify import Identification
from sources.source import SessionRefused, Source
from store.secret_texts import SecretTexts
from store.vault import SecretLost


class GuardedProbes:
    """Probes devices of the queue. `deliver`, `keep` and `unseal` are as in Prober."""

    def __init__(
        self,
        queue: DueQueue,
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        deliver: Callable[[Iterable[Report]], None],
        keep: Callable[[Iterable[Report]], Awaitable[None]],
        unseal: Callable[[str], str],
        identification: Identification,
        refused: RefusedLogins,
    ) -> None:
        self._queue = queue
        self._tracker = tracker
        self._clock = clock
        self._deliver = deliver
        self._keep = keep
        self._unseal = unseal
        self._probes = ProbeTasks()
        self._answered = set[Question]()
        """What was answered with its login while its device was asked without a break."""
        self._proofs = Proofs()
        self._refused = refused
        self.gate = LoginGate(tracker, unseal, refused)
        self.proving = Proving(tracker, identification)

    def missed(self, entry: QueueEntry) -> None:
        """Forget what a device proved that misses now."""
        self._proofs.forget(entry.question)
        self.proving.missed(entry.host)

    def forget(self, question: Question) -> None:
        """Forget a device that is not asked any more."""
        self._answered.discard(question)
        self._proofs.forget(question)
        self.gate.forget(question)

    async def close(self) -> None:
        """Cancel what runs, and wait a moment for it."""
        await self._probes.close()
        await self.proving.close()
        await asyncio.to_thread(self._refused.close)

    async def reports(self, source: Source, entry: QueueEntry, device: Device) -> Sequence[Report]:
        """The reports of the probe. Who is there is asked before a password is sent. Raises
        OtherDevice, Unproven, UnprovenRefusal, SecretLost and whatever ProbeTasks.run does."""
        access = self._access(device, source.name)
        verdict = await self.proving.verdict(entry, device, access)
        if verdict is Verdict.STRANGER:
            reports = await self._reports_without_login(source, entry, device, access)
            return self._judged(source, device, reports, verdicts.STRANGER)
        # Cameras of one model can have the same certificate, so at another host it is no proof.
        needs_proof = verdicts.needs_proof(access)
        is_shown = needs_proof and verdict in (Verdict.PROVED, Verdict.CLAIMED)
        if not is_shown and not may_send_secrets(access, entry.host):
            reports_before = await self._reports_before_proof(source, entry, device, access)
            if reports_before is not None:
                return reports_before
            verdict = Verdict.CLAIMED if needs_proof else Verdict.PROVED
        async with self.gate.turn(device, access):
            device, access = self._newest(device, source, access)
            return await self._reports(source, entry, device, access, verdict)

    def _newest(self, device: Device, source: Source, access: Access) -> tuple[Device, Access]:
        """The device and its access with what was learned while the question waited for its turn;
        those that were judged where a person changed more."""
        newest = self._tracker.devices().get(device.id)
        if newest is None or source.name not in newest.access:
            return device, access
        learned = self._access(newest, source.name)
        return (newest, learned) if is_same_but_learned(access, learned) else (device, access)

    async def _reports(
        self,
        source: Source,
        entry: QueueEntry,
        device: Device,
        access: Access,
        verdict: Verdict,
    ) -> Sequence[Report]:
        """The reports of the probe with the login, within its budget."""
        allowance = self.gate.allowance(device, source.name, access)
        target = self._target(source, entry, device, access, allowance)
        may_use_basic = not target.digest_only and self._may_use_basic(
            source, entry, device, access, verdict
        )
        attempts = LoginAttempts(device, source.name, self.gate.refusals(device, source.name))
        is_safe = not allowance.refusals and is_known_to_work(access)
        before_login = send_freely if is_safe else partial(attempts.spend, self._keep)
        target = replace(target, digest_only=not may_use_basic, before_login=before_login)
        if is_safe:
            # Its refusals are nowhere yet; those of others were written before they were sent.
            note = partial(self.gate.note_running, device, source.name, access)
            target = replace(target, after_refusal=note)
        judge = partial(self.gate.judged, device, source.name, access, allowance, self._clock())
        try:
            reports = judge(await self._probe(source, entry, access, target))
            reports = _with_last_time(reports, target)
            if self._queue.is_current(entry):
                self._answered.add(entry.question)
            attempts.judge(reports)
        except SessionRefused as error:
            reports = _with_last_time(judge(error.reports), target)
            attempts.judge(reports)
            raise SessionRefused(error.reason, reports) from error
        finally:
            if attempts.sent:
                self.gate.settle(device, source.name, attempts.after)
            self._deliver(attempts.settled())
        known, disputed = self._tracker.known, self._tracker.disputed()
        is_shown = verdict in (Verdict.PROVED, Verdict.CLAIMED)
        if is_shown or has_proof(device, reports, known, disputed):
            return self._judged(source, device, reports, "")
        if await self.proving.is_provable_now(entry.host, self._subject(device, source), reports):
            return self._judged(source, device, reports, "")
        if not self._is_first_to_say(source, device):
            return self._judged(source, device, reports, "")
        is_basic_used = may_use_basic and "basic" in {access.method, *_methods(reports)}
        text = verdicts.BASIC if is_basic_used else verdicts.DIGEST_ONLY
        return self._judged(source, device, reports, text)

    def _is_first_to_say(self, source: Source, device: Device) -> bool:
        """True if this source reports that the device is unproven: the first by name that sends a
        password and is not missed. So it is one finding, and RTSP waits for what ONVIF proves."""
        names = sorted(
            name
            for name in device.access
            if name in self._queue.sources
            and verdicts.needs_proof(self._access(device, name))
            and not (name in device.states and status.is_missed(device.states[name]))
        )
        return names[:1] in ([], [source.name])

    def _may_use_basic(
        self, source: Source, entry: QueueEntry, device: Device, access: Access, verdict: Verdict
    ) -> bool:
        """True if the device may get the password in a form that reveals it."""
        if self._is_of_set(device, source.name):
            # Whoever may choose a set could read its password at an address of their own.
            return False
        # An answer that is not on record yet has proved that what was spent for it was not refused.
        spent = self.gate.refusals(device, source.name)
        return verdict is Verdict.PROVED or verdicts.may_use_basic(
            replace(access, refusals=spent),
            source.name,
            self._subject(device, source),
            entry.host,
            is_claimed=verdict is Verdict.CLAIMED,
        )

    async def _reports_without_login(
        self, source: Source, entry: QueueEntry, device: Device, access: Access
    ) -> Sequence[Report]:
        plain = access_without_secrets(access)
        target = self._target(source, entry, device, plain, Allowance(may_login=False))
        return await self._probe(source, entry, access, target)

    async def _probe(
        self, source: Source, entry: QueueEntry, access: Access, target: Target
    ) -> Sequence[Report]:
        """The reports of one probe without the passwords of the access, which a device may repeat
        also when it was asked without them. Raises whatever ProbeTasks.run does."""
        texts = self._secret_texts(access)
        try:
            with HiddenErrors(texts, target.key):
                reports = await self._probes.run(source, entry.question, target)
        finally:
            self.gate.end_running(entry.question)
        return hidden_reports(reports, texts, target.key)

    def _secret_texts(self, access: Access) -> SecretTexts:
        passwords = list[str]()
        for id in filter(None, (access.secret, *access.secret_options.values())):
            with suppress(SecretLost):
                passwords.append(self._unseal(id))
        return SecretTexts.of(passwords, access.username)

    def _judged(
        self, source: Source, device: Device, reports: Sequence[Report], text: str
    ) -> Sequence[Report]:
        """The reports with the finding about the identity, which of a channel its recorder has."""
        is_own = self._subject(device, source).id == device.id
        findings = verdicts.findings(
            device, source.name, reports, text if is_own else "", self._clock()
        )
        return [*reports, *findings]

    def _subject(self, device: Device, source: Source) -> Device:
        return verdicts.subject_of(device, source.name, self._tracker.devices())

    def _access(self, device: Device, source: str) -> Access:
        """The access of the device as it is now, with the login that is used."""
        fleet = self._tracker.fleet()
        return logins.resolved(device, source, fleet.devices, fleet.credentials)

    def _is_of_set(self, device: Device, source: str) -> bool:
        fleet = self._tracker.fleet()
        return logins.is_of_set(device, source, fleet.devices, fleet.credentials)

    async def _reports_before_proof(
        self, source: Source, entry: QueueEntry, device: Device, access: Access
    ) -> Sequence[Report] | None:
        """Ask without the password, unless a proof is remembered. None when the device has proved
        itself at this host; else the reports, of nothing or of another device. Raises as `reports`
        does."""
        at_host = self._tracker.at_address(entry.host, device.site)
        disputed = self._tracker.disputed()
        proof = proof_of(entry, device, at_host, disputed, loop_time())
        if self._proofs.is_valid(proof) or self._is_lent_by_proved(entry, device, at_host):
            return None
        plain = access_without_secrets(access)
        target = self._target(source, entry, device, plain, Allowance(may_login=False))
        target = with_place_key(target, source.name, access)
        try:
            reports = await self._probe(source, entry, access, target)
        except SessionRefused as error:
            reports = error.reports
            if not has_proof(device, reports, self._tracker.known, disputed):
                raise UnprovenRefusal(error.reason) from error
        is_seen = any(isinstance(report, Sighting) for report in reports)
        if not is_seen or is_other_device(self._tracker, device, reports):
            return reports
        if not has_proof(device, reports, self._tracker.known, disputed):
            raise Unproven
        self._proofs.keep(proof)
        return None

    def _is_lent_by_proved(
        self, entry: QueueEntry, device: Device, at_host: Sequence[Device]
    ) -> bool:
        """True for a channel with the login of its recorder, which has proved itself at this
        host."""
        devices = self._tracker.devices()
        owner = devices.get(session_owner(device, entry.source, devices))
        if owner is None or owner.id == device.id:
            return False
        if logins.has_own_login(device.access.get(entry.source, Access())):
            return False
        disputed, now = self._tracker.disputed(), loop_time()
        return any(
            known.host == entry.host
            and self._proofs.is_valid(proof_of(known, owner, at_host, disputed, now))
            for known in entries_of(self._queue, owner.id)
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
        asked = with_told_stream(source.name, device, access)
        behind = self._tracker.channels_of(device.id)
        secrets = {name: self._unseal(id) for name, id in access.secret_options.items()}
        return Target(
            device.site,
            access_key(source.name, replace(access, host=entry.host)) or "",
            entry.host,
            asked.port,
            asked.path,
            access.username,
            self._unseal(access.secret) if access.secret else None,
            access.tls_pin,
            access.method,
            {**asked.options, **secrets},
            allowance.refusals,
            allowance.attempts_left,
            worked_at(device, source.name),
            access.clock,
            access.transport,
            digest_only=asked.digest_only,
            may_login=allowance.may_login,
            works_elsewhere=allowance.works_elsewhere,
            channels=sum(source.name in channel.states for channel in behind),
            has_stream_path=all(
                each.access.get(SOURCE, Access()).path for each in behind or [device]
            ),
            is_new=entry.question not in self._answered,
            wants_all=entry.is_by_hand,
        )


def with_told_stream(source: str, device: Device, access: Access) -> Access:
    """The access with the stream that ONVIF told, where it has no path of its own. TLS is never
    given up, and at a port that no person entered, the login is used with Digest only."""
    stream = stream_access(device.links.get(STREAM))
    if source != SOURCE or access.path or stream is None:
        return access
    is_usual = server_of(access) == server_of(replace(access, port=None))
    if not is_usual or (server_of(access)[1] and not server_of(stream)[1]):
        return replace(access, path=stream.path)
    return replace(
        access,
        port=stream.port or access.port,
        path=stream.path,
        options={**access.options, **stream.options},
        digest_only=access.digest_only or server_of(access) != server_of(stream),
    )


def _methods(reports: Sequence[Report]) -> set[str]:
    """The login methods that were accepted."""
    return {
        report.learned.method
        for report in reports
        if isinstance(report, Sighting) and report.learned
    }


def _with_last_time(reports: Iterable[Report], target: Target) -> list[Report]:
    """The reports with when the stream last worked, where it does not work now."""
    return [
        replace(report, learned=replace(report.learned, worked_at=target.worked_at))
        if isinstance(report, Sighting) and report.learned and report.learned.worked_at is None
        else report
        for report in reports
    ]
