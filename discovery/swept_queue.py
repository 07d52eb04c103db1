"""When devices that a source sweeps are asked by themselves, between its sweeps. Pure.

A device that was up is asked again 5 s and 15 s after its first miss, as probed devices are; one
whose access has a shorter interval than the sweeps is asked on its own. Those with a longer one are
left out of the sweeps until they are due. All times but `asked` are seconds of the monotonic clock.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from discovery.due_queue import RETRIES, phase
from fleet.model import Device, Target
from sources.source import Source

MAX_BATCH = 500
"""Devices in one question; what is left is asked with the next one."""


class SweptQueue:
    """The devices that one source asks by themselves, and when."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._devices: Mapping[int, Device] = {}
        self._retries: dict[int, list[float]] = {}
        self._often: dict[int, float] = {}
        self._next: dict[int, float] = {}

    def update(self, devices: Mapping[int, Device], now: float) -> None:
        """Take the newest snapshot: only devices that are other values are looked at."""
        before, self._devices = self._devices, devices
        if devices is before:
            return
        for id in before.keys() - devices.keys():
            self._forget(id)
        for id, device in devices.items():
            if before.get(id) is not device:
                self._renew(device, now, is_first=id not in before)

    def _renew(self, device: Device, now: float, is_first: bool) -> None:
        state, interval = device.states.get(self.source.name), own_interval(self.source, device)
        if state is None or device.retired_at is not None:
            self._forget(device.id)
            return
        if interval is None or interval >= self.source.interval:
            self._often.pop(device.id, None)
            self._next.pop(device.id, None)
        elif self._often.get(device.id) != interval:
            self._often[device.id] = interval
            self._next[device.id] = now + phase((device.id, self.source.name)) * interval
        if state.misses == 0:
            self._retries.pop(device.id, None)
        elif state.misses == 1 and state.seen_at and device.id not in self._retries:
            # What missed before this process began is left to the first sweep.
            self._retries[device.id] = [] if is_first else [now + wait for wait in RETRIES]

    def _forget(self, id: int) -> None:
        for known in (self._retries, self._often, self._next):
            known.pop(id, None)

    def due(self, now: float) -> list[int]:
        """Take the devices that are to be asked now, the longest due first."""
        retries = {id: times[0] for id, times in self._retries.items() if times and times[0] <= now}
        often = {id: at for id, at in self._next.items() if at <= now}
        both = {**often, **retries}
        ids = sorted(both, key=both.__getitem__)[:MAX_BATCH]
        for id in ids:
            if id in retries:
                self._retries[id].pop(0)
            if id in self._often:
                self._next[id] = now + self._often[id]
        return ids


def own_interval(source: Source, device: Device) -> int | None:
    """The seconds between two checks that a person set for this device, if any."""
    access = device.access.get(source.name)
    return access.interval if access else None


def due_targets(
    source: Source,
    targets: Sequence[Target],
    known: Callable[[str, str], Device | None],
    now: datetime,
) -> list[Target]:
    """The targets without those whose own interval is longer than the sweeps', and not over
    before the next one."""
    return [target for target in targets if _is_due(source, known(target.key, target.site), now)]


def _is_due(source: Source, device: Device | None, now: datetime) -> bool:
    interval = own_interval(source, device) if device else None
    state = device.states.get(source.name) if device else None
    if interval is None or interval <= source.interval or state is None or state.asked is None:
        return True
    # A clock that was set back makes everything due.
    waited = now - state.asked
    return waited >= timedelta(seconds=interval - source.interval / 2) or waited < timedelta()
