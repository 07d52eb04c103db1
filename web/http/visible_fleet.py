"""The fleet as the person of the request sees it: the only way by which routes reach devices."""

from collections.abc import Collection, Hashable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import g

from accounts.model import Person
from accounts.rights import following_redirects, grants_in_force, may
from fleet import state
from fleet.model import Device, Event, Facts, Fault
from fleet.queries import device_behind, store_of, stores_by_site
from fleet.tracker import Precondition
from web.http.errors import HttpError
from web.http.monitor import Monitor, current_monitor
from web.http.shapes.scans import ScanRow, stored_scan_row
from web.http.snapshot_cache import SnapshotCache

OF_SETS = "credentials."
"""How the kinds of events about credential sets begin."""
NAMING_OTHERS = ("device.merged", "device.split", "device.unmerged")
"""Events whose text names another device."""
OWN_FINDINGS = (
    "password.unset",
    "setup.open",
    "address.unstable",
    "source.error",
    "clock.drift",
    "clock.zone",
    "clock.local",
    "login.none",
    "login.method",
    "login.clock",
    "tls.old",
    "stream.missing",
    "stream.path",
    "stream.transport",
    "stream.busy",
    "stream.none",
    "stream.unreadable",
    "signal.none",
    "camera.tamper",
    "camera.dark",
    "camera.blurred",
    "camera.signal",
    "camera.storage",
    "events.unavailable",
    "capture.failed",
    "identity.unproven",
    "picture.black",
    "picture.frozen",
    "picture.blurred",
    "picture.covered",
    "picture.moved",
    "recording.short",
    "video.none",
)
"""The findings that speak of the device alone; any other may name another device."""
REDACTED_TEXTS = {
    "login.wrong": "its login is wrong or not accepted",
    "stream.refused": "it refuses the stream",
    "snapshot.broken": "its snapshot is broken",
    "recording.missing": "nothing was recorded for ten minutes though it is due",
    "access.password": "its stored password cannot be used",
    "identity.other": "another device responds at its address",
    "channels.left-out": "it has more channels than the list can hold",
    "tls.changed": "its certificate is not the accepted one",
    "address.told": "its URLs name another host",
    "address.secret": "the address of its stream contains a password that is not the saved one",
    "address.none": "it was found only at an address that cannot be checked",
    "address.shared": "another device has its address",
    "identity.shared": "another device has the same MAC or endpoint reference",
    "identity.two": "another device responds at its address",
    "mac.contested": "two senders use its MAC",
}
"""The text of a finding for a person who does not see the other device."""
MAX_QUERIED_DEVICES = 20_000
"""Devices that one question to the journal may name."""
MAX_SEEN_AGE = timedelta(seconds=1)
"""How long the visible devices of a snapshot stay the same, as grants have hours."""

stores_of = SnapshotCache(stores_by_site).of
"""The store of each site among the devices of a snapshot."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The devices of the snapshot `every` that a person saw at the time `at`."""

    every: Mapping[int, Device]
    at: datetime
    devices: Mapping[int, Device]


