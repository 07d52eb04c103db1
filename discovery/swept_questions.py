"""Asks swept devices by themselves, beside the sweeps, when their own time has come."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from discovery.swept_queue import SweptQueue
from fleet.model import Device
from sources.source import Source

SYNC_EVERY = 1.0
"""Seconds until a miss, or a device that is due, is noticed."""

Ask = Callable[[Collection[int], Collection[str]], Awaitable[Any]]


class SweptQuestions:
    """One queue for each source that sweeps. `ask` is Scanner's, `devices` and `down` are the
    tracker's: while a part of a source is down, only its sweeps ask it."""

    def __init__(
        self,
        sources: Iterable[Source],
        ask: Ask,
        devices: Callable[[], Mapping[int, Device]],
        down: Callable[[], Collection[str]],
    ) -> None:
        self._queues = [SweptQueue(source) for source in sources if source.sweep]
        self._ask, self._devices, self._down = ask, devices, down
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    async def run(self) -> None:
        """Ask what is due, for as long as the monitor runs; one question at a time for each
        source."""
        try:
            while self._queues:
                devices, now = self._devices(), asyncio.get_running_loop().time()
                for queue in self._queues:
                    queue.update(devices, now)
                    self._begin(queue, now)
                await asyncio.sleep(SYNC_EVERY)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _begin(self, queue: SweptQueue, now: float) -> None:
        name = queue.source.name
        running = self._tasks.get(name)
        if running and not running.done():
            return
        if any(scope.partition(":")[0] == name for scope in self._down()):
            return
        if ids := queue.due(now):
            self._tasks[name] = asyncio.ensure_future(self._ask(ids, (name,)))
