"""Keys that devices prove: what is a MAC, in any spelling, and what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.identity import (
    KINDS,
    channel_key,
    index_key,
    is_global,
    mac,
    mac_key,
    owner_of,
    place_of,
    proved,
    source_of,
)
from fleet.model import Access, Sighting
from fleet.places import access_key
from tests.fleet.reports import A, B, Story, edit, seen

MAC = "d4:2d:c5:14:c5:70"
SPELLINGS = [
    MAC,
    "D4:2D:C5:14:C5:70",
    "d4-2d-c5-14-c5-70",
    "d42dc514c570",
    "D42D.C514.C570",
    "  d4:2d:c5:14:c5:70\n",
    "d4:2d-c5:14-c5:70",
]
NO_MACS = {
    "nothing": "",
    "zeros": "00:00:00:00:00:00",
    "everybody": "ff:ff:ff:ff:ff:ff",
    "a group": "01:00:5e:00:00:01",
    "too short": "d4:2d:c5:14:c5",
    "too long": "d4:2d:c5:14:c5:70:11",
    "no hex": "d4:2d:c5:14:c5:7g",
    "other digits": "d4:2d:c5:14:c5:\u0667\u0660",
    "a name": "deadbeef cafe",
    "an address": "192.168.0.1",
    "half of each": "d42d.c5:14:c5:70",
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_mac_is_known_in_any_spelling(text: str) -> None:
    assert mac(text) == MAC
    assert mac_key(text) == f"mac:{MAC}"


@pytest.mark.parametrize("what", NO_MACS)
def test_what_names_no_single_device_is_no_mac(what: str) -> None:
    assert mac(NO_MACS[what]) is None
    assert mac_key(NO_MACS[what]) is None


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=20))
def test_whatever_it_is_the_answer_is_a_clean_mac_or_none(text: str) -> None:
    result = mac(text)
    assert result is None or mac(result) == result


def test_local_keys_stand_under_their_site_and_global_ones_alone() -> None:
    assert index_key("rtsp:10.0.0.1:554/", "plant 2") == "plant 2|rtsp:10.0.0.1:554/"
    assert index_key(f"mac:{MAC}", "plant 2") == f"mac:{MAC}"
    assert index_key("onvif:urn:uuid:1", "plant 2") == "onvif:urn:uuid:1"


@pytest.mark.parametrize(
    "text",
    [
        "00:11:22:33:44:55",
        "00-11-22-33-44-55",
        "AABB.CCDD.EEFF",
        "02:00:00:00:00:00",
        "00:00:00:00:00:01",
        "12:34:56:78:9a:bc",
        "22:22:22:22:22:22",
        "00:90:4c:11:22:33",
    ],
)
def test_a_placeholder_is_spelled_like_a_mac_and_identifies_nothing(text: str) -> None:
    assert mac(text) is not None
    assert mac_key(text) is None


@pytest.mark.parametrize("text", ["02:00:00:00:00:01", "d4:2d:c5:00:00:00", "00:0e:8f:11:22:33"])
def test_a_mac_that_only_looks_made_up_is_one(text: str) -> None:
    assert mac_key(text) == f"mac:{text}"


KEYS: dict[str, tuple[bool, str | None]] = {
    "onvif:urn:uuid:4d454930": (True, None),
    A: (True, None),
    "row:1041": (True, None),
    channel_key(A, "2"): (True, None),
    channel_key("onvif:urn:uuid:1", "/Streaming/Channels/101"): (True, None),
    channel_key("rtsp:10.0.0.9:554/", "/cam?channel=2"): (False, "10.0.0.9"),
    "rtsp:10.0.0.9:554/live": (False, "10.0.0.9"),
    "rtsp:[fe80::1]:554/live": (False, "fe80::1"),
    "rtsp:camera.example:554/": (False, "camera.example"),
    "snmp:10.0.0.9": (False, "10.0.0.9"),
    "at:onvif:10.0.0.9:80/onvif": (False, "10.0.0.9"),
    "at:row:[fe80::1]": (False, "fe80::1"),
    channel_key("at:onvif:10.0.0.9:80/", "1"): (False, "10.0.0.9"),
    "address:10.0.0.9": (False, "10.0.0.9"),
    "address:fe80::1": (False, "fe80::1"),
    "former:7/rtsp:10.0.0.9:554/live": (False, None),
}
"""(means the same everywhere, the address at which it means something)"""


@pytest.mark.parametrize("key", KEYS)
def test_what_a_key_is_tied_to(key: str) -> None:
    assert (is_global(key), place_of(key)) == KEYS[key]


@pytest.mark.parametrize("kind", KINDS)
def test_the_place_of_a_source_is_never_taken_for_another_kind_of_key(kind: str) -> None:
    source, access = kind.removesuffix(":"), Access("10.0.0.9", 80, "/2")
    key = access_key(source, access)
    assert key is not None
    assert not is_global(key)
    assert (place_of(key), source_of(key)) == ("10.0.0.9", source)
    assert (key.startswith("at:"), key.partition("at:")[2]) == (True, f"{source}:10.0.0.9:80/2")
    assert index_key(key, "plant 1") != index_key(key, "plant 2")
    assert key not in {f"{kind}{rest}" for kind in KINDS if kind != "at:" for rest in (key, "x")}
    assert proved(seen(key), ()) == (key,)


def test_a_camera_that_is_asked_by_onvif_at_an_address_is_not_known_everywhere() -> None:
    """Two plants have a camera at one address, which a person added for each."""
    story = Story()
    for site in ("plant 1", "plant 2"):
        story.tell(edit("add", "", site=site, source="onvif", host="10.0.0.9"))
    assert [device.identities for device in story.fleet.devices.values()] == [
        ("at:onvif:10.0.0.9",),
        ("at:onvif:10.0.0.9",),
    ]
    assert story.fleet.disputed == {}


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=20), st.text(max_size=20))
def test_a_channel_key_names_its_owner_whatever_its_source_is_called(
    source: str, other: str
) -> None:
    for owner in (A, "onvif:urn:uuid:1", "rtsp:10.0.0.9:554/a/b"):
        key = channel_key(owner, source)
        assert owner_of(key) == owner
        assert (channel_key(owner, other) == key) == (other == source)


CHANNEL = channel_key(A, "1")
PROVED: dict[str, tuple[Sighting, tuple[str, ...], tuple[str, ...]]] = {
    "all of them": (seen("onvif:1", A, "rtsp:x"), (), ("onvif:1", A, "rtsp:x")),
    "one is disputed": (seen("onvif:1", A), (A,), ("onvif:1",)),
    "the only one is disputed": (seen(A), (A,), ("address:10.0.0.1",)),
    "it is of this site": (seen("rtsp:x"), ("plant 2|rtsp:x",), ("rtsp:x",)),
    "it has no address either": (seen(A, address=None), (A,), ()),
    "a MAC in capitals": (seen("mac:D4:2D:C5:00:00:0A"), (), ("address:10.0.0.1",)),
    "the name of a lost key": (seen("former:7/rtsp:x", B), (), (B,)),
    "a channel and its recorder": (seen(CHANNEL, A, "rtsp:x"), (), (CHANNEL, "rtsp:x")),
    "a channel of a disputed recorder": (seen(CHANNEL, A, "rtsp:x"), (A,), ("rtsp:x",)),
    "that channel alone": (seen(CHANNEL, A), (A,), ()),
}
"""(sighting, disputed, what it proves)"""


@pytest.mark.parametrize("what", PROVED)
def test_what_a_sighting_proves(what: str) -> None:
    sighting, disputed, expected = PROVED[what]
    assert proved(sighting, disputed) == expected
