"""Daily uptime of a device: a day without a check is unknown, never good."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from fleet.history.uptime import DAYS, Uptime, UptimeRollup, uptime, window
from fleet.model import Device, Event, SourceState
from simulators.panasonic import Camera
from tests.home import Clock, Home
from web.pages.uptime_bars import bar

Make = Callable[..., Home]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOON.date()
SCOPE = "panasonic:eth0"


def device(first_seen: datetime, status: str = "ACTIVE") -> Device:
    words = {"panasonic": SourceState(seen_at=first_seen, scope=SCOPE)}
    return Device(
        1,
        "camera",
        "here",
        ("mac:d4:2d:c5:00:00:01",),
        first_seen=first_seen,
        status=status,
        states=words,
    )


def event(at: datetime, kind: str, before: str = "") -> Event:
    return Event(1, at, kind, 1, kind, {"status": before} if before else {})


def asked_on(*back: int, scope: str = SCOPE) -> dict[date, set[str]]:
    return {TODAY - timedelta(days=days_ago): {scope} for days_ago in back}


def judged(device: Device, events: list[Event], asked: dict[date, set[str]]) -> Uptime:
    return rolled(device, events, asked, NOON, UTC)


def rolled(
    device: Device,
    events: list[Event],
    asked: dict[date, set[str]],
    now: datetime,
    zone: tzinfo | None,
) -> Uptime:
    rollup = UptimeRollup(device.id, zone=zone)
    for event in events:
        rollup.add(event)
    return uptime(device, list(rollup.days.values()), asked, window(now, zone))


def test_a_day_on_which_it_was_asked_and_nothing_happened_is_whole() -> None:
    result = judged(device(NOON - timedelta(days=9)), [], asked_on(0, 1, 2))
    assert len(result.days) == DAYS
    assert result.days[-3:] == (1, 1, 1)
    assert result.share == 1


def test_a_day_on_which_nobody_asked_is_unknown_though_it_was_active_before_and_after() -> None:
    result = judged(device(NOON - timedelta(days=9)), [], asked_on(0, 2))
    assert result.days[-3:] == (1, None, 1)
    assert result.days[: DAYS - 10] == (None,) * (DAYS - 10)


def test_only_asking_where_it_was_heard_counts() -> None:
    result = judged(device(NOON - timedelta(days=9)), [], asked_on(0, scope="panasonic:eth1"))
    assert set(result.days) == {None}
    assert result.share is None


def test_a_day_is_divided_by_what_was_told_on_it() -> None:
    midnight = NOON - timedelta(days=1, hours=12)
    events = [
        event(midnight + timedelta(hours=6), "device.offline", "ACTIVE"),
        event(midnight + timedelta(hours=12), "device.back", "OFFLINE"),
    ]
    result = judged(device(NOON - timedelta(days=9)), events, asked_on(0, 1))
    assert result.days[-2:] == (0.75, 1)
    assert result.share == (18 + 12) / 36


def test_a_device_that_went_before_the_first_event_is_down_until_it_is_back() -> None:
    events = [event(NOON - timedelta(hours=6), "device.back", "MISSING")]
    result = judged(device(NOON - timedelta(days=200)), events, asked_on(0, 1))
    assert result.days[-2:] == (0, 0.5)


def test_while_it_was_retired_nothing_is_known() -> None:
    events = [
        event(NOON - timedelta(days=3, hours=12), "device.retired"),
        event(NOON - timedelta(days=1, hours=12), "device.restored"),
    ]
    result = judged(device(NOON - timedelta(days=9)), events, asked_on(0, 1, 2, 3, 4))
    assert result.days[-5:] == (1, None, None, 1, 1)


def test_a_bar_says_by_height_and_in_words_what_it_says_by_colour() -> None:
    days = (None,) * 86 + (1.0, 0.9996, 0.5, 0.0)
    drawn = bar(Uptime(TODAY, days, 0.6249))
    assert set(drawn.paths) == {"unknown", "up", "part", "down"}
    assert drawn.paths["up"] == "M86 0h2v12h-2z"
    assert drawn.label == (
        "Online 62.4 % of the monitored time in the last 90 days, outages on 2 days, no data "
        "for 86 days"
    )


def test_the_journal_remembers_which_scopes_were_asked_on_which_day(
    make_home: Make, clock: Clock
) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    clock.forward(days=2)
    home.scan()
    home.network.cameras[0].on = False
    clock.forward(hours=1)
    home.scan()
    home.events()
    days = home.client.get("/api/camera/1/uptime").json["days"]
    assert len(days) == DAYS
    assert days[-3] == 1
    assert days[-2] is None
    assert 0 < days[-1] <= 1
    home.monitor.journal.forget(clock() + timedelta(days=1))
    assert home.events() == []
    assert home.client.get("/api/camera/1/uptime").json["days"] == days, "days outlive events"
    home.monitor.journal.forget(clock() + timedelta(days=DAYS + 3))
    days = home.client.get("/api/camera/1/uptime").json["days"]
    assert set(days[:-1]) == {None}, "of what is older, only how it stood at last is kept"


# -- days whose midnight does not exist --------------------------------------------------------

SKIPPED = {
    "Africa/Cairo": date(2026, 4, 24),
    "America/Santiago": date(2026, 9, 6),
    "Asia/Beirut": date(2026, 3, 29),
    "America/Havana": date(2026, 3, 8),
}


@pytest.mark.parametrize("is_machine", [True, False], ids=["the machine's zone", "a given zone"])
@pytest.mark.parametrize("name", SKIPPED)
def test_where_the_clock_skips_midnight_a_day_has_24_hours_and_the_next_has_23(
    name: str, is_machine: bool, machine_in: Callable[[str], None]
) -> None:
    machine_in(name)
    skipped = SKIPPED[name]
    zone = None if is_machine else ZoneInfo(name)
    first = datetime(skipped.year, skipped.month, skipped.day, 1, tzinfo=ZoneInfo(name))
    begins = first.astimezone(UTC)
    events = [
        event(begins - timedelta(hours=3), "device.offline", "ACTIVE"),
        event(begins - timedelta(minutes=30), "device.back", "OFFLINE"),
        event(begins + timedelta(hours=11.5), "device.offline", "ACTIVE"),
    ]
    now = begins + timedelta(days=1, hours=12)
    seen = device(begins - timedelta(days=9), "OFFLINE")
    result = rolled(seen, events, {}, now, zone)
    assert result.days[-3:-1] == (21.5 / 24, 11.5 / 23)
