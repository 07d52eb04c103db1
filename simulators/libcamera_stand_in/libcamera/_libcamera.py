"""The classes of the stand-in, as picamera2 0.3.38 uses them."""

import ctypes
import errno
import fcntl
import mmap
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, ClassVar

from libcamera import controls, properties
from libcamera.plan import PLAN

FRAME_EVERY = 0.02
"""Seconds between two frames."""
RAW_FORMATS = ("SRGGB10_CSI2P", "SRGGB8")
ALIGNMENT = 64
"""Bytes of which each row is a multiple, as on the Pi."""
DARK, BRIGHT = 8, 168
"""The brightness on the left edge before and after the exposure is right."""


class StreamRole(Enum):
    Raw, StillCapture, VideoRecording, Viewfinder = range(4)


class ControlType:
    Rectangle, Size = "Rectangle", "Size"


class Orientation(Enum):
    Rotate0, Rotate0Mirror, Rotate180, Rotate180Mirror = range(1, 5)
    Rotate90Mirror, Rotate270, Rotate270Mirror, Rotate90 = range(5, 9)


class Transform:
    def __init__(
        self,
        other: "Transform | None" = None,
        *,
        hflip: int = 0,
        vflip: int = 0,
        transpose: int = 0,
    ) -> None:
        self.hflip = other.hflip if other else hflip
        self.vflip = other.vflip if other else vflip
        self.transpose = other.transpose if other else transpose

    def __str__(self) -> str:
        return f"hflip {self.hflip}, vflip {self.vflip}, transpose {self.transpose}"


class ColorSpace:
    class YcbcrEncoding(Enum):
        Null, Rec601, Rec709 = range(3)

    class Range(Enum):
        Full, Limited = range(2)

    def __init__(self, other: Any = None, name: str = "") -> None:
        name = other.primaries if other else name
        self.primaries = self.transferFunction = name
        self.ycbcrEncoding = self.YcbcrEncoding.Rec601
        self.range = self.Range.Full

    def __str__(self) -> str:
        return str(self.primaries)

    @staticmethod
    def Sycc() -> "ColorSpace":
        return ColorSpace(name="sYCC")

    @staticmethod
    def Smpte170m() -> "ColorSpace":
        return ColorSpace(name="SMPTE170M")

    @staticmethod
    def Rec709() -> "ColorSpace":
        return ColorSpace(name="Rec709")

    @staticmethod
    def Raw() -> "ColorSpace":
        return ColorSpace(name="RAW")


class Size:
    def __init__(self, width: int = 0, height: int = 0) -> None:
        self.width, self.height = width, height


