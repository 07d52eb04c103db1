"""Session descriptions of real makers' kinds: the picture is found, and where it is controlled."""

from dataclasses import dataclass

import pytest

from fleet.parameter_sets import Picture
from sources.session_description import Medium, control_url, parse

FULL_HD = "Z0LAKNoB4AiflhAAAAMAEAAAAwMg8YMq"
SETS = f"{FULL_HD},aM4PyA=="
FULL_HD_H265 = "QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlllZpJMrmgIAAAAMAgAAACgQ="
URL = "rtsp://10.0.0.5:554/stream1"


@dataclass(frozen=True)
class Lines:
    """A description of these lines."""

    text: str

    @property
    def data(self) -> bytes:
        return "\r\n".join(self.text.strip().replace("SETS", SETS).splitlines()).encode()


DAHUA = Lines(
    """
v=0
o=- 2252310609 2252310609 IN IP4 0.0.0.0
s=Media Server
c=IN IP4 0.0.0.0
t=0 0
a=control:*
a=packetization-supported:DH
a=range:npt=now-
m=video 0 RTP/AVP 96
a=control:trackID=0
a=framerate:25.000000
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=42C028;sprop-parameter-sets=SETS
a=recvonly
m=audio 0 RTP/AVP 97
a=control:trackID=1
a=rtpmap:97 MPEG4-GENERIC/48000
a=recvonly
m=application 0 RTP/AVP 107
a=control:trackID=4
a=rtpmap:107 vnd.onvif.metadata/90000
a=recvonly
"""
)


def video(*lines: str) -> Medium:
    medium = parse("\n".join(("m=video 0 RTP/AVP 96", *lines)).encode()).video
    assert medium is not None
    return medium


def test_a_description_of_a_large_maker_gives_picture_sound_and_metadata() -> None:
    description = parse(DAHUA.data)
    picture, sound = description.video, description.audio
    assert picture is not None
    assert sound is not None
    assert picture.encoding == "H264"
    assert picture.picture == Picture(1920, 1080, 25)
    assert (sound.encoding, sound.control) == ("MPEG4-GENERIC", "trackID=1")
    assert [medium.kind for medium in description.media] == ["video", "audio", "application"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("v=0", id="no origin, session name or time"),
        pytest.param("o=a user with blanks 1 2 3 IN IP4 x", id="origin of many words"),
        pytest.param("m=application/TP-LINK 0 RTP/AVP smart/1/90000", id="medium with a slash"),
        pytest.param("m=meta 0 RTP/AVP 123\na=rtpmap:123 META /0", id="mapping with a blank"),
        pytest.param("m=video", id="medium cut off"),
        pytest.param("nonsense\n=\na\na=\nm=\n\x00", id="lines that are none"),
        pytest.param("a=framerate:0S\na=fmtp:96\na=rtpmap:96", id="attributes without values"),
    ],
)
def test_a_line_that_cannot_be_used_spoils_no_other(line: str) -> None:
    text = f"{line}\nm=video 0 RTP/AVP 96 \t\na=rtpmap:96 H265/90000\t\na=control:track1 \n"
    medium = parse(text.encode()).video
    assert medium is not None
    assert medium.encoding == "H265"
    assert medium.control == "track1"


def test_the_picture_is_chosen_by_its_kind_and_not_by_its_place() -> None:
    text = "m=audio 0 RTP/AVP 0\na=control:a\nm=video 0 RTP/AVP 26\na=control:v"
    description = parse(text.encode())
    assert description.video is not None
    assert (description.video.control, description.video.encoding) == ("v", "JPEG")
    assert description.audio is not None
    assert description.audio.encoding == "PCMU"


def test_the_way_back_to_the_loudspeaker_is_no_microphone() -> None:
    back = "m=audio 0 RTP/AVP 0\na=control:back\na=sendonly\n"
    microphone = "m=audio 0 RTP/AVP 0\na=control:microphone\na=recvonly\n"
    description = parse((back + microphone).encode())
    assert description.audio is not None
    assert description.audio.control == "microphone"
    assert parse(back.encode()).audio is None


def test_a_picture_that_its_maker_marks_as_sent_by_us_is_still_the_picture() -> None:
    marked = "m=video 0 RTP/AVP 96\na=sendonly\na=control:marked\n"
    description = parse(marked.encode())
    assert description.video is not None
    plain = parse((marked + "m=video 0 RTP/AVP 96\na=control:plain").encode()).video
    assert plain is not None
    assert plain.control == "plain"


