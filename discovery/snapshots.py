"""Fetches the snapshots of devices in the same way as a check: the device is identified before a
password is sent, and refused logins are counted.

Called from threads that wait; the work is done in the scanner's loop.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from discovery.due_queue import QueueEntry
from discovery.probe_results import ANSWERED, MISSED, ProbeResult
from discovery.scanner import STOPPING, Scanner
from fleet.channels import SNAPSHOT, recorder_of
from fleet.model import Access, CannotAsk, Device, Report, Target
from fleet.pictures import NotOffered, NotTaken, TakenPicture, jpeg_size
from sources import snapshot_http
from sources.onvif import NAME
from sources.snapshot_http import NoPicture, Snapshot
from sources.source import Probe

MARGIN = 2.0
"""Seconds more that the loop has to end a question in order."""
MOST_AT_ONCE = 8
"""Snapshots that are fetched at a time: each may take 32 MB."""
LOGIN_REST = 86_400.0
"""Seconds until a login that a snapshot refused is tried there again, unless it was changed."""
SERVER_WAIT = 30.0
"""Seconds until another attempt is worth it where this server could not ask."""
TURN_WAIT = 5.0
"""Seconds until another attempt is worth it where other snapshots took all the time."""
NO_TURN = "Too many other snapshots are being fetched."
LATE = "No snapshot within {:.0f} s."


class SnapshotFetcher:
    """`fetch` is called from any thread."""

    def __init__(self, scanner: Scanner, timer: Callable[[], float] = time.monotonic) -> None:
        self._scanner = scanner
        self._timer = timer
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._turns = WeakValueDictionary[int, asyncio.Lock]()
        self._refused: dict[int, tuple[Hashable, float, NoPicture]] = {}
        """By device: the snapshot and login that were refused, when, and how."""

    def fetch(self, device: int, timeout: float) -> TakenPicture:
        """The snapshot of a device, as it is now. Waits for `timeout` seconds at most.

        Raises NotOffered where it has none, and NotTaken: with `wait` where that says nothing about
        the device."""
        try:
            call = self._scanner.begin(self._fetch(device, timeout))
        except CannotAsk as error:
            raise NotTaken(_sentence(error.reason), wait=SERVER_WAIT) from None
        try:
            return call.result(timeout + MARGIN)
        except CancelledError:
            raise NotTaken(_sentence(STOPPING), wait=SERVER_WAIT) from None
        except TimeoutError:
            call.cancel()
            raise NotTaken(LATE.format(timeout)) from None

    # -- in the loop ---------------------------------------------------------------------

    async def _fetch(self, id: int, seconds: float) -> TakenPicture:
        ends_at = self._timer() + seconds
        device, link, entry = self._asked(id)
        turn = self._turns.setdefault(device.id, asyncio.Lock())
        has_turn = False
        try:
            async with asyncio.timeout(seconds), turn, self._room:
                has_turn = True
                self._spare_login(id, _way(link, entry.access))
                return await self._ask(id, device, link, entry, ends_at - self._timer())
        except TimeoutError:
            # One that was not asked is not at fault.
            wait = None if has_turn else TURN_WAIT
            raise NotTaken(LATE.format(seconds) if has_turn else NO_TURN, wait=wait) from None

    def _asked(self, id: int) -> tuple[Device, str, QueueEntry]:
        """The device that is asked, which of a channel is its recorder, where the snapshot is, and
        how it is asked. Raises NotOffered."""
        devices = self._scanner.tracker.devices()
        device = devices.get(id)
        if device is not None and (link := device.links.get(SNAPSHOT)):
            asked = device if NAME in device.access else recorder_of(device, devices)
            entry = self._scanner.prober.entry((asked.id, NAME)) if asked else None
            if asked is not None and entry is not None and device.retired_at is None:
                return asked, link, entry
        raise NotOffered("The device offers no snapshot.")

    async def _ask(
        self, id: int, device: Device, link: str, entry: QueueEntry, seconds: float
    ) -> TakenPicture:
        source = self._scanner.sources[NAME]
        assert source.probe is not None
        attempt = _Attempt(link, source.probe, self._scanner, seconds)
        source = replace(source, probe=attempt.probe, timeout=seconds)
        result = await self._scanner.prober.open(source, entry, device, is_brief=True)
        snapshot = attempt.snapshot
        if snapshot is None:
            raise _not_asked(result)
        if (trouble := snapshot.trouble) is not None:
            if trouble.is_refused:
                self._refused[id] = _way(link, entry.access), self._timer(), trouble
            raise NotTaken(trouble.reason, trouble.hint, trouble.wait)
        self._refused.pop(id, None)
        width, height = jpeg_size(snapshot.data)
        return TakenPicture(snapshot.data, width, height, self._scanner.clock(), SNAPSHOT)

    def _spare_login(self, id: int, way: Hashable) -> None:
        """Raise NotTaken where the same login was refused lately."""
        if (known := self._refused.get(id)) is None:
            return
        refused_way, at, trouble = known
        if refused_way == way and self._timer() - at < LOGIN_REST:
            raise NotTaken(trouble.reason, trouble.hint)
        del self._refused[id]


@dataclass(slots=True)
class _Attempt:
    """One question for a snapshot, and its answer. What needs no login is asked as `check` does,
    which proves who is there."""

    link: str
    check: Probe
    scanner: Scanner
    seconds: float
    snapshot: Snapshot | None = None

    async def probe(self, target: Target) -> Sequence[Report]:
        if not target.may_login:
            return await self.check(target)
        self.snapshot = await snapshot_http.take(
            target, self.link, self.scanner.clock, self.seconds
        )
        return [self.snapshot.proof]


def _way(link: str, access: Access) -> Hashable:
    """By what a snapshot is asked for: another one may be accepted."""
    login = access.username, access.secret, access.credentials
    return link, access.host, access.port, access.options.get("tls"), *login


def _not_asked(result: ProbeResult) -> NotTaken:
    """The error where no answer to the question for the snapshot came."""
    if result.state == ANSWERED:
        return NotTaken(snapshot_http.SPARED, wait=snapshot_http.CHECK_WAIT)
    wait = None if result.state == MISSED else SERVER_WAIT
    return NotTaken(_sentence(result.reason), wait=wait)


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:].removesuffix('.')}."
