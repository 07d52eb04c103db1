"""Validate values that enter the fleet or are read from its file. Pure.

The types of the frozen values in fleet.model are the rule. A value that the file could not
hold, or would give back as another one, does not fit.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

import orjson

from fleet.model import (
    Access,
    AddressChange,
    Device,
    Edit,
    Event,
    Facts,
    Fault,
    Report,
    Sighting,
    SourceState,
)

MAX_DEPTH = 32
"""Levels of lists and objects in one value; a JSON library gives up at 254 in a whole file."""
TIME = "a time with offset, from 1970 on, is expected"
AROUND = 8
"""Levels more in an event or an edit, which may hold devices."""
LARGEST = 2**64
HIGHEST_NUMBER = 2**31 - 1
"""What every database takes as a number."""
HIGHEST_SEQUENCE = 2**62
"""Of events: far below what a database takes."""
HIDDEN = ("secret", "access", "extra", "before", "after")
"""In what is called so a value may be a password: messages do not quote it."""
NOT_SHOWN = "(not shown)"
"""Replaces a value in InvalidValue that may hold anything, so that no message quotes it."""
EARLIEST, LATEST = 1970, 9000
"""Years."""


MISSING = object()
"""The value of a key that is not there."""


class InvalidValue(ValueError):
    """A value is invalid: `location` and `name` say where it is, `reason` what is expected."""

    def __init__(self, location: str, name: str, reason: str, value: Any) -> None:
        self.location, self.name, self.reason, self.value = location, name, reason, value
        is_hidden = any(text in f"{location} {name}" for text in HIDDEN)
        if value is MISSING:
            super().__init__(f"{location}: {name} is missing, {reason}")
            return
        shown = NOT_SHOWN if is_hidden or value is NOT_SHOWN else _shown(value)
        super().__init__(f"{location}: {name} is {shown}, {reason}")


def _shown(value: Any) -> str:
    """A value as the file has it, not too long."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- one value -----------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return "text is expected"
    return "" if value.isascii() or _is_whole(value) else "it contains invalid characters"


def _is_whole(text: str) -> bool:
    """True without lone surrogates, which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: Any) -> str:
    is_valid = type(value) is int and 0 <= value <= HIGHEST_NUMBER
    return "" if is_valid else f"a number from 0 to {HIGHEST_NUMBER} is expected"


def _seconds(value: Any) -> str:
    is_valid = type(value) in (int, float) and math.isfinite(value)
    return "" if is_valid else "a number is expected"


def _sequence(value: Any) -> str:
    is_valid = type(value) is int and 0 <= value <= HIGHEST_SEQUENCE
    return "" if is_valid else "a number is expected"


def _yes_no(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false is expected"


def _moment(value: Any) -> str:
    is_valid = isinstance(value, datetime) and value.tzinfo is not None
    return "" if is_valid and is_in_range(value) else TIME


def is_in_range(at: datetime) -> bool:
    """True if one can reckon with the time: every offset and every length of time has room."""
    return EARLIEST <= at.year <= LATEST


def _json(value: Any, depth: int = 0) -> str:
    """The reason why a value cannot be written as JSON and read back as the same."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "" if value.isascii() else _text(value)
    if type(value) is int:
        return "" if -LARGEST // 2 <= value < LARGEST else "it contains a number beyond 64 bits"
    if type(value) is float:
        return "" if math.isfinite(value) else "it contains a number that is not finite"
    if depth >= MAX_DEPTH:
        return "it is nested too deeply"
    if isinstance(value, list | tuple):
        return next((why for item in value if (why := _json(item, depth + 1))), "")
    if isinstance(value, Mapping):
        return _object(value, depth)
    return f"it contains a value of type {type(value).__name__}"


def _object(value: Any, depth: int = 0) -> str:
    if not isinstance(value, Mapping):
        return "an object is expected"
    for key, item in value.items():
        if not isinstance(key, str):
            return "it contains a key that is not text"
        if why := (not key.isascii() and _text(key)) or _json(item, depth + 1):
            return why
    return ""


