"""Channels of a recorder: cameras of their own that share its address, its MAC and its fate."""

from dataclasses import replace
from typing import Any

import pytest

from fleet import labels
from fleet.channels import NO_SIGNAL
from fleet.edit.editing import inverse
from fleet.identity import channel_key
from fleet.model import Access, Edit, Event, Refused, Sighting
from fleet.reduce.channels import MAX_CHANNELS
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen

ENDPOINT, OTHER = "onvif:urn:uuid:1", "onvif:urn:uuid:2"


def channel(part: str, owner: str = A, minute: int = 0, **fields: Any) -> Sighting:
    """What a recorder reports of one channel."""
    links = {"stream": f"/cam?channel={part}"}
    given = {"source": "onvif", "links": links, "facts": {"channel": part}, **fields}
    return seen(channel_key(owner, f"VideoSource_{part}"), at=noon(minutes=minute), **given)


def scan(*parts: str, owner: str = A, minute: int = 0, **fields: Any) -> list[Sighting]:
    """A probe of the recorder with its channels."""
    recorder = seen(owner, at=noon(minutes=minute), source="onvif", kind="recorder", **fields)
    return [recorder, *(channel(part, owner, minute, **fields) for part in parts)]


def recorder_with(*parts: str) -> Story:
    story = Story()
    story.tell(*scan(*parts))
    return story


def undo(story: Story, event: Event | None = None) -> list[str]:
    return story.tell(inverse(event or story.events[-1], "tester", noon(minutes=30)))


# -- what a recorder reports -----------------------------------------------------------------


def test_a_channel_is_a_camera_behind_its_recorder_and_is_asked_for_its_stream() -> None:
    story = recorder_with("1", "2")
    recorder, first, second = story.fleet.devices.values()
    assert (recorder.kind, recorder.parents, recorder.access) == ("recorder", (), {})
    for device, path in ((first, "/cam?channel=1"), (second, "/cam?channel=2")):
        assert (device.kind, device.parents, device.address) == ("camera", (1,), "10.0.0.1")
        assert device.access == {"rtsp": Access(path=path, digest_only=True)}
    assert [event.text for event in story.events[1:]] == [
        "Channel 1 was found at 10.0.0.1",
        "Channel 2 was found at 10.0.0.1",
    ]


@pytest.mark.parametrize("number", [1, 16, MAX_CHANNELS])
def test_a_new_scan_finds_the_same_ids(number: int) -> None:
    parts = [str(part) for part in range(1, number + 1)]
    story = recorder_with(*parts)
    ids = list(story.fleet.devices)
    assert len(ids) == 1 + number
    assert story.tell(*scan(*parts, minute=5)) == []
    assert story.tell(*scan(*reversed(parts), minute=10)) == []
    assert list(story.fleet.devices) == ids


def test_a_recorder_that_invents_channels_gets_no_more_than_a_recorder_can_have() -> None:
    story = recorder_with(*(str(part) for part in range(MAX_CHANNELS + 5)))
    assert len(story.fleet.devices) == 1 + MAX_CHANNELS


def test_a_camera_with_several_sensors_stays_a_camera_and_has_channels() -> None:
    story = Story()
    story.tell(seen(A, source="onvif"), channel("1"), channel("2"))
    assert [device.kind for device in story.fleet.devices.values()] == ["camera"] * 3
    assert [device.parents for device in story.fleet.devices.values()] == [(), (1,), (1,)]


def test_a_channel_comes_before_its_recorder_in_the_batch() -> None:
    story = Story()
    story.tell(channel("1"), seen(A, source="onvif", kind="recorder"))
    story.tell(*scan("1", minute=5))
    assert story.device(1).parents == (2,)


