"""Sizes and rates in parameter sets that x264 and x265 wrote."""

import base64
import random
from collections.abc import Callable

import pytest

from fleet.parameter_sets import InvalidSet, Picture, h264, h265

Reader = Callable[[bytes], Picture]


@pytest.mark.parametrize(
    ("text", "width", "height", "rate"),
    [
        pytest.param("Z0LAKNoB4AiflhAAAAMAEAAAAwMg8YMq", 1920, 1080, 25, id="main"),
        pytest.param("Z0LAFtoCgL/lhAAAAwAEAAADAHg8WLqA", 640, 360, 15, id="baseline"),
        pytest.param("Z2QAH6zZQFAFuhAAAD6QAA6mAPGDGWA=", 1280, 720, 30000 / 1001, id="high"),
        pytest.param("Z2QAHqzZQLAk0IAAAAMAgAAAGQ+KFMs=", 704, 576, 25, id="interlaced"),
        pytest.param("Z/QAKpGbKA8gRPHzwgAAAwACAAADACgeMGMs", 1922, 1082, 10, id="4:4:4"),
        pytest.param("Z3oADLzZQVCHiI+EAAADAAQAAAMAODxQplg=", 322, 242, 7, id="4:2:2"),
    ],
)
def test_the_size_and_rate_of_an_h264_set_are_read(
    text: str, width: int, height: int, rate: float
) -> None:
    picture = h264(base64.b64decode(text))
    assert (picture.width, picture.height) == (width, height)
    assert picture.rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("text", "width", "height"),
    [
        pytest.param("QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlllZpJMrmgIAAAAMAgAAACgQ=", 1920, 1080),
        pytest.param(
            "QgECAWAAAAMAkAAAAwAAAwCWAACgAUEgBanJJllZis0kmVzQEAAAAwAQAAADAMCA",
            *(2562, 1442),
            id="temporal layers",
        ),
        pytest.param(
            "QgEBBAgAAAMAnggAAAMAADyQAWEAkLLKzSSZXNAQAAADABAAAAMBkIA=", 352, 288, id="4:4:4"
        ),
    ],
)
def test_the_size_of_an_h265_set_is_read(text: str, width: int, height: int) -> None:
    assert h265(base64.b64decode(text)) == Picture(width, height)


@pytest.mark.parametrize("read", [h264, h265])
@pytest.mark.parametrize("data", [b"", b"\x67", b"\x68\x01\x02", b"\xff" * 40, bytes(4000)])
def test_what_is_no_parameter_set_is_refused(read: Reader, data: bytes) -> None:
    with pytest.raises(InvalidSet):
        read(data)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (h264, "Z2QAH6zZQFAFuhAAAD6QAA6mAPGDGWA="),
        (h265, "QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlllZpJMrmgIAAAAMAgAAACgQ="),
    ],
)
def test_a_damaged_set_is_refused_or_read_within_bounds(read: Reader, text: str) -> None:
    whole, chance = base64.b64decode(text), random.Random(7)
    outcomes = set[str]()
    for _ in range(2000):
        damaged = bytearray(whole[: chance.randint(0, len(whole))])
        for _ in range(chance.randint(0, 3)):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            picture = read(bytes(damaged))
        except InvalidSet:
            outcomes.add("refused")
            continue
        outcomes.add("read")
        assert 0 < picture.width <= 16_384
        assert 0 < picture.height <= 16_384
    assert outcomes == {"refused", "read"}
