"""Keys that devices prove: what is a MAC, in any spelling, and what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.identity import index_key, mac, mac_key

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
    found = mac(text)
    assert found is None or mac(found) == found


def test_local_keys_stand_under_their_site_and_global_ones_alone() -> None:
    assert index_key("rtsp:10.0.0.1:554/", "plant 2") == "plant 2|rtsp:10.0.0.1:554/"
    assert index_key(f"mac:{MAC}", "plant 2") == f"mac:{MAC}"
    assert index_key("onvif:urn:uuid:1", "plant 2") == "onvif:urn:uuid:1"
