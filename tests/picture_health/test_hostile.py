"""Good cameras in front of which much happens, and those whose streams a real encoder makes."""

import importlib.util
from collections.abc import Iterator
from fractions import Fraction

import pytest

if importlib.util.find_spec("cv2") is None:
    pytest.skip("OpenCV is not installed: PyPI has none for this machine", allow_module_level=True)

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from picture_health.judging import LIMITS, Course, descriptors, judged
from picture_health.measures import measured
from picture_health.model import Fault, Reference
from tests.picture_health.hostile import EVENTS, Disturbed, moments
from tests.picture_health.scenes import SIZE, Camera, Moment
from tests.picture_health.trials import HEALTHY, course_of, reference_of

RATE, KEYS = 5, 10
"""Pictures a second, and pictures from one key frame to the next."""


SEEDS = {"snow": 6259, "infrared": 6762}
"""Where an event does most. Infrared light: only the reference by night explains the picture."""


def findings(
    seed: int, event: str, fault: str = "", count: int = HEALTHY, *, has_night: bool = True
) -> set[Fault]:
    references = [reference_of(seed)]
    if event == "infrared" and has_night:
        by_night = measured(Disturbed(seed, event).jpeg(Moment(HEALTHY - 1)))
        references.append(Reference(by_night.measures, by_night.descriptor))
    courses = course_of(Disturbed(seed, event), moments(fault, count), references, "normal")
    return set().union(*(course.findings for course in courses))


@pytest.mark.parametrize("event", EVENTS)
def test_what_happens_in_front_of_a_camera_is_no_fault(event: str) -> None:
    assert findings(SEEDS.get(event, 6019), event) == set()


def test_infrared_light_moves_no_edges_of_the_reference_by_day() -> None:
    """The side of an edge that is bright is another one in it."""
    assert findings(6020, "infrared", has_night=False) == set()


@pytest.mark.torture
@pytest.mark.parametrize("event", EVENTS)
def test_what_happens_in_front_of_a_hundred_cameras_is_no_fault(event: str) -> None:
    faults_of_seeds = {seed: findings(seed, event) for seed in range(7001, 7101)}
    assert {seed: faults for seed, faults in faults_of_seeds.items() if faults} == {}


def test_a_frozen_picture_is_found_beside_a_clock_and_a_counter() -> None:
    """In the middle of the upper and of the lower side."""
    assert findings(6001, "counters", "frozen", LIMITS["normal"].in_a_row + 1) == {"frozen"}


# -- H.264 --------------------------------------------------------------------------------------


def key_frames(
    pictures: Iterator[NDArray[np.uint8]], bits: int, options: dict[str, str]
) -> Iterator[bytes]:
    """What a decoder makes of the key frames that x264 makes of these pictures."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = SIZE
    encoder.pix_fmt, encoder.gop_size, encoder.bit_rate = "yuv420p", KEYS, bits
    encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", **options}
    decoder = av.CodecContext.create("h264", "r")
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
        frame.pts = number
        for packet in encoder.encode(frame):
            for shown in decoder.decode(packet):
                if shown.key_frame:
                    yield bytes(cv2.imencode(".jpg", shown.to_ndarray(format="gray"))[1])


def room(seed: int, keys: int, *, is_frozen: bool) -> Iterator[NDArray[np.uint8]]:
    """An empty room with a clock in the picture, from a camera that averages noise away."""
    camera = Camera(seed, "still")
    seen = [camera.seen(Moment(0), np.random.default_rng((seed, n))) for n in range(6)]
    rng = np.random.default_rng(seed)
    mean = seen[0]
    for number in range(keys * KEYS - KEYS + 1):
        if not is_frozen:
            mean = 0.9 * mean + 0.1 * seen[int(rng.integers(0, 6))]
        picture = np.clip(np.round(mean), 0, 255).astype(np.uint8)
        camera._write_clock(picture, number)
        yield picture


def courses(pictures: Iterator[bytes]) -> list[Course]:
    course, after = Course(), list[Course]()
    for picture in pictures:
        course = judged(course, measured(picture, descriptors(course, [])), [], "normal")
        after.append(course)
    return after


@pytest.mark.parametrize("bits", [60_000, 250_000, 1_500_000])
def test_an_empty_room_is_not_frozen_at_any_bitrate(bits: int) -> None:
    """Noise is averaged away, and the encoder leaves little of the rest."""
    after = courses(key_frames(room(6, 4, is_frozen=False), bits, {}))
    assert len(after) == 4
    assert [dict(course.showing) for course in after] == [{}] * 4


def test_a_picture_that_stands_still_in_a_stream_is_frozen() -> None:
    """Of an encoder with constant quality. The clock in it runs on."""
    after = courses(key_frames(room(6, 4, is_frozen=True), 0, {"qp": "30"}))
    assert after[-1].findings == {"frozen"}
