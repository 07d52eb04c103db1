"""Reports in short form, and a fleet that a test tells them to."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import status
from fleet.database import record
from fleet.model import Device, Edit, Event, Finding, Fleet, Miss, Report, Sighting, SourceDown
from fleet.reducer import reduce

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = status.Rules(kind_sources=frozenset({"panasonic", "dahua", "onvif"}))
A, B, C = "mac:d4:2d:c5:00:00:0a", "mac:d4:2d:c5:00:00:0b", "mac:d4:2d:c5:00:00:0c"
MINUTE = timedelta(minutes=1)


def noon(**later: float) -> datetime:
    """A time after noon, by the length given."""
    return NOON + timedelta(**later)


def seen(*identities: str, at: datetime = NOON, **fields: Any) -> Sighting:
    """A sighting by Easy IP, in a scan that began at that moment unless `asked` is given."""
    given: dict[str, Any] = {"address": "10.0.0.1", "asked": at, **fields}
    return Sighting("here", identities, given.pop("source", "panasonic"), at, **given)


def heard(*identities: str, at: datetime = NOON, **fields: Any) -> Sighting:
    """A sighting of a device that announced itself."""
    return seen(*identities, at=at, asked=None, **fields)


def missed(identity: str, at: datetime = NOON, **fields: Any) -> Miss:
    """A miss in a scan that began at that moment unless `asked` is given."""
    given: dict[str, Any] = {"asked": at, "reason": "did not answer", **fields}
    return Miss(identity, given.pop("source", "panasonic"), at, **given)


def finding(identity: str, text: str = "no password is set", **fields: Any) -> Finding:
    given: dict[str, Any] = {"kind": "password.unset", "at": NOON, **fields}
    return Finding(identity, text=text, source=given.pop("source", "panasonic"), **given)


def down(scope: str, reason: str = "the cable is out", at: datetime = NOON) -> SourceDown:
    return SourceDown(scope, at, reason)


def up(scope: str, at: datetime = NOON) -> SourceDown:
    return SourceDown(scope, at, "", up=True)


def edit(kind: str, identity: str, at: datetime = NOON, **fields: Any) -> Edit:
    return Edit(kind, identity, fields, "tester", at)


class Story:
    """A fleet that reduces one batch of reports after the other, and its events."""

    def __init__(self, *devices: Device) -> None:
        fleet = Fleet({device.id: device for device in devices}, next_id=len(devices) + 1)
        self.fleet = record.indexed(fleet)
        self.events: list[Event] = []

    def tell(self, *reports: Report, at: datetime | None = None) -> list[str]:
        """Fold one batch; the kinds of its events. Without `at` it is when the last one was."""
        now = at or (reports[-1].at if reports else NOON)
        self.fleet, events = reduce(self.fleet, reports, now, RULES)
        self.events += events
        return [event.kind for event in events]

    def device(self, id: int = 1) -> Device:
        return self.fleet.devices[id]

    def status(self, id: int = 1, at: datetime = NOON) -> str:
        return status.status(self.device(id), self.fleet.devices, at, RULES)
