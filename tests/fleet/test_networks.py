"""The network of a device, and the networks that people type."""

from dataclasses import replace

import pytest

from fleet import networks
from fleet.model import Access, Device


def device(address: str | None, subnet: str | None = None) -> Device:
    facts = {"panasonic": {"subnet": subnet}} if subnet else {}
    return Device(1, "camera", "here", ("mac:d4:2d:c5:00:00:01",), address=address, facts=facts)


@pytest.mark.parametrize(
    ("address", "subnet", "expected"),
    [
        ("10.1.4.21", None, "10.1.4.0/24"),
        ("10.1.4.21", "255.255.255.0", "10.1.4.0/24"),
        ("10.1.4.21", "255.255.252.0", "10.1.4.0/22"),
        ("10.1.4.21", "255.255.255.255", "10.1.4.21/32"),
        ("10.1.4.21", "0.0.0.0", "10.1.4.0/24"),
        ("10.1.4.21", "255.0.255.0", "10.1.4.0/24"),
        ("10.1.4.21", "nonsense", "10.1.4.0/24"),
        ("fe80::1:2", None, "fe80::/64"),
        ("fe80::1:2%eth0", None, "fe80::/64"),
        ("fd00:1:2:3::4", "255.255.255.0", "fd00:1:2:3::/64"),
        (None, None, None),
        ("not an address", None, None),
    ],
)
def test_a_device_is_in_the_subnet_that_it_names_or_the_usual_one(
    address: str | None, subnet: str | None, expected: str | None
) -> None:
    assert networks.network_of(device(address, subnet)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.4.0/24", "10.1.4.0/24"),
        (" 10.1.4.77/24 ", "10.1.4.0/24"),
        ("10.1.4.0/255.255.255.0", "10.1.4.0/24"),
        ("10.1.4.7", "10.1.4.7/32"),
        ("FD00::/8", "fd00::/8"),
    ],
)
def test_a_network_is_read_however_it_is_typed(text: str, expected: str) -> None:
    assert networks.canonical(text) == expected


@pytest.mark.parametrize("text", ["", "10.1.4", "10.1.4.0/33", "10.1.4.0/x", "gate", "10.1.4.0/"])
def test_what_is_not_a_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 10\.1\.4\.0/24"):
        networks.canonical(text)


def test_an_address_is_in_its_networks_and_in_no_other() -> None:
    camera = device("10.1.4.21")
    for text, expected in {
        "10.1.4.0/24": True,
        "10.0.0.0/8": True,
        "10.1.4.21/32": True,
        "0.0.0.0/0": True,
        "10.1.5.0/24": False,
        "10.1.4.22/32": False,
        "::/0": False,
    }.items():
        assert networks.parse(text).has(camera) is expected, text
    assert not networks.parse("0.0.0.0/0").has(device(None))


def test_a_device_that_was_not_reached_yet_is_in_the_network_of_its_entered_address() -> None:
    entered = replace(device(None), access={"rtsp": Access(host="10.1.4.9")})
    assert networks.parse("10.1.4.0/24").has(entered)
    assert not networks.parse("10.1.4.0/24").has(replace(entered, address="10.1.5.9"))
    named = replace(device(None), access={"rtsp": Access(host="gate.example")})
    assert not networks.parse("10.1.4.0/24").has(named)
