"""A monitor whose cameras give JPEGs that ffmpeg made, without a network."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from fleet.pictures import NotTaken, TakenPicture
from stills.build import StillsPackage
from stills.taking import SNAPSHOT, Way
from tests.home import Home

WIDTH, HEIGHT = 640, 360


@cache
def jpeg(number: int) -> bytes:
    """A test picture; each number is another one."""
    source = f"testsrc2=s={WIDTH}x{HEIGHT},hue=h={number * 40 % 360}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "1"]
    done = subprocess.run([*command, "-f", "mjpeg", "-"], check=True, capture_output=True)
    return done.stdout


@dataclass
class StillCameras:
    """All cameras of the monitor. `trouble` is why none gives a picture now; `meanwhile` is what
    happens while a picture is being taken."""

    clock: Callable[[], datetime]
    trouble: NotTaken | None = None
    meanwhile: Callable[[], object] = lambda: None
    asked: list[int] = field(default_factory=list)

    def take(self, device: int, _timeout: float) -> TakenPicture:
        self.asked.append(device)
        self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        return self.picture()

    def picture(self) -> TakenPicture:
        """What the cameras show now."""
        data = jpeg(len(self.asked) % 2)
        return TakenPicture(data, WIDTH, HEIGHT, self.clock(), SNAPSHOT, ("Half size.",))


def add_cameras(home: Home, *names: str) -> StillCameras:
    """Cameras with a stream, numbered from 1."""
    for number, name in enumerate(names, 1):
        body = {"name": name, "rtsp_url": f"rtsp://127.83.2.{number}:9/stream1"}
        answer = home.client.post("/api/cameras", json=body)
        assert answer.json["camera"]["id"] == number, answer.text
    cameras = StillCameras(home.clock)
    home.monitor.packages.find(StillsPackage).stills.ways = (Way(SNAPSHOT, cameras.take),)
    return cameras
