"""Picture health: what one sample of a 720p camera costs, and what 200 cameras a minute do."""

import importlib.util
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.sampled import sampled
from bench.table import Row
from picture_health.measuring import Measuring

FRAMES = 200


def health(folder: Path) -> list[Row]:
    """A 720p picture, measured beside one earlier picture and one reference."""
    if importlib.util.find_spec("cv2") is None:
        print("health needs OpenCV; it is not installed", file=sys.stderr)
        return []
    import cv2

    from picture_health.measures import decoded, sample_of
    from tests.picture_health.scenes import Camera, Moment

    cv2.setNumThreads(1)
    small: Any = cv2.imdecode(_bytes(Camera(1, "day").jpeg(Moment(0))), cv2.IMREAD_COLOR)
    data = cv2.imencode(".jpg", cv2.resize(small, (1280, 720)))[1].tobytes()
    # The other scene is the dearer one: a move is looked for.
    other = decoded(Camera(2, "day").jpeg(Moment(0)))
    earlier = [sample_of(each).descriptor for each in (decoded(data), other)]
    decode, kit = [], []
    for _ in range(FRAMES):
        begin = time.process_time()
        picture = decoded(data)
        middle = time.process_time()
        sample_of(picture, earlier)
        decode.append((middle - begin) * 1000)
        kit.append((time.process_time() - middle) * 1000)
    return [
        Row("health: measures of a 720p picture", median(kit), "ms", 2.1, note="CPU; 2 compared"),
        Row(
            "health: decoding its JPEG", median(decode), "ms", 1.9, note="to a quarter of its size"
        ),
        _beside(data, earlier),
        _two_hundred(median(kit) + median(decode)),
        *sampled(folder),
    ]


def _two_hundred(milliseconds: float) -> Row:
    share = 200 * milliseconds / 1000 / 60 * 100
    return Row("health: 200 samples a minute, measuring alone", share, "% of a core")


def _beside(data: bytes, earlier: list[bytes]) -> Row:
    """The same through the process that measures."""
    measuring, took = Measuring(), list[float]()
    for _ in range(FRAMES):
        begin = time.perf_counter()
        measuring.sample(data, earlier)
        took.append((time.perf_counter() - begin) * 1000)
    measuring.stop()
    note = f"the first one {took[0]:.0f} ms, with the start"
    return Row("health: a sample through the process", median(took), "ms", None, note=note)


def _bytes(data: bytes) -> Any:
    import numpy as np

    return np.frombuffer(data, np.uint8)
