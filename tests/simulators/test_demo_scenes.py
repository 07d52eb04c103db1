"""The pictures of the demo's cameras: they decode, differ, and have the faults that they say."""

import av
import cv2
import numpy as np
import pytest

from picture_health.judging import Course, descriptors, judged
from picture_health.measures import measured
from simulators import demo_streams
from simulators import parameter_sets as sets
from simulators.demo_scenes import COVERED, DARK, HEIGHT, WIDTH, Scene
from simulators.demo_streams import CAMERAS, NEW, ONVIF

CHANNELS = [(camera, number) for camera in (*CAMERAS, NEW) for number in range(camera.channels + 1)]


def frame(*units: bytes) -> av.VideoFrame:
    """The picture of these NAL units."""
    packet = av.Packet(b"".join(b"\0\0\0\1" + unit for unit in units))
    decoder = av.CodecContext.create("h264", "r")
    (shown,) = [*decoder.decode(packet), *decoder.decode(None)]
    return shown


def test_a_key_frame_shows_what_the_snapshot_shows_and_never_twice_the_same() -> None:
    scene = Scene(7)
    head = (sets.h264_sps(WIDTH, HEIGHT), sets.h264_pps())
    first, second = scene.key_frame(), scene.key_frame()
    assert first != second
    shown = frame(*head, first)
    assert (shown.width, shown.height) == (WIDTH, HEIGHT)
    assert b"\0\0\0" not in first
    assert b"\0\0\1" not in first
    grey = shown.to_ndarray(format="gray").astype(int)
    assert grey.std() > 20
    snapshot = cv2.imdecode(np.frombuffer(scene.jpeg(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert abs(grey - snapshot).mean() < 4


@pytest.mark.parametrize(("camera", "channel"), CHANNELS)
def test_every_camera_is_healthy_but_for_the_planned_faults(
    camera: demo_streams.Camera, channel: int
) -> None:
    scene = demo_streams._scene(camera, channel)
    assert scene
    course = Course()
    for _sample in range(3):
        sample = measured(scene.jpeg(), descriptors(course, ()))
        course = judged(course, sample, (), "normal")
    assert course.findings == {"": set(), COVERED: {"covered"}, DARK: {"black"}}[scene.fault]
    assert course.health == ("faulty" if scene.fault else "healthy")


def test_the_demo_has_one_covered_camera_and_dark_channels() -> None:
    faults = [scene.fault for each in CHANNELS if (scene := demo_streams._scene(*each))]
    assert faults.count(COVERED) == 1
    assert faults.count(DARK) == 2
    assert all(camera.source == ONVIF for camera in CAMERAS if camera.channels)
