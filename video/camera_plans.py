"""Note which cameras are recorded always and which are retired, as that changes."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from fleet.model import Fleet
from video import plan_rows
from video.due import is_set_to_record
from video.plan_rows import ALWAYS, RETIRED, CameraPlan

if TYPE_CHECKING:
    from sqlalchemy import Engine


class CameraPlans:
    """Writes a row when a camera begins to be recorded always, or is retired, and ends it when that
    is over. So the coverage of last week is judged by what was true last week."""

    def __init__(
        self, engine: "Engine", fleet: Callable[[], Fleet], clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._fleet = fleet
        self._clock = clock
        self._noted: set[tuple[int, str]] | None = None
        self._last: Fleet | None = None

    def note(self) -> None:
        """Write what changed since the last call. Raises Unreachable; the next call tries again."""
        fleet, now = self._fleet(), self._clock()
        if fleet is self._last:
            return
        if self._noted is None:
            self._noted = plan_rows.current_cameras(self._engine)
        plans = {(plan.device, plan.kind): plan for plan in _current(fleet, now)}
        begun = [plan for key, plan in plans.items() if key not in self._noted]
        ended = self._noted - plans.keys()
        if begun or ended:
            self._noted = None  # A write that fails may have been done.
            plan_rows.change_cameras(self._engine, begun, ended, now)
            self._noted = set(plans)
        self._last = fleet


def _current(fleet: Fleet, now: datetime) -> Iterator[CameraPlan]:
    for device in fleet.devices.values():
        if is_set_to_record(device):
            yield CameraPlan(device.id, ALWAYS, now)
        if device.retired_at is not None:
            yield CameraPlan(device.id, RETIRED, device.retired_at)
