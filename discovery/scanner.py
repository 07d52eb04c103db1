"""The scan engine: one asyncio loop in one thread, all sources side by side.

The rules of one source within a scan are in `source_scans.py`, those of a few devices in
`device_questions.py`.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from datetime import datetime
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, TypeVar

from discovery.device_questions import DeviceQuestions
from discovery.device_tracker import DeviceTracker
from discovery.event_watching import EventPace, EventWatches
from discovery.inbox import Inbox
from discovery.listening import Listener
from discovery.probe_results import ProbeResult
from discovery.probe_tasks import GRACE
from discovery.probing import Prober
from discovery.progress import Scan, SourceProgress
from discovery.refused_logins import RefusedLogins
from discovery.scan_record import scan_record
from discovery.sessions import Sessions
from discovery.source_scans import SourceScans
from discovery.source_tasks import SourceTasks
from discovery.swept_questions import SweptQuestions
from discovery.trial_steps import TrialRequest
from discovery.trials import Trial, Trials
from discovery.unverified import UnverifiedDevices
from fleet import labels
from fleet.authors import LOCAL
from fleet.model import (
    CannotAsk,
    Coverage,
    LastScan,
    Target,
)
from sources.identify import Identification
from sources.source import Source
from store.vault import SecretLost

log = logging.getLogger(__name__)
BATCH_EVERY = 1.0
STOPPING = "Camera Monitor is stopping"
STOP_TIMEOUT = 5.0
"""Seconds in which everything that runs must have ended when the monitor does."""
NOTE_EVERY = 60.0
"""Seconds until it is noted again which sources were probed."""

T = TypeVar("T")


def no_vault(id: str) -> str:
    """The `unseal` of a scanner without a vault. Raises SecretLost."""
    raise SecretLost(f"there is no key for secret {id}")


class Scanner:
    """Asks all sources, collects their reports, and hands them over in batches.

    `on_progress` is called with the scan whenever its progress changed, from the loop's
    thread; `on_checks` once a second with the checks of whole lists that run (`checks()`), and
    with none when the last one has ended. `on_asked` is called with the start and the progress of
    each scan or sweep when it has ended, from a thread that may wait; for what is probed by itself,
    once a minute. `targets` says which listed devices a source that sweeps asks about,
    `may_confirm` whether what was only heard may be asked. `unseal` is as in Prober. `sessions` is
    shared with whatever reads streams; `refused` is kept over a restart; `event_pace` is how often
    cameras are asked for their own events.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        on_progress: Callable[[Scan], None] = lambda scan: None,
        on_asked: Callable[[datetime, Iterable[SourceProgress]], None] = lambda at, did: None,
        targets: Callable[[str], Sequence[Target]] = lambda name: (),
        may_confirm: Callable[[], bool] = lambda: False,
        unseal: Callable[[str], str] = no_vault,
        sessions: Sessions | None = None,
        identification: Identification | None = None,
        refused: RefusedLogins | None = None,
        event_pace: EventPace | None = None,
    ) -> None:
        self.sources = {source.name: source for source in sources}
        self.tracker = tracker
        self.clock = clock
        self.on_progress = on_progress
        self.on_checks: Callable[[Sequence[SourceProgress]], None] = lambda checks: None
        self.on_asked = on_asked
        self.targets = targets
        self.unverified = UnverifiedDevices()
        self.last: Scan | None = None
        self._scan: Scan | None = None
        self._idle = Flag()
        self._idle.set()
        self._lock = Lock()
        self._inbox = Inbox(tracker, clock)
        # Made by open(): a monitor that is only built holds no descriptors.
        self._loop: asyncio.AbstractEventLoop
        self._thread = Thread(target=self._run, name="scanner", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Future[list[None]] | None = None
        self._background: list[asyncio.Task[None]] = []
        self._source_tasks = SourceTasks()
        self._swept = SweptQuestions(sources, self._ask_devices, tracker.devices, tracker.down)
        self._awaited: set[asyncio.Task[Any]] = set()
        self._calls: set[Future[Any]] = set()
        self._checking: set[str] = set()
        self._is_closed = False
        self._had_checks = False
        self.heard: dict[str, datetime] = {}  # when anything answered last, by source
        self.sessions = sessions or Sessions()
        self.prober = Prober(
            *(sources, tracker, clock, self._inbox.add, self._inbox.keep, unseal, self.sessions),
            *(self.heard.__setitem__, identification, refused),
        )
        self._events = EventWatches(self.prober, self.sources, tracker, clock, event_pace)
        self.trials = Trials(self.sources, self.prober.gate, self.prober.proving)
        common = (self.sources, tracker, clock, self._inbox, self.prober, self._targets)
        self._device_questions = DeviceQuestions(*common, self._source_tasks)
        self._source_scans = SourceScans(*common, self.unverified, self._source_tasks, self.heard)
        self.swept = self._source_scans.swept
        self._listener = Listener(tracker, clock, self._inbox, self.unverified, may_confirm)

    # -- for callers ---------------------------------------------------------------------

    def open(self, listen: bool = True) -> None:
        """Start the loop; with `listen`, hear what devices say unasked."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        if listen:
            asyncio.run_coroutine_threadsafe(self._start_background(), self._loop).result()

    def start(self, by: str = LOCAL, names: Sequence[str] = (), with_probes: bool = True) -> bool:
        """Start a scan over the named sources, or all; False if one is running, or the monitor is
        stopping. `with_probes`: also probe every device now that a source probes."""
        with self._lock:
            if self._scan is not None or self._is_closed:
                return False
            chosen = [
                source
                for source in self.sources.values()
                if (not names or source.name in names)
                and (source.discover or self._source_scans.has_listed(source, with_probes))
            ]
            self._scan = Scan(
                self.clock(),
                by,
                {source.name: SourceProgress(source.name, source.title) for source in chosen},
                with_probes,
            )
            self._idle.clear()
            asyncio.run_coroutine_threadsafe(self._begin(self._scan), self._loop)
        return True

    def sweep(self, name: str, spread: float) -> SourceProgress | None:
        """Ask one source about its listed devices, begun over `spread` seconds, and wait for
        the end, which its deadline sets.

        None when there is none, or it is being asked already, also by a scan. Raises CannotAsk
        when the monitor is stopping.
        """
        source, targets = self.sources[name], self.targets(name)
        if not targets or self._source_scans.sweeping.get(name):
            return None
        return self._wait_for(self._run_sweep(source, spread))

    def check_now(self, name: str) -> bool:
        """Begin to ask one source about all of its listed devices at once, without waiting.

        False when it has none, when that is under way, or when the monitor is not running.
        """
        with self._lock:
            is_running = self._thread.is_alive() and not self._is_closed
            if not is_running or name not in self.sources or name in self._checking:
                return False
            if not self.targets(name) or any(check.name == name for check in self.checks()):
                return False
            self._checking.add(name)
            work = self._run_sweep(self.sources[name], 0.0)
            check = asyncio.run_coroutine_threadsafe(work, self._loop)
        check.add_done_callback(lambda check: self._check_ended(name, check))
        return True

    def is_asking(self, name: str) -> bool:
        """True while a round over the list of a source runs, fast or spread."""
        return bool(self._source_scans.sweeping.get(name))

    def _check_ended(self, name: str, check: Future[SourceProgress]) -> None:
        self._checking.discard(name)
        if not check.cancelled() and (error := check.exception()) is not None:
            title = self.sources[name].title
            log.error("%s: internal error while checking", title, exc_info=error)

    def has_new_targets(self, name: str) -> bool:
        """True if a source lists a device, or a new serial of one, that was in no round yet."""
        return self._source_scans.has_new_targets(name)

    def checks(self) -> list[SourceProgress]:
        """The checks of a whole list that run now, in a scan or alone, as fast as they can; not
        the rounds that are spread over the interval."""
        return self._source_scans.immediate()

    def ask(self, ids: Collection[int], sources: Collection[str] = ()) -> list[ProbeResult]:
        """Ask these devices now by the named sources, or by all that can ask them, and wait. What
        each source learned, once the tracker has it; a question that is under way is joined,
        and no other one is held up. Devices that are only discovered cannot be asked alone.
        Raises CannotAsk when the monitor is stopping."""
        return self._wait_for(self._ask_devices(ids, sources))

    def check_soon(self, ids: Collection[int]) -> None:
        """Ask these devices now, as `ask` does, without waiting; not while the monitor is
        stopping."""
        with suppress(CannotAsk):
            self.begin(self._ask_devices(ids, ()))

    def try_out(self, request: TrialRequest) -> Trial:
        """Begin to ask an address with a login that a person just gave; nothing of it is kept. The
        trial gives its steps as they come. Raises TooManyTrials, and CannotAsk when the monitor is
        stopping."""
        trial = Trial()
        with self._lock:
            if self._is_closed:
                raise CannotAsk("monitor", STOPPING)
            self.trials.enter()
            work = self.trials.run(request, trial.add)
            call = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._calls.add(call)
        call.add_done_callback(self._trial_ended)
        trial.follow(call)
        return trial

    def _trial_ended(self, call: Future[None]) -> None:
        self.trials.leave()
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("Internal error in a connection test", exc_info=error)

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin work in the loop, which ends with the monitor. Raises CannotAsk when the monitor
        is stopping."""
        with self._lock:
            if self._is_closed or not self._thread.is_alive():
                work.close()
                raise CannotAsk("monitor", STOPPING)
            call = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    def progress(self) -> Scan | None:
        """The scan that is running, or None."""
        return self._scan

    def cancel(self) -> bool:
        """Stop the running scan; False if none runs. No device misses for it."""
        with self._lock:
            if self._scan is None or self._scan.state != "running":
                return False
            self._scan.state = "cancelled"
        self._loop.call_soon_threadsafe(lambda: self._asking and self._asking.cancel())
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no scan runs; False after `timeout` seconds."""
        return self._idle.wait(timeout)

    def close(self) -> None:
        """Cancel everything, hand over what was heard, end the thread. A source that ignores it
        is left alone."""
        if not self._thread.is_alive():
            return
        with self._lock:
            self._is_closed = True
        try:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(2 * STOP_TIMEOUT)
        except TimeoutError:
            log.error("A check did not stop in time and was abandoned")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT)
        for call in tuple(self._calls):
            call.cancel()
        self._inbox.close()

    def _targets(self, name: str) -> Sequence[Target]:
        return self.targets(name)

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it in the loop and wait. Raises CannotAsk when the monitor is stopping."""
        with self._lock:
            if self._is_closed:
                work.close()
                raise CannotAsk("monitor", STOPPING)
            call = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._calls.add(call)
        try:
            return call.result()
        except CancelledError:
            raise CannotAsk("monitor", STOPPING) from None
        finally:
            self._calls.discard(call)

    # -- the loop ------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._is_stopped_after_run():
            pass
        if left := asyncio.all_tasks(self._loop):
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left, timeout=GRACE))
        self._loop.close()

    def _is_stopped_after_run(self) -> bool:
        """Run the loop until somebody stops it; False when a task that a source began ended it."""
        try:
            self._loop.run_forever()
        except BaseException:
            log.exception("A source tried to stop the scanner, which keeps running")
            return False
        return True

    async def _start_background(self) -> None:
        self._background = [
            asyncio.create_task(self._hand_over_always()),
            asyncio.create_task(self.prober.run()),
            asyncio.create_task(self._events.run()),
            asyncio.create_task(self._report_probes()),
            asyncio.create_task(self._swept.run()),
        ]
        self._background += [
            asyncio.create_task(self._listener.listen(source))
            for source in self.sources.values()
            if source.listen
        ]

    async def _end(self) -> None:
        sweeps = [task for running in self._source_scans.sweeping.values() for task in running]
        tasks = [*self._background, *([self._task] if self._task else []), *sweeps]
        for task in tasks:
            task.cancel()
        await self._events.close()
        await self.prober.close()
        await self.trials.close()
        # Threads wait for the sweeps that were asked for: each must come to its own end.
        ending = asyncio.gather(*tasks, *self._awaited, return_exceptions=True)
        await asyncio.wait((ending,), timeout=STOP_TIMEOUT)
        for source in self.sources.values():
            try:
                source.close()
            except BaseException:
                log.exception("%s: internal error while stopping", source.title)
        await self._inbox.hand_over()

    async def _hand_over_always(self) -> None:
        while True:
            await asyncio.sleep(BATCH_EVERY)
            if await self._inbox.hand_over():
                self._report_progress()
            self._report_checks()

    def _report_progress(self) -> None:
        """Report the progress of the running scan; `_finish` reports its end, when all is kept."""
        if self._scan is not None and self._scan.state == "running":
            self.on_progress(self._scan)

    def _report_checks(self) -> None:
        checks = self.checks()
        if checks or self._had_checks:
            self.on_checks(checks)
        self._had_checks = bool(checks)

    # -- scanning ------------------------------------------------------------------------

    async def _begin(self, scan: Scan) -> None:
        self._task = asyncio.create_task(self._perform(scan))

    async def _perform(self, scan: Scan) -> None:
        """One whole scan, from the first question to what is kept of it."""
        log.info("Scan started %s", labels.author(scan.by))
        self._report_progress()
        try:
            await self._ask_all(scan)
            with self._lock:
                is_whole = scan.state == "running"
                scan.state = ("failed" if scan.error else "done") if is_whole else scan.state
        except asyncio.CancelledError:
            scan.state = "cancelled"
        finally:
            await self._finish(scan)

    async def _ask_all(self, scan: Scan) -> None:
        """All sources side by side, until they end or somebody cancels."""
        asks = (self._source_scans.run(scan, source) for source in scan.sources.values())
        self._asking = asyncio.ensure_future(asyncio.gather(*asks))
        if scan.state != "running":
            self._asking.cancel()
        try:
            await asyncio.wait((self._asking,))
        finally:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        for source in scan.sources.values():
            source.state = "cancelled" if source.state == "asking" else source.state

    async def _finish(self, scan: Scan) -> None:
        scan.finished = self.clock()
        try:
            await self._inbox.hand_over()
            await self._inbox.in_thread(self._keep, scan)
        finally:
            log.info("Scan %s: %d online, %d not responding", scan.state, scan.found, scan.missed)
            self.last, self._scan, self._task, self._asking = scan, None, None, None
            self.on_progress(scan)
            self._idle.set()

    def _keep(self, scan: Scan) -> None:
        self.tracker.apply([LastScan(scan_record(scan))], self.clock())
        self.on_asked(scan.started, scan.sources.values())

    async def _run_sweep(self, source: Source, spread: float) -> SourceProgress:
        """The listed devices of one source, outside of any scan."""
        task, progress = asyncio.current_task(), SourceProgress(source.name, source.title)
        assert task is not None
        self._awaited.add(task)
        started = self.clock()
        try:
            await self._source_scans.search(started, progress, spread)
            progress.end()
            await self._inbox.hand_over()
            await self._inbox.in_thread(self.on_asked, started, [progress])
        finally:
            self._awaited.discard(task)
        return progress

    async def _ask_devices(self, ids: Collection[int], names: Collection[str]) -> list[ProbeResult]:
        """The work of `ask`, in the loop."""
        task = asyncio.current_task()
        assert task is not None
        self._awaited.add(task)
        try:
            return await self._device_questions.ask(ids, names)
        finally:
            self._awaited.discard(task)

    async def _report_probes(self) -> None:
        """Report once a minute which sources were probed, as a scan does when it ends."""
        while True:
            started = self.clock()
            await asyncio.sleep(NOTE_EVERY)
            counts, self.prober.counts = self.prober.counts, {}
            probed = [
                SourceProgress(name, self.sources[name].title, "done", coverage=covered)
                for name, count in counts.items()
                for covered in [Coverage(name, (name,), count[0], count[1])]
            ]
            if probed:
                await self._inbox.in_thread(self.on_asked, started, probed)