def test_channels_are_never_one_with_the_recorder_or_with_each_other() -> None:
    """All have its address, and its MAC and endpoint beside their own key."""
    story = Story()
    for minute in (0, 5, 10):
        at = noon(minutes=minute)
        story.tell(
            seen(ENDPOINT, A, at=at, source="onvif", kind="recorder"),
            *(
                seen(channel_key(ENDPOINT, part), A, ENDPOINT, at=at, source="onvif", device=1)
                for part in ("1", "2", "3")
            ),
        )
    assert len(story.fleet.devices) == 4
    assert story.device(1).identities == (ENDPOINT, A)


def test_a_recorder_that_was_reset_keeps_its_channels() -> None:
    """It gives itself a new endpoint reference, which is in the key of each channel."""
    story = Story()
    story.tell(seen(ENDPOINT, A, source="onvif"), channel("1", ENDPOINT), channel("2", ENDPOINT))
    at = noon(minutes=5)
    story.tell(
        seen(OTHER, A, at=at, source="onvif"), channel("1", OTHER, 5), channel("2", OTHER, 5)
    )
    assert list(story.fleet.devices) == [1, 2, 3]
    assert story.device(2).identities == (channel_key(OTHER, "VideoSource_1"),)


def test_a_recorder_without_any_global_key_has_channels_by_its_place() -> None:
    story = Story()
    place = "at:onvif:10.0.0.1:80/onvif"
    story.tell(edit("add", "", source="onvif", host="10.0.0.1", port=80, path="/onvif"))
    for minute in (1, 6):
        at = noon(minutes=minute)
        story.tell(
            seen(place, at=at, source="onvif", kind="recorder", device=1),
            channel("1", place, minute, device=1),
        )
    assert [device.parents for device in story.fleet.devices.values()] == [(), (1,)]


# -- its stream ------------------------------------------------------------------------------


def test_a_channel_takes_the_new_path_of_its_stream() -> None:
    story = recorder_with("1")
    story.tell(*scan("1", minute=5, links={"stream": ":8554/live/1?profile=a"}))
    assert story.device(2).access["rtsp"] == Access(
        port=8554, path="/live/1?profile=a", digest_only=True
    )
    assert story.device(2).links["stream"] == ":8554/live/1?profile=a"


def test_a_path_that_a_person_set_stays() -> None:
    story = recorder_with("1")
    story.tell(edit("change", "id:2", source="rtsp", path="/sub", username="viewer"))
    story.tell(*scan("1", minute=5, links={"stream": "/live/1"}))
    assert story.device(2).access["rtsp"] == Access(
        path="/sub", username="viewer", digest_only=True
    )


def test_a_login_that_a_person_set_stays_with_the_new_path() -> None:
    story = recorder_with("1")
    story.tell(edit("change", "id:2", source="rtsp", username="viewer"))
    story.tell(*scan("1", minute=5, links={"stream": "/live/1"}))
    assert story.device(2).access["rtsp"] == Access(
        path="/live/1", username="viewer", digest_only=True
    )


@pytest.mark.parametrize("link", ["/live 1", ":99999/live", "/a?password=secret", "", ":"])
def test_a_link_that_cannot_be_asked_makes_no_access(link: str) -> None:
    story = Story()
    story.tell(*scan("1", links={"stream": link}))
    assert story.device(2).access == {}


def test_a_channel_answers_for_itself() -> None:
    """Its stream proves no more than the place, and the recorder has the same address."""
    story = recorder_with("1", "2")
    place = "rtsp:10.0.0.1/cam?channel=1"
    story.tell(missed("id:2", noon(minutes=20), source="rtsp"))
    assert [story.status(id, noon(minutes=20)) for id in (1, 2, 3)] == [
        "ACTIVE",
        "OFFLINE",
        "ACTIVE",
    ]
    at = noon(minutes=21)
    story.tell(seen(place, at=at, source="rtsp", device=2, facts={"codec": "H.265"}))
    assert story.status(2, at) == "ACTIVE"
    assert story.device(2).facts["rtsp"] == {"codec": "H.265"}
    assert [device.identities for device in story.fleet.devices.values()] == [
        (A,),
        (channel_key(A, "VideoSource_1"),),
        (channel_key(A, "VideoSource_2"),),
    ]