def test_a_static_payload_that_is_mapped_anew_is_what_the_mapping_says() -> None:
    text = "m=audio 0 RTP/AVP 0\na=rtpmap:0 MPEG4-GENERIC/16000/1"
    medium = parse(text.encode()).audio
    assert medium is not None
    assert medium.encoding == "MPEG4-GENERIC"


@pytest.mark.parametrize(
    ("lines", "picture"),
    [
        pytest.param(("a=x-dimensions:1280,720",), (1280, 720, None), id="x-dimensions"),
        pytest.param(("a=framesize:96 704-576",), (704, 576, None), id="framesize"),
        pytest.param(("a=cliprect:0,0,720,1280",), (1280, 720, None), id="cliprect"),
        pytest.param(
            ("a=width:integer;640", "a=height:integer;480"), (640, 480, None), id="width and height"
        ),
        pytest.param(("a=x-dimensions:0,0", "a=framerate:25"), None, id="no size"),
        pytest.param(
            ("a=framerate:0S", "a=framerate:12.5", "a=x-dimensions:320,240"),
            (320, 240, 12.5),
            id="the true rate is the second",
        ),
        pytest.param(
            ("a=rtpmap:96 H264/90000", f"a=fmtp:96 sprop-parameter-sets={FULL_HD}"),
            (1920, 1080, 25),
            id="parameter sets",
        ),
        pytest.param(
            ("a=rtpmap:96 H264/90000", "a=fmtp:96 sprop-parameter-sets=!!!,aM4PyA==,,"),
            None,
            id="parameter sets that are none",
        ),
        pytest.param(
            (
                "a=rtpmap:96 H265/90000",
                f"a=fmtp:96 sprop-vps=x; sprop-sps={FULL_HD_H265}",
            ),
            (1920, 1080, None),
            id="parameter sets of H.265",
        ),
    ],
)
def test_size_and_rate_are_read_wherever_a_maker_writes_them(
    lines: tuple[str, ...], picture: tuple[int, int, float | None] | None
) -> None:
    assert video(*lines).picture == (Picture(*picture) if picture else None)


def test_the_rate_is_known_without_a_size() -> None:
    assert video("a=framerate:25").rate == 25


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        pytest.param(
            "rtsp://10.0.0.5:554/cam/realmonitor?channel=1&subtype=0/",
            "trackID=0",
            "rtsp://10.0.0.5:554/cam/realmonitor?channel=1&subtype=0/trackID=0",
            id="a base with a query and a slash",
        ),
        pytest.param(
            "",
            "rtsp://10.0.0.5:554/Streaming/Channels/101/trackID=1?transportmode=unicast",
            "rtsp://10.0.0.5:554/Streaming/Channels/101/trackID=1?transportmode=unicast",
            id="an absolute control URL",
        ),
        pytest.param("", "track1", f"{URL}/track1", id="no base"),
        pytest.param(f"{URL}/", "track1", f"{URL}/track1", id="a base with a slash"),
        pytest.param(f"{URL}/", "/track1", f"{URL}/track1", id="a control with a slash"),
        pytest.param("rtsp://10.0.0.5:554/x", "*", "rtsp://10.0.0.5:554/x", id="all of it"),
        pytest.param(
            "rtsp://192.0.2.9/inner/", "t", "rtsp://10.0.0.5:554/inner/t", id="an inner address"
        ),
        pytest.param("10.0.0.5/stream1", "t", f"{URL}/t", id="a base without a scheme"),
        pytest.param("rtsp://", "t", f"{URL}/t", id="a base without a host"),
        pytest.param(
            "rtsp://admin:secret@10.0.0.5/s/", "t", "rtsp://10.0.0.5:554/s/t", id="userinfo"
        ),
        pytest.param(
            "rtsp://admin:12/secret@10.0.0.5/s/", "t", "rtsp://10.0.0.5:554/s/t", id="not encoded"
        ),
        pytest.param("", "rtsp://[broken/x]y", "rtsp://10.0.0.5:554/x]y", id="a broken host"),
    ],
)
def test_the_control_url_is_joined_as_players_do_and_stays_on_our_host(
    base: str, control: str, url: str
) -> None:
    assert control_url(URL, base, control) == url


def test_a_description_without_end_is_read_within_bounds() -> None:
    many = parse(b"m=video 0 RTP/AVP 96\n" * 100_000)
    assert len(many.media) == 256
    (medium,) = parse(b"m=video 0 RTP/AVP 96\n" + b"a=x:y\n" * 100_000).media
    assert len(medium.attributes) == 256
    assert parse(b"\xff\xfe\x00 not a description").media == ()
