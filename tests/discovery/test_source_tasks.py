"""Sources that ignore their end: a scan ends all the same, names them, and disturbs nobody."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from discovery.probe_results import FAILED, NOT_ASKED
from fleet.model import DEFAULT_SITE, Coverage, Target
from sources.source import Source
from tests.discovery.engine import MakeEngine, states
from tests.discovery.small_sources import FindingSource, Outcomes, deaf, key, seen
from tests.home import Clock, until


@dataclass
class Deaf:
    """A source that finds one device, and then waits for `go` whatever is cancelled."""

    clock: Clock
    timeout: float = 0.3
    began: int = 0
    loop: asyncio.AbstractEventLoop = field(init=False)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def discover(self) -> Outcomes:
        self.began += 1
        self.loop = asyncio.get_running_loop()
        yield seen(self.clock, "deaf", 7)
        await deaf(self.go)
        yield seen(self.clock, "deaf", 8)
        yield Coverage("deaf", ("deaf:here",), 1, 2)

    async def sweep(self, targets: Any, spread: float) -> Outcomes:
        async for report in self.discover():
            yield report

    def source(self, way: str) -> Source:
        return Source("deaf", "Deaf", self.timeout, **{way: getattr(self, way)})

    def release(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.go.set)


@pytest.fixture
def source(clock: Clock) -> Iterator[Deaf]:
    made = Deaf(clock)
    yield made
    made.release()


REASON = "it did not stop at its deadline of 0 s"


def test_a_scan_ends_though_a_source_ignores_its_deadline(
    make_engine: MakeEngine, clock: Clock, source: Deaf, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(source.source("discover"), FindingSource(clock).source())
    did = engine.scan()
    assert states(did) == {"deaf": "failed", "finds": "done"}
    assert (did["state"], did["error"]) == ("failed", f"deaf: {REASON}")
    assert set(engine.status().values()) == {"ACTIVE"}, "what was found before is kept"
    assert engine.kinds().count("source.down") == 1
    assert caplog.text.count("Deaf: a scan did not stop at its deadline and was abandoned") == 1


def test_what_an_abandoned_scan_finds_later_is_dropped(
    make_engine: MakeEngine, clock: Clock, source: Deaf
) -> None:
    engine = make_engine(source.source("discover"), FindingSource(clock).source())
    engine.scan()
    tasks = engine.scanner._source_tasks
    assert tasks.abandoned["deaf"] == 1
    source.release()
    until(lambda: tasks.abandoned["deaf"] == 0, what="the abandoned scan ended")
    assert key(7) in engine.status()
    engine.scan()
    assert key(8) in engine.status(), "it stops when it is told to, and is asked again"
    assert states(engine.ended())["deaf"] == "done"


def test_no_more_than_two_abandoned_scans_run_on(
    make_engine: MakeEngine, clock: Clock, source: Deaf
) -> None:
    engine = make_engine(source.source("discover"), FindingSource(clock).source())
    for _ in range(4):
        did = engine.scan()
        assert states(did) == {"deaf": "failed", "finds": "done"}
    assert source.began == 2
    assert "2 earlier scans of it are still running" in did["error"]


def test_a_person_stops_a_scan_though_a_source_ignores_that(
    make_engine: MakeEngine, clock: Clock, source: Deaf
) -> None:
    source.timeout = 60
    engine = make_engine(source.source("discover"), FindingSource(clock).source())
    engine.scanner.start("test")
    until(lambda: source.began, what="the source is asked")
    assert engine.scanner.cancel()
    assert engine.ended()["state"] == "cancelled"


def listed(engine_of: Callable[..., Any], source: Deaf) -> Any:
    target = Target(DEFAULT_SITE, key(7), "10.0.0.7")
    engine = engine_of(source.source("sweep"))
    engine.scanner.targets = lambda name: [target]
    return engine


def test_a_sweep_that_ignores_its_deadline_ends_for_those_who_wait(
    make_engine: MakeEngine, source: Deaf
) -> None:
    engine = listed(make_engine, source)
    for _ in range(2):
        did = engine.scanner.sweep("deaf", 0.0)
        assert (did.state, did.failed) == ("failed", {"deaf": REASON})
    did = engine.scanner.sweep("deaf", 0.0)
    assert "2 earlier scans of it are still running" in did.failed["deaf"]


def test_a_question_about_one_device_ends_though_its_sweep_does_not(
    make_engine: MakeEngine, source: Deaf
) -> None:
    engine = listed(make_engine, source)
    engine.scanner.sweep("deaf", 0.0)
    [number] = engine.devices()
    [answer] = engine.scanner.ask([number])
    assert (answer.state, answer.reason) == (NOT_ASKED, "it did not stop at its deadline of 1 s")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_monitor_ends_though_a_source_does_not(make_engine: MakeEngine, source: Deaf) -> None:
    engine = make_engine(source.source("discover"))
    engine.scan()
    engine.close()
    assert not any(thread.name == "scanner" for thread in threading.enumerate())
    source.go = asyncio.Event()  # the scan that waits for the former one can be collected
    gc.collect()  # and is reported here, not in the middle of another test


# -- what ends a task or a process, raised by a source -----------------------------------

EXITS = [
    SystemExit("x"),
    KeyboardInterrupt(),
    GeneratorExit(),
    asyncio.CancelledError(),
    BaseExceptionGroup("several", [SystemExit(1)]),
]
TARGET = Target(DEFAULT_SITE, key(1), "10.0.0.1")


def exiting(clock: Clock, way: str, error: BaseException) -> Source:
    """A source that answers once, and then raises this while it discovers or sweeps."""

    async def discover() -> Outcomes:
        yield seen(clock, "odd", 1)
        raise error

    ways: dict[str, Any] = {"discover": discover, "sweep": lambda targets, spread: discover()}
    return Source("odd", "Odd", 5.0, **{way: ways[way]})


def name_of(error: BaseException) -> str:
    return "SystemExit" if isinstance(error, BaseExceptionGroup) else type(error).__name__


@pytest.mark.parametrize("way", ["discover", "sweep"])
@pytest.mark.parametrize("error", EXITS, ids=name_of)
def test_an_exit_that_a_source_raises_fails_its_part_of_the_scan_alone(
    make_engine: MakeEngine,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    way: str,
) -> None:
    engine = make_engine(
        exiting(clock, way, error), FindingSource(clock).source(), targets=lambda name: [TARGET]
    )
    did = engine.scan()
    assert (did["state"], states(did)) == ("failed", {"odd": "failed", "finds": "done"})
    assert f"internal error ({name_of(error)})" in str(did["error"])
    assert len([entry for entry in caplog.records if entry.levelname == "ERROR"]) == 1
    assert states(engine.scan()) == states(did), "and it scans again"


@pytest.mark.parametrize("way", ["discover", "sweep"])
def test_a_source_that_cancels_its_own_task_fails_its_part_of_the_scan_alone(
    make_engine: MakeEngine, clock: Clock, way: str
) -> None:
    async def cancel() -> Outcomes:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)
        yield seen(clock, "odd", 1)

    ways: dict[str, Any] = {"discover": cancel, "sweep": lambda targets, spread: cancel()}
    engine = make_engine(
        Source("odd", "Odd", 5.0, **{way: ways[way]}),
        FindingSource(clock).source(),
        targets=lambda name: [TARGET],
    )
    did = engine.scan()
    assert (did["state"], states(did)) == ("failed", {"odd": "failed", "finds": "done"})
    assert "internal error (CancelledError)" in str(did["error"])
    if way == "sweep":
        progress = engine.scanner.sweep("odd", 0.0)
        assert progress is not None
        assert (progress.state, "CancelledError" in str(progress.failed)) == ("failed", True)


@pytest.mark.parametrize("error", EXITS, ids=name_of)
def test_an_exit_that_a_sweep_raises_is_the_answer_of_its_devices(
    make_engine: MakeEngine, clock: Clock, error: BaseException
) -> None:
    engine = make_engine(
        exiting(clock, "sweep", error), FindingSource(clock).source(), targets=lambda name: [TARGET]
    )
    engine.scan()
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, name_of(error) in answer.reason) == (FAILED, True)
    progress = engine.scanner.sweep("odd", 0.0)
    assert progress is not None
    assert (progress.state, name_of(error) in str(progress.failed)) == ("failed", True)


def test_an_exit_of_whatever_else_a_source_does_leaves_the_scanner_running(
    make_engine: MakeEngine, clock: Clock
) -> None:
    """A source that begins a task of its own, one that fails while it listens, and at its end."""
    rounds: list[int] = []

    async def leave() -> None:
        raise SystemExit(3)

    async def discover() -> Outcomes:
        rounds.append(1)
        task = asyncio.create_task(leave())
        await asyncio.wait((task,))
        assert isinstance(task.exception(), SystemExit)
        yield seen(clock, "odd", 1)
        yield Coverage("odd", ("odd:here",), 1, 1)

    async def listen() -> Outcomes:
        rounds.append(2)
        raise KeyboardInterrupt
        yield seen(clock, "odd", 1)

    def close() -> None:
        rounds.append(3)
        raise SystemExit(4)

    engine = make_engine(
        Source("odd", "Odd", 5.0, discover=discover, listen=listen, close=close),
        FindingSource(clock).source(),
    )
    assert states(engine.scan()) == {"odd": "done", "finds": "done"}
    engine.close()
    assert rounds == [2, 1, 3]
    assert not engine.scanner._thread.is_alive()
