"""The registry of schedules on both databases, its checks and undo, and what is due of it."""

from collections.abc import Callable
from cProfile import Profile
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from fleet.model import Device, Fleet, Invalid, NotFound, Refused
from store.sql import migrate
from tests.home import Clock, until
from video import plan_rows
from video import schedules as registry
from video.due import AUTO_NAME, Due, Overlaps, due_now, next_change_of
from video.due_watch import DueWatch
from video.schedule import CONTINUOUS, DAILY, DAYS, ONE_TIME, WEEKLY, Schedule
from video.schedule_check import checked, unused
from video.schedules import Schedules

NIGHTS = Schedule(
    0, "Nights", WEEKLY, (3, 1), "Europe/Berlin", time(18), time(6), DAYS[:5], quality="low"
)


@pytest.fixture
def schedules(engine: Engine, clock: Clock) -> Schedules:
    return opened(engine, clock)


def opened(engine: Engine, clock: Clock) -> Schedules:
    migrate(engine)
    every = Schedules(engine, clock)
    every.open()
    return every


def device(number: int, **values: Any) -> Device:
    return Device(id=number, kind="camera", site="here", identities=(f"mac:{number}",), **values)


def fleet_of(*devices: Device, **more: Any) -> Fleet:
    return Fleet(devices={each.id: each for each in devices}, **more)


