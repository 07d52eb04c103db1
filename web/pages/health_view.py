"""Picture health as pages show it: the state in words, each fault with its three pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.model import Device, Event
from picture_health.camera_health import (
    CameraHealth,
    KeptPicture,
    OpenFault,
    Suspicion,
    finding_kind,
)
from picture_health.expected_hours import ExpectedHours
from store.sql import Unreachable
from video.schedule import DAYS, WEEKLY, Schedule
from video.schedule_words import described
from web.http import remedies
from web.http.actions import picture_health, stills
from web.http.monitor import current_monitor
from web.http.shapes.picture_health import newest_url, picture_url, unconfirmed_since
from web.http.visible_fleet import visible_fleet
from web.pages.still_view import ShownStill, shown_still

MARKS = {
    "off": "off",
    "unknown": "unknown",
    "healthy": "active",
    "suspected": "suspected",
    "expected": "active",
    "faulty": "finding",
}
TITLES = {
    "off": "Off",
    "unknown": "Unknown",
    "healthy": "No fault found",
    "suspected": "A fault is suspected",
    "expected": "Expected",
}
"""By the state; a faulty one is called by its faults."""
COMPARED = ("blurred", "covered", "moved")
RECENT_STILLS = 8
"""Newest stills of which one can become a reference."""


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture that is kept, with its URL."""

    kept: KeptPicture
    url: str


@dataclass(frozen=True, slots=True)
class ShownFault:
    """A fault that was found, in words. `picture_id`: the picture that raised it, if it is kept."""

    kind: str
    title: str
    since: datetime
    unknown_since: datetime | None
    text: str
    remedy: str
    picture_id: int | None
    picture_url: str

    @property
    def is_frozen(self) -> bool:
        """True for one that cannot be expected: its picture can be the normal view."""
        return self.kind == "frozen"

    @property
    def is_compared(self) -> bool:
        """True for a fault that another reference can explain: black and frozen ones need none."""
        return self.kind in COMPARED


@dataclass(frozen=True, slots=True)
class HealthState:
    """The state of the pictures of a camera in words, with its mark."""

    health: CameraHealth
    mark: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class HealthView:
    """All that the page shows of a camera beside its settings. `now_url` is empty where no newest
    sample is kept. `stills`: those that can become a reference."""

    state: HealthState
    faults: Sequence[ShownFault]
    references: Sequence[ShownPicture]
    expected: Sequence[ShownPicture]
    now_url: str
    now_at: datetime | None
    hours: Sequence[str]
    stills: Sequence[ShownStill]

    @property
    def is_only_frozen(self) -> bool:
        """True if nothing but a frozen picture was found, which cannot be expected."""
        return bool(self.faults) and all(fault.is_frozen for fault in self.faults)

    @property
    def reference(self) -> ShownPicture | None:
        """The newest reference."""
        return self.references[-1] if self.references else None


def view_of(device: Device) -> HealthView:
    health = picture_health.of(device)
    newest = picture_health.registry().newest_picture(device.id)
    return HealthView(
        state=_state(health),
        faults=[_fault(device, health, fault) for fault in health.faults],
        references=[_picture(picture) for picture in health.references],
        expected=[_picture(picture) for picture in health.expected_pictures],
        now_url=newest_url(health) if newest else "",
        now_at=newest.taken_at if newest else None,
        hours=[hours_text(hours) for hours in health.settings.expected_hours],
        stills=_stills(device),
    )


def of_device(device: Device) -> HealthState | None:
    """The state for the details of a device; None for one whose pictures nobody can judge, and for
    a person who may not see them."""
    if not visible_fleet().may("health.view", device) or not stills.can_be_taken(device):
        return None
    return _state(picture_health.of(device))


def _state(health: CameraHealth) -> HealthState:
    faults = [remedies.title(finding_kind(fault.fault)) for fault in health.faults]
    title = ", ".join(faults) if faults else TITLES.get(health.state, "")
    text = " ".join(map(_suspicion, health.suspected)) if health.state == "suspected" else ""
    return HealthState(health, MARKS[health.state], title, text or health.reason)


def _suspicion(suspicion: Suspicion) -> str:
    title = remedies.title(finding_kind(suspicion.fault))
    pictures = "1 picture" if suspicion.count == 1 else f"{suspicion.count} pictures in a row"
    return f"{title}: seen in {pictures}; reported after {suspicion.needed} in a row."


def _fault(device: Device, health: CameraHealth, fault: OpenFault) -> ShownFault:
    kind, id = finding_kind(fault.fault), fault.picture_id
    known = next((each for each in device.findings if each.kind == kind), None)
    remedy, may_edit = remedies.what_to_do(kind), visible_fleet().may(picture_health.EDIT, device)
    return ShownFault(
        kind=fault.fault,
        title=remedies.title(kind),
        since=fault.since,
        unknown_since=unconfirmed_since(health),
        text=remedies.explanation(kind, known.text) if known else "",
        remedy=remedy.replace(" in its picture health", " below") if may_edit else remedy,
        picture_id=id,
        picture_url=picture_url(device.id, id) if id is not None else "",
    )


def _picture(kept: KeptPicture) -> ShownPicture:
    return ShownPicture(kept, picture_url(kept.device, kept.id))


def hours_text(hours: ExpectedHours) -> str:
    """Such as "Mon to Fri, 22:00 to 06:00"."""
    days = tuple(DAYS[day] for day in hours.days)
    schedule = Schedule(
        0, "", WEEKLY, (), "", days=days, start_time=hours.starts, end_time=hours.ends
    )
    return described(schedule)


def _stills(device: Device) -> list[ShownStill]:
    """The newest stills, for a person who may see them."""
    if not visible_fleet().may("still.view", device):
        return []
    try:
        latest = stills.shelf().latest(device.id, RECENT_STILLS)
    except Unreachable:
        return []
    return [shown_still(device, still) for still in latest]


def event_picture(event: Event) -> str:
    """The URL of the picture that raised the finding of an event; empty for any other event, and
    for a person who may not see it."""
    id, kind, number = event.after.get("picture"), str(event.after.get("kind")), event.device
    if number is None or not kind.startswith("picture."):
        return ""
    device = visible_fleet().devices().get(current_monitor().redirects.get(number, number))
    if device is None or not visible_fleet().may("health.view", device):
        return ""
    if not isinstance(id, int):
        id = _kept_later(device, kind, event.at)
    return picture_url(device.id, id) if id is not None else ""


def _kept_later(device: Device, kind: str, at: datetime) -> int | None:
    """The picture of a finding that the database took only after the event, while it is open."""
    faults = picture_health.of(device).faults
    return next(
        (
            each.picture_id
            for each in faults
            if finding_kind(each.fault) == kind and at >= each.since
        ),
        None,
    )
