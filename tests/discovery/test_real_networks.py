"""Discovery across real interfaces: two networks, devices that answer by broadcast.

Everything is real but the devices: interfaces, routes, the kernel's broadcasts, `python app.py`.
"""

import pytest

from tests.discovery.networks import Cameras, NamespacedHouse, house_with
from tests.home import until

pytestmark = [pytest.mark.usefixtures("netns"), pytest.mark.timeout(180)]
THREE, TWO = {"count": 3}, {"count": 2}
UP = "ACTIVE"


def scope(network: Cameras) -> str:
    return f"panasonic:{network.house_end}"


def settled(house: NamespacedHouse, network: Cameras, carrier: str) -> None:
    """The kernel tells an interface's new state a moment after it changed."""
    command = f"/sys/class/net/{network.house_end}/operstate"
    until(lambda: house.output_of("cat", command).strip() == carrier, what=f"{carrier}")


def test_the_cameras_of_every_attached_network_are_found() -> None:
    with house_with(THREE, TWO) as (house, (first, second)):
        did = house.scan()
        assert (did["found"], did["missed"], did["error"]) == (5, 0, None)
        assert house.statuses(first) + house.statuses(second) == [UP] * 5
        # By each interface to 255.255.255.255 and to the network's own broadcast address.
        assert did["interfaces"] == [first.house_end, second.house_end]
        assert did["requests"] == 2 * 2 * 12
        assert did["answers"] == 2 * 12 * 5
        assert (did["refused"], did["failed"]) == ({}, {})
        assert house.kinds("device.") == ["device.found"] * 5


def test_nobody_is_blamed_for_an_interface_that_is_down_and_elsewhere_life_goes_on() -> None:
    with house_with(THREE, TWO) as (house, (first, second)):
        house.scan()
        first.set_house_end("down")
        second.set_camera(second.macs[0], on=False)
        did = house.scan()
        assert did["interfaces"] == [second.house_end]
        assert (did["found"], did["missed"]) == (1, 1)
        assert house.statuses(first) == [UP, UP, UP]
        assert house.statuses(second) == ["OFFLINE", UP]
        first.set_house_end("up")
        settled(house, first, "up")
        first.set_camera(first.macs[2], on=False)
        did = house.scan()
        assert did["interfaces"] == [first.house_end, second.house_end]
        assert (did["found"], did["missed"]) == (3, 2)
        assert house.statuses(first) == [UP, UP, "OFFLINE"]
        assert house.kinds("device.") == ["device.found"] * 5 + ["device.offline"] * 2


def test_an_unplugged_cable_is_told_once_and_so_is_its_return() -> None:
    with house_with(THREE, TWO) as (house, (first, second)):
        house.scan()
        first.set_cable("down")
        settled(house, first, "down")
        for _ in range(2):
            did = house.scan()
            assert (did["found"], did["missed"]) == (2, 0)
        assert house.statuses(first) == [UP, UP, UP]
        assert scope(first) in did["failed"]
        assert house.kinds("source.") == ["source.down"]
        assert list(house.json("/api/scan")["down"]) == [scope(first)]
        first.set_cable("up")
        settled(house, first, "up")
        did = house.scan()
        assert (did["found"], did["failed"], did["error"]) == (5, {}, None)
        assert house.kinds("source.") == ["source.down", "source.up"]
        assert house.json("/api/scan")["down"] == {}


def test_a_house_that_starts_with_a_cable_unplugged_says_so_too() -> None:
    """What was asked before the restart is missing after it: by what the devices remember."""
    with house_with(THREE, TWO) as (house, (first, second)):
        house.scan()
        house.stop()
        first.set_cable("down")
        settled(house, first, "down")
        house.start()
        did = house.scan()
        assert (did["found"], did["missed"]) == (2, 0)
        assert house.statuses(first) == [UP, UP, UP]
        assert list(did["failed"]) == [scope(first)]
        assert house.kinds("source.") == ["source.down"]


def test_a_silent_camera_is_said_to_have_been_asked_as_often_as_it_was() -> None:
    with house_with(THREE, TWO) as (house, (first, second)):
        house.scan()
        second.set_camera(second.macs[0], on=False)
        house.scan()
        (row,) = house.json("/api/cameras?status=offline")["cameras"]
        assert row["reason"] == f"did not answer 24 search requests on {second.house_end}"


def test_an_interface_without_a_broadcast_address_is_asked_too() -> None:
    """`ip addr add` gives none unless told; 255.255.255.255 reaches its network all the same."""
    with house_with({"count": 2, "has_broadcast": False}) as (house, (network,)):
        did = house.scan()
        assert (did["found"], did["failed"]) == (2, {})
        assert house.statuses(network) == [UP, UP]


def test_a_camera_fresh_from_the_factory_on_a_foreign_subnet_is_found() -> None:
    """It has 192.168.0.10 and no way back to us; broadcasts need none (with rp_filter off)."""
    with house_with({"count": 1, "address": "192.168.0.10/24"}) as (house, (network,)):
        for one in ("all", network.house_end):
            house.output_of("sh", "-c", f"echo 0 > /proc/sys/net/ipv4/conf/{one}/rp_filter")
        did = house.scan()
        assert did["found"] == 1
        assert house.json(f"/api/camera/{network.macs[0]}")["current_ip"] == "192.168.0.10"


def test_what_announces_itself_on_a_network_is_asked_and_known_without_a_scan() -> None:
    with house_with({"count": 1, "has_own": True}) as (house, (network,)):
        for _ in range(2):
            network.announce(network.macs[0])
        until(lambda: house.json("/api/scan")["heard"], what="it was heard")
        assert house.json("/api/cameras")["count"] == 0
        assert house.request("POST", "/api/auto-scan", {"enabled": True}).status == 200
        until(lambda: house.json("/api/scan")["last"], what="the first scan ends")
        network.switch_off()
        network.count = 2
        network.switch_on()
        for _ in range(2):
            network.announce(network.macs[1])
        until(lambda: house.statuses(network)[1] == UP, what="it is known")
        assert house.json("/api/scan")["running"] is None


def test_a_house_without_any_network_says_what_to_do_and_recovers() -> None:
    with house_with(TWO) as (house, (network,)):
        house.scan()
        network.set_house_end("down")
        did = house.scan()
        assert did["state"] == "failed"
        assert did["error"].startswith("panasonic: No network interface with an IPv4 address is up")
        assert house.statuses(network) == [UP, UP]
        network.set_house_end("up")
        settled(house, network, "up")
        assert house.scan()["error"] is None
        assert house.kinds("source.") == ["source.down", "source.up"]
        assert house.kinds("device.") == ["device.found"] * 2
