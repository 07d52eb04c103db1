"""The recording settings of a device as people give them. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from fleet.model import Invalid

QUALITIES = ("low", "medium", "high")
MAX_RETENTION = 3650
"""Days."""


def parse(value: Any) -> dict[str, Any]:
    """The settings as they are kept: those alone that were given. Raises Invalid, which names the
    setting."""
    if not isinstance(value, Mapping) or not value.keys() <= CHECKS.keys():
        raise _invalid("recording", f"recording has only {', '.join(CHECKS)}", "Send these.")
    given = {name: item for name, item in value.items() if item is not None}
    for name, item in given.items():
        CHECKS[name](item)
    return given


def is_same(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """True if a device is recorded and its recordings are kept alike with both settings."""
    return _effective(before or {}) == _effective(after or {})


def _effective(settings: Mapping[str, Any]) -> tuple[bool, str, Any]:
    quality = settings.get("record_quality") or QUALITIES[-1]
    return bool(settings.get("auto_record")), quality, settings.get("retention_days")


def _check_switch(value: Any) -> None:
    if not isinstance(value, bool):
        raise _invalid("auto_record", "auto_record must be true or false", "Send one of the two.")


def _check_quality(value: Any) -> None:
    if value not in QUALITIES:
        text = f"record_quality must be {', '.join(QUALITIES[:-1])} or {QUALITIES[-1]}"
        raise _invalid("record_quality", text, "Send one of them.")


def _check_days(value: Any) -> None:
    if type(value) is not int or not 1 <= value <= MAX_RETENTION:
        raise _invalid(
            "retention_days",
            "The retention is invalid",
            f"Enter days, from 1 to {MAX_RETENTION}.",
        )


def _invalid(name: str, error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = name
    return invalid


CHECKS: Mapping[str, Callable[[Any], None]] = {
    "auto_record": _check_switch,
    "record_quality": _check_quality,
    "retention_days": _check_days,
}
"""Each setting with its check, which raises Invalid."""
