"""Devices that are swept: asked again after a first miss, and on an interval of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import discovery.swept_queue
from discovery.swept_queue import MAX_BATCH, SweptQueue, due_targets
from fleet.model import DEFAULT_SITE, Access, Coverage, Device, Miss, Sighting, SourceState, Target
from fleet.status import Rules
from sources.source import Source
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import key, listed
from tests.home import until

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def source(sweep: Any = lambda targets, spread: None) -> Source:
    return Source("swept", "Swept", 5, sweep=sweep, interval=60)


def device(id: int = 1, misses: int = 0, interval: int | None = None, **state: Any) -> Device:
    known = SourceState(seen_at=NOON, misses=misses, asked=NOON, **state)
    access = {"swept": Access(interval=interval)} if interval else {}
    return replace(listed(id), access=access, states={"swept": known})


def queue_of(*devices: Device) -> SweptQueue:
    queue = SweptQueue(source())
    queue.update(by_id(*devices), 0.0)
    return queue


def by_id(*devices: Device) -> Mapping[int, Device]:
    return {device.id: device for device in devices}


def test_a_device_that_was_up_is_asked_again_5_s_and_15_s_after_its_first_miss() -> None:
    queue = queue_of(device(), device(2))
    queue.update(by_id(device(misses=1), device(2)), 100.0)
    assert [queue.due(at) for at in (104.9, 105.0, 105.1, 114.9)] == [[], [1], [], []]
    queue.update(by_id(device(misses=2), device(2)), 106.0)
    assert [queue.due(at) for at in (115.0, 999.0)] == [[1], []]


def test_a_device_that_answers_in_between_is_asked_no_more_and_again_after_its_next_miss() -> None:
    queue = queue_of(device())
    queue.update(by_id(device(misses=1)), 100.0)
    assert queue.due(105.0) == [1]
    queue.update(by_id(device()), 106.0)
    assert queue.due(115.0) == []
    queue.update(by_id(device(misses=1)), 200.0)
    assert queue.due(205.0) == [1]


@pytest.mark.parametrize(
    "after",
    [device(misses=2), replace(device(misses=1), retired_at=NOON)],
)
def test_only_the_first_miss_of_a_device_in_use_is_followed_up(after: Device) -> None:
    queue = queue_of(device())
    queue.update(by_id(after), 100.0)
    assert queue.due(999.0) == []


def test_misses_from_before_the_start_and_of_deleted_devices_are_not_followed_up() -> None:
    queue = queue_of(device(misses=1), device(2))
    assert queue.due(999.0) == []
    queue.update(by_id(device(misses=1), device(2, misses=1)), 1000.0)
    queue.update(by_id(device(misses=1)), 1001.0)
    assert queue.due(1999.0) == []


def test_when_all_miss_at_once_no_question_asks_about_more_than_500() -> None:
    ids = range(1, MAX_BATCH + 101)
    queue = queue_of(*(device(id) for id in ids))
    queue.update(by_id(*(device(id, misses=1) for id in ids)), 100.0)
    first, second = queue.due(105.0), queue.due(106.0)
    assert (len(first), len(second)) == (MAX_BATCH, 100)
    assert {*first, *second} == {*ids}


def test_a_device_with_a_shorter_interval_is_asked_between_the_sweeps() -> None:
    queue = queue_of(device(interval=10), device(2, interval=60), device(3))
    asked = [at for at in range(61) if queue.due(float(at)) == [1]]
    assert len(asked) in (6, 7)
    assert {later - earlier for earlier, later in zip(asked, asked[1:], strict=False)} == {10}
    queue.update(by_id(device(), device(2), device(3)), 61.0)
    assert queue.due(999.0) == [], "the interval was taken away"


@pytest.mark.parametrize(
    ("interval", "seconds", "is_asked"),
    [
        (None, 1, True),
        (10, 1, True),
        (600, 60, False),
        (600, 569, False),
        (600, 570, True),
        (600, -60, True),
    ],
)
def test_a_device_with_a_longer_interval_is_left_out_of_sweeps_until_it_is_due(
    interval: int | None, seconds: int, is_asked: bool
) -> None:
    known, target = device(interval=interval), Target(DEFAULT_SITE, key(1), "")
    now = NOON + timedelta(seconds=seconds)
    targets = due_targets(source(), [target], lambda key, site: known, now)
    assert targets == ([target] if is_asked else [])
    assert due_targets(source(), [target], lambda key, site: None, now) == [target], "a new row"


def test_its_status_holds_for_two_intervals_of_its_own() -> None:
    rules = Rules(intervals={"swept": timedelta(seconds=180)})
    assert rules.patience_with(device(interval=600), "swept") == timedelta(seconds=1200)
    for other in (device(), device(interval=10)):
        assert rules.patience_with(other, "swept") == timedelta(seconds=360)


# -- in the running engine -------------------------------------------------------------------


class Sweeps:
    """A source that answers about the devices in `up`, and counts who was asked when."""

    def __init__(self, *ids: int) -> None:
        self.targets = [Target(DEFAULT_SITE, key(id), "10.0.0.1") for id in ids]
        self.up = {key(id) for id in ids}
        self.asked: list[list[str]] = []

    async def sweep(self, targets: Sequence[Target], spread: float) -> Any:
        keys = [target.key for target in targets]
        self.asked.append(keys)
        for each in keys:
            if each in self.up:
                yield Sighting(DEFAULT_SITE, (each,), "swept", fleets.now())
            else:
                yield Miss(each, "swept", fleets.now(), "it is silent")
        yield Coverage("swept", ("swept",), len(keys), len(keys))


Make = Callable[..., tuple[Engine, Sweeps]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(discovery.swept_queue, "RETRIES", (0.5, 1.0))
    engines: list[Engine] = []

    def made(*devices: Device) -> tuple[Engine, Sweeps]:
        sweeps = Sweeps(*(device.id for device in devices))
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        more: Any = {"targets": lambda name: sweeps.targets}
        engines.append(Engine(tmp_path, fleets.now, source(sweeps.sweep), **more))  # type: ignore[arg-type]
        return engines[-1], sweeps

    yield made
    for engine in engines:
        engine.close()


def test_a_recorder_that_missed_a_sweep_is_asked_alone_and_is_back_at_once(make: Make) -> None:
    engine, sweeps = make(device(1), device(2))
    engine.scanner.sweep("swept", 0.0)
    sweeps.up.remove(key(2))
    engine.scanner.sweep("swept", 0.0)
    assert engine.status() == {key(1): "ACTIVE", key(2): "OFFLINE"}
    sweeps.up.add(key(2))
    until(lambda: engine.status()[key(2)] == "ACTIVE", what="it is asked again by itself")
    assert sweeps.asked[2:] == [[key(2)]], "nobody else is"


def test_a_sweep_leaves_out_who_is_not_due_and_calls_nobody_missing(make: Make) -> None:
    recent = replace(device(2, interval=3600), states={"swept": SourceState(fleets.now())})
    recent = replace(recent, states={"swept": replace(recent.states["swept"], asked=fleets.now())})
    engine, sweeps = make(device(1), recent)
    sweeps.up.remove(key(2))
    engine.scanner.sweep("swept", 0.1)
    assert sweeps.asked == [[key(1)]]
    assert engine.status()[key(2)] == "ACTIVE"
    engine.scanner.sweep("swept", 0.0)
    assert sweeps.asked[1] == [key(1), key(2)], "who asks for all now gets all"
