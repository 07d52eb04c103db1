"""`make demo`: the house with a pretended fleet on loopback, on files of its own.

40 cameras and recorders move, die and come back; a few more were there before and are
silent. Nothing leaves this machine, and the live files are not touched.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulators.panasonic import CAST, Network, crowd
from simulators.panasonic_life import Life

CAMERAS = 40
CHANGE_EVERY = 10.0
SCAN_EVERY = 20
SEED = 7


def main() -> int:
    """Run until Ctrl+C; the exit code of the house."""
    with tempfile.TemporaryDirectory(prefix="camera-monitor-demo-") as folder:
        environment = _environment(Path(folder))
        listen = ("127.0.0.1", int(environment["EASY_IP_PORT"]))
        reply_to = ("127.0.0.1", int(environment["EASY_IP_REPLY_PORT"]))
        database = Path(environment["DATABASE_PATH"])
        database.write_text(json.dumps(former_fleet(datetime.now(UTC))))
        with Network(crowd(CAMERAS), listen=listen, reply_to=reply_to) as network:
            house = subprocess.Popen([sys.executable, "app.py"], env=environment)
            return _live(network, house)


def _environment(folder: Path) -> dict[str, str]:
    """The caller's environment, with everything that could touch the real world replaced."""
    return {
        **os.environ,
        "SITE_NAME": "Camera Monitor demo",
        "DATABASE_PATH": str(folder / "camera_database.json"),
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": "",
        "AUTO_SCAN": "true",
        "AUTO_SCAN_INTERVAL": str(SCAN_EVERY),
        "EASY_IP_TARGETS": "127.0.0.1",
        "EASY_IP_PORT": str(_free_port()),
        "EASY_IP_REPLY_PORT": str(_free_port()),
        "EASY4IP_SERVER": "127.0.0.1:9",
    }


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _live(network: Network, house: "subprocess.Popen[bytes]") -> int:
    """Let things happen until the house ends or somebody ends us."""

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    homes = [camera.ip for camera in network.cameras]
    story = Life(homes, range(CAST, len(homes)), SEED)
    try:
        while house.poll() is None:
            time.sleep(CHANGE_EVERY)
            change = next(story)
            camera = network.cameras[change.index]
            with network.lock:
                camera.ip, camera.on = change.address, change.on
            print(time.strftime("%H:%M:%S"), f"{camera.shown_name} {change.text}", flush=True)
    except KeyboardInterrupt:
        if house.poll() is None:
            house.terminate()
    return house.wait()


def former_fleet(now: datetime) -> dict[str, Any]:
    """A database with devices that were there before: one status each that needs a past."""
    gone = (now - timedelta(days=3)).isoformat()
    devices = [
        _silent(1, "Old recorder", "recorder", gone, model="NX400"),
        _silent(2, "Yard behind the old recorder", "camera", gone, parent=1),
        _silent(3, "Warehouse", "camera", gone),
        {
            **_record(4, "Loading dock (being installed)", "camera"),
            "listed": True,
        },
    ]
    return {
        "format": "camera-monitor",
        "version": 1,
        "next_id": len(devices) + 1,
        "sequence": 0,
        "memo": {},
        "redirects": {},
        "outbox": [],
        "devices": devices,
    }


def _record(number: int, name: str, kind: str) -> dict[str, Any]:
    return {
        "id": number,
        "kind": kind,
        "site": "here",
        "identities": [f"mac:d4:2d:c5:fe:00:{number:02x}"],
        "name": name,
        "addresses": [],
        "words": {},
        "facts": {},
        "links": {},
        "findings": [],
    }


def _silent(
    number: int,
    name: str,
    kind: str,
    seen: str,
    *,
    model: str = "X22700-V2L",
    parent: int | None = None,
) -> dict[str, Any]:
    """A device that answered until `seen` and was asked in vain since."""
    ip = f"127.20.9.{number}"
    word = {
        "seen_at": seen,
        "missed_at": seen,
        "asked": seen,
        "misses": 1,
        "reason": "did not answer 12 search requests on lo",
        "scope": None,
    }
    return {
        **_record(number, name, kind),
        "address": ip,
        "addresses": [{"ip": ip, "at": seen, "previous": None}],
        "first_seen": seen,
        "last_seen": seen,
        "sightings": 120,
        "words": {"panasonic": word},
        "facts": {"panasonic": {"name": name, "model": model, "port": 80}},
        "parent": parent,
        "status": "MISSING" if parent is None else "UNREACHABLE",
        "since": seen,
    }


if __name__ == "__main__":
    sys.exit(main())
