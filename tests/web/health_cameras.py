"""A monitor whose cameras show what a test chooses, for picture health, without a network."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from fleet.pictures import NotTaken, TakenPicture
from picture_health.build import PictureHealthPackage
from tests.home import Home
from tests.web.still_cameras import HEIGHT, WIDTH

SCENE, BLACK, WHITE = "testsrc2", "color=black", "color=white"
"""What a camera can show, as a source of ffmpeg."""


@cache
def shown(source: str) -> bytes:
    """A JPEG of this source."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"{source}:s={WIDTH}x{HEIGHT}"]
    if "=" not in source:
        command[-1] = f"{source}=s={WIDTH}x{HEIGHT}"
    done = subprocess.run(
        [*command, "-frames:v", "1", "-f", "mjpeg", "-"], check=True, capture_output=True
    )
    return done.stdout


@dataclass
class HealthCameras:
    """All cameras of the monitor. `trouble` is why none gives a picture now; `meanwhile` is what
    happens while a picture is being taken."""

    clock: Callable[[], datetime]
    shows: str = SCENE
    trouble: NotTaken | None = None
    meanwhile: Callable[[], object] = lambda: None
    asked: list[int] = field(default_factory=list)

    def take(self, device: int, _timeout: float) -> TakenPicture:
        self.asked.append(device)
        self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        return TakenPicture(shown(self.shows), WIDTH, HEIGHT, self.clock(), "stream")


def health_cameras(home: Home) -> HealthCameras:
    """Let the cameras of a monitor show what a test chooses."""
    cameras = HealthCameras(home.clock)
    home.monitor.packages.find(PictureHealthPackage).sampling.ways = (cameras.take,)
    return cameras
