"""Reads the events of the cameras whose owners want it: one task for each, in the scanner's loop.

A subscription begins by the way of a check: the device is identified before a password is sent,
and refused logins are counted with those of checks. A camera that has no events, becomes slow or
hangs by a subscription is believed: it is not asked again until its connection or its firmware
changes. Nothing here decides whether a camera is online.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from discovery.device_tracker import DeviceTracker
from discovery.due_queue import QueueEntry
from discovery.event_states import HUNG, SLOW, EventStates, Latencies
from discovery.loop_time import loop_time
from discovery.probe_results import ANSWERED
from discovery.probing import Prober
from fleet import identity
from fleet.access_fields import EVENTS
from fleet.channels import recorder_of
from fleet.model import Access, Device, Finding, NoAnswer
from fleet.places import host_of
from fleet.reduce.findings import UNKNOWN
from fleet.reduce.learning import is_same_but_learned
from sources import tls
from sources.onvif import NAME
from sources.onvif_events import Ended, EventSession, Opening
from sources.onvif_notifications import TEXTS
from sources.source import Source

log = logging.getLogger(__name__)
UNAVAILABLE = "events.unavailable"
"""The kind of the finding about a camera whose events are wanted and not read."""
FIRMWARE = "firmware"
"""Its evidence: what the camera ran."""
SYNC_EVERY = 1.0
OPEN_TIMEOUT, CLOSE_TIMEOUT = 30.0, 3.0
MAX_OPENINGS = 4
"""Cameras at which a subscription begins at once."""
MAX_REFUSALS = 3
"""Times that a camera may refuse a subscription; it may still have ours of before a crash."""
MAX_HANGS = 3
"""Times in a row that a camera may hang after a subscription; once it may have been restarted."""
MAX_SHORT = 5
"""Subscriptions in a row that end by themselves within SHORT seconds."""
SHORT = 600.0
SETTLES = 120.0
"""Seconds in which a camera that hangs does so because of the subscription."""


class Stopped(Exception):
    """The events of this camera are not read any more; the text says why."""


@dataclass(frozen=True, slots=True)
class EventPace:
    """Seconds: between two fetches of messages, and between two measurements of how fast the camera
    answers; until what it had before and does not tell of again is forgotten; until the next
    attempt at a subscription, first and last; without one, until its findings are forgotten; an
    answer that is slow."""

    pull: float = 10.0
    measure: float = 60.0
    restate: float = 60.0
    retry: float = 60.0
    longest_retry: float = 600.0
    forget: float = 600.0
    slow: float = SLOW


@dataclass(slots=True)
class _Watch:
    """One camera whose events are read."""

    id: int
    access: Access
    host: str | None
    task: asyncio.Task[None] | None = None
    refusals: int = 0
    hangs: int = 0
    short: int = 0
    failures: int = 0
    """Attempts in a row without a subscription."""
    lost_at: float = field(default_factory=loop_time)
    """Since when there is none."""


class EventWatches:
    """The watches of all cameras with the option. Used in the scanner's loop."""

    def __init__(
        self,
        prober: Prober,
        sources: Mapping[str, Source],
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        pace: EventPace | None = None,
    ) -> None:
        self._prober = prober
        self._source = sources.get(NAME)
        self._tracker = tracker
        self._clock = clock
        self._pace = pace or EventPace()
        self._devices: Mapping[int, Device] = {}
        self._watches: dict[int, _Watch] = {}
        self._ending = set[asyncio.Task[None]]()
        self._openings = asyncio.Semaphore(MAX_OPENINGS)

    async def run(self) -> None:
        """Follow the fleet for as long as the monitor runs."""
        while self._source is not None and self._source.probe is not None:
            self._sync()
            await asyncio.sleep(SYNC_EVERY)

    async def close(self) -> None:
        """End all subscriptions, and wait for that."""
        for watch in [*self._watches.values()]:
            self._end(watch)
        if self._ending:
            await asyncio.wait(tuple(self._ending), timeout=CLOSE_TIMEOUT)

    # -- which cameras -------------------------------------------------------------------

    def _sync(self) -> None:
        """Begin and end watches as the newest snapshot of the fleet says."""
        before, self._devices = self._devices, self._tracker.devices()
        if before is self._devices:
            return
        for id in [id for id in self._watches if id not in self._devices]:
            self._end(self._watches[id])
        for device in self._devices.values():
            if before.get(device.id) is not device:
                self._follow_changes(device)

    def _follow_changes(self, device: Device) -> None:
        watch, access = self._watches.get(device.id), _wanted(device)
        is_other = access is None or (watch is not None and not _is_same(watch, device, access))
        if watch is not None and (is_other or _has_other_firmware(watch, device)):
            self._end(watch)
            self._forget(device, UNAVAILABLE)
        if access is None and device.findings:
            recorder = recorder_of(device, self._devices)
            is_told_of = recorder is not None and _wanted(recorder) is not None
            self._forget(device, UNAVAILABLE, *(() if is_told_of else tuple(TEXTS)))
        elif access is not None and device.id not in self._watches:
            self._begin(device, access, is_changed=watch is not None)

    def _begin(self, device: Device, access: Access, *, is_changed: bool) -> None:
        watch = self._watches[device.id] = _Watch(device.id, access, host_of(device, NAME))
        if is_changed or not _is_believed(device):
            task = watch.task = asyncio.get_running_loop().create_task(self._run(watch))
            self._ending.add(task)
            task.add_done_callback(self._ended)

    def _end(self, watch: _Watch) -> None:
        self._watches.pop(watch.id, None)
        if watch.task is not None:
            watch.task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Internal error while reading the events of a camera", exc_info=error)

    # -- one camera ----------------------------------------------------------------------

    async def _run(self, watch: _Watch) -> None:
        """Read its events until it proves that it has none, or that they cost too much."""
        try:
            while True:
                wait = await self._attempt(watch)
                await asyncio.sleep(wait)
        except Stopped as error:
            device = self._tracker.devices().get(watch.id)
            if device is not None:
                self._forget_all(device)
                evidence = {FIRMWARE: _firmware(device)}
                self._report(device, UNAVAILABLE, f"its events are not read: {error}", evidence)

    async def _attempt(self, watch: _Watch) -> float:
        """Subscribe and follow once, if the camera is up; the seconds until the next attempt.
        Raises Stopped."""
        device = self._tracker.devices().get(watch.id)
        entry = self._prober.entry((watch.id, NAME))
        if device is None or entry is None or not entry.was_up:
            watch.lost_at = loop_time()  # what it said is shown as not confirmed meanwhile
            return self._pace.pull
        session = await self._open(watch, entry, device)
        if session is None:
            if loop_time() - watch.lost_at >= self._pace.forget:
                self._forget_all(device)
            watch.failures += 1
            wait = self._pace.retry * 2.0 ** min(watch.failures - 1, 8)
            return min(self._pace.longest_retry, float(wait))
        watch.failures = watch.refusals = 0
        self._forget(device, UNAVAILABLE)
        try:
            await self._follow(watch, session)
        finally:
            watch.lost_at = loop_time()
        return self._pace.retry

    async def _open(self, watch: _Watch, entry: QueueEntry, device: Device) -> EventSession | None:
        """The session of a new subscription; None without one for now. Raises Stopped."""
        opening = Opening(self._clock)
        assert self._source is not None
        source = replace(self._source, probe=opening.probe, timeout=OPEN_TIMEOUT)
        try:
            async with self._openings:
                result = await self._prober.open(source, entry, device, 0)
            if result.state == ANSWERED and (session := opening.take()) is not None:
                return session
        finally:
            if (left := opening.take()) is not None:
                await left.end()
        if opening.refusal and result.state == ANSWERED:
            watch.refusals += 1
            if opening.is_final or watch.refusals >= MAX_REFUSALS:
                raise Stopped(opening.refusal)
        return None

    async def _follow(self, watch: _Watch, session: EventSession) -> None:
        """Read its events until the subscription is lost, and end it on every way out. Raises
        Stopped."""
        began = loop_time()
        try:
            await self._read(watch, session, began)
        except Ended as error:
            watch.short = watch.short + 1 if loop_time() - began < SHORT else 0
            if error.refused:
                await self._prober.spend((watch.id, NAME), error.refused)
            elif watch.short >= MAX_SHORT:
                raise Stopped(str(error)) from error
        except (NoAnswer, OSError, tls.TooOld) as error:
            is_hung = isinstance(error, NoAnswer) and loop_time() - began < SETTLES
            watch.hangs = watch.hangs + 1 if is_hung else 0
            if watch.hangs >= MAX_HANGS:
                text = "it stops responding when they are subscribed to"
                raise Stopped(text) from error
        finally:
            await session.end()

    async def _read(self, watch: _Watch, session: EventSession, began: float) -> None:
        """Raises Stopped for a camera that became slow, Ended, and as a request does."""
        pace = self._pace
        latencies = Latencies(session.latency_before, pace.slow)
        states = EventStates(frozenset(self._held(watch.id)))
        measured_at, renewed_at, can_renew = began, began, True
        while True:
            now, seconds = loop_time(), None
            if now - measured_at >= pace.measure:
                measured_at, seconds = now, await self._measured(session)
            if can_renew and now - renewed_at >= session.lasts / 2:
                renewed_at, can_renew = now, await session.renew()
            # After a question without an answer, another device may be there: it is lost.
            states.note(await session.pull(), loop_time())
            self._judge(latencies, seconds)
            self._tell(watch.id, states, is_restated=loop_time() - began >= pace.restate)
            await asyncio.sleep(pace.pull)

    async def _measured(self, session: EventSession) -> float:
        """Seconds that an answer to a check takes now. Raises OSError where the camera cannot be
        reached: that is an outage."""
        try:
            return await session.latency()
        except (NoAnswer, tls.TooOld):
            return HUNG

    def _judge(self, latencies: Latencies, seconds: float | None) -> None:
        """Take an answer, while the events themselves arrive. Raises Stopped for a camera that
        became slow."""
        if seconds is not None:
            latencies.note(seconds)
        if latencies.is_slow:
            before, now = latencies.before, latencies.now
            raise Stopped(f"it became slow (responses took {before:.2f} s before, {now:.1f} s now)")

    # -- what it says --------------------------------------------------------------------

    def _held(self, id: int) -> Iterator[str]:
        for subject in self._subjects(id):
            yield from (fault.kind for fault in subject.findings if fault.source == NAME)

    def _subjects(self, id: int) -> list[Device]:
        """The camera and the channels that it serves."""
        device = self._tracker.devices().get(id)
        return [device, *self._tracker.channels_of(id)] if device is not None else []

    def _tell(self, id: int, states: EventStates, *, is_restated: bool) -> None:
        """Report what changed. `is_restated`: what the camera did not tell of by now it does not
        say any more."""
        subjects = self._subjects(id)
        known: dict[tuple[int, str], bool] = {}
        for (kind, sources), is_now in states.current(loop_time()) if subjects else ():
            place = _subject(subjects, sources), kind
            known[place] = known.get(place, False) or is_now
        for subject in subjects:
            held = {fault.kind for fault in subject.findings if fault.source == NAME}
            for kind, text in TEXTS.items():
                is_so = known.get((subject.id, kind))
                if is_so and kind not in held:
                    self._report(subject, kind, text)
                elif is_so is False and kind in held:
                    self._clear(subject, kind)
                elif is_so is None and kind in held and is_restated:
                    self._clear(subject, kind, is_known=False)

    def _report(
        self, device: Device, kind: str, text: str, evidence: Mapping[str, str] | None = None
    ) -> None:
        finding = Finding(f"id:{device.id}", kind, self._clock(), text, NAME, evidence or {})
        self._prober.deliver([finding])

    def _clear(self, device: Device, kind: str, *, is_known: bool = True) -> None:
        """`is_known`: the camera itself says that it is over."""
        evidence = {} if is_known else {UNKNOWN: True}
        at = self._clock()
        self._prober.deliver(
            [Finding(f"id:{device.id}", kind, at, "", NAME, evidence, cleared=True)]
        )

    def _forget(self, device: Device, *kinds: str) -> None:
        """Clear findings of these kinds, which nobody tells of any more."""
        for fault in device.findings:
            if fault.source == NAME and fault.kind in kinds:
                self._clear(device, fault.kind, is_known=fault.kind == UNAVAILABLE)

    def _forget_all(self, device: Device) -> None:
        for subject in self._subjects(device.id):
            self._forget(subject, *TEXTS)


