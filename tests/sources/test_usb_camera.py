"""USB cameras: the kernel's video devices, with FFmpeg's lavfi in the place of v4l2."""

import asyncio
from pathlib import Path

import pytest

from fleet.model import Sighting, SourceDown
from fleet.pictures import NotTaken, jpeg_size
from sources import local_cameras, usb_camera
from sources.camera_troubles import SILENT, Trouble
from tests.sources.pi_stand_in import NOW, STAND_INS, Computer
from tests.sources.test_pi_camera import discovered

COLOURS = "testsrc2=size=1280x720:rate=15"


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    computer = Computer(tmp_path)
    computer.python = computer.python_with(STAND_INS / "v4l2_stand_in")
    return computer


def listed(computer: Computer) -> list[str]:
    return [report.identities[0] for report in discovered(computer)[:-1]]  # type: ignore[attr-defined]


def test_a_usb_camera_is_found_by_its_serial_number_and_gives_a_picture(
    computer: Computer,
) -> None:
    computer.plug_in("video0", "1-1.2", serial="4A1C22B0")
    computer.show({"video0": COLOURS})
    assert listed(computer) == ["usb:046d:0825:4A1C22B0"]
    picture = computer.cameras("usb:046d:0825:4A1C22B0").capture(1, 30)
    assert (picture.width, picture.height, picture.way) == (1280, 720, "usb")


def test_what_cannot_be_printed_is_not_in_the_key_or_the_name(computer: Computer) -> None:
    computer.plug_in(
        "video0", "1-1.2", serial="4A\u202e1C\x1b[2J\x07\ufffe", title="\u2066HD\x9b Cam"
    )
    computer.plug_in("video2", "1-1.3", serial="\u200f\x01")
    computer.show({"video0": COLOURS, "video2": COLOURS})
    assert listed(computer) == ["usb:046d:0825:4A1C[2J", "usb:046d:0825@1-1.3"]
    assert [report.name for report in discovered(computer)[:-1]] == ["HD Cam", "HD Webcam"]
    assert computer.cameras("usb:046d:0825:4A1C[2J").capture(1, 30).width == 1280


def test_cameras_with_the_same_serial_number_are_known_by_their_ports(computer: Computer) -> None:
    for number, port in ((0, "1-1.2"), (2, "1-1.3")):
        computer.plug_in(f"video{number}", port, serial="SN0001")
    computer.plug_in("video1", "1-1.4")
    computer.show({"video0": COLOURS, "video2": COLOURS})
    assert listed(computer) == ["usb:046d:0825@1-1.2", "usb:046d:0825@1-1.3"]


def test_a_device_that_is_no_camera_is_refused_in_words(computer: Computer) -> None:
    computer.plug_in("video0", "1-1.2")
    computer.show({"video0": ""})
    with pytest.raises(NotTaken) as failure:
        computer.cameras("usb:046d:0825@1-1.2").capture(1, 30)
    assert failure.value.reason
    assert failure.value.hint


def test_an_unplugged_camera_is_called_not_connected(computer: Computer) -> None:
    with pytest.raises(NotTaken, match="not connected") as failure:
        computer.cameras("usb:046d:0825@1-1.2").capture(1, 30)
    assert "USB port" in failure.value.hint


def test_the_first_whole_frame_is_the_picture() -> None:
    started: list[bool] = []
    data = usb_camera.picture_of(
        "testsrc2=size=321x241:rate=5", "lavfi", ({},), 0.0, lambda: started.append(True)
    )
    assert jpeg_size(data) == (320, 240)
    assert started == [True]


def test_an_input_that_ends_without_a_picture_is_a_silent_camera(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as failure:
        usb_camera.picture_of(
            "testsrc2=size=320x240:rate=5:duration=0.2", "lavfi", ({},), 60.0, lambda: None
        )
    assert failure.value.code == SILENT


def test_a_first_list_that_fails_is_asked_again_without_a_new_device(computer: Computer) -> None:
    computer.plug_in("video0", "1-1.2", serial="4A1C22B0")
    computer.show({"video0": COLOURS})
    python = Path(computer.python)
    python.chmod(0o600)
    source = local_cameras.source(computer.machine(), lambda: NOW, 0.01, 0.02)

    def start_works() -> None:
        python.chmod(0o700)

    async def hear() -> None:
        assert source.listen
        reports = source.listen()
        down = await asyncio.wait_for(anext(reports), 20)
        assert isinstance(down, SourceDown)
        assert (down.scope, down.up) == (local_cameras.NAME, False)
        start_works()
        sightings = (report async for report in reports if isinstance(report, Sighting))
        assert await asyncio.wait_for(anext(sightings), 20)

    asyncio.run(hear())


def test_usb_cameras_are_used_only_when_the_option_says_so(computer: Computer) -> None:
    computer.used = "pi"
    computer.plug_in("video0", "1-1.2")
    computer.show({"video0": COLOURS})
    assert listed(computer) == []
    with pytest.raises(NotTaken, match="LOCAL_CAMERAS"):
        computer.cameras("usb:046d:0825@1-1.2").capture(1, 30)
