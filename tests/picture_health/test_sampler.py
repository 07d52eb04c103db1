"""When each camera is sampled: a few at a time, and none waits for one that hangs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Lock
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import Engine

from fleet.pictures import NotOffered, NotTaken
from fleet.status import ACTIVE, OFFLINE
from picture_health.measuring import Measuring
from picture_health.sampler import LEAST_AT_ONCE, MOST_THREADS, PLAN_EVERY, Sampler
from tests.fleet.reports import seen
from tests.home import until
from tests.picture_health.clinic import Clinic, scene
from tests.picture_health.scenes import Moment
from tests.stills.studio import no_more_threads


class Ward(Clinic):
    """A clinic with many cameras that are sampled by themselves, as fast as a test lets time
    pass."""

    def __init__(self, engine: Engine, measuring: Measuring, cameras: int, interval: int) -> None:
        super().__init__(engine, measuring, interval)
        self.story.tell(*(seen(f"mac:d4:2d:c5:00:01:{n:02x}") for n in range(4, cameras + 1)))
        self.statuses = dict.fromkeys(self.story.fleet.devices, ACTIVE)
        picture = scene(1).jpeg(Moment(1))
        self.answers = dict.fromkeys(self.story.fleet.devices, picture)
        for device in self.statuses:
            self.settings.change(device, {"repeats": True})
        self.lock = Lock()
        self.at_once = self.most_at_once = 0
        self.sampler = Sampler(
            self.health,
            self.settings,
            lambda: self.story.fleet,
            lambda: self.statuses,
            lambda: self.seconds,
        )

    def _take(self, device: int, timeout: float) -> Any:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return super()._take(device, timeout)
        finally:
            with self.lock:
                self.at_once -= 1

    def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, with all the turns in it, and wait for those that are not held up."""
        end = self.seconds + seconds
        while self.seconds < end:
            self.sampler.turn()
            until(lambda: not self.busy(), what="samples are taken")
            self.sampler.turn()
            until(lambda: not self.busy(), what="samples are taken")
            self.forward(seconds=step)

    def busy(self) -> set[int]:
        """The cameras that are being sampled and do not hang."""
        hanging = {id for id, answer in self.answers.items() if answer == self.hang}
        return set(self.sampler._flying) - hanging

    def hang(self) -> bytes:
        assert self.freed.wait(300)
        raise NotTaken("The stream was not opened within 20 s.")

    freed = Event()


@pytest.fixture
def make_ward(sqlite_engine: Engine, measuring: Measuring) -> Iterator[Any]:
    made: list[Ward] = []

    def make(cameras: int, interval: int) -> Ward:
        ward = Ward(sqlite_engine, measuring, cameras, interval)
        ward.freed = Event()
        made.append(ward)
        return ward

    yield make
    for ward in made:
        ward.freed.set()
        ward.sampler.stop()
        ward.sampling.stop()


def test_each_camera_is_sampled_once_in_an_interval_and_they_are_spread(make_ward: Any) -> None:
    ward = make_ward(20, 60)
    ward.pass_time(30)
    assert 7 <= len(ward.asked) <= 13
    ward.pass_time(90)
    counts = Counter(ward.asked)
    assert set(counts) == set(range(1, 21))
    assert set(counts.values()) <= {2}, "each once a minute, in two"
    assert ward.most_at_once <= LEAST_AT_ONCE


def test_a_camera_that_may_be_faulty_is_sampled_sooner(make_ward: Any) -> None:
    ward = make_ward(3, 600)
    ward.pass_time(600, 5)
    assert Counter(ward.asked) == {1: 1, 2: 1, 3: 1}
    ward.answers[2] = scene(1).jpeg(Moment(2, "black", 1))
    ward.pass_time(900, 5)
    counts = Counter(ward.asked)
    assert (counts[1], counts[3]) == (2, 2) or counts[1] + counts[3] in (4, 5)
    assert counts[2] >= 6
    assert ward.findings(2)
    assert not ward.findings(1)


def test_cameras_that_hang_delay_no_other(make_ward: Any) -> None:
    ward = make_ward(12, 60)
    for device in (1, 2):
        ward.answers[device] = ward.hang
    ward.pass_time(120)
    counts = Counter(ward.asked)
    assert {counts[device] for device in range(3, 13)} == {2}
    assert (counts[1], counts[2]) == (1, 1), "nothing piles up behind them"
    # Those that failed before get no more than half of the places.
    ward.freed.set()
    until(lambda: not ward.sampler._flying, what="they are over")
    ward.freed.clear()
    for device in range(1, 5):
        ward.answers[device] = ward.hang
        ward.sampler._failed.add(device)
    ward.asked.clear()
    ward.pass_time(65)
    assert len(ward.sampler._flying) == LEAST_AT_ONCE // 2
    assert {device for device in ward.asked if device > 4} == set(range(5, 13))


def test_failed_cameras_without_a_place_wait_until_one_is_free(make_ward: Any) -> None:
    ward = make_ward(4, 60)
    for device in ward.answers:
        ward.answers[device] = ward.hang
        ward.sampler._failed.add(device)
    ward.pass_time(60, 10)
    assert len(ward.sampler._flying) == LEAST_AT_ONCE // 2
    assert ward.sampler.turn() == PLAN_EVERY, "nothing can begin, so no turn comes before its time"
    ward.sampler._wake.clear()
    ward.freed.set()
    until(ward.sampler._wake.is_set, what="the end of a sample wakes the sampler")


