"""What needs attention now: devices that are down, and findings. Pure.

What is recent is named one by one. What has lasted for more than a day folds into one line for
each kind, and so do devices that were never online.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from fleet import labels, status
from fleet.model import Device, Fault
from fleet.natural_order import Key, natural_key

LASTING = timedelta(days=1)
"""A concern that is older folds together with others of its kind."""
MAX_NAMED = 5
"""Recent concerns that are named one by one."""
ALL, MORE, NEVER, FINDINGS = "all", "more", "never_online", "lasting_findings"
FOLDS = {
    NEVER: "never online",
    "lasting_offline": "offline for more than a day",
    "lasting_unreachable": "unreachable for more than a day",
    "lasting_missing": "missing for more than a day",
    FINDINGS: "with a finding for more than a day",
}
CHOICES = (ALL, MORE, *FOLDS)
"""The values of the filter `attention`."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One device that is down, or one finding: of several devices when it is the same one."""

    devices: tuple[Device, ...]
    status: str
    fault: Fault | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Attention:
    """All concerns: each device that needs attention is in exactly one of them.

    `recent`: newest first. `folds`: those that fold together, by a key of FOLDS.
    """

    recent: Sequence[Concern]
    folds: Mapping[str, Sequence[Concern]]

    @property
    def named(self) -> Sequence[Concern]:
        return self.recent[:MAX_NAMED]

    def devices(self, choice: str = ALL) -> set[int]:
        """The numbers of the devices: all of them, those that are not named, or those of a fold."""
        if choice == ALL:
            return _numbers(chain(self.recent, *self.folds.values()))
        return _numbers(self.recent[MAX_NAMED:] if choice == MORE else self.folds.get(choice, ()))


def _numbers(concerns: Iterable[Concern]) -> set[int]:
    return {device.id for concern in concerns for device in concern.devices}


def attention(devices: Iterable[Device], statuses: Mapping[int, str], now: datetime) -> Attention:
    """What needs attention among the devices that are not retired."""
    folds: dict[str, list[Concern]] = defaultdict(list)
    recent = list[Concern]()
    for concern in _concerns(devices, statuses):
        key = _fold_of(concern, now)
        (folds[key] if key else recent).append(concern)
    # One alone is named: a line that says "1 offline" would be as long.
    recent += [fold.pop() for fold in folds.values() if len(fold) == 1]
    recent.sort(key=_place)
    return Attention(recent, {key: folds[key] for key in FOLDS if folds.get(key)})


def _place(concern: Concern) -> tuple[float, Key]:
    """Newest first; those of one moment by name."""
    since = concern.since.timestamp() if concern.since else 0
    return -since, natural_key(labels.name(concern.devices[0]))


def _concerns(devices: Iterable[Device], statuses: Mapping[int, str]) -> list[Concern]:
    concerns, faulty = [], []
    for device in devices:
        if device.retired_at is not None:
            continue
        if statuses[device.id] in status.DOWN:
            concerns.append(Concern((device,), statuses[device.id], None, device.since))
        elif device.findings:
            faulty.append(device)
    return concerns + _findings(faulty, statuses)


def _findings(devices: Sequence[Device], statuses: Mapping[int, str]) -> list[Concern]:
    """One concern for each device; those that have the same finding are in one together."""
    sharing: dict[Hashable, list[tuple[Device, Fault]]] = defaultdict(list)
    for device in devices:
        for fault in device.findings:
            if (subject := _subject(fault)) is not None:
                sharing[device.site, fault.kind, subject].append((device, fault))
    concerns, taken = [], set[int]()
    for pairs in sharing.values():
        group = [(device, fault) for device, fault in pairs if device.id not in taken]
        if len(group) > 1:
            members = tuple(device for device, _fault in group)
            newest = max((fault for _device, fault in group), key=lambda fault: fault.since)
            concerns.append(Concern(members, statuses[members[0].id], newest, newest.since))
            taken |= {device.id for device in members}
    for device in devices:
        if device.id not in taken:
            fault = max(device.findings, key=lambda fault: fault.since)
            concerns.append(Concern((device,), statuses[device.id], fault, fault.since))
    return concerns


def _subject(fault: Fault) -> Hashable:
    """What the finding says is used twice: an address, or keys; None for any other finding."""
    address, keys = fault.evidence.get("address"), fault.evidence.get("keys")
    if isinstance(address, str):
        return address
    return tuple(sorted(map(str, keys))) if isinstance(keys, list | tuple) and keys else None


def _fold_of(concern: Concern, now: datetime) -> str:
    """The fold of a concern; empty for one that is named."""
    if concern.fault is not None:
        return FINDINGS if now - concern.fault.since > LASTING else ""
    # Not `since`: a device that was offline for a day is missing only since then.
    last_seen = concern.devices[0].last_seen
    if last_seen is None:
        return NEVER
    return f"lasting_{concern.status.lower()}" if now - last_seen > LASTING else ""
