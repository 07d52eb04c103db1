"""Sample all cameras in their intervals: spread over their interval, a few at a time."""

import logging
from collections.abc import Callable, Mapping
from math import ceil
from threading import Event, Lock, Thread
from time import monotonic

from fleet.model import Device, Fleet
from fleet.pictures import NotOffered, NotTaken
from fleet.status import DOWN
from picture_health.camera_settings import HealthSettings
from picture_health.facade import OFFLINE, PictureHealth
from picture_health.sampling import Sampling, open_faults

log = logging.getLogger(__name__)
MOST_AT_ONCE = 12
LEAST_AT_ONCE = 4
"""Samples at once with few cameras: some can hang, and keep none of the others."""
SLOW = 6.0
"""Seconds after which a sample no longer takes one of these places, as it may hang."""
MOST_THREADS = 36
SECONDS_OF_A_SAMPLE = 3.5
"""Of a stream that is opened for it, with a key frame every four seconds."""
SUSPECTED_WITHIN = 60.0
"""Seconds until the next sample of a camera that may be faulty, if its interval is longer."""
BACK_WITHIN = 20.0
"""Seconds over which cameras are spread that came back."""
PLAN_EVERY = 10.0
REST = 900.0
"""Seconds for which a device that offers no picture is left alone."""
BUSY = 5.0
"""Seconds until the next attempt where the system gives no other thread."""
GOLDEN = 0.618033988749895
"""Multiples of it lie far apart, however many there are (Weyl's sequence)."""


class Sampler:
    """Runs in a thread of its own from `start` to `stop`, and each sample in another one.
    `statuses` has the status of each device."""

    def __init__(
        self,
        health: PictureHealth,
        settings: HealthSettings,
        fleet: Callable[[], Fleet],
        statuses: Callable[[], Mapping[int, str]],
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.most_at_once = LEAST_AT_ONCE
        self._health = health
        self._sampling: Sampling = health.sampling
        self._settings = settings
        self._fleet = fleet
        self._statuses = statuses
        self._timer = timer
        self._lock = Lock()
        self._due: dict[int, float] = {}
        """When each camera is to be sampled next, by the timer."""
        self._intervals: dict[int, float] = {}
        self._flying: dict[int, float] = {}
        """The samples that are being taken, and since when."""
        self._failed: set[int] = set()
        """Cameras whose last sample failed; it may have waited for its whole time."""
        self._planned_at: float | None = None
        self._wake = Event()
        self._ends = False

    def start(self) -> None:
        """Begin to sample."""
        Thread(target=self._run, name="picture-health", daemon=True).start()

    def stop(self) -> None:
        """Begin no other sample."""
        self._ends = True
        self._wake.set()

    def _run(self) -> None:
        while not self._ends:
            try:
                wait = self.turn()
            except Exception:
                log.exception("Internal error in picture health")
                wait = PLAN_EVERY
            self._wake.wait(wait)
            self._wake.clear()

    def turn(self) -> float:
        """Begin the samples that are due; seconds until the next turn, at most."""
        now = self._timer()
        if self._planned_at is None or now >= self._planned_at + PLAN_EVERY:
            self._plan(now)
        for device in self._next(now):
            try:
                Thread(target=self._sample, args=(device,), name="sample", daemon=True).start()
            except RuntimeError:  # The system gives no other thread.
                self._put_off(device, now + BUSY)
        with self._lock:
            # Those without a place wait for the end of a sample, which wakes this thread.
            without_place = self._flying.keys() | (self._failed if self._half_is_full() else set())
            waiting = [at for device, at in self._due.items() if device not in without_place]
            is_full = self._free_places(now) <= 0
        coming = 1.0 if is_full else min(waiting, default=now + PLAN_EVERY) - now
        return min(max(coming, 0.1), PLAN_EVERY)

    def _next(self, now: float) -> list[int]:
        """Which samples to begin. Cameras that failed before get half of the places: those that
        hang keep none of the others waiting."""
        begun: list[int] = []
        with self._lock:
            places = 0 if self._ends else self._free_places(now)
            for _at, device in sorted((at, id) for id, at in self._due.items() if at <= now):
                if len(begun) >= places:
                    break
                if device in self._flying or (device in self._failed and self._half_is_full()):
                    continue
                self._flying[device] = now
                begun.append(device)
        return begun

    def _half_is_full(self) -> bool:
        return len(self._flying.keys() & self._failed) >= self.most_at_once // 2

    def _free_places(self, now: float) -> int:
        quick = sum(now - since < SLOW for since in self._flying.values())
        return min(self.most_at_once - quick, MOST_THREADS - len(self._flying))

    def _put_off(self, device: int, until: float) -> None:
        with self._lock:
            del self._flying[device]
            if device in self._due:
                self._due[device] = until

    def _sample(self, device: int) -> None:
        """Sample a camera, and note when it is due again."""
        failed, rest = False, 0.0
        try:
            self._sampling.sample(device)
        except NotOffered:
            rest = REST
        except NotTaken:
            failed = True
        except Exception:
            log.exception("Internal error while sampling device %d", device)
        interval = float(self._settings.interval_of(device)) or PLAN_EVERY
        course = self._sampling.watched(device).course
        is_suspected = bool(course.findings or course.showing)
        with self._lock:
            (self._failed.add if failed else self._failed.discard)(device)
            del self._flying[device]
            if device in self._due:
                now, before = self._timer(), self._due[device]
                soon = min(interval, SUSPECTED_WITHIN)
                again = now + soon if is_suspected else max(before + interval, now)
                self._due[device] = max(again, now + rest)
        self._wake.set()

    # -- which cameras -------------------------------------------------------------------

    def _plan(self, now: float) -> None:
        """Note which cameras are sampled; end the findings of those that no longer are."""
        is_first, self._planned_at = self._planned_at is None, now
        statuses, devices = self._statuses(), self._fleet().devices
        wanted = {
            device.id: float(self._settings.interval_of(device.id))
            for device in devices.values()
            if self._is_wanted(device, statuses.get(device.id, ""))
        }
        rate = sum(1 / interval for interval in wanted.values())
        with self._lock:
            self._due = {
                device: self._due[device]
                if self._intervals.get(device) == interval
                else now + device * GOLDEN % 1 * (interval if is_first else BACK_WITHIN)
                for device, interval in wanted.items()
            }
            self._intervals = wanted
            self._failed &= wanted.keys()
            at_once = ceil(rate * SECONDS_OF_A_SAMPLE)
            self.most_at_once = min(max(at_once, LEAST_AT_ONCE), MOST_AT_ONCE)

    def _is_wanted(self, device: Device, status: str) -> bool:
        if self._health.why_off(device) or self._health.expected_until(device.id):
            if open_faults(device) or self._sampling.watched(device.id).course.showing:
                self._health.settle(device)
            return False
        if status in DOWN:
            self._sampling.miss(device.id, OFFLINE)
            return False
        return True
