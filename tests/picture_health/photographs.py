"""Photographs that a Python package ships (scikit-image), as what cameras see."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tests.picture_health.scenes import CANVAS, Array
from tests.picture_health.trials import Trial, trials

NAMES = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png"),
    *("grass.png", "gravel.png", "motorcycle_left.png", "rocket.jpg"),
)
EACH = 7
"""Seeds, and so conditions, of each photograph."""


def photograph(name: str) -> Array:
    """A photograph in grey, mirrored at its sides until it fills the canvas."""
    package = importlib.util.find_spec("skimage")
    assert package is not None
    assert package.origin is not None
    picture = cv2.imread(str(Path(package.origin).parent / "data" / name), cv2.IMREAD_GRAYSCALE)
    assert picture is not None, name
    height, width = picture.shape
    missing = (max(CANVAS[1] - height, 0), max(CANVAS[0] - width, 0))
    filled = np.pad(picture, [(0, side) for side in missing], mode="reflect")
    return filled[: CANVAS[1], : CANVAS[0]].astype(np.float32)


def photograph_trials(names: tuple[str, ...] = NAMES, each: int = EACH) -> Iterator[Trial]:
    """Each photograph as a scene, in several conditions."""
    for number, name in enumerate(names):
        view = photograph(name)
        for seed in range(1000 + number * each, 1000 + (number + 1) * each):
            yield from trials(seed, view=view)
