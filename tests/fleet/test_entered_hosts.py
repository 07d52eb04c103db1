"""Addresses that a person entered follow a device that discovery finds elsewhere."""

from typing import Any

from fleet.model import Edit
from fleet.places import session_owner
from tests.fleet.reports import A, Story, noon, seen

HERE, THERE, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.3"
STREAM = f"channel:rtsp:{HERE}:554/%2F2"


def added(source: str, host: str = HERE, **fields: Any) -> Edit:
    return Edit("add", "", {"source": source, "host": host, **fields}, "tester", noon())


def answered(story: Story, minute: int, address: str = HERE, keys: tuple[str, ...] = (A,)) -> None:
    """The first device answers a check at its address."""
    at = noon(minutes=minute)
    story.tell(seen(*keys, at=at, source="onvif", address=address, device=1))


def camera() -> Story:
    """A camera that was added by its address, for ONVIF and RTSP, and has answered there."""
    story = Story()
    secret = {"id": "s1", "sealed": "sealed"}
    more = {"rtsp": {"host": HERE, "path": "/1", "username": "admin", "secret": secret}}
    story.tell(added("onvif", more=more))
    answered(story, 1)
    return story


def hosts(story: Story, id: int = 1) -> dict[str, str | None]:
    return {source: access.host for source, access in story.device(id).access.items()}


def test_a_camera_that_a_search_finds_elsewhere_is_checked_there() -> None:
    story = camera()
    assert hosts(story) == {"onvif": HERE, "rtsp": HERE}
    story.tell(seen(A, at=noon(hours=1), address=THERE))
    assert hosts(story) == {"onvif": None, "rtsp": None}
    assert story.device(1).address == THERE
    assert story.device(1).identities == (A,)


def test_its_password_is_still_that_of_the_address_for_which_it_was_saved() -> None:
    story = camera()
    story.tell(seen(A, at=noon(hours=1), address=THERE))
    access = story.device(1).access["rtsp"]
    assert (access.secret, access.secret_host) == ("s1", HERE)
    story.tell(seen(A, at=noon(hours=2), address=OTHER))
    assert story.device(1).access["rtsp"].secret_host == HERE


def test_an_address_at_which_the_device_answers_beside_another_stays() -> None:
    story = camera()
    story.tell(seen(A, at=noon(minutes=2), address=THERE, asked=noon(minutes=2), device=1))
    assert hosts(story) == {"onvif": HERE, "rtsp": HERE}


def test_a_host_name_and_another_address_stay() -> None:
    story = Story()
    more = {"rtsp": {"host": "gate.example", "path": "/1"}, "snmp": {"host": OTHER}}
    story.tell(added("onvif", more=more))
    answered(story, 1)
    story.tell(seen(A, at=noon(hours=1), address=THERE))
    assert hosts(story) == {"onvif": None, "rtsp": "gate.example", "snmp": OTHER}


def recorder(source: str = "onvif", **fields: Any) -> Story:
    """A recorder, and a stream that a person added as a channel of it."""
    story = Story()
    story.tell(added(source, kind="recorder", **fields))
    story.tell(added("rtsp", path="/2", channel_of=1))
    return story


def test_a_channel_that_a_person_added_follows_its_recorder_that_a_search_finds() -> None:
    story = recorder()
    answered(story, 1)
    assert story.device(2).identities == (STREAM, f"rtsp:{HERE}/2")
    story.tell(seen(A, at=noon(hours=1), address=THERE))
    channel = story.device(2)
    assert (channel.address, hosts(story, 2)) == (THERE, {"rtsp": None})
    assert channel.identities == (STREAM.replace(HERE, THERE),)
    assert session_owner(channel, "rtsp", story.fleet.devices) == 1


def test_a_channel_follows_when_a_person_edits_the_address_of_its_recorder() -> None:
    story = recorder("rtsp", path="/1")
    place = f"rtsp:{HERE}/1"
    story.tell(seen(place, at=noon(minutes=1), source="rtsp", device=1))
    story.tell(Edit("change", "id:1", {"host": THERE}, "tester", noon(minutes=2)))
    assert hosts(story, 2) == {"rtsp": HERE}
    story.tell(seen(f"rtsp:{THERE}/1", at=noon(hours=1), source="rtsp", address=THERE, device=1))
    assert (story.device(2).address, hosts(story, 2)) == (THERE, {"rtsp": None})
    # The former place is free for another recorder with the same paths.
    story.tell(added("rtsp", path="/1"))
    assert story.tell(added("rtsp", path="/2", channel_of=3)) == ["device.added"]


def test_a_channel_stays_where_its_recorder_is_still_checked() -> None:
    story = recorder(more={"rtsp": {"host": THERE, "path": "/1"}})
    answered(story, 1)
    story.tell(seen(A, at=noon(hours=1), source="rtsp", address=THERE, device=1))
    assert story.device(1).address == THERE
    assert hosts(story, 2) == {"rtsp": HERE}
