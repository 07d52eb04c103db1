"""What should have been recorded and was not, and why. Pure.

Times are half-open stretches in UTC. What is expected comes from schedules, what is there from
files that open, and the causes from what streams, disk and this server did meanwhile.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from video.outages import (
    DAMAGED,
    DISK,
    EVERYTHING,
    INCOMPLETE,
    NO_PICTURE,
    NO_SUB,
    OFF,
    REFUSED,
    RESTARTED,
    RETIRED,
    RUNNING,
    SERVER,
    UNKNOWN,
    UNSCHEDULED,
    Outage,
)
from video.stretches import TOGETHER, Stretch, joined, length, subtract

STARTS_WITHIN = timedelta(seconds=30)
"""What is missing at the beginning of an expected time for no known reason, up to so long, is the
time until the first key frame, and no gap."""
PRIORITY = (
    *(SERVER, DISK, DAMAGED, RETIRED, INCOMPLETE, NO_SUB),
    *(RESTARTED, OFF, REFUSED, NO_PICTURE),
)
"""Of two causes at a time, the first one explains the other."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that is not there, and why. `reason`: what the stream said, or empty."""

    start: datetime
    end: datetime
    cause: str
    reason: str = ""

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a camera should have recorded in a time, and has. `gaps` are those of the expected time,
    `unscheduled` what was neither expected nor recorded."""

    expected: float
    present: float
    gaps: tuple[Gap, ...]
    unscheduled: tuple[Gap, ...]

    @property
    def missing(self) -> float:
        return sum(gap.seconds for gap in self.gaps)

    @property
    def share(self) -> float | None:
        """The part of the expected time that is there, 0 to 1; None where nothing is expected."""
        return min(1.0, self.present / self.expected) if self.expected else None


def coverage(
    span: Stretch,
    expected: Iterable[Stretch],
    present: Iterable[Stretch],
    damaged: Iterable[Stretch],
    outages: Sequence[Outage],
) -> Coverage:
    """Compare what is expected with what is there, and find the cause of each gap.

    `present` are the times of files that open, of any stream of the camera, `damaged` those of
    files that do not. `outages` has the ones of the camera and of everything.
    """
    wanted, there = joined(expected, span), joined(present, span, TOGETHER)
    causes = _causes(span, damaged, outages)
    gaps = [gap for missing in subtract(wanted, there) for gap in _explained(missing, causes)]
    beginnings = {stretch.start for stretch in wanted}
    counted = tuple(gap for gap in gaps if not _is_start(gap, beginnings))
    overlap = subtract(wanted, subtract([span], there))
    idle = subtract(subtract([span], wanted), there)
    return Coverage(
        expected=length(wanted),
        present=length(overlap),
        gaps=counted,
        unscheduled=tuple(Gap(start, end, UNSCHEDULED) for start, end in idle),
    )


def _is_start(gap: Gap, beginnings: Iterable[datetime]) -> bool:
    is_short = gap.end - gap.start <= STARTS_WITHIN
    return gap.cause == UNKNOWN and is_short and gap.start in beginnings


# -- causes ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cause:
    stretch: Stretch
    cause: str
    reason: str


def _causes(span: Stretch, damaged: Iterable[Stretch], outages: Sequence[Outage]) -> list[_Cause]:
    """All that could explain a gap, the strongest first."""
    known = [_Cause(stretch, DAMAGED, "") for stretch in damaged]
    known += [_Cause(stretch, SERVER, "") for stretch in _not_running(span, outages)]
    for outage in outages:
        if outage.cause != RUNNING:
            stretch = Stretch(outage.began, outage.ended or span.end)
            known.append(_Cause(stretch, outage.cause, outage.reason))
    return sorted(known, key=lambda each: PRIORITY.index(each.cause))


def _not_running(span: Stretch, outages: Sequence[Outage]) -> list[Stretch]:
    """When this server did not run, from the first time on that it is known to have run."""
    runs = [
        Stretch(outage.began, outage.ended or span.end)
        for outage in outages
        if outage.device == EVERYTHING and outage.cause == RUNNING
    ]
    if not runs:
        return []
    known = Stretch(max(span.start, min(run.start for run in runs)), span.end)
    return subtract([known], joined(runs, known))


def _explained(missing: Stretch, causes: Sequence[_Cause]) -> Iterator[Gap]:
    """The missing stretch in parts that have one cause each, in order."""
    left, gaps = [missing], []
    for each in causes:
        before, left = left, subtract(left, [each.stretch])
        for start, end in subtract(before, left):
            gaps.append(Gap(start, end, each.cause, each.reason))
    gaps += list(_unexplained(left, gaps))
    yield from _merged(sorted(gaps, key=lambda gap: gap.start))


def _unexplained(left: Sequence[Stretch], gaps: Sequence[Gap]) -> Iterator[Gap]:
    """What has no cause of its own: next to an outage it is the time until the next key frame."""
    for start, end in left:
        neighbour = next((gap for gap in gaps if gap.end == start or gap.start == end), None)
        if neighbour and end - start <= STARTS_WITHIN:
            yield Gap(start, end, neighbour.cause, neighbour.reason)
        else:
            yield Gap(start, end, UNKNOWN)


def _merged(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """Gaps of one cause that touch, as one. The camera said the reason of the first one."""
    last: Gap | None = None
    for gap in gaps:
        if last and last.end == gap.start and last.cause == gap.cause:
            last = Gap(last.start, gap.end, last.cause, last.reason or gap.reason)
            continue
        if last:
            yield last
        last = gap
    if last:
        yield last
