"""A monitor whose cameras show what a test chooses, for picture health, without a network."""

import subprocess
from dataclasses import dataclass
from functools import cache

from fleet.pictures import TakenPicture
from picture_health.build import PictureHealthPackage
from tests.home import Home
from tests.web.still_cameras import HEIGHT, WIDTH, StillCameras

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
class HealthCameras(StillCameras):
    """All cameras of the monitor, which show the same source of ffmpeg."""

    shows: str = SCENE

    def picture(self) -> TakenPicture:
        return TakenPicture(shown(self.shows), WIDTH, HEIGHT, self.clock(), "stream")


def health_cameras(home: Home) -> HealthCameras:
    """Let the cameras of a monitor show what a test chooses."""
    cameras = HealthCameras(home.clock)
    home.monitor.packages.find(PictureHealthPackage).sampling.ways = (cameras.take,)
    return cameras
