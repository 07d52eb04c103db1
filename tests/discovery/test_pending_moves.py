"""What one discovery contradicts itself about: held back, unless it is no contradiction."""

from collections.abc import Sequence

from discovery.pending_moves import CONTESTED, PendingMoves
from fleet.model import Finding, Report, Sighting
from tests.fleet.reports import A, B, Story, edit, noon, seen

ENDPOINT, HOME, SECOND = "onvif:urn:uuid:1", "10.0.0.1", "10.0.0.2"


def discovered(story: Story, minutes: int, answers: Sequence[Sighting]) -> list[Report]:
    """The reports of one discovery that a fleet gets, and has then taken in."""
    moves = PendingMoves(
        lambda key, site: story.fleet.devices.get(story.fleet.index.get(key, 0)),
        story.fleet.disputed,
    )
    reports: list[Report] = [report for answer in answers for report in moves.hold_or_pass(answer)]
    reports += moves.end(noon(minutes=minutes), is_whole=True)
    story.tell(*reports)
    return reports


def test_a_mac_at_two_addresses_moves_nobody_and_is_one_finding() -> None:
    story = Story()
    for minutes in (0, 5, 10):
        at = noon(minutes=minutes)
        reports = discovered(story, minutes, [seen(A, at=at), seen(A, at=at, address=SECOND)])
        assert [type(report) for report in reports] == [Sighting, Finding]
    assert [finding.kind for finding in story.device().findings] == [CONTESTED]
    assert (story.device().address, story.fleet.disputed) == (HOME, {})


def test_an_endpoint_reference_at_two_addresses_is_a_device_with_two_interfaces() -> None:
    """Whichever of them answers first."""
    story = Story()
    for minutes, order in ((0, 1), (5, -1), (10, -1)):
        at = noon(minutes=minutes)
        answers = [seen(ENDPOINT, at=at), seen(ENDPOINT, at=at, address=SECOND)][::order]
        assert discovered(story, minutes, answers)[0] == seen(ENDPOINT, at=at)
    assert [event.kind for event in story.events] == ["device.found"]
    assert story.device().source_addresses["panasonic"].keys() == {HOME, SECOND}
    assert story.device().findings == ()


def test_a_mac_that_is_disputed_is_contested_no_more() -> None:
    """Its devices are known by their addresses: one finding says so, not two."""
    story = Story()
    story.tell(seen(ENDPOINT, A), seen("onvif:urn:uuid:2", A, address=SECOND))
    for minutes in (5, 10):
        at = noon(minutes=minutes)
        answers = [seen(A, at=at), seen(A, at=at, address=SECOND)]
        assert discovered(story, minutes, answers) == answers
    assert [device.last_seen for device in story.fleet.devices.values()] == [noon(minutes=10)] * 2
    assert [len(device.findings) for device in story.fleet.devices.values()] == [1, 0]


def test_a_contested_mac_of_a_merged_camera_is_one_finding_for_as_long_as_it_lasts() -> None:
    """Its other MAC, which nobody contests, ends nothing."""
    story = Story()
    cameras = ((A, HOME), (B, SECOND))
    for minutes in (0, 5):
        at = noon(minutes=minutes)
        discovered(story, minutes, [seen(key, at=at, address=ip) for key, ip in cameras])
    story.tell(edit("merge", "id:1", at=noon(minutes=6), **{"with": 2}))
    for minutes in (10, 15):
        at = noon(minutes=minutes)
        discovered(story, minutes, [seen(key, at=at, address=ip) for key, ip in cameras])
    before = len(story.events)
    for minutes, order in ((20, 1), (25, -1), (30, 1), (35, -1)):
        at = noon(minutes=minutes)
        answers = [seen(key, at=at, address=ip) for key, ip in (*cameras, (A, "10.0.0.66"))]
        discovered(story, minutes, answers[::order])
    assert [event.kind for event in story.events[before:]] == ["finding.raised"]
    assert [finding.kind for finding in story.device().findings] == [CONTESTED]
    for minutes in (40, 45):
        at = noon(minutes=minutes)
        discovered(story, minutes, [seen(key, at=at, address=ip) for key, ip in cameras])
    assert story.device().findings == (), "and it ends when nobody contests it"
