"""When streams had no picture and why, and when this server ran, also after it was killed."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from store.sql import Unreachable
from video import outage_rows
from video.model import ENDED, NO_PICTURE, OPENING, PLAYING, RETRYING, StreamKey, StreamState
from video.outage_log import MOST_WAITING, OutageLog
from video.outages import CUT, DISK, EVERYTHING, OFF, REFUSED, RESTARTED, RUNNING, SERVER, Outage
from video.outages import NO_PICTURE as CAUSE_NO_PICTURE

KEY = StreamKey(3)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Story:
    """An outage log whose clocks are set by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.minutes = 0.0
        self.start()

    def start(self) -> None:
        self.log = OutageLog(self.engine, self.now, lambda: self.minutes * 60)
        self.log.begin()
        self.log.flush()

    def now(self) -> datetime:
        return NOON + timedelta(minutes=self.minutes)

    def goes(self, minutes: float, activity: str, reason: str = "", cause: str = OFF) -> None:
        self.minutes += minutes
        self.log.note(KEY, StreamState(activity, self.now(), reason, cause=cause))

    def rows(self) -> list[tuple[int, float, float | None, str]]:
        self.log.flush()
        known = outage_rows.between(self.engine, [3], NOON, NOON + timedelta(days=9))
        return [
            (
                each.device,
                (each.began - NOON).total_seconds() / 60,
                each.ended and (each.ended - NOON).total_seconds() / 60,
                each.cause,
            )
            for each in known
            if each.cause != RUNNING
        ]


@pytest.fixture
def story(sqlite_engine: Engine) -> Story:
    return Story(sqlite_engine)


def test_an_outage_lasts_until_the_picture_is_back(engine: Engine) -> None:
    story = Story(engine)
    story.goes(1, PLAYING)
    story.goes(1, RETRYING, "no response within 10 s")
    story.goes(1, OPENING)
    story.goes(1, RETRYING, "no response within 10 s")
    assert story.rows() == [(3, 2, None, OFF)]
    story.goes(6, PLAYING)
    assert story.rows() == [(3, 2, 10, OFF)]
    assert story.rows() == [(3, 2, 10, OFF)]


def test_a_camera_that_restarts_is_told_from_one_that_is_off(story: Story) -> None:
    story.goes(1, RETRYING, "the device closed the connection", CUT)
    story.goes(0.1, RETRYING, "no response within 10 s")
    story.goes(0.9, PLAYING)
    assert story.rows() == [(3, 1, 2, RESTARTED)]


def test_the_cause_is_that_of_the_state_whatever_its_reason_says(story: Story) -> None:
    story.goes(1, RETRYING, "no response from the path of the login server", SERVER)
    story.goes(1, RETRYING, "connection refused", REFUSED)
    story.goes(1, PLAYING)
    assert story.rows() == [(3, 1, 2, SERVER), (3, 2, 3, REFUSED)]


def test_another_cause_begins_another_outage(story: Story) -> None:
    story.goes(1, RETRYING, "no response")
    story.goes(4, NO_PICTURE, "no picture")
    story.goes(2, ENDED)
    assert story.rows() == [(3, 1, 5, OFF), (3, 5, 7, CAUSE_NO_PICTURE)]


def test_a_disk_that_takes_nothing_concerns_all(story: Story) -> None:
    story.minutes = 3
    story.log.note_disk("/media/recordings does not exist.")
    story.minutes = 4
    story.log.note_disk("/media/recordings does not exist.")
    assert story.rows() == [(EVERYTHING, 3, None, DISK)]
    story.log.note_disk("")
    assert story.rows() == [(EVERYTHING, 3, 4, DISK)]


def test_what_lasted_when_the_server_was_killed_ends_with_its_last_sign_of_life(
    story: Story,
) -> None:
    story.goes(1, RETRYING, "no response")
    story.rows()
    story.minutes = 30
    story.start()
    assert story.rows() == [(3, 1, 1, OFF)]
    story.minutes = 31
    story.log.flush()
    runs = [
        each
        for each in outage_rows.between(story.engine, [], NOON - timedelta(1), NOON + timedelta(1))
        if each.cause == RUNNING
    ]
    assert [(each.began, each.ended) for each in runs] == [
        (NOON, NOON + timedelta(minutes=1)),
        (NOON + timedelta(minutes=30), NOON + timedelta(minutes=31)),
    ]


def test_an_outage_that_began_after_the_last_sign_of_life_ends_when_it_began(
    engine: Engine,
) -> None:
    story = Story(engine)
    story.goes(0.2, RETRYING, "no response")
    assert story.rows() == [(3, 0.2, None, OFF)]
    story.minutes = 30
    story.start()
    assert story.rows() == [(3, 0.2, 0.2, OFF)]


def test_an_outage_of_the_database_loses_nothing(story: Story) -> None:
    with story.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outages RENAME TO away")
    story.goes(1, RETRYING, "no response")
    with pytest.raises(Unreachable):
        story.log.flush()
    story.goes(6, PLAYING)
    with story.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO outages")
    assert story.rows() == [(3, 1, 7, OFF)]


def test_outages_that_begin_while_one_is_written_end_no_job(story: Story) -> None:
    def begin_others(*_statement: object) -> None:
        for device in range(10, 11 + MOST_WAITING):
            state = StreamState(RETRYING, story.now(), "no response", cause=OFF)
            story.log.note(StreamKey(device), state)

    story.goes(1, RETRYING, "no response")
    event.listen(story.engine, "before_cursor_execute", begin_others, once=True)
    assert story.rows() == [(3, 1, None, OFF)]
    story.log.flush()
    written = outage_rows.between(story.engine, [11], NOON, NOON + timedelta(days=9))
    assert [outage.device for outage in written if outage.cause == OFF] == [11]


def test_old_outages_are_deleted(story: Story) -> None:
    id = outage_rows.add(story.engine, Outage(3, "main", NOON, NOON, OFF, "x\x00y" * 200))
    assert id
    assert outage_rows.forget(story.engine, NOON) == 0
    assert outage_rows.forget(story.engine, NOON + timedelta(seconds=1)) == 2