class Rectangle:
    def __init__(self, x: int, y: int, width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height


class PixelFormat:
    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return self._name


class StreamFormats:
    """What the sensor offers: its full size and half of it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self.pixel_formats = [PixelFormat(name) for name in RAW_FORMATS]

    def sizes(self, _format: PixelFormat) -> list[Size]:
        width, height = self._size
        return [Size(width // 2, height // 2), Size(width, height)]


class Stream:
    def __init__(self, configuration: "StreamConfiguration") -> None:
        self.configuration = configuration


class StreamConfiguration:
    def __init__(self, size: tuple[int, int]) -> None:
        self.formats = StreamFormats(size)
        self.size = Size(*size)
        self.pixel_format = PixelFormat("XBGR8888")
        self.buffer_count = 4
        self.stride = self.frame_size = 0
        self.color_space: ColorSpace | None = None
        self.stream = Stream(self)

    def lay_out(self) -> None:
        """Set the stride and the size of a frame, as the pipeline of the Pi does."""
        name, width, height = str(self.pixel_format), self.size.width, self.size.height
        each = {"YUV420": 1, "BGR888": 3, "RGB888": 3}.get(name, 4)
        self.stride = -(-width * each // ALIGNMENT) * ALIGNMENT
        self.frame_size = self.stride * height * (3 if name == "YUV420" else 2) // 2


class SensorConfiguration:
    bit_depth = 0
    output_size = Size()


class CameraConfiguration:
    class Status(Enum):
        Valid, Adjusted, Invalid = range(3)

    def __init__(self, streams: list[StreamConfiguration]) -> None:
        self._streams = streams
        self.orientation = Orientation.Rotate0
        self.sensor_config: SensorConfiguration | None = None

    def at(self, index: int) -> StreamConfiguration:
        return self._streams[index]

    def __iter__(self) -> Iterator[StreamConfiguration]:
        return iter(self._streams)

    def validate(self) -> "CameraConfiguration.Status":
        """As the pipeline of the Pi: it can mirror, and cannot transpose."""
        for stream in self._streams:
            stream.lay_out()
        if self.orientation.value > Orientation.Rotate180Mirror.value:
            self.orientation = Orientation.Rotate0
            return self.Status.Adjusted
        return self.Status.Valid


class FrameMetadata:
    class Status(Enum):
        Success, Error, Cancelled = range(3)

    class Plane:
        bytes_used = 0

    def __init__(self) -> None:
        self.status = self.Status.Success
        self.planes = [self.Plane()]


class FrameBuffer:
    class Plane:
        fd, offset, length = -1, 0, 0

    def __init__(self, planes: list[Any]) -> None:
        self.planes = planes
        self.metadata = FrameMetadata()


class FrameBufferAllocator:
    """Named by picamera2; it takes its buffers from the DMA heap."""


class Request:
    class Status(Enum):
        Pending, Complete, Cancelled = range(3)

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.status = self.Status.Pending
        self.buffers: dict[Stream, FrameBuffer] = {}
        self.metadata: dict[controls.ControlId, Any] = {}

    def add_buffer(self, stream: Stream, buffer: FrameBuffer) -> None:
        self.buffers[stream] = buffer

    def reuse(self) -> None:
        self.status = self.Status.Pending

    def set_control(self, control: controls.ControlId, value: Any) -> None:
        """Accepted, without an effect."""


class Camera:
    """One sensor. Its picture is bright on the left and dark on the right, and brighter at the top
    than at the bottom, so that every rotation and flip can be told."""

    def __init__(self, plan: dict[str, Any], manager: "CameraManager") -> None:
        self.id = plan["id"]
        self._size = (plan["size"][0], plan["size"][1])
        self._manager = manager
        self._queued: deque[Request] = deque()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._lock_file: int | None = None
        self._orientation = Orientation.Rotate0
        self.controls = dict(controls.ALL)
        self.properties = {
            properties.Model: plan["model"],
            properties.Location: 2,
            properties.Rotation: 180,
            properties.PixelArraySize: Size(*self._size),
            properties.ColorFilterArrangement: 0,
        }

    def acquire(self) -> None:
        if PLAN.trouble == "stuck":
            time.sleep(3600)
        if PLAN.trouble == "crash":
            ctypes.string_at(0)
        if not PLAN.lock:
            return
        self._lock_file = os.open(PLAN.lock, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _failure("acquire", errno.EBUSY) from None

    def release(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)

    def generate_configuration(self, roles: list[StreamRole]) -> CameraConfiguration:
        return CameraConfiguration([StreamConfiguration(self._size) for _role in roles])

    def configure(self, configuration: CameraConfiguration) -> None:
        self._orientation = configuration.orientation

    def create_request(self, cookie: int) -> Request:
        return Request(cookie)

    def start(self, _controls: dict[controls.ControlId, Any]) -> None:
        if PLAN.trouble == "io":
            raise _failure("start", errno.EIO)
        self._stopping.clear()
        self._thread = Thread(target=self._send_frames, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self._queued.clear()

    def queue_request(self, request: Request) -> None:
        self._queued.append(request)

    def _send_frames(self) -> None:
        if _is_silent():
            text = (
                "ERROR V4L2 v4l2_videodevice.cpp:2153 /dev/video0: Camera frontend has timed out!"
            )
            print(text, file=sys.stderr, flush=True)
            return
        number = 0
        while not self._stopping.wait(FRAME_EVERY):
            if self._queued:
                request, number = self._queued.popleft(), number + 1
                is_exposed = number > PLAN.dark_frames
                for stream, buffer in request.buffers.items():
                    _draw(stream.configuration, buffer, self._orientation, is_exposed=is_exposed)
                request.metadata = {
                    controls.ExposureTime: 20_000,
                    controls.AnalogueGain: 1.0,
                    controls.DigitalGain: 1.0,
                    controls.SensorTimestamp: time.monotonic_ns(),
                }
                request.status = Request.Status.Complete
                self._manager.complete(request)


class CameraManager:
    _single: ClassVar["CameraManager | None"] = None

    def __init__(self) -> None:
        self.cameras = [Camera(plan, self) for plan in PLAN.cameras]
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready: list[Request] = []
        self._lock = Lock()

    @classmethod
    def singleton(cls) -> "CameraManager":
        cls._single = cls._single or cls()
        return cls._single

    def complete(self, request: Request) -> None:
        """Take a request that has its frame."""
        with self._lock:
            self._ready.append(request)
        os.eventfd_write(self.event_fd, 1)

    def get_ready_requests(self) -> list[Request]:
        try:
            os.eventfd_read(self.event_fd)
        except BlockingIOError:
            return []
        with self._lock:
            ready, self._ready = self._ready, []
        return ready


def _is_silent() -> bool:
    if PLAN.silent_once and not Path(PLAN.silent_once).exists():
        Path(PLAN.silent_once).touch()
        return True
    return PLAN.trouble == "silent"


def _failure(verb: str, number: int) -> RuntimeError:
    """The error that libcamera's binding raises: std::system_error, which pybind11 passes on."""
    return RuntimeError(f"Failed to {verb} camera: {os.strerror(number)}")


def _draw(
    configuration: StreamConfiguration,
    buffer: FrameBuffer,
    orientation: Orientation,
    *,
    is_exposed: bool,
) -> None:
    """Fill a YUV420 frame: a row that falls from bright to dark, darker in the lower half."""
    width, height, stride = (
        configuration.size.width,
        configuration.size.height,
        configuration.stride,
    )
    brightest = BRIGHT if is_exposed else DARK
    row = bytes(brightest - brightest * x // (2 * width) for x in range(width))
    if orientation in (Orientation.Rotate0Mirror, Orientation.Rotate180):
        row = row[::-1]
    upper = row.ljust(stride, b"\0")
    lower = bytes(value // 2 for value in row).ljust(stride, b"\0")
    if orientation in (Orientation.Rotate180Mirror, Orientation.Rotate180):
        upper, lower = lower, upper
    grey = b"\x80" * stride
    rows = [upper] * (height // 2) + [lower] * (height - height // 2) + [grey] * (height // 2)
    with mmap.mmap(buffer.planes[0].fd, configuration.frame_size) as memory:
        for row in rows:
            memory.write(row)
    buffer.metadata.planes[0].bytes_used = configuration.frame_size
