"""The monitor, and its peer, as processes of their own; and an HTTP client that takes the time."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
HERE = "127.0.0.1"


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


class Client:
    """One HTTP connection that stays open, or with `keep=False` a new one each time."""

    def __init__(self, port: int, keep: bool = True) -> None:
        self.port = port
        self.keep = keep
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(HERE, self.port, timeout=60)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if not self.keep:
            self.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {content[:300]!r}")
        return content

    def json(self, path: str) -> Any:
        return json.loads(self.ask("GET", path))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Process:
    """A web server under measure. `started` is the seconds until it answered."""

    def __init__(self, command: list[str], port: int, health: str, environment: dict[str, str]):
        self.port = port
        self.environment = environment
        begin = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.client = Client(port)
        while True:
            try:
                self.client.ask("GET", health)
                break
            except OSError:
                self.client.close()
                if self.process.poll() is not None:
                    raise RuntimeError(f"{command} ended by itself") from None
                time.sleep(0.002)
        self.started = time.monotonic() - begin

    def pss(self) -> float:
        """MB of all processes of its group, each shared page counted once among its users."""
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == self.process.pid:
                    lines = (folder / "smaps_rollup").read_text().splitlines()
                    total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            except OSError:
                continue
        return total / 1000 * 1.024

    def end(self) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def monitor(
    folder: Path, command: tuple[str, ...] = ("app.py",), **environment: str
) -> Iterator[Process]:
    """`python app.py`, or another command, on loopback with its files in `folder`."""
    port = free_port()
    given = {
        "HOST": HERE,
        "PORT": str(port),
        "DATABASE_PATH": str(folder / "camera_database.json"),
        "DATA_DIR": str(folder / "data"),
        "P2P_WORKBOOK": str(folder / "P2P1.xlsx"),
        "EASY4IP_SERVER": f"{HERE}:9",
        "EASY_IP_TARGETS": HERE,
        "EASY_IP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "EASY_IP_REPLY_PORT": str(free_port(socket.SOCK_DGRAM)),
        **environment,
    }
    process = Process([sys.executable, *command], port, "/healthz", given)
    try:
        yield process
    finally:
        process.end()


@contextmanager
def peer(folder: Path) -> Iterator[Process]:
    """The plain Flask program in bench/peer.py, on the export of the same fleet."""
    port = free_port()
    command = [sys.executable, "-m", "bench.peer", str(folder / "peer.json"), str(port)]
    process = Process(command, port, "/healthz", {})
    try:
        yield process
    finally:
        process.end()


def times(count: int, work: Callable[[int], object], warm: int = 2) -> list[float]:
    """Milliseconds of each of `count` runs, after a few that do not count."""
    for number in range(warm):
        work(-1 - number)
    latencies = []
    for number in range(count):
        begin = time.perf_counter()
        work(number)
        latencies.append((time.perf_counter() - begin) * 1000)
    return latencies


def typical(count: int, work: Callable[[int], object]) -> float:
    return median(times(count, work))


def p99(values: list[float]) -> float:
    return sorted(values)[max(0, int(len(values) * 0.99) - 1)]


def share_of_core(seconds: float) -> tuple[float, float]:
    """The share of one core that this process uses meanwhile, in percent, and how long it was."""
    cpu, begin = time.process_time(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    return (time.process_time() - cpu) / took * 100, took
