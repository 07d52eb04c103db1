"""Take a still of a camera: by the first way that gives a picture, once for all who ask."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Lock, Thread
from time import monotonic

from fleet.model import Finding, Fleet
from fleet.pictures import (
    MOST_BYTES,
    NO_THREAD,
    NotOffered,
    NotTaken,
    TakenPicture,
    checked,
    no_way,
    without_frames,
)
from stills.model import ASKED, Still
from stills.shelf import Shelf
from store.sql import Unreachable

log = logging.getLogger(__name__)
LOCAL, SNAPSHOT, STREAM = "local", "snapshot", "stream"
"""The names of ways: a camera of this machine, the snapshot link of a device, its stream."""
TIMEOUT = 30.0
"""Seconds for all ways together: a stream can have a key frame every ten."""
GRACE = 5.0
"""Seconds beyond the limit, for a way that keeps it and for the disk."""
MOST_AT_ONCE = 32
"""Devices of which a still is being taken at the same time."""
MOST_HELD = 4 * MOST_BYTES
"""Bytes of all pictures that wait for the disk."""
REST = 3600.0
"""Seconds for which a broken snapshot is not tried again."""
BROKEN_AFTER = 2
"""Snapshots in a row that fail while the stream gives a picture, before that is a finding."""
BROKEN, SOURCE = "snapshot.broken", "stills"
STOPPING = "Camera Monitor is stopping."


@dataclass(frozen=True, slots=True)
class Way:
    """One way to take a picture. `take` blocks for so many seconds at most; it raises NotOffered
    where the device does not have it, and NotTaken where it fails."""

    name: str
    take: Callable[[int, float], TakenPicture]


@dataclass(slots=True)
class _Flight:
    """A still that is being taken, and what came of it."""

    is_over: Event = field(default_factory=Event)
    still: Still | None = None
    error: Exception | None = None


class Stills:
    """Stills of all devices. `ways` are tried in their order. `report` takes findings to the fleet.

    Of each device one is taken at a time, and all who ask meanwhile get that one. It runs in a
    thread of its own, so a way that hangs keeps nobody longer than the limit, and nothing piles up
    behind it.
    """

    def __init__(
        self,
        shelf: Shelf,
        ways: Sequence[Way],
        fleet: Callable[[], Fleet],
        report: Callable[[Sequence[Finding]], object],
        clock: Callable[[], datetime],
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.shelf = shelf
        self.ways = tuple(ways)
        self._fleet = fleet
        self._report = report
        self._clock = clock
        self._timer = timer
        self._lock = Lock()
        self._flights: dict[int, _Flight] = {}
        self._failures: dict[int, int] = {}
        self._rests: dict[int, float] = {}
        self._held = 0
        self._ends = False

    def take(
        self,
        device: int,
        timeout: float = TIMEOUT,
        why: str = ASKED,
        slot: datetime | None = None,
    ) -> Still:
        """Take a still now, or wait for the one that is being taken. Raises NotTaken (NotOffered
        where the device has no way), and Unreachable."""
        device = self._fleet().redirects.get(device, device)
        with self._lock:
            flight = self._flights.get(device)
            is_new = flight is None
            if flight is None:
                flight = self._begin(device, timeout, why, slot)
        if not flight.is_over.wait(timeout + GRACE):
            raise NotTaken(
                f"The camera has not given a picture within {timeout:.0f} s.",
                "Check its power and network cable.",
            )
        if flight.error is not None:
            raise without_frames(flight.error)
        if flight.still is None:
            raise RuntimeError("a still that was taken is missing")
        if slot is not None and not is_new:
            self.shelf.give_slot(flight.still, slot)
        return flight.still

    def is_taking(self, device: int) -> bool:
        """True while a still of that device is being taken."""
        return device in self._flights

    def stop(self) -> None:
        """Take no other still, and let nobody wait for one: what a way does ends with the program
        or by its own limit."""
        with self._lock:
            self._ends = True
            for flight in self._flights.values():
                flight.error = flight.error or NotTaken(STOPPING)
                flight.is_over.set()

    def _begin(self, device: int, timeout: float, why: str, slot: datetime | None) -> _Flight:
        if self._ends:
            raise NotTaken(STOPPING)
        if device not in self._fleet().devices:
            raise NotTaken(f"Device {device} does not exist.", "Reload the page.")
        if len(self._flights) >= MOST_AT_ONCE:
            raise NotTaken(
                f"{MOST_AT_ONCE} stills are being taken already.", "Try again in a moment.", 5.0
            )
        flight = _Flight()
        given = (flight, device, timeout, why, slot)
        try:
            Thread(target=self._run, args=given, name="still", daemon=True).start()
        except RuntimeError:
            raise NotTaken(*NO_THREAD) from None
        self._flights[device] = flight
        return flight

    def _run(
        self, flight: _Flight, device: int, timeout: float, why: str, slot: datetime | None
    ) -> None:
        try:
            flight.still = self._kept(device, timeout, why, slot)
        except (NotTaken, Unreachable) as error:
            flight.error = without_frames(error)
        except Exception:
            log.exception("Internal error while taking a still of device %d", device)
            flight.error = NotTaken("An internal error occurred.", "See the log of the server.")
        finally:
            with self._lock:
                self._flights.pop(device, None)
            flight.is_over.set()
        if flight.still is not None:
            self.shelf.thumbnail(flight.still)

    def _kept(self, device: int, timeout: float, why: str, slot: datetime | None) -> Still:
        picture = self._picture(device, self._timer() + timeout)
        size = len(picture.data)
        with self._lock:
            if self._held and self._held + size > MOST_HELD:
                raise NotTaken("Other large pictures are being saved.", "Try again soon.", 5.0)
            self._held += size
        try:
            return self.shelf.keep(device, picture, why, slot)
        finally:
            del picture
            with self._lock:
                self._held -= size

    def _picture(self, device: int, deadline: float) -> TakenPicture:
        """The picture of the first way that gives one."""
        failures: dict[str, NotTaken] = {}
        ways = self._ordered(device)
        for number, way in enumerate(ways, start=1):
            left = deadline - self._timer()
            if failures and left <= 0:
                break
            if way.name == SNAPSHOT and number < len(ways):
                left /= 2  # The next way needs its time, too.
            try:
                picture = checked(way.take(device, left))
            except NotOffered:
                if way.name == SNAPSHOT:
                    self._note_well(device)
                continue
            except NotTaken as error:
                failures[way.name] = without_frames(error)
                continue
            self._note(device, way.name, failures.get(SNAPSHOT))
            return picture
        raise _joined(list(failures.values()))

    def _ordered(self, device: int) -> Sequence[Way]:
        """The ways in their order, a snapshot that is known to be broken last."""
        rests = self._timer() < self._rests.get(device, 0.0)
        return sorted(self.ways, key=lambda way: rests and way.name == SNAPSHOT)

    def _note(self, device: int, way: str, snapshot_error: NotTaken | None) -> None:
        """Note what became of the snapshot: broken, while another way works, or well again."""
        if way == SNAPSHOT:
            self._note_well(device)
        if snapshot_error is None or snapshot_error.wait is not None:
            return
        is_known = self._is_broken(device)
        count = self._failures[device] = self._failures.get(device, 0) + 1
        if not is_known and count < BROKEN_AFTER:
            return
        self._rests[device] = self._timer() + REST
        if not is_known:
            text = f"its snapshot is broken: {snapshot_error.reason}"
            self._tell(Finding(f"id:{device}", BROKEN, self._clock(), text, SOURCE))

    def _note_well(self, device: int) -> None:
        """Note that the snapshot works, or is no longer there to be broken."""
        self._failures.pop(device, None)
        self._rests.pop(device, None)
        if self._is_broken(device):
            self._tell(Finding(f"id:{device}", BROKEN, self._clock(), "", SOURCE, cleared=True))

    def _tell(self, finding: Finding) -> None:
        self._report([finding])

    def _is_broken(self, device: int) -> bool:
        known = self._fleet().devices.get(device)
        return known is not None and any(fault.kind == BROKEN for fault in known.findings)


def _joined(failures: Sequence[NotTaken]) -> NotTaken:
    """One error for the ways that failed; the last one says what to do."""
    if not failures:
        return no_way()
    reasons = dict.fromkeys(failure.reason for failure in failures)
    waits = [failure.wait for failure in failures if failure.wait is not None]
    return NotTaken(" ".join(reasons), failures[-1].hint, max(waits, default=None))
