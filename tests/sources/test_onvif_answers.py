"""What ONVIF devices say of themselves: real shapes, and broken ones."""

import pytest

from sources import onvif_answers, soap
from sources.device_urls import DeviceUrl
from sources.onvif_answers import Information, Profile
from tests.sources.onvif_texts import INFORMATION, message, profile, profile2


def body(text: str | bytes) -> object:
    return soap.read(200, text if isinstance(text, bytes) else message(text)).body


def test_a_device_that_writes_no_utf8_is_read_with_the_rest() -> None:
    data = message(INFORMATION).replace(b"IPC-1", b"IPC-\xff1")
    assert onvif_answers.information(body(data)) == Information("Acme", "IPC-1", "1.2", "S1", "H")


@pytest.mark.parametrize("data", [b"", b"<a", message("<tds:Model>x</tds:Model>"), message("")])
def test_information_that_cannot_be_read_is_none(data: bytes) -> None:
    assert onvif_answers.information(body(data)) == Information()


def test_an_ampersand_that_is_not_escaped_spoils_nothing() -> None:
    text = INFORMATION.replace("Acme", "A & B")
    assert onvif_answers.information(body(text)).manufacturer == "A & B"


def test_profiles_of_media_are_read() -> None:
    text = f"<trt:GetProfilesResponse>{profile('P1')}</trt:GetProfilesResponse>"
    expected = Profile("P1", "P1", "V1", "H264", 1920, 1080, 25)
    assert onvif_answers.profiles(body(text)) == (expected,)


def test_a_profile_without_encoder_is_a_stream_and_media2_knows_it() -> None:
    first = onvif_answers.profiles(body(profile("P1", encoding="") + profile("P2", "V2", "")))
    assert first == (Profile("P1", "P1", "V1"), Profile("P2", "P2", "V2"))
    second = onvif_answers.profiles(body(profile2("P1") + profile2("P3", "V3")))
    assert second[0] == Profile("P1", "P1", "V1", "H265", 3840, 2160, 12.5)
    merged = onvif_answers.merged(first, second)
    assert [(each.token, each.codec) for each in merged] == [
        *(("P1", "H265"), ("P2", None), ("P3", "H265"))
    ]


def test_values_that_are_no_numbers_are_left_out() -> None:
    text = profile("P1", encoding="h.264", rate="nan").replace("1920", "-5").replace("1080", "1e9")
    assert onvif_answers.profiles(body(text)) == (Profile("P1", "P1", "V1", "H264"),)


def test_profiles_go_to_their_video_source_the_largest_first() -> None:
    profiles = (
        Profile("small", source="V1", width=640, height=360),
        Profile("large", source="V1", width=1920, height=1080),
        Profile("other", source="V2"),
    )
    groups = onvif_answers.by_source(profiles, ("V2", "V1", "V3"))
    assert {key: [each.token for each in group] for key, group in groups.items()} == {
        "V2": ["other"],
        "V1": ["large", "small"],
    }
    alone = onvif_answers.by_source((Profile("a"), Profile("b")), ("V1",))
    assert [len(group) for group in alone.values()] == [2]
    assert set(onvif_answers.by_source((Profile("a"),), ())) == {"a"}


def test_sources_macs_and_services_are_read() -> None:
    text = (
        '<trt:VideoSources token="V1"/><trt:VideoSources token="V2"/><trt:VideoSources/>'
        '<trt:VideoSources token="V1"/>'
        "<tds:NetworkInterfaces><tt:Info><tt:HwAddress>BC-C3-42-17-E2-92</tt:HwAddress></tt:Info>"
        "</tds:NetworkInterfaces><tds:NetworkInterfaces><tt:Info><tt:HwAddress>"
        "00:00:00:00:00:00</tt:HwAddress></tt:Info></tds:NetworkInterfaces>"
        f"<tds:Service><tds:Namespace>{soap.MEDIA2}</tds:Namespace>"
        "<tds:XAddr>http://192.0.2.1:8106:8106/onvif/media2</tds:XAddr></tds:Service>"
        "<tds:Capabilities><tt:Media><tt:XAddr>http://192.0.2.1/onvif/Media</tt:XAddr></tt:Media>"
        "</tds:Capabilities>"
    )
    assert onvif_answers.video_sources(body(text)) == ("V1", "V2")
    assert onvif_answers.macs(body(text)) == ("bc:c3:42:17:e2:92",)
    assert onvif_answers.services(body(text)) == {
        soap.MEDIA2: DeviceUrl("http", "192.0.2.1", 8106, "/onvif/media2"),
        soap.MEDIA: DeviceUrl("http", "192.0.2.1", 80, "/onvif/Media"),
    }


@pytest.mark.parametrize(
    ("text", "url", "until_restart"),
    [
        (
            "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>\n\t rtsp://192.0.2.1/a?b=1&amp;c=2\n"
            "</tt:Uri><tt:InvalidAfterReboot>true</tt:InvalidAfterReboot></trt:MediaUri>"
            "</trt:GetStreamUriResponse>",
            DeviceUrl("rtsp", "192.0.2.1", 554, "/a?b=1&c=2"),
            True,
        ),
        (
            "<tr2:GetStreamUriResponse><tr2:Uri>rtsp://h:8554/x&amp;amp;y</tr2:Uri>"
            "</tr2:GetStreamUriResponse>",
            DeviceUrl("rtsp", "h", 8554, "/x&y"),
            False,
        ),
    ],
)
def test_a_uri_is_trimmed_and_unescaped(text: str, url: DeviceUrl, until_restart: bool) -> None:
    result = onvif_answers.uri(body(text))
    assert result == onvif_answers.Uri(url, until_restart)


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "", "rtsp://", "javascript:alert(1)"])
def test_a_uri_of_another_scheme_is_none(uri: str) -> None:
    text = f"<trt:GetStreamUriResponse><tt:Uri>{uri}</tt:Uri></trt:GetStreamUriResponse>"
    assert onvif_answers.uri(body(text)) is None
