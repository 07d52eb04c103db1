"""Keep recordings: their folder, their clean-up, and what is missing of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fleet.model import Device
from fleet.package import Job
from video.cleaning import Cleaner
from video.folder_proof import FolderProof
from video.retention import Limits

CLEAN_EVERY = 5.0
"""Seconds between two looks at the free space of the disk."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The folder of the recordings, which proves who it is, and its clean-up."""

    proof: FolderProof
    cleaner: Cleaner

    def jobs(self) -> Sequence[Job]:
        clean = self.cleaner.run
        return (Job("recordings", "Delete old recordings", CLEAN_EVERY, clean),)


def limits_of(devices: Callable[[], Mapping[int, Device]], limits: Limits) -> Callable[[], Limits]:
    """These limits, with the retention that people set for single devices."""

    def current() -> Limits:
        own = {
            device.id: device.recording["retention_days"]
            for device in devices().values()
            if "retention_days" in device.recording
        }
        return Limits(limits.max_bytes, limits.min_free, limits.days, own)

    return current
