"""Picture health of all cameras, as pages and the API use it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from fleet.kinds import CAMERA, shown_as
from fleet.labels import fact
from fleet.model import Device, Fleet, Invalid, NotFound
from fleet.pictures import NotTaken, TakenPicture
from fleet.status import DOWN, Rules, status
from picture_health.camera_health import (
    CameraHealth,
    CameraSettings,
    KeptPicture,
    OpenFault,
    PictureKind,
    State,
    Suspicion,
)
from picture_health.camera_settings import HealthSettings
from picture_health.judging import LIMITS
from picture_health.kept_pictures import KeptPictures
from picture_health.measuring import NOT_INSTALLED, is_available
from picture_health.model import FAULTS
from picture_health.sampling import TIMEOUT, Sampling, Watched, open_faults

MOST_REFERENCES, MOST_EXPECTED = 4, 8
"""Pictures of one camera."""
LATE = 3
"""Intervals without a sample, after which the newest one says nothing about now."""
FITS = "It shows a picture that you expect."
NEW_REFERENCE = "Not sampled since its references were changed."
NOW_EXPECTED = "Not sampled since an expected picture was set."
NO_LONGER_EXPECTED = "Not sampled since an expected picture was removed."
WAS_OFF = "Not sampled since picture health was turned on."
WAS_IN_HOURS = "Not sampled since its expected hours ended."
FROZEN_HINT = (
    "It can be the normal view, of which no fault would be found any more. If the camera repeats "
    "its last picture between events, turn on “Repeats its last picture” (repeats). If it shows a "
    "privacy card, set a reference of its normal view first."
)
OFFLINE = "The camera is offline."
NOT_A_CAMERA = "Only cameras have picture health."
RETIRED = "The camera is retired."
TURNED_OFF = "Turned off for this camera."
TURNS = "Off because the camera can turn (PTZ). Turn it on if the camera stays in one position."
NO_INTERVAL = "PICTURE_HEALTH_INTERVAL is 0, and this camera has no interval of its own."


class PictureHealth:
    """What is known of each camera, and what people change. Numbers of merged records lead to the
    record that stays. Methods raise NotFound for a device that does not exist, and Unreachable
    where they write or read pictures."""

    def __init__(
        self,
        settings: HealthSettings,
        kept: KeptPictures,
        sampling: Sampling,
        fleet: Callable[[], Fleet],
        rules: Callable[[], Rules],
        clock: Callable[[], datetime],
    ) -> None:
        self.sampling = sampling
        self._settings = settings
        self._kept = kept
        self._fleet = fleet
        self._rules = rules
        self._clock = clock
        self._is_available = is_available()
        self._adding = Lock()
        """One picture is added at a time, so that there are never more than the most."""

    # -- what is known -------------------------------------------------------------------

    def of(self, device_id: int) -> CameraHealth:
        """The health of a camera now."""
        return self._health(self._device(device_id), self._rules())

    def all(self) -> Mapping[int, CameraHealth]:
        """The health of every camera that is not retired; without a question to the database."""
        rules = self._rules()
        return {
            device.id: self._health(device, rules)
            for device in self._fleet().devices.values()
            if not device.retired_at and shown_as(device.kind) == CAMERA
        }

    def why_off(self, device: Device) -> str:
        """Why a device is not sampled by itself, in a sentence; empty if it is."""
        settings = self._settings.of(device.id)
        if shown_as(device.kind) != CAMERA:
            return NOT_A_CAMERA
        if device.retired_at:
            return RETIRED
        if not self._is_available:
            return f"{NOT_INSTALLED.reason}."
        if settings.mode == "off":
            return TURNED_OFF
        if settings.mode == "auto" and fact(device, "ptz") is True:
            return TURNS
        return "" if self._settings.interval_of(device.id) else NO_INTERVAL

    def expected_until(self, device_id: int) -> datetime | None:
        """When the expected hours end in which a camera is now; None if it is in none."""
        return self._settings.expected_until(device_id, self._clock())

    def newest_picture(self, device_id: int) -> TakenPicture | None:
        """The newest sample of a camera with a finding, or a suspicion since the sample before, or
        that was checked a moment ago; None for the others."""
        return self.sampling.newest.of(self._device(device_id).id)

    def picture(self, device_id: int, picture_id: int) -> KeptPicture:
        """A picture that is kept, with its data. Raises NotFound."""
        return self._kept.find(self._device(device_id).id, picture_id)

    # -- what people do ------------------------------------------------------------------

    def check(self, device_id: int, timeout: float = TIMEOUT) -> CameraHealth:
        """Sample a camera now. Raises NotTaken."""
        device = self._device(device_id)
        if reason := self.why_off(device):
            raise NotTaken(reason, "Turn on picture health for this camera first.")
        self.sampling.sample(device.id, timeout, keeps=True)
        return self.of(device.id)

    def set_settings(self, device_id: int, changes: Mapping[str, Any]) -> CameraSettings:
        """Change some settings: `mode`, `sensitivity`, `interval`, `repeats`, `expected_hours`.
        Raises Invalid."""
        device = self._device(device_id)
        settings = self._settings.change(device.id, changes)
        if settings.repeats:
            self.sampling.end(device.id, ["frozen"])
        self.settle(device)
        return settings

    def settle(self, device: Device) -> None:
        """End the findings of a camera that is off, or in its expected hours. Afterwards its health
        is unknown until it is sampled again: nobody has seen that it is well."""
        if self.why_off(device):
            self.sampling.end(device.id, FAULTS, {"unknown": True})
            self.sampling.miss(device.id, WAS_OFF)
        elif self.expected_until(device.id):
            self.sampling.end(device.id, FAULTS)
            self.sampling.miss(device.id, WAS_IN_HOURS)

    def add_reference(
        self,
        device_id: int,
        by: str,
        picture: TakenPicture | None = None,
        allow: Callable[[], object] = lambda: None,
    ) -> KeptPicture:
        """Say that a picture is normal; None: take one now. A finding that it explains ends
        at once; one of now is judged at once too, and after any other one the health is unknown
        until the next sample. Raises Invalid and NotTaken. `allow` is called before it is kept,
        which can be half a minute later, and raises what then speaks against it."""
        device = self._device(device_id).id
        self._check_room(device, "reference")
        chosen = picture or self.sampling.taken(device)
        sample = self.sampling.measured(chosen)
        kept = self._add(self._kept.scaled(device, chosen, sample, "reference", by), allow)
        self.sampling.end(device, ["blurred", "covered", "moved"])
        if picture is None:
            self._judge(device, chosen)
        else:
            self._doubt(device, NEW_REFERENCE)
        return kept

    def expect(
        self,
        device_id: int,
        by: str,
        picture_id: int | None = None,
        allow: Callable[[], object] = lambda: None,
    ) -> KeptPicture:
        """Say that a picture is not to be reported: one that raised a finding, or None for the
        newest one. Its findings end at once. Raises Invalid, NotTaken and NotFound. `allow` as in
        `add_reference`."""
        device = self._device(device_id).id
        self._check_room(device, "expected")
        self._check_not_frozen(device, picture_id)
        newest = self.sampling.newest.of(device)
        if picture_id is None:
            newest = newest or self.sampling.taken(device)
            sample = self.sampling.measured(newest)
            made = self._kept.scaled(device, newest, sample, "expected", by)
        else:
            made = self._kept.copied(device, picture_id, "expected", by)
        kept = self._add(made, allow)
        fits = picture_id is None or self.sampling.shows(device, kept)
        self.sampling.end(device, FAULTS, fits_expected=fits)
        if not fits:
            self._doubt(device, NOW_EXPECTED)
        elif newest is not None:
            self._judge(device, newest)
        return kept

    def _doubt(self, device: int, reason: str) -> None:
        """Call a camera unknown instead of healthy: its newest sample was judged by other
        pictures."""
        if self.sampling.watched(device).course.health == "healthy":
            self.sampling.miss(device, reason)

    def _judge(self, device: int, picture: TakenPicture) -> None:
        """Judge a picture of now that a person has chosen. Where that fails, the health says why,
        and the picture is kept all the same."""
        if not self.why_off(self._device(device)):
            with suppress(NotTaken):
                self.sampling.sample(device, keeps=True, picture=picture)

    def _check_not_frozen(self, device: int, picture_id: int | None) -> None:
        """Refuse a picture of which nothing but standing still is known: it can be the normal view,
        and once that is expected, nothing in it is found any more. Raises Invalid and NotFound."""
        if picture_id is None:
            is_frozen = open_faults(self._device(device)).keys() == {"frozen"}
        else:
            is_frozen = self._kept.find(device, picture_id).fault == "frozen"
        if is_frozen:
            raise Invalid("A frozen picture cannot be expected", FROZEN_HINT)

    def _check_room(self, device: int, kind: PictureKind) -> None:
        most = MOST_REFERENCES if kind == "reference" else MOST_EXPECTED
        if len(self._kept.of(device, kind)) >= most:
            raise Invalid(f"There are {most} {kind} pictures already", "Remove one first.")

    def _add(self, made: KeptPicture, allow: Callable[[], object]) -> KeptPicture:
        """Keep a picture, if that is still possible now. Raises Invalid, NotFound, and what
        `allow` raises."""
        with self._adding:
            allow()
            made = replace(made, device=self._device(made.device).id)
            self._check_room(made.device, made.kind)
            return self._kept.add(made)

    def remove_picture(self, device_id: int, picture_id: int) -> KeptPicture:
        """Delete a reference or an expected picture. Raises NotFound, and Invalid for one that
        raised a finding."""
        device = self._device(device_id).id
        picture = self._kept.remove(device, picture_id)
        if picture.kind == "expected" and self.sampling.watched(device).fits_expected:
            self.sampling.miss(device, NO_LONGER_EXPECTED)
        if picture.kind == "reference" and self._kept.of(device, "reference"):
            self._doubt(device, NEW_REFERENCE)
        return picture

    # -- one camera ----------------------------------------------------------------------

    def _device(self, device_id: int) -> Device:
        fleet = self._fleet()
        device = fleet.devices.get(fleet.redirects.get(device_id, device_id))
        if device is None:
            raise NotFound(f"Device {device_id} does not exist", "Reload the page.")
        return device

    def _health(self, device: Device, rules: Rules) -> CameraHealth:
        watched, settings = self.sampling.watched(device.id), self._settings.of(device.id)
        evidence = {each.fault: each.id for each in self._kept.of(device.id, "evidence")}
        needed = LIMITS[settings.sensitivity].in_a_row
        state, reason = self._state(device, watched, rules)
        course = watched.course
        return CameraHealth(
            device=device.id,
            state=state,
            reason=reason,
            sampled_at=watched.sampled_at,
            settings=settings,
            faults=tuple(
                OpenFault(fault, since, evidence.get(fault))
                for fault, since in open_faults(device).items()
            ),
            suspected=tuple(
                Suspicion(fault, count, needed)
                for fault, count in course.showing.items()
                if fault not in course.findings
            ),
            references=self._kept.of(device.id, "reference"),
            expected_pictures=self._kept.of(device.id, "expected"),
        )

    def _state(self, device: Device, watched: Watched, rules: Rules) -> tuple[State, str]:
        """The state of a camera, and why it is off, unknown or expected."""
        if reason := self.why_off(device):
            return "off", reason
        if until := self.expected_until(device.id):
            is_soon = until - self._clock() < timedelta(days=1)
            local = until.astimezone(self._settings.zone())
            ends = f"{local:%H:%M}" if is_soon else f"{local:%a, %H:%M}"
            return "expected", f"In its expected hours until {ends}."
        if status(device, self._fleet().devices, self._clock(), rules) in DOWN:
            return "unknown", OFFLINE
        age, interval = self.sampling.age(device.id), self._settings.interval_of(device.id)
        if watched.course.health == "unknown":
            return "unknown", watched.reason
        if age is None or age > LATE * interval:
            return "unknown", f"The newest sample is older than {LATE} intervals."
        if watched.fits_expected:
            return "expected", FITS
        return watched.course.health, ""
