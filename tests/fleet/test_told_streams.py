"""A camera whose stream ONVIF names is checked by RTSP as well."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.edit.editing import can_undo, inverse
from fleet.identity import channel_key
from fleet.model import Access, Device, Edit, Event, Finding, Refused
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen

HOST, STREAM = "10.0.0.1", "/live/main"
SECRET = {"id": "s1", "sealed": "x"}


def added(**more: Any) -> Story:
    """A camera that a person added by the address and the login of its ONVIF service."""
    story = Story()
    given = {"source": "onvif", "host": HOST, "port": 8000, "username": "admin", "secret": SECRET}
    story.tell(edit("add", "", **{**given, **more}))
    return story


def named(minute: int = 1, link: str | None = STREAM, **more: Any) -> Any:
    links = {"stream": link} if link else {}
    given = {"source": "onvif", "address": HOST, "device": 1, "links": links, **more}
    return seen(A, at=noon(minutes=minute), **given)


def camera(story: Story) -> Device:
    return story.fleet.devices[1]


def linked(story: Story) -> Event:
    """The event that says so."""
    (event,) = [event for event in story.events if event.kind == "device.linked"]
    return event


def undo(event: Event) -> Edit:
    return inverse(event, "tester", noon(minutes=30))


def test_the_stream_is_checked_with_the_login_of_onvif_as_soon_as_it_is_named() -> None:
    story = added()
    story.tell(named(link=None))
    assert camera(story).access.keys() == {"onvif"}
    story.tell(named(2))
    assert linked(story).text.endswith(f": RTSP checks {HOST}{STREAM}")
    assert camera(story).access["rtsp"] == Access(
        HOST, None, STREAM, username="admin", secret="s1", digest_only=True
    )
    assert f"rtsp:{HOST}{STREAM}" in camera(story).identities


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"username": None, "secret": None}, {}),
        (
            {"username": None, "secret": None, "options": {"login": "none", "tls": True}},
            {"options": {"login": "none"}},
        ),
        ({"interval": 600}, {"username": "admin", "secret": "s1", "interval": 600}),
    ],
)
def test_the_stream_has_the_kind_of_login_and_the_interval_of_onvif(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    story = added(**given)
    story.tell(named(link=":8554/live"))
    assert camera(story).access["rtsp"] == Access(HOST, 8554, "/live", digest_only=True, **expected)


def test_nothing_says_that_rtsp_took_the_login_of_onvif() -> None:
    story = added()
    device = camera(story)
    ways = {"onvif": replace(device.access["onvif"], method="digest-md5")}
    story.fleet = replace(story.fleet, devices={1: replace(device, access=ways)})
    story.tell(named())
    assert camera(story).access["rtsp"].method == ""


def test_an_encrypted_stream_is_checked_with_tls() -> None:
    story = added(options={"tls": True})
    story.tell(named(link="rtsps:322/live"))
    access = camera(story).access["rtsp"]
    assert (access.port, access.path, access.options) == (322, "/live", {"tls": True})


def test_a_person_who_enters_the_password_confirms_the_port_and_an_undo_takes_that_back() -> None:
    story = added()
    story.tell(named(link=":8554/live"))
    story.tell(edit("change", "id:1", source="rtsp", path="/mine", username="root"))
    assert camera(story).access["rtsp"].digest_only, "nobody entered a password"
    entered = edit("change", "id:1", source="rtsp", secret={"id": "s2", "sealed": "y"})
    story.tell(entered)
    assert not camera(story).access["rtsp"].digest_only
    story.tell(undo(story.events[-1]))
    assert (camera(story).access["rtsp"].secret, camera(story).access["rtsp"].digest_only) == (
        "s1",
        True,
    )


def test_a_password_that_was_entered_for_tls_is_not_revealed_without_it() -> None:
    story = Story()
    given = {"source": "rtsp", "host": HOST, "port": 322, "path": STREAM, "options": {"tls": True}}
    story.tell(edit("add", "", **given, username="admin", secret=SECRET))
    assert not camera(story).access["rtsp"].digest_only
    story.tell(edit("change", "id:1", source="rtsp", options={}))
    assert camera(story).access["rtsp"].digest_only


RTSP_ALONE = {"host": HOST, "port": 554, "username": "admin", "secret": {"id": "s2", "sealed": "y"}}
"""RTSP at an address alone, as the API adds it beside ONVIF."""


def test_an_address_alone_gets_the_path_that_onvif_names() -> None:
    story = added(more={"rtsp": RTSP_ALONE})
    added_event = story.events[-1]
    story.tell(missed(f"rtsp:{HOST}", at=noon(minutes=1), source="rtsp"))
    story.tell(named(2))
    way = Access(HOST, 554, STREAM, username="admin", secret="s2")
    assert camera(story).access["rtsp"] == way
    assert linked(story).text.endswith(f": RTSP checks {HOST}:554{STREAM}")
    assert f"rtsp:{HOST}:554" not in camera(story).identities
    assert story.tell(named(3)) == []
    story.tell(undo(linked(story)))
    assert camera(story).access["rtsp"].path == ""
    story.tell(named(4))
    assert camera(story).access["rtsp"].path == "", "a person took it back"
    story.tell(undo(added_event))
    assert 1 not in story.fleet.devices


def test_an_addition_is_undone_after_its_address_got_a_path() -> None:
    story = added(more={"rtsp": RTSP_ALONE})
    added_event = story.events[-1]
    story.tell(named(2))
    story.tell(undo(added_event))
    assert 1 not in story.fleet.devices


@pytest.mark.parametrize("known", [{"path": "/mine"}, {"port": 8554}, {"host": "10.0.0.9"}])
def test_an_address_that_means_another_stream_stays(known: dict[str, Any]) -> None:
    story = added(more={"rtsp": {**RTSP_ALONE, **known}})
    before = camera(story).access
    story.tell(named(2))
    assert camera(story).access == before


def test_a_recorder_added_by_its_address_leaves_rtsp_to_its_channels() -> None:
    story = added(more={"rtsp": RTSP_ALONE})
    added_event, at = story.events[-1], noon(minutes=1)
    path = Finding("id:1", "stream.path", at, "no stream without a path", "rtsp")
    story.tell(seen(f"rtsp:{HOST}", at=at, source="rtsp", device=1), path)
    channel = seen(channel_key(A, "1"), at=noon(minutes=2), source="onvif", links={"stream": "/1"})
    story.tell(named(2, link=None), channel)
    assert camera(story).access.keys() == {"onvif"}
    assert camera(story).findings == ()
    assert "rtsp" not in camera(story).states
    assert story.device(2).access["rtsp"].path == "/1"
    (event,) = [event for event in story.events if event.kind == "device.unlinked"]
    assert can_undo(event)
    story.tell(undo(added_event))
    assert 1 not in story.fleet.devices


def test_a_path_that_a_person_entered_stays() -> None:
    story = added()
    story.tell(edit("link", "id:1", source="rtsp", host=HOST, path="/mine"))
    story.tell(named())
    assert camera(story).access["rtsp"].path == "/mine"


def test_what_a_person_took_back_does_not_come_back() -> None:
    story = added()
    story.tell(named())
    assert can_undo(linked(story))
    story.tell(undo(linked(story)))
    story.tell(named(3))
    story.tell(named(4, link="/other"))
    assert camera(story).access.keys() == {"onvif"}
    assert f"rtsp:{HOST}{STREAM}" not in camera(story).identities


def test_a_stream_that_another_record_has_is_left_to_it() -> None:
    story = Story()
    story.tell(edit("add", "", source="rtsp", host=HOST, path=STREAM))
    story.tell(edit("add", "", source="onvif", host=HOST, is_another=True))
    story.tell(named(device=2))
    first, second = story.fleet.devices.values()
    assert (first.access.keys(), second.access.keys()) == ({"rtsp"}, {"onvif"})


def test_a_device_that_nobody_gave_an_onvif_access_gets_none_to_its_stream() -> None:
    story = Story()
    story.tell(seen(B, source="onvif", links={"stream": STREAM}))
    assert not story.fleet.devices[1].access


def test_adding_is_still_undone_after_the_stream_was_named() -> None:
    story = added()
    story.tell(named())
    story.tell(undo(story.events[0]))
    assert not story.fleet.devices


def test_adding_is_not_undone_after_a_person_changed_that_stream() -> None:
    story = added()
    story.tell(named())
    story.tell(edit("change", "id:1", source="rtsp", path="/mine"))
    with pytest.raises(Refused):
        story.tell(undo(story.events[0]))
