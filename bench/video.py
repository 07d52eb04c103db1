"""Live view and recording: what viewers, tiles and recordings cost, beside a decoder for each
viewer, and beside cv2 where it is installed."""

import http.client
import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench import fleets
from bench.rtsp import cameras
from bench.running import HERE, Process, free_port, monitor
from bench.table import Row
from bench.viewers import viewers
from fleet.database import record
from fleet.model import Access, Fleet
from simulators import rtsp, rtsp_clip
from video.jpegs import Jpegs
from video.packets import VIDEO, EncodedPacket, VideoCoding
from video.watching import PictureOptions

LARGE, SMALL = 32, 36
"""Cameras with a main stream of 2 Mbit/s, and with a sub stream."""
CLIPS = {
    "large": ("1280x720", 15, "2M"),
    "small": ("320x180", 10, "200k"),
}
SECONDS = 10.0
"""Of each measurement."""
SETTLE = 3.0
LINGER = 13.0
"""Seconds after which the streams of viewers that left are closed."""
STEADY = 0.3
"""Percent of a core by which two measurements of an idle monitor differ at most."""
LONGEST_START = 30
"""Measurements until they do."""
COLD = 6
"""Cameras whose first picture is waited for."""
FRAME_NUMBERS = os.sysconf("SC_CLK_TCK")


def video(folder: Path) -> list[Row]:
    """One camera with 1 and 16 viewers of each kind, 36 tiles, 1 and 32 recordings."""
    if not shutil.which("ffmpeg"):
        print("video needs ffmpeg for its clips; it is not installed", file=sys.stderr)
        return []
    clips = {name: _clip(folder, name) for name in CLIPS}
    ports = {name: free_port() for name in CLIPS}
    with (
        _cameras(ports["large"], clips["large"], LARGE, CLIPS["large"][1]),
        _cameras(ports["small"], clips["small"], SMALL, CLIPS["small"][1], first=LARGE),
    ):
        large, small = _write_fleet(folder, ports)
        with monitor(folder, MEDIA_DIR=str(folder / "media"), ONVIF_TARGETS=HERE) as process:
            rows = _viewer_rows(process, large[0], clips["large"])
            rows += _tile_rows(process, small)
            rows += [_first_picture(process, large[1 : 1 + COLD])]
            rows += _recording_rows(process, large, folder, ports["large"])
    return rows


