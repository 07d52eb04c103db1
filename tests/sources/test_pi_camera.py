"""Raspberry Pi cameras: the real picamera2 over a stand-in of libcamera and the DMA heap."""

import asyncio
import fcntl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.model import CannotAsk, Coverage, Miss, Sighting, SourceDown
from fleet.pictures import NotOffered, NotTaken
from sources import local_cameras
from sources.camera_process import ENVIRONMENT, Limits
from sources.local_capture import HALF_NOTE, Mounting, Timing
from tests.home import until
from tests.sources.pi_stand_in import (
    FULL,
    NOW,
    PI,
    ROOT,
    SMALL,
    STAND_INS,
    Computer,
    corners,
    needs_picamera2,
)
from tests.stills.studio import no_more_threads

pytestmark = needs_picamera2


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def discovered(computer: Computer, *pythons: str) -> list[object]:
    source = local_cameras.source(computer.machine(*pythons), lambda: NOW)

    async def collect() -> list[object]:
        assert source.discover
        return [report async for report in source.discover()]

    return asyncio.run(collect())


# -- found -------------------------------------------------------------------------------


def test_a_connected_camera_is_found_by_its_id(computer: Computer) -> None:
    (computer.folder / "dev" / "media0").touch()
    sighting, coverage = discovered(computer)
    assert isinstance(sighting, Sighting)
    assert (sighting.identities, sighting.address) == ((PI,), None)
    assert (sighting.name, sighting.model) == ("Raspberry Pi Camera Module 2", "imx219")
    assert isinstance(coverage, Coverage)
    assert (coverage.answers, coverage.failed) == (1, {})


def test_a_computer_without_video_devices_starts_no_process(computer: Computer) -> None:
    [coverage] = discovered(computer, "/nonexistent/python")
    assert isinstance(coverage, Coverage)
    assert (coverage.answers, coverage.failed) == (0, {})


def test_a_camera_is_found_at_the_start_and_missed_when_it_is_gone(computer: Computer) -> None:
    source = local_cameras.source(computer.machine(), lambda: NOW, watch_every=0.02)

    async def hear() -> None:
        assert source.listen
        reports = source.listen()
        (computer.folder / "dev" / "media0").touch()
        assert isinstance(await anext(reports), Sighting)
        (computer.folder / "dev" / "media0").unlink()
        miss = await anext(reports)
        assert isinstance(miss, Miss)
        assert (miss.identity, miss.reason) == (PI, "not connected to this server")

    asyncio.run(hear())


def test_a_missing_library_is_named_with_the_command_that_installs_it(computer: Computer) -> None:
    (computer.folder / "dev" / "media0").touch()
    without = computer.python_with(STAND_INS / "libcamera_stand_in")
    [coverage] = discovered(computer, without)
    assert isinstance(coverage, Coverage)
    assert "python3-picamera2" in coverage.failed["local:pi"]
    with pytest.raises(NotTaken, match="picamera2.*not installed") as failure:
        computer.cameras(pythons=(without,)).capture(1, 30)
    assert "sudo apt install" in failure.value.hint


def test_the_python_of_the_system_is_asked_where_the_own_one_has_no_library(
    computer: Computer,
) -> None:
    without = computer.python_with(STAND_INS / "libcamera_stand_in")
    picture = computer.cameras(pythons=(without, computer.python)).capture(1, 30)
    assert picture.way == "pi"


def test_a_library_that_fails_is_told_once_until_it_works(computer: Computer) -> None:
    (computer.folder / "dev" / "media0").touch()
    (computer.folder / "plan.json").write_text("no JSON")
    with pytest.raises(CannotAsk):
        discovered(computer, "/nonexistent/python")
    source = local_cameras.source(computer.machine(), lambda: NOW, watch_every=0.02)

    async def hear() -> None:
        assert source.listen
        reports = source.listen()
        down = await anext(reports)
        assert isinstance(down, SourceDown)
        assert not down.up
        computer.plan()
        (computer.folder / "dev" / "media1").touch()
        kinds = [type(await anext(reports)) for _number in range(2)]
        assert kinds == [Sighting, SourceDown]

    asyncio.run(hear())


# -- a picture ---------------------------------------------------------------------------


def test_a_still_has_the_full_resolution_and_waits_for_the_exposure(computer: Computer) -> None:
    computer.plan(FULL)
    cameras = computer.cameras()
    picture = cameras.capture(1, 60)
    until(lambda: not cameras._captures, what="no picture is kept in memory")
    assert (picture.width, picture.height) == FULL
    assert (picture.way, picture.taken_at, picture.notes) == ("pi", NOW, ())
    assert corners(picture)[0][0] > 100


@pytest.mark.parametrize(
    ("rotation", "flip", "brightest"),
    [(90, "none", (0, 1)), (270, "vertical", (1, 1)), (180, "none", (1, 1))],
)
def test_a_picture_is_flipped_and_rotated(
    computer: Computer, rotation: int, flip: str, brightest: tuple[int, int]
) -> None:
    picture = computer.cameras(mounting=Mounting(rotation, flip)).capture(1, 30)
    is_upright = rotation == 180
    assert (picture.width, picture.height) == (SMALL if is_upright else SMALL[::-1])
    by_corner = {
        (row, column): value
        for row, values in enumerate(corners(picture))
        for column, value in enumerate(values)
    }
    assert max(by_corner, key=lambda corner: by_corner[corner]) == brightest


