"""A probe that breaks its contract: what it does is its own, and the monitor goes on and ends."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery import probe_tasks, scanner
from discovery.lifecycle import stop_all
from fleet.model import CannotAsk, Device, NoAnswer, Report, Sighting, Target
from fleet.package import Package, Packages
from sources.source import Source
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import ProbedSource, key, listed
from tests.home import until

Make = Callable[..., Engine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """An engine whose tracker knows these devices."""
    engines: list[Engine] = []

    def made(devices: list[Device], *sources: Source) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        engines.append(Engine(tmp_path, fleets.now, *sources))  # type: ignore[arg-type]
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


class Odd(ProbedSource):
    """Of device 1 the probe does what `odd` does; the others answer."""

    odd: Callable[[], Any]

    async def probe(self, target: Target) -> Sequence[Report]:
        if target.options["number"] != 1:
            return await super().probe(target)
        self.asked.append((time.monotonic(), target))
        result = self.odd()
        return await result if asyncio.iscoroutine(result) else result


async def stubborn() -> Any:
    """Ignores every cancellation."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


def raises(error: BaseException) -> Callable[[], Any]:
    async def probe() -> None:
        raise error

    return probe


def test_a_probe_that_ignores_its_deadline_is_missed_and_holds_nothing(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    tcp = Odd()
    tcp.odd = stubborn
    engine = make(
        [listed(1), listed(2, address="10.0.0.1"), listed(3)],
        tcp.source(timeout=0.2, interval=1.0, cap=1),
    )
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    assert engine.tracker.devices()[1].states["tcp"].reason == "no response within 0.2 s"
    until(lambda: tcp.times(2) and tcp.times(3))
    answers = [engine.scanner.ask([1])[0] for _ in range(3)]
    assert {answer.state for answer in answers} == {"missed"}
    assert answers[-1].reason == "2 earlier checks of it are still running"
    assert len(tcp.times(1)) == probe_tasks.MAX_ABANDONED, "they do not pile up"
    records = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert records == ["TCP: a check did not stop at its deadline and was abandoned"]


def test_what_a_probe_returns_after_its_deadline_is_dropped(make: Make) -> None:
    async def late() -> list[Report]:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
        return [Sighting("here", (key(1),), "tcp", fleets.now(), address="10.0.0.1")]

    tcp = Odd()
    tcp.odd = late
    engine = make([listed(1)], tcp.source(timeout=0.2))
    assert [answer.state for answer in engine.scanner.ask([1])] == ["missed"]
    assert engine.status()[key(1)] == "OFFLINE"


def test_the_monitor_ends_beside_a_probe_that_does_not(make: Make) -> None:
    tcp = Odd()
    tcp.odd = stubborn
    engine = make([listed(1), listed(2)], tcp.source())
    until(lambda: tcp.times(1) and tcp.times(2))
    engine.scanner._inbox.add(
        [Sighting("here", ("onvif:new",), "tcp", fleets.now(), address="10.0.9.9")]
    )
    engine.scanner.close()
    assert not engine.scanner._thread.is_alive()
    assert engine.tracker.known("onvif:new", "here"), "what was heard before is kept"


def test_the_monitor_ends_beside_a_probe_that_blocks_its_loop(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "STOP_TIMEOUT", 0.2)
    release = threading.Event()

    async def blocks() -> None:
        release.wait(20)

    tcp = Odd()
    tcp.odd = blocks
    engine = make([listed(1)], tcp.source())
    until(lambda: tcp.times(1))
    engine.scanner._inbox.add(
        [Sighting("here", ("onvif:new",), "tcp", fleets.now(), address="10.0.9.9")]
    )
    engine.scanner.close()
    assert engine.tracker.known("onvif:new", "here"), "what was heard before is kept"
    release.set()
    until(lambda: not engine.scanner._thread.is_alive())


def test_a_source_that_cannot_close_keeps_nothing_from_ending(make: Make) -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    closed: list[str] = []
    first = replace(ProbedSource("a").source(), close=breaks)
    second = replace(ProbedSource("b").source(), close=lambda: closed.append("b"))
    engine = make([listed(1)], first, second)
    engine.scanner.close()
    assert closed == ["b"]
    assert not engine.scanner._thread.is_alive()


def test_a_package_that_cannot_stop_keeps_no_other_from_it() -> None:
    stopped: list[str] = []

    class Stops(Package):
        def stop(self) -> None:
            stopped.append("first")

    class Breaks(Package):
        def stop(self) -> None:
            raise TimeoutError

    packages = Packages()
    packages.add(Stops())
    packages.add(Breaks())
    stop_all(packages)
    assert stopped == ["first"]


def test_who_asks_while_the_monitor_ends_gets_an_answer_or_is_told(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: lambda target: 0.05})
    engine = make([listed(1), listed(2)], tcp.source())
    reasons: list[str] = []

    def asks() -> None:
        try:
            while True:
                engine.scanner.ask([1, 2])
        except CannotAsk as error:
            reasons.append(error.reason)

    threads = [threading.Thread(target=asks, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(tcp.asked) > 10)
    engine.scanner.close()
    for thread in threads:
        thread.join(10)
    assert reasons == ["Camera Monitor is stopping"] * 6
    assert not engine.scanner.start()


def test_a_question_asked_of_a_prober_that_is_closed_is_left_out(make: Make) -> None:
    engine = make([listed(1)], ProbedSource().source())

    async def closes() -> list[Any]:
        await engine.scanner.prober.close()
        return engine.scanner.prober.submit([(1, "tcp")])

    asked = asyncio.run_coroutine_threadsafe(closes(), engine.scanner._loop)
    assert asked.result(10) == []


@pytest.mark.parametrize(
    "result",
    [
        None,
        5,
        "text",
        ["x"],
        [None],
        {1: 2},
        [Sighting("here", None, "tcp", fleets.now())],  # type: ignore[arg-type]
        [Sighting("here", (key(1),), "tcp", fleets.now(), latency="abc")],  # type: ignore[arg-type]
    ],
    ids=(
        *("nothing", "a number", "text", "texts", "nothings", "a dictionary"),
        *("a sighting without keys", "a latency that is text"),
    ),
)
def test_a_result_that_is_none_is_an_error_in_the_program(make: Make, result: Any) -> None:
    tcp = Odd()
    tcp.odd = lambda: result
    engine = make([listed(1), listed(2)], tcp.source())
    (answer,) = engine.scanner.ask([1])
    assert answer.state == "failed"
    assert answer.reason.startswith("TCP: internal error (")
    assert engine.status()[key(1)] == "ACTIVE", "it says nothing about the device"
    assert engine.tracker.devices()[1].findings[0].kind == "source.error"


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(1),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        GeneratorExit(),
        BaseExceptionGroup("several", [SystemExit(1), NoAnswer("silent")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ends_a_task_or_a_process_ends_one_probe(make: Make, error: BaseException) -> None:
    tcp = Odd()
    tcp.odd = raises(error)
    engine = make([listed(1), listed(2)], tcp.source())
    (answer,) = engine.scanner.ask([1])
    name = "SystemExit" if isinstance(error, BaseExceptionGroup) else type(error).__name__
    assert answer.reason.startswith(f"TCP: internal error ({name})")
    assert [answer.state for answer in engine.scanner.ask([2])] == ["answered"]


@pytest.mark.parametrize(
    ("errors", "state", "reason"),
    [
        ([NoAnswer("silent")], "missed", "silent"),
        ([ExceptionGroup("deeper", [NoAnswer("silent")])], "missed", "silent"),
        ([NoAnswer("silent"), CannotAsk("tcp:eth0", "no cable")], "not asked", "no cable"),
        ([NoAnswer("silent"), KeyError("x")], "failed", "internal error (KeyError)"),
    ],
)
def test_errors_of_several_tasks_of_a_probe_are_judged_as_one(
    make: Make, errors: list[Exception], state: str, reason: str
) -> None:
    tcp = Odd()
    tcp.odd = raises(ExceptionGroup("unhandled errors in a TaskGroup", errors))
    engine = make([listed(1)], tcp.source())
    (answer,) = engine.scanner.ask([1])
    assert answer.state == state
    assert reason in answer.reason
