"""Picture health of 200 cameras a minute: what all of it costs, streams included, beside a program
that opens cv2 for each sample."""

import importlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import fleets
from bench.rtsp import cameras
from bench.running import HERE, Process, free_port, monitor
from bench.table import Row
from bench.video import family
from fleet.database import record
from fleet.model import Access, Fleet
from simulators import rtsp

CAMERAS, INTERVAL = 200, 60
SETTLE = 75.0
"""Seconds after which each camera was sampled once, and the start is over."""
SECONDS = 60.0
RATE = 10
PEERS = 20
TICKS = os.sysconf("SC_CLK_TCK")


def sampled(folder: Path) -> list[Row]:
    """The share of a core that 200 samples a minute take in the monitor and its children."""
    if not shutil.which("ffmpeg"):
        print("the samples need ffmpeg for their clip; it is not installed", file=sys.stderr)
        return []
    clip, port = _clip(folder), free_port()
    options = ["--count", str(CAMERAS), "--clip", str(clip), "--fps", str(RATE), "--open", "--live"]
    with cameras(port, *options):
        _write_fleet(folder, port)
        shares = {interval: _share(folder, interval) for interval in (0, INTERVAL)}
        number = _sampled_within(folder, SECONDS + 10)
        peer = _peer_share(port)
    return [
        Row(
            "health: 200 cameras a minute, all of it",
            shares[INTERVAL] - shares[0],
            "% of a core",
            8,
            peer=peer,
            note=f"{number} cameras sampled in the last {SECONDS + 10:.0f} s; beside "
            f"{shares[0]:.1f} % for checks; peer: cv2 opened for each sample",
        )
    ]


def _clip(folder: Path) -> Path:
    """A sub stream: 640 x 360, a key frame every two seconds."""
    path = folder / "sub.h264"
    source = f"testsrc2=s=640x360:r={RATE},noise=alls=12:allf=t"
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", str(RATE * 2)]
    limits = ["-b:v", "500k", "-maxrate", "500k", "-bufsize", "500k", "-pix_fmt", "yuv420p"]
    one_slice = ["-x264-params", "sliced-threads=0:slices=1", "-threads", "1"]
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-t", "8"]
    subprocess.run([*command, *coded, *limits, *one_slice, str(path)], check=True, timeout=120)
    return path


def _write_fleet(folder: Path, port: int) -> None:
    fleets.write_fleet(folder, CAMERAS)
    tracker = fleets.tracker_in(folder)
    fleet = tracker.fleet()
    tracker.close()
    devices = {}
    for number, camera in zip(sorted(fleet.devices), rtsp.crowd(CAMERAS), strict=True):
        access = {"rtsp": Access(camera.address, port, "/stream1")}
        known = replace(fleet.devices[number], access=access, retired_at=None, states={})
        devices[number] = known
    data = record.Encoder().encode(Fleet(devices, next_id=fleet.next_id, sequence=fleet.sequence))
    (folder / "camera_database.json").write_bytes(data)


def _share(folder: Path, interval: int) -> float:
    """The share of a core of the monitor and all its children, those that ended too."""
    options = {"MEDIA_DIR": str(folder / "media"), "STILLS_INTERVAL": "0", "ONVIF_TARGETS": HERE}
    options["PICTURE_HEALTH_INTERVAL"] = str(interval)
    with monitor(folder, ("app.py",), **options) as process:
        time.sleep(SETTLE)
        before, begin = _cpu(process), time.monotonic()
        time.sleep(SECONDS)
        return (_cpu(process) - before) / (time.monotonic() - begin) * 100


def _cpu(process: Process) -> float:
    ticks = 0
    for pid in family(process.process.pid):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def _sampled_within(folder: Path, seconds: float) -> int:
    """How many cameras have a sample of the time before the monitor ended."""
    with sqlite3.connect(folder / "data" / "camera_monitor.db") as database:
        query = (
            "SELECT count(*) FROM health_courses, "
            "(SELECT max(sampled_at) AS newest FROM health_courses) "
            "WHERE julianday(sampled_at) > julianday(newest) - ? / 86400.0"
        )
        return int(database.execute(query, (seconds,)).fetchone()[0])


def _peer_share(port: int) -> float | None:
    """The same by `cv2.VideoCapture`, opened for each sample; None without cv2."""
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return None
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"
    begin, count = time.process_time(), 0
    for camera in rtsp.crowd(PEERS):
        capture = cv2.VideoCapture(f"rtsp://{camera.address}:{port}/stream1", cv2.CAP_FFMPEG)
        is_read, frame = capture.read()
        if is_read:
            small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (320, 180))
            cv2.Laplacian(small, cv2.CV_32F).var()
            count += 1
        capture.release()
    if not count:
        return None
    return (time.process_time() - begin) / count * CAMERAS / SECONDS * 100
