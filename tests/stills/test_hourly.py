"""Stills by the hour: each once, missed ones with the reason, whatever the clock does."""

from datetime import date, timedelta

import pytest

from fleet.pictures import NotTaken
from stills import still_rows
from stills.hourly import OFFLINE
from stills.hours import MISSED, NOT_RUNNING, TAKEN
from stills.taking import STREAM
from tests.stills.studio import NOON, Studio, jpeg

ONE_HOUR = timedelta(hours=1)
TODAY = date(2026, 11, 28)


def reasons(studio: Studio, device: int = 1) -> list[str]:
    return [each.reason for each in studio.shelf.hours(device, TODAY) if each.state == MISSED]


def run_for(studio: Studio, hours: float) -> None:
    """Let the job run every five minutes."""
    for _number in range(int(hours * 12)):
        studio.hourly.run()
        studio.forward(minutes=5)


def test_each_hour_has_one_still(studio: Studio) -> None:
    studio.answers[STREAM, 2] = jpeg()
    run_for(studio, 3)
    assert studio.slots(1) == studio.slots(2) == [NOON + n * ONE_HOUR for n in range(3)]
    assert studio.slots(3) == []
    assert [each.state for each in studio.shelf.hours(1, TODAY)][13:16] == [TAKEN] * 3
    assert studio.shelf.days(1) == [TODAY]


def test_a_restart_takes_no_second_still(studio: Studio) -> None:
    run_for(studio, 0.5)
    studio.start()
    assert studio.hourly.run() == ""
    assert studio.slots() == [NOON]


def test_a_camera_has_an_interval_of_its_own(studio: Studio) -> None:
    studio.answers[STREAM, 2] = jpeg()
    studio.intervals.set(1, 900)
    studio.intervals.set(2, 0)
    studio.start()
    assert [studio.intervals.own(device) for device in (1, 2, 3)] == [900, 0, None]
    run_for(studio, 1)
    assert studio.slots(1) == [NOON + n * timedelta(minutes=15) for n in range(4)]
    assert studio.slots(2) == []
    studio.intervals.set(2, None)
    assert studio.intervals.of(2) == 3600


def test_one_that_fails_is_tried_again_within_its_hour(studio: Studio) -> None:
    studio.fail()
    run_for(studio, 1)
    assert studio.asked.count((STREAM, 1)) == 4
    assert reasons(studio) == ["It is dark."]
    studio.hourly.run()
    studio.forward(minutes=5)
    studio.hourly.run()
    studio.answers[STREAM, 1] = jpeg()
    run_for(studio, 0.5)
    assert studio.slots() == [NOON + ONE_HOUR]
    hours = studio.shelf.hours(1, TODAY)[13:15]
    assert [(each.state, each.reason) for each in hours] == [(MISSED, "It is dark."), (TAKEN, "")]


def test_a_daily_one_that_fails_is_tried_again_within_the_hour(studio: Studio) -> None:
    studio.intervals.set(1, 86_400)
    studio.fail()
    run_for(studio, 2)
    assert studio.asked.count((STREAM, 1)) == 2


def test_only_a_new_reason_is_written(studio: Studio) -> None:
    studio.fail()
    studio.forward(minutes=5)
    studio.hourly.run()
    still_rows.forget_missed(studio.engine, NOON + ONE_HOUR)
    run_for(studio, 0.5)
    assert reasons(studio) == [], "the same reason is not written again"
    studio.fail(reason="It is foggy.")
    run_for(studio, 0.4)
    assert still_rows.missed_between(studio.engine, [1], NOON, NOON + ONE_HOUR)[0].reason == (
        "It is foggy."
    )


def test_a_reason_is_kept_as_far_as_the_database_takes_it(studio: Studio) -> None:
    studio.fail(reason="\0" + "dark " * 100)
    studio.forward(minutes=5)
    studio.hourly.run()
    [missed] = still_rows.missed_between(studio.engine, [1], NOON, NOON + ONE_HOUR)
    assert missed.reason == ("dark " * 60)[:-1]


