"""What happens in front of good cameras, beside the weather of `scenes.py`: each of it changes the
picture more than some faults do."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.picture_health.scenes import SIZE, Array, Camera, Moment

EVENTS = ("sunrise", "lamps", "infrared", "snow", "counters", "compressed")


class Disturbed(Camera):
    """A camera that nothing is wrong with, and in front of which much happens."""

    def __init__(self, seed: int, event: str) -> None:
        super().__init__(seed, "still")
        self.event = event
        self.own = np.random.default_rng((seed, 3))
        self.tones = self.own.uniform(30, 220, 5)
        if event == "compressed":
            self.quality, self.noise = 25, 1.0

    def _lit(self, moment: Moment, rng: np.random.Generator) -> Array:
        picture = super()._lit(moment, rng)
        n = moment.number
        if self.event == "sunrise":
            return picture * np.float32(0.12 + 0.088 * n)
        if self.event == "lamps":
            return self._under_lamps(picture, is_on=n % 4 < 2)
        if self.event == "infrared":
            return self._in_infrared(picture) if n >= 5 else picture * np.float32(0.5)
        if self.event == "snow":
            return self._in_snow(picture, rng)
        return picture

    def _under_lamps(self, picture: Array, *, is_on: bool) -> Array:
        columns, rows = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in SIZE))
        light = np.full_like(picture, 0.3)
        for x, y, reach in self.lamps if is_on else ():
            light += 1.1 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2))
        return picture * light

    def _in_infrared(self, picture: Array) -> Array:
        """Every tone becomes another one, and the middle is lit most."""
        columns, rows = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in SIZE))
        tones: Array = np.interp(picture, np.linspace(0, 255, 5), self.tones).astype(np.float32)
        return tones * np.exp(-(columns**2 + rows**2) / 2)

    def _in_snow(self, picture: Array, rng: np.random.Generator) -> Array:
        flakes = np.zeros_like(picture)
        for x, y in rng.integers((0, 0), SIZE, (120, 2)):
            size = int(rng.integers(1, 6))
            cv2.circle(flakes, (int(x), int(y)), size, float(rng.uniform(40, 130)), -1)
        soft: Array = cv2.GaussianBlur(flakes, (0, 0), 1.5)
        return picture * 0.85 + 30 + soft

    def _write_clock(self, picture: NDArray[np.uint8], number: int) -> None:
        if self.event != "counters":
            super()._write_clock(picture, number)
            return
        time, rate = f"12:{number:02}:{number * 7 % 60:02}", f"{number * 977} kbit/s"
        for y, text in ((20, time), (352, rate)):
            for colour, width in ((0, 3), (255, 1)):
                cv2.putText(picture, text, (270, y), 0, 0.55, colour, width, cv2.LINE_AA)


def moments(fault: str, count: int) -> Iterator[Moment]:
    """A fault from the first picture on."""
    return (Moment(number, fault, 0) for number in range(count))
