"""The pictures of the demo's cameras: made-up scenes with noise and a running clock.

A scene is drawn once. Each picture adds the noise of a sensor and the time to it, so that no two
are the same. OpenCV and NumPy draw them; where they are not installed, `scene` is None, and the
pictures are grey.
"""

import time
from functools import cached_property
from typing import Any

from simulators import parameter_sets as sets

try:
    import cv2
    import numpy as np
except ImportError:  # Debian's own packages for 32-bit ARM are not there
    cv2 = np = None  # type: ignore[assignment]

WIDTH, HEIGHT = 640, 360
COVERED, DARK = "covered", "dark"
NOISE = 2.0
"""Standard deviation of the grey levels of a sensor's noise."""
VARIANTS = 4
"""Of the noise of a scene, made ahead; each picture shifts one of them."""
QUALITY = 82
LEAST, MOST = 17, 235
"""The levels of video; without zeros, no byte of a picture looks like a start code."""
BLOCK = 16


class Scene:
    """What a camera sees. `fault`: empty, or one of COVERED and DARK."""

    def __init__(self, seed: int, fault: str = "") -> None:
        self.fault = fault
        self._random = np.random.default_rng(seed)
        self._number = 0

    def key_frame(self) -> bytes:
        """The picture now, as an H.264 key frame."""
        planes = cv2.cvtColor(self._picture(), cv2.COLOR_BGR2YUV_I420).reshape(-1)
        planes = np.clip(planes, LEAST, MOST)
        size, quarter = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
        luma = planes[:size].reshape(HEIGHT, WIDTH)
        chroma = planes[size:].reshape(2, quarter).reshape(2, HEIGHT // 2, WIDTH // 2)
        blocks = [_blocks(luma, BLOCK), *(_blocks(plane, BLOCK // 2) for plane in chroma)]
        return sets.h264_raw_key_frame([row.tobytes() for row in np.concatenate(blocks, axis=1)])

    def jpeg(self) -> bytes:
        """The picture now, as a JPEG."""
        _is_well, data = cv2.imencode(".jpg", self._picture(), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return bytes(data)

    def _picture(self) -> Any:
        self._number += 1
        noise = self._noise[self._number % VARIANTS]
        noise = np.roll(noise, self._number * 37 % HEIGHT, axis=0)
        picture = np.clip(self._drawn + noise, 0, 255).astype(np.uint8)
        text = time.strftime("%Y-%m-%d %H:%M:%S")
        for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(picture, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width)
        return picture

    @cached_property
    def _noise(self) -> Any:
        return self._random.normal(0, NOISE, (VARIANTS, HEIGHT, WIDTH, 1)).astype(np.float32)

    @cached_property
    def _drawn(self) -> Any:
        picture = _walls(self._random) if self._random.random() < 0.5 else _street(self._random)
        if self.fault == COVERED:
            picture = cv2.GaussianBlur(picture, (0, 0), 90) * 0.3 + 40
        elif self.fault == DARK:
            picture = picture * 0.02 + 4
        else:
            picture = cv2.GaussianBlur(picture, (0, 0), 0.6)
        return picture.astype(np.float32)


def scene(seed: int, fault: str = "") -> Scene | None:
    """What the camera with this number sees; None where nothing can be drawn."""
    return Scene(seed, fault) if cv2 is not None else None


def _blocks(plane: Any, size: int) -> Any:
    """The macroblocks of a plane, one in each row; the last ones repeat the edge."""
    below = -plane.shape[0] % size
    plane = np.pad(plane, ((0, below), (0, 0)), mode="edge")
    rows, columns = plane.shape[0] // size, plane.shape[1] // size
    split = plane.reshape(rows, size, columns, size).transpose(0, 2, 1, 3)
    return split.reshape(rows * columns, size * size)


def _colour(random: Any, least: int, most: int) -> tuple[int, int, int]:
    """A pale colour."""
    level = int(random.integers(least, most))
    blue, green, red = (int(level + random.integers(-9, 10)) for _ in range(3))
    return blue, green, red


def _shaded(top: tuple[int, ...], bottom: tuple[int, ...], rows: int) -> Any:
    """A surface that changes from one colour to another."""
    part = np.linspace(0, 1, rows)[:, None, None]
    return np.array(top) * (1 - part) + np.array(bottom) * part + np.zeros((rows, WIDTH, 3))


def _street(random: Any) -> Any:
    """A street with houses, lines on the ground, and parked cars."""
    horizon = int(random.integers(120, 170))
    sky = _shaded(_colour(random, 170, 210), _colour(random, 190, 225), horizon)
    ground = _shaded(_colour(random, 85, 110), _colour(random, 110, 140), HEIGHT - horizon)
    picture = np.ascontiguousarray(np.concatenate([sky, ground]))
    left = -20
    while left < WIDTH:
        width, height = int(random.integers(70, 140)), int(random.integers(50, horizon - 10))
        corner = (left, horizon - height)
        cv2.rectangle(picture, corner, (left + width, horizon), _colour(random, 90, 170), -1)
        for x in range(left + 10, left + width - 14, 22):
            for y in range(horizon - height + 10, horizon - 14, 24):
                cv2.rectangle(picture, (x, y), (x + 10, y + 13), _colour(random, 35, 75), -1)
        left += width + int(random.integers(2, 16))
    for x in range(-200, WIDTH + 200, 110):
        cv2.line(picture, (WIDTH // 2 + x // 3, horizon + 40), (x, HEIGHT), (205, 210, 210), 3)
    for _car in range(int(random.integers(3, 6))):
        x, y = int(random.integers(0, WIDTH - 90)), int(random.integers(horizon + 30, HEIGHT - 50))
        colour = _colour(random, 40, 190)
        cv2.rectangle(picture, (x, y), (x + 84, y + 26), colour, -1)
        cv2.rectangle(picture, (x + 16, y - 16), (x + 66, y), _colour(random, 30, 60), -1)
        for wheel in (x + 18, x + 66):
            cv2.circle(picture, (wheel, y + 27), 9, (25, 25, 28), -1)
    return picture


def _walls(random: Any) -> Any:
    """A room with tiles, a door, shelves and boxes."""
    edge = int(random.integers(190, 240))
    wall = _shaded(_colour(random, 140, 190), _colour(random, 120, 160), edge)
    floor = _shaded(_colour(random, 80, 110), _colour(random, 110, 150), HEIGHT - edge)
    picture = np.ascontiguousarray(np.concatenate([wall, floor]))
    for x in range(-400, WIDTH + 400, 60):
        cv2.line(picture, (WIDTH // 2 + x // 3, edge), (x, HEIGHT), (75, 80, 82), 2)
    for y in (edge, edge + 18, edge + 46, edge + 88):
        cv2.line(picture, (0, y), (WIDTH, y), (70, 74, 78), 2)
    door = int(random.integers(20, 120))
    cv2.rectangle(picture, (door, 60), (door + 74, edge), _colour(random, 60, 100), -1)
    cv2.rectangle(picture, (door, 60), (door + 74, edge), (35, 38, 40), 3)
    cv2.circle(picture, (door + 62, (60 + edge) // 2), 4, (220, 225, 225), -1)
    for shelf in range(int(random.integers(3, 5))):
        y = 56 + shelf * 42
        cv2.line(picture, (250, y + 30), (WIDTH - 20, y + 30), (50, 60, 72), 4)
        x = 256
        while x < WIDTH - 50:
            width, height = int(random.integers(10, 44)), int(random.integers(12, 28))
            corners = (x, y + 28 - height), (x + width, y + 28)
            cv2.rectangle(picture, *corners, _colour(random, 40, 215), -1)
            x += width + int(random.integers(2, 12))
    return picture
