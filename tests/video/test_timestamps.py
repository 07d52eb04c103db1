"""Times that can be believed, whatever a camera's clock does."""

import itertools
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video.timestamps import DecodingOrder, StampClock

TICKS = 90_000
RATE = 10
"""Pictures a second."""


def times(stamps: Iterable[tuple[float, float]], ticks: int = TICKS) -> list[tuple[float, float]]:
    """(time, arrival) of each (seconds of the camera's clock, arrival)."""
    clock = StampClock(ticks)
    return [
        (clock.time_of(int(round(seconds * ticks)) % 2**32, arrived), arrived)
        for seconds, arrived in stamps
    ]


def true(seconds: float) -> list[float]:
    return [number / RATE for number in range(int(seconds * RATE))]


@pytest.mark.parametrize("speed", [0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0])
def test_an_hour_of_a_clock_that_runs_wrong_is_true_within_a_second(speed: float) -> None:
    dice = random.Random(speed)
    ats = [number / 3 for number in range(3600 * 3)]
    stamps = [(5000 + at * speed, 100 + at + dice.uniform(0, 0.2)) for at in ats]
    result = times(stamps)
    late = result[len(result) // 20 :]
    assert max(abs(time - arrived) for time, arrived in late) < 1.0
    assert all(before[0] < after[0] for before, after in itertools.pairwise(result))


def test_the_distances_of_stamps_stay_where_arrivals_come_in_bursts() -> None:
    """Two pictures come at once, four times a second a stall of three seconds."""
    stamps = [
        (at, 100 + at - at % 0.2 + (3 if 30 < at < 33 else 0) * (33 - at) / 3) for at in true(60)
    ]
    result = [time for time, _arrived in times(stamps)]
    steps = [after - before for before, after in itertools.pairwise(result)]
    assert min(steps) > 0.09
    assert max(steps) < 0.11


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 30_000.0, -20.0, 5.0, 1e6])
def test_one_stamp_that_jumps_disturbs_no_other(jump: float) -> None:
    at = true(20)
    result = times(
        (second + (jump if number in (50, 51, 120) else 0), 100 + second)
        for number, second in enumerate(at)
    )
    assert [time for time, _arrived in result] == pytest.approx(
        [100 + second for second in at], abs=0.15
    )


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 30_000.0, -20.0])
def test_a_clock_that_is_set_is_believed_again(jump: float) -> None:
    at = true(30)
    clock = StampClock(TICKS)
    for second in at:
        stamp = second + (jump if second > 10 else 0)
        time = clock.time_of(int(round(stamp * TICKS)) % 2**32, 100 + second)
        assert time == pytest.approx(100 + second, abs=0.15)
    assert clock.unbelievable <= 2


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(lambda _number: 7.0, id="always the same"),
        pytest.param(lambda number: number // 2 * 2 / RATE, id="each twice"),
        pytest.param(lambda number: -number / RATE, id="backwards"),
        pytest.param(lambda number: number * 7919 % 1000, id="by chance"),
    ],
)
def test_stamps_that_mean_nothing_are_replaced_by_arrivals(stamp: Callable[[int], float]) -> None:
    result = times((stamp(number), 100 + number / RATE) for number in range(600))
    assert all(abs(time - arrived) < 2.5 for time, arrived in result)
    assert result[-1][0] - result[0][0] == pytest.approx(59.9, abs=1.0)


def test_stamps_begin_again_at_zero_after_32_bits() -> None:
    start = (2**32 - 1) / TICKS - 5
    at = true(20)
    clock = StampClock(TICKS)
    result = [
        clock.time_of(int(round((start + second) * TICKS)) % 2**32, 100 + second) for second in at
    ]
    assert result == pytest.approx([100 + second for second in at], abs=0.01)
    assert clock.unbelievable == 0


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 30)), min_size=1, max_size=80),
    st.sampled_from([8000, 44_100, 90_000]),
    st.sampled_from([None, 0, 1, 2, 16]),
)
def test_times_always_grow_and_stay_near_their_arrival(
    packets: list[tuple[int, float]], ticks: int, reorder: int | None
) -> None:
    clock, order = StampClock(ticks), DecodingOrder(reorder)
    arrived, before = 1000.0, 0.0
    for stamp, pause in packets:
        arrived += pause
        shown = clock.time_of(stamp, arrived)
        pts, dts = order.times(shown)
        assert before < dts <= pts
        assert arrived - 13 < shown < arrived + 3
        before = dts


def pyramid(pictures: int) -> list[int]:
    """Four pictures in the order in which they are sent: each is shown at its number."""
    return [0] + [base + place for base in range(0, pictures, 4) for place in (4, 2, 1, 3)]


@pytest.mark.parametrize("reorder", [2, None])
def test_reordered_pictures_keep_their_distances(reorder: int | None) -> None:
    order = DecodingOrder(reorder, 1 / RATE)
    shown = [100 + number / RATE for number in pyramid(80)]
    result = [order.times(time) for time in shown]
    later = list(zip(shown, result, strict=True))[8:]
    shifts = [pts - time for time, (pts, _dts) in later]
    assert max(shifts) == pytest.approx(min(shifts))
    assert max(shifts) < 0.5
    steps = [after[1] - before[1] for (_, before), (_, after) in itertools.pairwise(later)]
    assert steps == pytest.approx([1 / RATE] * len(steps))


def test_without_reordering_a_picture_is_decoded_when_it_is_shown() -> None:
    order = DecodingOrder(0)
    assert [order.times(time) for time in (1.0, 1.1, 1.2)] == [(1.0, 1.0), (1.1, 1.1), (1.2, 1.2)]
