"""What is to be recorded now, by schedules and by devices that are always recorded. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.model import Device, Fleet
from video.recorded import HIGH
from video.schedule import Occurrence, Schedule, is_due, next_change, occurrences

AUTO_NAME = "Continuous recording"
"""The name of the recordings of a device with `auto_record`."""
AHEAD = timedelta(days=8)
"""How far ahead schedules are compared: a week and a day show all that repeats."""


@dataclass(frozen=True, slots=True)
class Due:
    """A device that is to be recorded now, under the name and in the quality (low, medium or high)
    of its schedule. `schedule_id` is None where the device itself is always recorded."""

    device: int
    schedule_id: int | None
    name: str
    quality: str


def due_now(schedules: Iterable[Schedule], fleet: Fleet, now: datetime) -> frozenset[Due]:
    """Everything that is due. Merged devices count as those that remain; retired and deleted ones
    are not recorded."""
    due = {
        Due(device.id, schedule.id, schedule.name, schedule.quality or quality_of(device))
        for schedule in schedules
        if is_due(schedule, now)
        for device in recorded_devices(schedule, fleet)
    }
    always = {
        Due(device.id, None, AUTO_NAME, quality_of(device))
        for device in fleet.devices.values()
        if is_always_recorded(device)
    }
    return frozenset(due | always)


def next_change_of(schedules: Iterable[Schedule], now: datetime) -> datetime | None:
    """The first moment after `now` at which one of the schedules begins or ends to be due."""
    changes = (next_change(schedule, now) for schedule in schedules)
    return min((change for change in changes if change), default=None)


def recorded_devices(schedule: Schedule, fleet: Fleet) -> list[Device]:
    """The devices that a schedule records, without retired and deleted ones."""
    numbers = followed(schedule.devices, fleet.redirects)
    devices = (fleet.devices.get(number) for number in numbers)
    return [device for device in devices if device is not None and device.retired_at is None]


def followed(devices: Sequence[int], redirects: Mapping[int, int]) -> tuple[int, ...]:
    """Numbers of devices, where those of merged records lead to the records that remain."""
    return tuple(dict.fromkeys(redirects.get(id, id) for id in devices))


def is_always_recorded(device: Device) -> bool:
    """True if the device is recorded without any schedule."""
    return is_set_to_record(device) and device.retired_at is None


def is_set_to_record(device: Device) -> bool:
    """True if the device is to be recorded without any schedule, as long as it is not retired."""
    return bool(device.recording.get("auto_record"))


def quality_of(device: Device) -> str:
    """The quality in which a device is recorded where its schedule says nothing else."""
    return str(device.recording.get("record_quality") or HIGH)


class Overlaps:
    """Which schedules are due together within the next days. The times of each are worked out once,
    however many are compared with it."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._times: dict[int, Sequence[Occurrence]] = {}

    def of(self, schedule: Schedule, others: Iterable[Schedule]) -> tuple[Schedule, ...]:
        """The others that overlap a schedule and record at least one of its devices. Such devices
        are recorded once for all of them."""
        times, devices = self._times_of(schedule), {*schedule.devices}
        return tuple(
            other
            for other in others
            if other.id != schedule.id
            and not devices.isdisjoint(other.devices)
            and _meet(times, self._times_of(other))
        )

    def _times_of(self, schedule: Schedule) -> Sequence[Occurrence]:
        if schedule.id not in self._times:
            self._times[schedule.id] = occurrences(schedule, self._now, self._now + AHEAD)
        return self._times[schedule.id]


def _meet(times: Sequence[Occurrence], others: Sequence[Occurrence]) -> bool:
    """True if any of the times overlap any of the others; both are in order."""
    at = 0
    for start, end in times:
        while at < len(others) and others[at].end <= start:
            at += 1
        if at < len(others) and others[at].start < end:
            return True
    return False
