"""Judge the pictures of a camera: which faults they show, and since how many samples.

Pure: it knows neither clock nor camera. The limits were chosen on generated pictures
(`make health` measures them on others; docs/picture-health.md has the result).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from picture_health.model import (
    FAULTS,
    Comparison,
    Fault,
    Health,
    Level,
    Measures,
    Reference,
    Sample,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a fault is needed, and in how many samples in a row."""

    in_a_row: int
    dark: float
    """Least share of dark blocks of a black picture."""
    unchanged: float
    """Least share of unchanged blocks of a frozen one."""
    soft: float
    """Largest sharpness of a blurred one."""
    softened: float
    """Largest part of the sharpness above 1 of its reference that blocks of a blurred one keep."""
    bare: float
    """Largest share of blocks with structure in a covered one."""
    even: float
    """Most grey levels by which the blocks of a covered one leave a smooth surface."""
    lost: float
    """Least share of its reference's structure that a covered one has lost."""
    agreement: float
    """Largest share of edges in their old places in a moved one."""
    in_place: float
    """The same without those that fit elsewhere too, less those that only fit there."""


LIMITS: Mapping[Level, Limits] = MappingProxyType(
    {
        "low": Limits(5, 1.0, 0.90, 1.12, 0.60, 0.01, 4.0, 0.80, 0.30, 0.25),
        "normal": Limits(3, 1.0, 0.75, 1.22, 0.75, 0.03, 7.0, 0.65, 0.50, 0.40),
        "high": Limits(2, 0.95, 0.60, 1.32, 0.82, 0.06, 10.0, 0.50, 0.60, 0.45),
    }
)
ENOUGH_ALIVE = 0.3
"""Share of blocks that noise can change, from which a picture can be called frozen."""
ENOUGH_EDGES = 0.025
"""Share of blocks with edges, from which sharpness can be judged."""
MANY_EDGES = 0.4
"""Share of blocks with edges, in a reference and, softer, in the picture too, which do not go away
by themselves."""
SHARP = 1.58
"""Sharpness of its sharpest blocks from which no picture is called blurred, however sharp its
reference is."""
MOSTLY_SOFT = 1.68
"""The same, where the edges that both show are far softer: a few sharp blocks are noise then."""
FAR_SOFTER = 2 / 3
"""The part of `softened` that such edges have kept at most."""
SOFT_ITSELF = 1.2
"""Sharpness below which a reference cannot tell a blurred picture."""
WIDER = 1.1
"""How much more than `softened` the sharpest blocks of a blurred picture may have left: they are
compared with the usual ones of its reference."""
ENOUGH_STRUCTURE = 0.2
"""Share of blocks with structure in a reference, from which their loss can be judged."""
ENOUGH_COMPARED = 0.1
"""Share of blocks with edges in both pictures, from which a move can be judged."""
ALIKE = 12.0
"""Grey levels by which a picture may differ from an expected one."""


@dataclass(frozen=True, slots=True)
class Course:
    """What the samples of a camera have shown so far."""

    health: Health = "unknown"
    findings: frozenset[Fault] = frozenset()
    """Faults that so many samples in a row have shown, and that have not ended."""
    showing: Mapping[Fault, int] = field(default_factory=dict)
    """For each fault of the newest sample, how many samples in a row have shown it."""
    clear: Mapping[Fault, int] = field(default_factory=dict)
    """For each fault found, how many samples in a row have not shown it."""
    anchor: bytes = field(default=b"", repr=False)
    """The descriptor of the picture since which nothing has changed."""


def descriptors(course: Course, references: Sequence[Reference]) -> tuple[bytes, ...]:
    """The earlier pictures that the next sample must be compared with, in the order in which
    `judged` expects the comparisons."""
    return (course.anchor, *(reference.descriptor for reference in references))


def judged(
    course: Course, sample: Sample | None, references: Sequence[Reference], level: Level
) -> Course:
    """The course after one more sample, or after one that could not be had (None).

    A fault is found after so many samples in a row, and ends after as many that do not show it. A
    missing sample is no evidence of either, and leaves the health unknown; nor does a picture end
    what it cannot show.
    """
    if sample is None:
        return replace(course, health="unknown")
    limits = LIMITS[level]
    faults = faults_of(sample, references, limits)
    showing = {fault: course.showing.get(fault, 0) + 1 for fault in FAULTS if fault in faults}
    hidden = _hidden(faults, sample)
    clear = {
        fault: course.clear.get(fault, 0) + (fault not in hidden)
        for fault in course.findings - faults
    }
    ended = {fault for fault, count in clear.items() if count >= limits.in_a_row}
    raised = {fault for fault, count in showing.items() if count >= limits.in_a_row}
    findings = frozenset((course.findings | raised) - ended)
    return Course(
        health="faulty" if findings else "suspected" if faults else "healthy",
        findings=findings,
        showing=showing,
        clear={fault: count for fault, count in clear.items() if fault in findings},
        anchor=course.anchor if _is_unchanged(sample, limits) else sample.descriptor,
    )


