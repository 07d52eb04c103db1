"""The fleet as the bytes of `camera_database.json`, and back.

The file is one JSON object with one device a line, so that a person can read it, `grep`
it and compare two of them. Times are ISO 8601 with offset. Keys that this version does not
know are kept and written back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from fleet import identity, places, state, validation
from fleet.database import device_record, migrating_v1, parents
from fleet.database.json_values import as_list, as_object, as_time, as_times, exactly
from fleet.model import NOTHING, CredentialSet, Device, Event, Fleet, KeyWatch, Secret
from fleet.validation import MISSING, NOT_SHOWN, InvalidValue

FORMAT = "camera-monitor"
VERSION = 2
_EVENT, _SECRET, _WATCH, _CREDENTIALS = map(
    device_record.names_of, (Event, Secret, KeyWatch, CredentialSet)
)
FILE = "the file"
"""What messages call the outermost object."""


class Unreadable(Exception):
    """The bytes are damaged or not a database."""


class TooNew(Exception):
    """The file was written by a newer version of the program."""


class Encoder:
    """Encoder of fleets that remembers the line of each unchanged device."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[Device, bytes]] = {}
        self._devices: Mapping[int, Device] = {}

    def renew(self, fleet: Fleet, events: Sequence[Event] = ()) -> None:
        """Renew the lines of changed devices: a fleet in which ten changed costs ten devices.

        Raises TypeError when one of them, or of the new `events`, cannot be written.
        """
        orjson.dumps([device_record.plain(event, _EVENT) for event in events])
        if fleet.devices is self._devices:
            return
        lines = self._lines
        for id, device in fleet.devices.items():
            known = lines.get(id)
            if known is None or known[0] is not device:
                lines[id] = (device, device_record.line(device))
        if len(lines) > len(fleet.devices):
            for id in lines.keys() - fleet.devices.keys():
                del lines[id]
        self._devices = fleet.devices

    def encode(self, fleet: Fleet) -> bytes:
        """The whole file."""
        self.renew(fleet)
        head = orjson.dumps(_head(fleet), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        begin, end = b'%s,\n  "devices": [\n' % head[:-2], b"\n]}\n"
        lines = [self._lines[id][1] for id in fleet.devices]
        if not lines:
            return begin + end
        # Joined in one step: each copy of the whole costs milliseconds and as much memory again.
        lines[0] = begin + lines[0]
        lines[-1] += end
        return b",\n".join(lines)


def _head(fleet: Fleet) -> dict[str, Any]:
    head = {
        "format": FORMAT,
        "version": VERSION,
        "next_id": fleet.next_id,
        "sequence": fleet.sequence,
        "state": fleet.state,
        "redirects": fleet.redirects,
        "secrets": {
            id: device_record.plain(secret, _SECRET) for id, secret in fleet.secrets.items()
        },
        "disputed": fleet.disputed,
        "watched": {
            key: device_record.plain(watch, _WATCH) for key, watch in fleet.watched.items()
        },
        "ignored": fleet.ignored,
        "credentials": {
            id: device_record.plain(entry, _CREDENTIALS) for id, entry in fleet.credentials.items()
        },
        "outbox": [device_record.plain(event, _EVENT) for event in fleet.outbox],
    }
    extra = {key: value for key, value in fleet.extra.items() if key != "devices"}
    return device_record.with_extra(head, extra)


KEYS = frozenset({*_head(Fleet()), "devices"})
"""What this version knows of the outermost object."""


def decode(data: bytes) -> Fleet:
    """The fleet in the bytes of our own format. Raises Unreadable or TooNew."""
    return fleet_of(parsed(data))


def fleet_of(raw: Mapping[str, Any]) -> Fleet:
    """The fleet in the JSON object of our own format. Raises Unreadable or TooNew."""
    if raw.get("format") != FORMAT:
        raise Unreadable("it is not a Camera Monitor database")
    if type(raw.get("version")) is not int:
        raise Unreadable("it has no version number")
    if raw["version"] > VERSION:
        raise TooNew(f"it has format {raw.get('version')}; this version reads up to {VERSION}")
    try:
        return _of_version_1(raw) if is_version_1(raw) else _fleet(raw)
    except ValueError as error:
        raise Unreadable(f"it contains an invalid value ({error})") from error


def is_version_1(raw: Mapping[str, Any]) -> bool:
    """True if the object is of our own format, in its first version."""
    version = raw.get("version")
    return raw.get("format") == FORMAT and type(version) is int and version < VERSION


def _of_version_1(raw: Mapping[str, Any]) -> Fleet:
    """Migrate an object of version 1. Raises ValueError with the names that the file uses."""
    try:
        return _fleet(migrating_v1.migrated(raw))
    except InvalidValue as error:
        where, name = (migrating_v1.old_name(text) for text in (error.location, error.name))
        raise InvalidValue(where, name, error.reason, error.value) from error


BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in the bytes, behind a byte order mark too. Raises Unreadable."""
    try:
        raw = orjson.loads(data.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is not complete JSON ({error})") from error
    if not isinstance(raw, dict):
        raise Unreadable("it is not a JSON object")
    return raw


def _fleet(raw: Mapping[str, Any]) -> Fleet:
    raw = {"secrets": {}, "disputed": {}, "watched": {}, "ignored": {}, "credentials": {}, **raw}
    listed = as_list(raw, "devices", FILE)
    device_record.share_texts(listed)
    devices = [device_record.device_of(item) for item in listed]
    by_id = {device.id: device for device in devices}
    redirects = _redirects(as_object(raw, "redirects", FILE))
    outbox = _outbox(as_list(raw, "outbox", FILE))
    last = outbox[-1].sequence if outbox else 0
    ignored = as_object(raw, "ignored", FILE)
    extra = {key: value for key, value in raw.items() if key not in KEYS}
    validation.check_facts(extra, FILE)
    fleet = indexed(
        Fleet(
            devices=parents.checked(by_id),
            redirects={old: new for old, new in redirects.items() if old not in by_id},
            next_id=exactly(raw, "next_id", int, FILE),
            sequence=max(last, exactly(raw, "sequence", int, FILE)),
            outbox=outbox,
            state=dict(state.checked(as_object(raw, "state", FILE))),
            secrets=_secrets(as_object(raw, "secrets", FILE)),
            disputed=as_times(as_object(raw, "disputed", FILE), f"{FILE}, disputed"),
            watched=_watched(as_object(raw, "watched", FILE)),
            ignored={key: as_object(ignored, key, "ignored") for key in ignored},
            credentials=_credentials(as_object(raw, "credentials", FILE)),
            extra=extra,
        )
    )
    validation.check_facts(fleet.ignored, "ignored")
    _check(fleet, devices)
    return fleet


def _redirects(raw: Mapping[str, Any]) -> dict[int, int]:
    for old, new in raw.items():
        if not old.isdecimal() or type(new) is not int:
            raise InvalidValue("redirects", old, "a device number is expected", new)
    return {int(old): new for old, new in raw.items()}


def _watched(raw: Mapping[str, Any]) -> dict[str, KeyWatch]:
    watched = {}
    for key in raw:
        where, entry = f"watched, {key}", as_object(raw, key, "watched")
        since, at = (as_time(entry.get(name, MISSING), name, where) for name in ("since", "at"))
        extra = device_record.unknown(entry, _WATCH, where) or NOTHING
        watched[key] = KeyWatch(exactly(entry, "address", str, where), since, at, extra)
    return watched


def _secrets(raw: Mapping[str, Any]) -> dict[str, Secret]:
    secrets = {}
    for number, (id, entry) in enumerate(raw.items(), start=1):
        where = f"secrets, number {number}"
        if not isinstance(entry, dict):
            raise InvalidValue(where, "it", "an object is expected", NOT_SHOWN)
        if not isinstance(entry.get("sealed"), str):
            raise InvalidValue(where, "sealed", "text is expected", NOT_SHOWN)
        device = exactly(entry, "device", int, where)
        extra = device_record.unknown(entry, _SECRET, where)
        secrets[id] = Secret(entry["sealed"], device, extra)
        validation.check(secrets[id], where)
    return secrets


def _credentials(raw: Mapping[str, Any]) -> dict[str, CredentialSet]:
    sets = {}
    for id in raw:
        where, entry = f"credentials, {id}", as_object(raw, id, "credentials")
        name, username = (exactly(entry, key, str, where) for key in ("name", "username"))
        extra = device_record.unknown(entry, _CREDENTIALS, where)
        sets[id] = CredentialSet(name, username, entry.get("secret"), extra or NOTHING)
        validation.check(sets[id], where)
    return sets


def _check(fleet: Fleet, devices: list[Device]) -> None:
    """Check what every rule relies on and a manual edit can break. Raises ValueError."""
    if len(fleet.devices) < len(devices):
        raise ValueError("two devices have the same id")
    if fleet.next_id <= max((*fleet.devices, *fleet.redirects), default=0):
        raise ValueError("next_id is already in use")
    is_below = (
        fleet.next_id <= validation.HIGHEST_NUMBER + 1
        and fleet.sequence <= validation.HIGHEST_SEQUENCE
    )
    if not (is_below and fleet.next_id > 0 and fleet.sequence >= 0):
        raise ValueError("next_id or sequence is out of range")
    if len(fleet.index) < sum(len(device.identities) for device in devices):
        raise ValueError(f"two devices have the same identity, {_doubled(devices)}")


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
    """The fleet with its indexes built from the devices."""
    devices = fleet.devices.values()
    index = {key: device.id for device in devices for key in identity.keys_of(device)}
    ids: dict[str, list[int]] = {}
    for device in devices:
        for key in places.references_of(device):
            ids.setdefault(key, []).append(device.id)
    references = {key: tuple(sorted(ids[key])) for key in ids}
    return replace(fleet, index=index, references=references)


def _outbox(raw: Any) -> tuple[Event, ...]:
    """The events in the order of their numbers, each once: the journal takes them so."""
    by_sequence = {event.sequence: event for event in map(_event, raw)}
    return tuple(by_sequence[sequence] for sequence in sorted(by_sequence))


def _event(raw: Any) -> Event:
    where = "outbox"
    if not isinstance(raw, dict):
        raise InvalidValue(FILE, where, "objects are expected", raw)
    event = Event(
        sequence=exactly(raw, "sequence", int, where),
        at=as_time(raw.get("at", MISSING), "at", where),
        kind=exactly(raw, "kind", str, where),
        device=raw.get("device"),
        text=exactly(raw, "text", str, where),
        before=as_object(raw, "before", where),
        after=as_object(raw, "after", where),
        extra=device_record.unknown(raw, _EVENT, where),
    )
    validation.check(event, where)
    return event
