"""The fleet as the bytes of `camera_database.json`, and back.

The file is one JSON object with one device a line, so that a person can read it, `grep`
it and compare two of them. Times are ISO 8601 with offset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import orjson

from fleet import identity, list_entries, state, status, validation
from fleet.model import AddressChange, Device, Event, Fault, Fleet, SourceState

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

    def renew(self, fleet: Fleet, events: Sequence[Event] = ()) -> None:
        """Bring the lines up to date: a fleet in which ten changed costs ten devices.

        Raises TypeError when one of them, or of the new `events`, cannot be written.
        """
        orjson.dumps([_plain(event) for event in events])
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
        "memo": fleet.state,
        "redirects": fleet.redirects,
        "outbox": [_plain(event) for event in fleet.outbox],
    }


FILE_KEYS = {"states": "words", "never_merge": "apart"}
"""Fields whose key in the file is another."""


def _plain(value: Any) -> dict[str, Any]:
    """A frozen value as the dictionary that is written, in the order of its fields."""
    return {FILE_KEYS.get(one.name, one.name): getattr(value, one.name) for one in fields(value)}


def decode(data: bytes) -> Fleet:
    """The fleet in the bytes of our own format. Raises Unreadable or TooNew."""
    raw = parsed(data)
    if raw.get("format") != FORMAT:
        raise Unreadable("it is not a Camera Monitor database")
    if type(raw.get("version")) is not int:
        raise Unreadable("it has no version")
    if raw["version"] > VERSION:
        raise TooNew(f"it has version {raw.get('version')}, this program knows up to {VERSION}")
    try:
        return _fleet(raw)
    except ValueError as error:
        raise Unreadable(f"a value in it does not fit ({error})") from error


BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in the bytes, behind a byte order mark too. Raises Unreadable."""
    try:
        raw = orjson.loads(data.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is not whole JSON ({error})") from error
    if not isinstance(raw, dict):
        raise Unreadable("it is not a JSON object")
    return raw


def _fleet(raw: Mapping[str, Any]) -> Fleet:
    here = "the file"
    devices = [device_of(one) for one in _list(raw, "devices", here)]
    by_id = {device.id: device for device in devices}
    redirects = _redirects(_object(raw, "redirects", here))
    outbox = _outbox(_list(raw, "outbox", here))
    last = outbox[-1].sequence if outbox else 0
    fleet = indexed(
        Fleet(
            devices={id: _with_parent(device, by_id) for id, device in by_id.items()},
            redirects={old: new for old, new in redirects.items() if old not in by_id},
            next_id=_taken(raw, "next_id", int, here),
            sequence=max(last, _taken(raw, "sequence", int, here)),
            outbox=outbox,
            state=dict(state.checked(_object(raw, "memo", here))),
        )
    )
    _check(fleet, devices)
    return fleet


def _redirects(raw: Mapping[str, Any]) -> dict[int, int]:
    for old, new in raw.items():
        if not old.isdecimal() or type(new) is not int:
            raise validation.InvalidValue("redirects", old, "a device number is expected", new)
    return {int(old): new for old, new in raw.items()}


def _with_parent(device: Device, devices: Mapping[int, Device]) -> Device:
    """The device, with a parent only if there is one that is not behind it."""
    if device.parent is None:
        return device
    if device.parent in devices and not identity.is_circle(device, devices):
        return device
    return replace(device, parent=None)


def _check(fleet: Fleet, devices: list[Device]) -> None:
    """What a careless hand breaks and every rule relies on. Raises ValueError."""
    if len(fleet.devices) < len(devices):
        raise ValueError("two devices have one id")
    if fleet.next_id <= max((*fleet.devices, *fleet.redirects), default=0):
        raise ValueError("next_id was given already")
    is_below = (
        fleet.next_id <= validation.HIGHEST_NUMBER + 1
        and fleet.sequence <= validation.HIGHEST_SEQUENCE
    )
    if not (is_below and fleet.next_id > 0 and fleet.sequence >= 0):
        raise ValueError("next_id or sequence is out of range")
    if len(fleet.index) < sum(len(device.identities) for device in devices):
        raise ValueError(f"two devices have one identity, {_doubled(devices)}")


def _doubled(devices: list[Device]) -> str:
    """The first identity that two devices have, and which they are."""
    known: dict[str, int] = {}
    for device in devices:
        for key in identity.keys_of(device):
            if key in known:
                return f"{key}: {known[key]} and {device.id}"
            known[key] = device.id
    return ""


def indexed(fleet: Fleet) -> Fleet:
    """The fleet with its index built from the devices."""
    devices = fleet.devices.values()
    index = {key: device.id for device in devices for key in identity.keys_of(device)}
    return replace(fleet, index=index)


_DEVICE = frozenset(one.name for one in fields(Device))
_TIMES = ("first_seen", "last_seen", "moved_at", "retired_at", "since")


def device_of(raw: Any) -> Device:
    """A device from its JSON object. Raises ValueError, which names the value."""
    if not isinstance(raw, dict):
        raise validation.InvalidValue("devices", "one of them", "an object is expected", raw)
    id = _taken(raw, "id", int, "a device")
    here = f"device {id}"
    values = {key: value for key, value in raw.items() if key in _DEVICE}
    for key in ("kind", "site"):
        _taken(raw, key, str, here)
    keys = _list(raw, "identities", here)
    values["identities"] = tuple(dict.fromkeys(_spelled(one, here) for one in keys))
    values["tags"] = tuple(_list({"tags": (), **raw}, "tags", here))
    values["never_merge"] = tuple(_list({"apart": (), **raw}, "apart", here))
    values["addresses"] = tuple(_address(one, here) for one in _list(raw, "addresses", here))
    for key in _TIMES:
        values[key] = _moment(raw, key, here)
    words = _object(raw, "words", here).items()
    values["states"] = {source: _word(one, f"{here}, words, {source}") for source, one in words}
    values["findings"] = tuple(_fault(one, here) for one in _list(raw, "findings", here))
    device = Device(**values)
    validation.check_device(device, here)
    _check_device(device, here)
    return device


def _check_device(device: Device, here: str) -> None:
    if device.id < 1:
        raise validation.InvalidValue(here, "id", "a number above 0 is expected", device.id)
    if not device.identities:
        raise validation.InvalidValue(here, "identities", "at least one is expected", [])
    if device.status not in status.WORDS:
        why = f"one of {', '.join(status.WORDS)} is expected"
        raise validation.InvalidValue(here, "status", why, device.status)
    if list_entries.SOURCE in device.facts:
        _check_row(device.facts[list_entries.SOURCE], f"{here}, facts, {list_entries.SOURCE}")


def _check_row(facts: Mapping[str, Any], here: str) -> None:
    """What the list says is text, in every cell."""
    cells = {key: facts[key] for key in (*list_entries.KEYS, "name") if facts.get(key) is not None}
    for key, text in {**cells, **_object({"columns": {}, **facts}, "columns", here)}.items():
        if not isinstance(text, str):
            raise validation.InvalidValue(here, key, "text is expected", text)


def _spelled(one: Any, here: str) -> str:
    """An identity with its MAC in the one spelling that all sources use."""
    if not isinstance(one, str):
        raise validation.InvalidValue(here, "identities", "texts are expected", one)
    if not one.lower().startswith("mac:"):
        return one
    key = identity.mac_key(one[4:])
    if key is None:
        raise validation.InvalidValue(here, "identities", "a MAC of one device is expected", one)
    return key


def _word(raw: Any, here: str) -> SourceState:
    if not isinstance(raw, dict):
        raise validation.InvalidValue(here, "it", "an object is expected", raw)
    return SourceState(
        seen_at=_moment(raw, "seen_at", here),
        missed_at=_moment(raw, "missed_at", here),
        asked=_moment(raw, "asked", here),
        misses=_taken(raw, "misses", int, here),
        reason=_taken(raw, "reason", str, here),
        scope=raw.get("scope"),
    )


def _address(raw: Any, device: str) -> AddressChange:
    here = f"{device}, addresses"
    if not isinstance(raw, dict):
        raise validation.InvalidValue(device, "addresses", "objects are expected", raw)
    return AddressChange(
        _taken(raw, "ip", str, here), _time(raw.get("at"), "at", here), raw.get("previous")
    )


def _fault(raw: Any, device: str) -> Fault:
    here = f"{device}, findings"
    if not isinstance(raw, dict):
        raise validation.InvalidValue(device, "findings", "objects are expected", raw)
    kind, text, source = (_taken(raw, key, str, here) for key in ("kind", "text", "source"))
    evidence = _object(raw, "evidence", here)
    return Fault(kind, _time(raw.get("since"), "since", here), text, source, evidence)


def _outbox(raw: Any) -> tuple[Event, ...]:
    """The events in the order of their numbers, each once: the journal takes them so."""
    found = {event.sequence: event for event in map(_event, raw)}
    return tuple(found[sequence] for sequence in sorted(found))


def _event(raw: Any) -> Event:
    here = "outbox"
    if not isinstance(raw, dict):
        raise validation.InvalidValue("the file", here, "objects are expected", raw)
    event = Event(
        sequence=_taken(raw, "sequence", int, here),
        at=_time(raw.get("at"), "at", here),
        kind=_taken(raw, "kind", str, here),
        device=raw.get("device"),
        text=_taken(raw, "text", str, here),
        before=_object(raw, "before", here),
        after=_object(raw, "after", here),
    )
    validation.check(event, here)
    return event


# -- one value of it -------------------------------------------------------------------------

_SAID = {int: "a number", str: "text", list: "a list", dict: "an object"}


def _taken(raw: Mapping[str, Any], key: str, kind: type, here: str) -> Any:
    """A value of exactly this type. Raises InvalidValue."""
    value = raw.get(key)
    if type(value) is not kind:
        raise validation.InvalidValue(here, key, f"{_SAID[kind]} is expected", value)
    return value


def _object(raw: Mapping[str, Any], key: str, here: str) -> dict[str, Any]:
    found: dict[str, Any] = _taken(raw, key, dict, here)
    return found


def _list(raw: Mapping[str, Any], key: str, here: str) -> Any:
    value = raw.get(key)
    if not isinstance(value, list | tuple):
        raise validation.InvalidValue(here, key, "a list is expected", value)
    return value


def _moment(raw: Mapping[str, Any], key: str, here: str) -> datetime | None:
    value = raw.get(key)
    return None if value is None else _time(value, key, here)


def _time(text: Any, key: str, here: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise validation.InvalidValue(here, key, "a time (ISO 8601) is expected", text) from None
    if at.tzinfo is None or not validation.is_in_range(at):
        raise validation.InvalidValue(here, key, validation.TIME, text)
    return at