def test_a_channel_without_signal_is_the_matter_of_that_camera() -> None:
    story = Story()
    story.tell(*scan("1"), channel("2", facts={"signal": False}))
    assert [
        [fault.kind for fault in device.findings] for device in story.fleet.devices.values()
    ] == [
        [],
        [],
        [NO_SIGNAL],
    ]
    story.tell(*scan("1", minute=5), channel("2", minute=5, facts={"signal": True}))
    assert not story.device(3).findings


# -- where it is -----------------------------------------------------------------------------


def test_a_recorder_that_moves_takes_its_channels_along_as_one_move() -> None:
    story = recorder_with("1", "2")
    kinds = story.tell(seen(A, at=noon(minutes=5), address="10.0.0.7"))
    assert kinds == ["device.moved"]
    assert {device.address for device in story.fleet.devices.values()} == {"10.0.0.7"}
    assert [change.ip for change in story.device(3).addresses] == ["10.0.0.1", "10.0.0.7"]
    assert story.device(3).access["rtsp"].host is None
    assert story.status(3, noon(minutes=5)) == "ACTIVE"


def test_the_address_in_the_report_of_a_channel_is_that_of_the_recorder() -> None:
    story = recorder_with("1")
    story.tell(*scan(minute=5), channel("1", minute=5, address="192.0.2.9"))
    assert story.device(2).address == "10.0.0.1"


def test_what_is_only_at_the_address_belongs_to_the_recorder_and_to_no_channel() -> None:
    parts = [str(part) for part in range(1, 101)]
    story = recorder_with(*parts)
    story.tell(seen("snmp:10.0.0.1:161", at=noon(minutes=1), source="snmp"))
    assert "snmp:10.0.0.1:161" in story.device(1).identities
    assert len(story.fleet.devices) == 101


# -- when it is off --------------------------------------------------------------------------


def test_a_recorder_that_is_off_is_one_outage() -> None:
    story = recorder_with("1", "2")
    at = noon(minutes=30)
    kinds = story.tell(
        *(missed(f"id:{id}", at, source="rtsp") for id in (2, 3)),
        missed("id:1", at, source="onvif"),
    )
    assert sorted(kinds) == ["device.offline", "device.unreachable", "device.unreachable"]
    assert [story.status(id, at) for id in (1, 2, 3)] == ["OFFLINE", "UNREACHABLE", "UNREACHABLE"]


def test_a_channel_that_is_no_longer_reported_is_offline_and_then_missing() -> None:
    story = recorder_with("1", "2")
    at = noon(minutes=30)
    story.tell(*scan("1", minute=30), missed("id:3", at, source="onvif"))
    assert [story.status(id, at) for id in (1, 2, 3)] == ["ACTIVE", "ACTIVE", "OFFLINE"]
    assert story.status(3, noon(days=2)) == "MISSING"
    assert story.device(3).retired_at is None


# -- what people do with the recorder --------------------------------------------------------


def test_the_channels_of_a_retired_recorder_are_retired_and_restored_with_it() -> None:
    story = recorder_with("1", "2")
    story.tell(edit("retire", "id:3", at=noon(minutes=1)))
    story.tell(edit("retire", "id:1", at=noon(minutes=2)))
    assert story.events[-1].text.endswith("was retired by tester, with 1 channel")
    assert all(device.retired_at for device in story.fleet.devices.values())
    undo(story)
    assert [bool(device.retired_at) for device in story.fleet.devices.values()] == [
        False,
        False,
        True,
    ]


def test_a_retired_recorder_that_answers_comes_back_with_its_channels() -> None:
    story = recorder_with("1", "2")
    story.tell(edit("retire", "id:1", at=noon(minutes=1)))
    story.tell(seen(A, at=noon(minutes=5)))
    assert not any(device.retired_at for device in story.fleet.devices.values())


