"""The line of a day: files in a row are one stretch, gaps have causes, days have 23 to 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from video.day_line import day_line, day_of, explained, hour_marks
from video.recorded import Segment
from video.stretches import Stretch

DAY = Stretch(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return DAY.start + timedelta(minutes=minutes)


def file(start: float, end: float, damaged: str = "") -> Segment:
    return Segment(1, "main", "x.mp4", at(start), at(end), damaged=damaged)


def minutes(stretches) -> list[tuple[float, float]]:
    parts = ([(each - DAY.start).total_seconds() for each in pair] for pair in stretches)
    return [(round(start / 60, 3), round(end / 60, 3)) for start, end in parts]


def test_files_within_two_seconds_are_one_stretch_and_the_rest_is_missing_up_to_now():
    files = [file(10, 15.02), file(-5, 5), file(5.02, 10), file(60, 61, damaged="no header")]
    line = day_line(DAY, UTC, files, NOON)
    assert minutes(line.present) == [(0, 15.02)]
    assert minutes(line.missing) == [(15.02, 720)]
    assert line.recorded_seconds == pytest.approx(15.02 * 60)


def test_what_was_recorded_just_now_is_not_missing_before_the_index_has_it():
    just_now, earlier = (day_line(DAY, UTC, [file(0, end)], NOON) for end in (719.6, 719.4))
    assert just_now.missing == ()
    assert minutes(earlier.missing) == [(719.4, 720)]


def test_a_day_to_come_has_neither():
    line = day_line(DAY, UTC, [], DAY.start - timedelta(hours=1))
    assert (line.present, line.missing) == ((), ())


@pytest.mark.parametrize(
    ("day", "zone", "count"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 10, 4), "Australia/Lord_Howe", 23),  # there is no 02:00, but 02:30
        (date(2026, 9, 6), "America/Santiago", 23),  # there is no midnight
        (date(2026, 7, 1), "Asia/Kolkata", 24),
    ],
)
def test_each_hour_of_a_day_has_its_own_moment(day, zone, count):
    bounds, zone = day_of(day, ZoneInfo(zone)), ZoneInfo(zone)
    marks = hour_marks(bounds, zone)
    assert len(marks) == count
    assert len({mark.at for mark in marks}) == count
    assert all(bounds.start <= mark.at < bounds.end for mark in marks)
    for mark in marks:
        assert f"{mark.at.astimezone(zone):%H:%M}" == mark.name
        assert mark.at.astimezone(zone).date() == day


def test_days_follow_each_other_without_a_hole():
    zone, day = ZoneInfo("America/Santiago"), date(2026, 1, 1)
    for _ in range(366):
        following = day + timedelta(days=1)
        assert day_of(day, zone).end == day_of(following, zone).start
        day = following


def test_a_gap_is_told_in_parts_by_its_causes():
    missing = [Stretch(at(0), at(60))]
    causes = [(Stretch(at(20), at(30)), "Camera off"), (Stretch(at(-10), at(10)), "Disk")]
    parts = explained(missing, causes, "Unknown")
    assert [(*minutes([stretch])[0], cause) for stretch, cause in parts] == [
        (0, 10, "Disk"),
        (10, 20, "Unknown"),
        (20, 30, "Camera off"),
        (30, 60, "Unknown"),
    ]


def test_the_newest_seconds_of_a_gap_have_the_cause_before_them():
    parts = explained([Stretch(at(0), at(10))], [(Stretch(at(0), at(9.75)), "Camera off")], "?")
    assert [(*minutes([stretch])[0], cause) for stretch, cause in parts] == [(0, 10, "Camera off")]
