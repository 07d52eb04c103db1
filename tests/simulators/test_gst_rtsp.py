"""The real RTSP server of the tests, judged by ffprobe."""

import socket
import subprocess

import pytest

from tests.gst_server import gst_server, needs_gst
from tests.simulators.ffprobe import needs_ffprobe, probe_rtsp, video_size

pytestmark = [needs_gst, needs_ffprobe]


@pytest.mark.parametrize("method", [(), ("--digest",)], ids=["basic", "digest"])
def test_the_real_server_plays_to_the_right_login_only(method: tuple[str, ...]) -> None:
    options = ("--login", "admin:p@ss", "--size", "640x360", *method)
    with gst_server("127.81.0.1", *options) as port:
        right = probe_rtsp(f"rtsp://admin:p%40ss@127.81.0.1:{port}/stream1")
        with pytest.raises(subprocess.CalledProcessError) as failure:
            probe_rtsp(f"rtsp://admin:wrong@127.81.0.1:{port}/stream1")
    assert video_size(right) == ("h264", 640, 360)
    assert "401" in failure.value.stderr


def test_the_real_server_has_several_paths_and_sound_and_ends_with_the_block() -> None:
    options = ("--path", "/a", "--path", "/b", "--codec", "mjpeg", "--audio", "pcma")
    with gst_server("127.81.0.2", *options) as port:
        streams = probe_rtsp(f"rtsp://127.81.0.2:{port}/b")
    assert [stream["codec_name"] for stream in streams] == ["mjpeg", "pcm_alaw"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.81.0.2", port), timeout=5)
