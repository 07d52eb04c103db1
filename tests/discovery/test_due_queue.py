"""When each device is asked: a table of times, without a clock or a network."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from discovery.due_queue import FIRST_RATE, NOW, SCAN, DueQueue, QueueEntry, phase
from fleet.model import Access, Device, Report, SourceState, Target
from sources.source import Source

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UP = {"tcp": SourceState(seen_at=AT)}


async def probe(target: Target) -> Sequence[Report]:
    return []


def source(name: str = "tcp", cap: int = 50, interval: float = 60.0) -> Source:
    return Source(name, name.upper(), 5.0, probe=probe, cap=cap, interval=interval)


def device(id: int, *names: str, address: str = "", **access: object) -> Device:
    given = {name: Access(**access) for name in names or ("tcp",)}  # type: ignore[arg-type]
    return Device(
        id, "camera", "here", (f"row:{id}",), access=given, address=address or f"10.0.0.{id}"
    )


def fleet(*devices: Device) -> dict[int, Device]:
    return {device.id: device for device in devices}


class Asked:
    """A queue whose questions take `takes` seconds, driven from one due moment to the next."""

    def __init__(self, devices: Mapping[int, Device], *sources: Source, takes: float = 0.0) -> None:
        self.queue = DueQueue(sources)
        self.now = 1000.0
        self.takes = takes
        self.running: list[tuple[float, int, QueueEntry]] = []
        self.begun: list[tuple[float, int, str]] = []
        self.answers: Callable[[int], bool | None] = lambda id: True
        self.most: Counter[str] = Counter()
        self.queue.update(devices, self.now)

    def until(self, seconds: float) -> "Asked":
        """Let so much time pass since the start."""
        end = 1000.0 + seconds
        while True:
            self._step()
            due = self.queue.next_at()
            ends = self.running[0][0] if self.running else None
            at = min(t for t in (due, ends, end) if t is not None)
            if at >= end:
                self.now = end
                return self
            self.now = max(self.now, at)

    def _step(self) -> None:
        while self.running and self.running[0][0] <= self.now:
            entry = self.running.pop(0)[2]
            self.queue.ended(entry, self.now, self.answers(entry.question[0]))
        self.queue.wake(self.now)
        for entry in self.queue.begin(self.now):
            self.begun.append((self.now - 1000.0, *entry.question))
            self.running.append((self.now + self.takes, len(self.begun), entry))
        self.running.sort(key=lambda attempt: attempt[:2])
        now = Counter(entry.source for _at, _number, entry in self.running)
        self.most |= now
        owners = Counter(entry.owner for _at, _number, entry in self.running)
        assert not owners or max(owners.values()) == 1, "one probe at a time at a device"

    def times(self, id: int, name: str = "tcp") -> list[float]:
        return [at for at, device, source in self.begun if (device, source) == (id, name)]


def test_a_new_device_is_asked_at_once_and_then_once_each_interval() -> None:
    asked = Asked(fleet(device(1))).until(0)
    assert asked.times(1) == [], "without a source nobody is asked"
    asked = Asked(fleet(device(1)), source()).until(601)
    times = asked.times(1)
    assert times[0] < 0.1
    assert len(times) in (10, 11, 12)
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert gaps[1:] == pytest.approx([60.0] * len(gaps[1:]))
    assert 6 <= gaps[0] <= 66, "its own moment comes within an interval of the first question"


def test_devices_are_spread_over_the_interval_and_the_same_after_a_restart() -> None:
    devices = fleet(*(device(id) for id in range(1, 2001)))
    asked = Asked(devices, source(cap=2000, interval=600)).until(1300)
    seconds = Counter(int(at) for at, _id, _name in asked.begun if at >= 660)
    assert max(seconds.values()) < 20, "2,000 in 600 s are 3.3 a second"
    first = max(asked.times(id)[0] for id in devices)
    assert 2000 / FIRST_RATE / 2 < first < 2000 / FIRST_RATE + 1, "prompt, and not all at once"
    again = Asked(devices, source(cap=2000, interval=600)).until(1300)
    assert again.begun == asked.begun
    assert phase((1, "tcp")) != phase((2, "tcp")) != phase((2, "udp"))


def test_an_interval_of_the_device_goes_before_that_of_the_source() -> None:
    asked = Asked(fleet(device(1, interval=10), device(2)), source()).until(605)
    assert 60 <= len(asked.times(1)) <= 62
    assert 10 <= len(asked.times(2)) <= 12


def test_a_source_asks_no_more_at_once_than_its_cap() -> None:
    devices = fleet(*(device(id) for id in range(1, 101)))
    asked = Asked(devices, source(cap=7), takes=1.0).until(30)
    assert asked.most == {"tcp": 7}
    assert len({id for _at, id, _name in asked.begun}) == 100


def test_a_slow_source_does_not_hold_up_another() -> None:
    devices = fleet(*(device(id, "slow") for id in range(1, 51)), device(99, "tcp"))
    queue = Asked(devices, source("slow", cap=3), source("tcp"), takes=40.0).until(130)
    assert len(queue.times(99)) >= 2
    assert queue.most["slow"] == 3


def test_the_channels_of_a_recorder_are_asked_one_at_a_time_and_each_has_its_turn() -> None:
    recorder = device(100, "rtsp", "tcp", address="10.0.0.9")
    channels = [
        replace(device(id, "rtsp", address="10.0.0.9"), parents=(100,)) for id in range(1, 65)
    ]
    asked = Asked(fleet(*channels, recorder), source("rtsp"), source(), takes=0.5).until(200)
    assert asked.most == {"rtsp": 1, "tcp": 1}
    assert len({id for _at, id, name in asked.begun if name == "rtsp"}) == 65
    assert len(asked.times(100)) >= 2, "many questions of one source do not starve another one"


def test_one_device_is_asked_by_one_question_at_a_time_whatever_its_hosts_are_called() -> None:
    access = {"rtsp": Access(host="camera.example"), "onvif": Access(host="10.0.0.1")}
    both = replace(device(1), access=access)
    asked = Asked(fleet(both), source("rtsp"), source("onvif"), takes=40.0).until(300)
    assert {name for _at, _id, name in asked.begun} == {"rtsp", "onvif"}
    starts = sorted(at for at, _id, _name in asked.begun)
    assert all(later - earlier > 39.9 for earlier, later in zip(starts, starts[1:], strict=False))


def test_devices_behind_one_address_do_not_wait_for_each_other() -> None:
    behind_nat = [device(id, host="10.0.0.9", port=8000 + id) for id in range(1, 9)]
    asked = Asked(fleet(*behind_nat), source(), takes=40.0).until(30)
    assert asked.most == {"tcp": 8}


def test_what_waits_for_its_turn_at_one_server_leaves_the_room_to_the_others() -> None:
    streams = [device(id, host="10.0.0.9", path=f"/{id}", username="admin") for id in range(1, 101)]
    good = [device(id, interval=10.0) for id in range(201, 206)]
    asked = Asked(fleet(*streams, *good), source(cap=6), takes=9.0).until(300)
    starts = sorted(at for at, id, _name in asked.begun if id < 200)
    assert len(starts) > 30
    assert all(later - earlier > 8.9 for earlier, later in zip(starts, starts[1:], strict=False))
    for camera in good:
        times = asked.times(camera.id)
        assert len(times) >= 29, "each has its interval, as without the streams"


def test_streams_whose_login_works_or_whose_user_differs_do_not_wait_for_each_other() -> None:
    at = {"host": "10.0.0.9", "port": 554}
    logins: list[dict[str, object]] = [
        {"username": "a", "method": "digest"},
        {"username": "a", "method": "basic"},
        {"username": "a", "method": "digest", "refusals": 1},
        {"username": "b"},
    ]
    streams = [
        replace(device(id), access={"tcp": Access(**at, **login)})  # type: ignore[arg-type]
        for id, login in enumerate(logins, 1)
    ]
    asked = Asked(fleet(*streams), source(), takes=40.0).until(30)
    assert asked.most == {"tcp": 4}


@pytest.mark.parametrize("change", ["gone", "edited", "accepted"])
def test_a_turn_that_the_next_stream_does_not_need_goes_to_the_one_after_it(change: str) -> None:
    streams = [device(id, host="10.0.0.9", username="admin") for id in (1, 2, 3)]
    streams.append(device(4, host="10.0.0.4"))
    queue = DueQueue([source(cap=2)])
    queue.update(fleet(*streams), 1000.0)
    for stream in streams:
        queue.make_due((stream.id, "tcp"), 1000.0)
    first, other = queue.begin(1000.0)
    assert (first.question[0], other.question[0]) == (1, 4)
    queue.ended(first, 1001.0, True)
    after = {
        "gone": [],
        "edited": [replace(streams[1], access={"tcp": Access(host="10.0.0.8")})],
        "accepted": [device(2, host="10.0.0.9", username="admin", method="digest")],
    }[change]
    queue.update(fleet(streams[0], *after, *streams[2:]), 1001.0)
    begun = []
    for at in (1002.0, 1003.0, 1004.0):
        for entry in queue.begin(at):
            begun.append(entry.question[0])
            queue.ended(entry, at, True)
    assert 3 in begun


def test_after_its_first_miss_a_device_that_was_up_is_asked_after_5_and_15_seconds() -> None:
    asked = Asked(fleet(replace(device(1), states=UP)), source(interval=600))
    asked.answers = lambda id: False
    times = asked.until(550).times(1)
    first = times[0]
    assert [round(at - first, 3) for at in times[1:3]] == [5.0, 15.0]
    assert len(times) <= 4, "then it has only its usual moment"


def test_a_device_that_answers_again_needs_no_further_question() -> None:
    asked = Asked(fleet(replace(device(1), states=UP)), source(interval=600))
    replies = iter([False, True, False, False, False])
    asked.answers = lambda id: next(replies, None)
    times = asked.until(60).times(1)
    assert len(times) == 2


@pytest.mark.parametrize(
    "states", [{}, {"tcp": SourceState(missed_at=AT, misses=3)}, {"other": SourceState(AT)}]
)
def test_a_device_that_was_not_up_is_asked_at_its_usual_times(
    states: Mapping[str, SourceState],
) -> None:
    asked = Asked(fleet(replace(device(1), states=states)), source(interval=600))
    asked.answers = lambda id: False
    assert len(asked.until(59).times(1)) == 1


def test_what_cannot_be_asked_changes_nothing_about_a_device() -> None:
    asked = Asked(fleet(replace(device(1), states=UP)), source())
    replies = iter([None, None, False, None, True])
    asked.answers = lambda id: next(replies, None)
    times = asked.until(400).times(1)
    assert [round(at - times[2]) for at in times[3:5]] == [5, 15]


def test_changes_of_the_fleet_take_effect_at_once() -> None:
    first, second = device(1), device(2)
    asked = Asked(fleet(first), source()).until(5)
    assert asked.queue.update(fleet(first, second), asked.now) == []
    asked.until(6)
    assert len(asked.times(2)) == 1, "added"
    moved = replace(first, address="10.0.0.77")
    asked.queue.update(fleet(moved, second), asked.now)
    assert asked.until(6.5).begun[-1][1] == 1, "at another address it is asked at once"
    other = replace(moved, access={"tcp": Access(username="root")})
    asked.queue.update(fleet(other, second), asked.now)
    assert [at for at in asked.until(7).times(1) if at >= 6.5], "and with another login"
    before = len(asked.begun)
    renewed = replace(other, states=UP, sightings=9)
    learned = replace(renewed, access={"tcp": Access(username="root", method="digest")})
    asked.queue.update(fleet(renewed, second), asked.now)
    asked.queue.update(fleet(learned, second), asked.now)
    assert len(asked.until(7.5).begun) == before, "what a question itself changes asks nothing"
    gone = asked.queue.update(fleet(replace(learned, retired_at=AT)), asked.now)
    assert set(gone) == {(1, "tcp"), (2, "tcp")}
    assert len(asked.until(500).begun) == before, "retired and deleted"


def test_a_device_without_access_or_address_is_not_asked() -> None:
    bare = Device(1, "camera", "here", ("row:1",), address="10.0.0.1")
    nowhere = replace(device(2), address=None)
    named = replace(device(3, host="10.9.9.9"), address=None)
    asked = Asked(fleet(bare, nowhere, named), source()).until(200)
    assert {id for _at, id, _name in asked.begun} == {3}


def test_a_question_that_somebody_waits_for_goes_first() -> None:
    devices = fleet(*(device(id) for id in range(1, 101)))
    asked = Asked(devices, source(cap=1), takes=1.0).until(10.5)
    late = max(devices.keys() - {id for _at, id, _name in asked.begun})
    for id in devices:
        assert asked.queue.prioritize((id, "tcp"), asked.now, SCAN)
    assert asked.queue.prioritize((late, "tcp"), asked.now)
    assert not asked.queue.prioritize((late, "other"), asked.now)
    before = len(asked.begun)
    asked.until(12.5)
    assert asked.begun[before][1] == late


def test_a_question_that_nobody_waits_for_any_more_is_asked_when_it_is_due() -> None:
    devices = fleet(*(device(id) for id in range(1, 11)))
    asked = Asked(devices, source(cap=1, interval=600), takes=1.0).until(100)
    before = len(asked.begun)
    for id in devices:
        asked.queue.prioritize((id, "tcp"), asked.now, SCAN)
    asked.until(101.5)
    for id in devices:
        asked.queue.withdraw((id, "tcp"))
    asked.until(115)
    assert 1 <= len(asked.begun) - before < 10
    assert len(asked.until(800).begun) >= before + 10


@pytest.mark.parametrize("urgency", [NOW, SCAN])
def test_a_question_that_is_given_up_leaves_the_next_time_of_a_device_as_it_was(
    urgency: int,
) -> None:
    asked = Asked(fleet(replace(device(1), states=UP)), source(interval=600))
    asked.answers = lambda id: False
    first = asked.until(1).times(1)[0]
    asked.queue.prioritize((1, "tcp"), asked.now, urgency)
    asked.queue.withdraw((1, "tcp"))
    times = asked.until(60).times(1)
    assert [round(at - first, 3) for at in times] == [0.0, 5.0, 15.0]


def test_what_is_due_because_of_another_device_is_asked_though_somebody_gives_up() -> None:
    asked = Asked(fleet(device(1)), source(interval=600)).until(100)
    before = len(asked.begun)
    asked.queue.make_due((1, "tcp"), asked.now)
    asked.queue.prioritize((1, "tcp"), asked.now)
    asked.queue.withdraw((1, "tcp"))
    assert len(asked.until(100.1).begun) == before + 1


def test_another_access_is_tried_at_once_though_somebody_gives_up() -> None:
    asked = Asked(fleet(device(1)), source(interval=600)).until(100)
    before = len(asked.begun)
    asked.queue.update(fleet(device(1, username="root")), asked.now)
    asked.queue.withdraw((1, "tcp"))
    assert len(asked.until(100.1).begun) == before + 1
