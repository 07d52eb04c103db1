"""How long a camera may be without a picture follows from how far its pictures are apart."""

from collections.abc import Sequence

import pytest

from video.rhythm import LONGEST, Distances, Patience
from video.session_media import picture_distance

USUAL = Patience(10.0)


def distance_of(gaps: Sequence[float]) -> float | None:
    distances, at = Distances(), 0.0
    for gap in (0.0, *gaps):
        at += gap
        distances.add(at)
    return distances.usual


@pytest.mark.parametrize(
    ("gaps", "seconds"),
    [
        ([], 10),
        ([0.04] * 50, 10),
        ([0.04] * 20 + [9.0] + [0.04] * 5, 10),
        ([30.0], 75),
        ([60.0] * 3, 150),
        ([0.1, 60.0, 0.1, 60.0], 150),
        ([600.0, 600.0], LONGEST),
        ([60.0] * 3 + [0.04] * 20, 10),
    ],
    ids=["none", "25", "stall", "30 s", "minute", "pairs", "too long", "was changed"],
)
def test_people_are_told_after_two_and_a_half_distances(gaps: list[float], seconds: float) -> None:
    assert USUAL.told_after(distance_of(gaps)) == pytest.approx(seconds)


def test_a_connection_is_kept_longer_each_time_until_a_second_picture_tells() -> None:
    patience, ended = USUAL, list[float]()
    for _connection in range(4):
        ended.append(patience.ended_after(None))
        assert patience.told_after(None) == 10
        patience = patience.after(None)
    assert ended == [10, 30, 90, 120]
    assert patience.ended_after(0.04) == 10
    known = patience.after(60.0)
    assert (known.told_after(None), known.ended_after(None)) == (150, 150)
    assert known.after(0.04).told_after(None) == 10


@pytest.mark.parametrize(
    ("line", "distance"),
    [("framerate:0.05", 20), ("x-framerate:25", 0.04)]
    + [(f"framerate:{text}", None) for text in ("0", "-1", "nan", "1e-9", "inf", "many")],
)
def test_a_description_may_tell_the_rate(line: str, distance: float | None) -> None:
    text = f"m=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 96\r\na={line}\r\n"
    assert picture_distance(text.encode()) == (distance and pytest.approx(distance))
