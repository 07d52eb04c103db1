"""`make demo`: the monitor with a pretended fleet on loopback, on files of its own.

The place looks as if it had been watched for months. 40 cameras and recorders answer, of which
some move, die and come back; a few more are silent, each for a reason of its own. Nothing
leaves this machine, and the live files are not touched. Beside Panasonic's there are recorders
behind a pretended cloud, and cameras of other makers.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from simulators import demo_cast, demo_past, demo_stores, demo_streams
from simulators.panasonic import Camera, Network
from simulators.panasonic_life import DeviceChanges

CHANGE_EVERY = 10.0
SCAN_EVERY = 20
SEED = 7
DEFAULT_PORT = 5000
DATABASE, DATA = "camera_database.json", "data"


def main() -> int:
    """Run until Ctrl+C or SIGTERM; the exit code of the monitor."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    with tempfile.TemporaryDirectory(prefix="camera-monitor-demo-") as folder:
        environment = _environment(Path(folder))
        cameras = demo_cast.cameras()
        streams = demo_streams.Streams(
            _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_STREAM)
        )
        _write_past(Path(folder), cameras, streams)
        listen = ("127.0.0.1", int(environment["EASY_IP_PORT"]))
        reply_to = ("127.0.0.1", int(environment["EASY_IP_REPLY_PORT"]))
        demo_stores.write_workbook(Path(environment["P2P_WORKBOOK"]))
        with (
            Network(cameras, listen=listen, reply_to=reply_to) as network,
            demo_stores.cloud() as cloud,
            streams,
        ):
            environment["EASY4IP_SERVER"] = f"127.0.0.1:{cloud.port}"
            print(_hint(environment), flush=True)
            print(f"A recorder to add: {streams.hint}\n", flush=True)
            monitor = subprocess.Popen([sys.executable, "app.py"], env=environment)
            first = demo_past.first_stream(demo_cast.members())
            port = int(environment.get("PORT") or DEFAULT_PORT)
            entering = (first, streams, port)
            Thread(target=demo_streams.enter_logins, args=entering, daemon=True).start()
            return _run_story(network, monitor)


def _hint(environment: dict[str, str]) -> str:
    """The options by which a command reaches the demo, and not the real fleet."""
    names = ("DATABASE_PATH", "DATA_DIR")
    options = " ".join(f"{name}={environment[name]}" for name in names)
    return f"Commands for this demo, in another terminal:\n{options} .venv/bin/python cli.py list\n"


def _interrupt(_signal: int, _frame: object) -> None:
    """Stop in order at the first signal, and ignore further ones."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def _environment(folder: Path) -> dict[str, str]:
    """The caller's environment, with everything that could touch the real world replaced."""
    return {
        **os.environ,
        "SITE_NAME": "Camera Monitor demo",
        "DATABASE_PATH": str(folder / DATABASE),
        "DATA_DIR": str(folder / DATA),
        "MEDIA_DIR": str(folder / "media"),
        "DATABASE_URL": "",
        "AUTO_SCAN": "true",
        "AUTO_SCAN_INTERVAL": str(SCAN_EVERY),
        "EASY_IP_TARGETS": "127.0.0.1",
        "EASY_IP_PORT": str(_free_port()),
        "EASY_IP_REPLY_PORT": str(_free_port()),
        "P2P_WORKBOOK": str(folder / "P2P1.xlsx"),
        "EASY4IP_SERVER": "127.0.0.1:9",
        "EASY4IP_INTERVAL": str(SCAN_EVERY),
    }


def _free_port(kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_past(folder: Path, cameras: list[Camera], streams: demo_streams.Streams) -> None:
    """The database and the journal, before the monitor opens them."""
    now = datetime.now(UTC)
    past = demo_past.database(demo_cast.members(), cameras, streams, now)
    (folder / DATABASE).write_text(json.dumps(past))
    (folder / DATA).mkdir()
    demo_past.make_journal(folder / DATA / "camera_monitor.db", now.astimezone().date())


def _run_story(network: Network, monitor: "subprocess.Popen[bytes]") -> int:
    """Change the cameras one by one until the monitor or this program is stopped."""
    homes = [camera.ip for camera in network.cameras]
    story = DeviceChanges(homes, demo_cast.actors(network.cameras), SEED)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return monitor.wait(CHANGE_EVERY)
            change = next(story)
            camera = network.cameras[change.index]
            with network.lock:
                camera.ip, camera.on = change.address, change.on
            print(time.strftime("%H:%M:%S"), f"{camera.shown_name} {change.text}", flush=True)
    except KeyboardInterrupt:
        monitor.terminate()
    return monitor.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
