"""Packets of one sender, and sound out of them."""

import struct

import pytest

from video.access_units import Unit
from video.rtp import Receiver, RtpPacket
from video.rtp_audio import AacAssembler, aac_coding
from video.rtp_jpeg import JpegAssembler
from video.session_media import SessionMedium, session_media


def rtp(
    number: int, source: int = 7, kind: int = 96, payload: bytes = b"x", head: int = 0x80
) -> bytes:
    return struct.pack("!BBHII", head, kind, number % 65536, number * 10, source) + payload


def received(packets: list[tuple[bytes, float]]) -> tuple[list[int], int]:
    """The numbers of what is taken, by the stamps, and how many are lost."""
    receiver = Receiver(96)
    taken = [packet.stamp // 10 for data, at in packets for packet in receiver.feed(data, at)]
    return taken, receiver.lost


def test_numbers_begin_again_after_16_bits() -> None:
    numbers = range(65_530, 65_545)
    assert received([(rtp(number), 0.0) for number in numbers]) == (list(numbers), 0)


def test_a_hole_is_given_up_after_a_while() -> None:
    """Also where a camera sends one packet a second."""
    numbers = [1, 2, 4, 5, 6]
    taken, lost = received([(rtp(number), number * 1.0) for number in numbers])
    assert (taken, lost) == (numbers, 1)


def test_a_packet_that_comes_twice_or_late_is_ignored() -> None:
    assert received([(rtp(number), 0.0) for number in (1, 2, 2, 3, 1, 4)]) == ([1, 2, 3, 4], 0)


def test_another_sender_is_taken_when_the_first_is_silent() -> None:
    packets = [(rtp(1), 0.0), (rtp(50, source=8), 0.5), (rtp(2), 0.6), (rtp(51, source=8), 2.0)]
    assert received(packets) == ([1, 2, 51], 0)


def test_a_camera_that_sends_another_type_than_it_describes_is_read_after_all() -> None:
    taken, _lost = received([(rtp(number, kind=98), 0.0) for number in range(100)])
    assert taken == list(range(50, 100))


def test_another_type_beside_the_described_one_is_ignored() -> None:
    packets = [(rtp(number, kind=96 if number % 2 else 98), 0.0) for number in range(200)]
    assert set(received(packets)[0]) <= set(range(1, 200, 2))


def test_a_camera_that_begins_again_is_followed() -> None:
    numbers = [*range(1000, 1010), *range(1, 10), *range(40_000, 40_010)]
    assert received([(rtp(number), 0.0) for number in numbers]) == (numbers, 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x00" * 20, rtp(1, head=0x8F), rtp(1, head=0x90), rtp(1, head=0xA0)],
)
def test_what_is_no_rtp_is_left_out(data: bytes) -> None:
    assert received([(data, 0.0)])[0] == []


def test_padding_sources_and_extension_are_no_payload() -> None:
    extension = struct.pack("!HH", 0xABCD, 1) + b"EEEE"
    data = rtp(1, head=0x80 | 0x20 | 0x10 | 1, payload=b"SSSS" + extension + b"payload\0\0\3")
    [packet] = Receiver(96).feed(data, 0.0)
    assert packet.payload == b"payload"
    assert packet.extension == (0xABCD, b"EEEE")


# -- sound ----------------------------------------------------------------------------------


def medium(line: str, **more: str) -> SessionMedium:
    parameters = ";".join(f"{key}={value}" for key, value in more.items())
    text = f"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 {line}\r\na=fmtp:97 {parameters}\r\n"
    return session_media(text.encode())[0]


def sounds(described: SessionMedium, *payloads: bytes) -> list[Unit]:
    coding = aac_coding(described)
    assert coding is not None
    assert (coding.rate, coding.channels) == (16_000, 1)
    assembler = AacAssembler(described, coding)
    last = len(payloads) - 1
    return [
        unit
        for number, payload in enumerate(payloads)
        for unit in assembler.feed(RtpPacket(payload, 5000, number == last, False))
    ]


HIGH = {"mode": "AAC-hbr", "config": "1408", "sizelength": "13", "indexlength": "3"}


def test_several_blocks_of_aac_in_a_packet_have_times_of_their_own() -> None:
    payload = struct.pack("!HHHH", 48, 3 << 3, 2 << 3, 4 << 3) + b"abcdeWXYZ"
    result = sounds(medium("mpeg4-generic/16000/1", **HIGH), payload)
    assert [unit.data for unit in result] == [b"abc", b"de", b"WXYZ"]
    assert [unit.stamp for unit in result] == [5000, 6024, 7048]


def test_a_block_of_aac_in_several_packets_is_joined() -> None:
    head = struct.pack("!HH", 16, 8 << 3)
    result = sounds(medium("mpeg4-generic/16000/1", **HIGH), head + b"abcde", head + b"fgh")
    assert [unit.data for unit in result] == [b"abcdefgh"]


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\x10", b"\0\x10\0\0", b"\xff\xff\xff\xff"])
def test_broken_aac_is_left_out(payload: bytes) -> None:
    assert sounds(medium("mpeg4-generic/16000/1", **HIGH), payload) == []


def test_aac_in_latm_is_read() -> None:
    """The configuration is in the description, behind 15 bits (RFC 6416, 7.3)."""
    described = medium("MP4A-LATM/16000/1", cpresent="0", config="400028103fc0")
    result = sounds(described, b"\x03abc" + b"\xff\x01" + b"d" * 256)
    assert [unit.data for unit in result] == [b"abc", b"d" * 256]


@pytest.mark.parametrize("config", ["", "1", "14", "xy", "ffff", "1400", "1408" + "00" * 20_000])
def test_a_configuration_of_aac_that_no_camera_has_means_no_sound(config: str) -> None:
    """A file cannot hold a large one, and its picture is recorded all the same."""
    assert aac_coding(medium("mpeg4-generic/16000/1", config=config)) is None


def test_eight_channels_of_aac_have_the_number_seven() -> None:
    coding = aac_coding(medium("mpeg4-generic/48000/8", config="11b8"))
    assert coding is not None
    assert coding.channels == 8


# -- JPEG -----------------------------------------------------------------------------------


def test_a_picture_wider_than_rtp_can_say_has_its_header_beside_it() -> None:
    """ONVIF Streaming Specification, 5.1.4."""
    frame = struct.pack("!HHBHHB", 0xFFC0, 17, 8, 1520, 2688, 3) + bytes(9)
    extension = (0xFFD8, b"\xff\xdb\x00\x04ab" + frame + b"\xff\xda\x00\x02" + b"\0\0")
    payload = struct.pack("!BBHBBBB", 0, 0, 0, 1, 255, 0, 0) + b"\0\0\0\0" + b"scan"
    [unit] = JpegAssembler().feed(RtpPacket(payload, 1, True, False, extension))
    assert unit.coding is not None
    assert (unit.coding.width, unit.coding.height) == (2688, 1520)
    assert unit.data.startswith(b"\xff\xd8\xff\xdb")
    assert unit.data.endswith(b"\xff\xda\x00\x02scan\xff\xd9")


def test_a_size_in_the_description_serves_where_packets_have_none() -> None:
    text = b"m=video 0 RTP/AVP 26\r\na=framesize:26 2560-1440\r\n"
    [described] = session_media(text)
    payload = struct.pack("!BBHBBBB", 0, 0, 0, 1, 70, 0, 0) + b"scan"
    [unit] = JpegAssembler(described.size).feed(RtpPacket(payload, 1, True, False))
    assert unit.coding is not None
    assert (unit.coding.width, unit.coding.height) == (2560, 1440)


def test_a_picture_without_any_size_is_left_out() -> None:
    payload = struct.pack("!BBHBBBB", 0, 0, 0, 1, 70, 0, 0) + b"scan"
    assembler = JpegAssembler()
    assert list(assembler.feed(RtpPacket(payload, 1, True, False))) == []
    assert assembler.damaged == 1
