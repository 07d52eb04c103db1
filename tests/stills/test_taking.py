"""Taking a still: the order of ways, one capture for all who ask, and what is kept of it."""

import gc
import os
import stat
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine

from fleet.pictures import NotOffered, NotTaken, TakenPicture
from stills.model import ASKED
from stills.taking import BROKEN, LOCAL, REST, SNAPSHOT, STREAM, Way
from tests.home import until
from tests.stills.studio import NOON, Studio, jpeg, no_more_threads


def test_a_still_is_kept_with_what_is_known_of_it(engine: Engine, tmp_path: Path) -> None:
    studio = Studio(engine, tmp_path)
    studio.answers[STREAM, 1] = jpeg(64, 48)
    still = studio.stills.take(1)
    assert studio.shelf.find(1, still.id) == still
    assert (still.device, still.taken_at, still.clock_known) == (1, NOON, True)
    assert (still.way, still.width, still.height, still.why) == (STREAM, 64, 48, ASKED)
    assert (still.name, still.notes, still.slot) == ("20261128T120000000Z.jpg", ("a note",), None)
    file = studio.shelf.path(still)
    assert still.size == len(file.read_bytes())
    assert file == tmp_path / "stills" / "1" / still.name
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (file, *list(file.parents)[:2])]
    assert modes == [0o600, 0o700, 0o700]
    assert studio.shelf.find(2, still.id) is None
    assert studio.shelf.newest_of_all() == {1: still}


@pytest.mark.parametrize("way", [LOCAL, SNAPSHOT, STREAM])
def test_the_first_way_that_gives_a_picture_is_taken(studio: Studio, way: str) -> None:
    studio.answers[way, 1] = jpeg()
    assert studio.stills.take(1).way == way
    assert studio.asked[-1] == (way, 1)
    assert studio.findings() == []


def test_a_broken_snapshot_on_a_good_stream_is_a_finding_and_rests(studio: Studio) -> None:
    studio.fail(SNAPSHOT, reason="It sends a page (HTTP 404).")
    assert studio.stills.take(1).way == STREAM
    assert studio.findings() == []
    assert studio.stills.take(1).way == STREAM
    [finding] = studio.findings()
    assert (finding.kind, finding.since) == (BROKEN, NOON)
    assert finding.text == "its snapshot is broken: It sends a page (HTTP 404)."
    studio.asked.clear()
    studio.stills.take(1)
    assert (SNAPSHOT, 1) not in studio.asked
    studio.answers[SNAPSHOT, 1] = jpeg()
    studio.forward(seconds=REST)
    assert studio.stills.take(1).way == SNAPSHOT
    assert studio.findings() == []


def test_a_snapshot_that_is_no_longer_offered_is_not_broken(studio: Studio) -> None:
    studio.fail(SNAPSHOT)
    for _number in range(2):
        studio.stills.take(1)
    assert studio.findings()
    del studio.answers[SNAPSHOT, 1]
    studio.forward(seconds=REST)
    assert studio.stills.take(1).way == STREAM
    assert studio.findings() == []


def test_a_busy_snapshot_is_no_finding(studio: Studio) -> None:
    studio.answers[SNAPSHOT, 1] = NotTaken("The camera is busy.", "", 5.0)
    for _number in range(3):
        assert studio.stills.take(1).way == STREAM
    assert studio.findings() == []


def test_a_snapshot_that_rests_is_tried_where_the_stream_fails(studio: Studio) -> None:
    studio.fail(SNAPSHOT)
    for _number in range(2):
        studio.stills.take(1)
    studio.fail(STREAM)
    studio.answers[SNAPSHOT, 1] = jpeg()
    assert studio.stills.take(1).way == SNAPSHOT
    studio.answers[STREAM, 1] = jpeg()
    assert studio.stills.take(1).way == SNAPSHOT, "it works again, so it comes first again"


def test_no_way_is_tried_once_the_time_is_over(studio: Studio) -> None:
    def silent() -> NotTaken:
        studio.forward(seconds=31)
        return NotTaken("The camera is silent.")

    studio.answers[LOCAL, 1] = silent
    with pytest.raises(NotTaken) as caught:
        studio.stills.take(1)
    assert caught.value.reason == "The camera is silent."
    assert studio.asked == [(LOCAL, 1)]


