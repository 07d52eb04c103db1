"""The clock of an ONVIF device, in every shape in which devices tell it."""

from datetime import UTC, datetime, timedelta

import pytest

from sources import onvif_clock, soap
from sources.onvif_clock import DeviceClock, fault_of, offset_of
from tests.sources.onvif_texts import clock, fault, message, moment

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = "2026-11-28"


def read(data: bytes) -> DeviceClock:
    return onvif_clock.read(soap.read(200, data).body)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (clock(moment("UTCDateTime", DAY, "12:00:00")), NOON),
        (clock(moment("UTCDateTime", DAY, "11:60:00")), NOON),
        (clock(moment("UTCDateTime", DAY, "00:719:60")), NOON),
        (clock(moment("UTCDateTime", "2026-11-27", "36:00:00")), NOON),
        (clock(moment("UTCDateTime", "2026-11-27", "24:00:00")), NOON - timedelta(hours=12)),
        (clock(moment("UTCDateTime", "1979-1-1", "0:0:0")), datetime(1979, 1, 1, tzinfo=UTC)),
        (clock(moment("LocalDateTime", DAY, "13:00:00"), zone="CET-1CEST"), NOON),
        (clock(moment("LocalDateTime", DAY, "12:00:00")), NOON),
        (clock(moment("LocalDateTime", DAY, "12:00:00"), zone="MoroccoStandardTime0"), NOON),
        (clock(moment("LocalDateTime", DAY, "12:00:00"), zone="Asia/Shanghai"), NOON),
        (clock("<tt:UTCDateTime>2026-11-28T12:00:00Z</tt:UTCDateTime>"), NOON),
        (clock("<tt:UTCDateTime>2026-11-28-12:00:00</tt:UTCDateTime>"), NOON),
        (clock("<tt:UTCDateTime>2026-11-28 11:59:60</tt:UTCDateTime>"), NOON),
        (clock("<tt:UTCDateTime>2026-11-28T00:61:16Z</tt:UTCDateTime>"),
         datetime(2026, 11, 28, 1, 1, 16, tzinfo=UTC)),
        (clock("<tt:UTCDateTime/>"), None),
        (clock(), None),
        (clock(moment("UTCDateTime", "2026-13-1", "0:0:0")), None),
        (clock(moment("UTCDateTime", "99999-1-1", "0:0:0")), None),
        (clock(moment("UTCDateTime", "9999-12-31", "999999:0:0")), None),
        (clock(moment("UTCDateTime", "0-0-0", "0:0:0")), None),
        (clock(moment("UTCDateTime", "x-y-z", "a:b:c")), None),
        (fault(), None),
        (message(""), None),
        (b"junk", None),
    ],
)  # fmt: skip
def test_the_best_of_the_times_is_used(data: bytes, expected: datetime | None) -> None:
    assert read(data).now == expected


@pytest.mark.parametrize(
    ("zone", "summer", "minutes"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", False, 60),
        ("CET-1CEST,M3.5.0,M10.5.0/3", True, 120),
        ("CST-8", True, 480),
        ("CST-8:00:00", False, 480),
        ("EST5EDT", False, -300),
        ("<+0330>-3:30", False, 210),
        ("UTC0", False, 0),
        ("MoroccoStandardTime0", False, 0),
        ("Asia/Shanghai", False, None),
        ("CET-99", False, None),
        ("", False, None),
    ],
)
def test_a_time_zone_is_read_where_it_is_posix(
    zone: str, summer: bool, minutes: int | None
) -> None:
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert offset_of(zone, is_summer=summer) == expected


def at(ahead: int, zone: str = "", local: int | None = None) -> DeviceClock:
    """A clock that is `ahead` seconds, with a local time that many seconds after its UTC."""
    utc = NOON + timedelta(seconds=ahead)
    its_local = None if local is None else utc + timedelta(seconds=local)
    return DeviceClock(utc, its_local, offset_of(zone), zone)


@pytest.mark.parametrize(
    ("device", "kind", "text"),
    [
        (at(0), "", ""),
        (at(59), "", ""),
        (at(-60), "", ""),
        (at(75), "clock.drift", "its clock is 75 s ahead"),
        (at(-300), "clock.drift", "its clock is 5 min behind"),
        (at(86_400 * 20), "clock.drift", "its clock is 20 d ahead"),
        (at(3600), "clock.zone", "time zone or summer time wrong by +1 h"),
        (at(3630), "clock.zone", "time zone or summer time wrong by +1 h"),
        (at(-19_800), "clock.zone", "time zone or summer time wrong by -5 h 30 min"),
        (at(900), "clock.zone", "time zone or summer time wrong by +15 min"),
        (at(3600, "CET-1CEST", 3600), "clock.zone", "time zone or summer time wrong by +1 h"),
        (at(3600, "CET-1CEST", 0), "clock.local", "it reports local time as UTC"),
        (at(3600, "CET-1CEST"), "clock.local", "it reports local time as UTC"),
        (at(7200, "CET-1CEST"), "clock.zone", "time zone or summer time wrong by +2 h"),
        (at(3800, "CET-1CEST", 0), "clock.drift", "its clock is 63 min ahead"),
        (DeviceClock(), "", ""),
    ],
)
def test_a_wrong_zone_is_told_apart_from_a_wrong_clock(
    device: DeviceClock, kind: str, text: str
) -> None:
    fault = fault_of(device, NOON)
    assert (fault.kind, fault.text) == (kind, text) if fault else not kind
