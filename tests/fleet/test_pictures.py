"""What a JPEG says about itself: its size, and whether it is whole."""

import pytest

from fleet.pictures import NotJpeg, jpeg_size
from tests.stills.studio import SCAN, frame, jpeg

COMMENT = b"\xff\xfe\x00\x04ab"
TABLES = b"\xff\xc4\x00\x05abc"
THUMBNAIL = b"\xff\xe1\x00\x08\xff\xc0\xff\xd9\0\0"
HUGE = jpeg(16_000, 12_500)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (jpeg(640, 480), (640, 480)),
        (jpeg(3280, 2464, COMMENT, TABLES), (3280, 2464)),
        (jpeg(640, 480, b"\xff\xff\xff\xfe\x00\x04ab"), (640, 480)),
        (b"\xff\xd8" + frame(640, 480, 0xC2) + SCAN + b"\xff\xd9\0\0\0", (640, 480)),
        (jpeg(64, 48, THUMBNAIL), (64, 48)),
    ],
    ids=["plain", "segments", "fill", "progressive and padded", "a thumbnail inside"],
)
def test_the_size_is_that_of_the_frame_header(data: bytes, size: tuple[int, int]) -> None:
    assert jpeg_size(data) == size


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG"),
        (b"<html>401</html>", "not a JPEG"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG"),
        (jpeg(640, 480)[:-2], "its end is missing"),
        (jpeg(64, 48, THUMBNAIL)[:-2], "its end is missing"),
        (jpeg(640, 480)[:10], "ends within its headers"),
        (b"\xff\xd8", "ends within its headers"),
        (b"\xff\xd8" + SCAN + b"\xff\xd9", "headers cannot be read"),
        (b"\xff\xd8" + frame(0, 480) + SCAN + b"\xff\xd9", "headers cannot be read"),
        (b"\xff\xd8\xff\xe0\x00\x00" + jpeg(640, 480), "headers cannot be read"),
        (b"\xff\xd8" + b"\xff" * 100_000, "headers cannot be read"),
        (b"\xff\xd8" + COMMENT * 2000 + jpeg(640, 480)[2:], "headers cannot be read"),
        (HUGE, "16000 x 12500 pixels; the limit is 100 megapixels"),
        (jpeg(640, 480) + bytes(32 << 20), "larger than 32 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_whole_picture_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(NotJpeg, match=reason):
        jpeg_size(data)
