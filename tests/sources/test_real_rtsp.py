"""GStreamer's RTSP server, asked by our own source."""

import pytest

from tests.gst_server import gst_server, needs_gst
from tests.sources.rtsp_checks import PASSWORD, USERNAME, check, target_of

pytestmark = needs_gst
ADDRESS = "127.81.0.3"


@pytest.mark.parametrize(
    ("options", "method"), [((), "basic"), (("--digest",), "digest-md5")], ids=["basic", "digest"]
)
def test_a_real_server_gives_its_stream_to_the_right_login_only(
    options: tuple[str, ...], method: str
) -> None:
    login = ("--login", f"{USERNAME}:{PASSWORD}", "--size", "640x360")
    with gst_server(ADDRESS, *login, *options) as port:
        right = check(target_of(ADDRESS, port), seconds=30)
        wrong = check(target_of(ADDRESS, port, secret="wrong"), seconds=30)
    assert not right.findings
    assert (right.facts["codec"], right.facts["width"], right.facts["height"]) == ("H264", 640, 360)
    assert (right.learned.method, right.learned.refusals) == (method, 0)
    assert right.learned.worked_at, "it took the SETUP"
    assert [*wrong.findings] == ["login.wrong"]
    assert (wrong.learned.refusals, wrong.learned.worked_at) == (1, None)


def test_a_real_server_without_a_login_has_each_of_its_paths_and_no_other() -> None:
    options = ("--path", "/a", "--path", "/b", "--codec", "mjpeg", "--audio", "pcma")
    with gst_server(ADDRESS, *options) as port:
        stream = check(target_of(ADDRESS, port, path="/b"), seconds=30)
        missing = check(target_of(ADDRESS, port, path="/c"), seconds=30)
    assert stream.facts["codec"] == "JPEG"
    assert stream.facts["audio_codec"] == "PCMA"
    assert [*stream.findings] == ["login.none"]
    assert [*missing.findings] == ["stream.path"]
