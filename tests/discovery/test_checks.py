"""Checks of a whole list: begun at once, watched while they run, and repeated evenly afterwards."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from discovery.jobs import RecorderSweeps
from discovery.progress import SourceProgress, seconds_left
from fleet.model import DEFAULT_SITE, Coverage, Miss, Report, Sighting, Target
from sources import easy4ip
from sources.source import Source
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import key, listed
from tests.home import Clock, until


@pytest.mark.parametrize(
    ("checked", "elapsed", "seconds"),
    [(251, 18.6, 40), (0, 5.0, None), (10, 0.9, None), (793, 9.0, 0), (1, 2.0, 1584)],
)
def test_the_rest_takes_as_long_as_the_rate_so_far_says(
    checked: int, elapsed: float, seconds: int | None
) -> None:
    left = seconds_left(checked, 793, elapsed)
    assert (left if left is None else round(left)) == seconds


def test_a_check_has_checked_whom_it_heard_or_missed() -> None:
    progress = SourceProgress("swept", "Swept", listed=5, found={"a", "b"}, missed=1)
    assert (progress.checked, progress.seconds_left(100.0)) == (3, None)
    progress.began = 94.0
    assert progress.seconds_left(100.0) == 4.0


class Recorders:
    """A source that answers about the first half of its list, and about the rest when it may."""

    def __init__(self, clock: Clock, *ids: int) -> None:
        self.clock = clock
        self.targets = [Target(DEFAULT_SITE, key(id), "", path=f"SIM{id}") for id in ids]
        self.spreads: list[float] = []
        self.go = Flag()

    async def sweep(self, targets: Sequence[Target], spread: float) -> Any:
        self.spreads.append(spread)
        for place, target in enumerate(targets):
            if place == len(targets) // 2:
                await asyncio.to_thread(self.go.wait, 20)
            yield self.report(target, place)
        yield Coverage(easy4ip.NAME, (easy4ip.NAME,), len(targets), len(targets))

    def report(self, target: Target, place: int) -> Report:
        at = self.clock()
        if place == len(self.targets) - 1:
            return Miss(target.key, easy4ip.NAME, at, "unknown", DEFAULT_SITE)
        return Sighting(DEFAULT_SITE, (target.key,), easy4ip.NAME, at, kind="recorder")

    def source(self) -> Source:
        return Source(easy4ip.NAME, "Recorders", 60, sweep=self.sweep)


Make = Callable[..., tuple[Engine, Recorders]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    engines: list[Engine] = []

    def made(*ids: int) -> tuple[Engine, Recorders]:
        recorders = Recorders(fleets.now, *ids)  # type: ignore[arg-type]
        devices = [replace(listed(id), access={}) for id in ids]
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        more: Any = {"targets": lambda name: recorders.targets}
        engines.append(Engine(tmp_path, fleets.now, recorders.source(), **more))  # type: ignore[arg-type]
        return engines[-1], recorders

    yield made
    for engine in engines:
        engine.close()


def watch(engine: Engine) -> list[list[tuple[int, int]]]:
    watched: list[list[tuple[int, int]]] = []
    engine.scanner.on_checks = lambda checks: watched.append(
        [(check.checked, check.listed) for check in checks]
    )
    return watched


def test_a_check_begins_at_once_and_is_watched_until_it_has_ended(make: Make) -> None:
    engine, recorders = make(1, 2, 3, 4)
    watched = watch(engine)
    assert engine.scanner.check_now(easy4ip.NAME)
    assert not engine.scanner.check_now(easy4ip.NAME), "it is under way"
    until(lambda: watched and watched[-1] == [(2, 4)], what="half of them is checked")
    recorders.go.set()
    until(lambda: watched[-1] == [], what="the check has ended")
    assert engine.scanner.checks() == []
    assert recorders.spreads == [0.0]
    assert set(engine.status().values()) == {"ACTIVE", "OFFLINE"}
    assert engine.scanner.swept[easy4ip.NAME][1].checked == 4
    assert engine.scanner.check_now(easy4ip.NAME), "another one may begin"


def test_a_round_that_is_spread_over_its_interval_is_no_check(make: Make) -> None:
    engine, recorders = make(1, 2)
    slow = Thread(target=engine.scanner.sweep, args=(easy4ip.NAME, 30.0))
    slow.start()
    until(lambda: recorders.spreads == [30.0], what="the round is under way")
    assert engine.scanner.checks() == []
    assert engine.scanner.check_now(easy4ip.NAME), "a check may run beside it"
    until(engine.scanner.checks, what="the check is under way")
    recorders.go.set()
    slow.join(20)
    assert not slow.is_alive()


def test_an_unknown_source_and_an_empty_list_are_not_checked(make: Make) -> None:
    engine, recorders = make(1)
    assert not engine.scanner.check_now("sonar")
    recorders.targets = []
    assert not engine.scanner.check_now(easy4ip.NAME)
    engine.scanner.close()
    assert not engine.scanner.check_now(easy4ip.NAME)


def test_new_recorders_are_asked_at_once_and_known_ones_evenly(make: Make) -> None:
    engine, recorders = make(1, 2, 3)
    recorders.go.set()
    third = recorders.targets.pop()
    job = RecorderSweeps(engine.scanner, 1.0, lambda: None)
    assert job() == "1 online, 1 not responding"
    job()
    recorders.targets.append(third)
    job()
    job()
    recorders.targets[0] = replace(recorders.targets[0], path="SIM99")
    job()
    assert [spread > 0 for spread in recorders.spreads] == [False, True, False, True, False]
