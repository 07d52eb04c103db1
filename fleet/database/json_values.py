"""Read one value of a parsed JSON object. Every function raises InvalidValue.

`where` names the object for a person ("device 12, states, panasonic").
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from fleet.validation import MISSING, TIME, InvalidValue, is_in_range

_EXPECTED = {int: "a number", str: "text", list: "a list", dict: "an object"}


def exactly(raw: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """A value of exactly this type."""
    value = raw.get(key, MISSING)
    if type(value) is not kind:
        raise InvalidValue(where, key, f"{_EXPECTED[kind]} is expected", value)
    return value


def as_object(raw: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value: dict[str, Any] = exactly(raw, key, dict, where)
    return value


def as_list(raw: Mapping[str, Any], key: str, where: str) -> Any:
    value = raw.get(key, MISSING)
    if not isinstance(value, list | tuple):
        raise InvalidValue(where, key, "a list is expected", value)
    return value


def as_moment(raw: Mapping[str, Any], key: str, where: str) -> datetime | None:
    value = raw.get(key)
    return None if value is None else as_time(value, key, where)


def as_times(raw: Mapping[str, Any], where: str) -> dict[str, datetime]:
    """An object whose values are times."""
    return {name: as_time(at, name, where) for name, at in raw.items()}


_time_of = lru_cache(maxsize=1024)(datetime.fromisoformat)
"""One value for the times of a device that are equal: most of them are, and of those in a scan."""


def as_time(text: Any, key: str, where: str) -> datetime:
    try:
        at = _time_of(text)
    except (TypeError, ValueError):
        raise InvalidValue(where, key, "a time (ISO 8601) is expected", text) from None
    if at.tzinfo is None or not is_in_range(at):
        raise InvalidValue(where, key, TIME, text)
    return at
