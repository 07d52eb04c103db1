"""Stills of 8 megapixels: how much memory one takes in all processes, and that it gives it back."""

import sys
import time
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread
from typing import Any

from bench.running import Process, free_port, monitor
from bench.table import Row
from bench.video import memory
from fleet.database import record
from fleet.model import Access, Device, Fleet
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.onvif_snapshots import CONTENTS
from tests.gst_server import gst_server
from tests.sources.pi_stand_in import FULL, PI, PICAMERA2, Computer

CAMERA = "127.83.8.1"
SIZE = (3840, 2160)
STILLS = 3
SETTLE = 12.0
"""Seconds after which a process that nobody needs has ended."""
LIMIT = 90


def stills(folder: Path) -> list[Row]:
    """Stills by the three ways, of one camera each."""
    (folder / "pi").mkdir()
    computer = Computer(folder / "pi")
    computer.plan(FULL)
    CONTENTS["large"] = ("image/jpeg", large_jpeg())
    device = OnvifDevice(CAMERA, snapshot_kind="large")
    stream = ("--size", "3840x2160", "--fps", "2", "--bits", "8000000")
    with (
        OnvifServers([device], free_port()) as servers,
        gst_server(CAMERA, *stream) as port,
    ):
        ways = {
            "Pi stand-in": Device(1, "camera", "here", (PI,)),
            "snapshot": with_access(2, onvif=Access(port=servers.port)),
            "stream": with_access(3, rtsp=Access(port=port, path="/stream1")),
        }
        if not (PICAMERA2 / "picamera2").is_dir():
            print("stills needs picamera2; it is not installed for the tests", file=sys.stderr)
            del ways["Pi stand-in"]
        by_id = {camera.id: camera for camera in ways.values()}
        fleet = record.indexed(Fleet(devices=by_id, next_id=4))
        (folder / "camera_database.json").write_bytes(record.Encoder().encode(fleet))
        options = {
            "MEDIA_DIR": str(folder / "media"),
            "CAMERA_PYTHON": computer.python,
            "STILLS_INTERVAL": "0",
            "PICTURE_HEALTH_INTERVAL": "0",
            "ONVIF_TARGETS": CAMERA,
        }
        with monitor(folder, ("app.py",), **options) as process:
            wait_for_snapshot(process)
            return [
                row for way, camera in ways.items() for row in measured(process, way, camera.id)
            ]


def with_access(number: int, **access: Access) -> Device:
    key = (f"row:{number}",)
    return Device(number, "camera", "here", key, address=CAMERA, access=access, listed=True)


def large_jpeg() -> bytes:
    """A JPEG of 8 megapixels, as busy as a street."""
    import av

    with av.open(f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate=1", format="lavfi") as source:
        frame = next(source.decode(video=0)).reformat(format="yuvj420p")
    frame.pts = 0
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *SIZE, "yuvj420p"
    encoder.time_base, encoder.options = Fraction(1, 25), {"qmin": "2", "qmax": "3"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def wait_for_snapshot(process: Process) -> None:
    """Wait until a check has found where the snapshot is."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            process.client.ask("GET", "/api/cameras/2/stills/newest?take=1")
            return
        except RuntimeError:
            process.client.close()
            time.sleep(0.5)
    raise RuntimeError("the camera gave no snapshot")


def measured(process: Process, way: str, camera: int) -> list[Row]:
    """The most that the processes take more during a still, and what is left of it."""
    process.client.ask("GET", f"/api/cameras/{camera}/stills/newest?take=1")
    time.sleep(SETTLE)
    before, most, is_over = memory(process), [0.0], Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            most[0] = max(most[0], memory(process))

    watcher = Thread(target=watch)
    watcher.start()
    seconds = []
    for _still in range(STILLS):
        begin = time.monotonic()
        process.client.ask("GET", f"/api/cameras/{camera}/stills/newest?take=1")
        seconds.append(time.monotonic() - begin)
    is_over.set()
    watcher.join()
    time.sleep(SETTLE)
    note = f"PSS of all processes; a still took {min(seconds):.1f} s"
    return [
        Row(f"8 MP still ({way}): memory more", most[0] - before, "MB", LIMIT, note=note),
        Row(f"8 MP still ({way}): left afterwards", memory(process) - before, "MB", 15),
    ]
