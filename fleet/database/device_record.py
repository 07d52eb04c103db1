"""A device as the JSON object in the database file, and back."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import orjson

from fleet import access_fields, identity, recorder_list, recording, status, validation
from fleet.database import migrating_v1
from fleet.database.json_values import as_list, as_moment, as_object, as_time, as_times, exactly
from fleet.model import NOTHING, Access, AddressChange, Device, Fault, Invalid, SourceState
from fleet.validation import MISSING, InvalidValue

_TIMES = ("first_seen", "last_seen", "moved_at", "retired_at", "since")
_OPTIONAL = (
    *("moved_at", "recent_misses", "links", "findings", "parents", "never_merge", "listed"),
    *("retired_at", "kind_source", "access", "source_addresses", "claims", "interfaces"),
    *("vendor", "recording"),
)
"""Left out while empty: most devices have none, and a line stays short."""
_EMPTY_STATE = {"missed_at": None, "asked": None, "misses": 0, "reason": "", "scope": None}


def names_of(kind: type) -> tuple[str, ...]:
    """The keys that this version knows of the JSON object of a frozen value: its `extra` holds
    the others."""
    return tuple(field.name for field in fields(kind) if field.name != "extra")


_DEVICE, _ACCESS = names_of(Device), names_of(Access)
_EMPTY_ACCESS = {name: getattr(Access(), name) for name in _ACCESS}
_STATE, _FAULT, _ADDRESS = (names_of(kind) for kind in (SourceState, Fault, AddressChange))


# -- writing ------------------------------------------------------------------------------


def stored(device: Device) -> dict[str, Any]:
    """All that the file keeps of a device, ready for orjson. Of a secret it has the id."""
    values = {name: getattr(device, name) for name in _DEVICE}
    for name in _OPTIONAL:
        if not values[name]:
            del values[name]
    values["states"] = {source: _state_as_json(state) for source, state in device.states.items()}
    values["addresses"] = [plain(change, _ADDRESS) for change in device.addresses]
    if device.findings:
        values["findings"] = [plain(fault, _FAULT) for fault in device.findings]
    if device.access:
        values["access"] = {source: access_as_json(item) for source, item in device.access.items()}
    return with_extra(values, device.extra) if device.extra else values


def _state_as_json(state: SourceState) -> dict[str, Any]:
    values = plain(state, _STATE)
    for name, empty in _EMPTY_STATE.items():
        if values[name] == empty:
            del values[name]
    return values


def line(device: Device) -> bytes:
    """One device as JSON. Copied, because orjson's own bytes keep a buffer of twice the
    length: for 10,000 devices that is 90 MB."""
    return bytes(memoryview(orjson.dumps(stored(device), option=orjson.OPT_NON_STR_KEYS)))


def for_undo(device: Device) -> dict[str, Any]:
    """A device as an event keeps it to undo a merge. It has no sealed text either."""
    values: dict[str, Any] = orjson.loads(line(device))
    return values


def with_extra(known: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the keys of a newer version behind its own."""
    return known | {key: value for key, value in extra.items() if key not in known}


def plain(value: Any, names: Iterable[str]) -> dict[str, Any]:
    """A frozen value as its JSON object, in the order of the names, with its unknown keys."""
    values = {name: getattr(value, name) for name in names}
    return with_extra(values, value.extra) if value.extra else values


def unknown(raw: Mapping[str, Any], names: Container[str], where: str) -> dict[str, Any]:
    """The keys of the JSON object that this version does not know. Raises InvalidValue."""
    extra = {key: value for key, value in raw.items() if key not in names}
    if extra:
        validation.check_facts(extra, where)
    return extra


def access_as_json(access: Access) -> dict[str, Any]:
    """An access without what is empty. Of a password it has the id."""
    values = {
        name: value
        for name, default in _EMPTY_ACCESS.items()
        if (value := getattr(access, name)) != default
    }
    return with_extra(values, access.extra)


# -- reading ------------------------------------------------------------------------------


def share_texts(devices: Iterable[Any]) -> None:
    """Let equal texts in the facts of the JSON objects be one: thousands of devices have the same
    model and firmware."""
    known: dict[str, str] = {}
    for device in devices:
        sources = device.get("facts") if isinstance(device, dict) else None
        for facts in sources.values() if isinstance(sources, dict) else ():
            for key, value in facts.items() if isinstance(facts, dict) else ():
                if type(value) is str:
                    facts[key] = known.setdefault(value, value)


def device_of_event(raw: Any) -> Device:
    """A device from an event, which version 1 may have written. Raises ValueError."""
    return device_of(migrating_v1.device(raw) if migrating_v1.is_device(raw) else raw)


def device_of(raw: Any) -> Device:
    """A device from its JSON object. Raises InvalidValue."""
    if not isinstance(raw, dict):
        raise InvalidValue("devices", "a device", "an object is expected", raw)
    id = exactly(raw, "id", int, "a device")
    where = f"device {id}"
    values = {key: raw[key] for key in _DEVICE if key in raw}
    if len(values) < len(raw):
        values["extra"] = {key: value for key, value in raw.items() if key not in values}
    for key in ("kind", "site"):
        exactly(raw, key, str, where)
    keys = as_list(raw, "identities", where)
    values["identities"] = tuple(dict.fromkeys(_normalized_key(item, where) for item in keys))
    for key in _LISTS & raw.keys():
        values[key] = tuple(as_list(raw, key, where))
    values["addresses"] = tuple(_address(item, where) for item in as_list(raw, "addresses", where))
    for key in _TIMES:
        values[key] = as_moment(raw, key, where)
    states = as_object(raw, "states", where).items()
    values["states"] = {
        source: _state(item, f"{where}, states, {source}") for source, item in states
    }
    if "findings" in raw:
        values["findings"] = tuple(_fault(item, where) for item in as_list(raw, "findings", where))
    for key in _OBJECTS.keys() & raw.keys():
        values[key] = _OBJECTS[key](as_object(raw, key, where), f"{where}, {key}")
    device = Device(**values)
    validation.check_device(device, where)
    _check_device(device, where)
    return device


