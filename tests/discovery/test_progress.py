"""A scan can be watched and stopped, hears what nobody asked for, and ends with the monitor."""

import asyncio
import gc
from threading import Event

import pytest

import discovery.listening
from fleet.model import CannotAsk, Coverage
from sources.source import Source
from tests.discovery.engine import MakeEngine, states
from tests.discovery.small_sources import FindingSource, Outcomes, hangs, key, seen
from tests.home import Clock, until


def test_the_number_of_found_devices_rises_bit_by_bit(
    make_engine: MakeEngine, clock: Clock
) -> None:
    engine = make_engine(FindingSource(clock, devices=range(1, 31), pause=0.1).source())
    did = engine.scan()
    counts = [progress["found"] for progress in engine.watched]
    assert counts[0] == 0
    assert counts[-1] == did["found"] == 30
    assert counts == sorted(counts)
    assert len({count for count in counts if 0 < count < 30}) >= 2
    assert [progress["state"] for progress in engine.watched][-1] == "done"
    assert {progress["state"] for progress in engine.watched[:-1]} == {"running"}


def test_what_was_found_is_known_before_the_scan_ends(
    make_engine: MakeEngine, clock: Clock
) -> None:
    engine = make_engine(FindingSource(clock).source(), hangs(timeout=60))
    assert engine.scanner.start("test")
    until(lambda: len(engine.devices()) == 3, what="three devices are known")
    running = engine.scanner.progress()
    assert running is not None
    assert running.found == 3
    assert engine.scanner.cancel()


def test_a_second_start_while_one_runs_is_refused(make_engine: MakeEngine, clock: Clock) -> None:
    engine = make_engine(hangs(timeout=60))
    assert engine.scanner.start("first")
    until(lambda: engine.watched, what="it runs")
    assert not engine.scanner.start("second")
    scan = engine.scanner.progress()
    assert scan is not None
    assert scan.by == "first"
    assert engine.scanner.cancel()
    assert engine.ended()["by"] == "first"
    assert not engine.scanner.cancel()
    engine.scanner.sources["hangs"] = FindingSource(clock, "hangs").source()
    assert engine.scanner.start("third")
    assert engine.ended()["by"] == "third"


def test_a_cancelled_scan_calls_nobody_offline_and_keeps_what_it_found(
    make_engine: MakeEngine, clock: Clock
) -> None:
    finds = FindingSource(clock)
    engine = make_engine(finds.source(), hangs(timeout=60))
    engine.scanner.sources.pop("hangs")
    engine.scan()
    engine.scanner.sources["hangs"] = hangs(timeout=60)
    finds.devices, finds.pause = (1, 7, *(1 for _ in range(600))), 0.1
    clock.forward(seconds=1)
    assert engine.scanner.start("test")
    until(lambda: key(7) in engine.status(), what="the new one is known")
    assert engine.scanner.cancel()
    did = engine.ended()
    assert (did["state"], did["missed"]) == ("cancelled", 0)
    assert states(did) == {"finds": "cancelled", "hangs": "cancelled"}
    assert set(engine.status().values()) == {"ACTIVE"}
    assert len(engine.status()) == 4
    assert engine.tracker.fleet().state["last_scan"]["state"] == "cancelled"
    assert "source.down" not in engine.kinds()


def test_a_scan_that_is_cancelled_as_soon_as_it_starts_is_cancelled(
    make_engine: MakeEngine, clock: Clock
) -> None:
    engine = make_engine(hangs(timeout=2))
    for _ in range(20):
        assert engine.scanner.start("test")
        assert engine.scanner.cancel()
        assert engine.ended()["state"] == "cancelled"


def test_cancelling_twice_is_like_cancelling_once(make_engine: MakeEngine, clock: Clock) -> None:
    engine = make_engine(FindingSource(clock).source(), hangs(timeout=60))
    for _ in range(10):
        assert engine.scanner.start("test")
        until(lambda: engine.scanner.progress().found == 3, what="it runs")  # type: ignore[union-attr]
        while engine.scanner.cancel():
            pass
        assert engine.ended()["state"] == "cancelled"
        assert engine.tracker.fleet().state["last_scan"] == engine.ended()
        clock.forward(seconds=1)


def test_reports_are_handed_over_at_most_once_a_second(
    make_engine: MakeEngine, clock: Clock
) -> None:
    """While a scan runs; when it ends, the rest and the misses follow at once."""
    engine = make_engine(FindingSource(clock, devices=range(1, 301), pause=0.01).source())
    engine.scan()
    at = [moment for moment, _reports in engine.batches]
    assert sum(len(reports) for _moment, reports in engine.batches) >= 300
    assert len(at) <= (at[-1] - at[0]) / 1.0 + 3


# -- hearing and ending ------------------------------------------------------------------


def test_a_source_that_cannot_be_heard_is_tried_again(
    make_engine: MakeEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery.listening, "LISTEN_AGAIN", 0.05)
    tries: list[Exception] = [ZeroDivisionError("odd"), CannotAsk("ear", "the port is taken")]

    async def listen() -> Outcomes:
        if tries:
            raise tries.pop()
        yield seen(clock, "ear", 5)
        await asyncio.Event().wait()

    engine = make_engine(Source("ear", "Ear", 1, listen=listen))
    until(lambda: engine.status().get(key(5)) == "ACTIVE", what="it is heard")
    assert engine.kinds().count("source.down") == 1


def test_closing_hands_over_what_was_heard(make_engine: MakeEngine, clock: Clock) -> None:
    engine = make_engine(FindingSource(clock).source(), hangs(timeout=60))
    assert engine.scanner.start("test")
    until(lambda: engine.scanner.progress().found == 3, what="it runs")  # type: ignore[union-attr]
    engine.scanner.close()
    assert len(engine.status()) == 3
    assert engine.scanner.last is not None
    assert engine.scanner.last.state == "cancelled"


def test_closing_ends_the_sources_that_are_still_asking(
    make_engine: MakeEngine, clock: Clock
) -> None:
    began, ended = Event(), Event()

    async def discover() -> Outcomes:
        began.set()
        try:
            await asyncio.Event().wait()
            yield Coverage("long", (), 0, 0)
        finally:
            ended.set()

    engine = make_engine(Source("long", "Long", 60, discover=discover))
    assert engine.scanner.start("test")
    assert began.wait(20)
    engine.scanner.close()
    was_ended = ended.is_set()
    gc.collect()  # what was left behind is reported here, and not in the middle of another test
    assert was_ended
