"""What should have been recorded and was not, and the cause of each gap."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video.gaps import Coverage, Gap, coverage
from video.outages import (
    DAMAGED,
    DISK,
    EVERYTHING,
    NO_PICTURE,
    OFF,
    RUNNING,
    SERVER,
    UNKNOWN,
    UNSCHEDULED,
    Outage,
    is_restart,
)
from video.stretches import Stretch, joined, length, subtract

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def stretch(start: float, end: float) -> Stretch:
    return Stretch(at(start), at(end))


def outage(
    start: float, end: float | None, cause: str, reason: str = "", device: int = 1
) -> Outage:
    return Outage(device, "main", at(start), None if end is None else at(end), cause, reason)


HOUR = stretch(0, 60)


def judged(
    *present: Stretch,
    expected: tuple[Stretch, ...] = (HOUR,),
    damaged: tuple[Stretch, ...] = (),
    outages: tuple[Outage, ...] = (),
) -> Coverage:
    return coverage(HOUR, expected, present, damaged, outages)


def parts(gaps: tuple[Gap, ...]) -> list[tuple[float, float, str]]:
    return [
        ((gap.start - NOON).total_seconds() / 60, (gap.end - NOON).total_seconds() / 60, gap.cause)
        for gap in gaps
    ]


def test_an_hour_that_is_there_has_no_gap() -> None:
    files = [stretch(start, start + 5) for start in range(0, 60, 5)]
    result = judged(*files)
    assert (result.expected, result.present, result.share) == (3600, 3600, 1)
    assert result.gaps == result.unscheduled == ()


def test_each_gap_has_its_cause() -> None:
    result = judged(
        stretch(0, 10),
        stretch(20, 30),
        stretch(35, 60),
        outages=(outage(10, 20, OFF, "connection refused"), outage(30, 35, NO_PICTURE)),
    )
    assert parts(result.gaps) == [(10, 20, OFF), (30, 35, NO_PICTURE)]
    assert result.gaps[0].reason == "connection refused"
    assert result.missing == 900
    assert result.share == 0.75


def test_one_gap_of_several_causes_is_divided() -> None:
    result = judged(
        stretch(0, 10),
        stretch(50, 60),
        outages=(outage(10, 20, OFF), outage(30, 40, DISK, device=EVERYTHING)),
    )
    assert parts(result.gaps) == [
        (10, 20, OFF),
        (20, 30, UNKNOWN),
        (30, 40, DISK),
        (40, 50, UNKNOWN),
    ]


def test_a_camera_that_was_off_while_this_server_was_down_is_not_to_blame() -> None:
    runs = tuple(
        Outage(EVERYTHING, "", at(start), None if end is None else at(end), RUNNING)
        for start, end in ((-100, 20), (30, None))
    )
    result = judged(stretch(0, 20), outages=(*runs, outage(15, 40, OFF)))
    assert parts(result.gaps) == [(20, 30, SERVER), (30, 40, OFF), (40, 60, UNKNOWN)]


def test_before_the_first_known_run_the_server_is_not_to_blame() -> None:
    run = Outage(EVERYTHING, "", at(30), None, RUNNING)
    assert parts(judged(stretch(30, 60), outages=(run,)).gaps) == [(0, 30, UNKNOWN)]


def test_a_file_that_does_not_open_is_missing() -> None:
    result = judged(stretch(0, 30), stretch(35, 60), damaged=(stretch(30, 35),))
    assert parts(result.gaps) == [(30, 35, DAMAGED)]


def test_the_time_to_the_next_key_frame_belongs_to_the_outage_before_it() -> None:
    result = judged(stretch(0, 10), stretch(20.4, 60), outages=(outage(10.1, 20, OFF, "off"),))
    assert parts(result.gaps) == [(10, 20.4, OFF)]


def test_the_time_to_the_first_key_frame_is_no_gap() -> None:
    assert judged(stretch(0.4, 60)).gaps == ()
    assert parts(judged(stretch(0.6, 60)).gaps) == [(0, 0.6, UNKNOWN)]


def test_what_is_not_scheduled_is_no_gap_and_is_named() -> None:
    expected = (stretch(0, 20), stretch(15, 30))
    result = judged(stretch(0, 30), stretch(40, 45), expected=expected)
    assert (result.expected, result.present) == (1800, 1800)
    assert parts(result.unscheduled) == [(30, 40, UNSCHEDULED), (45, 60, UNSCHEDULED)]
    assert judged(expected=()).share is None


def test_files_of_both_streams_are_counted_once() -> None:
    assert judged(stretch(0, 40), stretch(20, 60)).present == 3600


def test_a_camera_that_cut_the_stream_and_is_back_soon_was_restarted() -> None:
    minute = timedelta(minutes=1)
    assert is_restart(OFF, minute, has_cut=True)
    assert not is_restart(OFF, minute, has_cut=False)
    assert not is_restart(OFF, 6 * minute, has_cut=True)
    assert not is_restart(NO_PICTURE, minute, has_cut=True)


stretches = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(
        lambda pair: stretch(pair[0], pair[0] + pair[1])
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(stretches, stretches, stretches)
def test_whatever_is_there_expected_is_present_and_missing(
    expected: list[Stretch], present: list[Stretch], broken: list[Stretch]
) -> None:
    outages = tuple(Outage(1, "main", start, end, OFF) for start, end in broken)
    result = coverage(HOUR, expected, present, [], outages)
    assert result.present + result.missing == pytest.approx(result.expected)
    for before, after in zip(result.gaps, result.gaps[1:], strict=False):
        assert before.end <= after.start
    idle = sum(gap.seconds for gap in result.unscheduled)
    there = length(joined(present, HOUR))
    outside = length(subtract(joined(present, HOUR), joined(expected, HOUR)))
    assert result.expected + outside + idle == pytest.approx(3600)
    assert there <= 3600
