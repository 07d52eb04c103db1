"""The interface of a package for `app.py`: its jobs, and open, start, write, forget and stop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar


class JobSkipped(Exception):
    """Raised by a job that leaves its work to what does it already, in a sentence. It proves
    nothing: the error of the run before stays."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table of jobs: what runs by itself every so many seconds.

    `run` returns a sentence about what it did; with `CannotAsk` or any other error the run has
    failed, with `JobSkipped` it did nothing. `paused`: it waits until it is resumed. `at_once`: the
    first run comes at the start, not up to five seconds later.
    """

    name: str
    title: str
    every: float
    run: Callable[[], str]
    paused: bool = False
    at_once: bool = False


class Package:
    """The objects of one package. Each method does nothing where a package has nothing to do."""

    def open(self) -> None:
        """Read what is stored; nothing is sent yet. Raises CannotOpen in words."""

    def jobs(self) -> Sequence[Job]:
        """The jobs of the package; read once, when everything is open."""
        return ()

    def start(self) -> None:
        """Start the package's threads and services."""

    def tick(self) -> str:
        """Update statuses and save pending changes, once a minute; return what was done, if
        worth noting."""
        return ""

    def forget(self) -> str:
        """Delete what is too old, once a day; what and how much. Raises Unreachable."""
        return ""

    def stop(self) -> None:
        """Stop without losing anything. Also called when it was only opened."""


P = TypeVar("P", bound=Package)


class Packages:
    """All packages, in the order in which they open and start; they stop in the reverse."""

    def __init__(self) -> None:
        self._all: list[Package] = []

    def add(self, package: P) -> P:
        """Add a package and return it."""
        self._all.append(package)
        return package

    def find(self, kind: type[P]) -> P:
        """The package of that class. Raises LookupError when there is none."""
        for package in self._all:
            if isinstance(package, kind):
                return package
        raise LookupError(f"no {kind.__name__} was built")

    def __iter__(self) -> Iterator[Package]:
        return iter(self._all)

    def __reversed__(self) -> Iterator[Package]:
        return reversed(self._all)
