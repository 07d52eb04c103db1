"""Expected hours: which moments they hold, over midnight and at both changes of the clock."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from picture_health.expected_hours import ExpectedHours, expected_until

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = (0, 1, 2, 3, 4, 5, 6)
MONDAY, SUNDAY = (0,), (6,)


def hours(days: tuple[int, ...], starts: str, ends: str) -> ExpectedHours:
    return ExpectedHours(days, time.fromisoformat(starts), time.fromisoformat(ends))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = hours(DAILY, "22:00", "06:00")
CHANGE = hours(DAILY, "02:15", "02:45")


@pytest.mark.parametrize(
    ("given", "now", "until"),
    [
        # Berlin is two hours ahead in summer; 22 June 2026 is a Monday.
        ([NIGHT], "2026-06-22 19:59", None),
        ([NIGHT], "2026-06-22 20:00", "2026-06-23 04:00"),
        ([NIGHT], "2026-06-22 22:30", "2026-06-23 04:00"),
        ([NIGHT], "2026-06-23 03:59", "2026-06-23 04:00"),
        ([NIGHT], "2026-06-23 04:00", None),
        # Hours belong to the day on which they begin.
        ([hours(MONDAY, "22:00", "06:00")], "2026-06-23 01:00", "2026-06-23 04:00"),
        ([hours(MONDAY, "22:00", "06:00")], "2026-06-22 01:00", None),
        ([hours(SUNDAY, "22:00", "06:00")], "2026-06-22 01:00", "2026-06-22 04:00"),
        # The same start and end are 24 hours.
        ([hours(MONDAY, "08:00", "08:00")], "2026-06-23 05:59", "2026-06-23 06:00"),
        # Hours that touch or overlap are one.
        ([NIGHT, hours(DAILY, "05:00", "07:00")], "2026-06-23 03:59", "2026-06-23 05:00"),
        ([NIGHT, hours((1,), "06:00", "12:00")], "2026-06-23 01:00", "2026-06-23 10:00"),
        ([], "2026-06-22 21:00", None),
        # The night in which the clock skips 02:00 to 03:00: 29 March 2026, a Sunday.
        ([NIGHT], "2026-03-29 03:59", "2026-03-29 04:00"),
        ([NIGHT], "2026-03-29 04:00", None),
        ([CHANGE], "2026-03-29 00:59", None),
        ([CHANGE], "2026-03-29 01:00", None),
        ([CHANGE], "2026-03-29 01:30", None),
        ([hours(DAILY, "02:30", "04:00")], "2026-03-29 01:00", "2026-03-29 02:00"),
        # The night in which it shows 02:00 to 03:00 twice: 25 October 2026.
        ([NIGHT], "2026-10-25 04:59", "2026-10-25 05:00"),
        ([CHANGE], "2026-10-25 00:14", None),
        ([CHANGE], "2026-10-25 00:15", "2026-10-25 01:45"),
        ([CHANGE], "2026-10-25 00:50", "2026-10-25 01:45"),
        ([CHANGE], "2026-10-25 01:44", "2026-10-25 01:45"),
        ([CHANGE], "2026-10-25 01:45", None),
    ],
)
def test_a_moment_is_in_the_hours_of_the_clock_on_the_wall(
    given: list[ExpectedHours], now: str, until: str | None
) -> None:
    assert expected_until(given, utc(now), BERLIN) == (until and utc(until))


def test_hours_of_every_day_without_a_break_end_in_more_than_a_week_at_most() -> None:
    now = utc("2026-06-22 12:00")
    until = expected_until([hours(DAILY, "00:00", "00:00")], now, BERLIN)
    assert until
    assert 5 < (until - now).days < 9