def _each_item(test: Callable[[Any], str]) -> Callable[[Any], str]:
    """The test of a list: each item passes `test`."""

    def test_items(value: Any) -> str:
        if not isinstance(value, list | tuple):
            return "a list is expected"
        return next((why for item in value if (why := test(item))), "")

    return test_items


def _each_value(test: Callable[[Any], str]) -> Callable[[Any], str]:
    """The test of an object: each value passes `test`."""

    def test_items(value: Any) -> str:
        if not isinstance(value, Mapping):
            return "an object is expected"
        return next((why for key in value if (why := _text(key) or test(value[key]))), "")

    return test_items


def _or_none(test: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "" if value is None else test(value)


def count(number: int) -> int:
    """A count that is never higher than the file takes it back."""
    return min(number, HIGHEST_NUMBER)


# -- whole records -------------------------------------------------------------------------

_TYPES: dict[Any, Callable[[Any], str]] = {
    str: _text,
    int: _number,
    float: _seconds,
    bool: _yes_no,
    datetime: _moment,
    str | None: _or_none(_text),
    int | None: _or_none(_number),
    float | None: _or_none(_seconds),
    datetime | None: _or_none(_moment),
    tuple[str, ...]: _each_item(_text),
    tuple[int, ...]: _each_item(_number),
    tuple[int, ...] | None: _or_none(_each_item(_number)),
    Facts: _object,
    Mapping[str, str]: _each_value(_text),
    Mapping[str, Facts]: _each_value(_object),
    Mapping[str, SourceState]: _each_value(lambda value: ""),
    Mapping[str, Access]: _each_value(lambda value: ""),
    Mapping[str, datetime]: _each_value(_moment),
    Mapping[str, Mapping[str, datetime]]: _each_value(_each_value(_moment)),
    Mapping[str, Mapping[str, tuple[datetime, ...]]]: _each_value(_each_value(_each_item(_moment))),
    tuple[AddressChange, ...]: _each_item(lambda value: ""),
    tuple[Fault, ...]: _each_item(lambda value: ""),
}
"""Values of other types are not validated; the code that creates them must keep them valid."""


def _test_of(kind: type, name: str, type_: Any) -> Callable[[Any], str]:
    if name == "sequence":
        return _sequence
    if type_ == Facts and kind in (Edit, Event):
        # What undoes a merge holds two whole devices.
        return lambda value: _object(value, -AROUND)
    return _TYPES.get(type_, lambda value: "")


@cache
def _tests_of(kind: Any) -> list[tuple[str, Callable[[Any], str]]]:
    return [(field.name, _test_of(kind, field.name, field.type)) for field in fields(kind)]


def check(record: Any, where: str) -> None:
    """Raise InvalidValue for the first value of a frozen record that is of another type."""
    for name, test in _tests_of(record.__class__):
        value = getattr(record, name)
        if why := test(value):
            raise InvalidValue(where, name, why, value)


def check_device(device: Device, where: str) -> None:
    """Check a device with everything that it holds."""
    check(device, where)
    for source, state in device.states.items():
        check(state, f"{where}, states, {source}")
    for source, access in device.access.items():
        check(access, f"{where}, access, {source}")
    for change in device.addresses:
        check(change, f"{where}, addresses")
    for fault in device.findings:
        check(fault, f"{where}, findings")


def check_report(report: Report) -> None:
    """Raise InvalidValue for a report that must not enter."""
    check(report, origin_of(report))
    if isinstance(report, Sighting) and not report.identities:
        raise InvalidValue(report.source, "identities", "at least one is expected", ())
    if isinstance(report, Sighting) and report.learned is not None:
        check(report.learned, report.source)


def check_facts(facts: Any, where: str) -> None:
    """Raise InvalidValue for a value that cannot be written as a JSON object. It names the key, and
    quotes nothing: what this version does not know may be a password."""
    if why := _object(facts):
        keys = facts if isinstance(facts, Mapping) else ()
        names = (key for key in keys if not _text(key) and _object({key: facts[key]}))
        raise InvalidValue(where, next(names, "it")[:60], why, NOT_SHOWN)


def origin_of(report: Any) -> str:
    """The author of a report, for messages."""
    named = getattr(report, "source", None) or getattr(report, "scope", None)
    return str(named or getattr(report, "by", None) or type(report).__name__)[:60]
