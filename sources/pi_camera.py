"""Raspberry Pi cameras, through picamera2. Runs in the camera process only (camera_child.py).

The calls are those of picamera2 0.3.38. It exists on Raspberry Pi OS alone, as Debian's package.
"""

import io
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

from sources.camera_troubles import ABSENT, LIBRARY, Trouble

KEY = "pi:"
"""Before the id of the camera (`global_camera_info`): where the sensor is connected."""
MODEL = Path("/proc/device-tree/model")
QUALITY = 90
MODULES = {
    "ov5647": "Raspberry Pi Camera Module 1",
    "imx219": "Raspberry Pi Camera Module 2",
    "imx708": "Raspberry Pi Camera Module 3",
    "imx477": "Raspberry Pi HQ Camera",
    "imx296": "Raspberry Pi Global Shutter Camera",
    "imx500": "Raspberry Pi AI Camera",
}
"""The camera modules by their sensors."""


def is_expected() -> bool:
    """True on a Raspberry Pi, and wherever its camera library is installed."""
    try:
        is_pi = MODEL.read_bytes().startswith(b"Raspberry Pi")
    except OSError:
        is_pi = False
    return is_pi or find_spec("libcamera") is not None


def cameras() -> list[dict[str, str]]:
    """The connected cameras, without those at USB ports. Raises Trouble if the library is not
    installed, and whatever it raises."""
    return [
        {
            "key": KEY + info["Id"],
            "name": _name(str(info.get("Model", ""))),
            "model": str(info.get("Model", "")),
        }
        for info in _picamera2().global_camera_info()
        if "/usb" not in info["Id"]
    ]


def _name(model: str) -> str:
    """`imx708_wide_noir` is a Camera Module 3, with a wide lens and without a filter."""
    return MODULES.get(model.partition("_")[0], "Raspberry Pi camera")


def _picamera2() -> Any:
    """The class Picamera2. Raises Trouble.

    A numpy that does not fit to the compiled packages of the system raises ValueError."""
    try:
        from picamera2 import Picamera2
    except (ImportError, ValueError) as error:
        raise Trouble(LIBRARY, str(error)) from error
    return Picamera2


def take(
    wish: Mapping[str, Any],
    on_started: Callable[[], None],
    on_picture: Callable[[bytes], None],
) -> None:
    """Take a picture, as JPEG, of the camera `key`, with the full resolution of the sensor or
    `half` of it. It is mirrored (`flip`: "none", "horizontal", "vertical" or "both"), then rotated
    clockwise (`rotation`: 0, 90, 180 or 270). `on_started` is called when the camera runs; exposure
    and colours then have `warm_up` seconds. `on_picture` is called before the camera is closed,
    which can hang. Raises Trouble, and whatever the library raises."""
    library = _picamera2()
    connected = [KEY + info["Id"] for info in library.global_camera_info()]
    if wish["key"] not in connected:
        raise Trouble(ABSENT)
    camera = library(connected.index(wish["key"]))
    try:
        camera.options["quality"] = QUALITY
        camera.configure(_configuration(camera, wish))
        camera.start()
        on_started()
        until = monotonic() + wish["warm_up"]
        while monotonic() < until:
            camera.capture_metadata()
        is_upright = wish["rotation"] in (0, 180)
        on_picture(_as_it_is(camera) if is_upright else _rotated(camera, wish["rotation"]))
    finally:
        camera.close()


def _configuration(camera: Any, wish: Mapping[str, Any]) -> Any:
    """One buffer in YUV 4:2:0, which needs half the memory of RGB, and no raw picture beside it.
    The sensor can mirror by itself; a half turn is both mirrors."""
    from libcamera import Transform

    width, height = camera.sensor_resolution
    if wish["half"]:
        width, height = width // 2, height // 2
    is_turned, flip = wish["rotation"] == 180, wish["flip"]
    mirrors = Transform(
        hflip=(flip in ("horizontal", "both")) != is_turned,
        vflip=(flip in ("vertical", "both")) != is_turned,
    )
    return camera.create_still_configuration(
        main={"size": (width // 4 * 4, height // 4 * 4), "format": "YUV420"},
        raw=None,
        transform=mirrors,
    )


def _as_it_is(camera: Any) -> bytes:
    picture = io.BytesIO()
    camera.capture_file(picture, format="jpeg")
    return picture.getvalue()


def _rotated(camera: Any, rotation: int) -> bytes:
    """A quarter turn, which the sensor cannot do: each plane is rotated before it is encoded."""
    import numpy
    import simplejpeg

    planes = camera.capture_array("main")
    width, height = camera.camera_configuration()["main"]["size"]
    colours = planes.reshape((planes.shape[0] * 2, planes.shape[1] // 2))[2 * height :]
    turns = -1 if rotation == 90 else 1
    rotated = (
        numpy.ascontiguousarray(numpy.rot90(plane, turns))
        for plane in (
            planes[:height, :width],
            colours[: height // 2, : width // 2],
            colours[height // 2 : height, : width // 2],
        )
    )
    return bytes(simplejpeg.encode_jpeg_yuv_planes(*rotated, QUALITY))
