"""Automatic merges: records that prove to be one device, and those that never do."""

from dataclasses import replace

import pytest

from fleet.database import record
from fleet.model import MAX_ADDRESSES, AddressChange, Device, SourceState
from fleet.status import UNREACHABLE
from tests.fleet.reports import NOON, A, B, Story, edit, heard, missed, noon, seen

ONVIF, RTSP = "onvif:urn:uuid:1", "rtsp:10.0.0.1:554/live"


def two_of_one() -> Story:
    """Camera 1 by its MAC, camera 2 by its ONVIF reference: nobody knows that they are one."""
    story = Story()
    story.tell(seen(A, name="Gate"))
    story.tell(
        seen(ONVIF, at=noon(minutes=1), source="onvif", name="WV", address="10.0.0.7"),
        edit("change", "id:2", noon(minutes=1), notes="by the door"),
    )
    assert list(story.fleet.devices) == [1, 2]
    return story


def test_two_records_that_prove_to_be_one_become_the_one_with_the_lower_number() -> None:
    story = two_of_one()
    assert story.tell(seen(ONVIF, A, at=noon(minutes=2), source="onvif", name="WV")) == [
        "device.merged"
    ]
    assert story.events[-1].device == 1
    device = story.device()
    assert list(story.fleet.devices) == [1]
    assert story.fleet.redirects == {2: 1}
    assert set(device.identities) == {A, ONVIF}
    assert device.facts == {"panasonic": {"name": "Gate"}, "onvif": {"name": "WV"}}
    assert [address.ip for address in device.addresses] == ["10.0.0.1", "10.0.0.7"]
    assert (device.first_seen, device.notes, device.sightings) == (noon(), "by the door", 3)


def test_the_number_that_went_redirects_for_ever() -> None:
    story = two_of_one()
    story.tell(seen(ONVIF, A, at=noon(minutes=2), source="onvif"))
    assert story.tell(edit("change", "id:2", name="North gate")) == ["device.edited"]
    assert story.device().name == "North gate"
    assert story.tell(seen(B, address="10.0.0.2")) == ["device.found"]
    assert list(story.fleet.devices) == [1, 3], "the number 2 is not given again"


def test_redirects_lead_to_the_living_one_through_several_merges() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(seen(ONVIF, source="onvif"))
    story.tell(seen("onvif:urn:uuid:2", source="onvif"))
    story.tell(seen("onvif:urn:uuid:2", ONVIF, source="onvif"))
    assert story.fleet.redirects == {3: 2}
    story.tell(seen(A, ONVIF, source="onvif"))
    assert story.fleet.redirects == {3: 1, 2: 1}
    assert list(story.fleet.devices) == [1]


def test_three_records_become_one_at_once() -> None:
    story = Story()
    for key in (ONVIF, "onvif:urn:uuid:2", A):
        story.tell(seen(key, source="onvif"))
    kinds = story.tell(seen(A, ONVIF, "onvif:urn:uuid:2", at=noon(minutes=1), source="onvif"))
    assert kinds == ["device.merged", "device.merged"]
    assert story.fleet.redirects == {2: 1, 3: 1}


def test_children_of_a_record_that_went_hang_on_the_one_that_stays() -> None:
    switch = Device(1, "switch", "here", (A,), states={"panasonic": SourceState(seen_at=NOON)})
    same = replace(switch, id=2, identities=(ONVIF,), states={"onvif": SourceState(seen_at=NOON)})
    camera = Device(3, "camera", "here", (B,), parents=(2,))
    story = Story(switch, same, camera)
    story.tell(seen(B, address=None))
    story.tell(seen(ONVIF, A, source="onvif", address=None))
    for key, source in ((A, "panasonic"), (A, "onvif"), (B, "panasonic")):
        story.tell(missed(key, noon(minutes=30), source=source))
    assert story.status(3, at=noon(minutes=30)) == UNREACHABLE


def test_a_merged_history_is_bounded_too() -> None:
    def lived(id: int, key: str) -> Device:
        changes = tuple(
            AddressChange(f"10.{id}.{n // 256}.{n % 256}", noon(seconds=n), None)
            for n in range(MAX_ADDRESSES)
        )
        return Device(id, "camera", "here", (key,), addresses=changes, address=changes[-1].ip)

    story = Story(lived(1, A), lived(2, ONVIF))
    story.tell(seen(A, ONVIF, at=noon(days=1), source="onvif", address=None))
    assert len(story.device().addresses) <= MAX_ADDRESSES


# -- never one -------------------------------------------------------------------------------


def test_different_macs_are_never_one_whatever_else_they_share() -> None:
    story = Story()
    story.tell(seen(A, serial="S1", name="Gate"))
    story.tell(seen(B, serial="S1", name="Gate"))
    assert list(story.fleet.devices) == [1, 2]


def test_a_weak_key_of_one_device_does_not_pull_two_macs_together() -> None:
    story = Story()
    story.tell(seen(A, RTSP))
    story.tell(seen(B, address="10.0.0.2"))
    story.tell(seen(B, RTSP, at=noon(minutes=1)))
    assert list(story.fleet.devices) == [1, 2]
    assert story.device(2).last_seen == noon(minutes=1)
    assert story.device(1).last_seen == noon()