@dataclass(frozen=True, slots=True)
class VisibleFleet:
    """The fleet as one person sees it."""

    monitor: Monitor
    person: Person
    _last_seen: "list[Seen]" = field(default_factory=list, compare=False, repr=False)
    """The result for the last snapshot, or none. The one field that changes: a list, so that all
    else stays frozen, and a request filters each snapshot only once."""

    @property
    def now(self) -> datetime:
        """The time in the zone of this server, as hours and weekdays of grants are meant."""
        return self.monitor.clock().astimezone()

    @property
    def is_limited(self) -> bool:
        return self.person.is_limited

    @property
    def may_move(self) -> bool:
        """True if this person may merge and split devices and change their sites.

        A recorder brings the cameras of its site into its store. So a person who edits
        by a grant for a store could reach the cameras of any site.
        """
        if self.is_limited:
            return False
        by_store = any(grant.store for grant in self.person.grants)
        by_role = replace(self.person, grants=())
        return not by_store or may(by_role, "device.edit", None, self.now)

    def may(self, action: str, device: Device | None = None) -> bool:
        return self._may(action, device, self.monitor.tracker.devices(), self.now)

    def _may(
        self, action: str, device: Device | None, every: Mapping[int, Device], now: datetime
    ) -> bool:
        """`every`: all devices, which tell the store of each."""
        has_stores = device is not None and any(grant.store for grant in self.person.grants)
        store = store_of(device, stores_of(every)) if device and has_stores else ""
        return may(self.person, action, device, now, store)

    def rights(self) -> Hashable:
        """The part of a person that decides what they see at this moment."""
        person = self.person
        grants = grants_in_force(person, self.now)
        return person.role, person.sees_all, person.devices, grants

    def refreshed(self) -> "VisibleFleet | None":
        """The fleet as the same person sees it now; None when their login has ended."""
        person = self.monitor.authenticator.accounts.refreshed(self.person)
        return visible_to(self.monitor, person) if person else None

    def precondition(self, action: str, number: int | None = None) -> HttpError | None:
        """The error that keeps this person, as of now, from `action` on the device of this number.

        The request was authorized before; between that and the act lie work and waiting, in which
        a login can end and a right can be taken away. May be asked from any thread.
        """
        now = self.refreshed()
        if now is None:
            return login_ended()
        return None if now._may_change(action, number) else permission_gone()

    def _may_change(self, action: str, number: int | None) -> bool:
        if number is None:
            return self.may(action)
        fleet = self.monitor.tracker.fleet()
        # A record that became part of another one meanwhile is judged as that one.
        return self.may(action, fleet.devices.get(fleet.redirects.get(number, number)))

    def judge(self, action: str, number: int | None = None) -> Precondition:
        """Return `precondition` as a function, to be called within the change."""
        return partial(self.precondition, action, number)

    def judge_each(
        self, action: str, numbers: Sequence[int], refused: MutableMapping[int, Any]
    ) -> Precondition:
        """The same for the edits of several devices, by their numbers: the places of those that
        may not be changed are put into `refused`; if none may, it is the error of all."""

        def judge() -> HttpError | None:
            now = self.refreshed()
            if now is None:
                return login_ended()
            allowed = {number: now._may_change(action, number) for number in {*numbers}}
            for place, number in enumerate(numbers):
                if not allowed[number]:
                    refused[place] = permission_gone()
            return None if any(allowed.values()) else permission_gone()

        return judge

    def check(self, action: str) -> None:
        """Raise the HttpError (401, 403) of `precondition`, if there is one."""
        if (problem := self.precondition(action)) is not None:
            raise problem

    @contextmanager
    def acting(self, action: str) -> Iterator[None]:
        """Lock the accounts for a change, and check the permission once more.

        Raises HttpError (401, 403).
        """
        with self.monitor.authenticator.accounts.locked():
            self.check(action)
            yield

    def devices(self) -> Mapping[int, Device]:
        """The devices that this person sees."""
        return self._seen(self.monitor.tracker.devices())

    def _seen(self, every: Mapping[int, Device]) -> Mapping[int, Device]:
        """The devices that this person sees of all; the same ones are judged once a second."""
        if not self.is_limited:
            return every
        now = self.now
        for last in self._last_seen:
            if last.every is every and timedelta() <= now - last.at < MAX_SEEN_AGE:
                return last.devices
        seen = {id: dev for id, dev in every.items() if self._may("device.view", dev, every, now)}
        devices = {id: _without_hidden(device, seen) for id, device in seen.items()}
        self._last_seen[:] = [Seen(every, now, devices)]
        return devices

    def statuses(self) -> tuple[Mapping[int, Device], Mapping[int, str]]:
        """The visible devices, and the status of each, from one snapshot of the fleet."""
        every, statuses = self.monitor.statuses()
        return self._seen(every), statuses

    def device(self, key: str) -> Device:
        """One device by number or MAC. Raises NotFound for one that this person does not see."""
        fleet = self.monitor.tracker.fleet()
        # The same work whether it is not seen or not there: its time tells nothing either.
        return device_behind(key, fleet, self._seen(fleet.devices))

    def device_with_statuses(
        self, key: str
    ) -> tuple[Device, Mapping[int, Device], Mapping[int, str]]:
        """One device as `device` gives it, and `statuses`, all from one snapshot of the fleet."""
        fleet = self.monitor.tracker.fleet()
        every, statuses = self.monitor.statuses(fleet.devices)
        devices = self._seen(every)
        return device_behind(key, fleet, devices), devices, statuses

    def events(self, **wanted: Any) -> Sequence[Event]:
        """Find events as Journal.find does, without what this person must not see. `devices`: the
        numbers of those whose events are wanted, None for all."""
        redirects = self.monitor.tracker.fleet().redirects
        device, only = wanted.pop("device", None), wanted.pop("devices", None)
        if device is not None:
            only = {redirects.get(device, device)}
        if self.is_limited:
            only = self.devices().keys() if only is None else self.devices().keys() & only
        if only is None:
            hidden = () if self.may("credentials.manage") else (OF_SETS,)
            return self.monitor.journal.find(but_kinds=hidden, **wanted)
        devices = with_merged_ids(only, redirects)
        named = devices if len(devices) <= MAX_QUERIED_DEVICES else None
        ids, limit, events = set(devices), int(wanted.get("limit", 100)), list[Event]()
        while devices:
            page = self.monitor.journal.find(devices=named, **wanted)
            events += [event for event in page if event.device in ids and self.sees_event(event)]
            if len(page) < limit or len(events) >= limit:
                break
            side = "after" if wanted.get("after") is not None else "before"
            wanted[side] = page[-1].sequence
        return events[:limit]

    def sees_event(self, event: Event) -> bool:
        """True if this person sees the device, and the event says nothing of another one, nor of
        credential sets to somebody who cannot manage them."""
        if event.kind.startswith(OF_SETS) and not self.may("credentials.manage"):
            return False
        if not self.is_limited:
            return True
        if event.device is None or event.kind in NAMING_OTHERS or _names_another(event):
            return False
        if event.kind.startswith("finding.") and not _is_of_device_alone(event):
            return False
        fleet = self.monitor.tracker.fleet()
        device = fleet.devices.get(fleet.redirects.get(event.device, event.device))
        return device is not None and self.may("device.view", device)

    def may_know_edit(self, event: Event) -> bool:
        """True if this person sees the event, or could have made it: it is an edit that changed
        parents, and they see all that it added or removed. Its text can name the others."""
        if self.sees_event(event) or event.kind != "device.edited":
            return self.sees_event(event)
        before, after = _parents_in(event.before), _parents_in(event.after)
        redirects, seen = self.monitor.tracker.fleet().redirects, self.devices()
        changed = {event.device or 0, *(before ^ after)}
        return all(redirects.get(id, id) in seen for id in changed)

    def last_scan(self) -> ScanRow | None:
        """The result of the last scan; hidden from a limited person, as it counts every device."""
        record = state.last_scan(self.monitor.tracker.fleet())
        return None if self.is_limited or not record else stored_scan_row(record)


