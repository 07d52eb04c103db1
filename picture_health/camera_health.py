"""The health of a camera as pages and the API show it, and what people set for it. No I/O."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from picture_health.expected_hours import ExpectedHours
from picture_health.model import Fault, Level, Reference

State = Literal["off", "unknown", "healthy", "suspected", "expected", "faulty"]
"""`off`: nobody wants it. `unknown`: there is no newest sample to judge. `suspected`: the newest
sample shows a fault, but not enough in a row do. `expected`: the picture, or the hour, is one in
which a person expects nothing to be seen."""
STATES: tuple[State, ...] = ("off", "unknown", "healthy", "suspected", "expected", "faulty")
Mode = Literal["auto", "on", "off"]
"""`auto`: on, unless the camera is known to turn."""
MODES: tuple[Mode, ...] = ("auto", "on", "off")
LEVELS: tuple[Level, ...] = ("low", "normal", "high")
PictureKind = Literal["reference", "expected", "evidence"]
"""What a picture is kept for: as normal, as expected, or because it raised a finding."""
SOURCE = "picture_health"
"""Of its findings in the fleet."""


def finding_kind(fault: Fault) -> str:
    """The kind of the finding for a fault."""
    return f"picture.{fault}"


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What a person set for a camera. `interval`: seconds between two samples; None: as for all.
    `repeats`: a battery or bridge camera that repeats its last picture between events, so frozen
    is not judged. `expected_hours`: nothing is judged in them."""

    mode: Mode = "auto"
    sensitivity: Level = "normal"
    interval: int | None = None
    repeats: bool = False
    expected_hours: tuple[ExpectedHours, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture that is kept, 640 pixels wide or less. `at` is when it was taken; `by` the person
    who kept it, empty for one that raised a finding, which has its `fault`. `measured` is what
    samples are compared with. `data` is the JPEG, and empty where nobody asked for it."""

    id: int
    device: int
    kind: PictureKind
    fault: Fault | None
    at: datetime
    by: str
    width: int
    height: int
    measured: Reference = field(repr=False)
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A finding that has not ended. `picture_id` is the picture that raised it, if it is kept."""

    fault: Fault
    since: datetime
    picture_id: int | None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A fault that the newest samples show: `count` of the `needed` ones in a row."""

    fault: Fault
    count: int
    needed: int


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """The health of a camera now. `reason` is a sentence about why it is off, unknown or expected.
    `sampled_at` is when the newest sample was judged: its faults are as of then."""

    device: int
    state: State
    reason: str
    sampled_at: datetime | None
    settings: CameraSettings
    faults: tuple[OpenFault, ...]
    suspected: tuple[Suspicion, ...]
    references: tuple[KeptPicture, ...]
    expected_pictures: tuple[KeptPicture, ...]
