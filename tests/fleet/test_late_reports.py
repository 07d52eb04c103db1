"""Reports come late, and clocks are set: what is known never goes back in time."""

from datetime import datetime

import pytest

from fleet.model import Miss, Report
from fleet.status import is_older
from tests.fleet.reports import MINUTE, NOON, A, B, Story, edit, finding, heard, missed, noon, seen

YEARS = {"days": 730}

ORDER: dict[str, tuple[datetime, datetime | None, datetime, bool]] = {
    "nothing is known": (NOON, None, NOON, False),
    "newer": (noon(seconds=1), NOON, noon(seconds=1), False),
    "the same moment": (NOON, NOON, NOON, False),
    "a second older": (NOON, noon(seconds=1), noon(seconds=1), True),
    "an hour older": (NOON, noon(hours=1), noon(hours=2), True),
    "made now, after the clock was set back": (NOON, noon(hours=1), NOON, False),
    "made now, after years ahead": (NOON, noon(**YEARS), noon(seconds=2), False),
}


@pytest.mark.parametrize("what", ORDER)
def test_a_report_is_older_by_its_time_unless_the_clock_was_ahead(what: str) -> None:
    at, known, now, expected = ORDER[what]
    assert is_older(at, known, now) is expected


OLD: dict[str, Report] = {
    "a sighting elsewhere": seen(A, at=noon(minutes=-5), address="10.0.0.9", name="Old"),
    "an announcement": heard(A, at=noon(minutes=-5), address="10.0.0.9", firmware="0.9"),
    "a miss": missed(A, noon(minutes=-5)),
    "a miss of nobody's scan": Miss(A, "panasonic", noon(minutes=-5), "silent"),
}


@pytest.mark.parametrize("what", OLD)
def test_an_older_report_changes_nothing(what: str) -> None:
    story = Story()
    story.tell(seen(A, name="Gate", firmware="1.0"))
    before = story.device()
    assert story.tell(OLD[what], at=noon(minutes=1)) == []
    assert story.device() == before
    assert story.status(at=noon(minutes=1)) == "ACTIVE"


def test_an_older_sighting_calls_nobody_back_who_was_missed_since() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(missed(A, noon(minutes=2)))
    assert story.tell(seen(A, at=noon(minutes=1)), at=noon(minutes=3)) == []
    assert story.status() == "OFFLINE"


def test_an_older_sighting_by_another_source_adds_what_it_knows_and_moves_nothing() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    old = seen(A, at=noon(minutes=-5), source="onvif", address="10.0.0.9", model="WV-1")
    assert story.tell(old, at=noon(minutes=1)) == []
    device = story.device()
    assert (device.last_seen, device.address) == (NOON, "10.0.0.1")
    assert device.facts["onvif"] == {"model": "WV-1"}


def test_an_older_sighting_does_not_bring_back_what_was_retired_since() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(edit("retire", "id:1", noon(minutes=2)))
    assert story.tell(seen(A, at=noon(minutes=1)), at=noon(minutes=3)) == []
    assert story.device().retired_at == noon(minutes=2)
    assert "device.restored" in story.tell(seen(A, at=noon(minutes=4)))


def test_an_older_finding_neither_replaces_nor_clears_a_newer_one() -> None:
    story = Story()
    story.tell(seen(A), finding(A, "no password is set"))
    for old in (
        finding(A, "otherwise", at=noon(minutes=-5)),
        finding(A, at=noon(minutes=-5), cleared=True),
    ):
        assert story.tell(old, at=noon(minutes=1)) == []
    assert [finding.text for finding in story.device().findings] == ["no password is set"]


def test_within_one_batch_the_newest_wins_whatever_its_place() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(
        seen(A, at=noon(minutes=2), address="10.0.0.2"),
        seen(A, at=noon(minutes=1), address="10.0.0.3"),
        seen(B, at=noon(minutes=1), address="10.0.0.4"),
        at=noon(minutes=3),
    )
    assert [address.ip for address in story.device().addresses] == ["10.0.0.1", "10.0.0.2"]
    assert story.device(2).address == "10.0.0.4"


# -- a clock that is set back ----------------------------------------------------------------


@pytest.mark.parametrize("ahead", [{"hours": 1.0}, YEARS], ids=str)
def test_after_the_clock_was_set_back_reports_count_at_once(ahead: dict[str, float]) -> None:
    """What was written while it was ahead lies in the future: it says nothing of the order."""
    story = Story()
    story.tell(seen(A, at=noon(**ahead), name="Gate"))
    assert story.tell(missed(A, noon(minutes=1))) == ["device.offline"]
    assert story.tell(seen(A, at=noon(minutes=2), address="10.0.0.9", name="Door")) == [
        "device.moved",
        "device.facts",
        "device.back",
    ]
    device = story.device()
    assert (device.last_seen, device.address) == (noon(minutes=2), "10.0.0.9")
    assert device.facts["panasonic"]["name"] == "Door"
    assert story.tell(seen(A, at=noon(minutes=3), address="10.0.0.9")) == [
        "device.facts",
        "device.settled",
    ]


def test_a_move_from_before_the_clock_was_set_back_settles_with_the_next_scan() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(seen(A, at=noon(hours=1), address="10.0.0.9"))
    assert story.status() == "IP_CHANGED"
    assert story.tell(seen(A, at=noon(minutes=1), address="10.0.0.9")) == ["device.settled"]


def test_a_device_retired_while_the_clock_was_ahead_comes_back_when_it_answers() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(edit("retire", "id:1", noon(hours=1)))
    assert "device.restored" in story.tell(seen(A, at=noon(minutes=1)))


def test_a_miss_at_the_old_address_hides_no_move() -> None:
    """A discovery tells a move when it has ended; meanwhile the old address was asked in vain."""
    story = Story()
    story.tell(seen(A))
    at = noon(minutes=5)
    story.tell(missed(A, at + MINUTE, asked=at))
    moved = seen(A, at=at + MINUTE / 2, asked=at, address="10.0.0.9")
    story.tell(moved, at=at + 2 * MINUTE)
    assert (story.device().address, story.status(at=at)) == ("10.0.0.9", "IP_CHANGED")


def test_a_miss_of_a_question_to_the_former_address_is_none_at_the_new_one() -> None:
    story = Story()
    story.tell(seen(A))
    at = noon(minutes=5)
    moved = seen(A, at=at + MINUTE, asked=at, address="10.0.0.9", source="onvif")
    story.tell(moved, at=at + MINUTE)
    story.tell(missed(A, at + 2 * MINUTE, asked=at), at=at + 2 * MINUTE)
    assert story.status(at=at + 2 * MINUTE) == "IP_CHANGED"
    story.tell(missed(A, at + 4 * MINUTE, asked=at + 3 * MINUTE), at=at + 4 * MINUTE)
    assert story.device().states["panasonic"].misses == 1