def test_cameras_that_are_offline_off_or_in_their_hours_are_left_alone(
    make_ward: Any,
) -> None:
    ward = make_ward(6, 60)
    ward.statuses[1] = OFFLINE
    ward.health.set_settings(2, {"mode": "off"})
    ward.health.set_settings(
        3, {"expected_hours": [{"days": [4], "starts": "13:00", "ends": "15:00"}]}
    )
    ward.story.tell(seen("mac:d4:2d:c5:00:01:04", source="onvif", facts={"ptz": True}))
    ward.health.set_settings(5, {"interval": 30})
    ward.pass_time(60)
    assert Counter(ward.asked) == {5: 2, 6: 1}
    assert ward.sampling.watched(1).reason == "The camera is offline."
    ward.statuses[1] = ACTIVE
    ward.health.set_settings(2, {"mode": "on"})
    ward.pass_time(PLAN_EVERY + 21)
    assert {1, 2} <= set(ward.asked), "soon after they are back"


def test_findings_end_when_a_camera_turns_out_to_turn_or_its_hours_begin(make_ward: Any) -> None:
    ward = make_ward(3, 60)
    for device in (1, 2):
        ward.answers[device] = scene(1).jpeg(Moment(2, "black", 1))
    hours = [{"days": [4], "starts": "14:00", "ends": "15:00"}]
    ward.health.set_settings(2, {"expected_hours": hours})
    ward.pass_time(240, 5)
    assert ward.findings(1)
    assert ward.findings(2)
    ward.story.tell(seen("mac:d4:2d:c5:00:00:0a", source="onvif", facts={"ptz": True}))
    ward.pass_time(20, 5)
    assert not ward.findings(1)
    assert ward.findings(2)
    ward.forward(minutes=60)
    ward.pass_time(20, 5)
    assert not ward.findings(2)


def test_a_device_without_a_picture_is_left_alone_for_a_quarter_of_an_hour(make_ward: Any) -> None:
    ward = make_ward(1, 60)
    ward.answers[1] = NotOffered("none")
    ward.answers[2] = ward.answers[3] = NotOffered("none")
    ward.pass_time(840, 10)
    assert Counter(ward.asked) == {1: 1, 2: 1, 3: 1}
    assert ward.health.of(1).state == "unknown"


def test_an_internal_error_does_not_end_the_sampler(
    make_ward: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ward = make_ward(3, 30)
    ward.answers[1] = ZeroDivisionError("of our own")
    ward.pass_time(60)
    assert Counter(ward.asked) == {1: 2, 2: 2, 3: 2}
    assert "Internal error while sampling device 1" in caplog.text
    assert ward.health.of(2).state == "healthy"


def test_a_camera_whose_interval_is_taken_away_is_not_sampled_again(make_ward: Any) -> None:
    ward = make_ward(3, 0)
    picture = ward.answers[1]

    def last() -> bytes:
        ward.health.set_settings(1, {"interval": None})
        return bytes(picture)

    ward.answers[1] = last
    ward.health.set_settings(1, {"interval": 30})
    ward.pass_time(40)
    assert ward.asked == [1]


def test_samples_are_put_off_while_the_system_gives_no_thread(make_ward: Any) -> None:
    ward = make_ward(3, 30)
    with no_more_threads():
        for _turn in range(40):
            ward.sampler.turn()
            ward.forward(seconds=1)
    assert ward.asked == []
    ward.pass_time(10)
    assert Counter(ward.asked) == {1: 1, 2: 1, 3: 1}


@pytest.mark.torture
def test_a_large_fleet_with_every_trouble_is_sampled_within_its_memory(make_ward: Any) -> None:
    ward = make_ward(200, 60)
    large = as_jpeg(cv2.resize(scene(2).seen(Moment(1), np.random.default_rng(1)), (3264, 2448)))
    for device in range(1, 201):
        if device % 10 == 0:
            ward.answers[device] = ward.hang
        elif device % 10 == 1:
            ward.answers[device] = NotTaken("It is dark.")
        elif device % 10 == 2:
            ward.answers[device] = b"\xff\xd8 an error text"
        elif device % 10 == 3:
            ward.answers[device] = scene(1).jpeg(Moment(2, "black", 1))
        elif device in (4, 14, 24, 34, 44):
            ward.answers[device] = large
    ward.pass_time(120)
    before = memory()
    ward.asked.clear()
    ward.pass_time(600)
    counts = Counter(ward.asked)
    assert all(9 <= counts[device] <= 11 for device in range(1, 201) if device % 10 > 3)
    assert all(counts[device] <= 1 for device in range(10, 201, 10)), "nothing piles up"
    assert ward.most_at_once <= MOST_THREADS
    assert {id for id in counts if ward.findings(id)} == set(range(3, 201, 10))
    assert memory() - before < 40


def as_jpeg(picture: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", picture.astype(np.uint8))[1])


def memory() -> float:
    """MB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