def test_the_channels_of_a_deleted_recorder_are_deleted_with_it() -> None:
    story = recorder_with("1", "2")
    story.tell(seen(B, address="10.0.0.2"))
    story.tell(edit("delete", "id:1"))
    assert story.events[-1].text.endswith("was deleted by tester, with 2 channels")
    assert list(story.fleet.devices) == [4]


def test_the_channels_of_an_ignored_recorder_do_not_come_back() -> None:
    story = recorder_with("1", "2")
    story.tell(edit("ignore", "id:1", at=noon(minutes=1)))
    assert story.tell(*scan("1", "2", "3", minute=5)) == []
    assert all(device.retired_at for device in story.fleet.devices.values())
    undo(story)
    assert not any(device.retired_at for device in story.fleet.devices.values())
    story.tell(edit("ignore", "id:1", at=noon(minutes=31)), edit("delete", "id:1"))
    assert story.tell(*scan("1", "2", minute=35)) == []


def test_the_channels_of_merged_recorders_are_behind_the_one_that_remains() -> None:
    story = recorder_with("1", "2")
    story.tell(seen(B, source="onvif", kind="recorder", address="10.0.0.2"))
    story.tell(channel("9", B, address="10.0.0.2"))
    story.tell(Edit("merge", "id:1", {"with": 4}, "tester", noon(minutes=1)))
    assert [story.device(id).parents for id in (2, 3, 5)] == [(1,)] * 3
    undo(story)
    assert [story.device(id).parents for id in (2, 3, 5)] == [(1,), (1,), (4,)]
    assert [story.device(id).address for id in (2, 3, 5)] == ["10.0.0.1", "10.0.0.1", "10.0.0.2"]


def test_a_channel_that_was_found_while_two_recorders_were_merged_goes_to_its_own() -> None:
    story = recorder_with("1")
    story.tell(seen(B, source="onvif", kind="recorder", address="10.0.0.2"))
    story.tell(Edit("merge", "id:1", {"with": 3}, "tester", noon(minutes=1)))
    merged = story.events[-1]
    story.tell(channel("9", B, 2, address="10.0.0.2"))
    assert story.device(4).parents == (1,)
    undo(story, merged)
    assert [story.device(id).parents for id in (2, 4)] == [(1,), (3,)]


def test_the_channels_of_a_split_recorder_go_with_the_key_of_their_owner() -> None:
    story = recorder_with("1")
    story.tell(seen(B, source="onvif", kind="recorder", address="10.0.0.2"))
    story.tell(channel("9", B, address="10.0.0.2"))
    story.tell(Edit("merge", "id:1", {"with": 3}, "tester", noon(minutes=1)))
    story.tell(edit("split", "id:1", identities=[B]))
    assert [story.device(id).parents for id in (2, 4)] == [(1,), (5,)]
    undo(story)
    assert [story.device(id).parents for id in (2, 4)] == [(1,), (1,)]


def test_a_channel_and_its_recorder_cannot_be_merged() -> None:
    story = recorder_with("1")
    for key, other in (("id:1", 2), ("id:2", 1)):
        with pytest.raises(Refused, match="is a channel of"):
            story.tell(Edit("merge", key, {"with": other}, "tester", noon()))


def test_a_camera_that_a_recorder_records_too_is_asked_at_its_own_address() -> None:
    """A person said that the camera and the channel are the same."""
    story = recorder_with("1")
    story.tell(seen(B, address="10.0.0.50", name="Gate"))
    story.tell(Edit("merge", "id:2", {"with": 3}, "tester", noon(minutes=1)))
    story.tell(seen(B, at=noon(minutes=5), address="10.0.0.50", name="Gate"))
    assert (story.device(2).address, story.device(2).access) == ("10.0.0.50", {})
    assert story.tell(*scan("1", minute=6)) == []
    assert (story.device(2).address, story.device(2).access) == ("10.0.0.50", {})
    assert list(story.fleet.devices) == [1, 2]