def faults_of(sample: Sample, references: Sequence[Reference], limits: Limits) -> frozenset[Fault]:
    """The faults that one picture shows. Black comes first: such a picture is also frozen, covered
    and without edges. One that is covered is neither blurred nor moved, but has no edges either:
    with some, of which hardly any is in its old place, the picture is another one. Soft edges near
    their old places are blurred ones."""
    if sample.measures.dark >= limits.dark:
        return frozenset({"black"})
    faults = set[Fault]()
    if _is_unchanged(sample, limits):
        faults.add("frozen")
    beside = [
        (reference, comparison)
        for reference, comparison in zip(references, sample.comparisons[1:], strict=True)
        if comparison is not None
    ]
    if _is_as_plain_as_a_reference(sample.measures, beside):
        return frozenset(faults)
    is_elsewhere = _is_elsewhere(beside, limits.agreement / 2)
    if _is_covered(sample.measures, beside, limits) and not (
        is_elsewhere and sample.measures.edges >= ENOUGH_COMPARED
    ):
        faults.add("covered")
    elif is_elsewhere:
        faults.add("moved")
    elif _is_blurred(sample.measures, beside, limits):
        faults.add("blurred")
    elif _is_elsewhere(beside, limits.agreement, limits.in_place):
        faults.add("moved")
    return frozenset(faults)


HIDES: Mapping[Fault, frozenset[Fault]] = MappingProxyType(
    {
        "black": frozenset({"blurred", "covered", "moved"}),
        "covered": frozenset({"blurred", "moved"}),
        "blurred": frozenset({"moved"}),
    }
)
"""The faults that a picture with another one cannot show."""


def _hidden(faults: frozenset[Fault], sample: Sample) -> frozenset[Fault]:
    """The faults about which a picture says nothing. By night it can have too few edges to say
    that a camera shows the view of its references again."""
    hidden = frozenset[Fault]().union(*(HIDES.get(fault, ()) for fault in faults))
    beside = [each for each in sample.comparisons[1:] if each is not None]
    has_edges = any(each.compared >= ENOUGH_COMPARED for each in beside)
    return hidden if has_edges or not beside else hidden | {"moved"}


Beside = Sequence[tuple[Reference, Comparison]]


def _is_unchanged(sample: Sample, limits: Limits) -> bool:
    """No noise, no light, nothing has changed since an earlier sample; the time that the camera
    writes may have."""
    comparison = sample.comparisons[0] if sample.comparisons else None
    return (
        comparison is not None
        and comparison.alive >= ENOUGH_ALIVE
        and comparison.unchanged >= limits.unchanged
    )


def _is_as_plain_as_a_reference(measures: Measures, beside: Beside) -> bool:
    """A reference without edges, such as an empty wall by night, has nothing to lose or to move: a
    picture without edges that is as bright fits it."""
    return measures.edges < ENOUGH_COMPARED and any(
        reference.measures.edges < ENOUGH_COMPARED and compared.difference <= ALIKE
        for reference, compared in beside
    )


def _is_covered(measures: Measures, beside: Beside, limits: Limits) -> bool:
    """It shows next to nothing; or it has lost most of what each reference shows, edges too."""
    usable = [pair for pair in beside if pair[1].held >= ENOUGH_STRUCTURE]
    if usable:
        return all(
            compared.lost >= limits.lost and measures.edges <= reference.measures.edges / 2
            for reference, compared in usable
        )
    is_bare = measures.structure <= limits.bare and measures.edges < ENOUGH_EDGES
    return is_bare and measures.layout <= limits.even


def _is_blurred(measures: Measures, beside: Beside, limits: Limits) -> bool:
    """Its edges are soft; or softer than those of each reference, or all gone while what is there
    is in its old place."""
    sharp = [pair for pair in beside if pair[0].measures.edges >= ENOUGH_EDGES]
    if measures.edges < ENOUGH_EDGES:
        return bool(sharp) and all(
            reference.measures.edges >= MANY_EDGES and compared.compared >= MANY_EDGES
            for reference, compared in sharp
        )
    if not sharp:
        return measures.sharpness <= limits.soft
    return all(
        _is_softened(measures, reference.measures, compared, limits)
        for reference, compared in sharp
    )


def _is_softened(
    measures: Measures, reference: Measures, compared: Comparison, limits: Limits
) -> bool:
    """The edges that both show have become soft, and nothing else in the picture is sharp. At
    night a few lit edges are all there is, and those of glare are soft in the best picture."""
    if reference.sharpness < SOFT_ITSELF:
        return False
    left = (measures.sharpest - 1) / (reference.sharpness - 1)
    if left <= limits.softened / 2:
        return True
    kept = compared.sharpness
    if left > limits.softened * WIDER or (kept is not None and kept > limits.softened):
        return False
    is_far_softer = kept is not None and kept <= limits.softened * FAR_SOFTER
    return measures.sharpest <= (MOSTLY_SOFT if is_far_softer else SHARP)


def _is_elsewhere(beside: Beside, agreement: float, in_place: float = -1.0) -> bool:
    """Its edges are not where they are in any reference, or as well elsewhere."""
    usable = [compared for _, compared in beside if compared.compared >= ENOUGH_COMPARED]
    return bool(usable) and all(
        compared.agreement <= agreement or compared.in_place <= in_place for compared in usable
    )


def is_expected(comparison: Comparison) -> bool:
    """True if a picture shows the same as one that a person expects: a privacy card, a lens cap."""
    return comparison.difference <= ALIKE and (
        comparison.compared < ENOUGH_COMPARED or comparison.agreement >= 0.5
    )