PEAK = """
import resource, sys
from pathlib import Path
from sources.local_capture import Mounting
from tests.sources.pi_stand_in import FULL, Computer
computer = Computer(Path(sys.argv[1]))
computer.plan(FULL)
computer.cameras(mounting=Mounting(90)).capture(1, 60)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
"""Takes a picture of 8 megapixels with a quarter turn, the dearest one, and prints the most memory
of its process in MB."""


def test_a_picture_of_eight_megapixels_takes_less_than_90_mb(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PEAK, str(tmp_path)]
    peak = int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    assert 30 < peak < 90


def test_half_the_size_is_taken_where_memory_is_short_and_the_full_one_later(
    computer: Computer,
) -> None:
    computer.timing = Timing(Limits(20.0, 5.0), warm_up=0.1, half_for=0.0)
    cameras = computer.cameras()
    computer.plan(largest_buffer=SMALL[0] * SMALL[1])
    picture = cameras.capture(1, 30)
    assert (picture.width, picture.height) == (320, 240)
    assert picture.notes == (HALF_NOTE,)
    computer.plan()
    assert cameras.capture(1, 30).notes == ()


def test_within_the_hour_the_full_size_is_not_tried_again(computer: Computer) -> None:
    cameras = computer.cameras()
    computer.plan(largest_buffer=1000)
    with pytest.raises(NotTaken, match="not enough memory"):
        cameras.capture(1, 30)
    computer.plan()
    assert cameras.capture(1, 30).notes == (HALF_NOTE,)


# -- one at a time -----------------------------------------------------------------------


def test_later_callers_get_the_picture_of_the_capture_under_way(computer: Computer) -> None:
    computer.plan(lock=str(computer.folder / "lock"))
    cameras = computer.cameras()
    with pytest.raises(NotTaken, match="not sent its picture yet"):
        cameras.capture(1, 0.0)
    with ThreadPoolExecutor(2) as callers:
        first, second = callers.map(lambda device: cameras.capture(device, 30), (1, 1))
    assert first is second


def test_a_capture_that_cannot_begin_keeps_no_later_one(computer: Computer) -> None:
    cameras = computer.cameras()
    with no_more_threads(), pytest.raises(NotTaken, match="too busy"):
        cameras.capture(1, 0.1)
    assert cameras.capture(1, 30).way == "pi"


def test_another_device_has_no_camera_here(computer: Computer) -> None:
    with pytest.raises(NotOffered):
        computer.cameras("mac:00:80:f0:00:00:01").capture(1, 1)


# -- troubles ----------------------------------------------------------------------------


def test_a_camera_in_use_by_another_program_is_called_busy(computer: Computer) -> None:
    lock = computer.folder / "lock"
    computer.plan(lock=str(lock))
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(NotTaken, match="in use by another program") as failure:
            computer.cameras().capture(1, 30)
    assert "fuser" in failure.value.hint


def test_a_camera_that_is_gone_is_called_not_connected(computer: Computer) -> None:
    with pytest.raises(NotTaken, match="not connected") as failure:
        computer.cameras("pi:/base/other").capture(1, 30)
    assert "rpicam-hello --list-cameras" in failure.value.hint


def test_a_capture_that_hangs_is_killed_and_the_camera_opened_again(computer: Computer) -> None:
    computer.timing = Timing(Limits(20.0, 0.3), warm_up=0.1)
    computer.plan(silent_once=str(computer.folder / "was silent"))
    assert computer.cameras().capture(1, 60).way == "pi"


def test_a_camera_without_frames_is_a_matter_of_cable_and_power(computer: Computer) -> None:
    computer.timing = Timing(Limits(20.0, 0.3), warm_up=0.1)
    computer.plan(trouble="silent", lock=str(computer.folder / "lock"))
    with pytest.raises(NotTaken, match="does not send a picture") as failure:
        computer.cameras().capture(1, 60)
    assert "cable" in failure.value.hint
    assert "power supply" in failure.value.hint


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [("io", "does not send a picture"), ("crash", "failed to take a picture")],
)
def test_whatever_fails_is_a_sentence(computer: Computer, trouble: str, sentence: str) -> None:
    computer.plan(trouble=trouble)
    with pytest.raises(NotTaken, match=sentence):
        computer.cameras().capture(1, 30)


def test_stopping_ends_a_camera_that_never_opens(computer: Computer) -> None:
    computer.plan(trouble="stuck")
    cameras = computer.cameras()
    with pytest.raises(NotTaken, match="not sent its picture yet"):
        cameras.capture(1, 0.5)
    cameras.stop()
    with pytest.raises(NotTaken):
        cameras.capture(1, 30)


def test_a_camera_process_ends_with_its_monitor(computer: Computer) -> None:
    computer.plan(trouble="stuck")
    request = (
        '{"do": "take", "key": "%s", "half": false, "warm_up": 0, "rotation": 0, "flip": "none"}'
    )
    process = subprocess.Popen(
        [computer.python, "-m", "camera_child", "2", request % PI],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin
    process.stdin.close()
    assert process.wait(30) == 1


def test_a_library_that_is_lost_says_nothing_about_its_camera(computer: Computer) -> None:
    (computer.folder / "dev" / "media0").touch()
    source = local_cameras.source(computer.machine(), lambda: NOW, watch_every=0.02)

    async def hear() -> None:
        assert source.listen
        reports = source.listen()
        sighting = await anext(reports)
        assert isinstance(sighting, Sighting)
        assert sighting.scope == local_cameras.PI
        (computer.folder / "plan.json").write_text("no JSON")
        (computer.folder / "dev" / "media1").touch()
        down = await anext(reports)
        assert isinstance(down, SourceDown)
        (computer.folder / "dev" / "media0").unlink()
        (computer.folder / "dev" / "media1").unlink()
        assert isinstance(await anext(reports), Miss), "without a video device it is gone"

    asyncio.run(hear())
