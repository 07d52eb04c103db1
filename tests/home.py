"""A whole monitor for tests: in this process with a clock of its own, or as a real process."""

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from werkzeug.routing import Rule

import app as monitor_app
from discovery import lifecycle as running_packages
from discovery.scan_record import scan_record
from fleet.model import Device
from settings import Settings
from simulators.panasonic import Camera, Network
from sources import panasonic
from store.sql import default_url, migrate, open_engine
from tests.warm_start import popen
from web.http.monitor import Monitor

ROOT = Path(__file__).parent.parent
QUICK = (0.0, 0.02, 0.04, 0.1, 0.12, 0.14)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], Any], limit: float = 20.0, what: str = "") -> Any:
    """Wait until `holds()` is true and return its value; fail after a generous limit."""
    end = time.monotonic() + limit
    while True:
        result = holds()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"it did not come true within {limit} s: {what or holds}")
        time.sleep(0.01)


class Clock:
    """A clock that moves only by `forward()`."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        self.now += timedelta(**length)


def settings_in(folder: Path, **changes: Any) -> Settings:
    given: dict[str, Any] = {
        "database_path": folder / "camera_database.json",
        "data_dir": folder / "data",
        "media_dir": folder / "media",
        "p2p_workbook": folder / "P2P1.xlsx",
        "stills_interval": 0,
        "picture_health_interval": 0,
        "easy4ip_server": "127.0.0.1:9",
        "easy_ip_targets": ("127.0.0.1",),
        "easy_ip_port": free_port(socket.SOCK_DGRAM),
        "easy_ip_reply_port": free_port(socket.SOCK_DGRAM),
        **changes,
    }
    return Settings(**given)


def _compile_addresses_once() -> None:
    """Werkzeug compiles each rule of addresses again for each app, and takes longer for it than the
    rest of an app does; the code depends on nothing but what `key` has, and gets the rule itself.
    """
    compile_builder = Rule._compile_builder
    known: dict[tuple[Any, ...], Any] = {}

    def builder(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (rule.rule, append_unknown, *rule._trace)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    Rule._compile_builder = builder  # type: ignore[method-assign]


_compile_addresses_once()


@cache
def _with_tables() -> Path:
    """An SQLite file as the migrations leave it, made once for each test worker."""
    path = Path(tempfile.mkdtemp(prefix="camera-monitor-tables-")) / "camera_monitor.db"
    atexit.register(shutil.rmtree, path.parent)
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


def _lay_out_tables(settings: Settings) -> None:
    """Start with the tables where there is no database yet: to migrate takes as long as a test.
    Real processes, and the tests of the migrations, begin with nothing."""
    if settings.database_url is None and not settings.data_dir.exists():
        settings.data_dir.mkdir(parents=True)
        shutil.copy(_with_tables(), str(default_url(settings.data_dir).database))


class Home:
    """A monitor in this process, with a simulated network behind real sockets.

    The scheduler does not run: tests say `scan()`, `tick()` and `clock.forward()`. `sources`: more
    sources beside the one of the network.
    """

    def __init__(self, folder: Path, clock: Clock, *cameras: Camera, **changes: Any) -> None:
        self.sources = tuple(changes.pop("sources", ()))
        self.settings = settings_in(folder, **changes)
        _lay_out_tables(self.settings)
        self.clock = clock
        self.network = Network(
            list(cameras),
            listen=("127.0.0.1", self.settings.easy_ip_port),
            reply_to=("127.0.0.1", self.settings.easy_ip_reply_port),
        )
        self.open()

    def open(self) -> None:
        """Build the monitor and open it, as after a restart."""
        options = panasonic.EasyIpOptions(
            clock=self.clock,
            targets=self.settings.easy_ip_targets,
            port=self.settings.easy_ip_port,
            reply_port=self.settings.easy_ip_reply_port,
            asks=QUICK,
            window=0.25,
        )
        self.monitor: Monitor = monitor_app.build_monitor(
            self.settings, self.clock, [panasonic.source(options), *self.sources]
        )
        # Flask's test client has no connection whose owner the kernel could name.
        self.monitor.authenticator.proves_peer = lambda _environ: True
        running_packages.open_all(self.monitor.packages)
        # Nor are new recorders asked at once: tests say when.
        self.monitor.workbooks.on_new_targets = lambda: None
        self.monitor.workbooks.sync()
        self.monitor.scanner.open()
        self.app = monitor_app.create_app(self.monitor)
        self.client = self.app.test_client()
        self.network.start()

    def close(self) -> None:
        self.network.stop()
        running_packages.stop_all(self.monitor.packages)

    def restart(self) -> None:
        self.close()
        self.open()

    def scan(self) -> dict[str, Any]:
        """Run a whole scan a second later; what it did."""
        self.clock.forward(seconds=1)
        assert self.monitor.scanner.start("test")
        assert self.monitor.scanner.wait(20)
        assert self.monitor.scanner.last is not None
        return scan_record(self.monitor.scanner.last)

    def tick(self) -> None:
        self.monitor.tracker.tick(self.clock())

    def devices(self) -> list[Device]:
        return list(self.monitor.tracker.devices().values())

    def device(self, key: str = "1") -> Device:
        return self.monitor.tracker.device(key)

    def status(self, key: str = "1") -> str:
        device = self.device(key)
        return self.monitor.statuses()[1][device.id]

    def events(self, **wanted: Any) -> list[Any]:
        """What the journal has, oldest first, once everything is delivered."""
        until(lambda: not self.monitor.tracker.fleet().outbox, what="the outbox is empty")
        return self.monitor.journal.find(**{"limit": 1000, **wanted})[::-1]

    def kinds(self, **wanted: Any) -> list[str]:
        return [event.kind for event in self.events(**wanted)]


@dataclass
class Answer:
    """What a running monitor answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """`python app.py` as a real process on loopback, with its own folder and ports.

    `root` is where the program is. Where /proc is to show its own command line and environment,
    say `is_warm = False` before the start.
    """

    is_warm = True

    def __init__(self, folder: Path, root: Path = ROOT, **environment: str) -> None:
        self.folder = folder
        self.root = root
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DATABASE_PATH": str(folder / "camera_database.json"),
            "DATA_DIR": str(folder / "data"),
            "MEDIA_DIR": str(folder / "media"),
            "P2P_WORKBOOK": str(folder / "P2P1.xlsx"),
            "STILLS_INTERVAL": "0",
            "PICTURE_HEALTH_INTERVAL": "0",
            "EASY4IP_SERVER": "127.0.0.1:9",
            "EASY_IP_TARGETS": "127.0.0.1",
            "EASY_IP_PORT": str(free_port(socket.SOCK_DGRAM)),
            "EASY_IP_REPLY_PORT": str(free_port(socket.SOCK_DGRAM)),
            **environment,
        }
        self.output = folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def files(self) -> list[Path]:
        """All that it has written: its databases, its log and its output among them."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        kept = {"camera_database.json", "camera_monitor.db", "app.log", "output.txt"}
        assert {path.name for path in files} >= kept
        return files

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start the process without waiting for it."""
        with self.output.open("ab") as out:
            start = popen if self.is_warm else subprocess.Popen
            self.process = start(
                list(command) or [sys.executable, "app.py"],
                cwd=self.root,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def start(self, *command: str) -> "Running":
        """Start the process and wait until it answers."""
        process = self.spawn(*command)

        def answers() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"the monitor ended:\n{self.text()}")
            try:
                return self.get("/healthz").status == 200
            except OSError:
                return False

        until(answers, 30, "the monitor answers")
        return self

    def text(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, given)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def beginning(self, path: str, headers: Mapping[str, str], size: int = 100_000) -> Answer:
        """The first bytes of an answer that may have no end; none where it does not begin within
        some seconds, as it is with a camera that sends nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        body, status, shown = b"", 0, dict[str, str]()
        try:
            connection.request("GET", path, None, dict(headers))
            answer = connection.getresponse()
            status, shown = answer.status, dict(answer.getheaders())
            while len(body) < size and (piece := answer.read1(size)):
                body += piece
        except TimeoutError:
            pass
        finally:
            connection.close()
        return Answer(status, shown, body)

    def kill(self) -> None:
        """Send SIGKILL to every process of the monitor at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM, as systemd does, and return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


@contextmanager
def running(folder: Path, *, is_warm: bool = True, **environment: str) -> Iterator[Running]:
    """Run a monitor as a process, and end it whatever the test does."""
    folder.mkdir(parents=True, exist_ok=True)
    monitor = Running(folder, **environment)
    monitor.is_warm = is_warm
    try:
        yield monitor.start()
    finally:
        if monitor.process is not None and monitor.process.poll() is None:
            monitor.kill()