def _clip(folder: Path, name: str) -> Path:
    size, rate, bits = CLIPS[name]
    path = folder / f"{name}.h264"
    source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate},noise=alls=12:allf=t", "-t", "8"]
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", str(rate * 2)]
    limits = ["-b:v", bits, "-maxrate", bits, "-bufsize", bits, "-pix_fmt", "yuv420p"]
    one_slice = ["-x264-params", "sliced-threads=0:slices=1", "-threads", "1"]
    command = ["ffmpeg", "-v", "error", *source, *coded, *limits, *one_slice, str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path


@contextmanager
def _cameras(port: int, clip: Path, count: int, rate: int, first: int = 0) -> Iterator[None]:
    options = ["--count", str(count), "--first", str(first), "--clip", str(clip)]
    with cameras(port, *options, "--fps", str(rate), "--open"):
        yield


def _write_fleet(folder: Path, ports: dict[str, int]) -> tuple[list[int], list[int]]:
    """The cameras in the monitor's file; their numbers, the large ones first."""
    fleets.write_fleet(folder, LARGE + SMALL)
    tracker = fleets.tracker_in(folder)
    fleet = tracker.fleet()
    tracker.close()
    numbers = sorted(fleet.devices)
    devices = {}
    for place, (number, camera) in enumerate(zip(numbers, rtsp.crowd(len(numbers)), strict=True)):
        port = ports["large" if place < LARGE else "small"]
        access = {"rtsp": Access(camera.address, port, "/stream1")}
        devices[number] = replace(fleet.devices[number], access=access, retired_at=None)
    data = record.Encoder().encode(Fleet(devices, next_id=fleet.next_id, sequence=fleet.sequence))
    (folder / "camera_database.json").write_bytes(data)
    return numbers[:LARGE], numbers[LARGE:]


# -- what it costs ------------------------------------------------------------------------------


def family(pid: int) -> list[int]:
    """A process and its children, those of other sessions too."""
    pids = [pid]
    for known in pids:
        for task in Path(f"/proc/{known}/task").glob("*"):
            try:
                pids += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
    return pids


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process and its children that live."""
    ticks = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / FRAME_NUMBERS


def cpu_share(process: Process, seconds: float = SECONDS) -> float:
    """The share of one core that the monitor and its children use meanwhile, in percent."""
    before, begin = _cpu(process.process.pid), time.monotonic()
    time.sleep(seconds)
    used = _cpu(process.process.pid) - before
    return used / (time.monotonic() - begin) * 100


def idle_share(process: Process) -> float:
    """The share while nobody watches and nothing is recorded. A start checks every camera, which
    takes more than a viewer does, and so does a scan: it is measured until it stays the same."""
    time.sleep(LINGER)
    share = cpu_share(process)
    for _ in range(LONGEST_START):
        before, share = share, cpu_share(process)
        if abs(share - before) <= STEADY:
            return min(before, share)
    raise RuntimeError(f"the share of the idle monitor keeps changing: {share:.1f} % of a core now")


def memory(process: Process) -> float:
    """MB of the monitor and its children, each shared page counted once among its users."""
    total = 0
    for pid in family(process.process.pid):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000 * 1.024


def _watched(process: Process, path: str, count: int) -> tuple[float, float, float, float]:
    """(percent of a core, MB, Mbit/s of all, age in ms) with so many viewers."""
    with viewers(process.port, count, path) as counts:
        time.sleep(SETTLE)
        counts()
        share = cpu_share(process)
        size, age = counts()
        return share, memory(process), size * 8 / SECONDS / 1e6, age


def _viewer_rows(process: Process, camera: int, clip: Path) -> list[Row]:
    idle = idle_share(process)
    shares, sizes, rates = dict[str, list[float]](), dict[str, list[float]](), dict[str, float]()
    paths = {
        "fMP4": f"/api/cameras/{camera}/live.mp4",
        "MJPEG": f"/v0/api/cctv/cameras/{camera}/stream/?quality=main",
    }
    for kind, path in paths.items():
        for count in (1, 4, 16):
            share, size, rate, _age = _watched(process, path, count)
            shares.setdefault(kind, []).append(share - idle)
            sizes.setdefault(kind, []).append(size)
            rates[kind] = rate / count
    each = decoder_share(clip)
    mp4, pictures = shares["fMP4"], shares["MJPEG"]
    return [
        Row(
            "16 viewers of a camera by fMP4: CPU beyond one",
            mp4[2] - mp4[0],
            "%",
            6,
            note=f"1 / 4 / 16: {_list(mp4)} %; {rates['fMP4']:.1f} Mbit/s each",
        ),
        Row(
            "16 viewers by MJPEG: CPU as a multiple of one",
            pictures[2] / pictures[0],
            "x",
            1.4,
            peer=each * 16 / pictures[0],
            note=f"1 / 4 / 16: {_list(pictures)} %; {rates['MJPEG']:.1f} Mbit/s each; "
            "peer: a decoder for each viewer",
        ),
        Row(
            "16 viewers by MJPEG: memory beyond one",
            sizes["MJPEG"][2] - sizes["MJPEG"][0],
            "MB",
            60,
        ),
    ]


def _list(values: list[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


def _tile_rows(process: Process, cameras: list[int]) -> list[Row]:
    idle = idle_share(process)
    tiles = ",".join(f"{number}:main" for number in cameras)
    share, _size, rate, age = _watched(process, f"/api/live?tiles={tiles}", 1)
    note = f"{rate:.1f} Mbit/s in one response"
    return [
        Row("36 tiles of sub streams: CPU", share - idle, "%", 30, note=note),
        Row("36 tiles: age of a picture when it is sent", age, "ms", 700, note="median"),
    ]


def _first_picture(process: Process, cameras: list[int]) -> Row:
    """A camera that nobody watches; its stream begins with a key frame."""
    times = []
    for number in cameras:
        begin = time.monotonic()
        with viewers(process.port, 1, f"/api/cameras/{number}/live.mp4"):
            times.append((time.monotonic() - begin) * 1000)
    note = f"median of {len(times)} cameras, the start of the viewer's process included"
    return Row("first picture of a camera that nobody watches", median(times), "ms", note=note)


def _recording_rows(process: Process, cameras: list[int], folder: Path, port: int) -> list[Row]:
    idle, before = idle_share(process), memory(process)
    _record(process, cameras[:1])
    time.sleep(SETTLE)
    single = cpu_share(process) - idle
    _record(process, cameras[1:])
    time.sleep(SETTLE)
    many, size = cpu_share(process) - idle, memory(process) - before
    peer, note = _cv2_share(folder, port), "peer: cv2, which codes again"
    if peer is None:
        note = "the peer, cv2, is not installed"
    return [
        Row("recording 2 Mbit/s: CPU", single, "%", 0.6, peer=peer, note=note),
        Row("32 recordings of 2 Mbit/s: CPU", many, "%", 25),
        Row("32 recordings: memory more", size, "MB", 150),
    ]


def _record(process: Process, cameras: list[int]) -> None:
    connection = http.client.HTTPConnection(HERE, process.port, timeout=60)
    body, head = '{"duration_minutes": 10}', {"Content-Type": "application/json"}
    for number in cameras:
        path = f"/v0/api/cctv/cameras/{number}/start_recording"
        connection.request("POST", path, body, head)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{path} answered {answer.status}: {content[:300]!r}")
    connection.close()


# -- the peers ----------------------------------------------------------------------------------


def decoder_share(clip: Path) -> float:
    """The share of a core that a decoder with JPEG takes for one viewer of a clip, in percent."""
    rate = CLIPS["large"][1]
    coding = VideoCoding("h264", 1280, 720, codec="avc1", rate=rate, reorder=0)
    pictures = rtsp_clip.pictures(str(clip))
    jpegs, begin = Jpegs(), time.process_time()
    for number, units in enumerate(pictures):
        data = b"".join(b"\0\0\0\1" + unit for unit in units)
        at = number / rate
        packet = EncodedPacket(VIDEO, data, at, at, len(units) > 1, at, at, coding)
        for _picture in jpegs.feed(packet, {PictureOptions()}):
            pass
    return (time.process_time() - begin) / (len(pictures) / rate) * 100


def _cv2_share(folder: Path, port: int) -> float | None:
    """The share of a core that cv2 takes to record a camera, in percent; None without it."""
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return None
    address = rtsp.crowd(1)[0].address
    capture = cv2.VideoCapture(f"rtsp://{address}:{port}/stream1")
    writer = cv2.VideoWriter(
        str(folder / "cv2.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 15, (1280, 720)
    )
    cpu, begin = time.process_time(), time.monotonic()
    while time.monotonic() - begin < SECONDS:
        is_read, frame = capture.read()
        if not is_read:
            break
        writer.write(frame)
    share = (time.process_time() - cpu) / (time.monotonic() - begin) * 100
    capture.release()
    writer.release()
    return share
