"""The path of the sub stream, by the path of the main stream."""

import pytest

from sources.sub_paths import sub_path


@pytest.mark.parametrize(
    ("path", "small"),
    [
        ("/cam/realmonitor?channel=2&subtype=0", "/cam/realmonitor?channel=2&subtype=1"),
        ("/cam/realmonitor?subtype=00&channel=1", "/cam/realmonitor?subtype=1&channel=1"),
        ("/Streaming/Channels/101", "/Streaming/Channels/102"),
        ("/ISAPI/Streaming/channels/1601?a=1", "/ISAPI/Streaming/channels/1602?a=1"),
        ("/h264/ch1/main/av_stream", "/h264/ch1/sub/av_stream"),
        ("/h264Preview_01_main", "/h264Preview_01_sub"),
        ("/stream1", "/stream2"),
        ("/videoMain", "/videoSub"),
        ("/unicast/c3/s0/live", "/unicast/c3/s1/live"),
        ("/media/video1", "/media/video2"),
        (
            "/user={username}&password={password}&channel=1&stream=0.sdp?",
            "/user={username}&password={password}&channel=1&stream=1.sdp?",
        ),
        ("/live.sdp", "/live2.sdp"),
        ("/axis-media/media.amp", "/axis-media/media.amp?resolution=640x360"),
        (
            "/axis-media/media.amp?videocodec=h264",
            "/axis-media/media.amp?videocodec=h264&resolution=640x360",
        ),
    ],
)
def test_a_maker_names_both_alike(path: str, small: str) -> None:
    assert sub_path(path) == small
    assert sub_path(small) != small


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/live", "/stream10", "/Streaming/Channels/102", "/Streaming/Channels/1"),
        *("/Streaming/Channels/", "/axis-media/media.amp?resolution=1280x720", "/mainframe"),
        "/cam/realmonitor?channel=1&subtype=1",
    ],
)
def test_other_paths_tell_nothing(path: str) -> None:
    assert sub_path(path) is None