def test_one_run_takes_some_and_the_next_one_the_others(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stills.hourly.MOST", 1)
    studio.answers[STREAM, 2] = jpeg()
    studio.intervals.set(3, 0)
    studio.forward(minutes=10)
    assert [studio.hourly.run() for _run in range(3)] == ["1 still taken"] * 2 + [""]
    assert studio.slots(1) == studio.slots(2) == [NOON]


def test_once_the_program_ends_none_is_taken_and_none_is_missed(studio: Studio) -> None:
    def cut_off() -> NotTaken:
        studio.hourly.stop()
        return NotTaken("Camera Monitor is stopping.")

    studio.answers[STREAM, 1] = cut_off
    studio.forward(minutes=10)
    studio.hourly.run()
    assert studio.asked.count((STREAM, 1)) == 1
    studio.forward(hours=1)
    studio.hourly.run()
    assert studio.asked.count((STREAM, 1)) == 1
    assert still_rows.missed_between(studio.engine, [1], NOON, NOON + 2 * ONE_HOUR) == []


def test_an_offline_camera_is_not_asked(studio: Studio) -> None:
    studio.statuses[1] = "OFFLINE"
    run_for(studio, 1)
    assert (STREAM, 1) not in studio.asked
    assert reasons(studio) == [OFFLINE]


def test_a_device_without_a_picture_misses_nothing(studio: Studio) -> None:
    run_for(studio, 2)
    assert reasons(studio, 3) == []


def test_hours_in_which_the_program_was_off_are_missed(studio: Studio) -> None:
    run_for(studio, 1)
    studio.forward(hours=2)
    studio.start()
    run_for(studio, 1)
    assert studio.slots() == [NOON, NOON + 3 * ONE_HOUR]
    assert reasons(studio) == [NOT_RUNNING] * 2


def test_a_clock_set_back_an_hour_takes_none_twice_and_deletes_none(studio: Studio) -> None:
    run_for(studio, 2)
    studio.now -= ONE_HOUR
    run_for(studio, 2)
    studio.keeping.forget()
    slots = studio.slots()
    assert slots == [NOON, NOON + ONE_HOUR, NOON + 2 * ONE_HOUR]
    assert len(list((studio.folder / "stills" / "1").glob("*.jpg"))) == 3


def test_a_clock_set_forward_names_the_hours_that_never_were(studio: Studio) -> None:
    run_for(studio, 1)
    studio.now += 4 * ONE_HOUR
    run_for(studio, 1)
    assert studio.slots() == [NOON, NOON + 5 * ONE_HOUR]
    assert reasons(studio) == ["The clock of this server was set forward by 4 h."] * 4


def test_stills_from_before_the_clock_was_set_are_marked_and_kept(studio: Studio) -> None:
    old = studio.stills.take(1)
    studio.now -= timedelta(days=56 * 365)
    studio.start()
    run_for(studio, 2)
    studio.now = NOON + ONE_HOUR
    run_for(studio, 1)
    studio.keeping.forget()
    known = [
        still.clock_known
        for id in range(1, 5)
        if (still := still_rows.find(studio.engine, [1], id)) is not None
    ]
    assert known == [True, False, False, True]
    assert studio.shelf.find(1, old.id) == old
    assert studio.slots()[-1] == NOON + ONE_HOUR
    assert reasons(studio) == [], "no hour since 1970 is missed"


def test_a_clock_that_ran_ahead_marks_what_was_taken_meanwhile(studio: Studio) -> None:
    studio.now += timedelta(days=40)
    run_for(studio, 1)
    studio.now -= timedelta(days=40)
    run_for(studio, 1)
    first, second = (studio.shelf.find(1, id) for id in (1, 2))
    assert first
    assert second
    assert (first.clock_known, second.clock_known) == (False, True)
    assert studio.shelf.newest_of_all() == {1: second}


def test_a_newest_still_in_memory_is_marked_too(studio: Studio) -> None:
    studio.intervals.set(1, 0)
    studio.hourly.run()
    studio.stills.take(1)
    assert studio.shelf.newest_of_all()[1].clock_known
    studio.now += timedelta(days=40)
    studio.hourly.run()
    assert not studio.shelf.newest_of_all()[1].clock_known


def test_a_machine_that_slept_was_not_set(studio: Studio) -> None:
    run_for(studio, 1)
    studio.forward(hours=8)
    run_for(studio, 1)
    first = studio.shelf.find(1, 1)
    assert first
    assert first.clock_known
