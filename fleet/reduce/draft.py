"""The fleet while it is being changed, with its new events."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fleet import identity, places, status, unused_secrets, validation
from fleet.model import Device, Event, Facts, Fleet, Refused
from fleet.reduce.references import References

MAX_SHARING = 64
"""With more devices at one address, which only a forger causes, none is found by it."""
NO_NUMBER = (
    "No number is left for a new device or event",
    "next_id or sequence in the database file is too high: stop Camera Monitor, and set it "
    "to one above the highest number in use.",
)


class Draft:
    """The fleet while it is being changed. `events` are its new events."""

    def __init__(self, fleet: Fleet, rules: status.Rules, now: datetime) -> None:
        self.fleet = fleet
        self.rules = rules
        self.now = now
        self.devices = dict(fleet.devices)
        self.index = dict(fleet.index)
        self.redirects = dict(fleet.redirects)
        self.next_id = fleet.next_id
        self.state = dict(fleet.state)
        self.secrets = dict(fleet.secrets)
        self.disputed = dict(fleet.disputed)
        self.watched = dict(fleet.watched)
        self.ignored = dict(fleet.ignored)
        self.credentials = dict(fleet.credentials)
        self.events: list[Event] = []
        self.is_changed = False
        self.is_unordered = False
        self.removed: set[int] = set()
        self.giving_way: dict[str, list[int]] = {}
        self._active: int | None = None
        self._references = References(fleet.references)

    def active(self) -> int:
        """The number of devices that are not retired."""
        if self._active is None:
            self._active = sum(1 for device in self.devices.values() if device.retired_at is None)
        return self._active

    def _count(self, before: Device | None, after: Device | None) -> None:
        if self._active is not None:
            was = before is not None and before.retired_at is None
            self._active += (after is not None and after.retired_at is None) - was

    def new_id(self) -> int:
        """The number of a new device, which nothing had before. Raises Refused."""
        if self.next_id > validation.HIGHEST_NUMBER:
            raise Refused(*NO_NUMBER)
        self.next_id += 1
        return self.next_id - 1

    def add_event(
        self,
        kind: str,
        device: Device | None,
        text: str,
        before: Facts | None = None,
        after: Facts | None = None,
    ) -> None:
        sequence = self.fleet.sequence + len(self.events) + 1
        if sequence > validation.HIGHEST_SEQUENCE:
            raise Refused(*NO_NUMBER)
        number = device.id if device else None
        event = Event(sequence, self.now, kind, number, text, before or {}, after or {})
        self.events.append(event)

    def put(self, device: Device) -> None:
        self.is_changed = True
        old = self.devices.get(device.id)
        if old is None or (old.site, old.identities) != (device.site, device.identities):
            if old is not None:
                self.drop(old)
            kept = tuple(key for key in device.identities if self._take(key, device))
            device = identity.renamed(device, kept)
        old = self.devices.get(device.id)
        self._count(old, device)
        self._refer(old, device)
        self.devices[device.id] = device

    def _refer(self, before: Device | None, after: Device | None) -> None:
        """Update the references of a record."""
        if before is not None and after is not None and places.has_same_references(before, after):
            return
        had = places.references_of(before) if before else frozenset()
        has = places.references_of(after) if after else frozenset()
        if device := after or before:
            self._references.move(device.id, had, has)

    def _take(self, identity_key: str, device: Device) -> bool:
        """Point the identity at `device`; False when it stays with a record that has no other.
        Its former owner loses it."""
        key = identity.index_key(identity_key, device.site)
        before = self.devices.get(self.index.get(key, 0))
        if before is not None and before.id != device.id:
            rest = [
                other
                for other in before.identities
                if identity.index_key(other, before.site) != key
            ]
            if not rest:
                return False
            self.devices[before.id] = identity.renamed(before, tuple(rest))
        self.index[key] = device.id
        return True

    def drop(self, device: Device) -> None:
        """Remove a record, with the keys that lead to it."""
        self.is_unordered = True
        before = self.devices.pop(device.id, None)
        self._count(before, None)
        self._refer(before, None)
        for key in identity.keys_of(device):
            if self.index.get(key) == device.id:
                del self.index[key]

    def reseal(self, sealed: Mapping[str, str]) -> None:
        """Replace sealed texts of secrets that still exist."""
        for id in sealed.keys() & self.secrets.keys():
            self.secrets[id] = replace(self.secrets[id], sealed=sealed[id])
            self.is_changed = True

    def _forget_replaced_secrets(self) -> None:
        if new := self.secrets.keys() - self.fleet.secrets.keys():
            for id in unused_secrets.replaced(self.secrets, new, self.devices):
                del self.secrets[id]

    def find(self, key: str, site: str) -> Device | None:
        """The device behind `id:12` or any identity, following merges."""
        if key.startswith("id:"):
            number = int(key[3:]) if key[3:].isdecimal() else 0
            return self.devices.get(self.redirects.get(number, number))
        return self.devices.get(self.index.get(identity.index_key(key, site), 0))

    def at(self, site: str, address: str) -> list[Device]:
        """The devices that have, or lately had, the address at the site and are not retired;
        none when so many say so that it tells nothing."""
        key = identity.index_key(f"{identity.ADDRESS}{address}", site)
        # There can be thousands: each of them would be compared with all the others.
        if len(self._references.ids(key)) > MAX_SHARING:
            return []
        return self._referring(key)

    def asked_at(self, site: str, key: str) -> list[Device]:
        """The devices that a source asks at the place of the key, retired ones too."""
        return self._referring(identity.index_key(key, site))

    def referring_to(self, id: int) -> list[Device]:
        """The devices with this one among their parents or exclusions."""
        return self._referring(f"id:{id}")

    def ids_referring_to(self, id: int) -> tuple[int, ...]:
        return tuple(self._references.ids(f"id:{id}"))

    def _referring(self, key: str) -> list[Device]:
        return [self.devices[id] for id in sorted(self._references.ids(key))]

    def freeze(self) -> Fleet:
        """The fleet after the change; the very same one when nothing changed."""
        if not (self.is_changed or self.events):
            return self.fleet
        self._forget_replaced_secrets()
        if self.is_unordered:
            self.devices = dict(sorted(self.devices.items()))
        # Each other mapping of sets makes the queue look at every device.
        is_same = self.credentials == self.fleet.credentials
        return replace(
            self.fleet,
            devices=self.devices,
            index=self.index,
            references=self._references.freeze(),
            redirects=self.redirects,
            next_id=self.next_id,
            sequence=self.fleet.sequence + len(self.events),
            outbox=(*self.fleet.outbox, *self.events),
            state=self.state,
            secrets=self.secrets,
            disputed=self.disputed,
            watched=self.watched,
            ignored=self.ignored,
            credentials=self.fleet.credentials if is_same else self.credentials,
        )
