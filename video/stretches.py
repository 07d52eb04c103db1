"""Stretches of time: joined, subtracted and added up. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

TOGETHER = timedelta(seconds=2)
"""Files that follow each other within this time have no gap between them."""


class Stretch(NamedTuple):
    """A time, in UTC, from `start` to before `end`."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def joined(
    stretches: Iterable[Stretch], span: Stretch, together: timedelta = timedelta()
) -> list[Stretch]:
    """The stretches inside `span`, in order, without overlaps. Those that follow each other within
    `together` are one."""
    result: list[Stretch] = []
    clipped = (Stretch(max(start, span.start), min(end, span.end)) for start, end in stretches)
    for start, end in sorted(each for each in clipped if each.start < each.end):
        if result and start - result[-1].end <= together:
            result[-1] = Stretch(result[-1].start, max(end, result[-1].end))
        else:
            result.append(Stretch(start, end))
    return result


def subtract(stretches: Iterable[Stretch], holes: Sequence[Stretch]) -> list[Stretch]:
    """The stretches without the holes; both in order, without overlaps."""
    result, at = [], 0
    for start, end in stretches:
        while at < len(holes) and holes[at].end <= start:
            at += 1
        left, later = start, at
        while later < len(holes) and holes[later].start < end:
            if left < holes[later].start:
                result.append(Stretch(left, holes[later].start))
            left = max(left, holes[later].end)
            later += 1
        if left < end:
            result.append(Stretch(left, end))
    return result


def length(stretches: Iterable[Stretch]) -> float:
    """Seconds of all of them."""
    return sum(stretch.seconds for stretch in stretches)
