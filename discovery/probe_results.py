"""What a probe says about the device that was asked: its result, with the reports for the tracker.

A miss, a deadline and an error are those of one device; a scope that cannot be asked is reported
once and makes no device miss.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from discovery.channel_reports import (
    is_of_channel,
    missed_along,
    missed_beside,
    of_channel,
    with_channels,
)
from discovery.device_tracker import DeviceTracker
from discovery.down_scopes import DownScopes
from discovery.due_queue import QueueEntry
from discovery.outcomes import name_of
from fleet import identity
from fleet.channels import recorder_of
from fleet.model import Device, Finding, Miss, Report, Sighting
from fleet.places import access_key
from fleet.reduce import claims
from sources.source import SessionRefused, Source

log = logging.getLogger(__name__)
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


class ProbeResults:
    """Makes the results; `scopes` are those that cannot be asked."""

    def __init__(
        self, tracker: DeviceTracker, clock: Callable[[], datetime], scopes: DownScopes
    ) -> None:
        self._tracker = tracker
        self._clock = clock
        self._scopes = scopes
        self._logged: set[tuple[str, str]] = set()

    def answered(
        self,
        entry: QueueEntry,
        device: Device,
        started: datetime,
        reports: Sequence[Report],
        reason: str = "",
    ) -> ProbeResult:
        """The result of an answer, which may prove another device, or none."""
        every = (self._report_of(entry, device, started, report) for report in reports)
        own = tuple(report for report in every if not _is_cleared_already(device, report))
        kept = tuple(of_channel(device, entry.source, own))
        if is_other_device(self._tracker, device, kept):
            kept = tuple(report for report in kept if not _is_about(device, report))
            return self.other_device(entry, device, started, kept)
        if not any(isinstance(report, Sighting) for report in kept):
            misses = [report for report in kept if isinstance(report, Miss)]
            if not misses:
                misses = [self._miss(entry, device, started, "its response does not identify it")]
                kept += tuple(misses)
            return ProbeResult(*entry.question, MISSED, misses[0].reason, kept)
        channels = self._tracker.channels_of(device.id)
        kept = tuple(with_channels(device, channels, kept, entry.source, started))
        cleared = self._cleared(entry, device, ERROR, PASSWORD)
        return ProbeResult(*entry.question, ANSWERED, reason, (*kept, *cleared))

    def other_device(
        self, entry: QueueEntry, device: Device, started: datetime, reports: tuple[Report, ...] = ()
    ) -> ProbeResult:
        """The result where another device is at the address. Its name is for those who see it; a
        reason is for all who see this device."""
        missed = self._miss(entry, device, started, "another device responds at this address")
        # It may answer elsewhere at this moment, which counts more.
        missed = replace(missed, at=started)
        return ProbeResult(*entry.question, MISSED, missed.reason, (*reports, missed))

    def refused(
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
            proof = error.reports or (self.alive(device, entry.source, started),)
            return self.answered(entry, device, started, proof, error.reason)
        reason = f"the recorder has no free session ({error.reason})"
        return ProbeResult(*entry.question, NOT_ASKED, reason)

    def _cleared(self, entry: QueueEntry, device: Device, *kinds: str) -> list[Finding]:
        """The findings of these kinds that the device has no longer."""
        return [
            Finding(_key(device), fault.kind, self._clock(), fault.text, entry.source, cleared=True)
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
        if not claims.is_at_place_only(identity.proved(report, self._tracker.disputed())):
            keys = tuple(key for key in keys if key != place)
        learned = report.learned
        if learned is not None:
            learned = replace(learned, access=device.access.get(entry.source))
        proved = device.id if is_there else None
        return replace(report, identities=keys, asked=started, device=proved, learned=learned)

    def missed(
        self, entry: QueueEntry, device: Device, started: datetime, reason: str
    ) -> ProbeResult:
        """The result of a miss, also for the channels behind the device."""
        miss, cleared = self._miss(entry, device, started, reason), self._cleared
        channels = self._tracker.channels_of(device.id)
        behind = missed_along(channels, entry.source, miss)
        if recorder := recorder_of(device, self._tracker.devices()):
            beside = self._tracker.channels_of(recorder.id)
            behind += missed_beside(device, beside, recorder, entry.source, miss)
        return ProbeResult(
            *entry.question, MISSED, reason, (miss, *behind, *cleared(entry, device, PASSWORD))
        )

    def _miss(self, entry: QueueEntry, device: Device, started: datetime, reason: str) -> Miss:
        return Miss(_key(device), entry.source, self._clock(), reason, device.site, started)

    def not_asked(self, entry: QueueEntry, scope: str, reason: str) -> ProbeResult:
        """The result of a scope that cannot be asked, which is reported once."""
        down = self._scopes.down(scope, reason, entry.question, self._clock())
        return ProbeResult(*entry.question, NOT_ASKED, reason, tuple(down))

    def without_password(self, source: Source, entry: QueueEntry, reason: str) -> ProbeResult:
        """The result for a device whose password cannot be read, or not be sent."""
        text = f"{source.title}: {reason}"
        finding = Finding(f"id:{entry.question[0]}", PASSWORD, self._clock(), text, source.name)
        return ProbeResult(*entry.question, NOT_ASKED, text, (finding,))

    def failed(
        self, source: Source, entry: QueueEntry, device: Device, error: Exception
    ) -> ProbeResult:
        """The result after an error in the program, which is logged once."""
        kind = name_of(error)
        if (source.name, kind) not in self._logged:
            self._logged.add((source.name, kind))
            log.exception("%s: internal error while checking a device", source.title)
        reason = f"{source.title}: internal error ({kind}); see the log"
        finding = Finding(_key(device), ERROR, self._clock(), reason, source.name)
        return ProbeResult(*entry.question, FAILED, reason, (finding,))

    def alive(self, device: Device, source: str, at: datetime) -> Sighting:
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


def is_other_device(tracker: DeviceTracker, device: Device, reports: Iterable[Report]) -> bool:
    """True if another device was proved instead of the one that was asked."""
    is_proved = False
    for sighting in reports:
        if not isinstance(sighting, Sighting) or is_of_channel(sighting):
            continue
        keys = identity.proved(sighting, tracker.disputed())
        owners = [tracker.known(key, sighting.site) for key in keys]
        ids = {owner.id for owner in owners if owner}
        if device.id in ids or not (ids or identity.is_another(device, sighting)):
            return False
        is_proved = True
    return is_proved


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
