"""A fleet while it is being changed, and what is worth telling of it."""

from dataclasses import replace
from datetime import datetime

from fleet import identity, status, validation
from fleet.model import Device, Event, Facts, Fleet, Refused

NO_NUMBER = (
    "There is no number left for a new device or event",
    "Somebody set next_id or sequence in the database file too high: stop Camera Monitor and "
    "set it to one above the highest that is in use.",
)


class Draft:
    """A fleet while it is being changed. `events` are what is worth telling."""

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
        self.ignored = dict(fleet.ignored)
        self.events: list[Event] = []
        self.is_changed = False
        self.is_unordered = False
        self.removed: set[int] = set()
        self.giving_way: dict[str, list[int]] = {}
        self._active: int | None = None

    def active(self) -> int:
        """How many devices are not retired."""
        if self._active is None:
            self._active = sum(1 for one in self.devices.values() if one.retired_at is None)
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

    def tell(
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
        if old is not None and (old.site, old.identities) != (device.site, device.identities):
            self.drop(old)
        kept = tuple(one for one in device.identities if self._take(one, device))
        if kept != device.identities:
            device = replace(device, identities=kept)
        self._count(self.devices.get(device.id), device)
        self.devices[device.id] = device

    def _take(self, one: str, device: Device) -> bool:
        """Let the identity lead to `device`; False when it stays with a record that has no
        other. Who had it before loses it."""
        key = identity.index_key(one, device.site)
        before = self.devices.get(self.index.get(key, 0))
        if before is not None and before.id != device.id:
            rest = [one for one in before.identities if identity.index_key(one, before.site) != key]
            if not rest:
                return False
            self.devices[before.id] = replace(before, identities=tuple(rest))
        self.index[key] = device.id
        return True

    def drop(self, device: Device) -> None:
        """Take a record out, with the keys that lead to it."""
        self.is_unordered = True
        self._count(self.devices.pop(device.id, None), None)
        for key in identity.keys_of(device):
            if self.index.get(key) == device.id:
                del self.index[key]

    def find(self, key: str, site: str) -> Device | None:
        """The device behind `id:12` or any identity, following merges."""
        if key.startswith("id:"):
            number = int(key[3:]) if key[3:].isdecimal() else 0
            return self.devices.get(self.redirects.get(number, number))
        return self.devices.get(self.index.get(identity.index_key(key, site), 0))

    def freeze(self) -> Fleet:
        """The fleet after the change; the very same one when nothing changed."""
        if not (self.is_changed or self.events):
            return self.fleet
        if self.is_unordered:
            self.devices = dict(sorted(self.devices.items()))
        return replace(
            self.fleet,
            devices=self.devices,
            index=self.index,
            redirects=self.redirects,
            next_id=self.next_id,
            sequence=self.fleet.sequence + len(self.events),
            outbox=(*self.fleet.outbox, *self.events),
            state=self.state,
            secrets=self.secrets,
            disputed=self.disputed,
            ignored=self.ignored,
        )
