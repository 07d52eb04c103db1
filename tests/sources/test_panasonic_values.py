"""What a device says of itself is hostile: names, numbers and addresses that are none."""

import pytest

from sources import panasonic_wire as wire
from tests.sources.easy_ip import ADDRESS, datagram, ip, plain_tags


def name_from(raw: bytes) -> str | None:
    return wire.parse(datagram(plain_tags(name=raw))).name


def with_tag(tag: int, value: bytes) -> wire.SearchReply:
    return wire.parse(datagram([(0x20, ip(ADDRESS)), (tag, value)]))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Gate", "Gate"),
        (b"123456789012345", "123456789012345"),
        (b"1234567890123456", "1234567890123456"),
        (b"Gate\0garbage", "Gate"),
        (b"  Gate   2 \t", "Gate 2"),
        (b"", None),
        (b"   ", None),
        ("Süd-Tor".encode(), "Süd-Tor"),
        ("正門カメラ".encode(), "正門カメラ"),
        ("正門カメラ".encode("shift_jis"), "正門カメラ"),
        ("ｶﾒﾗ".encode("shift_jis"), "ｶﾒﾗ"),
        (b"\x1b[31mred\x1b[0m", "[31mred[0m"),
        (b"a\r\nSet-Cookie: b", "aSet-Cookie: b"),
        ("\u202eevil\u202c".encode(), "evil"),
        ("a\u2028b".encode(), "a b"),
        ("\ufeffGate".encode(), "Gate"),
        (b"\x01\x02\x03", None),
        (b"<script>1</b>", "<script>1</b>"),
        (b"=cmd|' /C'!A0", "=cmd|' /C'!A0"),
    ],
)
def test_a_name_is_text_without_anything_that_acts(raw: bytes, name: str | None) -> None:
    assert name_from(raw) == name


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe\xfd", b"\x80\x81\xfe\xff", b"Tor \xfc\xff", b"\xc3\x28\xff"]
)
def test_a_name_in_no_known_encoding_is_shown_as_well_as_can_be(raw: bytes) -> None:
    name = name_from(raw)
    assert name
    assert name.isprintable()


def test_a_name_that_its_device_cut_inside_a_character_loses_only_that_character() -> None:
    """The field has 16 bytes, and a device that cuts there does not look at characters."""
    cut = "Parkplatz Nord-äöü".encode()[:16]
    assert cut.endswith(b"-\xc3")
    assert name_from(cut) == "Parkplatz Nord-"


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"\x50", b"\0\x50\0", b"\0\1\0\0", b"\xff" * 4, b"x" * 9]
)
def test_a_port_is_a_port_or_unknown(value: bytes) -> None:
    for tag in (0x25, 0x44):
        answer = with_tag(tag, value)
        port = answer.port if tag == 0x25 else answer.facts.get("second_port")
        assert port is None or 1 <= port <= 65535


@pytest.mark.parametrize("value", [b"", b"\x0a", b"\x0a\0\0", b"\x0a\0\0\1\0", bytes(16), bytes(4)])
def test_an_address_of_another_size_or_of_nobody_is_none(value: bytes) -> None:
    assert wire.parse(datagram([(0x20, value)])).address is None


@pytest.mark.parametrize("address", ["255.255.255.255", "224.0.0.251", "239.255.255.250"])
def test_an_address_that_no_single_device_can_have_is_none(address: str) -> None:
    assert wire.parse(datagram(plain_tags(address))).address is None


def test_without_any_address_it_is_no_answer() -> None:
    for tags in ([], [(0xA7, b"Gate")], [(0xA0, ip(ADDRESS))]):
        with pytest.raises(wire.InvalidReply, match="it contains no address"):
            wire.parse(datagram(tags))


def test_of_a_repeated_tag_the_first_counts() -> None:
    tags = [*plain_tags(), (0x20, ip("10.66.66.66")), (0xA7, b"Impostor"), (0x25, b"\x01\xbb")]
    answer = wire.parse(datagram(tags))
    assert (answer.address, answer.name, answer.port) == (ADDRESS, "Gate", 80)


