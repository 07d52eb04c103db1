"""Cache of what needs attention: many pages and streams ask for it in the same snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fleet.attention import Attention, attention
from fleet.model import Device

MAX_SNAPSHOTS = 8
"""The snapshots of those who see every device, and of as many groups of others."""


@dataclass(frozen=True, slots=True)
class JudgedSnapshot:
    devices: Mapping[int, Device]
    statuses: Mapping[int, str]
    attention: Attention


class LatestAttention:
    """What needs attention in the last snapshots: worked out once for each."""

    def __init__(self) -> None:
        self._judged: tuple[JudgedSnapshot, ...] = ()

    def of(
        self, devices: Mapping[int, Device], statuses: Mapping[int, str], now: datetime
    ) -> Attention:
        """A snapshot is the same while both mappings are: its statuses are renewed each second."""
        for known in self._judged:
            if known.devices is devices and known.statuses is statuses:
                return known.attention
        judged = JudgedSnapshot(devices, statuses, attention(devices.values(), statuses, now))
        self._judged = (judged, *self._judged[: MAX_SNAPSHOTS - 1])
        return judged.attention