def login_ended() -> HttpError:
    return HttpError(401, "Your login has ended", "Nothing was changed. Log in again.")


def permission_gone() -> HttpError:
    return HttpError(
        403,
        "You no longer have permission to do this",
        "Nothing was changed. An administrator can allow it under Settings > Users.",
    )


def with_merged_ids(devices: Collection[int], redirects: Mapping[int, int]) -> list[int]:
    """The devices, and the records that became part of them: their events are theirs too."""
    return sorted({*devices, *(old for old, new in redirects.items() if new in devices)})


def visible_to(monitor: Monitor, person: Person) -> VisibleFleet:
    """The fleet as a person sees it, whose grants and tokens have followed every merge."""
    return VisibleFleet(monitor, following_redirects(person, monitor.tracker.fleet().redirects))


def _names_another(event: Event) -> bool:
    """True if the event tells of a parent, or of a device that lost its address to this one."""
    has_parents = event.before.get("parents") or event.after.get("parents")
    return bool(has_parents) or "parent" in event.after or "from" in event.before


def _parents_in(values: Facts) -> set[int]:
    """The parents in one side of an edit's event."""
    parents = values.get("parents")
    every = [values.get("parent"), *(parents if isinstance(parents, list) else ())]
    return {parent for parent in every if type(parent) is int}


def _is_of_device_alone(event: Event) -> bool:
    """True if the finding of the event names no other device."""
    return (event.before or event.after).get("kind") in OWN_FINDINGS


def _without_hidden(device: Device, seen: Mapping[int, Device]) -> Device:
    """The device without facts about devices that are not seen."""
    if any(id not in seen for id in device.parents):
        device = replace(device, parents=tuple(id for id in device.parents if id in seen))
    if any(finding.kind not in OWN_FINDINGS for finding in device.findings):
        device = replace(device, findings=tuple(map(_redacted, device.findings)))
    return device


def _redacted(finding: Fault) -> Fault:
    """The finding without facts about another device."""
    if finding.kind in OWN_FINDINGS:
        return finding
    text = REDACTED_TEXTS.get(finding.kind, "involves another device")
    return replace(finding, text=text, evidence={}, extra={})


def current_person() -> Person | None:
    """The person of the request; None on pages that need no login."""
    person: Person | None = g.get("person")
    return person


def can(action: str, device: Device | None = None) -> bool:
    """True if the current person can do it, so that templates offer it."""
    return current_person() is not None and visible_fleet().may(action, device)


def visible_fleet() -> VisibleFleet:
    """The fleet as the person of the request sees it, who has been authorized before."""
    if "visible_fleet" not in g:
        g.visible_fleet = visible_to(current_monitor(), g.person)
    fleet: VisibleFleet = g.visible_fleet
    return fleet