def _misses(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The times of the recent misses, by source and reason."""
    misses = {}
    for source in raw:
        times = as_object(raw, source, where)
        misses[source] = {
            reason: tuple(as_time(at, reason, where) for at in as_list(times, reason, where))
            for reason in times
        }
    return misses


def _access_by_source(raw: Mapping[str, Any], where: str) -> dict[str, Access]:
    """The access of each source to the device."""
    for source in raw:
        if not access_fields.WORD.fullmatch(source):
            raise InvalidValue(where, "a source", "a name like rtsp is expected", source)
    return {source: access_of(access, f"{where}, {source}") for source, access in raw.items()}


def _places(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Parse when each address was last proved, by source or by key."""
    return {key: as_times(as_object(raw, key, where), f"{where}, {key}") for key in raw}


def _recording(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The recording settings, under the rules for people. Raises InvalidValue."""
    try:
        return recording.parse(raw)
    except Invalid as error:
        raise InvalidValue(where, error.field, error.error, raw.get(error.field)) from None


_LISTS = frozenset({"tags", "parents", "never_merge"})
_OBJECTS: Mapping[str, Callable[[Mapping[str, Any], str], Any]] = {
    "recent_misses": _misses,
    "access": _access_by_source,
    "source_addresses": _places,
    "claims": as_times,
    "interfaces": _places,
    "recording": _recording,
}


def access_of(raw: Any, where: str) -> Access:
    """Parse an access, under the rules for people. Raises InvalidValue."""
    if not isinstance(raw, dict):
        raise InvalidValue(where, "it", "an object is expected", raw)
    known = {key: raw[key] for key in _ACCESS if key in raw}
    if "worked_at" in known:
        known["worked_at"] = as_moment(raw, "worked_at", where)
    access = Access(**known, extra={key: raw[key] for key in raw if key not in known})
    validation.check(access, where)
    try:
        return access_fields.validated(access)
    except Invalid as error:
        why = f"{error.error[0].lower()}{error.error[1:]}. {error.hint.removesuffix('.')}"
        raise InvalidValue(where, error.field, why, getattr(access, error.field)) from None


def _check_device(device: Device, where: str) -> None:
    if device.id < 1:
        raise InvalidValue(where, "id", "a number above 0 is expected", device.id)
    if not device.identities:
        raise InvalidValue(where, "identities", "at least one is expected", [])
    if device.status not in status.NAMES:
        why = f"one of {', '.join(status.NAMES)} is expected"
        raise InvalidValue(where, "status", why, device.status)
    if recorder_list.SOURCE in device.facts:
        _check_row(device.facts[recorder_list.SOURCE], f"{where}, facts, {recorder_list.SOURCE}")


def _check_row(facts: Mapping[str, Any], where: str) -> None:
    """Check that every cell of the list is text."""
    cells = {key: facts[key] for key in (*recorder_list.KEYS, "name") if facts.get(key) is not None}
    columns = as_object({"columns": {}, **facts}, "columns", where)
    for key, text in {**cells, **columns}.items():
        if not isinstance(text, str):
            raise InvalidValue(where, key, "text is expected", text)


def _normalized_key(key: Any, where: str) -> str:
    """An identity with its MAC in the one spelling that all sources use."""
    if not isinstance(key, str):
        raise InvalidValue(where, "identities", "texts are expected", key)
    if not key.lower().startswith("mac:"):
        return key
    mac = identity.mac(key[4:])
    if mac is None:
        raise InvalidValue(where, "identities", "a MAC of one device is expected", key)
    return f"{identity.MAC}{mac}"


def _state(raw: Any, where: str) -> SourceState:
    if not isinstance(raw, dict):
        raise InvalidValue(where, "it", "an object is expected", raw)
    return SourceState(
        seen_at=as_moment(raw, "seen_at", where),
        missed_at=as_moment(raw, "missed_at", where),
        asked=as_moment(raw, "asked", where),
        misses=exactly(raw, "misses", int, where) if "misses" in raw else 0,
        reason=exactly(raw, "reason", str, where) if "reason" in raw else "",
        scope=raw.get("scope"),
        extra=unknown(raw, _STATE, where) or NOTHING,
    )


def _address(raw: Any, device: str) -> AddressChange:
    where = f"{device}, addresses"
    if not isinstance(raw, dict):
        raise InvalidValue(device, "addresses", "objects are expected", raw)
    at: datetime = as_time(raw.get("at", MISSING), "at", where)
    extra = unknown(raw, _ADDRESS, where) or NOTHING
    return AddressChange(exactly(raw, "ip", str, where), at, raw.get("previous"), extra)


def _fault(raw: Any, device: str) -> Fault:
    where = f"{device}, findings"
    if not isinstance(raw, dict):
        raise InvalidValue(device, "findings", "objects are expected", raw)
    kind, text, source = (exactly(raw, key, str, where) for key in ("kind", "text", "source"))
    evidence = as_object(raw, "evidence", where)
    since = as_time(raw.get("since", MISSING), "since", where)
    return Fault(kind, since, text, source, evidence, unknown(raw, _FAULT, where) or NOTHING)
