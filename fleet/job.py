"""One job: what a package runs by itself, every so many seconds."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table of jobs.

    `every` is in seconds. `run` returns a sentence about what it did; raising `CannotAsk` or
    anything else makes the run a failed one. `paused`: it waits until it is resumed.
    """

    name: str
    title: str
    every: float
    run: Callable[[], str]
    paused: bool = False
