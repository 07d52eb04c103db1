"""Judge made-up cameras, and count what is found: for the tests and docs/picture-health.md."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from picture_health.judging import LIMITS, Course, descriptors, judged
from picture_health.measures import measured
from picture_health.model import FAULTS, Fault, Level, Reference
from tests.picture_health.scenes import CONDITIONS, Array, Camera, Moment

CHOSEN_ON, JUDGED_ON = range(1, 101), range(101, 401)
"""Seeds of the scenes on which the limits were chosen, and of those that judge them."""
UNSEEN = range(10_001, 12_501)
"""Seeds of many more good cameras that judge them, in the torture."""
BEFORE = 3
"""Good samples before a fault."""
HEALTHY = 10
"""Samples of a camera without a fault."""


@dataclass(frozen=True)
class Trial:
    """A camera whose picture gets a fault, or none, and the faults found within N + 1 samples."""

    seed: int
    condition: str
    fault: str
    findings: frozenset[Fault]


def condition_of(seed: int) -> str:
    return CONDITIONS[seed % len(CONDITIONS)]


def reference_of(seed: int, view: Array | None = None) -> Reference:
    """The picture that a person called normal: of the same camera, by day."""
    sample = measured(Camera(seed, "day", view).jpeg(Moment(0)))
    return Reference(sample.measures, sample.descriptor)


def course_of(
    camera: Camera, moments: Iterable[Moment], references: Sequence[Reference], level: Level
) -> Iterator[Course]:
    course = Course()
    for moment in moments:
        sample = measured(camera.jpeg(moment), descriptors(course, references))
        course = judged(course, sample, references, level)
        yield course


def trials(seed: int, level: Level = "normal", view: Array | None = None) -> Iterator[Trial]:
    """One camera without a fault, then with each."""
    condition, references = condition_of(seed), [reference_of(seed, view)]
    for fault in ("", *FAULTS):
        camera = Camera(seed, condition, view)
        last = BEFORE + LIMITS[level].in_a_row + 1 if fault else HEALTHY
        moments = (Moment(n, fault if n >= BEFORE else "", BEFORE) for n in range(last))
        findings = frozenset[Fault]()
        for course in course_of(camera, moments, references, level):
            findings |= course.findings
        yield Trial(seed, condition, fault, findings)


def confusion(results: Iterable[Trial]) -> Counter[tuple[str, str]]:
    """How often each fault ("" for none) was found as which ("" for nothing)."""
    counts = Counter[tuple[str, str]]()
    for trial in results:
        for findings in trial.findings or {""}:
            counts[trial.fault, findings] += 1
    return counts