def test_the_order_of_the_tags_does_not_matter() -> None:
    tags = plain_tags()
    assert wire.parse(datagram(tags)) == wire.parse(datagram(tags[::-1]))


def test_unknown_tags_are_kept_as_facts_and_empty_ones_are_not() -> None:
    facts = wire.parse(
        datagram([*plain_tags(), (0x77, b"\x01\x02"), (0x78, bytes(4)), (0xBEEF, b"\xff")])
    ).facts
    assert (facts["tag_77"], facts["tag_beef"]) == ("0102", "ff")
    assert "tag_78" not in facts


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (b"\x00", "DHCP"),
        (b"\x02", "Static"),
        (b"\x03", "Static"),
        (b"\x04", "Auto (AutoIP)"),
        (b"\x05", "Auto (Advanced)"),
        (b"\x01", "unknown (1)"),
        (b"\xff", "unknown (255)"),
    ],
)
def test_the_network_mode_is_a_word(value: bytes, mode: str) -> None:
    assert with_tag(0x00, value).facts["network_mode"] == mode


@pytest.mark.parametrize("value", [b"", b"\x00\x02", b"\x00\x01\x00\x00", b"\xff\xff", bytes(9)])
def test_a_setup_window_that_says_neither_open_nor_closed_is_unknown(value: bytes) -> None:
    answer = with_tag(0xB4, value)
    assert answer.setup_open is None or int.from_bytes(value, "big") in (0, 1)


@pytest.mark.parametrize(
    ("byte", "is_set"), [(0, None), (1, False), (2, True), (3, None), (255, None)]
)
def test_the_administrator_byte_is_yes_no_or_not_said(byte: int, is_set: bool | None) -> None:
    assert wire.parse(datagram(admin=byte)).password_set is is_set


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ([(0xC0, b"\0\x15")], "recorder"),
        ([(0xA8, b"NX400")], "recorder"),
        ([(0xA8, b"nx510")], "recorder"),
        ([(0xA8, b"WJ-NX200K")], "recorder"),
        ([(0xA8, b"X22700-V2L")], "camera"),
        ([(0xA8, b"CAM:HE130K")], "camera"),
        ([], "camera"),
    ],
)
def test_a_recorder_is_told_by_its_tag_or_its_model(
    tags: list[tuple[int, bytes]], kind: str
) -> None:
    assert wire.parse(datagram([(0x20, ip(ADDRESS)), *tags])).kind == kind


def test_a_datagram_full_of_tags_makes_a_bounded_answer() -> None:
    many = [(0x0100 + number, b"\x01") for number in range(390)]
    answer = wire.parse(datagram([(0x20, ip(ADDRESS)), *many]))
    assert len(answer.facts) <= 400
    assert sum(len(key) + len(str(value)) for key, value in answer.facts.items()) < 8192


def test_unknown_tags_are_kept_up_to_a_limit_and_the_rest_is_told() -> None:
    few = [(0x7000 + number, bytes([number] * 16)) for number in range(1, 11)]
    facts = wire.parse(datagram([*plain_tags(), *few])).facts
    assert [key for key in facts if key.startswith("tag_")] == [f"tag_{tag:02x}" for tag, _ in few]
    assert "facts_omitted" not in facts
    many = [(0x7000 + number, b"x") for number in range(300)]
    facts = wire.parse(datagram([*plain_tags(), *many])).facts
    assert (len(facts), facts["facts_omitted"]) == (1 + wire.MAX_TAGS + 1, "276 tags")
    large = [(0x7001, b"x" * 1500), (0x7002, b"y" * 64), (0x7003, b"z")]
    facts = wire.parse(datagram([*plain_tags(), *large])).facts
    assert facts["facts_omitted"] == "1 tags"
    assert (facts["tag_7002"], facts["tag_7003"]) == ("79" * 64, "7a")


@pytest.mark.parametrize("field", [0xA7, 0xA8, 0xA9, 0xD1])
def test_a_text_that_is_longer_than_any_field_is_cut(field: int) -> None:
    answer = with_tag(field, "語".encode() * 500)
    assert {answer.name, answer.model, answer.firmware, answer.serial} == {None, "語" * 64}
