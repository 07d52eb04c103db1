"""The fleet as the bytes of `camera_database.json`, and back.

The file is one JSON object with one device a line, so that a person can read it, `grep`
it and compare two of them. Times are ISO 8601 with offset.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import orjson

from fleet import identity
from fleet.model import AddressChange, Device, Event, Facts, Fault, Fleet, Word

FORMAT = "camera-monitor"
VERSION = 1


class Unreadable(Exception):
    """These bytes are no database: damaged, or something else."""


class TooNew(Exception):
    """The file was written by a newer version of the program."""


class Encoder:
    """Turns fleets into bytes; remembers the line of each device that did not change."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[Device, bytes]] = {}

    def renew(self, fleet: Fleet) -> None:
        """Bring the lines up to date: a fleet in which ten changed costs ten devices."""
        lines = self._lines
        for id, device in fleet.devices.items():
            known = lines.get(id)
            if known is None or known[0] is not device:
                lines[id] = (device, _line(device))
        for id in lines.keys() - fleet.devices.keys():
            del lines[id]

    def encode(self, fleet: Fleet) -> bytes:
        """The whole file."""
        self.renew(fleet)
        head = orjson.dumps(_head(fleet), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        body = b",\n".join(self._lines[id][1] for id in fleet.devices)
        return b'%s,\n  "devices": [\n%s\n]}\n' % (head[:-2], body)


def plain(device: Device) -> dict[str, Any]:
    """A device as the JSON object that the file has, for events that must undo things."""
    found: dict[str, Any] = orjson.loads(_line(device))
    return found


def _line(device: Device) -> bytes:
    """One device as JSON. Copied, because orjson's own bytes keep a buffer of twice the
    length: for 10,000 devices that is 90 MB."""
    return bytes(memoryview(orjson.dumps(_plain(device), option=orjson.OPT_NON_STR_KEYS)))


def _head(fleet: Fleet) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "next_id": fleet.next_id,
        "sequence": fleet.sequence,
        "memo": fleet.memo,
        "redirects": fleet.redirects,
        "outbox": [_plain(event) for event in fleet.outbox],
    }


def _plain(value: Any) -> dict[str, Any]:
    """A frozen value as the dictionary that is written, in the order of its fields."""
    return {one.name: getattr(value, one.name) for one in fields(value)}


def decode(data: bytes) -> Fleet:
    """The fleet in the bytes of our own format. Raises Unreadable or TooNew."""
    raw = parsed(data)
    if raw.get("format") != FORMAT:
        raise Unreadable("it is not a Camera Monitor database")
    if not isinstance(raw.get("version"), int):
        raise Unreadable("it has no version")
    if raw["version"] > VERSION:
        raise TooNew(f"it has version {raw.get('version')}, this program knows up to {VERSION}")
    try:
        return _fleet(raw)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unreadable(f"a value in it does not fit ({error})") from error


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in the bytes. Raises Unreadable."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is not whole JSON ({error})") from error
    if not isinstance(raw, dict):
        raise Unreadable("it is not a JSON object")
    return raw


def _fleet(raw: Mapping[str, Any]) -> Fleet:
    devices = [device_of(one) for one in raw["devices"]]
    fleet = indexed(
        Fleet(
            devices={device.id: device for device in devices},
            redirects={int(old): int(new) for old, new in raw["redirects"].items()},
            next_id=int(raw["next_id"]),
            sequence=int(raw["sequence"]),
            outbox=tuple(_event(one) for one in raw["outbox"]),
            memo=dict(raw["memo"]),
        )
    )
    _check(fleet, devices)
    return fleet


def _check(fleet: Fleet, devices: list[Device]) -> None:
    """What a careless hand breaks and every rule relies on. Raises ValueError."""
    if any(type(device.id) is not int for device in devices):
        raise ValueError("a device's id is no number")
    if len(fleet.devices) < len(devices):
        raise ValueError("two devices have one id")
    if fleet.devices and fleet.next_id <= max(fleet.devices):
        raise ValueError("next_id was given already")
    if len(fleet.index) < sum(len(device.identities) for device in devices):
        raise ValueError("two devices have one identity")


def indexed(fleet: Fleet) -> Fleet:
    """The fleet with its index built from the devices."""
    devices = fleet.devices.values()
    index = {key: device.id for device in devices for key in identity.keys_of(device)}
    return replace(fleet, index=index)


def device_of(raw: Mapping[str, Any]) -> Device:
    """A device from its JSON object. Raises KeyError, TypeError or ValueError."""
    known = {one.name for one in fields(Device)}
    values = {key: value for key, value in raw.items() if key in known}
    values["identities"] = tuple(raw["identities"])
    for key in ("tags", "apart"):
        values[key] = tuple(raw.get(key, ()))
    values["addresses"] = tuple(
        AddressChange(one["ip"], _time(one["at"]), one["previous"]) for one in raw["addresses"]
    )
    for key in ("first_seen", "last_seen", "moved_at", "retired_at", "since"):
        values[key] = moment(raw.get(key))
    values["words"] = {source: _word(one) for source, one in raw["words"].items()}
    values["findings"] = tuple(_fault(one) for one in raw["findings"])
    return Device(**values)


def _word(raw: Mapping[str, Any]) -> Word:
    return Word(
        seen_at=moment(raw["seen_at"]),
        missed_at=moment(raw["missed_at"]),
        asked=moment(raw["asked"]),
        misses=int(raw["misses"]),
        reason=str(raw["reason"]),
        scope=raw["scope"],
    )


def _fault(raw: Mapping[str, Any]) -> Fault:
    evidence: Facts = raw["evidence"]
    return Fault(raw["kind"], _time(raw["since"]), raw["text"], raw["source"], evidence)


def _event(raw: Mapping[str, Any]) -> Event:
    return Event(
        sequence=int(raw["sequence"]),
        at=_time(raw["at"]),
        kind=raw["kind"],
        device=raw["device"],
        text=raw["text"],
        before=raw["before"],
        after=raw["after"],
    )


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time with offset, or None for none. Raises ValueError."""
    return None if text is None else _time(text)
