"""All cameras at the same hour: what each shows, in a few questions to the database."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, event

from stills import still_rows
from stills.hours import MISSED, NONE, TAKEN
from stills.model import HOUR, Missed, Still
from tests.stills.studio import NOON, Studio

DAY, TEN = date(2026, 11, 28), 10
CAMERAS = range(1, 201)


def add(engine: Engine, device: int, minutes: int, *, is_due: bool = True) -> Still:
    """A still of so many minutes after ten o'clock in Berlin."""
    at = NOON - timedelta(hours=3) + timedelta(minutes=minutes)
    slot = at if is_due else None
    name = f"{device}-{minutes}.jpg"
    still = Still(0, device, at, True, "stream", 64, 48, 9, name, HOUR, slot)
    still_rows.add(engine, still)
    return still


def fill(engine: Engine) -> None:
    """A third of the cameras have a still, a third a reason, a third nothing."""
    for number in CAMERAS:
        if number % 3 == 0:
            add(engine, number, 5)
            add(engine, number, 2, is_due=False)
            add(engine, number, 70)
        elif number % 3 == 1:
            still_rows.miss(engine, [Missed(number, NOON - timedelta(hours=3), f"dark {number}")])


def count_queries(engine: Engine) -> list[str]:
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    return asked


def test_an_hour_of_200_cameras_is_asked_for_at_once(studio: Studio) -> None:
    fill(studio.engine)
    asked = count_queries(studio.engine)
    hours = studio.shelf.hour_of_each(CAMERAS, DAY, TEN)
    assert len(asked) == 3
    assert {hours[number].state for number in CAMERAS if number % 3 == 0} == {TAKEN}
    assert {hours[number].state for number in CAMERAS if number % 3 == 1} == {MISSED}
    assert {hours[number].state for number in CAMERAS if number % 3 == 2} == {NONE}
    assert hours[4].reason == "dark 4"
    assert [still.taken_at.minute for still in hours[3].stills] == [2, 5]
    asked.clear()
    assert {number: studio.shelf.hours(number, DAY)[TEN] for number in CAMERAS} == hours
    assert len(asked) == 3 * 200


def test_an_hour_of_a_merged_camera_has_the_stills_of_both(studio: Studio) -> None:
    later, earlier = add(studio.engine, 1, 30), add(studio.engine, 2, 10)
    studio.story.fleet = replace(studio.story.fleet, redirects={2: 1})
    hour = studio.shelf.hour_of_each([1, 3], DAY, TEN)[1]
    assert [still.name for still in hour.stills] == [earlier.name, later.name]
    assert hour == studio.shelf.hours(1, DAY)[TEN]


def test_the_first_day_is_the_first_with_a_still_or_a_missed_one(studio: Studio) -> None:
    assert studio.shelf.first_day(1) is None
    add(studio.engine, 1, -24 * 60, is_due=False)
    assert studio.shelf.first_day(1) == date(2026, 11, 27)
    still_rows.miss(studio.engine, [Missed(1, NOON - timedelta(days=5), "dark")])
    assert studio.shelf.first_day(1) == date(2026, 11, 23)
    add(studio.engine, 1, -56 * 365 * 24 * 60)
    assert studio.shelf.first_day(1) == date(2026, 11, 23)


def test_a_day_of_23_hours_has_no_hour_more(studio: Studio) -> None:
    studio.shelf.hour_of_each([1], date(2026, 3, 29), 22)
    with pytest.raises(IndexError):
        studio.shelf.hour_of_each([1], date(2026, 3, 29), 23)
