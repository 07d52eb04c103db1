"""What people set for picture health of each camera, and the check of what they send."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime, time, tzinfo
from threading import Lock
from typing import TYPE_CHECKING, Any

from fleet import identity
from fleet.merged import own_number
from fleet.model import Fleet, Invalid
from picture_health import health_rows as rows
from picture_health.camera_health import LEVELS, MODES, CameraSettings
from picture_health.expected_hours import ExpectedHours, expected_until

if TYPE_CHECKING:
    from sqlalchemy import Engine

SHORTEST, LONGEST = 30, 86_400
"""Seconds between two samples of a camera."""
LOCAL_INTERVAL = 900
"""At least, for a camera of this server without an interval of its own: each of its samples is a
picture in full size."""
MOST_HOURS = 20
KEYS = tuple(field.name for field in fields(CameraSettings))
KEYS_OF_HOURS = frozenset(("days", "starts", "ends"))
DEFAULT = CameraSettings()


class HealthSettings:
    """The settings of all cameras. `default`: seconds between two samples where a camera has no
    interval of its own; 0: none. `zone` is that of this server. A record for which nothing was set
    has the settings of one that was merged into it. Methods raise Unreachable."""

    def __init__(
        self,
        engine: "Engine",
        default: int,
        zone: Callable[[], tzinfo],
        fleet: Callable[[], Fleet],
    ) -> None:
        self.default = default
        self._fleet = fleet
        self.zone = zone
        self._engine = engine
        self._lock = Lock()
        self._own: Mapping[int, CameraSettings] = {}

    def open(self) -> None:
        """Load what is set; the tables must exist."""
        with self._lock:
            self._own = rows.settings(self._engine)

    def of(self, device: int) -> CameraSettings:
        """The settings of a camera."""
        own = self._own
        number = own_number(own, self._fleet(), device)
        return DEFAULT if number is None else own[number]

    def interval_of(self, device: int) -> int:
        """Seconds between two samples of a camera; 0: none are taken by themselves."""
        interval = self.of(device).interval
        return self.default_of(device) if interval is None else interval

    def default_of(self, device: int) -> int:
        """Seconds between two samples of a camera without an interval of its own."""
        known = self._fleet().devices.get(device)
        keys = known.identities if known else ()
        is_local = any(key.startswith(identity.LOCAL) for key in keys)
        return max(self.default, LOCAL_INTERVAL) if self.default and is_local else self.default

    def expected_until(self, device: int, now: datetime) -> datetime | None:
        """When the expected hours end in which a camera is now; None if it is in none."""
        hours = self.of(device).expected_hours
        return expected_until(hours, now, self.zone()) if hours else None

    def change(self, device: int, changes: Mapping[str, Any]) -> CameraSettings:
        """Change some settings of a camera and return all. Raises Invalid."""
        checked = {key: _checked(key, value) for key, value in changes.items()}
        with self._lock:
            values = replace(self.of(device), **checked)
            rows.set_settings(self._engine, device, values)
            self._own = {**self._own, device: values}
        return values

    def forget(self, devices: frozenset[int]) -> None:
        """Leave out devices whose rows were deleted."""
        with self._lock:
            self._own = {id: own for id, own in self._own.items() if id not in devices}


def _checked(key: str, value: Any) -> Any:
    """The value of a setting. Raises Invalid."""
    match key:
        case "mode":
            return _choice(key, value, MODES)
        case "sensitivity":
            return _choice(key, value, LEVELS)
        case "interval":
            return _interval(value)
        case "repeats":
            if not isinstance(value, bool):
                raise _invalid(key, "repeats must be true or false", "Send true or false.")
            return value
        case "expected_hours":
            return _hours(value)
    raise _invalid(key, f"There is no setting {key!r}", f"Use {', '.join(KEYS)}.")


def _choice(key: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise _invalid(key, f"{key} {value!r} is invalid", f"Use {', '.join(choices)}.")
    return str(value)


def _interval(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not SHORTEST <= value <= LONGEST:
        raise _invalid(
            "interval",
            f"The interval {value!r} is invalid",
            f"Enter {SHORTEST} to {LONGEST} seconds, or nothing for that of all cameras.",
        )
    return value


def _hours(value: Any) -> tuple[ExpectedHours, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_HOURS:
        raise _invalid_hours(f"At most {MOST_HOURS} expected hours are possible")
    return tuple(_hours_of(each) for each in value)


def _hours_of(value: Any) -> ExpectedHours:
    if isinstance(value, ExpectedHours):
        return value
    if not isinstance(value, Mapping) or value.keys() != KEYS_OF_HOURS:
        raise _invalid_hours("Expected hours need days, starts and ends, and nothing else")
    days = value["days"]
    if not isinstance(days, list | tuple) or not all(
        isinstance(day, int) and not isinstance(day, bool) and 0 <= day <= 6 for day in days
    ):
        raise _invalid_hours("The days of expected hours are invalid")
    if not days:
        raise _invalid_hours("Expected hours have no day")
    return ExpectedHours(tuple(sorted(set(days))), _time(value["starts"]), _time(value["ends"]))


def _time(value: Any) -> time:
    try:
        if len(value) != 5:
            raise ValueError(value)
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        raise _invalid_hours(f"The time {value!r} is invalid") from None


def _invalid_hours(error: str) -> Invalid:
    hint = "Give days from 0 (Monday) to 6 (Sunday), and times such as 22:00."
    return _invalid("expected_hours", error, hint)


def _invalid(field: str, error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = field
    return invalid
