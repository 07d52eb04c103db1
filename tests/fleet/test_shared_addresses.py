"""Two devices at one address: one finding on each, and nobody moves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from fleet.model import Access, Device, Sighting
from fleet.reduce.shared_addresses import SHARED, TWO
from tests.fleet.reports import A, B, Story, edit, finding, missed, noon, seen

ONE, OTHER = "onvif:urn:uuid:1", "onvif:urn:uuid:2"
Scan = Callable[[int], Sequence[Sighting]]


def kinds(story: Story) -> list[list[str]]:
    """The findings of each device."""
    return [[fault.kind for fault in device.findings] for device in story.fleet.devices.values()]


def in_one_scan(*keys: str) -> Scan:
    return lambda minutes: [seen(key, at=noon(minutes=minutes)) for key in keys]


def by_turns(*keys: str) -> Scan:
    return lambda minutes: [seen(keys[minutes // 5 % len(keys)], at=noon(minutes=minutes))]


def story_of(scan: Scan, count: int, *devices: Device) -> Story:
    """A fleet after as many scans, five minutes apart."""
    story = Story(*devices)
    for number in range(count):
        story.tell(*scan(5 * number))
    return story


@pytest.mark.parametrize("keys", [(A, B), (ONE, OTHER)], ids=["MACs", "endpoint references"])
@pytest.mark.parametrize(("scan", "first"), [(in_one_scan, 2), (by_turns, 4)])
def test_two_devices_at_one_address_have_one_finding_each_and_move_nowhere(
    scan: Callable[..., Scan], first: int, keys: Sequence[str]
) -> None:
    assert kinds(story_of(scan(*keys), first - 1)) == [[], []]
    story = story_of(scan(*keys), 12)
    assert kinds(story) == [[TWO], [TWO]]
    assert [device.address for device in story.fleet.devices.values()] == ["10.0.0.1"] * 2
    events = [event.kind for event in story.events]
    assert events.count("finding.raised") == 2
    assert {"device.moved", "finding.cleared"}.isdisjoint(events)
    mine, theirs = (story.device(id).findings[0] for id in (1, 2))
    assert keys[1].partition(":")[2] in mine.text
    assert keys[0].partition(":")[2] in theirs.text
    assert (mine.evidence["devices"], theirs.evidence["devices"]) == ([2], [1])


@pytest.mark.parametrize("key", [A, ONE])
def test_a_camera_that_another_one_replaced_has_no_finding(key: str) -> None:
    story = story_of(in_one_scan(key), 2)
    for minutes in range(10, 60, 5):
        story.tell(seen(B if key == A else OTHER, at=noon(minutes=minutes)))
    assert kinds(story) == [[], []]


def test_cameras_that_swap_their_addresses_and_swap_back_have_no_finding() -> None:
    story = Story()
    for minutes, places in ((0, "12"), (5, "21"), (10, "12"), (15, "21"), (20, "12")):
        for key, place in zip((A, B), places, strict=True):
            story.tell(seen(key, at=noon(minutes=minutes), address=f"10.0.0.{place}"))
    assert kinds(story) == [[], []]


def test_the_finding_ends_when_one_of_them_has_an_address_of_its_own() -> None:
    story = story_of(in_one_scan(A, B), 3)
    at = noon(minutes=15)
    story.tell(seen(A, at=at), seen(B, at=at, address="10.0.0.2"))
    assert kinds(story) == [[TWO], []], "when the first answered, the other was still there"
    story.tell(seen(A, at=noon(minutes=20)))
    assert kinds(story) == [[], []]


def test_the_finding_ends_when_only_one_of_them_answers_for_long() -> None:
    story = story_of(in_one_scan(A, B), 3)
    for minutes in range(15, 60, 5):
        at = noon(minutes=minutes)
        story.tell(seen(A, at=at), missed(B, at))
        assert kinds(story)[0] == ([TWO] if minutes <= 30 else []), minutes
    assert kinds(story)[1] == [TWO], "nobody knows of the silent one"


def test_two_that_a_person_merged_are_one_device_at_its_address() -> None:
    story = story_of(in_one_scan(A, B), 3)
    story.tell(edit("merge", "id:1", noon(minutes=11), **{"with": 2}))
    story.tell(*in_one_scan(A, B)(15))
    assert kinds(story) == [[]]


def test_what_a_source_reports_itself_is_not_reported_again() -> None:
    story = Story()
    for number in range(4):
        at = noon(minutes=5 * number)
        story.tell(*in_one_scan(A, B)(5 * number))
        evidence = {"address": "10.0.0.1"}
        story.tell(*(finding(key, kind=SHARED, at=at, evidence=evidence) for key in (A, B)))
    assert kinds(story) == [[SHARED], [SHARED]]


def behind(port: int, id: int, key: str) -> Device:
    access = {"onvif": Access(host="10.0.0.1", port=port)}
    return Device(id, "camera", "here", (key,), address="10.0.0.1", access=access, listed=True)


@pytest.mark.parametrize(("ports", "has"), [((8081, 8082), []), ((8081, 8081), [TWO])])
def test_two_behind_a_port_forward_are_at_one_address_rightly(
    ports: tuple[int, int], has: list[str]
) -> None:
    devices = [behind(ports[0], 1, A), behind(ports[1], 2, B)]

    def asked(minutes: int) -> list[Sighting]:
        return [replace(each, source="onvif") for each in in_one_scan(A, B)(minutes)]

    assert kinds(story_of(asked, 3, *devices)) == [has, has]


def test_a_host_that_has_an_endpoint_reference_for_each_port_is_no_conflict() -> None:
    def asked(minutes: int) -> list[Sighting]:
        at = noon(minutes=minutes)
        return [
            seen(ONE, at=at, source="onvif", facts={"port": 8081}),
            seen(OTHER, at=at, source="onvif", facts={"port": 8082}),
        ]

    assert kinds(story_of(asked, 3)) == [[], []]


def test_a_stream_at_the_address_says_nothing_of_who_is_there() -> None:
    story = Story()
    for minutes in range(0, 60, 5):
        at = noon(minutes=minutes)
        story.tell(seen(A, at=at))
        story.tell(seen("rtsp:10.0.0.1:554/", at=at + timedelta(seconds=1), source="rtsp"))
    assert kinds(story) == [[]]


def test_equal_addresses_at_two_sites_are_two_places() -> None:
    story = Story()
    for minutes in range(0, 60, 5):
        mine, theirs = in_one_scan(A, B)(minutes)
        story.tell(mine, replace(theirs, site="plant 2"))
    assert kinds(story) == [[], []]
