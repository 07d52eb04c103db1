"""The scan engine, over real sockets and a pretended network, and over small sources."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.model import CannotAsk, Coverage, Event, Report
from simulators.panasonic import Camera
from sources.source import Source
from store.json_file import CannotKeep
from tests.discovery.engine import Engine, MakeEngine, states
from tests.discovery.small_sources import (
    FindingSource,
    Outcomes,
    breaks,
    cannot_ask,
    hangs,
    key,
    seen,
)
from tests.home import Clock, Home, until

Make = Callable[..., Home]


# -- a scan over the pretended network ---------------------------------------------------


def test_a_scan_finds_every_camera_that_answers(make_home: Make) -> None:
    home = make_home(*(Camera(f"d4:2d:c5:00:00:{n:02x}", f"127.20.0.{n}") for n in range(1, 31)))
    did = home.scan()
    assert did["found"] == 30
    assert {home.status(str(device.id)) for device in home.devices()} == {"ACTIVE"}


def test_a_camera_that_stops_answering_goes_offline_and_comes_back(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1", name="Gate"))
    home.scan()
    home.network.cameras[0].on = False
    home.scan()
    assert home.status() == "OFFLINE"
    home.network.cameras[0].on = True
    home.scan()
    assert home.status() == "ACTIVE"
    assert home.kinds() == ["device.found", "device.offline", "device.back"]


def test_silence_for_a_day_makes_a_found_camera_missing(make_home: Make, clock: Clock) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    home.network.cameras[0].on = False
    home.scan()
    clock.forward(hours=25)
    home.tick()
    assert home.status() == "MISSING"
    assert home.kinds()[-1] == "device.missing"


def test_a_moved_camera_says_so_until_the_next_scan_finds_it_there(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    home.network.cameras[0].ip = "127.20.0.77"
    home.scan()
    assert home.status() == "IP_CHANGED"
    assert home.device().address == "127.20.0.77"
    home.scan()
    assert home.status() == "ACTIVE"
    assert [address.ip for address in home.device().addresses] == ["127.20.0.1", "127.20.0.77"]


# -- sources side by side ----------------------------------------------------------------


def test_sources_run_side_by_side(make_engine: MakeEngine, clock: Clock) -> None:
    """Each of the two waits for the other: one after the other would never end."""
    arrived = {"left": asyncio.Event(), "right": asyncio.Event()}

    def waits(name: str, other: str) -> Source:
        async def discover() -> Outcomes:
            arrived[name].set()
            await arrived[other].wait()
            yield Coverage(name, (f"{name}:here",), 1, 0)

        return Source(name, name, 20, discover=discover)

    engine = make_engine(waits("left", "right"), waits("right", "left"))
    assert states(engine.scan()) == {"left": "done", "right": "done"}


def test_a_source_that_hangs_is_ended_at_its_deadline_and_disturbs_nobody(
    make_engine: MakeEngine, clock: Clock
) -> None:
    engine = make_engine(hangs(timeout=1), FindingSource(clock).source())
    did = engine.scan()
    assert states(did) == {"hangs": "failed", "finds": "done"}
    assert did["state"] == "failed"
    assert did["error"] == "hangs: it did not finish within 1 s"
    assert set(engine.status().values()) == {"ACTIVE"}
    assert engine.kinds().count("source.down") == 1


def test_a_broken_source_disturbs_nobody_and_is_said_in_words(
    make_engine: MakeEngine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(breaks([seen(clock, "breaks", 9)]), FindingSource(clock).source())
    for _ in range(2):
        did = engine.scan()
        assert states(did) == {"breaks": "failed", "finds": "done"}
        assert did["found"] == 4
        assert "internal error (ZeroDivisionError)" in did["error"]
    assert list(engine.status().values()) == ["ACTIVE"] * 4
    assert engine.kinds().count("source.down") == 1
    assert "nobody expected this" in caplog.text


def test_a_source_that_cannot_ask_blames_no_device(make_engine: MakeEngine, clock: Clock) -> None:
    source = FindingSource(clock, "breaks").source()
    engine = make_engine(source)
    engine.scan()
    engine.scanner.sources["breaks"] = cannot_ask()
    for _ in range(3):
        did = engine.scan()
        assert (did["state"], did["missed"]) == ("failed", 0)
        assert did["error"] == "breaks: the line is cut"
    assert set(engine.status().values()) == {"ACTIVE"}
    engine.scanner.sources["breaks"] = source
    engine.scan()
    assert engine.kinds() == ["device.found"] * 3 + ["source.down", "source.up"]


def test_a_source_that_fails_halfway_keeps_what_it_found_and_blames_nobody(
    make_engine: MakeEngine, clock: Clock
) -> None:
    finds = FindingSource(clock, "breaks")
    engine = make_engine(finds.source())
    engine.scan()
    late = CannotAsk("breaks", "the line was cut")
    engine.scanner.sources["breaks"] = breaks([seen(clock, "breaks", 7)], late)
    did = engine.scan()
    assert (did["found"], did["missed"]) == (1, 0)
    assert set(engine.status().values()) == {"ACTIVE"}
    assert key(7) in engine.status()


def test_only_where_it_was_asked_does_silence_count(make_engine: MakeEngine, clock: Clock) -> None:
    """Two interfaces: of the one that cannot be asked nobody goes offline."""
    where = {1: "eth0", 2: "eth0", 3: "eth1", 4: "eth1"}
    finds = FindingSource(clock, devices=(1, 2, 3, 4), part_of=where, parts=("eth0", "eth1"))
    engine = make_engine(finds.source())
    engine.scan()
    finds.devices, finds.parts, finds.failed = (1,), ("eth0",), {"eth1": "the interface is down"}
    for _ in range(2):
        did = engine.scan()
        assert did["missed"] == 1
        assert did["error"] == "finds:eth1: the interface is down"
        by_key = engine.status()
        assert [by_key[key(n)] for n in (1, 2, 3, 4)] == ["ACTIVE", "OFFLINE", "ACTIVE", "ACTIVE"]
    finds.parts, finds.failed, finds.devices = ("eth0", "eth1"), {}, (1, 2, 3)
    did = engine.scan()
    by_key = engine.status()
    assert [by_key[key(n)] for n in (1, 2, 3, 4)] == ["ACTIVE", "ACTIVE", "ACTIVE", "OFFLINE"]
    kinds = [kind for kind in engine.kinds() if kind != "device.found"]
    assert sorted(kinds[:2]) == ["device.offline", "source.down"]
    assert sorted(kinds[2:]) == ["device.back", "device.offline", "source.up"]


def test_an_interface_that_dies_during_a_scan_blames_nobody_and_is_told_once(
    make_engine: MakeEngine, clock: Clock
) -> None:
    """It was asked at first and could not be asked at the end."""
    finds = FindingSource(clock)
    engine = make_engine(finds.source())
    engine.scan()
    finds.devices, finds.failed = (1,), {"here": "the interface went down"}
    for _ in range(3):
        did = engine.scan()
        assert did["missed"] == 0
        assert did["error"] == "finds:here: the interface went down"
    assert set(engine.status().values()) == {"ACTIVE"}
    assert engine.kinds() == ["device.found"] * 3 + ["source.down"]


def test_a_scope_that_is_no_longer_named_as_failed_is_not_down_for_ever(
    make_engine: MakeEngine, clock: Clock
) -> None:
    """A target without a route has a scope of its own; with one it belongs to an interface."""
    finds = FindingSource(clock, failed={"10.77.9.9": "no route to it"})
    engine = make_engine(finds.source())
    engine.scan()
    assert list(engine.tracker.fleet().state["down"]) == ["finds:10.77.9.9"]
    finds.failed = {}
    engine.scan()
    assert engine.tracker.fleet().state["down"] == {}
    assert engine.kinds()[-2:] == ["source.down", "source.up"]


def test_a_device_of_another_source_is_not_missed_by_this_one(
    make_engine: MakeEngine, clock: Clock
) -> None:
    first, other = FindingSource(clock, "one", (1, 2)), FindingSource(clock, "other", (3, 4))
    engine = make_engine(first.source(), other.source())
    engine.scan()
    clock.forward(seconds=1)
    assert engine.scanner.start("test", ["one"])
    did = engine.ended()
    assert list(states(did)) == ["one"]
    assert did["missed"] == 0


def test_silence_counts_as_soon_as_its_source_ends_however_long_another_takes(
    make_engine: MakeEngine, clock: Clock
) -> None:
    finds, slow = FindingSource(clock, "finds", [1, 2]), FindingSource(clock, "slow", [3])
    engine = make_engine(finds.source(), slow.source())
    engine.scan()
    finds.devices, slow.devices, slow.pause = [1], [3], 30.0
    clock.forward(seconds=1)
    engine.scanner.start("test")
    until(lambda: engine.status()[key(2)] == "OFFLINE", what="2 is offline")
    running = engine.scanner.progress()
    assert running is not None
    assert (running.state, running.missed) == ("running", 1)
    assert engine.status()[key(3)] == "ACTIVE"
    # What one source heard whole stays true; of the other one nobody is called missing.
    engine.scanner.cancel()
    assert engine.ended()["state"] == "cancelled"
    assert engine.status() == {key(1): "ACTIVE", key(2): "OFFLINE", key(3): "ACTIVE"}


# -- what the tracker does with what was heard -----------------------------------------------


def test_reports_keep_flowing_whatever_one_of_them_is(
    make_engine: MakeEngine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """No number of its shape can be kept, no identity is none: the others come in, twice."""
    odd = replace(seen(clock, "odd", 2), facts={"x": 2**70})
    nobody = replace(seen(clock, "odd", 3), identities=())
    nothing: Any = None

    async def discover() -> Outcomes:
        for report in (seen(clock, "odd", 1), odd, nobody, nothing, seen(clock, "odd", 4)):
            yield report
        yield Coverage("odd", ("odd:here",), 1, 2)

    engine = make_engine(Source("odd", "Odd", 20, discover=discover))
    for _ in range(2):
        assert states(engine.scan()) == {"odd": "done"}
        clock.forward(minutes=1)
    keys_found = [device.identities for device in engine.devices().values()]
    assert keys_found == [(key(1),), (key(4),)]
    assert caplog.text.count("Rejected a report from odd: facts") == 1
    assert caplog.text.count("Rejected a report from odd: identities") == 1


class Unsteady(Engine):
    """A tracker that cannot keep anything at first, and meets an error in the program when
    it is told of device 2."""

    full, refused = True, 0

    def apply(self, reports: Sequence[Report], now: datetime) -> list[Event]:
        if self.full:
            self.refused += 1
            raise CannotKeep("no room on the disk")
        if any(key(2) in getattr(report, "identities", ()) for report in reports):
            raise ZeroDivisionError("nobody expected this")
        return super().apply(reports, now)


def test_nothing_that_was_heard_is_lost_to_a_full_disk_or_to_a_bad_report(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen() -> Outcomes:
        for number in (1, 2, 3):
            yield seen(clock, "talks", number)
        await asyncio.Event().wait()

    engine = Unsteady(tmp_path, clock, Source("talks", "Talks", 20, listen=listen))
    try:
        until(lambda: engine.refused > 1, what="the batch was handed over, and again")
        engine.full = False
        until(lambda: len(engine.devices()) == 2, what="both good ones came in")
    finally:
        engine.close()
    assert [device.identities for device in engine.devices().values()] == [(key(1),), (key(3),)]
    assert caplog.text.count("Rejected a report from talks: internal error") == 1
