"""What needs attention now: devices that are down, and findings. Pure.

What is recent is named one by one. What has lasted for more than a day folds into one line for
each kind, and so do devices that were never online.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from fleet import queries, status
from fleet.channels import causes, is_channel
from fleet.model import DEFAULT_SITE, Device, Fault
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
NOTES = frozenset(
    ("identity.unproven", "address.told", "clock.local", "stream.busy", "events.unavailable")
)
"""Findings that describe how a device is reached, or pass by themselves, and call for nothing: a
site can have them on every camera. They are in its details and in the filter "Findings", and need
no attention."""
CHOICES = (ALL, MORE, *FOLDS)
"""The values of the filter `attention`."""


SILENT = frozenset((status.OFFLINE, status.UNREACHABLE))
"""The statuses of a place that is down as a whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store or a site. `kind`: which of the two, as the filter of the list is called."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Concern:
    """One device that is down, one finding, or a place that is down as a whole.

    A finding is of several devices when it is the same one; a place is of all its devices, and its
    `status` is the one of the first. A recorder that is down comes with its unreachable channels.
    """

    devices: tuple[Device, ...]
    status: str
    fault: Fault | None
    since: datetime | None
    place: Place | None = None


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
    every = list(devices)
    for concern in _by_recorder(_concerns(every, statuses)):
        key = _fold_of(concern, now)
        (folds[key] if key else recent).append(concern)
    recent = _by_place(recent, every)
    # One alone is named: a line that says "1 offline" would be as long.
    recent += [fold.pop() for fold in folds.values() if len(fold) == 1]
    by_number = {device.id: device for device in every}
    recent.sort(key=lambda concern: _place(concern, by_number))
    return Attention(recent, {key: folds[key] for key in FOLDS if folds.get(key)})


def _place(concern: Concern, devices: Mapping[int, Device]) -> tuple[float, Key]:
    """Newest first; those of one moment by name."""
    since = concern.since.timestamp() if concern.since else 0
    place = concern.place
    first = concern.devices[0]
    return -since, natural_key(place.name) if place else queries.name_key(first, devices)


def _by_recorder(concerns: Sequence[Concern]) -> list[Concern]:
    """One concern for each recorder that is down, with its unreachable channels."""
    channels: dict[int, list[Concern]] = defaultdict(list)
    down = {concern.devices[0].id for concern in concerns if concern.fault is None}
    others = []
    for concern in concerns:
        device = concern.devices[0]
        is_cut_off = concern.fault is None and concern.status == status.UNREACHABLE
        if is_cut_off and is_channel(device) and down.intersection(device.parents[:1]):
            channels[device.parents[0]].append(concern)
        else:
            others.append(concern)
    return [
        _with_channels(concern, channels.get(concern.devices[0].id, ()))
        if concern.fault is None
        else concern
        for concern in others
    ]


def _with_channels(recorder: Concern, channels: Sequence[Concern]) -> Concern:
    devices = (channel.devices[0] for channel in channels)
    return replace(recorder, devices=(*recorder.devices, *devices))


def _by_place(recent: list[Concern], every: Sequence[Device]) -> list[Concern]:
    """One concern for each store, and then each site, all of whose devices are silent now."""
    silent = [concern for concern in recent if not concern.fault and concern.status in SILENT]
    if len(silent) < 2:
        return recent
    whole = [concern for concern in recent if concern.fault or concern.status not in SILENT]
    stores = queries.stores_by_site(every)
    named: dict[str, Callable[[Device], str]] = {
        "store": lambda device: queries.store_of(device, stores),
        "site": lambda device: "" if device.site == DEFAULT_SITE else device.site,
    }
    for kind, name_of in named.items():
        sizes = Counter(name_of(device) for device in every if device.retired_at is None)
        groups: dict[str, list[Concern]] = defaultdict(list)
        for concern in silent:
            groups[name_of(concern.devices[0])].append(concern)
        silent = []
        for name, group in groups.items():
            if name and len(group) > 1 and sizes[name] == len(_numbers(group)):
                whole.append(_place_concern(Place(kind, name), group))
            else:
                silent += group
    return whole + silent


def _place_concern(place: Place, concerns: Sequence[Concern]) -> Concern:
    devices = tuple(device for concern in concerns for device in concern.devices)
    newest = max((concern.since for concern in concerns if concern.since), default=None)
    return Concern(devices, concerns[0].status, None, newest, place)


def _concerns(devices: Iterable[Device], statuses: Mapping[int, str]) -> list[Concern]:
    concerns, faulty = [], []
    for device in devices:
        if device.retired_at is not None:
            continue
        if statuses[device.id] in status.DOWN:
            concerns.append(Concern((device,), statuses[device.id], None, device.since))
        else:
            faults = tuple(fault for fault in device.findings if fault.kind not in NOTES)
            if faults:
                faulty.append((device, faults))
    return concerns + _findings(faulty, statuses)


def _findings(
    faulty: Sequence[tuple[Device, Sequence[Fault]]], statuses: Mapping[int, str]
) -> list[Concern]:
    """One concern for each device; those that have the same finding are in one together."""
    sharing: dict[Hashable, list[tuple[Device, Fault]]] = defaultdict(list)
    for device, faults in faulty:
        for fault in faults:
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
    for device, faults in faulty:
        if device.id not in taken:
            newest = max(causes(faults), key=lambda fault: fault.since)
            concerns.append(Concern((device,), statuses[device.id], newest, newest.since))
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
