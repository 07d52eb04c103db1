"""The scan engine: one asyncio loop in one thread, all sources side by side.

The only place that catches whatever a source may raise.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from itertools import chain
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, TypeVar

from discovery.device_tracker import DeviceTracker
from discovery.down_scopes import lost_scopes
from discovery.due_queue import SCAN
from discovery.inbox import Inbox
from discovery.misses import missed
from discovery.pending_moves import PendingMoves
from discovery.probe_tasks import GRACE, AbnormalExit
from discovery.probing import ANSWERED, MISSED, Prober, ProbeResult
from discovery.progress import Scan, SourceProgress
from discovery.scan_record import scan_record
from discovery.sessions import Sessions
from discovery.source_tasks import SourceTasks
from discovery.sweeping import sweep_devices
from discovery.swept_questions import SweptQuestions
from discovery.swept_queue import due_targets
from discovery.unverified import UnverifiedDevices
from fleet import identity
from fleet.model import (
    CannotAsk,
    Coverage,
    LastScan,
    Miss,
    Report,
    Sighting,
    SourceDown,
    Target,
)
from sources.source import Reports, Source
from store.vault import SecretLost

log = logging.getLogger(__name__)
BATCH_EVERY = 1.0
LISTEN_AGAIN = 15.0
"""Seconds until a source that could not listen tries again."""
STOPPING = "the monitor is stopping"
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
    thread; `on_asked` with the start and the progress of each scan or sweep when it has ended, from
    a thread that may wait; for what is probed by itself, once a minute. `targets` says which
    listed devices a source that sweeps asks about, `may_confirm` whether what was only heard may
    be asked. `unseal` is as in Prober. `sessions` is shared with whatever reads streams.
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
    ) -> None:
        self.sources = {source.name: source for source in sources}
        self.tracker = tracker
        self.clock = clock
        self.on_progress = on_progress
        self.on_asked = on_asked
        self.targets = targets
        self.may_confirm = may_confirm
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
        self._sweeping: dict[str, dict[asyncio.Task[None], SourceProgress]] = {}
        self._source_tasks = SourceTasks()
        self._swept = SweptQuestions(sources, self._ask_devices, tracker.devices, tracker.down)
        self._awaited: set[asyncio.Task[Any]] = set()
        self._calls: set[Future[Any]] = set()
        self._is_closed = False
        self.swept: dict[str, tuple[datetime, SourceProgress]] = {}  # the last one, by source
        self.heard: dict[str, datetime] = {}  # when anything answered last, by source
        self.sessions = sessions or Sessions()
        self.prober = Prober(
            sources, tracker, clock, self._inbox.add, unseal, self.sessions, self.heard.__setitem__
        )

    # -- for callers ---------------------------------------------------------------------

    def open(self, listen: bool = True) -> None:
        """Start the loop; with `listen`, hear what devices say unasked."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        if listen:
            asyncio.run_coroutine_threadsafe(self._start_background(), self._loop).result()

    def start(self, by: str = "local", names: Sequence[str] = (), with_probes: bool = True) -> bool:
        """Start a scan over the named sources, or all; False if one is running, or the monitor is
        stopping. `with_probes`: also probe every device now that a source probes."""
        with self._lock:
            if self._scan is not None or self._is_closed:
                return False
            chosen = [
                source
                for source in self.sources.values()
                if (not names or source.name in names)
                and (source.discover or self._has_listed(source, with_probes))
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
        if not targets or self._sweeping.get(name):
            return None
        return self._wait_for(self._sweep(source, spread))

    def ask(self, ids: Collection[int], sources: Collection[str] = ()) -> list[ProbeResult]:
        """Ask these devices now by the named sources, or by all that can ask them, and wait. What
        each source learned, once the tracker has it; a question that is under way is joined,
        and no other one is held up. Devices that are only discovered cannot be asked alone.
        Raises CannotAsk when the monitor is stopping."""
        return self._wait_for(self._ask_devices(ids, sources))

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
            log.error("Something that was asked does not end; it is abandoned")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT)
        for call in tuple(self._calls):
            call.cancel()
        self._inbox.close()

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
        self._loop.run_forever()
        if left := asyncio.all_tasks(self._loop):
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left, timeout=GRACE))
        self._loop.close()

    async def _start_background(self) -> None:
        self._background = [
            asyncio.create_task(self._hand_over_always()),
            asyncio.create_task(self.prober.run()),
            asyncio.create_task(self._report_probes()),
            asyncio.create_task(self._swept.run()),
        ]
        self._background += [
            asyncio.create_task(self._listen(source))
            for source in self.sources.values()
            if source.listen
        ]

    async def _end(self) -> None:
        sweeps = [task for running in self._sweeping.values() for task in running]
        tasks = [*self._background, *([self._task] if self._task else []), *sweeps]
        for task in tasks:
            task.cancel()
        await self.prober.close()
        # Threads wait for the sweeps that were asked for: each must come to its own end.
        ending = asyncio.gather(*tasks, *self._awaited, return_exceptions=True)
        await asyncio.wait((ending,), timeout=STOP_TIMEOUT)
        for source in self.sources.values():
            try:
                source.close()
            except Exception:
                log.exception("%s: an error in the program while stopping", source.title)
        await self._inbox.hand_over()

    async def _hand_over_always(self) -> None:
        while True:
            await asyncio.sleep(BATCH_EVERY)
            if await self._inbox.hand_over():
                self._report_progress()

    def _report_progress(self) -> None:
        """Report the progress of the running scan; `_finish` reports its end, when all is kept."""
        if self._scan is not None and self._scan.state == "running":
            self.on_progress(self._scan)

    # -- hearing -------------------------------------------------------------------------

    async def _listen(self, source: Source) -> None:
        """Hear a source for as long as the monitor runs; try again when it cannot be heard."""
        while True:
            try:
                assert source.listen is not None
                async with aclosing(source.listen()) as reports:  # type: ignore[type-var]
                    async for report in reports:
                        self._overhear(source, report)
            except CannotAsk as error:
                self._inbox.add([SourceDown(error.scope, self.clock(), error.reason)])
            except Exception:
                log.exception("%s: an error in the program while listening", source.title)
            await asyncio.sleep(LISTEN_AGAIN)

    def _overhear(self, source: Source, report: Report | Coverage) -> None:
        """Take a report that a source hears between scans. A device that proves nothing and is not
        at its known address goes on the list of the unverified; a new one is asked, if allowed."""
        if isinstance(report, Coverage):
            return
        if isinstance(report, Sighting) and report.identities:
            device = self.tracker.known(self._key(report), report.site)
            is_there = device is not None and device.retired_at is None
            is_at_home = device is not None and is_there and device.address == report.address
            if report.only_alive and not is_at_home:
                self.unverified.note(report, device)
                if not is_there:
                    self._confirm(source, report)
                return
            self.unverified.forget(report.identities[0])
        self._inbox.add([report])

    def _key(self, sighting: Sighting) -> str:
        """The first identity that the sighting proves, or else the first that it claims."""
        return (*identity.proved(sighting, self.tracker.disputed()), *sighting.identities)[0]

    def _confirm(self, source: Source, sighting: Sighting) -> None:
        """Ask a device that was only heard, rarely enough that nobody can make us flood."""
        address = sighting.address
        if address is None or source.confirm is None or not self.may_confirm():
            return
        if self.unverified.may_ask(address) and source.confirm(sighting):
            self.unverified.asked(address)

    # -- scanning ------------------------------------------------------------------------

    async def _begin(self, scan: Scan) -> None:
        self._task = asyncio.create_task(self._perform(scan))

    async def _perform(self, scan: Scan) -> None:
        """One whole scan, from the first question to what is kept of it."""
        log.info("Scan started by %s", scan.by)
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
        asks = (self._scan_source(scan, source) for source in scan.sources.values())
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

    async def _scan_source(self, scan: Scan, progress: SourceProgress) -> None:
        """One source of a scan: it discovers and sweeps while its devices are probed. When that
        ends, who did not answer it is missed, however long the others take."""
        asks = [self._search(scan, progress)]
        asks += [self._probe_all(progress)] if scan.with_probes else []
        await asyncio.gather(*asks)
        progress.end()

    async def _search(self, scan: Scan, progress: SourceProgress) -> None:
        await self._ask_source(scan.started, progress)
        await self._inbox.hand_over()
        if scan.state == "running":
            await self._report_misses(scan.started, progress)
            await self._inbox.hand_over()

    async def _finish(self, scan: Scan) -> None:
        scan.finished = self.clock()
        try:
            await self._inbox.hand_over()
            await self._inbox.in_thread(self._keep, scan)
        finally:
            log.info("Scan %s: %d answered, %d missed", scan.state, scan.found, scan.missed)
            self.last, self._scan, self._task, self._asking = scan, None, None, None
            self.on_progress(scan)
            self._idle.set()

    def _keep(self, scan: Scan) -> None:
        self.tracker.apply([LastScan(scan_record(scan))], self.clock())
        self.on_asked(scan.started, scan.sources.values())

    async def _sweep(self, source: Source, spread: float) -> SourceProgress:
        """The listed devices of one source, outside of any scan."""
        task, progress = asyncio.current_task(), SourceProgress(source.name, source.title)
        assert task is not None
        self._awaited.add(task)
        started = self.clock()
        try:
            await self._ask_source(started, progress, spread)
            progress.end()
            await self._inbox.hand_over()
            await self._inbox.in_thread(self.on_asked, started, [progress])
        finally:
            self._awaited.discard(task)
        return progress

    async def _ask_source(
        self, started: datetime, progress: SourceProgress, spread: float = 0.0
    ) -> None:
        """One source under its deadline."""
        source = self.sources[progress.name]
        listed = len(self.targets(source.name)) if source.sweep else 0
        deadline = source.timeout + spread + source.each * listed
        try:
            self._source_tasks.check(source)
            if source.discover:
                discovering = self._discover(started, progress, source.discover())
                task = asyncio.create_task(discovering)
                await self._source_tasks.wait(source, task, deadline)
                if task.cancelled():
                    raise AbnormalExit("CancelledError")
                task.result()
            if source.sweep:
                await self._collect_sweep(started, progress, source, spread, deadline)
        except CannotAsk as error:
            self._cannot_ask(started, progress, error.scope, error.reason)
        except TimeoutError:
            reason = f"it did not end within {deadline:.0f} s"
            self._cannot_ask(started, progress, source.name, reason)
        except Exception as error:
            log.exception("%s: an error in the program while scanning", source.title)
            reason = f"an error in the program ({type(error).__name__}); the log has it"
            self._cannot_ask(started, progress, source.name, reason)

    def _cannot_ask(
        self, started: datetime, progress: SourceProgress, scope: str, reason: str
    ) -> None:
        progress.state = "failed"
        progress.failed[scope] = reason
        self._inbox.add([SourceDown(scope, started, reason)])

    async def _collect_sweep(
        self,
        started: datetime,
        progress: SourceProgress,
        source: Source,
        spread: float,
        deadline: float,
    ) -> None:
        """All listed devices. A sweep that takes its time begins only alone. An immediate one runs
        beside it, and when that is whole, its answers are those of the slower one too."""
        assert source.sweep is not None
        targets, running = self.targets(source.name), self._sweeping.setdefault(source.name, {})
        if spread:
            targets = due_targets(source, targets, self.tracker.known, started)
        if not targets or (running and spread):
            return
        older = dict(running)
        progress.listed += len(targets)
        collecting = self._collect(started, progress, source.sweep(targets, spread))
        task = asyncio.create_task(collecting)
        running[task] = progress
        try:
            await self._source_tasks.wait(source, task, deadline)
        finally:
            running.pop(task, None)
        if task.cancelled():
            return
        self.swept[source.name] = (started, progress)
        task.result()
        for other, its_progress in older.items():
            if other.cancel():
                its_progress.adopt(progress)

    async def _probe_all(self, progress: SourceProgress) -> None:
        """Every device that a source probes, as part of a scan. Those whose turn has not come
        within the time of all are not called anything."""
        source, devices = self.sources[progress.name], self.tracker.devices()
        questions = self.prober.questions(source.name)
        if not questions:
            return
        progress.listed += len(questions)
        futures = self.prober.ask(questions, SCAN)
        limit = source.timeout * (1 + len(questions) / source.cap)
        try:
            await asyncio.wait(futures, timeout=limit)
        finally:
            for future in futures:
                future.cancel()
        for answer in (future.result() for future in futures if not future.cancelled()):
            progress.missed += answer.state == MISSED
            if answer.state == ANSWERED and answer.device in devices:
                progress.found.add(devices[answer.device].identities[0])

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

    async def _ask_devices(self, ids: Collection[int], names: Collection[str]) -> list[ProbeResult]:
        """The work of `ask`, in the loop."""
        task = asyncio.current_task()
        assert task is not None
        self._awaited.add(task)
        chosen = [source for source in self.sources.values() if not names or source.name in names]
        try:
            probes = self.prober.ask(
                (id, source.name) for id in dict.fromkeys(ids) for source in chosen
            )
            swept = await asyncio.gather(*(self._ask_listed(source, set(ids)) for source in chosen))
            answers = await asyncio.gather(*probes, return_exceptions=True)
            await self._inbox.hand_over()
        finally:
            self._awaited.discard(task)
        every = (*chain(*swept), *answers)
        return [result for result in every if isinstance(result, ProbeResult)]

    async def _ask_listed(self, source: Source, ids: Collection[int]) -> list[ProbeResult]:
        """Ask those of the devices that this source sweeps."""
        if not source.sweep:
            return []
        listed = self.targets(source.name)
        known = ((self.tracker.known(target.key, target.site), target) for target in listed)
        chosen = {device.id: target for device, target in known if device and device.id in ids}
        if not chosen:
            return []
        answers, reports = await sweep_devices(source, chosen, self.clock, self._source_tasks)
        self._inbox.add(reports)
        return answers

    def _has_listed(self, source: Source, with_probes: bool) -> bool:
        """True if a source has listed devices to ask."""
        if source.sweep and self.targets(source.name):
            return True
        devices = self.tracker.devices().values() if source.probe and with_probes else ()
        return any(source.name in device.access for device in devices if not device.retired_at)

    async def _discover(
        self, started: datetime, progress: SourceProgress, reports: Reports
    ) -> None:
        """Collect a discovery, with address changes held back until its end."""
        moves, is_whole = PendingMoves(self.tracker.known, self.tracker.disputed()), False
        try:
            await self._collect(started, progress, reports, moves.hold_or_pass)
            is_whole = progress.state == "asking"
        finally:
            self._inbox.add(moves.end(self.clock(), is_whole))

    async def _collect(
        self,
        started: datetime,
        progress: SourceProgress,
        reports: Reports,
        taken: Callable[[Sighting], list[Sighting]] = lambda sighting: [sighting],
    ) -> None:
        async with aclosing(reports) as every:  # type: ignore[type-var]
            async for report in every:
                if progress.state != "asking":
                    return  # It ignored its end: what comes now is of no scan.
                match report:
                    case Coverage():
                        self._take_coverage(started, progress, report)
                    case Sighting(identities=()):
                        self._inbox.add([report])  # The tracker says so.
                    case Sighting():
                        self.heard[progress.name] = report.at
                        progress.found.add(self._key(report))
                        self.unverified.forget(report.identities[0])
                        self._inbox.add(taken(replace(report, asked=started)))
                    case Miss():
                        progress.missed += 1
                        self._inbox.add([replace(report, asked=started)])
                    case _:
                        self._inbox.add([report])

    def _take_coverage(
        self, started: datetime, progress: SourceProgress, coverage: Coverage
    ) -> None:
        """Report the scopes that a source asked as up. Those that it could not ask are down since
        it `started`, as are those where a device was heard before and that are gone now."""
        progress.coverage = coverage
        if coverage.answers:
            self.heard[coverage.source] = self.clock()
        lost = lost_scopes(self.tracker.devices(), coverage)
        progress.failed.update(dict.fromkeys(lost, "it is down or gone"))
        progress.failed.update(coverage.failed)
        now, name = self.clock(), coverage.source
        down = [scope for scope in self.tracker.down() if scope.partition(":")[0] == name]
        asked = dict.fromkeys((name, *coverage.scopes, *down)) if coverage.scopes else {}
        self._inbox.add(
            SourceDown(scope, now, "", up=True) for scope in asked if scope not in progress.failed
        )
        self._inbox.add(SourceDown(scope, started, why) for scope, why in progress.failed.items())

    async def _report_misses(self, started: datetime, progress: SourceProgress) -> None:
        """Report a miss for every device that this discovery asked and that did not answer. Misses
        of swept devices come from the source itself, those of probed ones from their probes."""
        coverage, source = progress.coverage, self.sources[progress.name]
        if not (coverage and coverage.scopes and source.discover):
            return
        asked, now = coverage, self.clock()

        def silent() -> list[Miss]:
            devices = self.tracker.devices().values()
            return missed(devices, asked, started, now, probes=source.probe is not None)

        # In the writer, so that everything that was handed over before is known.
        misses = await self._inbox.in_thread(silent)
        self._inbox.add(misses)
        progress.missed += len(misses)
