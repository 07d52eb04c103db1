"""How strong a fault must be to be seen: a scene by day that is covered in part, or blurred."""

from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np

from picture_health.judging import LIMITS, faults_of
from picture_health.measures import measured
from picture_health.model import Level
from tests.picture_health.scenes import Array, Camera, Moment
from tests.picture_health.trials import reference_of

COVERED = (0.5, 0.6, 0.7, 0.8, 0.9)
"""The part of the width behind a grey cover."""
BLURRED = (5, 6, 8, 10)
"""Sigma in thousandths of the width."""
Counts = Counter[tuple[str, float, Level]]


def seen(seed: int) -> Counts:
    """In which strengths one sample of a camera shows the fault, by sensitivity."""
    camera, reference = Camera(seed, "day"), reference_of(seed)
    view = cv2.imdecode(np.frombuffer(camera.jpeg(Moment(5)), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert view is not None
    counts: Counts = Counter()
    for fault, strength, picture in _pictures(seed, view.astype(np.float32)):
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1]
        sample = measured(data.tobytes(), (b"", reference.descriptor))
        for level, limits in LIMITS.items():
            counts[fault, strength, level] += fault in faults_of(sample, [reference], limits)
    return counts


def _pictures(seed: int, view: Array) -> Iterator[tuple[str, float, Array]]:
    rng, (height, width) = np.random.default_rng(seed), view.shape
    for part in COVERED:
        picture, covered = view.copy(), int(width * part)
        picture[:, :covered] = 40 + 2 * rng.standard_normal((height, covered))
        yield "covered", part, picture
    for sigma in BLURRED:
        soft = cv2.GaussianBlur(view, (0, 0), sigma * width / 1000)
        yield "blurred", sigma, soft + 2 * rng.standard_normal(view.shape)
