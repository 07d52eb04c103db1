"""What a source learned about reaching a device is kept, until the login or the place changes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet.database import record
from fleet.edit.editing import inverse
from fleet.last_worked import worked_at
from fleet.model import Access, Finding, Learned, Sighting
from fleet.reduce.learning import is_same_but_learned
from tests.fleet.reports import NOON, A, Story, edit, seen

SECRET = {"id": "s1", "sealed": "v1:s1"}
LEARNED = Learned("digest", "ab" * 32, None, 2, 3, NOON, -3600.5)
WORKED = NOON - timedelta(hours=1)


def story_with_login() -> Story:
    story = Story()
    story.tell(seen(A))
    login = {"source": "rtsp", "host": "10.0.0.5", "port": 554, "path": "/live"}
    story.tell(edit("link", A, **login, username="root", secret=SECRET))
    return story


def access(story: Story) -> Access:
    return story.device(1).access["rtsp"]


def learn(story: Story, learned: Learned, asked_with: Access | None = None) -> None:
    learned = replace(learned, access=asked_with or access(story))
    story.tell(replace(seen(A, source="rtsp"), learned=learned))


def values(story: Story) -> tuple[Any, ...]:
    kept = access(story)
    return kept.refusals, kept.attempts_left, kept.worked_at, kept.clock, kept.method


def test_what_was_learned_is_kept_and_written() -> None:
    story = story_with_login()
    count = len(story.events)
    learn(story, LEARNED)
    assert values(story) == (2, 3, NOON, -3600.5, "digest")
    assert len(story.events) == count, "it is worth no event"
    assert record.decode(record.Encoder().encode(story.fleet)) == story.fleet
    learn(story, Learned(clock=0.0, attempts_left=0))
    assert values(story) == (2, 0, NOON, 0.0, "digest"), "what a source does not say stays"
    assert record.decode(record.Encoder().encode(story.fleet)) == story.fleet


def test_a_check_that_teaches_almost_the_same_changes_no_access() -> None:
    story = story_with_login()
    learn(story, Learned("digest", clock=-3600.5, worked_at=WORKED))
    known = story.device(1).access
    learn(story, Learned("digest", clock=-3600.1, worked_at=WORKED + timedelta(minutes=59)))
    assert story.device(1).access is known, "a new one is a new plan for the next check"
    learn(story, Learned("digest", clock=-3599.5, worked_at=WORKED + timedelta(minutes=60)))
    assert values(story) == (0, None, NOON, -3599.5, "digest")
    learn(story, Learned("digest", worked_at=WORKED))
    assert access(story).worked_at == WORKED, "a clock that was ahead"


def test_when_a_stream_last_worked_is_exact_and_kept_once_it_stopped() -> None:
    story = story_with_login()
    for minutes in (0, 10, 20):
        at = NOON + timedelta(minutes=minutes)
        story.tell(learned_at(story, at, Learned(worked_at=at)))
        assert worked_at(story.device(1), "rtsp") == at
    assert access(story).worked_at == NOON, "no write at each check"
    stopped, last = NOON + timedelta(minutes=30), NOON + timedelta(minutes=20)
    missing = Finding("id:1", "stream.missing", stopped, "not offered now", "rtsp")
    story.tell(learned_at(story, stopped, Learned(worked_at=last)), missing)
    assert worked_at(story.device(1), "rtsp") == access(story).worked_at == last


def learned_at(story: Story, at: datetime, learned: Learned) -> Sighting:
    return replace(seen(A, source="rtsp", at=at), learned=replace(learned, access=access(story)))


def test_a_login_that_is_accepted_ends_the_refusals() -> None:
    story = story_with_login()
    learn(story, LEARNED)
    learn(story, Learned("basic", refusals=0))
    assert values(story) == (0, None, NOON, -3600.5, "basic")


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"interval": 60}, (2, 3, NOON, -3600.5, "digest")),
        ({"path": "/other"}, (2, 3, None, -3600.5, "digest")),
        ({"username": "otto"}, (0, None, NOON, -3600.5, "")),
        ({"secret": {"id": "s2", "sealed": "v1:s2"}}, (0, None, NOON, -3600.5, "")),
        ({"secret": None}, (0, None, NOON, -3600.5, "")),
        ({"options": {"login": "none"}}, (0, None, NOON, -3600.5, "digest")),
        ({"options": {"tls": True}}, (2, 3, NOON, -3600.5, "digest")),
        ({"port": 8554, "secret": None}, (0, None, None, -3600.5, "")),
        ({"host": "10.0.0.6", "secret": None}, (0, None, None, None, "")),
        ({"tls_pin": "cd" * 32}, (2, 3, NOON, -3600.5, "digest")),
    ],
)
def test_a_change_ends_what_it_makes_untrue(change: dict[str, Any], kept: tuple[Any, ...]) -> None:
    story = story_with_login()
    learn(story, LEARNED)
    story.tell(edit("change", "id:1", source="rtsp", **change))
    assert values(story) == kept


def test_an_answer_to_the_former_login_changes_nothing_of_the_new_one() -> None:
    story = story_with_login()
    old = access(story)
    story.tell(edit("change", "id:1", source="rtsp", username="otto"))
    learn(story, LEARNED, asked_with=old)
    assert values(story) == (0, None, None, None, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("refusals", 5000), ("attempts_left", 10**6), ("clock", 1e12)],
)
def test_an_impossible_value_is_left_out_and_the_others_are_kept(name: str, value: Any) -> None:
    story = story_with_login()
    learn(story, Learned("digest", **{name: value}))
    assert values(story) == (0, None, None, None, "digest")


def test_only_what_was_learned_leaves_an_access_the_same() -> None:
    asked = Access(host="gate", username="root")
    learned = replace(asked, method="digest", refusals=1, clock=3.0, worked_at=WORKED)
    assert is_same_but_learned(asked, learned)
    assert is_same_but_learned(asked, replace(learned, tls_pin="ab" * 32))
    assert not is_same_but_learned(asked, replace(learned, credentials="c1"))
    assert not is_same_but_learned(learned, replace(asked, username="otto"))


def test_undoing_a_change_of_login_brings_no_refusals_back() -> None:
    story = story_with_login()
    learn(story, LEARNED)
    story.tell(edit("change", "id:1", source="rtsp", username="otto"))
    story.tell(inverse(story.events[-1], "tester", NOON))
    assert (access(story).username, *values(story)) == ("root", 0, None, NOON, -3600.5, "")
