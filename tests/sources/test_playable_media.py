"""The description of a stream for libavformat, made of what a device wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources import playable_media, session_description
from sources.playable_media import NotPlayable
from sources.session_description import Medium

HEAD = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def media(*lines: str) -> tuple[Medium, ...]:
    return session_description.parse("\n".join(["v=0", *lines]).encode()).media


def described(*lines: str) -> str:
    text = playable_media.description(media(*lines)).decode()
    assert text.startswith(HEAD)
    return text.removeprefix(HEAD)


def test_only_payload_parameters_and_size_are_kept() -> None:
    text = described(
        "m=video 5004 RTP/AVP 96 97",
        "c=IN IP4 239.1.2.3/64",
        "a=control:rtsp://10.9.9.9/track1",
        "a=rtpmap:96 H264/90000",
        "a=rtpmap:97 H265/90000",
        "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAFA==,aM48gA==",
        "a=framerate:25",
        "a=x-other:1",
    )
    assert text.splitlines() == [
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAFA==,aM48gA==",
        "a=framerate:25",
    ]


@pytest.mark.parametrize(
    ("lines", "mapping"),
    [
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 HEVC/90000"], "a=rtpmap:96 H265/90000"),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96  h264"], "a=rtpmap:96 H264/90000"),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/0"], "a=rtpmap:96 H264/90000"),
        (
            ["m=video 0 RTP/AVP 96", "a=fmtp:96 sprop-parameter-sets=Z0LAFA=="],
            "a=rtpmap:96 H264/90000",
        ),
        (
            ["m=video 0 RTP/AVP 97", "a=fmtp:97 sprop-vps=QA==;sprop-sps=Qg==;sprop-pps=RA=="],
            "a=rtpmap:97 H265/90000",
        ),
        (
            ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/16000/1"],
            "a=rtpmap:97 MPEG4-GENERIC/16000/1",
        ),
    ],
)
def test_a_mapping_is_repaired(lines: list[str], mapping: str) -> None:
    assert mapping in described(*lines).splitlines()


def test_static_types_need_no_mapping() -> None:
    assert described("m=audio 0 RTP/AVP 8") == "m=audio 0 RTP/AVP 8\r\n"
    assert described("m=video 0 RTP/AVP 26") == "m=video 0 RTP/AVP 26\r\n"


def test_parameter_sets_that_are_no_base64_are_left_out() -> None:
    text = described(
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 sprop-parameter-sets=<none>,aM48gA==;profile-level-id=42C028",
    )
    assert "a=fmtp:96 sprop-parameter-sets=aM48gA==;profile-level-id=42C028" in text
    text = described("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 sprop-sps=%")
    assert "<" not in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m=video 0 RTP/AVP H264", "encoded"),
        ("m=video 0 RTP/AVP 96", "encoded"),
        ("m=video 0 RTP/AVP 900", "encoded"),
        ("m=audio 0 RTP/AVP 97", "encoded"),
        ("m=video 0 RTP/SAVP 96", "SRTP"),
    ],
)
def test_what_cannot_be_read_says_why(line: str, reason: str) -> None:
    (medium,) = media(line)
    assert not playable_media.is_playable(medium)
    with pytest.raises(NotPlayable, match=reason):
        playable_media.lines_of(medium)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_a_line_of_a_device_never_becomes_two_and_names_no_address(values: list[str]) -> None:
    attributes = [("rtpmap", "96 H264/90000"), ("fmtp", f"96 {';'.join(values)}")]
    attributes += [("framerate", value) for value in values]
    lines = playable_media.lines_of(Medium("video", "RTP/AVP", ("96",), attributes))
    text = playable_media.description([Medium("video", "RTP/AVP", ("96",), attributes)])
    assert text.count(b"\r\n") == 4 + len(lines)
    assert all(line[:2] in ("m=", "a=") for line in lines)
    assert all(32 <= byte < 127 or byte in b"\r\n" for byte in text)
