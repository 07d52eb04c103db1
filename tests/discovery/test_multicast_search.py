"""WS-Discovery by multicast on two real networks, each in a namespace with one camera."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from simulators.onvif import OnvifDevice
from tests.discovery.networks import Cameras, ip
from tests.home import ROOT

pytestmark = [pytest.mark.usefixtures("netns"), pytest.mark.timeout(60)]

CAMERA = """
import socket, sys
from simulators.onvif import OnvifDevice, probe_matches

address, mac = sys.argv[1:]
group = "239.255.255.250"
camera = OnvifDevice(address, mac=mac)
with socket.socket(type=socket.SOCK_DGRAM) as asked, socket.socket(type=socket.SOCK_DGRAM) as own:
    asked.bind((group, 3702))
    member = socket.inet_aton(group) + socket.inet_aton(address)
    asked.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    own.bind((address, 3702))
    print("listening", flush=True)
    while True:
        question, sender = asked.recvfrom(65_535)
        print(sender[0], flush=True)
        for answer in probe_matches(camera, 80, question):
            own.sendto(answer, sender)
"""
SEARCH = """
import asyncio, json
from datetime import UTC, datetime
from fleet.model import Coverage, Sighting
from sources import onvif
from sources.ws_discovery import SearchOptions

async def search():
    options = SearchOptions(asks=(0, 0.2, 0.5, 1), window=2)
    client = onvif.OnvifClient(onvif.OnvifOptions(lambda: datetime.now(UTC), options))
    return [report async for report in client.discover()]

reports = asyncio.run(search())
print(json.dumps({
    "seen": [
        (each.identities[0], each.address, each.scope)
        for each in reports if isinstance(each, Sighting)
    ],
    "requests": dict(reports[-1].by_scope),
    "failed": reports[-1].failed,
}))
"""


def command(namespace: str, script: str, *arguments: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, sys.executable, "-c", script, *arguments]


@dataclass
class Network:
    """A network of the monitor with one camera; `process` prints who sends it a question."""

    cable: Cameras
    camera: OnvifDevice
    process: subprocess.Popen[str]

    def stop(self) -> list[str]:
        """Stop the camera; the senders of the questions that it heard."""
        self.process.terminate()
        output, _ = self.process.communicate()
        return output.split()


@contextmanager
def network(monitor: str, number: int) -> Iterator[Network]:
    cable = Cameras(f"{monitor}-{number}", monitor, number, 1)
    camera = OnvifDevice(f"10.77.{number}.2", mac=f"00:00:5e:00:85:{number:02x}")
    try:
        cable.join()
        with subprocess.Popen(
            command(cable.namespace, CAMERA, camera.address, camera.mac),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline().strip() == "listening"
                yield Network(cable, camera, process)
            finally:
                process.kill()
    finally:
        cable.leave()


@pytest.fixture
def monitor() -> Iterator[str]:
    namespace = f"cm-search-{os.getpid()}"
    ip("netns", "add", namespace)
    yield namespace
    subprocess.run(["ip", "netns", "delete", namespace], check=False)


def search(namespace: str) -> Any:
    """Search from the namespace; what was asked and seen."""
    done = subprocess.run(
        command(namespace, SEARCH),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_search_asks_by_each_interface_and_finds_the_camera_behind_it(monitor: str) -> None:
    with ExitStack() as running:
        networks = [running.enter_context(network(monitor, number)) for number in (1, 2)]
        result = search(monitor)
        scopes = [f"onvif:{each.cable.monitor_end}" for each in networks]
        assert sorted(result["seen"]) == sorted(
            [f"onvif:{each.camera.endpoint_reference}", each.camera.address, scope]
            for each, scope in zip(networks, scopes, strict=True)
        )
        assert sorted(result["requests"]) == scopes
        assert result["failed"] == {}
        for number, each in enumerate(networks, start=1):
            senders = each.stop()
            assert set(senders) == {f"10.77.{number}.1"}
            assert len(senders) >= 2, "each kind of question came"
