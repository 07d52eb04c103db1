"""The short way to the device of a sighting that proves nothing new."""

from dataclasses import replace

import pytest

from fleet.model import Device, Sighting
from fleet.reduce import matching
from tests.fleet.reports import NOON, A, B, seen

ENDPOINT, PLACE = "onvif:urn:uuid:1", "rtsp:10.0.0.1:554/live"
KNOWN = Device(1, "camera", "here", (ENDPOINT, A), address="10.0.0.1")


def test_a_device_that_proves_what_it_proved_before_where_it_was_is_known_at_once() -> None:
    assert matching.is_as_known(KNOWN, seen(ENDPOINT, A), (ENDPOINT, A))


@pytest.mark.parametrize(
    "sighting",
    [
        seen(ENDPOINT, A, address="10.0.0.2"),
        seen(ENDPOINT, A, address=None),
        seen(ENDPOINT),
        seen(ENDPOINT, B),
        seen(ENDPOINT, A, B),
        seen(ENDPOINT, A, PLACE),
        replace(seen(ENDPOINT, A), site="elsewhere"),
    ],
    ids=["other address", "no address", "fewer", "another MAC", "more", "a place", "other site"],
)
def test_whatever_else_it_proves_is_weighed_against_all_records(sighting: Sighting) -> None:
    assert not matching.is_as_known(KNOWN, sighting, sighting.identities)


def test_what_proves_a_place_alone_or_has_several_interfaces_is_weighed_too() -> None:
    place = replace(KNOWN, identities=(PLACE,))
    assert not matching.is_as_known(place, seen(PLACE), (PLACE,))
    several = replace(KNOWN, interfaces={A: {"10.0.0.9": NOON}})
    assert not matching.is_as_known(several, seen(ENDPOINT, A), (ENDPOINT, A))
