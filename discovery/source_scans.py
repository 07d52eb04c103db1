"""The part of one source in a scan: discover and sweep under its deadline, and probe its devices
at the same time.

Whatever `discover` and `sweep` raise is caught here and fails this source only.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic

from discovery.device_tracker import DeviceTracker
from discovery.down_scopes import lost_scopes
from discovery.due_queue import SCAN
from discovery.inbox import Inbox
from discovery.listening import proved_key
from discovery.misses import missed
from discovery.outcomes import name_of, outcome, result_of
from discovery.pending_moves import PendingMoves
from discovery.probe_results import ANSWERED, MISSED
from discovery.probing import Prober
from discovery.progress import Scan, SourceProgress
from discovery.source_tasks import SourceTasks
from discovery.swept_queue import due_targets
from discovery.unverified import UnverifiedDevices
from fleet.model import CannotAsk, Coverage, Miss, Sighting, SourceDown, Target
from sources.source import Reports, Source

log = logging.getLogger(__name__)


class SourceScans:
    """Runs the part of each source. `targets` says which listed devices a source that sweeps asks
    about; `unverified` forgets the devices that a scan finds."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        inbox: Inbox,
        prober: Prober,
        targets: Callable[[str], Sequence[Target]],
        unverified: UnverifiedDevices,
        tasks: SourceTasks,
        heard: dict[str, datetime],
    ) -> None:
        self.sources = sources
        self.tracker = tracker
        self.clock = clock
        self.prober = prober
        self.targets = targets
        self.unverified = unverified
        self.heard = heard
        """The time at which anything answered last, by source."""
        self.swept: dict[str, tuple[datetime, SourceProgress]] = {}
        """The last sweep of all devices, by source."""
        self.sweeping: dict[str, dict[asyncio.Task[None], SourceProgress]] = {}
        """The sweeps that run, by source."""
        self._asked_lists: dict[str, frozenset[tuple[str, str]]] = {}
        """The keys and paths of the devices that the last whole round of a source was about."""
        self._inbox = inbox
        self._source_tasks = tasks

    def immediate(self) -> list[SourceProgress]:
        """The sweeps that run now and do not take their time. May be called from any thread."""
        return [
            progress
            for running in list(self.sweeping.values())
            for progress in list(running.values())
            if not progress.spread
        ]

    def has_new_targets(self, name: str) -> bool:
        """True if a listed device was in no round yet, or under another path."""
        asked = self._asked_lists.get(name, frozenset())
        return any((target.key, target.path) not in asked for target in self.targets(name))

    def has_listed(self, source: Source, with_probes: bool) -> bool:
        """True if a source has listed devices to ask."""
        if source.sweep and self.targets(source.name):
            return True
        devices = self.tracker.devices().values() if source.probe and with_probes else ()
        return any(source.name in device.access for device in devices if not device.retired_at)

    async def run(self, scan: Scan, progress: SourceProgress) -> None:
        """Discover and sweep while the devices are probed. Devices that did not answer are reported
        as missed when the source has ended, however long the others take."""
        asks = [self._search_and_judge(scan, progress)]
        asks += [self._probe_all(progress)] if scan.with_probes else []
        await asyncio.gather(*asks)
        progress.end()

    async def _search_and_judge(self, scan: Scan, progress: SourceProgress) -> None:
        await self.search(scan.started, progress)
        await self._inbox.hand_over()
        if scan.state == "running":
            await self._report_misses(scan.started, progress)
            await self._inbox.hand_over()

    async def search(
        self, started: datetime, progress: SourceProgress, spread: float = 0.0
    ) -> None:
        """Discover and sweep with one source, under its deadline; the result is in
        `progress`."""
        source = self.sources[progress.name]
        listed = len(self.targets(source.name)) if source.sweep else 0
        deadline = source.timeout + spread + source.each * listed
        try:
            self._source_tasks.check(source)
            if source.discover:
                discover = partial(self._discover, started, progress, source.discover)
                task = asyncio.create_task(outcome(discover))
                await self._source_tasks.wait(source, task, deadline)
                result_of(task.result())
            if source.sweep:
                await self._sweep_all(started, progress, source, spread, deadline)
        except CannotAsk as error:
            self._cannot_ask(started, progress, error.scope, error.reason)
        except TimeoutError:
            reason = f"it did not finish within {deadline:.0f} s"
            self._cannot_ask(started, progress, source.name, reason)
        except Exception as error:
            log.exception("%s: internal error while scanning", source.title)
            reason = f"internal error ({name_of(error)}); see the log"
            self._cannot_ask(started, progress, source.name, reason)

    def _cannot_ask(
        self, started: datetime, progress: SourceProgress, scope: str, reason: str
    ) -> None:
        progress.state = "failed"
        progress.failed[scope] = reason
        self._inbox.add([SourceDown(scope, started, reason)])

    async def _sweep_all(
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
        targets, running = self.targets(source.name), self.sweeping.setdefault(source.name, {})
        listed = frozenset((target.key, target.path) for target in targets)
        if spread:
            targets = due_targets(source, targets, self.tracker.known, started)
        if not targets or (running and spread):
            return
        older = dict(running)
        progress.listed += len(targets)
        progress.began, progress.spread = monotonic(), spread
        sweep = partial(source.sweep, targets, spread)
        task = asyncio.create_task(outcome(partial(self._collect, started, progress, sweep)))
        running[task] = progress
        try:
            await self._source_tasks.wait(source, task, deadline)
        finally:
            running.pop(task, None)
        if task.cancelled():
            return
        self.swept[source.name] = (started, progress)
        result_of(task.result())
        if progress.found or progress.missed:
            self._asked_lists[source.name] = listed
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
        futures = self.prober.submit(questions, SCAN)
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

    async def _discover(
        self, started: datetime, progress: SourceProgress, discover: Callable[[], Reports]
    ) -> None:
        """Collect a discovery, with address changes held back until its end."""
        moves, is_whole = PendingMoves(self.tracker.known, self.tracker.disputed()), False
        try:
            await self._collect(started, progress, discover, moves.hold_or_pass)
            is_whole = progress.state == "asking"
        finally:
            self._inbox.add(moves.end(self.clock(), is_whole))

    async def _collect(
        self,
        started: datetime,
        progress: SourceProgress,
        ask: Callable[[], Reports],
        taken: Callable[[Sighting], list[Sighting]] = lambda sighting: [sighting],
    ) -> None:
        async with aclosing(ask()) as every:  # type: ignore[type-var]
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
                        progress.found.add(proved_key(report, self.tracker.disputed()))
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
        progress.failed.update(dict.fromkeys(lost, "it is down or no longer exists"))
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
