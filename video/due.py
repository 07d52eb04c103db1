"""What is to be recorded now, by schedules and by devices that record always. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Due:
    """A device that is to be recorded now, under the name and in the quality (low, medium or high)
    of its schedule. `schedule_id` is None where the device itself records always."""

    device: int
    schedule_id: int | None
    name: str
    quality: str
