"""Discovery across real interfaces: two networks, devices that answer by broadcast.

Everything is real but the devices: interfaces, routes, the kernel's broadcasts, `python app.py`.
"""

import pytest

from tests.discovery.networks import Cameras, NamespacedMonitor, monitor_with
from tests.home import until

pytestmark = [pytest.mark.usefixtures("netns"), pytest.mark.timeout(180)]
THREE, TWO = {"count": 3}, {"count": 2}
UP = "ACTIVE"


def scope(network: Cameras) -> str:
    return f"panasonic:{network.monitor_end}"


def settled(monitor: NamespacedMonitor, network: Cameras, carrier: str) -> None:
    """The kernel tells an interface's new state a moment after it changed."""
    command = f"/sys/class/net/{network.monitor_end}/operstate"
    until(lambda: monitor.output_of("cat", command).strip() == carrier, what=f"{carrier}")


def test_the_cameras_of_every_attached_network_are_found() -> None:
    with monitor_with(THREE, TWO) as (monitor, (first, second)):
        did = monitor.scan()
        assert (did["found"], did["missed"], did["error"]) == (5, 0, None)
        assert monitor.statuses(first) + monitor.statuses(second) == [UP] * 5
        # By each interface to 255.255.255.255 and to the network's own broadcast address.
        assert did["interfaces"] == [first.monitor_end, second.monitor_end]
        assert did["requests"] == 2 * 2 * 12
        assert did["answers"] == 2 * 12 * 5
        assert (did["refused"], did["failed"]) == ({}, {})
        assert monitor.kinds("device.") == ["device.found"] * 5


def test_nobody_is_blamed_for_an_interface_that_is_down_and_elsewhere_life_goes_on() -> None:
    with monitor_with(THREE, TWO) as (monitor, (first, second)):
        monitor.scan()
        first.set_monitor_end("down")
        second.set_camera(second.macs[0], on=False)
        did = monitor.scan()
        assert did["interfaces"] == [second.monitor_end]
        assert (did["found"], did["missed"]) == (1, 1)
        assert monitor.statuses(first) == [UP, UP, UP]
        assert monitor.statuses(second) == ["OFFLINE", UP]
        first.set_monitor_end("up")
        settled(monitor, first, "up")
        first.set_camera(first.macs[2], on=False)
        did = monitor.scan()
        assert did["interfaces"] == [first.monitor_end, second.monitor_end]
        assert (did["found"], did["missed"]) == (3, 2)
        assert monitor.statuses(first) == [UP, UP, "OFFLINE"]
        assert monitor.kinds("device.") == ["device.found"] * 5 + ["device.offline"] * 2


def test_an_unplugged_cable_is_told_once_and_so_is_its_return() -> None:
    with monitor_with(THREE, TWO) as (monitor, (first, second)):
        monitor.scan()
        first.set_cable("down")
        settled(monitor, first, "down")
        for _ in range(2):
            did = monitor.scan()
            assert (did["found"], did["missed"]) == (2, 0)
        assert monitor.statuses(first) == [UP, UP, UP]
        assert scope(first) in did["failed"]
        assert monitor.kinds("source.") == ["source.down"]
        assert list(monitor.json("/api/scan")["down"]) == [scope(first)]
        first.set_cable("up")
        settled(monitor, first, "up")
        did = monitor.scan()
        assert (did["found"], did["failed"], did["error"]) == (5, {}, None)
        assert monitor.kinds("source.") == ["source.down", "source.up"]
        assert monitor.json("/api/scan")["down"] == {}


def test_a_monitor_that_starts_with_a_cable_unplugged_says_so_too() -> None:
    """What was asked before the restart is missing after it: by what the devices remember."""
    with monitor_with(THREE, TWO) as (monitor, (first, second)):
        monitor.scan()
        monitor.stop()
        first.set_cable("down")
        settled(monitor, first, "down")
        monitor.start()
        did = monitor.scan()
        assert (did["found"], did["missed"]) == (2, 0)
        assert monitor.statuses(first) == [UP, UP, UP]
        assert list(did["failed"]) == [scope(first)]
        assert monitor.kinds("source.") == ["source.down"]


def test_a_silent_camera_is_said_to_have_been_asked_as_often_as_it_was() -> None:
    with monitor_with(THREE, TWO) as (monitor, (first, second)):
        monitor.scan()
        second.set_camera(second.macs[0], on=False)
        monitor.scan()
        (row,) = monitor.json("/api/cameras?status=offline")["cameras"]
        assert row["reason"] == f"no response to 24 requests on {second.monitor_end}"


def test_an_interface_without_a_broadcast_address_is_asked_too() -> None:
    """`ip addr add` gives none unless told; 255.255.255.255 reaches its network all the same."""
    with monitor_with({"count": 2, "has_broadcast": False}) as (monitor, (network,)):
        did = monitor.scan()
        assert (did["found"], did["failed"]) == (2, {})
        assert monitor.statuses(network) == [UP, UP]


def test_a_camera_fresh_from_the_factory_on_a_foreign_subnet_is_found() -> None:
    """It has 192.168.0.10 and no way back to us; broadcasts need none (with rp_filter off)."""
    with monitor_with({"count": 1, "address": "192.168.0.10/24"}) as (monitor, (network,)):
        for interface in ("all", network.monitor_end):
            monitor.output_of("sh", "-c", f"echo 0 > /proc/sys/net/ipv4/conf/{interface}/rp_filter")
        did = monitor.scan()
        assert did["found"] == 1
        assert monitor.json(f"/api/camera/{network.macs[0]}")["current_ip"] == "192.168.0.10"


def test_what_announces_itself_on_a_network_is_asked_and_known_without_a_scan() -> None:
    with monitor_with({"count": 1, "has_own": True}) as (monitor, (network,)):
        for _ in range(2):
            network.announce(network.macs[0])
        until(lambda: monitor.json("/api/scan")["heard"], what="it was heard")
        assert monitor.json("/api/cameras")["count"] == 0
        assert monitor.request("POST", "/api/auto-scan", {"enabled": True}).status == 200
        until(lambda: monitor.json("/api/scan")["last"], what="the first scan ends")
        network.switch_off()
        network.count = 2
        network.switch_on()
        for _ in range(2):
            network.announce(network.macs[1])
        until(lambda: monitor.statuses(network)[1] == UP, what="it is known")
        assert monitor.json("/api/scan")["running"] is None


def test_a_monitor_without_any_network_says_what_to_do_and_recovers() -> None:
    with monitor_with(TWO) as (monitor, (network,)):
        monitor.scan()
        network.set_monitor_end("down")
        did = monitor.scan()
        assert did["state"] == "failed"
        assert did["error"].startswith("panasonic: No network interface with an IPv4 address is up")
        assert monitor.statuses(network) == [UP, UP]
        network.set_monitor_end("up")
        settled(monitor, network, "up")
        assert monitor.scan()["error"] is None
        assert monitor.kinds("source.") == ["source.down", "source.up"]
        assert monitor.kinds("device.") == ["device.found"] * 2
