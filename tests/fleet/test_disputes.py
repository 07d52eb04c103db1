"""One key, two devices: they stay two, with one finding, and the key proves nothing any more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from fleet.database import record
from fleet.edit.editing import inverse
from fleet.identity import channel_key
from fleet.model import Device, Event, Fault, Report, Sighting
from fleet.reduce.disputes import SHARED
from fleet.status import ACTIVE
from tests.fleet.reports import MINUTE, A, B, Story, edit, missed, noon, seen

ONE, OTHER = "onvif:urn:uuid:1", "onvif:urn:uuid:2"
FIRST, SECOND, THIRD = "10.0.0.1", "10.0.0.2", "10.0.0.3"
STRANGER = "10.0.0.50"


def units(*keys: str, at: int = 0, **fields: str) -> list[Sighting]:
    """Units at .1, .2, … that answer one scan with the MAC A, and a key of their own each."""
    when = noon(minutes=5 * at)
    return [
        seen(*([key] if key else []), A, at=when, address=f"10.0.0.{number}", **fields)
        for number, key in enumerate(keys, start=1)
    ]


def findings(story: Story) -> list[str]:
    return [fault.kind for device in story.fleet.devices.values() for fault in device.findings]


def shared_mac() -> Story:
    """Two units that prove nothing but the MAC A, in two scans."""
    story = Story()
    for scan in range(2):
        story.tell(*units("", "", at=scan))
    return story


# -- what is disputed ------------------------------------------------------------------------


def test_two_endpoint_references_with_one_mac_stay_two_with_one_finding() -> None:
    story = Story()
    story.tell(*units(ONE, OTHER))
    for scan in range(1, 6):
        assert story.tell(*units(ONE, OTHER, at=scan)) == []
    assert [device.identities for device in story.fleet.devices.values()] == [(ONE,), (OTHER,)]
    assert [device.address for device in story.fleet.devices.values()] == [FIRST, SECOND]
    assert findings(story) == [SHARED]
    (finding,) = story.device(1).findings
    assert finding.text.startswith(f"Another device, at {SECOND}, reports the same MAC {A[4:]}.")
    assert finding.evidence == {"keys": [A], "addresses": [FIRST, SECOND]}
    assert [event.kind for event in story.events].count("finding.raised") == 1


def test_two_units_that_prove_nothing_but_one_mac_are_known_by_their_addresses() -> None:
    """They had been one record, found at one address only."""
    story = Story()
    story.tell(seen(A, name="Gate"))
    story.tell(edit("change", "id:1", name="North gate"))
    for scan in range(1, 4):
        story.tell(*units("", "", at=scan))
    first, other = story.fleet.devices.values()
    assert (first.identities, first.name) == ((f"address:{FIRST}",), "North gate")
    assert (other.identities, other.address) == ((f"address:{SECOND}",), SECOND)
    assert [device.status for device in story.fleet.devices.values()] == [ACTIVE, ACTIVE]
    assert findings(story) == [SHARED]
    assert [event.kind for event in story.events].count("device.moved") == 0


def test_two_records_that_are_told_one_mac_by_turns_stay_two() -> None:
    """Each is asked on its own, so no scan has both."""
    story = Story()
    story.tell(seen("rtsp:10.0.0.1:554/", A, source="rtsp"))
    story.tell(seen("rtsp:10.0.0.2:554/", source="rtsp", at=noon(minutes=1), address=SECOND))
    for minutes in (2, 4):
        assert story.fleet.disputed == {}
        at = noon(minutes=minutes)
        story.tell(seen("rtsp:10.0.0.1:554/", A, source="rtsp", at=at - MINUTE / 2))
        story.tell(seen("rtsp:10.0.0.2:554/", A, source="rtsp", at=at, address=SECOND))
    assert list(story.fleet.devices) == [1, 2]
    assert story.fleet.disputed == {A: noon(minutes=4)}
    assert findings(story) == [SHARED]


@pytest.mark.parametrize("minutes", [0, 5], ids=["in one scan", "in the next scan"])
def test_two_known_endpoint_references_with_one_mac_stay_two_where_both_move(minutes: int) -> None:
    """They exchange their addresses, and only now they say that they have one MAC."""
    story = Story()
    story.tell(seen(ONE), seen(OTHER, address=SECOND))
    at = noon(minutes=minutes)
    story.tell(seen(ONE, A, at=at, address=SECOND), seen(OTHER, A, at=at))
    assert [device.identities for device in story.fleet.devices.values()] == [(ONE,), (OTHER,)]
    assert (findings(story), story.fleet.disputed.keys()) == ([SHARED], {A})


def test_a_copied_endpoint_reference_on_two_macs_proves_nothing_either() -> None:
    story = Story()
    for scan in range(3):
        at = noon(minutes=5 * scan)
        story.tell(seen(ONE, A, at=at), seen(ONE, B, at=at, address=SECOND))
    assert [device.identities for device in story.fleet.devices.values()] == [(A,), (B,)]
    assert story.fleet.disputed.keys() == {ONE}
    assert findings(story) == [SHARED]


def test_a_third_unit_gets_a_record_and_no_further_finding() -> None:
    story = Story()
    story.tell(*units(ONE, OTHER))
    story.tell(*units(ONE, OTHER, "onvif:urn:uuid:3", at=1))
    story.tell(*units(ONE, OTHER, "", at=2))
    assert len(story.fleet.devices) == 3
    assert story.device(3).address == THIRD
    assert findings(story) == [SHARED]


def test_it_stays_so_after_a_restart_and_when_one_of_them_is_gone() -> None:
    story = Story()
    story.tell(*units(ONE, OTHER))
    story.fleet = record.decode(record.Encoder().encode(story.fleet))
    for minutes in (5, 10, 60):
        story.tell(missed(OTHER, noon(minutes=minutes)))
        story.tell(seen(ONE, A, at=noon(minutes=minutes)))
    assert story.device(1).identities == (ONE,)
    assert story.fleet.disputed.keys() == {A}
    assert story.tell(seen(A, at=noon(minutes=61), address="10.0.0.9")) == ["device.found"]
    assert story.device(1).address == FIRST, "the key moves nobody"


@pytest.mark.parametrize("first", [A, B])
def test_no_undo_brings_the_key_back(first: str) -> None:
    """Whichever of the two records had it."""
    story = Story()
    other = B if first == A else A
    story.tell(seen(first, ONE), seen(other, address=SECOND))
    story.tell(edit("merge", "id:1", **{"with": 2}))
    merged = story.events[-1]
    other_unit = seen(OTHER, A, at=noon(minutes=1), address=THIRD)
    sighting = seen(*((A, ONE) if first == A else (A,)), address=FIRST if first == A else SECOND)
    story.tell(other_unit, replace(sighting, at=noon(minutes=2)))
    story.tell(replace(other_unit, at=noon(minutes=3)))
    assert story.fleet.disputed.keys() == {A}
    story.tell(inverse(merged, "tester", noon(minutes=4)))
    assert A not in story.fleet.index
    mine, theirs = story.device(1).identities, story.device(2).identities
    assert mine == ((ONE,) if first == A else (B, ONE))
    assert theirs == ((B,) if first == A else (f"address:{SECOND}",))


def test_a_disputed_mac_still_tells_that_it_is_not_the_device_at_its_address() -> None:
    story = shared_mac()
    story.tell(seen(B, at=noon(minutes=6), address=THIRD))
    assert story.tell(seen(A, at=noon(minutes=7), address=THIRD)) == ["device.found"]
    assert story.device(3).last_seen == noon(minutes=6)


# -- what is not -----------------------------------------------------------------------------

ONE_DEVICE: dict[str, list[Report]] = {
    "one endpoint reference at two addresses": [*units(ONE), seen(ONE, A, address=SECOND)],
    "one serial at two addresses": [
        *units("", serial="S1"),
        seen(A, serial="S1", address=SECOND),
    ],
    "it was reset and has a new endpoint reference": [
        *units(ONE),
        seen(OTHER, A, at=noon(minutes=5)),
    ],
    "it was reset, was silent and is elsewhere": [
        *units(ONE),
        missed(ONE, noon(minutes=5)),
        seen(OTHER, A, at=noon(minutes=10), address=SECOND),
    ],
    "it takes turns, and then both its interfaces answer": [
        *(seen(A, at=noon(minutes=5 * n), address=f"10.0.0.{n % 2 + 1}") for n in range(4)),
        *(seen(A, at=noon(minutes=20), address=ip) for ip in (FIRST, SECOND)),
    ],
    "it moved within one scan": [
        *units(""),
        *(seen(A, at=noon(minutes=5), address=ip) for ip in (FIRST, SECOND)),
        *(seen(A, at=noon(minutes=5 * n), address=SECOND) for n in range(2, 6)),
        *(seen(A, at=noon(minutes=30), address=ip) for ip in (SECOND, FIRST)),
        *(seen(A, at=noon(minutes=5 * n), address=FIRST) for n in range(7, 10)),
    ],
    "it moved": [*units(""), seen(A, at=noon(minutes=5), address=SECOND)],
    "it moved within its first scan": [
        *units("", ""),
        *(seen(A, at=noon(minutes=5 * n), address=SECOND) for n in range(1, 5)),
    ],
    "it was reset and moved between two scans": [
        *units(ONE),
        *(seen(OTHER, A, at=noon(minutes=5 * n), address=SECOND) for n in range(1, 5)),
    ],
    "its board was replaced and it moved": [
        *units("", serial="S1"),
        *(seen(A, at=noon(minutes=5 * n), address=SECOND, serial="S2") for n in range(1, 5)),
    ],
    "somebody claimed its MAC once": [
        *units("", ""),
        *(report for n in range(1, 5) for report in units("", at=n)),
    ],
    "it was heard at another site at the same address": [
        *units(ONE),
        replace(seen(ONE, A), site="plant 2"),
    ],
}


@pytest.mark.parametrize("what", ONE_DEVICE)
def test_one_device_is_no_dispute(what: str) -> None:
    story = Story()
    for report in ONE_DEVICE[what]:
        story.tell(report)
    assert list(story.fleet.devices) == [1]
    assert story.fleet.disputed == {}
    assert findings(story) == []
    assert A in story.device().identities


def test_a_device_that_was_reset_has_its_new_endpoint_reference_alone() -> None:
    story = Story()
    story.tell(seen(ONE, A))
    story.tell(seen(OTHER, A, at=noon(minutes=5)))
    assert story.device().identities == (A, OTHER)


def test_a_report_from_before_disputes_nothing() -> None:
    story = Story()
    story.tell(seen(A, ONE, at=noon(minutes=5)))
    story.tell(seen(A, OTHER, at=noon(minutes=4), address=SECOND), at=noon(minutes=6))
    assert story.fleet.disputed == {}


# -- what ends it ----------------------------------------------------------------------------


def test_a_person_who_merges_the_two_ends_the_dispute() -> None:
    story = shared_mac()
    assert (story.fleet.disputed.keys(), findings(story)) == ({A}, [SHARED])
    at = noon(minutes=6)
    kinds = story.tell(edit("merge", "id:1", at, **{"with": 2}))
    assert kinds == ["device.merged", "finding.cleared"]
    for scan in range(2, 6):
        story.tell(*units("", "", at=scan))
    assert (story.fleet.disputed, findings(story)) == ({}, [])
    assert list(story.fleet.devices) == [1]
    assert A in story.device().identities


def test_a_merge_with_a_third_device_ends_no_dispute() -> None:
    story = shared_mac()
    story.tell(seen(B, at=noon(minutes=6), address=THIRD))
    story.tell(edit("merge", "id:1", noon(minutes=7), **{"with": 3}))
    assert (story.fleet.disputed.keys(), findings(story)) == ({A}, [SHARED])


def test_two_that_are_told_apart_again_are_disputed_again() -> None:
    story = shared_mac()
    story.tell(edit("merge", "id:1", noon(minutes=6), **{"with": 2}))
    story.tell(inverse(story.events[-2], "tester", noon(minutes=7)))
    for scan in range(2, 5):
        story.tell(*units("", "", at=scan))
    assert list(story.fleet.devices) == [1, 2]
    assert (story.fleet.disputed.keys(), findings(story)) == ({A}, [SHARED])


# -- how a dispute ends ----------------------------------------------------------------------


def disputed() -> Story:
    """Two records that were told one MAC, with the finding on the first."""
    story = Story()
    story.tell(*units("", ""), *units("", "", at=1))
    assert story.fleet.disputed.keys() == {A}
    return story


def test_a_dispute_ends_when_one_address_alone_proves_the_key_for_a_day() -> None:
    story = disputed()
    for scan in range(2, 2 + 12 * 24 + 2):
        story.tell(*units("", at=scan))
    assert (story.fleet.disputed, story.fleet.watched, findings(story)) == ({}, {}, [])
    assert story.device(1).identities == (A,)
    assert "finding.cleared" in [event.kind for event in story.events]
    story.tell(seen(A, at=noon(days=2), address=THIRD))
    assert story.device(1).address == THIRD, "the key leads to it again"


def test_a_dispute_lasts_while_both_answer() -> None:
    story = disputed()
    for scan in range(2, 2 + 12 * 25):
        story.tell(*units("", "", at=scan))
    assert story.fleet.disputed.keys() == {A}


def test_a_day_without_scans_ends_no_dispute() -> None:
    story = disputed()
    story.tell(*units("", at=2))
    story.tell(*units("", at=12 * 30))
    story.fleet = record.decode(record.Encoder().encode(story.fleet))
    story.tell(*units("", "", at=12 * 30 + 1))
    assert story.fleet.disputed.keys() == {A}


def test_a_person_who_merges_the_two_ends_their_dispute() -> None:
    """It has two interfaces with one MAC, whichever of them moves."""
    story = disputed()
    story.tell(edit("merge", "id:1", at=noon(minutes=6), **{"with": 2}))
    assert (story.device(1).identities, findings(story)) == ((A,), [])
    for scan in range(2, 6):
        assert story.tell(*units("", "", at=scan)) == []
    for scan in range(6, 10):
        at = noon(minutes=5 * scan)
        assert story.tell(seen(A, at=at), seen(A, at=at, address=THIRD)) == []
    assert (list(story.fleet.devices), story.fleet.disputed) == ([1], {})
    for scan in range(10, 12):
        at = noon(minutes=5 * scan)
        story.tell(*(seen(A, at=at, address=ip) for ip in (FIRST, THIRD, "10.0.0.9")))
    assert story.fleet.disputed.keys() == {A}, "a third one is another device"


def test_what_is_seen_once_is_forgotten_after_a_day() -> None:
    story = Story()
    story.tell(*units("", ""))
    assert story.fleet.watched.keys() == {A}
    story.tell(at=noon(hours=25))
    assert story.fleet.watched == {}


# -- what a person merged --------------------------------------------------------------------


def interfaces_at(*ips: str, at: float, serials: tuple[str, str] = ("S1", "S2")) -> list[Report]:
    """One scan of the MACs A and B."""
    when = noon(minutes=at)
    return [
        seen(mac, at=when, address=ip, serial=serial)
        for mac, ip, serial in zip((A, B), ips, serials, strict=True)
    ]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("serials", [("S1", "S1"), ("S1", "S2")])
def test_two_live_cameras_that_a_person_merged_stay_one(
    order: int, serials: tuple[str, str]
) -> None:
    story = Story()
    story.tell(*interfaces_at(FIRST, SECOND, at=0, serials=serials))
    story.tell(edit("merge", "id:1", at=noon(minutes=1), **{"with": 2}))
    quiet = []
    for scan in range(1, 5):
        quiet += story.tell(*interfaces_at(FIRST, SECOND, at=5 * scan, serials=serials)[::order])
    for scan in range(5, 9):
        quiet += story.tell(*interfaces_at(FIRST, THIRD, at=5 * scan, serials=serials)[::order])
    assert (quiet, list(story.fleet.devices), story.fleet.disputed) == ([], [1], {})
    assert story.device(1).identities == (A, B)
    assert story.device(1).interfaces == {
        A: {FIRST: noon(minutes=40)},
        B: {THIRD: noon(minutes=40)},
    }
    assert story.device(1).facts["panasonic"]["serial"] == "S1"


def test_a_foreign_unit_with_one_of_the_macs_is_noticed_all_the_same() -> None:
    story = Story()
    story.tell(*interfaces_at(FIRST, SECOND, at=0))
    story.tell(edit("merge", "id:1", at=noon(minutes=1), **{"with": 2}))
    for scan in (1, 2):
        foreign = seen(B, at=noon(minutes=5 * scan), address=THIRD)
        story.tell(*interfaces_at(FIRST, SECOND, at=5 * scan), foreign)
    assert (story.device(1).identities, story.fleet.disputed.keys()) == ((A,), {B})


def scan_of_one_mac(story: Story, *ips: str, at: float) -> list[str]:
    """One scan to which the MAC A answers at the addresses, one after the other."""
    asked = noon(minutes=at)
    answers = [
        seen(A, at=asked + timedelta(seconds=number), asked=asked, address=ip)
        for number, ip in enumerate(ips, start=1)
    ]
    return story.tell(*answers, at=asked + timedelta(seconds=9))


def merged_interfaces() -> Story:
    """One record of two interfaces with the MAC A, at .1 and .2, as a person said."""
    story = Story()
    for minutes in (0, 10):
        scan_of_one_mac(story, FIRST, SECOND, at=minutes)
    story.tell(edit("merge", "id:1", noon(minutes=11), **{"with": 2}))
    for minutes in (20, 30):
        assert scan_of_one_mac(story, FIRST, SECOND, at=minutes) == []
    return story


ORDERS = [*permutations((FIRST, SECOND, STRANGER))]


@pytest.mark.parametrize("orders", [*((order,) for order in ORDERS), ORDERS, ORDERS[::-1]])
def test_a_stranger_with_their_mac_takes_no_place_of_two_interfaces_that_answer(
    orders: Sequence[Sequence[str]],
) -> None:
    story, kinds = merged_interfaces(), []
    for scan in range(4, 6 * 25):
        kinds += scan_of_one_mac(story, *orders[scan % len(orders)], at=10 * scan)
    assert kinds == ["finding.raised", "device.found"]
    device, other = story.fleet.devices.values()
    assert device.address in (FIRST, SECOND)
    assert {*device.source_addresses["panasonic"]} == {FIRST, SECOND}
    assert (other.address, {*other.source_addresses["panasonic"]}) == (STRANGER, {STRANGER})
    (finding,) = device.findings
    assert finding.evidence["addresses"] == [FIRST, SECOND, STRANGER]


@pytest.mark.parametrize("order", ORDERS)
def test_one_answer_of_a_stranger_changes_nothing(order: Sequence[str]) -> None:
    story = merged_interfaces()
    assert scan_of_one_mac(story, *order, at=40) == []
    for minutes in (50, 60, 70):
        assert scan_of_one_mac(story, FIRST, SECOND, at=minutes) == []
    assert story.device().interfaces[A].keys() == {FIRST, SECOND}
    assert story.fleet.disputed == {}


@pytest.mark.parametrize(
    "scans",
    [
        [(FIRST,), (FIRST,), (FIRST, STRANGER), *[(FIRST, SECOND)] * 3],
        [(FIRST,), (FIRST,), (FIRST, STRANGER), *[(FIRST, SECOND, STRANGER)] * 4],
        [(FIRST,), (FIRST,), (FIRST, STRANGER), *[(SECOND, STRANGER, FIRST)] * 4],
        [(FIRST,), (FIRST,), *[(FIRST, STRANGER), (FIRST, SECOND)] * 3],
        [(SECOND,), (SECOND,), (SECOND, STRANGER), *[(FIRST, STRANGER, SECOND)] * 3],
    ],
)
def test_a_stranger_takes_no_place_of_an_interface_that_was_silent(
    scans: Sequence[Sequence[str]],
) -> None:
    story = merged_interfaces()
    for number, ips in enumerate(scans, start=4):
        scan_of_one_mac(story, *ips, at=10 * number)
    device = story.fleet.devices[1]
    assert {*device.source_addresses["panasonic"]} == {FIRST, SECOND}
    assert {FIRST, SECOND}.issuperset(device.interfaces.get(A, ()))
    assert f"address:{STRANGER}" not in device.identities


@pytest.mark.parametrize(
    "ips",
    [
        *permutations((FIRST, THIRD)),
        *permutations((THIRD, SECOND)),
        *permutations((THIRD, "10.0.0.4")),
    ],
)
def test_interfaces_that_a_person_merged_move_when_a_second_scan_finds_them(
    ips: Sequence[str],
) -> None:
    story = merged_interfaces()
    kinds = scan_of_one_mac(story, *ips, at=40)
    assert (kinds, story.status(1, noon(minutes=40))) == ([], ACTIVE)
    for minutes in range(50, 90, 10):
        kinds += scan_of_one_mac(story, *ips, at=minutes)
    assert set(kinds) <= {"device.moved", "device.settled"}
    assert [*story.fleet.devices] == [1]
    device = story.device()
    assert device.interfaces[A].keys() == {*ips}
    assert device.address in ips
    assert (device.last_seen, story.fleet.disputed) == (noon(minutes=80, seconds=2), {})


@pytest.mark.parametrize("ips", [(FIRST, SECOND), (FIRST, THIRD), (THIRD, FIRST), (SECOND, FIRST)])
def test_an_undone_merge_leaves_two_devices_where_they_are_now(ips: tuple[str, str]) -> None:
    story = Story()
    story.tell(*interfaces_at(FIRST, SECOND, at=0))
    story.tell(edit("merge", "id:1", at=noon(minutes=1), **{"with": 2}))
    merged = story.events[-1]
    story.tell(*interfaces_at(*ips, at=5))
    story.tell(*interfaces_at(*ips, at=10))
    story.tell(inverse(merged, "tester", noon(minutes=11)))
    for scan in range(3, 6):
        assert story.tell(*interfaces_at(*ips, at=5 * scan)) == []
    assert [device.identities for device in story.fleet.devices.values()] == [(A,), (B,)]
    assert [device.address for device in story.fleet.devices.values()] == [*ips]
    assert [device.facts["panasonic"]["serial"] for device in story.fleet.devices.values()] == [
        "S1",
        "S2",
    ]
    assert [device.interfaces for device in story.fleet.devices.values()] == [{}, {}]
    assert [[*device.source_addresses["panasonic"]] for device in story.fleet.devices.values()] == [
        [ips[0]],
        [ips[1]],
    ]


def test_a_split_record_leaves_each_of_the_two_where_its_keys_are() -> None:
    story = Story()
    story.tell(*interfaces_at(FIRST, SECOND, at=0))
    story.tell(edit("merge", "id:1", at=noon(minutes=1), **{"with": 2}))
    story.tell(*interfaces_at(FIRST, SECOND, at=5))
    story.tell(edit("split", "id:1", at=noon(minutes=6), identities=[A]))
    for scan in range(2, 5):
        assert "device.moved" not in story.tell(*interfaces_at(FIRST, SECOND, at=5 * scan))
    assert {device.identities: device.address for device in story.fleet.devices.values()} == {
        (A,): FIRST,
        (B,): SECOND,
    }
    assert (findings(story), story.fleet.disputed) == ([], {})


def of_the_version_before(story: Story) -> None:
    """It kept no interfaces, and disputed a MAC that was where it had been all along."""
    half = Device(
        3, "camera", "here", (f"address:{SECOND}",), address=SECOND, last_seen=noon(minutes=5)
    )
    text = f"Another device, at {SECOND}, reports the same MAC {B[4:]}"
    evidence = {"keys": [B], "addresses": [FIRST, SECOND]}
    fault = Fault(SHARED, noon(minutes=5), text, "panasonic", evidence)
    device = replace(story.device(1), identities=(A,), interfaces={}, findings=(fault,))
    devices = {**story.fleet.devices, 1: device, 3: half}
    fleet = replace(story.fleet, devices=devices, next_id=4, disputed={B: noon(minutes=5)})
    story.fleet = record.indexed(fleet)


def test_a_merge_that_the_version_before_broke_is_undone_whole() -> None:
    story = Story()
    story.tell(*interfaces_at(FIRST, SECOND, at=0))
    story.tell(edit("merge", "id:1", at=noon(minutes=1), **{"with": 2}))
    merged = story.events[-1]
    of_the_version_before(story)
    story.tell(inverse(merged, "tester", noon(minutes=6)))
    assert {device.id: device.identities[0] for device in story.fleet.devices.values()} == {
        1: A,
        2: B,
    }
    for scan in range(2, 5):
        assert story.tell(*interfaces_at(FIRST, SECOND, at=5 * scan)) == []
    assert (findings(story), story.fleet.disputed) == ([], {})


def test_a_record_that_the_version_before_merged_learns_where_its_interfaces_are() -> None:
    story = Story()
    story.tell(*interfaces_at(FIRST, SECOND, at=0))
    story.tell(edit("merge", "id:1", at=noon(minutes=1), **{"with": 2}))
    device = replace(story.device(1), interfaces={})
    story.fleet = record.indexed(replace(story.fleet, devices={1: device}))
    for scan in range(1, 5):
        assert story.tell(*interfaces_at(FIRST, SECOND, at=5 * scan)) == []
    assert story.device(1).interfaces.keys() == {A, B}


def test_the_half_that_stays_does_not_take_the_other_in_when_a_merge_is_undone() -> None:
    """The other half is known by its address, as a record is that was made for a disputed key."""
    story = Story()

    def merge(other: int) -> Event:
        story.tell(edit("merge", "id:1", **{"with": other}))
        return next(event for event in story.events[::-1] if event.kind == "device.merged")

    story.tell(seen(B, address=THIRD), *(seen(A, address=ip) for ip in (SECOND, FIRST)))
    story.tell(*(seen(A, at=noon(minutes=10), address=ip) for ip in (FIRST, THIRD)))
    assert story.device(3).identities == (f"address:{THIRD}",)
    second, third = merge(2), merge(3)
    story.tell(inverse(second, "tester", noon(minutes=20)))
    merge(2)
    story.tell(inverse(third, "tester", noon(minutes=30)))
    assert story.events[-1].kind == "device.unmerged"
    assert {id: device.address for id, device in story.fleet.devices.items()} == {
        1: THIRD,
        3: THIRD,
    }
    assert (story.device(1).never_merge, story.device(3).never_merge) == ((3,), (1,))


# -- what is no identity ---------------------------------------------------------------------


@pytest.mark.parametrize("mac", ["00:11:22:33:44:55", "00:00:00:00:00:01", "02:00:00:00:00:00"])
def test_devices_that_were_never_given_a_mac_are_known_by_their_addresses(mac: str) -> None:
    story = Story()
    for scan in range(3):
        at = noon(minutes=5 * scan)
        story.tell(*(seen(f"mac:{mac}", at=at, address=ip) for ip in (FIRST, SECOND)))
    keys = [device.identities for device in story.fleet.devices.values()]
    assert keys == [(f"address:{FIRST}",), (f"address:{SECOND}",)]
    assert story.fleet.disputed == {}


def test_a_record_of_an_older_version_keeps_its_placeholder_and_is_found_at_its_address() -> None:
    key = "mac:00:11:22:33:44:55"
    old = Device(1, "camera", "here", (key,), address=FIRST, last_seen=noon())
    story = Story()
    story.fleet = record.indexed(replace(story.fleet, devices={1: old}, next_id=2))
    story.fleet = record.decode(record.Encoder().encode(story.fleet))
    story.tell(seen(key, at=noon(minutes=1)))
    assert list(story.fleet.devices) == [1]
    assert story.device().last_seen == noon(minutes=1)


def test_what_proves_nothing_and_has_no_address_is_nobody() -> None:
    story = Story()
    assert story.tell(seen("mac:00:11:22:33:44:55", address=None)) == []
    assert story.fleet.devices == {}


# -- channels --------------------------------------------------------------------------------


def test_the_channels_of_a_recorder_are_never_one_by_its_mac() -> None:
    story = Story()
    story.tell(seen(A, kind="recorder"))
    for _ in range(3):
        for channel in ("1", "2"):
            story.tell(seen(channel_key(A, channel), A, source="onvif"))
    keys = [device.identities for device in story.fleet.devices.values()]
    assert keys == [(A,), (channel_key(A, "1"),), (channel_key(A, "2"),)]


def test_a_recorder_that_moves_takes_its_channels_along() -> None:
    story = Story()
    for minute, ip in ((0, FIRST), (5, SECOND)):
        at = noon(minutes=minute)
        story.tell(seen(A, at=at, address=ip))
        story.tell(seen(channel_key(A, "1"), at=at, source="onvif", address=ip))
    assert [device.address for device in story.fleet.devices.values()] == [SECOND, SECOND]


def test_channels_of_a_disputed_recorder_do_not_become_the_recorder() -> None:
    story = shared_mac()
    assert story.tell(seen(channel_key(A, "1"), source="onvif")) == []
    stream = "rtsp:10.0.0.1:554/cam?channel=1"
    assert story.tell(seen(channel_key(A, "1"), stream, source="onvif")) == ["device.found"]
    assert story.device(1).identities == (f"address:{FIRST}",)
