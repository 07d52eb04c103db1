"""Sample a camera: take a picture, judge it, keep the course, and tell the fleet."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Event, Lock, RLock
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from fleet.channels import NO_SIGNAL
from fleet.model import Device, Facts, Finding, Fleet, NotFound
from fleet.pictures import (
    GreyPicture,
    NotOffered,
    NotTaken,
    TakenPicture,
    checked,
    no_way,
    without_frames,
)
from picture_health import health_rows as rows
from picture_health.camera_health import SOURCE, KeptPicture, PictureKind, finding_kind
from picture_health.camera_settings import HealthSettings
from picture_health.health_rows import StoredCourse
from picture_health.judging import LIMITS, Course, descriptors, is_expected, judged
from picture_health.kept_pictures import KeptPictures
from picture_health.measuring import Measuring
from picture_health.model import (
    FAULTS,
    CannotMeasure,
    Fault,
    Health,
    Reference,
    Sample,
    is_descriptor,
)
from picture_health.newest_pictures import NewestPictures
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
P = TypeVar("P", bound=TakenPicture | GreyPicture)
Way = Callable[[int, float], TakenPicture]
"""Takes a picture of a device within so many seconds. Raises NotOffered where the device does not
have this way, and NotTaken where it fails."""
Look = Callable[[int, float], TakenPicture | GreyPicture]
"""The same for a picture that nobody is going to see."""
TIMEOUT = 20.0
"""Seconds for a sample: a stream can have a key frame every ten."""
GRACE = 15.0
"""Seconds beyond, for measuring and for a way that keeps its limit."""
NOT_SAMPLED = "Not sampled since Camera Monitor was started."
INTERNAL = "An internal error occurred."
STOPPING = "Camera Monitor is stopping."
TEXTS: Mapping[Fault, str] = MappingProxyType(
    {
        "black": "its picture is black",
        "frozen": "its picture is frozen: nothing but the time changes",
        "blurred": "its picture is blurred",
        "covered": "its lens is covered, or its picture shows nothing",
        "moved": "it no longer shows the view of its reference picture: it was moved or turned",
    }
)
FAULT_OF = {finding_kind(fault): fault for fault in FAULTS}


@dataclass(slots=True)
class Watched:
    """What is known of a camera. `sampled` is `sampled_at` by a clock that nobody sets. `reason`
    is why the newest sample is missing; `fits_expected`: it shows an expected picture. `pending`
    are pictures of findings that the database did not take yet."""

    course: Course = field(default_factory=Course)
    sampled_at: datetime | None = None
    sampled: float | None = None
    taken_at: datetime | None = None
    reason: str = NOT_SAMPLED
    fits_expected: bool = False
    pending: dict[Fault, KeptPicture] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)


@dataclass(slots=True)
class _Flight:
    """A sample that is being taken. `keeps`: somebody wants to see its picture. `picture`: what is
    judged where it was taken before."""

    keeps: bool
    picture: TakenPicture | None = None
    is_over: Event = field(default_factory=Event)
    error: NotTaken | None = None


class Sampling:
    """Samples cameras, from any thread; of each one at a time, and all who ask meanwhile get that
    one. `ways` are tried in their order, `looks` instead of them for a camera that seems healthy;
    `report` takes findings to the fleet."""

    def __init__(
        self,
        engine: "Engine",
        settings: HealthSettings,
        kept: KeptPictures,
        measuring: Measuring,
        ways: Sequence[Way],
        fleet: Callable[[], Fleet],
        report: Callable[[Sequence[Finding]], object],
        clock: Callable[[], datetime],
        timer: Callable[[], float] = monotonic,
        looks: Sequence[Look] = (),
    ) -> None:
        self.ways = tuple(ways)
        self.looks: Sequence[Look] = tuple(looks) or self.ways
        self.newest = NewestPictures()
        self._engine = engine
        self._settings = settings
        self._kept = kept
        self._measuring = measuring
        self._fleet = fleet
        self._report = report
        self._clock = clock
        self._timer = timer
        self._lock = Lock()
        self._watched: dict[int, Watched] = {}
        self._flights: dict[int, _Flight] = {}
        self._changed: set[int] = set()
        self._is_cut_off = False
        self._ends = False

    def open(self) -> None:
        """Load the courses; the tables must exist. Raises Unreachable."""
        for device, stored in rows.courses(self._engine).items():
            # After a crash, the fleet can know a fault of which the course says nothing.
            known = open_faults(self._fleet().devices.get(device))
            course = replace(stored.course, findings=stored.course.findings | known.keys())
            self._watched[device] = Watched(course, stored.sampled_at)

    def watched(self, device: int) -> Watched:
        """What is known of a camera."""
        with self._lock:
            return self._watched.setdefault(device, Watched())

    def age(self, device: int) -> float | None:
        """Seconds since the newest sample of a camera since the start, if there is one."""
        sampled = self.watched(device).sampled
        return None if sampled is None else self._timer() - sampled

    # -- one sample ----------------------------------------------------------------------

    def sample(
        self,
        device: int,
        timeout: float = TIMEOUT,
        keeps: bool = False,
        picture: TakenPicture | None = None,
    ) -> None:
        """Take and judge a picture now, or wait for the one that is being taken. A `picture` that
        was taken already is judged after that one. Raises NotTaken."""
        with self._lock:
            if self._ends:
                raise NotTaken(STOPPING)
            flight = self._flights.get(device)
            if is_new := flight is None:
                flight = self._flights[device] = _Flight(keeps, picture)
            else:
                flight.keeps = flight.keeps or keeps
        if is_new:
            self._fly(device, flight, timeout)
        elif not flight.is_over.wait(timeout + GRACE):
            raise NotTaken(f"The camera has not given a picture within {timeout:.0f} s.")
        elif picture is not None:
            self.sample(device, timeout, keeps, picture)
            return
        if flight.error is not None:
            raise without_frames(flight.error)

    def _fly(self, device: int, flight: _Flight, timeout: float) -> None:
        error: NotTaken | None = NotTaken(INTERNAL, "See the log of the server.")
        try:
            self._run(device, self.watched(device), flight, timeout)
            error = None
        except NotTaken as failed:
            error = without_frames(failed)
        finally:
            if error is not None:
                self.miss(device, error.reason)
            with self._lock:
                self._flights.pop(device, None)
                flight.error = flight.error or error
            flight.is_over.set()

    def _run(self, device: int, watched: Watched, flight: _Flight, timeout: float) -> None:
        picture = self._looked_at(device, watched, flight, timeout)
        if self._settings.expected_until(device, self._clock()):
            self._keep_newest(device, picture)
            return
        if picture.taken_at == watched.taken_at:
            if flight.keeps:
                self._keep_newest(device, picture)
            return  # The same key frame again is no evidence that nothing moves.
        references = self._comparable(device, "reference")
        expected = self._comparable(device, "expected")
        known = [reference.measured for reference in references]
        earlier = descriptors(watched.course, known)
        sample = self.measured(
            picture, (*earlier, *(each.measured.descriptor for each in expected))
        )
        with watched.lock:
            before = watched.course
            fits = any(each and is_expected(each) for each in sample.comparisons[len(earlier) :])
            own = replace(sample, comparisons=sample.comparisons[: len(earlier)])
            settings = self._settings.of(device)
            if settings.repeats:
                own = replace(own, comparisons=(None, *own.comparisons[1:]))
            if fits:
                watched.course = Course("healthy", anchor=sample.descriptor)
            else:
                watched.course = judged(before, own, known, settings.sensitivity)
            watched.sampled_at, watched.sampled = self._clock(), self._timer()
            watched.taken_at, watched.reason, watched.fits_expected = picture.taken_at, "", fits
            if flight.keeps or fits or watched.course.health != "healthy":
                self._keep_newest(device, picture)
            else:
                self.newest.drop(device)
            self._tell(device, watched, picture, sample)
            self._note_change(device, before, watched.course)
        if before.findings != watched.course.findings or self._is_cut_off:
            self.flush()

    def _comparable(self, device: int, kind: PictureKind) -> Sequence[KeptPicture]:
        """The pictures of a camera with which a sample is compared."""
        return [
            each if is_descriptor(each.measured.descriptor) else self._measured_again(each)
            for each in self._kept.of(device, kind)
        ]

    def _measured_again(self, picture: KeptPicture) -> KeptPicture:
        """A picture that another version measured. Where that fails, nothing is compared with it
        until the next sample."""
        try:
            data = self._kept.find(picture.device, picture.id).data
            sample = self._measuring.sample(data)
            return self._kept.describe(picture, Reference(sample.measures, sample.descriptor))
        except (NotFound, Unreachable, CannotMeasure):
            return replace(picture, measured=replace(picture.measured, descriptor=b""))

    def miss(self, device: int, reason: str) -> None:
        """Note that a camera could not be sampled: its health is unknown, what was found stays."""
        watched = self.watched(device)
        with watched.lock:
            watched.course = replace(watched.course, health="unknown")
            watched.reason, watched.fits_expected = reason, False

    def _looked_at(
        self, device: int, watched: Watched, flight: _Flight, timeout: float
    ) -> TakenPicture | GreyPicture:
        """A picture to judge; one for people where they may want to see it. A finding needs more
        than one sample in a row, so one that raises a finding is such a picture. Raises
        NotTaken."""
        self._check_signal(device, watched)
        if flight.picture is not None:
            return flight.picture
        course = watched.course
        is_seen = flight.keeps or watched.fits_expected or course.findings or course.showing
        return self._first(self.ways if is_seen else self.looks, device, timeout)

    def _check_signal(self, device: int, watched: Watched) -> None:
        """Raise NotTaken for a channel whose recorder says that it has no video: what it shows
        instead is no picture of the camera, and one finding of that is enough."""
        known = self._fleet().devices.get(device)
        if known is None or all(finding.kind != NO_SIGNAL for finding in known.findings):
            return
        if watched.course.findings:
            self.end(device, FAULTS, {"unknown": True})
        raise NotTaken("The recorder receives no video signal on this channel.")

    def _keep_newest(self, device: int, picture: TakenPicture | GreyPicture) -> None:
        if isinstance(picture, TakenPicture):
            self.newest.keep(device, picture)
        else:
            self.newest.drop(device)

    def taken(self, device: int, timeout: float = TIMEOUT) -> TakenPicture:
        """The picture of the first way that gives one, checked. Raises NotTaken."""
        return self._first(self.ways, device, timeout)

    def _first(self, ways: Sequence[Callable[[int, float], P]], device: int, timeout: float) -> P:
        deadline, error = self._timer() + timeout, None
        for number, take in enumerate(ways, start=1):
            left = (deadline - self._timer()) / (1 if number == len(ways) else 1.5)
            if left <= 0:
                break
            try:
                picture = take(device, left)
                if isinstance(picture, TakenPicture):
                    checked(picture)
                return picture
            except NotOffered:
                continue
            except NotTaken as failed:
                error = error or without_frames(failed)
        raise error or no_way()

    def measured(
        self, picture: TakenPicture | GreyPicture, earlier: Sequence[bytes] = ()
    ) -> Sample:
        """A picture as a sample. Raises NotTaken."""
        try:
            grey = picture.data if isinstance(picture, GreyPicture) else picture.grey
            return self._measuring.sample(grey or picture.data, earlier)
        except CannotMeasure as error:
            raise NotTaken(f"{error.reason.removesuffix('.')}.", error.hint) from error

    # -- what people change --------------------------------------------------------------

    def end(
        self,
        device: int,
        faults: Collection[Fault],
        evidence: Facts | None = None,
        fits_expected: bool = False,
    ) -> None:
        """End findings of a camera, and what its samples have shown of these faults so far.
        `fits_expected`: its newest sample shows a picture that is expected now."""
        watched = self.watched(device)
        with watched.lock:
            before = watched.course
            watched.course = without(before, faults)
            watched.fits_expected = watched.fits_expected or fits_expected
            self._clear(device, set(FAULTS) - watched.course.findings, evidence or {})
            self._note_change(device, before, watched.course)
        self.flush()

    def shows(self, device: int, expected: KeptPicture) -> bool:
        """True if the newest sample of a camera, which is in memory, shows an expected picture."""
        newest = self.newest.of(device)
        try:
            sample = newest and self.measured(newest, [expected.measured.descriptor])
        except NotTaken:
            return False
        return any(each and is_expected(each) for each in sample.comparisons) if sample else False

    # -- findings ------------------------------------------------------------------------

    def _tell(
        self, device: int, watched: Watched, picture: TakenPicture | GreyPicture, sample: Sample
    ) -> None:
        """Raise in the fleet what the course has found, and clear the rest."""
        findings = watched.course.findings
        known = open_faults(self._fleet().devices.get(device))
        raised = [
            self._raised(device, fault, self._evidence(device, watched, fault, picture, sample))
            for fault in FAULTS
            if fault in findings and fault not in known
        ]
        if raised:
            self._report(raised)
        self._clear(device, set(FAULTS) - findings, {})

    def _raised(self, device: int, fault: Fault, picture: int | None) -> Finding:
        kind, evidence = finding_kind(fault), {"picture": picture} if picture else {}
        return Finding(f"id:{device}", kind, self._clock(), TEXTS[fault], SOURCE, evidence)

    def _clear(self, device: int, faults: Collection[Fault], evidence: Facts) -> None:
        now, known = self._clock(), open_faults(self._fleet().devices.get(device))
        cleared = [
            Finding(f"id:{device}", finding_kind(fault), now, "", SOURCE, evidence, cleared=True)
            for fault in FAULTS
            if fault in faults and fault in known
        ]
        if cleared:
            self._report(cleared)
        for fault in faults:
            self.watched(device).pending.pop(fault, None)
        ended = [each.id for each in self._kept.of(device, "evidence") if each.fault in faults]
        if ended:
            self._stored(lambda: self._kept.end(ended, now))

    def _evidence(
        self,
        device: int,
        watched: Watched,
        fault: Fault,
        picture: TakenPicture | GreyPicture,
        sample: Sample,
    ) -> int | None:
        """The number of the picture that raises a finding, once it is kept."""
        kept = [each for each in self._kept.of(device, "evidence") if each.fault == fault]
        if kept:
            return kept[-1].id
        if not isinstance(picture, TakenPicture):
            return None
        try:
            made = self._kept.scaled(device, picture, sample, "evidence", fault=fault)
        except NotTaken:
            return None
        added: list[KeptPicture] = []
        if self._stored(lambda: added.append(self._kept.add(made))):
            return added[0].id
        watched.pending[fault] = made
        return None

    # -- the database --------------------------------------------------------------------

    def _note_change(self, device: int, before: Course, now: Course) -> None:
        """Note a course to write whose counts changed; one that only has a newer picture can
        wait. `flush` is for after the lock, as it takes those of other cameras."""
        needed = LIMITS[self._settings.of(device).sensitivity].in_a_row
        if _counts(before, needed) != _counts(now, needed):
            with self._lock:
                self._changed.add(device)

    def flush(self) -> None:
        """Write what the database did not take yet."""
        with self._lock:
            changed, self._changed = self._changed, set()
            watched = {device: self._watched[device] for device in changed & self._watched.keys()}
            waiting = [each for each in self._watched.values() if each.pending]
        courses = {
            device: StoredCourse(each.course, each.sampled_at)
            for device, each in watched.items()
            if each.sampled_at
        }
        if courses and not self._stored(lambda: rows.keep_courses(self._engine, courses)):
            with self._lock:
                self._changed |= changed
            return
        for each in waiting:
            with each.lock:
                for fault, picture in list(each.pending.items()):
                    if self._stored(partial(self._kept.add, picture)):
                        each.pending.pop(fault, None)

    def _stored(self, write: Callable[[], object]) -> bool:
        """Write; False if the database is unavailable, which is logged once."""
        try:
            write()
        except Unreachable as error:
            if not self._is_cut_off:
                log.warning("Picture health cannot be saved; it goes on in memory (%s)", error)
            self._is_cut_off = True
            return False
        if self._is_cut_off:
            log.info("Picture health is saved again")
        self._is_cut_off = False
        return True

    def forget(self, devices: frozenset[int]) -> None:
        """Leave out devices that do not exist any more."""
        with self._lock:
            for device in devices:
                self._watched.pop(device, None)
                self._changed.discard(device)
        for device in devices:
            self.newest.drop(device)

    def stop(self) -> None:
        """Begin no other sample, let nobody wait for one, and write all courses."""
        with self._lock:
            self._ends = True
            for flight in self._flights.values():
                flight.error = flight.error or NotTaken(STOPPING)
                flight.is_over.set()
            self._changed |= self._watched.keys()
        self.flush()


def open_faults(device: Device | None) -> dict[Fault, datetime]:
    """The faults of a device that are findings in the fleet, each since when."""
    findings = device.findings if device else ()
    return {
        FAULT_OF[each.kind]: each.since
        for each in findings
        if each.source == SOURCE and each.kind in FAULT_OF
    }


def without(course: Course, faults: Collection[Fault]) -> Course:
    """The course as if no sample had shown these faults; the picture to compare with stays."""
    findings = course.findings - set(faults)
    showing = {fault: count for fault, count in course.showing.items() if fault not in faults}
    clear = {fault: count for fault, count in course.clear.items() if fault not in faults}
    health: Health = "faulty" if findings else "suspected" if showing else "healthy"
    return Course(
        course.health if course.health == "unknown" else health,
        findings,
        showing,
        clear,
        course.anchor,
    )


def _counts(course: Course, needed: int) -> object:
    """What of a course is written at once."""
    showing = {fault: min(count, needed) for fault, count in course.showing.items()}
    return course.findings, showing, dict(course.clear)
