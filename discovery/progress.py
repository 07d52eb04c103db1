"""Progress and result of a scan, as values that can be watched and kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from fleet.model import Coverage

MIN_MEASURED = 1.0
"""Seconds of a check before its rate says anything about its rest."""


def seconds_left(checked: int, total: int, elapsed: float) -> float | None:
    """The seconds that the rest of a check takes at the rate so far; None while that is unknown."""
    if checked <= 0 or elapsed < MIN_MEASURED:
        return None
    return elapsed / checked * max(0, total - checked)


@dataclass(slots=True)
class SourceProgress:
    """One source within one scan. `state`: asking, done, failed, cancelled; `listed`: the number
    of devices of its list; `failed`: {scope: reason} of what could not be asked. `began` is the
    monotonic time at which it began to ask about its list, over `spread` seconds."""

    name: str
    title: str
    state: str = "asking"
    found: set[str] = field(default_factory=set)
    missed: int = 0
    listed: int = 0
    began: float | None = None
    spread: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)
    coverage: Coverage | None = None

    def end(self) -> None:
        """Set the state at the end, unless it failed before."""
        if self.state == "asking":
            self.state = "failed" if self.failed else "done"

    def adopt(self, other: "SourceProgress") -> None:
        """Take over the result of another sweep of the same devices that ended first."""
        self.found, self.missed = other.found, other.missed
        self.failed, self.coverage = other.failed, other.coverage

    @property
    def checked(self) -> int:
        """The number of devices of its list whose result is known."""
        return min(self.listed, len(self.found) + self.missed)

    def seconds_left(self, now: float) -> float | None:
        """The seconds to the end of its list, by the monotonic time `now`; None if unknown."""
        elapsed = 0.0 if self.began is None else now - self.began
        return seconds_left(self.checked, self.listed, elapsed)

    @property
    def requests(self) -> int:
        return self.coverage.requests if self.coverage else 0

    @property
    def answers(self) -> int:
        return self.coverage.answers if self.coverage else 0

    @property
    def interfaces(self) -> list[str]:
        """The interfaces, regions or sites that it asked."""
        scopes = self.coverage.scopes if self.coverage else ()
        return [part for part in (scope.partition(":")[2] for scope in scopes) if part]

    @property
    def refused(self) -> dict[str, int]:
        """The number of refused datagrams by reason."""
        return dict(self.coverage.refused) if self.coverage else {}

    @property
    def notes(self) -> list[str]:
        """Sentences about the source itself."""
        return list(self.coverage.notes) if self.coverage else []


@dataclass(slots=True)
class Scan:
    """One scan over some sources. `by`: who started it; `with_probes`: it probes, too, every
    device that its sources probe."""

    started: datetime
    by: str
    sources: dict[str, SourceProgress]
    with_probes: bool = True
    finished: datetime | None = None
    state: str = "running"

    @property
    def missed(self) -> int:
        """The number of devices that were asked and did not answer, over all sources."""
        return sum(source.missed for source in self.sources.values())

    @property
    def found(self) -> int:
        """The number of different devices that answered, over all sources."""
        return len(set().union(*(source.found for source in self.sources.values())))

    @property
    def error(self) -> str:
        """The reasons why something could not be asked, in one text; empty if everything was."""
        return " ".join(
            f"{scope}: {reason}"
            for source in self.sources.values()
            for scope, reason in source.failed.items()
        )


def scopes_of(asked: Iterable[SourceProgress]) -> list[str]:
    """The sources, and the scopes of each, that were really asked."""
    coverages = [progress.coverage for progress in asked if progress.coverage]
    return sorted(
        {scope for each in coverages if each.scopes for scope in (each.source, *each.scopes)}
    )
