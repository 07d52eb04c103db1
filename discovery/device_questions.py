"""Asks a few devices by every source that can, and waits for the answers of exactly those."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain

from discovery.device_tracker import DeviceTracker
from discovery.inbox import Inbox
from discovery.probe_results import ProbeResult
from discovery.probing import Prober
from discovery.source_tasks import SourceTasks
from discovery.sweeping import sweep_devices
from fleet.model import Target
from sources.source import Source


class DeviceQuestions:
    """Asks by probes, and by small sweeps of the devices that `targets` lists for a source."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        inbox: Inbox,
        prober: Prober,
        targets: Callable[[str], Sequence[Target]],
        tasks: SourceTasks,
    ) -> None:
        self._sources = sources
        self._tracker = tracker
        self._clock = clock
        self._inbox = inbox
        self._prober = prober
        self._targets = targets
        self._source_tasks = tasks

    async def ask(self, ids: Collection[int], names: Collection[str]) -> list[ProbeResult]:
        """The results once the tracker has them, as `Scanner.ask` describes."""
        chosen = [source for source in self._sources.values() if not names or source.name in names]
        probes = self._prober.submit(
            (id, source.name) for id in dict.fromkeys(ids) for source in chosen
        )
        swept = await asyncio.gather(*(self._ask_swept(source, set(ids)) for source in chosen))
        answers = await asyncio.gather(*probes, return_exceptions=True)
        await self._inbox.hand_over()
        every = (*chain(*swept), *answers)
        return [result for result in every if isinstance(result, ProbeResult)]

    async def _ask_swept(self, source: Source, ids: Collection[int]) -> list[ProbeResult]:
        """Ask those of the devices that this source sweeps."""
        if not source.sweep:
            return []
        listed = self._targets(source.name)
        known = ((self._tracker.known(target.key, target.site), target) for target in listed)
        chosen = {device.id: target for device, target in known if device and device.id in ids}
        if not chosen:
            return []
        answers, reports = await sweep_devices(source, chosen, self._clock, self._source_tasks)
        self._inbox.add(reports)
        return answers
