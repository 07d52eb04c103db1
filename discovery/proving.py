"""Ask who is at an address before a password is sent there, also at the address of last time."""

from collections.abc import Iterable
from functools import partial

from discovery import verdicts
from discovery.device_tracker import DeviceTracker
from discovery.due_queue import QueueEntry
from discovery.verdicts import Verdict
from fleet import identity
from fleet.model import Access, Device, Report, Sighting
from fleet.places import session_owner
from sources.identify import SILENT_LASTS, Evidence, Identification

SILENT_WITHOUT_ENDPOINT = 3600.0
"""Seconds in which a silent host is not asked again for a device that never had an endpoint
reference: only few of them have one that carries their MAC."""


class OtherDevice(Exception):
    """Raised when another device of the fleet is at the address; it gets no password."""


class Proving:
    """Judges the hosts of questions."""

    def __init__(self, tracker: DeviceTracker, identification: Identification) -> None:
        self._tracker = tracker
        self._identification = identification

    async def verdict(self, entry: QueueEntry, device: Device, access: Access) -> Verdict:
        """Whether the device of this question is at its host; PROVED where no password is sent.
        The kernel's table is read first, which sends nothing. Raises OtherDevice."""
        if not verdicts.needs_proof(access):
            return Verdict.PROVED
        return await self.verdict_at(entry.host, device, entry.source)

    async def verdict_at(self, host: str, device: Device, source: str) -> Verdict:
        """Whether the device that this source asks is at a host. Raises OtherDevice."""
        disputed, subject = self._tracker.disputed(), self.subject(device, source)
        if not verdicts.can_be_proved(subject, disputed):
            return Verdict.UNKNOWN
        judge = partial(
            verdicts.verdict,
            subject,
            disputed=disputed,
            owner=lambda key: self._tracker.known(key, subject.site),
            is_behind=self._is_behind(host, device, source, subject),
        )
        verdict = judge(Evidence(self._identification.mac_of(host)))
        if verdict is Verdict.UNKNOWN:
            has_endpoint = bool(identity.endpoints(subject.identities))
            silent_for = SILENT_LASTS if has_endpoint else SILENT_WITHOUT_ENDPOINT
            verdict = judge(await self._identification.ask(host, silent_for))
        if verdict is Verdict.OTHER:
            raise OtherDevice
        return verdict

    async def is_provable_now(self, host: str, subject: Device, reports: Iterable[Report]) -> bool:
        """True for a device that had no key to prove before its first login, where its host proves
        without a login the key that its answer brought."""
        disputed = self._tracker.disputed()
        if verdicts.can_be_proved(subject, disputed):
            return False
        sightings = (report for report in reports if isinstance(report, Sighting))
        brought = {key for sighting in sightings for key in verdicts.keys_of(sighting, disputed)}
        if not brought:
            return False
        evidence = await self._identification.ask(host)
        return not brought.isdisjoint((evidence.mac, *evidence.answered))

    def missed(self, host: str) -> None:
        """A device at this host was silent in every way, so it may answer when it is back."""
        self._identification.forget(host)

    async def close(self) -> None:
        await self._identification.close()

    def subject(self, device: Device, source: str) -> Device:
        """The device that can be identified there: of a channel its recorder."""
        return verdicts.subject_of(device, source, self._tracker.devices())

    def _is_behind(self, host: str, device: Device, source: str, subject: Device) -> bool:
        devices = self._tracker.devices()
        neighbours = (
            other
            for other in self._tracker.at_address(host, subject.site)
            if other.address == host
            and subject.id not in (other.id, session_owner(other, source, devices))
        )
        return verdicts.is_behind(device, source, neighbours)
