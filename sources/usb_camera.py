"""USB cameras, through the kernel's video devices and FFmpeg. Runs in the camera process only
(camera_child.py)."""

import fcntl
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

from sources.camera_troubles import ABSENT, SILENT, Trouble

KEY = "usb:"
"""Before maker, model and serial number of the camera, or the USB port that it is at."""
QUERYCAP = 0x80685600
"""VIDIOC_QUERYCAP (linux/videodev2.h), and where its answer of 104 bytes has what the driver and
this device can do."""
CAPABILITIES = struct.Struct("=84x2I12x")
CAPTURE, HAS_OWN = 0x1, 0x80000000
FORMAT = "v4l2"
WISHES: tuple[dict[str, str], ...] = (
    {"input_format": "mjpeg", "video_size": "3840x2160"},
    {"video_size": "1920x1080"},
    {},
)
"""What the camera is asked for, the best first. A driver gives the size next to the one that is
asked for, and refuses a format that it does not have."""
HALF_WISHES: tuple[dict[str, str], ...] = (
    {"input_format": "mjpeg", "video_size": "1280x720"},
    {"video_size": "640x480"},
    {},
)
BEST = "1"
"""FFmpeg's scale of the quality of JPEG: 1 is the best, 31 the worst."""


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """A device that captures: its file, and the names by which it is known, the most stable
    first."""

    file: Path
    name: str
    model: str
    keys: tuple[str, ...]


def cameras(sys_folder: Path, dev: Path) -> list[dict[str, str]]:
    """The connected cameras, by /sys/class/video4linux and /dev."""
    return [
        {"key": key, "name": device.name, "model": device.model}
        for key, device in _by_key(sys_folder, dev).items()
    ]


def _by_key(sys_folder: Path, dev: Path) -> dict[str, VideoDevice]:
    """Each device by its first name that no other one has: cheap cameras share a serial number."""
    devices = list(_devices(sys_folder, dev))
    users = Counter(key for device in devices for key in device.keys)
    return {
        next((key for key in device.keys if users[key] == 1), device.keys[-1]): device
        for device in devices
    }


def _devices(sys_folder: Path, dev: Path) -> Iterator[VideoDevice]:
    for entry in sorted(sys_folder.glob("video*")):
        interface = (entry / "device").resolve()
        port = interface.parent
        is_usb = (port / "idVendor").is_file()
        file = dev / entry.name
        if is_usb and _captures(file):
            maker, model = _line(port / "idVendor"), _line(port / "idProduct")
            serial = _line(port / "serial")
            keys = [f"{maker}:{model}:{serial}"] if serial else []
            keys += [f"{maker}:{model}@{port.name}", f"{maker}:{model}@{interface.name}"]
            keys += [f"{maker}:{model}@{interface.name}/{entry.name}"]
            name = _line(entry / "name") or "USB camera"
            yield VideoDevice(file, name, _line(port / "product"), tuple(KEY + key for key in keys))


def _line(path: Path) -> str:
    """The printable text of a file in /sys, which a device wrote; empty where there is none."""
    with suppress(OSError):
        text = path.read_text(errors="replace")
        return "".join(filter(str.isprintable, text)).strip()[:100]
    return ""


def _captures(file: Path) -> bool:
    """True for a device that gives pictures; others carry the metadata of one that does. One that
    may not be opened is taken for a camera, so that its still can say why."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return True
    except OSError:
        return False
    try:
        answer = fcntl.ioctl(descriptor, QUERYCAP, bytes(CAPABILITIES.size))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    of_driver, of_device = CAPABILITIES.unpack(answer)
    return bool((of_device if of_driver & HAS_OWN else of_driver) & CAPTURE)


def take(
    wish: Mapping[str, Any],
    on_started: Callable[[], None],
    on_picture: Callable[[bytes], None],
) -> None:
    """Take a picture, as JPEG, of the camera `key`, in its largest size or, with `half`, a small
    one. Otherwise as pi_camera.take, without rotation."""
    device = _by_key(Path(wish["sys"]), Path(wish["dev"])).get(wish["key"])
    if device is None:
        raise Trouble(ABSENT)
    wishes = HALF_WISHES if wish["half"] else WISHES
    on_picture(picture_of(str(device.file), FORMAT, wishes, wish["warm_up"], on_started))


def picture_of(
    file: str,
    format: str,
    wishes: tuple[dict[str, str], ...],
    warm_up: float,
    on_started: Callable[[], None],
) -> bytes:
    """The first whole frame after `warm_up` seconds, of an input of FFmpeg. Raises Trouble if it
    ends without one, and FFmpeg's errors."""
    with _opened(file, format, wishes) as container:
        on_started()
        until = monotonic() + warm_up
        for frame in _whole_frames(container):
            if monotonic() >= until:
                return _jpeg(frame)
    raise Trouble(SILENT)


def _opened(file: str, format: str, wishes: tuple[dict[str, str], ...]) -> Any:
    """The input with the first options that it takes. Raises FFmpeg's errors."""
    import av

    for options in wishes[:-1]:
        with suppress(av.error.ArgumentError):
            return av.open(file, format=format, options=options)
    return av.open(file, format=format, options=wishes[-1])


def _whole_frames(container: Any) -> Iterator[Any]:
    """The frames that were transmitted without a fault."""
    import av

    stream = container.streams.video[0]
    stream.codec_context.options = {"err_detect": "explode"}
    for packet in container.demux(stream):
        if packet.is_corrupt:
            continue
        with suppress(av.error.InvalidDataError):
            yield from (frame for frame in packet.decode() if not frame.is_corrupt)


def _jpeg(frame: Any) -> bytes:
    """A frame with even sides, in the full range of brightness that JPEG has."""
    import av

    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    scaled = frame.reformat(width, height, format="yuvj420p")
    scaled.pts = 0
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base, encoder.options = Fraction(1, 25), {"qmin": BEST, "qmax": "3"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(scaled), *encoder.encode(None)])