def refused(change: Callable[[], object]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        change()
    assert caught.value.hint
    return caught.value


# -- kept ------------------------------------------------------------------------------------


def test_schedules_are_the_same_after_a_restart(
    schedules: Schedules, engine: Engine, clock: Clock
) -> None:
    nights = schedules.add(NIGHTS, "ann")
    once = replace(NIGHTS, kind=ONE_TIME, start_date=date(2026, 3, 2), end_date=date(2026, 3, 4))
    schedules.add(once, "ann")
    schedules.add(Schedule(0, "Always", CONTINUOUS, (2,), "UTC"), "ben")
    clock.forward(minutes=1)
    schedules.change(nights.id, lambda now: replace(now, start_time=time(19, 30)))
    assert opened(engine, clock).listed() == schedules.listed()
    kept = opened(engine, clock).find(nights.id)
    assert kept.previous == replace(NIGHTS, id=nights.id)
    assert kept.changed_at - kept.created_at == timedelta(minutes=1)
    assert (kept.by, kept.revision) == ("ann", 2)


def test_each_change_is_undone_by_its_number(schedules: Schedules) -> None:
    added = schedules.add(NIGHTS, "ann")
    off = schedules.set_active(added.id, False)
    assert schedules.undo(off.id, off.revision).schedule.is_active
    deleted = schedules.delete(added.id)
    with pytest.raises(NotFound):
        schedules.find(added.id)
    restored = schedules.undo(deleted.id, deleted.revision)
    assert restored.schedule == added.schedule
    assert schedules.schedules() == [added.schedule]
    new = schedules.add(NIGHTS, "ann")
    schedules.undo(new.id, new.revision)
    assert [stored.id for stored in schedules.listed()] == [added.id]


def test_what_a_schedule_said_is_kept_with_its_time(
    schedules: Schedules, engine: Engine, clock: Clock
) -> None:
    start = clock.now
    added = schedules.add(NIGHTS, "ann")
    clock.forward(hours=1)
    schedules.set_active(added.id, False)
    clock.forward(hours=1)
    deleted = schedules.delete(added.id)
    clock.forward(hours=1)
    schedules.undo(deleted.id, deleted.revision)
    clock.forward(hours=1)
    schedules.forget_devices(NIGHTS.devices)
    kept = [
        (plan.schedule.is_active, *((at - start).total_seconds() / 3600 for at in plan.valid))
        for plan in plan_rows.plans(engine, start, start + timedelta(hours=9))
    ]
    assert kept == [(True, 0, 1), (False, 1, 2), (False, 3, 4)]


def test_an_undo_does_not_take_back_what_another_person_changed(schedules: Schedules) -> None:
    added = schedules.add(NIGHTS, "ann")
    mine = schedules.set_active(added.id, False)
    schedules.change(added.id, lambda now: replace(now, name="Other name"))
    with pytest.raises(Refused, match="changed since"):
        schedules.undo(mine.id, mine.revision)
    assert schedules.find(added.id).schedule.name == "Other name"


def test_what_changes_nothing_leaves_no_trace(schedules: Schedules) -> None:
    added = schedules.add(NIGHTS, "ann")
    assert schedules.set_active(added.id, True) == added


def test_a_deleted_schedule_is_removed_for_good_after_a_month(
    schedules: Schedules, engine: Engine, clock: Clock
) -> None:
    added = schedules.add(NIGHTS, "ann")
    deleted = schedules.delete(added.id)
    clock.forward(days=29)
    assert schedules.forget() == ""
    clock.forward(days=2)
    assert schedules.forget() == "1 schedule"
    with pytest.raises(NotFound):
        schedules.undo(deleted.id, deleted.revision)
    assert schedules.add(NIGHTS, "ann").id > added.id  # no number is given twice


def test_deleted_devices_drop_out(schedules: Schedules, engine: Engine, clock: Clock) -> None:
    both, alone = (schedules.add(replace(NIGHTS, devices=ids), "ann") for ids in ((1, 3), (3,)))
    schedules.forget_devices([3])
    assert schedules.find(both.id).schedule.devices == (1,)
    with pytest.raises(NotFound):
        schedules.find(alone.id)
    assert opened(engine, clock).listed() == schedules.listed()


def test_there_is_an_end_to_their_number(
    schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_SCHEDULES", 1)
    added = schedules.add(NIGHTS, "ann")
    with pytest.raises(Refused, match="already"):
        schedules.add(NIGHTS, "ann")
    schedules.delete(added.id)
    schedules.add(NIGHTS, "ann")


# -- checked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " \t"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"kind": "hourly"}, "schedule_type"),
        ({"devices": ()}, "camera"),
        ({"devices": tuple(range(1001))}, "cameras"),
        ({"zone": "Mars/Base"}, "timezone"),
        ({"zone": "../etc/passwd"}, "timezone"),
        ({"start_time": None}, "start_time"),
        ({"end_time": None}, "end_time"),
        ({"days": ()}, "days_of_week"),
        ({"days": ("monday", "mond")}, "days_of_week"),
        ({"quality": "best"}, "record_quality"),
        ({"start_date": date(2026, 5, 2), "end_date": date(2026, 5, 1)}, "end_date"),
        ({"start_date": date(9999, 12, 31)}, "start_date"),
        ({"end_date": date(1, 1, 1)}, "end_date"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    values: dict[str, Any], field: str, clock: Clock
) -> None:
    assert refused(lambda: checked(replace(NIGHTS, **values), clock())).field == field


def test_an_invalid_schedule_is_not_kept(schedules: Schedules) -> None:
    refused(lambda: schedules.add(replace(NIGHTS, days=()), "ann"))
    added = schedules.add(NIGHTS, "ann")
    refused(lambda: schedules.change(added.id, lambda now: replace(now, devices=())))
    assert schedules.listed() == [added]


def test_one_time_ends_later_than_it_begins(clock: Clock) -> None:
    once = replace(NIGHTS, kind=ONE_TIME, start_date=date(2026, 3, 29), end_date=date(2026, 3, 29))
    assert refused(lambda: checked(once, clock())).field == "end_time"
    skipped = replace(once, start_time=time(2, 10), end_time=time(2, 50))
    assert "clocks skip" in refused(lambda: checked(skipped, clock())).error


def test_one_time_without_a_date_is_for_the_next_time() -> None:
    now = datetime(2026, 3, 2, 20, tzinfo=ZoneInfo("Europe/Berlin"))

    def dates(start: time, end: time) -> tuple[date | None, date | None]:
        schedule = checked(replace(NIGHTS, kind=ONE_TIME, start_time=start, end_time=end), now)
        return schedule.start_date, schedule.end_date

    monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)
    assert dates(time(21), time(22)) == (monday, monday)
    assert dates(time(19), time(21)) == (monday, monday)
    assert dates(time(18), time(19)) == (tuesday, tuesday)
    assert dates(time(18), time(6)) == (monday, tuesday)


def test_what_a_kind_does_not_use_is_not_kept(clock: Clock) -> None:
    given = replace(NIGHTS, kind=CONTINUOUS)
    assert len(unused(given)) == 2
    kept = checked(given, clock())
    assert (kept.start_time, kept.end_time, kept.days) == (None, None, ())
    assert unused(NIGHTS) == []


# -- due -------------------------------------------------------------------------------------


def test_due_is_what_schedules_and_devices_ask_for() -> None:
    at = datetime(2026, 3, 2, 20, tzinfo=ZoneInfo("Europe/Berlin"))
    nights = replace(NIGHTS, id=7, devices=(1, 2, 3, 4, 5))
    always = Schedule(8, "Gate", CONTINUOUS, (1,), "UTC")
    off = replace(always, id=9, is_active=False)
    fleet = fleet_of(
        device(1, recording={"auto_record": True, "record_quality": "medium"}),
        device(2, retired_at=at, recording={"auto_record": True}),
        device(6),
        redirects={3: 6, 4: 6},
    )
    assert due_now([nights, always, off], fleet, at) == {
        Due(1, 7, "Nights", "low"),
        Due(6, 7, "Nights", "low"),
        Due(1, 8, "Gate", "medium"),
        Due(1, None, AUTO_NAME, "medium"),
    }
    morning = at + timedelta(hours=12)
    assert {due.schedule_id for due in due_now([nights, always, off], fleet, morning)} == {8, None}
    assert next_change_of([nights, always, off], at) == at + timedelta(hours=10)


def test_schedules_overlap_that_record_a_device_at_the_same_time(clock: Clock) -> None:
    nights = replace(NIGHTS, id=1)
    evening = Schedule(2, "", DAILY, (1,), "Europe/Berlin", time(17), time(18, 1))
    ends_before = replace(evening, id=3, end_time=time(18))
    elsewhere = replace(evening, id=4, devices=(2,))
    off = replace(evening, id=5, is_active=False)
    others = (nights, evening, ends_before, elsewhere, off)
    assert Overlaps(clock()).of(nights, others) == (evening,)


def test_the_times_of_a_schedule_are_worked_out_once_for_all(clock: Clock) -> None:
    """120 schedules of one camera once took five seconds, and a thousand six minutes."""
    schedules = [replace(NIGHTS, id=number) for number in range(40)]
    overlaps, profile = Overlaps(clock()), Profile()
    sharing = [profile.runcall(overlaps.of, schedule, schedules) for schedule in schedules]
    assert {len(others) for others in sharing} == {39}
    calls = {
        entry.code.co_name: entry.callcount
        for entry in profile.getstats()
        if hasattr(entry.code, "co_name")
    }
    assert calls["occurrences"] == 40


def test_nothing_changes_hands_at_a_clock_change(clock: Clock) -> None:
    """All recorders once restarted at 02:00 because the time of day jumped."""
    every = [
        Schedule(1, "A", CONTINUOUS, (1,), "Europe/Berlin"),
        Schedule(2, "B", DAILY, (1,), "Europe/Berlin", time(), time()),
        Schedule(3, "C", DAILY, (1,), "Europe/Berlin", time(1), time(5)),
    ]
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        handed: list[frozenset[Due]] = []
        watch = DueWatch(lambda: every, lambda: fleet_of(device(1)), clock, handed.append)
        clock.now = datetime.combine(day, time(1, 30), tzinfo=ZoneInfo("Europe/Berlin"))
        end = datetime.combine(day, time(4, 30), tzinfo=ZoneInfo("Europe/Berlin"))
        while clock.now.timestamp() < end.timestamp():
            watch.look()
            clock.now = clock.now.astimezone(UTC) + timedelta(seconds=17)
        assert handed == [{Due(1, n, name, "high") for n, name in ((1, "A"), (2, "B"), (3, "C"))}]


def test_it_waits_until_the_next_change_and_looks_again_soon(clock: Clock) -> None:
    clock.now = datetime(2026, 3, 2, 17, 59, 58, tzinfo=ZoneInfo("Europe/Berlin"))
    handed: list[frozenset[Due]] = []
    nights = replace(NIGHTS, id=1)
    watch = DueWatch(lambda: [nights], lambda: fleet_of(device(1)), clock, handed.append)
    assert watch.look() == 2
    clock.forward(seconds=2)
    assert watch.look() == 5
    clock.forward(hours=-3)  # the wall clock was set back
    assert watch.look() == 5
    assert [len(due) for due in handed] == [0, 1, 0]


def test_its_thread_hands_over_a_change_at_once_and_survives_an_error(clock: Clock) -> None:
    every: list[Schedule] = []
    handed, failed = list[frozenset[Due]](), Event()

    def set_due(due: frozenset[Due]) -> None:
        if due and not failed.is_set():
            failed.set()
            raise RuntimeError("the recorder broke")
        handed.append(due)

    watch = DueWatch(lambda: every, lambda: fleet_of(device(1)), clock, set_due)
    watch.start()
    try:
        until(lambda: handed == [frozenset()])
        every.append(Schedule(1, "A", CONTINUOUS, (1,), "UTC"))
        watch.wake()
        assert failed.wait(10)
        watch.wake()
        until(lambda: handed[1:] == [{Due(1, 1, "A", "high")}])
    finally:
        watch.stop()
