"""Real networks for tests: a monitor and its cameras, each in a network namespace of its own.

        monitor ---- veth ---- cameras on 10.77.1.0/24
          |
          +------- veth ---- cameras on 10.77.2.0/24

Nothing leads out of them. Devices answer as real ones do: to 255.255.255.255, port 10669.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.home import ROOT, Answer, until


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


DEVICES = """
import json, sys
from simulators.panasonic import Camera, Network

interface, own, *cameras = json.loads(sys.argv[1])
cameras = [Camera(*one) for one in cameras]
with Network(cameras, device=interface, own_addresses=own) as network:
    print("listening", flush=True)
    for line in sys.stdin:
        mac, on = json.loads(line)
        if on is None:
            network.announce(mac)
        else:
            next(one for one in network.cameras if one.mac == mac).on = on
        print("done", flush=True)
"""


@dataclass
class Cameras:
    """`count` pretend devices behind one cable. `monitor_end` is its end in the monitor.

    `address` is what the devices' end has, `has_broadcast` whether the monitor's end was given
    a broadcast address, `has_own` whether the devices speak from addresses of their own.
    """

    namespace: str
    monitor: str
    number: int
    count: int
    address: str = ""
    has_broadcast: bool = True
    has_own: bool = False
    process: subprocess.Popen[str] | None = None

    @property
    def monitor_end(self) -> str:
        return f"cam{self.number}"

    @property
    def own_end(self) -> str:
        return f"net{self.number}"

    @property
    def macs(self) -> list[str]:
        return [f"d4:2d:c5:00:0{self.number}:{n:02x}" for n in range(1, self.count + 1)]

    def join(self) -> None:
        ip("netns", "add", self.namespace)
        pair = ("type", "veth", "peer", "name", self.own_end, "netns", self.namespace)
        ip("-n", self.monitor, "link", "add", self.monitor_end, *pair)
        broadcast = ("brd", "+") if self.has_broadcast else ()
        near, far = f"10.77.{self.number}.1/24", self.address or f"10.77.{self.number}.2/24"
        ip("-n", self.monitor, "addr", "add", near, *broadcast, "dev", self.monitor_end)
        ip("-n", self.namespace, "addr", "add", far, "brd", "+", "dev", self.own_end)
        ip("-n", self.monitor, "link", "set", self.monitor_end, "up")
        ip("-n", self.namespace, "link", "set", self.own_end, "up")

    def switch_on(self) -> None:
        first = self.address.partition("/")[0] or f"10.77.{self.number}.10"
        start, _, last = first.rpartition(".")
        cameras = [(mac, f"{start}.{int(last) + n}") for n, mac in enumerate(self.macs)]
        for _mac, address in cameras if self.has_own else ():
            ip("-n", self.namespace, "addr", "replace", f"{address}/24", "dev", self.own_end)
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", DEVICES]
        self.process = subprocess.Popen(
            [*command, json.dumps([self.own_end, self.has_own, *cameras])],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.read_line() == "listening"

    def read_line(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def set_camera(self, mac: str, on: bool) -> None:
        self.tell(mac, on)

    def announce(self, mac: str) -> None:
        self.tell(mac, None)

    def tell(self, mac: str, on: bool | None) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        print(json.dumps([mac, on]), file=self.process.stdin, flush=True)
        assert self.read_line() == "done"

    def switch_off(self) -> None:
        if self.process is not None:
            self.process.communicate()
            self.process = None

    def set_monitor_end(self, state: str) -> None:
        ip("-n", self.monitor, "link", "set", self.monitor_end, state)

    def set_cable(self, state: str) -> None:
        """`down`: the cable is unplugged at the cameras' end; the monitor has no carrier."""
        ip("-n", self.namespace, "link", "set", self.own_end, state)

    def leave(self) -> None:
        self.switch_off()
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system, which no network namespace divides."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self.path))


class NamespacedMonitor:
    """`python app.py` in a namespace, with the ports of real devices, asked over control.sock."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "DATABASE_PATH": str(self.folder / "camera_database.json"),
            "DATA_DIR": str(self.folder / "data"),
            "MEDIA_DIR": str(self.folder / "media"),
            # Other sources ask on no network.
            "ONVIF_TARGETS": "127.0.0.1",
        }
        with (self.folder / "output.txt").open("ab") as out:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, sys.executable, "app.py"],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self.answers, 30, "the monitor answers")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "output.txt").read_text()
        try:
            return self.request("GET", "/healthz").status == 200
        except OSError:
            return False

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        connection = UnixConnection(self.folder / "data" / "control.sock")
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        return json.loads(self.request("GET", path).body)

    def scan(self) -> dict[str, Any]:
        """Run a whole scan; what it did with Panasonic."""
        assert self.request("POST", "/api/scan").status == 200
        until(lambda: self.json("/api/scan")["running"] is None, 40, "the scan ends")
        last: dict[str, Any] = self.json("/api/scan")["last"]
        source = next(each for each in last["sources"] if each["name"] == "panasonic")
        return {**source, "missed": last["missed"], "error": last["error"]}

    def statuses(self, network: Cameras) -> list[str]:
        """The statuses of the devices of this network by MAC."""
        rows = {row["mac_address"]: row for row in self.json("/api/cameras")["cameras"]}
        return [rows[mac]["status"] if mac in rows else "not known" for mac in network.macs]

    def is_told(self) -> bool:
        """Tell whether the journal has every event."""
        return b"\ncamera_monitor_events_waiting 0.0\n" in self.request("GET", "/metrics").body

    def kinds(self, family: str) -> list[str]:
        until(self.is_told, what="every event is in the journal")
        events = self.json(f"/api/events?kind={family}&limit=1000")["events"]
        return [event["kind"] for event in events][::-1]

    def output_of(self, *command: str) -> str:
        """Run a command in the monitor's namespace; its output."""
        inside = ["ip", "netns", "exec", self.namespace, *command]
        return subprocess.run(inside, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def monitor_with(*given: dict[str, Any]) -> Iterator[tuple[NamespacedMonitor, list[Cameras]]]:
    """A running monitor with a network for each of `given`, which are fields of Cameras."""
    worker = os.getpid()
    namespace = f"cm-monitor-{worker}"
    # A socket's path may have 107 bytes: pytest's folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="cm-", dir="/tmp"))
    networks = [
        Cameras(f"cm-net{number}-{worker}", namespace, number, **fields)
        for number, fields in enumerate(given, start=1)
    ]
    monitor = NamespacedMonitor(namespace, folder)
    try:
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        for network in networks:
            network.join()
            network.switch_on()
        monitor.start()
        yield monitor, networks
    finally:
        monitor.stop()
        for network in networks:
            network.leave()
        subprocess.run(["ip", "netns", "delete", namespace], check=False)
        shutil.rmtree(folder, ignore_errors=True)