def test_a_slow_snapshot_leaves_half_of_the_time_to_the_stream(studio: Studio) -> None:
    given: list[float] = []

    def noted(way: Way) -> Way:
        def take(device: int, timeout: float) -> TakenPicture:
            given.append(timeout)
            return way.take(device, timeout)

        return Way(way.name, take)

    studio.stills.ways = tuple(noted(way) for way in studio.stills.ways)
    studio.stills.take(1, 30.0)
    assert given == [30.0, 15.0, 30.0]


def test_no_more_devices_than_the_limit_are_asked_at_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stills.taking.MOST_AT_ONCE", 0)
    with pytest.raises(NotTaken, match="are being taken already") as caught:
        studio.stills.take(1)
    assert caught.value.wait


def test_a_picture_of_another_size_than_announced_is_no_still(studio: Studio) -> None:
    studio.answers[STREAM, 1] = jpeg(32, 24)
    with pytest.raises(NotTaken, match="not the one that was announced"):
        studio.stills.take(1)


def test_where_all_ways_fail_each_reason_is_named(studio: Studio) -> None:
    studio.fail(SNAPSHOT, reason="No snapshot.")
    studio.answers[STREAM, 1] = NotTaken("No stream.", "Check the cable.", 7.0)
    with pytest.raises(NotTaken) as caught:
        studio.stills.take(1)
    error = caught.value
    assert (error.reason, error.hint, error.wait) == (
        "No snapshot. No stream.",
        "Check the cable.",
        7.0,
    )
    assert studio.shelf.newest(1) is None


def test_a_device_without_a_picture_and_one_that_does_not_exist(studio: Studio) -> None:
    with pytest.raises(NotOffered, match="No stream or snapshot"):
        studio.stills.take(2)
    with pytest.raises(NotTaken, match="Device 9 does not exist"):
        studio.stills.take(9)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "not a JPEG"),
        (jpeg()[:-2], "incomplete"),
        (jpeg(20_000, 10_000), "the limit is 100 megapixels"),
    ],
)
def test_bytes_that_are_no_picture_are_no_still(studio: Studio, data: bytes, reason: str) -> None:
    studio.answers[STREAM, 1] = data
    with pytest.raises(NotTaken, match=reason):
        studio.stills.take(1)
    assert studio.shelf.files.devices() == []


def waiting(studio: Studio) -> int:
    """How many wait for the still of camera 1."""
    flight = studio.stills._flights.get(1)
    return len(flight.is_over._cond._waiters) if flight else 0  # type: ignore[attr-defined]


def test_all_who_ask_meanwhile_get_the_same_still(studio: Studio) -> None:
    may_go = Event()

    def picture() -> bytes:
        assert may_go.wait(20)
        return jpeg()

    studio.answers[STREAM, 1] = picture
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(studio.stills.take, 1) for _number in range(7)]
        results.append(pool.submit(studio.stills.take, 1, 20.0, "hour", NOON))
        until(lambda: waiting(studio) == 8)
        assert studio.stills.is_taking(1)
        may_go.set()
        stills = {result.result().id for result in results}
    assert len(stills) == 1
    assert studio.asked.count((STREAM, 1)) == 1
    assert studio.slots() == [NOON]


def test_a_still_that_cannot_begin_keeps_no_later_one(studio: Studio) -> None:
    with no_more_threads(), pytest.raises(NotTaken, match="too busy") as caught:
        studio.stills.take(1)
    assert caught.value.wait == 5.0
    assert studio.stills.take(1).id == 1


