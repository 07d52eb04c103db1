"""Progress and result of a scan, as values that can be watched and kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.model import Coverage


@dataclass(slots=True)
class SourceProgress:
    """One source within one scan. `state`: asking, done, failed, cancelled; `listed`: how
    many devices it was told to ask about."""

    name: str
    title: str
    state: str = "asking"
    found: set[str] = field(default_factory=set)
    missed: int = 0
    listed: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    coverage: Coverage | None = None

    def take(self, other: "SourceProgress") -> None:
        """The other one asked about the same devices and ended before."""
        self.found, self.missed = other.found, other.missed
        self.failed, self.coverage = other.failed, other.coverage

    def plain(self) -> dict[str, Any]:
        coverage = self.coverage
        return {
            "name": self.name,
            "title": self.title,
            "state": self.state,
            "found": len(self.found),
            "requests": coverage.requests if coverage else 0,
            "answers": coverage.answers if coverage else 0,
            "interfaces": self._interfaces(),
            "refused": dict(coverage.refused) if coverage else {},
            "failed": self.failed,
            "missed": self.missed,
            "listed": self.listed,
            "notes": list(coverage.notes) if coverage else [],
        }

    def _interfaces(self) -> list[str]:
        scopes = self.coverage.scopes if self.coverage else ()
        return [part for part in (scope.partition(":")[2] for scope in scopes) if part]


@dataclass(slots=True)
class Scan:
    """One scan over some sources. `by` is who started it."""

    started: datetime
    by: str
    sources: dict[str, SourceProgress]
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

    def plain(self) -> dict[str, Any]:
        """For the API, the event stream and the database file."""
        return {
            "at": self.started.isoformat(),
            "finished": self.finished.isoformat() if self.finished else None,
            "by": self.by,
            "state": self.state,
            "found": self.found,
            "missed": self.missed,
            "error": self.error or None,
            "sources": [source.plain() for source in self.sources.values()],
        }


def scopes_of(asked: Iterable[SourceProgress]) -> list[str]:
    """The sources, and the scopes of each, that were really asked."""
    coverages = [progress.coverage for progress in asked if progress.coverage]
    return sorted(
        {scope for each in coverages if each.scopes for scope in (each.source, *each.scopes)}
    )
