"""Cameras that do things wrong, all at once: each one is seen and recorded, and none disturbs
another."""

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest

from simulators.rtsp import RtspDevice, RtspServers, Stream
from tests.home import free_port, until
from tests.video import clips
from tests.video.recorded_clips import H264
from tests.video.rtsp_opener import Server
from video.model import Fragment, Init, SegmentPlan, SegmentProgress, StreamKey
from video.streams import Streams
from video.watching import MP4, Watch

FPS = 30
PICTURES = 75
"""That are watched of each camera, two and a half seconds."""
SCALE = 90_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("odd")
    wishes = {
        "plain": ("320x180", (*H264, "-bf", "0")),
        "large": ("640x360", (*H264, "-bf", "0")),
        "b-frames": ("320x180", ("-c:v", "libx264", "-g", "15", "-bf", "2", "-slices", "1")),
    }
    for name, (size, options) in wishes.items():
        path = folder / f"{name}.h264"
        clips.make(path, "-an", *options, "-x264-params", "sliced-threads=0:slices=1", size=size)
    return {name: str(folder / f"{name}.h264") for name in wishes}


def streams_of(files: dict[str, str]) -> dict[str, Stream]:
    plain = files["plain"]
    return {
        "sound": Stream(fps=FPS, clip=plain),
        "jumping": Stream(fps=FPS, clip=plain, stamps="jumping"),
        "back": Stream(fps=FPS, clip=plain, stamps="back"),
        "same": Stream(fps=FPS, clip=plain, stamps="same"),
        "fast": Stream(fps=FPS, clip=plain, stamps="fast"),
        "no sets in the description": Stream(fps=FPS, clip=plain, sets="packets"),
        "no sets in packets": Stream(fps=FPS, clip=plain, sets="description"),
        "false sets": Stream(fps=FPS, clip=plain, sets="false"),
        "other size": Stream(fps=FPS, clip=plain, later_clip=files["large"]),
        "losses": Stream(fps=FPS, clip=plain, lost=31),
        "b-frames": Stream(fps=FPS, clip=files["b-frames"]),
    }


class Seen:
    """What was watched and recorded of one camera."""

    def __init__(self, inits: list[Init], fragments: list[Fragment]) -> None:
        self.inits = inits
        self.fragments = fragments
        self.segments: list[SegmentProgress] = []

    @property
    def times(self) -> list[float]:
        """When each picture is decoded, as its fragment says."""
        return [
            struct.unpack_from(">Q", each.data, each.data.index(b"tfdt") + 8)[0] / SCALE
            for each in self.fragments
        ]

    @property
    def arrivals(self) -> list[float]:
        return [each.at for each in self.fragments]


@pytest.fixture(scope="module")
def seen(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """All cameras, watched and recorded at the same time."""
    offers = streams_of(files)
    devices = [
        RtspDevice(f"127.64.0.{number}", streams={"/stream1": stream})
        for number, stream in enumerate(offers.values(), 1)
    ]
    port = free_port()
    servers = RtspServers(devices, port)
    servers.start()
    places = {
        number: (device.address, port, "/stream1") for number, device in enumerate(devices, 1)
    }
    streams = Streams(Server(places), lambda: datetime.now(UTC), linger=0.1)
    streams.start()
    watches, leases, reports = [], [], list[list[SegmentProgress]]()
    for number in places:
        folder = tmp_path_factory.mktemp("recorded")
        reports.append([])
        plan = SegmentPlan(folder, seconds=60)
        leases.append(streams.record(StreamKey(number), plan, reports[-1].append))
        watches.append(streams.watch(StreamKey(number), MP4, "otto"))
    with ThreadPoolExecutor(len(watches)) as viewers:
        result = dict(zip(offers, viewers.map(taken, watches), strict=True))
    for lease in leases:
        lease.stop()
    for watch in watches:
        watch.close()
    until(lambda: streams.states() == {}, what="all are closed")
    for one_camera, segments in zip(result.values(), reports, strict=True):
        one_camera.segments = segments
    streams.stop()
    servers.stop()
    return result


def taken(watch: Watch) -> Seen:
    inits, fragments = list[Init](), list[Fragment]()
    while len(fragments) < PICTURES:
        value = watch.next(20)
        assert value is not None
        if isinstance(value, Init):
            inits.append(value)
        elif isinstance(value, Fragment):
            fragments.append(value)
    return Seen(inits, fragments)


def closed(seen: Seen) -> list[SegmentProgress]:
    return [segment for segment in seen.segments if segment.is_closed]


CAMERAS = list(streams_of(dict.fromkeys(("plain", "large", "b-frames"), "")))


@pytest.mark.parametrize("name", CAMERAS)
def test_an_odd_camera_is_seen_with_times_that_are_true(seen: dict[str, Seen], name: str) -> None:
    camera = seen[name]
    times, arrivals = camera.times, camera.arrivals
    assert times == sorted(set(times))
    # As when they came, however wrong the camera's clock is.
    late = [arrival - time for arrival, time in zip(arrivals, times, strict=True)]
    assert max(late) - min(late) < 0.6
    assert {init.format.codecs[:4] for init in camera.inits} == {"avc1"}
    assert camera.inits[0].format.width == 320


@pytest.mark.parametrize("name", CAMERAS)
def test_an_odd_camera_is_recorded_and_every_file_plays(seen: dict[str, Seen], name: str) -> None:
    segments = closed(seen[name])
    sizes = [(segment.format.width, segment.format.height) for segment in segments]
    assert sizes == ([(320, 180), (640, 360)] if name == "other size" else [(320, 180)])
    for segment in segments:
        with av.open(io.BytesIO(Path(segment.path).read_bytes())) as file:
            frames = list(file.decode(video=0))
        # Of a picture of which a packet is lost, a decoder makes nothing.
        assert len(frames) >= segment.frames * (0.7 if name == "losses" else 1)
        assert {(frame.width, frame.height) for frame in frames} == {
            (segment.format.width, segment.format.height)
        }
        seconds = (segment.ended_at - segment.started_at).total_seconds()
        assert seconds == pytest.approx(segment.frames / FPS, abs=0.6)


def test_another_size_is_told_with_another_beginning(seen: dict[str, Seen]) -> None:
    widths = [init.format.width for init in seen["other size"].inits]
    assert widths == [320, 640]
    assert all(len(camera.inits) == 1 for name, camera in seen.items() if name != "other size")