@contextmanager
def a_hanging_write(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """The next file that is written hangs until the block ends; the event says that it does."""
    sync, hangs, may_go = os.fsync, Event(), Event()

    def fsync(file: int) -> None:
        if not hangs.is_set():
            hangs.set()
            assert may_go.wait(20)
        sync(file)

    monkeypatch.setattr(os, "fsync", fsync)
    try:
        yield hangs
    finally:
        may_go.set()


def test_a_write_that_hangs_holds_up_no_other_still(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.answers[STREAM, 2] = jpeg()
    with ThreadPoolExecutor(2) as pool, a_hanging_write(monkeypatch) as hangs:
        first = pool.submit(studio.stills.take, 1)
        until(hangs.is_set)
        assert pool.submit(studio.stills.take, 2).result(10).id == 1
        second = studio.shelf.files.write(1, NOON, b"of the same time")
    assert (first.result().name, second) == ("20261128T120000000Z.jpg", "20261128T120000000Z-2.jpg")


def test_pictures_that_wait_for_the_disk_are_not_too_many(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stills.taking.MOST_HELD", 1500)
    studio.answers[STREAM, 1] = studio.answers[STREAM, 2] = jpeg() + bytes(1000)
    with ThreadPoolExecutor(1) as pool, a_hanging_write(monkeypatch) as hangs:
        first = pool.submit(studio.stills.take, 1)
        until(hangs.is_set)
        with pytest.raises(NotTaken, match="large pictures") as caught:
            studio.stills.take(2)
    assert (first.result().id, caught.value.wait) == (1, 5.0)
    assert studio.stills.take(2).id == 2


def test_a_picture_that_cannot_be_kept_does_not_stay_in_memory(studio: Studio) -> None:
    size = 4 << 20
    studio.answers[STREAM, 1] = lambda: jpeg() + bytes(size)
    studio.answers[SNAPSHOT, 1] = lambda: NotTaken("It is broken.")
    studio.trouble = "The share is gone."
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        with pytest.raises(NotTaken, match="share is gone"):
            studio.stills.take(1)
        until(lambda: tracemalloc.get_traced_memory()[0] < size / 2, 5.0)
    finally:
        tracemalloc.stop()
        gc.enable()


def test_a_way_that_hangs_keeps_nobody_longer_than_the_limit(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go = Event()
    monkeypatch.setattr("stills.taking.GRACE", 0.05)
    studio.answers[STREAM, 1] = lambda: may_go.wait(20) and jpeg()
    for _number in range(3):
        with pytest.raises(NotTaken, match="has not given a picture"):
            studio.stills.take(1, timeout=0.05)
    assert studio.asked.count((STREAM, 1)) == 1
    may_go.set()
    until(lambda: not studio.stills.is_taking(1))
    assert studio.stills.take(1).id == 2


def test_whoever_waits_when_the_program_stops_waits_no_longer(studio: Studio) -> None:
    may_go = Event()
    studio.answers[STREAM, 1] = lambda: may_go.wait(20) and jpeg()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(studio.stills.take, 1)
        until(lambda: studio.asked)
        studio.stills.stop()
        with pytest.raises(NotTaken, match="is stopping"):
            result.result()
    with pytest.raises(NotTaken, match="is stopping"):
        studio.stills.take(2)
    may_go.set()
    until(lambda: not studio.stills.is_taking(1))


def test_stills_and_interval_of_merged_records_belong_to_the_one_that_remains(
    studio: Studio,
) -> None:
    studio.answers[STREAM, 2] = jpeg()
    still = studio.stills.take(2)
    studio.intervals.set(2, 900)
    fleet = studio.story.fleet
    remaining = {id: fleet.devices[id] for id in (1, 3)}
    studio.story.fleet = replace(fleet, devices=remaining, redirects={2: 1})
    assert studio.shelf.newest(1) == still
    assert studio.shelf.find(1, still.id) == still
    assert studio.shelf.newest_of_all() == {1: still}
    assert studio.stills.take(2).device == 1
    assert (studio.intervals.own(1), studio.intervals.of(1)) == (900, 900)
    studio.intervals.set(1, 0)
    assert studio.intervals.of(1) == 0
    studio.intervals.set(1, None)
    assert (studio.intervals.own(1), studio.intervals.of(1)) == (None, 3600)


def test_two_stills_of_one_time_have_two_files(studio: Studio) -> None:
    first, second = studio.stills.take(1), studio.stills.take(1)
    assert second.name == "20261128T120000000Z-2.jpg"
    assert [studio.shelf.path(still).exists() for still in (first, second)] == [True, True]
    studio.forward(hours=-1)
    assert studio.stills.take(1) == studio.shelf.newest(1)


def test_a_time_that_comes_again_is_no_fault_of_the_database(studio: Studio) -> None:
    first = studio.stills.take(1, slot=NOON)
    studio.shelf.path(first).unlink()
    studio.now = NOON + timedelta(microseconds=900)
    second = studio.stills.take(1, slot=NOON)
    assert (second.name, studio.shelf.find(1, second.id).slot) == (
        "20261128T120000000Z-2.jpg",
        None,
    )
    studio.shelf.give_slot(replace(second, slot=None), NOON)
    assert [each.slot for each in studio.shelf.latest(1, 9)] == [None, NOON]


def test_a_time_from_an_unset_clock_is_marked(studio: Studio) -> None:
    studio.now = NOON - timedelta(days=56 * 365)
    assert not studio.stills.take(1).clock_known
    studio.now = NOON
    studio.doubt = "The clock of this server is 20,000 d ahead."
    assert studio.stills.take(1).clock_known, "there is nothing that it could contradict"
    studio.now += timedelta(days=73 * 365)
    assert not studio.stills.take(1).clock_known
