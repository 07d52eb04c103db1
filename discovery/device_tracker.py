"""The interface of the tracker that discovery uses: `fleet.tracker.Tracker` has it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fleet.model import Device, Event, Fleet, Report


class DeviceTracker(Protocol):
    """Applies reports and knows the devices; its methods are those of `fleet.tracker.Tracker`."""

    def apply(self, reports: Sequence[Report], now: datetime) -> list[Event]: ...

    def fleet(self) -> Fleet: ...

    def devices(self) -> Mapping[int, Device]: ...

    def known(self, key: str, site: str) -> Device | None: ...

    def at_address(self, address: str, site: str) -> Sequence[Device]: ...

    def channels_of(self, id: int) -> Sequence[Device]: ...

    def down(self) -> Mapping[str, Any]: ...

    def disputed(self) -> Mapping[str, datetime]: ...
