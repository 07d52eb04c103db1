"""Pictures that were taken of a camera: their values, and what a JPEG says about itself."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

MOST_BYTES = 32 << 20
"""Of one picture. The largest cameras send about 20 MB."""
MOST_PIXELS = 100_000_000
"""Of one picture. A few bytes can say that they are a picture of a gigabyte."""
MOST_SEGMENTS = 1000
"""Before the picture itself. Cameras write about ten; a profile of colours takes 255 at most."""
START, END = b"\xff\xd8", b"\xff\xd9"
START_OF_SCAN = 0xDA
SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of a frame header (SOF), in ITU T.81, table B.1."""
ALONE = frozenset(range(0xD0, 0xD8)) | {0x01, 0xFF}
"""Markers without a length, and the bytes that can fill the space before a marker."""


class NotJpeg(ValueError):
    """These bytes are not a JPEG that can be kept and shown; the text says why."""


class NotTaken(Exception):
    """No picture could be taken. `reason` and `hint` are sentences for people; `wait` is the number
    of seconds after which it is worth trying again, where that is known."""

    def __init__(self, reason: str, hint: str = "", wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.wait = wait


class NotOffered(NotTaken):
    """This way of taking a picture is not there for this device, for example because the device has
    no snapshot link. The next way is tried, and nothing is wrong."""


Problem = TypeVar("Problem", bound=Exception)
NO_THREAD = ("This server is too busy to take a picture.", "Try again in a moment.", 5.0)
"""What is wrong, what to do, and when, where the system gives no other thread."""


@dataclass(frozen=True, slots=True)
class TakenPicture:
    """A picture as it came from a camera: a whole JPEG, checked by `jpeg_size`.

    `taken_at` is the time of capture in UTC by the clock of this server: the arrival of the key
    frame, or the end of the capture. `way` is "pi", "usb", "snapshot" or "stream". `notes` are
    sentences about the picture, for example that only half the size could be taken. `grey` is the
    data of the GreyPicture of the same moment, where that was wanted too.
    """

    data: bytes
    width: int
    height: int
    taken_at: datetime
    way: str
    notes: tuple[str, ...] = ()
    grey: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class GreyPicture:
    """A picture that only programs look at, which costs less than one for people: a binary PGM with
    256 levels of grey. `taken_at` as in TakenPicture."""

    data: bytes = field(repr=False)
    taken_at: datetime


def without_frames(error: Problem) -> Problem:
    """The same error without its traceback: a frame that holds its own error stays in memory, with
    the picture in it, until the collector comes."""
    if isinstance(error, NotTaken):
        return type(error)(error.reason, error.hint, error.wait)
    return type(error)(str(error))


def no_way() -> NotOffered:
    """The error for a device of which no way to take a picture is known."""
    return NotOffered(
        "No stream or snapshot of this device is known.",
        "Enter its RTSP URL or its login under Connections.",
    )


def checked(picture: TakenPicture) -> TakenPicture:
    """The picture, if its bytes are one. Raises NotTaken."""
    try:
        size = jpeg_size(picture.data)
    except NotJpeg as error:
        raise NotTaken(str(error), "Restart the camera, or install newer firmware.") from error
    if size != (picture.width, picture.height):
        raise NotTaken("The size of the picture is not the one that was announced.")
    return picture


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the frame header (ITU T.81, B.2.2). Nothing is decoded.

    Raises NotJpeg for other bytes, for a picture that ends before its end, and for one that is too
    large to be kept or decoded."""
    if data[:2] != START:
        raise NotJpeg("The answer is not a JPEG picture.")
    if len(data) > MOST_BYTES:
        raise NotJpeg(f"The picture is larger than {MOST_BYTES >> 20} MB.")
    size, scan = _read_headers(data)
    if data.rfind(END, scan) < 0:
        raise NotJpeg("The picture is incomplete: its end is missing.")
    width, height = size
    if width * height > MOST_PIXELS:
        raise NotJpeg(
            f"The picture has {width} x {height} pixels; "
            f"the limit is {MOST_PIXELS // 1_000_000} megapixels."
        )
    return size


def _read_headers(data: bytes) -> tuple[tuple[int, int], int]:
    """The size of the picture, and where its first scan begins."""
    place, size = 2, (0, 0)
    for _number in range(MOST_SEGMENTS):
        if place + 4 > len(data):
            raise NotJpeg("The picture is incomplete: it ends within its headers.")
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker in ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == START_OF_SCAN and all(size):
            return size, place
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in SIZES and length >= 8 and place + 9 <= len(data):
            height = int.from_bytes(data[place + 5 : place + 7], "big")
            size = int.from_bytes(data[place + 7 : place + 9], "big"), height
        if length < 2:
            break
        place += 2 + length
    raise NotJpeg("The JPEG picture is damaged: its headers cannot be read.")
