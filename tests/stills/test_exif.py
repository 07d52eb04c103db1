"""The time of capture in the file, read back by ffprobe; the picture itself as it came."""

import json
import struct
import subprocess
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from fleet.pictures import jpeg_size
from stills.exif import NO_CLOCK, Kept, kept_of, stamped
from stills.shelf import FAILED_REST, Shelf
from stills.taking import STREAM
from tests.home import until
from tests.stills.studio import BERLIN, SCAN, Studio, frame, jpeg
from video import thumbnails
from video.thumbnails import small_jpeg

TAKEN_AT = datetime(2026, 11, 28, 14, 5, 0, 123_456, tzinfo=UTC).astimezone(BERLIN)
ARITHMETIC = 0xC9
"""A coding that no decoder at hand knows."""
JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


def picture(width: int = 640, height: int = 480) -> bytes:
    """A JPEG that can be decoded."""
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    made = av.VideoFrame(width, height, "yuvj420p")
    made.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(made), *encoder.encode(None)])


def tags(data: bytes, folder: Path) -> dict[str, str]:
    """What ffprobe reads of the metadata."""
    file = folder / "read.jpg"
    file.write_bytes(data)
    command = ["ffprobe", "-v", "error", "-show_frames", "-of", "json", str(file)]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    [first] = json.loads(output)["frames"]
    return {key: value.strip() for key, value in first["tags"].items()}


def exif(order: str, *entries: tuple[int, int, int, bytes], tail: bytes = b"") -> bytes:
    """A segment of a camera, with the entries of its first directory."""
    mark = b"II" if order == "<" else b"MM"
    lines = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    head = mark + struct.pack(order + "HIH", 42, 8, len(entries))
    body = b"Exif\0\0" + head + lines + bytes(4) + tail
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def test_the_time_is_written_and_the_picture_stays_as_it_was(tmp_path: Path) -> None:
    data = picture()
    kept = Kept(6, "Acme", "Dome 8")
    result = stamped(data, TAKEN_AT, True, kept)
    read = tags(result, tmp_path)
    assert read["DateTimeOriginal"] == read["DateTime"] == "2026:11:28 15:05:00"
    assert read["SubSecTimeOriginal"] == "123"
    assert (read["Make"], read["Model"], read["Software"]) == ("Acme", "Dome 8", "Camera Monitor")
    assert b"+01:00\0" in result
    assert "ImageDescription" not in read
    assert kept_of(result) == kept
    assert jpeg_size(result) == (640, 480)
    assert result.endswith(data[data.index(b"\xff\xdb") :])
    assert tags(stamped(data, TAKEN_AT, False, kept), tmp_path)["ImageDescription"] == NO_CLOCK


def test_metadata_is_replaced_and_what_matters_of_it_is_kept() -> None:
    name = b"Acme\0"
    place = struct.pack("<I", 8 + 2 + 2 * 12 + 4)
    orientation = struct.pack("<HH", 8, 0)
    own = exif("<", (0x010F, 2, 5, place), (0x0112, 3, 1, orientation), tail=name)
    data = jpeg(64, 48, JFIF, own, b"\xff\xfe\x00\x04ab")
    assert kept_of(data) == Kept(8, "Acme", "")
    result = stamped(data, TAKEN_AT, True, kept_of(data))
    assert result.count(b"Exif\0\0") == 1
    assert result[2:20] == JFIF
    assert b"\xff\xfe\x00\x04ab" in result
    assert kept_of(result) == Kept(8, "Acme", "")
    again = stamped(result, TAKEN_AT, True, kept_of(result))
    assert again == result


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe1\x00\x08Exif\0\0",
        b"\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff",
        b"\xff\xe1\x00\x0cExif\0\0XX*\0",
        exif(">", (0x0112, 3, 1, b"\0\x63\0\0"), (0x010F, 2, 2**31, b"\0\0\0\x08")),
    ],
    ids=["empty", "far away", "no order", "nonsense"],
)
def test_damaged_metadata_of_a_camera_is_left_out(segment: bytes) -> None:
    data = jpeg(64, 48, segment)
    assert kept_of(data) == Kept()
    assert jpeg_size(stamped(data, TAKEN_AT, True, Kept())) == (64, 48)


@pytest.fixture
def shelf(studio: Studio) -> Shelf:
    studio.shelf._make_thumbnail = small_jpeg
    return studio.shelf


def test_the_process_that_makes_thumbnails_knows_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db/monitor")
    written = tmp_path / "environment"
    child = tmp_path / "child.py"
    child.write_text(f"import os\nopen({str(written)!r}, 'w').write(' '.join(os.environ))\n")
    monkeypatch.setattr(thumbnails, "CHILD", child)
    assert small_jpeg(b"a picture") is None
    assert set(written.read_text().split()) <= {"PATH", "LANG", "LC_CTYPE"}


def test_a_thumbnail_is_made_by_a_process_and_kept(studio: Studio, shelf: Shelf) -> None:
    studio.answers[STREAM, 1], studio.is_checked = picture(3280, 2464), True
    still = studio.stills.take(1)
    small = shelf.thumbnail(still)
    assert small
    assert jpeg_size(small) == (320, 240)
    assert b"2026:11:28 13:00:00" in small
    shelf.path(still).unlink()
    assert shelf.thumbnail(still) == small


def test_a_picture_that_cannot_be_decoded_has_no_thumbnail(studio: Studio, shelf: Shelf) -> None:
    studio.answers[STREAM, 1] = b"\xff\xd8" + frame(64, 48, ARITHMETIC) + SCAN + b"\xff\xd9"
    still = studio.stills.take(1)
    assert shelf.thumbnail(still) is None


def test_a_thumbnail_that_could_not_be_made_is_tried_again_later(studio: Studio) -> None:
    made: list[bytes | None] = []

    def make(_data: bytes) -> bytes | None:
        made.append(None if studio.seconds < FAILED_REST else jpeg(32, 24))
        return made[-1]

    studio.shelf._make_thumbnail = make
    still = studio.stills.take(1)
    until(lambda: studio.shelf._failed)
    assert studio.shelf.thumbnail(still) is None
    tries = len(made)
    assert studio.shelf.thumbnail(still) is None
    assert len(made) == tries
    studio.forward(seconds=FAILED_REST)
    assert studio.shelf.thumbnail(still)
