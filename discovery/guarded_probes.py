"""One probe of a device, with its password only where that may be sent and costs no lockout.

Not where another device may be (discovery/secret_hosts.py), and not beyond the refused logins that
a device may cost (discovery/logins.py).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from discovery.channel_questions import entries_of
from discovery.device_tracker import DeviceTracker
from discovery.due_queue import DueQueue, Question, QueueEntry
from discovery.logins import Allowance, LoginGate
from discovery.probe_results import is_other_device
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
from fleet import logins
from fleet.model import Access, Device, Report, Sighting, Target
from fleet.places import access_key, session_owner
from sources.source import SessionRefused, Source


class GuardedProbes:
    """Probes devices of the queue. `unseal` turns the id of a secret into its text when a probe
    begins and raises SecretLost."""

    def __init__(
        self,
        queue: DueQueue,
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        unseal: Callable[[str], str],
    ) -> None:
        self._queue = queue
        self._tracker = tracker
        self._clock = clock
        self._unseal = unseal
        self._probes = ProbeTasks()
        self._proofs = Proofs()
        self._gate = LoginGate(tracker)

    def missed(self, question: Question) -> None:
        """Forget what a device proved that misses now."""
        self._proofs.forget(question)

    def forget(self, question: Question) -> None:
        """Forget a device that is not asked any more."""
        self._proofs.forget(question)
        self._gate.forget(question)

    async def close(self) -> None:
        """Cancel what runs, and wait a moment for it."""
        await self._probes.close()

    async def reports(self, source: Source, entry: QueueEntry, device: Device) -> Sequence[Report]:
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
        judge = partial(self._gate.judged, device, source.name, access, allowance, self._clock())
        try:
            return judge(await self._probes.run(source, entry.question, target))
        except SessionRefused as error:
            raise SessionRefused(error.reason, judge(error.reports)) from error

    def _access(self, device: Device, source: str) -> Access:
        """The access of the device as it is now, with the login that is used."""
        fleet = self._tracker.fleet()
        return logins.resolved(device, source, fleet.devices, fleet.credentials)

    async def _reports_before_proof(
        self, source: Source, entry: QueueEntry, device: Device, access: Access
    ) -> Sequence[Report] | None:
        """Ask without the password, unless a proof is remembered. None when the device has proved
        itself at this host; else the reports, of nothing or of another device. Raises as `reports`
        does."""
        at_host = self._tracker.at_address(entry.host, device.site)
        disputed = self._tracker.disputed()
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
        disputed, now = self._tracker.disputed(), _now()
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
        secrets = {name: self._unseal(id) for name, id in access.secret_options.items()}
        return Target(
            device.site,
            access_key(source.name, replace(access, host=entry.host)) or "",
            entry.host,
            access.port,
            access.path,
            access.username,
            self._unseal(access.secret) if access.secret else None,
            access.tls_pin,
            access.method,
            {**access.options, **secrets},
            allowance.refusals,
            allowance.attempts_left,
            access.worked_at,
            access.clock,
            may_login=allowance.may_login,
            channels=sum(
                source.name in channel.states for channel in self._tracker.channels_of(device.id)
            ),
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
