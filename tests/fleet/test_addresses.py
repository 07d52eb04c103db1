"""Moves are told, but a device that never rests fills neither the journal nor its history."""

from datetime import timedelta

from fleet.addresses import FIRST_KEPT, MAX_MOVES
from fleet.model import MAX_ADDRESSES
from fleet.status import ACTIVE, IP_CHANGED
from tests.fleet.reports import A, Story, noon, seen

MOVES = ["device.moved"] * MAX_MOVES


def flap(story: Story, times: int, begin: int = 0) -> list[str]:
    """Between two addresses, once a minute; the kinds of all events."""
    told: list[str] = []
    for minute in range(begin, begin + times):
        address = f"10.0.0.{minute % 2 + 1}"
        told += story.tell(seen(A, at=noon(minutes=minute), address=address))
    return told


def test_a_camera_that_moves_all_the_time_is_one_finding_after_ten_events() -> None:
    story = Story()
    assert flap(story, 500) == ["device.found", *MOVES, "finding.raised"]
    (finding,) = story.device().findings
    assert finding.kind == "address.unstable"
    assert story.device().address == "10.0.0.2"
    assert story.status() == IP_CHANGED


def test_one_that_moves_in_every_second_scan_settles_once_and_no_more() -> None:
    story = Story()
    told: list[str] = []
    for minute in range(400):
        address = f"10.0.0.{minute // 2 % 2 + 1}"
        told += story.tell(seen(A, at=noon(minutes=minute), address=address))
    assert told.count("device.settled") == MAX_MOVES
    assert len(told) == 1 + 2 * MAX_MOVES + 1
    assert story.status() == ACTIVE


def test_a_camera_that_rests_for_a_day_has_the_finding_no_more_and_moves_are_told_again() -> None:
    story = Story()
    flap(story, 30)
    hours = noon(minutes=29) + timedelta(hours=23)
    assert story.tell(seen(A, at=hours, address="10.0.0.2")) == ["device.settled"]
    later = noon(minutes=29) + timedelta(hours=25)
    assert story.tell(seen(A, at=later, address="10.0.0.2")) == ["finding.cleared"]
    assert story.tell(seen(A, at=later + timedelta(minutes=1))) == ["device.moved"]


def test_repeated_moves_do_not_push_the_old_addresses_out_of_the_history() -> None:
    story = Story()
    for minute in range(3):
        story.tell(seen(A, at=noon(minutes=minute), address=f"10.0.9.{minute}"))
    flap(story, 3 * MAX_ADDRESSES, begin=3)
    history = [one.ip for one in story.device().addresses]
    assert history[:3] == ["10.0.9.0", "10.0.9.1", "10.0.9.2"]
    days = 3 * MAX_ADDRESSES // (24 * 60) + 1
    assert len(history) <= 4 + 2 * MAX_MOVES * days


def test_ever_new_addresses_do_not_push_the_first_ones_out_of_the_history() -> None:
    story = Story()
    for second in range(MAX_ADDRESSES + 500):
        address = f"10.1.{second // 256}.{second % 256}"
        story.tell(seen(A, at=noon(seconds=second), address=address))
    history = [one.ip for one in story.device().addresses]
    assert len(history) == MAX_ADDRESSES
    assert history[:FIRST_KEPT] == [f"10.1.0.{second}" for second in range(FIRST_KEPT)]
    assert history[-1] == story.device().address
