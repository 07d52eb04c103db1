"""Pictures of made-up scenes, as a camera would send them, with every fault that is looked for.

Everything follows from the seed: the scene, its light, its weather, where the camera writes the
time, how strongly it compresses. A picture is 640 x 360, as sub streams are.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SIZE = (640, 360)
CANVAS = (1280, 720)
"""What is there to see; a camera sees a part of it."""
CONDITIONS = ("day", "night", "noise", "rain", "headlights", "flicker", "still")
KINDS = ("street", "corridor", "parking", "yard", "room")


@dataclass(frozen=True)
class Moment:
    """What changes between two pictures."""

    number: int
    """Minutes since the first picture."""
    fault: str = ""
    since: int = 0
    """The number of the picture at which the fault began."""


class Camera:
    """A camera in front of a scene, in one condition of light and weather."""

    def __init__(self, seed: int, condition: str, view: Array | None = None) -> None:
        self.seed, self.condition = seed, condition
        self.rng = np.random.default_rng((seed, 1))
        rng = self.rng
        self.canvas = canvas(seed) if view is None else view
        spare = (CANVAS[0] - SIZE[0], CANVAS[1] - SIZE[1])
        self.at = (int(rng.integers(0, spare[0])), int(rng.integers(0, spare[1])))
        self.moved_to = self._elsewhere(spare)
        self.is_night = condition in ("night", "headlights")
        self.noise = {"noise": 7.0, "night": 3.5, "headlights": 3.5}.get(
            condition, float(rng.uniform(0.9, 2.2))
        )
        self.lamps = [
            (rng.uniform(0, SIZE[0]), rng.uniform(0.1, 0.9) * SIZE[1], rng.uniform(70, 180))
            for _ in range(int(rng.integers(2, 5)))
        ]
        self.is_infrared = bool(rng.random() < 0.4)
        self.quality = int(rng.integers(60, 93))
        self.clock_at = [(8, 20), (400, 20), (8, 352), (400, 352)][int(rng.integers(4))]
        self.blur = float(rng.uniform(5.0, 9.0))
        self.cover = self._cover()
        self._kept: dict[int, Array] = {}

    def _elsewhere(self, spare: tuple[int, int]) -> tuple[int, int]:
        """At least a seventh of the picture aside."""
        while True:
            place = (int(self.rng.integers(0, spare[0])), int(self.rng.integers(0, spare[1])))
            if (
                max(abs(place[0] - self.at[0]) / SIZE[0], abs(place[1] - self.at[1]) / SIZE[1])
                > 1 / 7
            ):
                return place

    def _cover(self) -> Array:
        """Cloth, tape or a hand close to the lens: smooth, and it lets some light through."""
        rng = self.rng
        coarse = rng.normal(0, 1, (3, 4)).astype(np.float32)
        folds = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)
        cover: Array = np.float32(rng.uniform(35, 190)) + folds * np.float32(rng.uniform(2, 12))
        return cover

    # -- pictures ---------------------------------------------------------------------------

    def jpeg(self, moment: Moment) -> bytes:
        """A picture as the camera sends it."""
        if moment.fault == "frozen":
            if moment.since not in self._kept:
                since = self.seen(Moment(moment.since), self._rng_of(moment.since))
                self._kept = {moment.since: since}
            picture = self._kept[moment.since]
        else:
            picture = self.seen(moment, self._rng_of(moment.number))
        pixels = np.clip(np.round(picture), 0, 255).astype(np.uint8)
        self._write_clock(pixels, moment.number)
        done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        assert done
        return bytes(data.tobytes())

    def _rng_of(self, number: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, 2, number))

    def seen(self, moment: Moment, rng: np.random.Generator) -> Array:
        """What the sensor gives, without the text that the camera writes."""
        if moment.fault == "black":
            light = np.full(SIZE[::-1], rng.uniform(1, 9), np.float32)
        elif moment.fault == "covered":
            light = self.cover * (0.25 if self.is_night else 1.0) + np.float32(
                20 if self.is_night else 0
            )
        else:
            light = self._lit(moment, rng)
        if moment.fault == "blurred":
            light = cv2.GaussianBlur(light, (0, 0), self.blur)
        gain = 0.4 if moment.fault == "black" else 1.0
        noise = rng.standard_normal(SIZE[::-1], dtype=np.float32) * np.float32(self.noise * gain)
        sensed: Array = light + noise
        return sensed

    def _lit(self, moment: Moment, rng: np.random.Generator) -> Array:
        x, y = self.moved_to if moment.fault == "moved" else self.at
        picture = self.canvas[y : y + SIZE[1], x : x + SIZE[0]].copy()
        if self.condition != "still":
            self._add_passers_by(picture, rng)
        if self.is_night:
            picture = self._at_night(picture, moment, rng)
        elif self.condition == "flicker":
            lines = np.sin(np.arange(SIZE[1], dtype=np.float32) / 40 + rng.uniform(0, 6))
            picture = picture * (1 + rng.uniform(-0.1, 0.1) + 0.06 * lines[:, None])
        elif self.condition != "still":
            picture = picture * (1 + 0.05 * np.sin(moment.number / 7) + rng.uniform(-0.02, 0.02))
        if self.condition == "rain":
            picture = self._in_rain(picture, rng)
        return picture.astype(np.float32)

    def _add_passers_by(self, picture: Array, rng: np.random.Generator) -> None:
        for _ in range(int(rng.integers(0, 4))):
            x, y = rng.integers(0, SIZE[0] - 40), rng.integers(SIZE[1] // 3, SIZE[1] - 40)
            size = (int(rng.integers(10, 90)), int(rng.integers(20, 70)))
            corner = (int(x + size[0]), int(y + size[1]))
            cv2.rectangle(picture, (int(x), int(y)), corner, float(rng.uniform(20, 230)), -1)
            middle = (int(x + size[0] // 2), int(y))
            cv2.circle(picture, middle, size[0] // 3 + 1, float(rng.uniform(20, 230)), -1)

    def _at_night(self, picture: Array, moment: Moment, rng: np.random.Generator) -> Array:
        columns, rows = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in SIZE))
        light = np.full_like(picture, 0.05)
        lamps = [(SIZE[0] / 2, SIZE[1] / 2, 190.0)] if self.is_infrared else self.lamps
        for x, y, reach in lamps:
            light += 0.8 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2))
        picture = picture * np.minimum(light, 1.0)
        if self.condition == "headlights" and rng.random() < 0.7:
            x, y = rng.uniform(0, SIZE[0]), rng.uniform(SIZE[1] / 3, SIZE[1])
            for offset in (-18, 18):
                distance = (columns - x - offset) ** 2 + (rows - y) ** 2
                picture = picture + 400 / (1 + distance / 60) + 30 * np.exp(-distance / 20000)
        return picture

    def _in_rain(self, picture: Array, rng: np.random.Generator) -> Array:
        streaks = np.zeros_like(picture)
        lean = int(rng.integers(-4, 5))
        for x, y in rng.integers((0, 0), SIZE, (140, 2)):
            end = (int(x + lean), int(y + rng.integers(10, 28)))
            cv2.line(streaks, (int(x), int(y)), end, float(rng.uniform(15, 60)), 1)
        soft: Array = cv2.GaussianBlur(streaks, (0, 0), 0.7)
        return picture * 0.8 + 25 + soft

    def _write_clock(self, picture: NDArray[np.uint8], number: int) -> None:
        text = f"2026-11-28 {number // 60 % 24:02}:{number % 60:02}:{number * 7 % 60:02}"
        for colour, width in ((0, 3), (255, 1)):
            cv2.putText(picture, text, self.clock_at, 0, 0.55, colour, width, cv2.LINE_AA)


# -- scenes -------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def canvas(seed: int) -> Array:
    """What there is to see, by a lens that is as sharp as lenses are."""
    rng = np.random.default_rng((seed, 0))
    kind = KINDS[seed % len(KINDS)]
    picture = _ground(rng)
    {"street": _street, "corridor": _corridor, "parking": _parking, "yard": _yard, "room": _room}[
        kind
    ](picture, rng)
    seen: Array = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 1.0)))
    return seen


def _ground(rng: np.random.Generator) -> Array:
    """A floor or a sky that is nearly even, with a fine grain."""
    width, height = CANVAS
    slope = np.linspace(rng.uniform(90, 170), rng.uniform(70, 150), height, dtype=np.float32)
    picture = np.repeat(slope[:, None], width, axis=1)
    return (picture + grain(rng, 4, 5) + grain(rng, 40, 8)).astype(np.float32)


def grain(rng: np.random.Generator, cell: int, strength: float) -> Array:
    """A texture whose grains have about this size in pixels."""
    shape = (CANVAS[1] // cell + 2, CANVAS[0] // cell + 2)
    coarse = rng.normal(0, strength, shape).astype(np.float32)
    texture: Array = cv2.resize(coarse, CANVAS, interpolation=cv2.INTER_CUBIC)
    return texture


def _box(
    picture: Array, rng: np.random.Generator, place: tuple[int, int], size: tuple[int, int]
) -> None:
    corner = (place[0] + size[0], place[1] + size[1])
    cv2.rectangle(picture, place, corner, float(rng.uniform(25, 235)), -1)


def _street(picture: Array, rng: np.random.Generator) -> None:
    x = 0
    while x < CANVAS[0]:
        width, top = int(rng.integers(110, 260)), int(rng.integers(40, 260))
        _box(picture, rng, (x, top), (width, 560 - top))
        tone = float(rng.uniform(15, 240))
        for column in range(x + 14, x + width - 24, 38):
            for row in range(top + 16, 520, 46):
                cv2.rectangle(picture, (column, row), (column + 18, row + 26), tone, -1)
        x += width
    for line in range(0, CANVAS[0], 90):
        cv2.line(picture, (line, 640), (line + 45, 640), 225.0, 4)
    for _ in range(8):
        pole = int(rng.integers(0, CANVAS[0]))
        cv2.line(picture, (pole, int(rng.integers(60, 300))), (pole, 600), 40.0, 4)


def _corridor(picture: Array, rng: np.random.Generator) -> None:
    middle = (int(rng.integers(500, 780)), int(rng.integers(300, 420)))
    for x in range(-400, CANVAS[0] + 400, 120):
        cv2.line(picture, middle, (x, CANVAS[1]), float(rng.uniform(40, 90)), 2)
        cv2.line(picture, middle, (x, 0), float(rng.uniform(190, 240)), 2)
    for _ in range(16):
        x, y = int(rng.integers(0, CANVAS[0])), int(rng.integers(60, 420))
        _box(picture, rng, (x, y), (int(rng.integers(40, 110)), int(rng.integers(90, 220))))
        cv2.circle(picture, (x + 12, y + 60), 5, float(rng.uniform(0, 255)), -1)


def _parking(picture: Array, rng: np.random.Generator) -> None:
    """Rows of bays, the nearer the larger."""
    for y, bay in ((60, 70), (150, 95), (275, 130), (450, 180)):
        for x in range(int(rng.integers(0, bay)), CANVAS[0], bay):
            cv2.line(picture, (x, y), (x + bay // 5, y + bay), 230.0, 3)
            if rng.random() < 0.65:
                _box(picture, rng, (x + bay // 5, y + bay // 6), (bay * 3 // 5, bay * 2 // 3))
                _box(picture, rng, (x + bay * 3 // 10, y + bay // 3), (bay * 2 // 5, bay // 5))


def _yard(picture: Array, rng: np.random.Generator) -> None:
    picture += grain(rng, 9, 22) + grain(rng, 22, 18)
    for _ in range(6):
        x = int(rng.integers(0, CANVAS[0]))
        cv2.line(picture, (x, 120), (x, 660), float(rng.uniform(20, 60)), int(rng.integers(8, 22)))
    for x in range(0, CANVAS[0], 34):
        cv2.line(picture, (x, 430), (x, 520), float(rng.uniform(150, 220)), 6)
    np.clip(picture, 5, 245, out=picture)


def _room(picture: Array, rng: np.random.Generator) -> None:
    for _ in range(26):
        x, y = int(rng.integers(0, CANVAS[0])), int(rng.integers(0, CANVAS[1]))
        _box(picture, rng, (x, y), (int(rng.integers(30, 200)), int(rng.integers(20, 140))))
    for _ in range(20):
        x, y = int(rng.integers(0, CANVAS[0])), int(rng.integers(20, CANVAS[1]))
        text = "".join(chr(rng.integers(65, 91)) for _ in range(4))
        letters = np.zeros(picture.shape, np.uint8)
        cv2.putText(letters, text, (x, y), 0, float(rng.uniform(0.6, 1.5)), 255, 2, cv2.LINE_AA)
        picture[letters > 100] = 235.0