def _wanted(device: Device) -> Access | None:
    """How the device is reached, if its events are to be read."""
    access = device.access.get(NAME)
    is_wanted = access is not None and access.options.get(EVENTS) is True
    return access if is_wanted and device.retired_at is None else None


def _is_same(watch: _Watch, device: Device, access: Access) -> bool:
    """True if the device is still asked in the same way at the same host."""
    is_same = watch.access is access or is_same_but_learned(watch.access, access)
    return is_same and watch.host == host_of(device, NAME)


def _has_other_firmware(watch: _Watch, device: Device) -> bool:
    """True if its events were given up with another firmware than it has now."""
    is_over = watch.task is None or watch.task.done()
    has_stopped = any(fault.kind == UNAVAILABLE for fault in device.findings)
    return is_over and has_stopped and not _is_believed(device)


def _is_believed(device: Device) -> bool:
    """True if the device had no events, or became slow by them, with this firmware; also where it
    was not read yet when that showed."""
    known = (fault for fault in device.findings if fault.kind == UNAVAILABLE)
    return any(fault.evidence.get(FIRMWARE) in ("", _firmware(device)) for fault in known)


def _firmware(device: Device) -> str:
    return str(device.facts.get(NAME, {}).get("firmware") or "")


def _subject(subjects: Iterable[Device], sources: tuple[str, ...]) -> int:
    """The channel that the tokens are about; the device itself where they name none."""
    device, *channels = subjects
    keys = {identity.channel_key(owner, token) for owner in device.identities for token in sources}
    named = (channel.id for channel in channels if not keys.isdisjoint(channel.identities))
    return next(named, device.id)
