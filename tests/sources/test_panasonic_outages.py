"""When we cannot ask: said in words with what to do, and no camera is blamed for it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from simulators.panasonic import Camera
from tests.home import ROOT, Home, until

Make = Callable[..., Home]
A, B = "d4:2d:c5:00:00:01", "d4:2d:c5:00:00:02"
DISCOVER = """
import asyncio, json, sys
from datetime import UTC, datetime
from fleet.model import CannotAsk, Coverage
from sources import panasonic

async def main(targets):
    options = panasonic.EasyIpOptions(
        clock=lambda: datetime.now(UTC), targets=targets, asks=(0.0, 0.05), window=0.1
    )
    try:
        reports = [one async for one in panasonic.source(options).discover()]
    except CannotAsk as error:
        return {"scope": error.scope, "reason": error.reason}
    return [
        {"scopes": one.scopes, "failed": one.failed, "requests": one.requests}
        for one in reports if isinstance(one, Coverage)
    ]

print(json.dumps(asyncio.run(main(tuple(sys.argv[1:])))))
"""


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Another program has the port for itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as blocker:
        blocker.bind(("0.0.0.0", port))
        yield


@contextmanager
def empty_network() -> Iterator[str]:
    """A network namespace that has a loopback interface, switched off, and nothing else."""
    name = f"cm-empty-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def discovered_in(namespace: str, *targets: str) -> object:
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", DISCOVER, *targets]
    answer = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert answer.returncode == 0, answer.stderr.decode()
    return json.loads(answer.stdout)


def test_a_taken_port_is_said_in_words_and_nobody_goes_offline(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1"), Camera(B, "127.20.0.2"))
    home.scan()
    home.close()
    port = home.settings.easy_ip_reply_port
    with taken(port):
        home.open()
        for _ in range(3):
            did = home.scan()
            assert did["state"] == "failed"
            assert (did["found"], did["missed"]) == (0, 0)
            assert did["error"].startswith(
                f"panasonic: UDP port {port} cannot be opened: another program uses the port."
            )
            assert f"ss -ulpn 'sport = :{port}'" in did["error"]
        assert [home.status(mac) for mac in (A, B)] == ["ACTIVE", "ACTIVE"]
        notices = home.client.get("/").text
        assert f"UDP port {port} cannot be opened" in notices
        assert list(home.client.get("/api/scan").json["down"]) == ["panasonic"]
    did = home.scan()
    assert (did["state"], did["found"], did["error"]) == ("done", 2, None)
    assert home.client.get("/api/scan").json["down"] == {}
    assert f"UDP port {port} cannot be opened" not in home.client.get("/").text
    assert home.kinds() == ["device.found"] * 2 + ["source.down", "source.up"]


def test_a_monitor_that_starts_with_the_port_taken_says_so_before_any_scan(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1"))
    home.close()
    with taken(home.settings.easy_ip_reply_port):
        home.open()
        (event,) = until(home.events, what="something was told")
    assert event.kind == "source.down"
    assert "another program uses the port" in event.text


@pytest.mark.usefixtures("netns")
def test_without_any_interface_it_is_said_what_to_do() -> None:
    with empty_network() as namespace:
        off = discovered_in(namespace)
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        only_loopback = discovered_in(namespace)
    assert off == only_loopback
    assert isinstance(off, dict)
    assert off["scope"] == "panasonic"
    assert off["reason"].startswith("No network interface with an IPv4 address is up.")
    assert "ip address shows the interfaces" in off["reason"]


@pytest.mark.usefixtures("netns")
def test_a_target_without_a_route_is_named() -> None:
    with empty_network() as namespace:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        answer = discovered_in(namespace, "10.77.9.9")
    assert isinstance(answer, dict)
    assert answer["scope"].startswith("panasonic")
    assert answer["reason"].startswith("No route to 10.77.9.9.")
    assert "EASY_IP_TARGETS" in answer["reason"]


@pytest.mark.usefixtures("netns")
def test_an_interface_that_sends_nothing_counts_as_not_asked() -> None:
    with empty_network() as namespace:
        for state in ("up", "down"):  # from then on it has its address, and is off
            subprocess.run(["ip", "-n", namespace, "link", "set", "lo", state], check=True)
        answer = discovered_in(namespace, "127.0.0.1")
    assert answer == [{"scopes": [], "failed": {"panasonic:lo": "no route to it"}, "requests": 0}]


@pytest.mark.usefixtures("netns")
def test_a_target_without_a_route_does_not_silence_the_others() -> None:
    with empty_network() as namespace:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        answer = discovered_in(namespace, "10.77.9.9", "127.0.0.1")
    assert isinstance(answer, list), answer
    (did,) = answer
    assert did["scopes"] == ["panasonic:lo"]
    assert did["requests"] == 2
    assert any("10.77.9.9" in f"{scope} {why}" for scope, why in did["failed"].items())
