"""Pretend cameras with three doors: one address, one account, one life."""

import socket
import subprocess
from collections.abc import Iterator

import pytest

from simulators import panasonic_captures as captures
from simulators.onvif_calls import MEDIA
from simulators.place import Place, SimulatedCamera, camera, crowd
from tests.home import free_port
from tests.simulators.ffprobe import needs_ffprobe, probe_rtsp, video_size
from tests.simulators.test_onvif import Caller


@pytest.fixture
def place() -> Iterator[Place]:
    """Three cameras; answers to searches go to a socket that nobody reads."""
    search = (("127.0.0.1", free_port(socket.SOCK_DGRAM)), ("127.0.0.1", 9))
    with Place(crowd(3), search, free_port(), free_port()) as running:
        yield running


def stream_of(place: Place, device: SimulatedCamera) -> str:
    """The URL that its ONVIF service names, with the right login in it."""
    options = ("--digest", "--user", f"admin:{device.accounts.password}")
    caller = Caller(place.onvif, device.onvif)
    inner = "<ProfileToken>Profile_1</ProfileToken>"
    _status, body = caller.call(MEDIA, "GetStreamUri", *options, inner=inner)
    url = body.partition("<tt:Uri>")[2].partition("<")[0]
    return url.replace("rtsp://", f"rtsp://admin:{device.accounts.password}@")


@needs_ffprobe
def test_the_stream_that_onvif_names_is_played_by_ffprobe(place: Place) -> None:
    device = place.cameras[0]
    assert video_size(probe_rtsp(stream_of(place, device))) == ("h264", 1920, 1080)
    assert {attempt.scheme for attempt in device.accounts.attempts} == {"digest"}
    assert device.accounts.wrong == 0


@needs_ffprobe
def test_after_a_restart_the_former_stream_is_missing(place: Place) -> None:
    device = place.cameras[0]
    device.onvif.changes_paths = True
    place.restart(device)
    before = stream_of(place, device)
    place.restart(device)
    with pytest.raises(subprocess.CalledProcessError, match="ffprobe") as failure:
        probe_rtsp(before)
    assert "404" in failure.value.stderr
    assert video_size(probe_rtsp(stream_of(place, device)))[0] == "h264"


def test_a_camera_moves_with_all_its_doors(place: Place) -> None:
    before = [each.address for each in place.cameras]
    place.rotate()
    after = [each.address for each in place.cameras]
    assert after == [*before[1:], before[0]]
    assert [each.onvif.address for each in place.cameras] == after
    assert [each.rtsp.address for each in place.cameras] == after
    first = place.cameras[0]
    socket.create_connection((after[0], place.rtsp.port), timeout=5).close()
    assert (
        "Camera%200"
        in Caller(place.onvif, first.onvif).call(
            "http://www.onvif.org/ver10/device/wsdl",
            "GetScopes",
            *("--digest", "--user", "admin:secret-0"),
        )[1]
    )


def test_a_password_that_reaches_another_camera_is_noticed(place: Place) -> None:
    options = ("--digest", "--user", "admin:secret-1")
    caller = Caller(place.onvif, place.cameras[1].onvif)
    caller.call(MEDIA, "GetProfiles", *options)
    assert place.shown_to_strangers() == []
    Caller(place.onvif, place.cameras[0].onvif).call(MEDIA, "GetProfiles", *options)
    assert place.shown_to_strangers() == [place.cameras[0].address]


def test_a_camera_answers_searches_with_its_mac_and_is_dark_when_it_is_off() -> None:
    device = camera("127.95.8.1", "00:00:5e:00:60:ff")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        listen = ("127.0.0.1", free_port(socket.SOCK_DGRAM))
        with Place([device], (listen, sock.getsockname()), free_port(), free_port()) as place:
            sock.sendto(captures.REQUEST, listen)
            assert sock.recvfrom(2048)[0][6:12] == bytes.fromhex("00005e0060ff")
            place.turn(device, False)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((device.address, place.rtsp.port), timeout=5)
