"""A computer with cameras: the real picamera2 over a stand-in of libcamera, and video devices."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Device
from fleet.pictures import TakenPicture
from sources.camera_process import Limits
from sources.local_capture import LocalCameras, Machine, Mounting, Timing

ROOT = Path(__file__).parent.parent.parent
PICAMERA2 = ROOT / ".venv" / "picamera2"
STAND_INS = ROOT / "simulators"
SENSOR = "/base/soc/i2c0mux/i2c@1/imx219@10"
PI = f"pi:{SENSOR}"
SMALL, FULL = (640, 480), (3280, 2464)
NOW = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)

needs_picamera2 = pytest.mark.skipif(
    not (PICAMERA2 / "picamera2").is_dir(),
    reason="picamera2 is not installed for the tests (tests/run.sh installs it; it needs gcc, "
    "libcap-dev and python3-dev to compile python-prctl)",
)


@dataclass
class Computer:
    """The folder used in place of /dev and /sys, and the Python that imports the stand-ins."""

    folder: Path
    used: str = "all"
    timing: Timing = field(default_factory=lambda: Timing(Limits(20.0, 5.0), warm_up=0.3))

    def __post_init__(self) -> None:
        for name in ("dev", "sys"):
            (self.folder / name).mkdir()
        self.plan()
        self.show({})
        self.python = self.python_with(PICAMERA2, STAND_INS / "libcamera_stand_in")

    def python_with(self, *places: Path) -> str:
        """A Python with these places in its path."""
        script = self.folder / f"python-{len(places)}-{places[-1].name}"
        script.write_text(
            "#!/bin/sh\n"
            f"export PYTHONPATH={shlex.quote(':'.join(map(str, places)))}\n"
            f"export LIBCAMERA_STAND_IN={shlex.quote(str(self.folder / 'plan.json'))}\n"
            f"export V4L2_STAND_IN={shlex.quote(str(self.folder / 'pictures.json'))}\n"
            f'exec {shlex.quote(sys.executable)} "$@"\n'
        )
        script.chmod(0o755)
        return str(script)

    def plan(self, size: tuple[int, int] = SMALL, **more: Any) -> None:
        """What the stand-in of libcamera does from now on."""
        cameras = [{"id": SENSOR, "model": "imx219", "size": size}]
        (self.folder / "plan.json").write_text(json.dumps({"cameras": cameras, **more}))

    def show(self, pictures: Mapping[str, str]) -> None:
        """What the USB cameras draw, by the names of their video devices."""
        shown = {str(self.folder / "dev" / name): text for name, text in pictures.items()}
        (self.folder / "pictures.json").write_text(json.dumps(shown))

    def plug_in(self, name: str, port: str, serial: str = "", title: str = "HD Webcam") -> None:
        """Connect a USB camera (046d:0825), as video device `name`."""
        (self.folder / "dev" / name).touch()
        device = self.folder / "usb1" / port
        interface = device / f"{port}:1.0"
        interface.mkdir(parents=True)
        texts = {"idVendor": "046d", "idProduct": "0825", "serial": serial, "product": "C270"}
        for file, text in texts.items():
            (device / file).write_text(f"{text}\n")
        entry = self.folder / "sys" / name
        entry.mkdir()
        (entry / "name").write_text(f"{title}\n")
        (entry / "device").symlink_to(interface)

    def machine(self, *pythons: str) -> Machine:
        dev, sys_folder = self.folder / "dev", self.folder / "sys"
        return Machine(self.used, pythons or (self.python,), dev, sys_folder)

    def cameras(
        self, *keys: str, mounting: Mounting | None = None, pythons: tuple[str, ...] = ()
    ) -> LocalCameras:
        """The ways of taking pictures, for a fleet of devices 1, 2, ... with these keys."""
        devices = {
            number: Device(number, "camera", "here", (key,))
            for number, key in enumerate(keys or (PI,), 1)
        }
        machine = self.machine(*pythons)
        return LocalCameras(
            lambda: devices,
            lambda _findings: None,
            lambda: NOW,
            machine,
            mounting or Mounting(),
            self.timing,
        )


def corners(picture: TakenPicture) -> tuple[tuple[int, int], tuple[int, int]]:
    """The brightness near the corners, the upper row first."""
    import av

    container: Any
    with av.open(BytesIO(picture.data), format="mjpeg") as container:
        grey = next(container.decode(video=0)).to_ndarray(format="gray")
    height, width = grey.shape
    rows, columns = (height // 8, height - height // 8), (width // 8, width - width // 8)
    left, right = columns
    upper, lower = ((int(grey[row, left]), int(grey[row, right])) for row in rows)
    return upper, lower