def test_a_key_that_another_device_proves_now_belongs_to_that_one_alone() -> None:
    """Its address went to another camera, and so did what means something only there."""
    story = Story()
    story.tell(seen(A, RTSP))
    story.tell(seen(B, address="10.0.0.2"))
    story.tell(seen(B, RTSP, at=noon(minutes=1)))
    assert RTSP in story.device(2).identities
    assert RTSP not in story.device(1).identities
    assert record.indexed(story.fleet).index == story.fleet.index, "as it is after a restart"


def test_a_new_camera_in_the_place_of_an_old_one_is_a_new_device() -> None:
    """The stream's key is known, the MAC beside it is not: another camera hangs there now."""
    story = Story()
    story.tell(seen(A, RTSP))
    assert story.tell(seen(B, RTSP, at=noon(days=1))) == ["device.found"]
    assert story.device(1).identities[0] == A
    assert B not in story.device(1).identities
    assert story.device(2).identities[0] == B


def test_local_keys_mean_something_only_within_their_site() -> None:
    story = Story()
    story.tell(seen(RTSP, source="rtsp"))
    story.tell(replace(seen(RTSP, source="rtsp"), site="plant 2"))
    assert [device.site for device in story.fleet.devices.values()] == ["here", "plant 2"]


def test_records_of_two_sites_become_one_and_every_key_leads_to_it() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(replace(seen(ONVIF, RTSP, source="onvif"), site="plant 2"))
    story.tell(seen(A, ONVIF, at=noon(minutes=1), source="onvif"))
    assert list(story.fleet.devices) == [1]
    assert set(story.fleet.index.values()) == {1}
    story.tell(replace(seen(RTSP, at=noon(minutes=2), source="rtsp"), site="plant 2"))
    assert record.indexed(story.fleet).index == story.fleet.index, "as it is after a restart"


def test_a_local_key_that_was_heard_at_another_site_is_none_of_here() -> None:
    """The scanner of plant 2 saw our camera there; its stream's key is one of plant 2."""
    story = Story()
    story.tell(seen(A))
    story.tell(heard(RTSP, source="rtsp", address="10.0.0.2"))
    story.tell(replace(seen(A, RTSP, at=noon(minutes=1), source="onvif"), site="plant 2"))
    assert story.device(1).identities == (A,)
    assert story.device(2).identities == (RTSP,)
    assert record.indexed(story.fleet).index == story.fleet.index, "as it is after a restart"


def test_a_record_that_comes_from_another_site_takes_no_key_from_one_of_here() -> None:
    story = Story()
    story.tell(seen(ONVIF, source="onvif", address=None))
    story.tell(heard(RTSP, source="rtsp", address="10.0.0.2"))
    story.tell(replace(seen(B, RTSP, source="onvif", address=None), site="plant 2"))
    story.tell(seen(B, ONVIF, source="onvif", at=noon(minutes=1), address=None))
    assert list(story.fleet.devices) == [1, 2]
    assert story.device(1).identities == (ONVIF, B)
    assert story.device(2).identities == (RTSP,)
    assert record.indexed(story.fleet).index == story.fleet.index, "as it is after a restart"


def test_a_mac_means_the_same_at_every_site() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(replace(seen(A, at=noon(minutes=1)), site="plant 2"))
    assert list(story.fleet.devices) == [1]


# -- sources that prove no MAC ---------------------------------------------------------------


def test_a_source_without_mac_belongs_to_the_one_that_has_this_address() -> None:
    story = Story()
    story.tell(seen(A), seen(B, address="10.0.0.2"))
    assert story.tell(seen(RTSP, at=noon(minutes=1), source="rtsp", asked=None)) == []
    assert story.device(1).identities == (A, RTSP)
    assert story.device(1).states.keys() == {"panasonic", "rtsp"}


def test_with_two_on_this_address_nobody_is_chosen() -> None:
    story = Story()
    story.tell(seen(A), seen(B))
    assert story.tell(heard(RTSP, source="rtsp")) == ["device.found"]
    assert story.device(1).identities == (A,)
    assert story.device(2).identities == (B,)


def test_the_same_address_at_another_site_is_somebody_else() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(replace(heard(RTSP, source="rtsp"), site="plant 2"))
    assert list(story.fleet.devices) == [1, 2]


def test_a_retired_device_does_not_stand_for_its_address() -> None:
    story = Story()
    story.tell(seen(A), seen(B))
    story.tell(edit("retire", "id:2"))
    assert story.tell(heard(RTSP, source="rtsp")) == []
    assert story.device(1).identities == (A, RTSP)


@pytest.mark.parametrize("key", [B, ONVIF])
def test_a_source_with_a_global_key_does_not_attach_by_address(key: str) -> None:
    story = Story()
    story.tell(seen(A))
    assert story.tell(heard(key, source="other")) == ["device.found"]