# -- added by a person -----------------------------------------------------------------------


def added(path: str, **fields: Any) -> Edit:
    way = {"source": "rtsp", "host": "10.0.0.1", "path": path}
    return Edit("add", "", {**way, **fields}, "tester", noon(minutes=1))


def listed_recorder(site: str = "here") -> Edit:
    way = {"source": "onvif", "host": "10.0.0.1", "site": site}
    return Edit("add", "", {**way, "kind": "recorder"}, "tester", noon())


def test_a_stream_that_a_person_adds_at_a_camera_with_channels_is_one_of_them() -> None:
    story = Story()
    story.tell(seen(A, source="onvif"), channel("1"), channel("2"), added("/cam?channel=3"))
    assert (story.device(1).kind, story.device(4).parents) == ("camera", (1,))


def test_a_stream_that_a_person_adds_at_a_recorder_is_a_channel_of_it() -> None:
    story = Story()
    story.tell(seen(A, kind="recorder"), added("/cam?channel=1"), added("/cam?channel=2"))
    first, second = story.device(2), story.device(3)
    assert [device.parents for device in (first, second)] == [(1,), (1,)]
    key = "channel:rtsp:10.0.0.1:554/%2Fcam%3Fchannel%3D2"
    assert second.identities == (key, "rtsp:10.0.0.1/cam?channel=2")
    at = noon(minutes=5)
    story.tell(*(seen(device.identities[1], at=at, source="rtsp") for device in (first, second)))
    story.tell(seen(A, at=noon(minutes=6), kind="recorder"))
    assert [device.last_seen for device in (story.device(2), story.device(3))] == [at, at]
    assert list(story.fleet.devices) == [1, 2, 3]


def test_the_same_stream_of_a_recorder_is_not_added_twice() -> None:
    story = Story()
    story.tell(seen(A, kind="recorder"), added("/1"))
    for port in (None, 554):
        with pytest.raises(Refused, match="is already in the list"):
            story.tell(added("/1", port=port))
    assert story.tell(added("/1", port=8554)) == ["device.added"]


def test_a_channel_that_a_person_added_is_the_one_that_the_recorder_reports_with_its_path() -> None:
    story = Story()
    story.tell(seen(A, kind="recorder"), added("/cam?channel=2", name="Gate", username="viewer"))
    story.tell(*scan("1", "2", minute=5))
    assert [device.name for device in story.fleet.devices.values()] == [None, "Gate", None]
    access = Access("10.0.0.1", path="/cam?channel=2", username="viewer")
    assert story.device(2).access["rtsp"] == access
    assert story.tell(*scan("1", "2", minute=10)) == []


@pytest.mark.parametrize("more", [{}, {"channel_of": 1}, {"port": 554}, {"is_another": True}])
def test_a_stream_that_a_recorder_reported_is_not_added_again(more: dict[str, Any]) -> None:
    story = recorder_with("1", "2")
    with pytest.raises(Refused, match="was already found at this address"):
        story.tell(added("/cam?channel=2", **more))
    assert list(story.fleet.devices) == [1, 2, 3]


@pytest.mark.parametrize("channel_of", [1, None])
def test_a_channel_whose_stream_is_named_later_is_the_one_that_a_person_added(
    channel_of: int | None,
) -> None:
    story = recorder_with("1")
    given = {} if channel_of is None else {"channel_of": channel_of}
    story.tell(added("/cam?channel=5", name="Gate", **given))
    story.tell(channel("5", minute=5, links={}))
    assert len(story.fleet.devices) == 4
    story.tell(channel("5", minute=6))
    assert [device.name for device in story.fleet.devices.values()] == [None, None, "Gate"]
    assert story.tell(channel("5", minute=9)) == []


