"""The fleet while it is being changed, with its new events."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fleet import identity, status, unused_secrets, validation
from fleet.model import Device, Event, Facts, Fleet, Refused

MAX_SHARING = 64
"""Devices at one address, beyond which somebody makes them up."""
NO_NUMBER = (
    "There is no number left for a new device or event",
    "Somebody set next_id or sequence in the database file too high: stop Camera Monitor and "
    "set it to one above the highest that is in use.",
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
        self.events: list[Event] = []
        self.is_changed = False
        self.is_unordered = False
        self.removed: set[int] = set()
        self.giving_way: dict[str, list[int]] = {}
        self._active: int | None = None
        self._changed_places: dict[str, set[int]] = {}

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
        self._place(old, device)
        self.devices[device.id] = device

    def _place(self, before: Device | None, after: Device | None) -> None:
        """Update the index of addresses for a record."""
        if before is not None and after is not None and _has_same_places(before, after):
            return
        had = identity.places_of(before) if before else frozenset()
        has = identity.places_of(after) if after else frozenset()
        if before is not None:
            for place in had - has:
                self._changed(place).discard(before.id)
        if after is not None:
            for place in has - had:
                self._changed(place).add(after.id)

    def _changed(self, place: str) -> set[int]:
        """The ids at a place that changes. Thousands may be at one: a tuple would be copied for
        each of them."""
        if place not in self._changed_places:
            self._changed_places[place] = {*self.fleet.places.get(place, ())}
        return self._changed_places[place]

    def _places(self) -> Mapping[str, tuple[int, ...]]:
        if not self._changed_places:
            return self.fleet.places
        changed = {place: tuple(sorted(ids)) for place, ids in self._changed_places.items()}
        places = {**self.fleet.places, **changed}
        for place in [place for place, ids in changed.items() if not ids]:
            del places[place]
        return places

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
        self._place(before, None)
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
        place = identity.index_key(f"{identity.ADDRESS}{address}", site)
        changed = self._changed_places.get(place)
        ids = self.fleet.places.get(place, ()) if changed is None else changed
        return [self.devices[id] for id in sorted(ids)] if len(ids) <= MAX_SHARING else []

    def freeze(self) -> Fleet:
        """The fleet after the change; the very same one when nothing changed."""
        if not (self.is_changed or self.events):
            return self.fleet
        self._forget_replaced_secrets()
        if self.is_unordered:
            self.devices = dict(sorted(self.devices.items()))
        return replace(
            self.fleet,
            devices=self.devices,
            index=self.index,
            places=self._places(),
            redirects=self.redirects,
            next_id=self.next_id,
            sequence=self.fleet.sequence + len(self.events),
            outbox=(*self.fleet.outbox, *self.events),
            state=self.state,
            secrets=self.secrets,
            disputed=self.disputed,
            watched=self.watched,
            ignored=self.ignored,
        )


def _has_same_places(before: Device, after: Device) -> bool:
    """True if both are at the same places; quicker than comparing all of them."""
    had, has = before.source_addresses, after.source_addresses
    if (before.site, before.address) != (after.site, after.address):
        return False
    if (before.retired_at is None) != (after.retired_at is None):
        return False
    for source, known in has.items():
        if source not in had or had[source].keys() != known.keys():
            return False
    return len(had) == len(has)
