"""Moves are told, but a device that never rests fills neither the journal nor its history."""

from datetime import timedelta

import pytest

from fleet.model import MAX_ADDRESSES
from fleet.reduce.addresses import FIRST_KEPT, MAX_MOVES
from fleet.reduce.draft import MAX_SHARING, Draft
from fleet.status import ACTIVE, IP_CHANGED
from tests.fleet.reports import NOON, RULES, A, Story, noon, seen

MOVES = ["device.moved"] * MAX_MOVES


def flap(story: Story, times: int, begin: int = 0, between: int = 3) -> list[str]:
    """From one address to the next, once a minute; the kinds of all events. Two addresses in
    turn would be two interfaces."""
    kinds: list[str] = []
    for minute in range(begin, begin + times):
        address = f"10.0.0.{minute % between + 1}"
        kinds += story.tell(seen(A, at=noon(minutes=minute), address=address))
    return kinds


def test_a_camera_that_moves_all_the_time_is_one_finding_after_ten_events() -> None:
    story = Story()
    assert flap(story, 500) == ["device.found", *MOVES, "finding.raised"]
    (finding,) = story.device().findings
    assert finding.kind == "address.unstable"
    assert story.device().address == "10.0.0.2"
    assert story.status() == IP_CHANGED


def test_one_that_moves_in_every_second_scan_settles_once_and_no_more() -> None:
    story = Story()
    kinds: list[str] = []
    for minute in range(400):
        address = f"10.0.0.{minute // 2 % 3 + 1}"
        kinds += story.tell(seen(A, at=noon(minutes=minute), address=address))
    assert kinds.count("device.settled") == MAX_MOVES
    assert len(kinds) == 1 + 2 * MAX_MOVES + 1
    assert story.status() == ACTIVE


def test_a_camera_that_rests_for_a_day_has_the_finding_no_more_and_moves_are_told_again() -> None:
    story = Story()
    flap(story, 30)
    hours = noon(minutes=29) + timedelta(hours=23)
    assert story.tell(seen(A, at=hours, address="10.0.0.3")) == ["device.settled"]
    later = noon(minutes=29) + timedelta(hours=25)
    assert story.tell(seen(A, at=later, address="10.0.0.3")) == ["finding.cleared"]
    assert story.tell(seen(A, at=later + timedelta(minutes=1))) == ["device.moved"]


@pytest.mark.parametrize("between", [2, 3])
def test_repeated_moves_do_not_push_the_old_addresses_out_of_the_history(between: int) -> None:
    story = Story()
    for minute in range(3):
        story.tell(seen(A, at=noon(minutes=minute), address=f"10.0.9.{minute}"))
    flap(story, 3 * MAX_ADDRESSES, begin=3, between=between)
    history = [address.ip for address in story.device().addresses]
    assert history[:3] == ["10.0.9.0", "10.0.9.1", "10.0.9.2"]
    days = 3 * MAX_ADDRESSES // (24 * 60) + 1
    assert len(history) <= 4 + between * MAX_MOVES * days


def test_ever_new_addresses_do_not_push_the_first_ones_out_of_the_history() -> None:
    story = Story()
    for second in range(MAX_ADDRESSES + 500):
        address = f"10.1.{second // 256}.{second % 256}"
        story.tell(seen(A, at=noon(seconds=second), address=address))
    history = [address.ip for address in story.device().addresses]
    assert len(history) == MAX_ADDRESSES
    assert history[:FIRST_KEPT] == [f"10.1.0.{second}" for second in range(FIRST_KEPT)]
    assert history[-1] == story.device().address


# -- two interfaces --------------------------------------------------------------------------

ENDPOINT = "onvif:urn:uuid:1"
INTERFACES: dict[str, tuple[str, list[tuple[str, str]], int, str, str]] = {
    "one address": (A, [("1", "1"), ("2", "1"), ("3", "1")], 0, "1", "1"),
    "it moved": (A, [("1", "1"), ("2", "2"), ("3", "2")], 1, "2", "2"),
    "it moved and moved back": (A, [("1", "1"), ("2", "2"), ("3", "1"), ("4", "1")], 2, "1", "1"),
    "it moved twice": (A, [("1", "1"), ("2", "2"), ("3", "3")], 2, "3", "3"),
    "wired and wireless in turn": (A, [(str(n), str(n % 2)) for n in range(1, 40)], 2, "1", "01"),
    "both in each scan": (
        ENDPOINT,
        [(str(n), ip) for n in range(1, 9) for ip in "12"],
        0,
        "1",
        "12",
    ),
    "both, the other first": (
        ENDPOINT,
        [("1", "1"), ("1", "2"), *((str(n), ip) for n in range(2, 9) for ip in "21")],
        0,
        "1",
        "12",
    ),
    "both, then the first stops": (
        ENDPOINT,
        [("1", "1"), ("1", "2"), ("2", "2"), ("3", "2"), ("4", "2")],
        1,
        "2",
        "2",
    ),
    "both, then the second stops": (
        ENDPOINT,
        [("1", "1"), ("1", "2"), ("2", "1"), ("3", "1"), ("4", "1")],
        0,
        "1",
        "12",
    ),
}
"""(key, [(scan, end of the address), ...], moves that are told, end of the shown address, ends
of all that the source proved lately)"""


@pytest.mark.parametrize("what", INTERFACES)
def test_two_addresses_of_one_device_are_told_from_a_move(what: str) -> None:
    key, answers, moves, shown, current = INTERFACES[what]
    story = Story()
    for second, (scan, ip) in enumerate(answers):
        began = noon(minutes=5 * int(scan))
        at = began + timedelta(seconds=second % 3)
        story.tell(seen(key, at=at, asked=began, address=f"10.0.0.{ip}"))
    assert [event.kind for event in story.events].count("device.moved") == moves
    assert list(story.fleet.devices) == [1]
    assert story.device().address == f"10.0.0.{shown}"
    assert story.device().findings == ()
    assert story.device().source_addresses["panasonic"].keys() == {f"10.0.0.{ip}" for ip in current}


def test_a_source_without_a_key_finds_the_device_at_its_second_address_too() -> None:
    story = Story()
    for ip in ("10.0.0.1", "10.0.0.2"):
        story.tell(seen(ENDPOINT, address=ip))
    stream = seen("rtsp:10.0.0.2:554/live", at=noon(minutes=1), source="rtsp", address="10.0.0.2")
    assert story.tell(stream) == []
    assert list(story.fleet.devices) == [1]
    assert story.device().address == "10.0.0.1"


def test_an_address_that_too_many_share_leads_to_no_device() -> None:
    """No device is looked up: each of thousands would look at all the others."""
    story = Story()
    numbers = range(MAX_SHARING + 1)
    macs = [f"mac:d4:2d:c5:00:01:{number:02x}" for number in numbers]
    story.tell(*(seen(mac) for mac in macs[:-1]))
    assert len(Draft(story.fleet, RULES, NOON).at("here", "10.0.0.1")) == MAX_SHARING
    story.tell(seen(macs[-1]))
    draft = Draft(story.fleet, RULES, NOON)
    draft.devices.clear()
    assert draft.at("here", "10.0.0.1") == []