def test_a_camera_that_was_added_by_its_stream_becomes_the_channel_of_the_recorder() -> None:
    story = Story()
    story.tell(added("/cam?channel=2", name="Gate", username="viewer", port=554))
    way = {"source": "onvif", "host": "10.0.0.1", "kind": "recorder", "is_another": True}
    story.tell(Edit("add", "", way, "tester", noon(minutes=2)))
    story.tell(*scan("1", "2", owner="at:onvif:10.0.0.1", minute=5))
    assert [device.name for device in story.fleet.devices.values()] == ["Gate", None, None]
    gate = story.device(1)
    assert gate.parents == (2,)
    assert gate.access["rtsp"] == Access("10.0.0.1", 554, "/cam?channel=2", username="viewer")
    assert story.tell(*scan("1", "2", owner="at:onvif:10.0.0.1", minute=9)) == []


def test_a_stream_at_a_recorder_that_was_only_listed_is_its_channel_by_the_parent() -> None:
    story = Story()
    story.tell(listed_recorder())
    story.tell(added("/1", parents=[1]))
    assert story.device(2).identities[0].startswith("channel:rtsp:10.0.0.1:554/")


def test_a_recorder_of_the_workbook_gets_channels_by_the_address_that_a_person_links() -> None:
    story = Story()
    row = {"kind": "recorder", "site": "1041"}
    facts = {"serial": "ABC1", "row_site": "1041", "store": "North"}
    story.tell(
        Edit("list", "row:1041", {**row, "source": "workbook", "facts": facts}, "p.xlsx", noon())
    )
    story.tell(edit("link", "id:1", source="onvif", host="10.0.0.1", username="admin"))
    for minute in (1, 6):
        at = noon(minutes=minute)
        given = {"at": at, "source": "onvif", "device": 1}
        reports = [seen(ENDPOINT, A, kind="recorder", **given)]
        reports += [
            seen(channel_key(ENDPOINT, part), links={"stream": f"/{part}"}, **given)
            for part in "12"
        ]
        story.tell(*(replace(report, site="1041") for report in reports))
    recorder, *served = story.fleet.devices.values()
    assert recorder.identities[0] == "row:1041"
    assert [(device.site, device.parents) for device in served] == [("1041", (1,))] * 2


@pytest.mark.parametrize("site", ["here", "North"])
def test_the_links_of_a_camera_have_no_host_and_stay_when_it_moves(site: str) -> None:
    story = Story()
    links = {"stream": "/live?profile=1", "snapshot": "/snap.jpg"}
    first = seen(ENDPOINT, A, source="onvif", links=links)
    moved = seen(A, at=noon(minutes=5), address="10.0.0.7")
    story.tell(replace(first, site=site), replace(moved, site=site))
    assert (story.device().address, story.device().links) == ("10.0.0.7", links)


def test_the_channels_of_equal_recorders_at_two_sites_are_those_of_each() -> None:
    """Both prove only their place, which is the same private address."""
    story = Story()
    for site in ("North", "South"):
        story.tell(listed_recorder(site))
        place = "at:onvif:10.0.0.1"
        recorder = seen(place, source="onvif", kind="recorder")
        served = channel("1", place)
        story.tell(replace(recorder, site=site), replace(served, site=site))
    devices = story.fleet.devices.values()
    assert [(device.site, device.parents) for device in devices] == [
        ("North", ()),
        ("North", (1,)),
        ("South", ()),
        ("South", (3,)),
    ]


def test_a_channel_is_never_shown_with_the_name_of_what_its_recorder_is_behind() -> None:
    story = recorder_with("1", "2")
    channel, switch = story.device(2), replace(story.device(1), id=9, kind="switch", name="Switch")
    assert labels.name_among(channel, {1: replace(story.device(1), name="North")}) == (
        "North, channel 1"
    )
    seen_by_limited = replace(channel, parents=(9,))
    elsewhere = replace(switch, identities=(B,))
    assert labels.name_among(seen_by_limited, {9: elsewhere}) == "Channel 1"
