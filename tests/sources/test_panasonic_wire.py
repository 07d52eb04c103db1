"""Easy IP on the wire: what real devices sent is read whole, and nothing else enters."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from sources import panasonic_wire as wire
from tests.sources.easy_ip import (
    ADDRESS,
    ANSWERS,
    MAC,
    OTHERS,
    VECTORS,
    Vector,
    datagram,
    ip,
    name_of,
    plain_tags,
    tlvs,
    with_checksum,
)

MODES = {0: "DHCP", 2: "Static", 3: "Static"}
EACH_ANSWER = pytest.mark.parametrize("vector", ANSWERS, ids=name_of)


def why_refused(data: bytes) -> str:
    with pytest.raises(wire.InvalidReply) as refusal:
        wire.parse(data)
    return str(refusal.value)


# -- what real devices said --------------------------------------------------------------


def test_the_captures_hold_replies_an_announcement_a_recorder_and_what_is_not_for_us() -> None:
    assert {vector.command for vector in VECTORS} == {
        0x0001,
        0x0002,
        0x0003,
        0x0004,
        0x000D,
        0x000E,
    }
    assert len(ANSWERS) == 8
    assert len(OTHERS) == 7


@EACH_ANSWER
def test_every_captured_answer_says_who_and_where_it_is(vector: Vector) -> None:
    answer, decoded = wire.parse(vector.data), vector.decoded
    assert (answer.mac, answer.command) == (vector.mac, vector.command)
    assert (answer.address, answer.port) == (decoded["ip"], decoded["http_port"])
    assert (answer.name, answer.model) == (decoded.get("name_a7"), decoded["model_a8"])
    assert (answer.serial, answer.firmware) == (
        decoded.get("serial_d1"),
        decoded.get("firmware_a9"),
    )
    assert answer.kind == ("recorder" if "channels_c0" in decoded else "camera")


@EACH_ANSWER
def test_every_captured_answer_says_whether_it_is_open_to_strangers(vector: Vector) -> None:
    answer, decoded = wire.parse(vector.data), vector.decoded
    assert answer.password_set is {0: None, 1: False, 2: True}[decoded["admin_flag_byte37"]]
    assert answer.setup_open is {0: True, 1: False}[decoded["b4"]]


@EACH_ANSWER
def test_every_captured_answer_gives_its_network_as_facts(vector: Vector) -> None:
    facts, decoded = wire.parse(vector.data).facts, vector.decoded
    assert facts["network_mode"] == MODES[decoded["network_mode_raw"]]
    assert (facts["subnet"], facts["gateway"]) == (decoded["netmask"], decoded["gateway"])
    servers = [server for server in (decoded["dns1"], decoded["dns2"]) if server != "0.0.0.0"]
    assert facts.get("dns", []) == servers
    assert facts.get("ipv6", "::") == decoded["ipv6_40"]
    assert facts.get("second_port") == decoded.get("port_44")
    numbers = [decoded["channels_c0"], decoded["capacity_c1"]] if "channels_c0" in decoded else None
    assert facts.get("recorder_numbers") == numbers


@EACH_ANSWER
def test_no_tag_that_says_something_is_lost(vector: Vector) -> None:
    """Known or not: its value is in a field, in a fact, or a copy of one that is."""
    facts = wire.parse(vector.data).facts
    unknown = {tag: value for _at, tag, value in tlvs(vector.data) if tag not in wire.KNOWN}
    expected = {
        f"tag_{tag:02x}": value.hex()
        for tag, value in unknown.items()
        if any(value) and not 0xA0 <= tag <= 0xA3
    }
    assert expected
    assert {key: value for key, value in facts.items() if key.startswith("tag_")} == expected


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_the_checksum_of_every_captured_datagram_is_right_or_known_to_be_wrong(
    vector: Vector,
) -> None:
    assert (wire.checksum(vector.data[:-2]) == vector.data[-2:]) is vector.checksum_ok


# -- what we say -------------------------------------------------------------------------


def test_our_search_is_the_vendors_byte_for_byte() -> None:
    (vendor,) = [vector for vector in OTHERS if "EasyIP.exe" in vector.name]
    assert wire.search(vendor.requester_mac, vendor.requester_ip) == vendor.data


def test_the_search_of_another_interface_differs_in_its_addresses_and_checksum_only() -> None:
    search = wire.search(bytes.fromhex("a029193eab91"), "192.168.1.121")
    other = wire.search(bytes.fromhex("020304050607"), "10.1.2.3")
    assert other == with_checksum(
        search[:12] + bytes.fromhex("020304050607") + ip("10.1.2.3") + search[22:]
    )
    assert len(other) == 94


def test_of_the_tool_of_2018_only_the_version_differs() -> None:
    (older,) = [vector for vector in OTHERS if vector.requester_ip == "10.1.0.4"]
    ours = wire.search(older.requester_mac, older.requester_ip)
    assert [at for at in range(92) if ours[at] != older.data[at]] == [35]
    assert ours[35] == 2


# -- what is not for us ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (0x0002, "it is a config message"),
        (0x0003, "it is a config acknowledge"),
        (0x0004, "it is a commit"),
        (0x000D, "it is not a response of a device"),
    ],
)
def test_config_acknowledge_commit_and_requests_are_refused_in_words(
    command: int, words: str
) -> None:
    captured = [vector for vector in OTHERS if vector.command == command]
    assert captured
    assert {why_refused(vector.data) for vector in captured} == {words}
    assert why_refused(datagram(command=command)) == words


@pytest.mark.parametrize(
    "command", [0x0000, 0x0005, 0x000F, 0x0011, 0x0012, 0x0021, 0x0E00, 0xFFFF]
)
def test_commands_that_no_device_ever_sent_are_refused(command: int) -> None:
    assert why_refused(datagram(command=command)) == "it is not a response of a device"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is too short"),
        (b"hello", "it is too short"),
        (b"\x00" * 52, "it is not Easy IP"),
        (b"\xff" * 477, "it is not Easy IP"),
        (b"GET / HTTP/1.1\r\nHost: " + b"x" * 60, "it is not Easy IP"),
        (b"\x00\x02" + datagram()[2:], "it is not Easy IP"),
        (datagram()[:24] + b"\x21" + datagram()[25:], "it is not Easy IP"),
        (datagram()[:-4] + b"\0\0" + datagram()[-2:], "missing end mark"),
    ],
)
def test_what_is_not_this_protocol_is_refused_in_words(data: bytes, words: str) -> None:
    assert why_refused(data) == words


@pytest.mark.parametrize(
    "mac",
    ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"],
)
def test_a_mac_of_nobody_or_of_many_is_refused(mac: str) -> None:
    assert why_refused(datagram(mac=mac)) == "its MAC is not that of a single device"


# -- lengths that lie --------------------------------------------------------------------


@EACH_ANSWER
def test_a_truncated_answer_is_refused_at_every_length(vector: Vector) -> None:
    for length in range(len(vector.data)):
        why_refused(vector.data[:length])


@EACH_ANSWER
def test_an_answer_cut_with_a_length_and_an_end_mark_that_fit_is_refused_inside_a_tag(
    vector: Vector,
) -> None:
    starts = [(at, tag) for at, tag, _value in tlvs(vector.data)]
    (address_at,) = [at for at, tag in starts if tag == 0x20]
    whole = {at for at, _tag in starts if at > address_at}
    for length in range(len(vector.data) - 52):
        cut = vector.data[:2] + struct.pack(">H", length) + vector.data[4 : 48 + length]
        cut = with_checksum(cut + b"\xff\xff\0\0")
        if 48 + length in whole:
            assert wire.parse(cut).mac == vector.mac
        else:
            assert why_refused(cut) in (
                "a tag is cut off",
                "a tag is longer than the datagram",
                "it contains no address",
            )


@EACH_ANSWER
def test_no_lie_about_the_whole_length_passes(vector: Vector) -> None:
    for at in (2, 3):
        for lie in set(range(256)) - {vector.data[at]}:
            lying = with_checksum(vector.data[:at] + bytes((lie,)) + vector.data[at + 1 :])
            assert why_refused(lying) == "invalid length"


@EACH_ANSWER
def test_no_lie_about_the_length_of_a_tag_makes_up_a_device_or_an_address(vector: Vector) -> None:
    true = wire.parse(vector.data)
    places = [at + byte for at, _tag, _value in tlvs(vector.data) for byte in (2, 3)]
    for at in places:
        for lie in set(range(256)) - {vector.data[at]}:
            lying = with_checksum(vector.data[:at] + bytes((lie,)) + vector.data[at + 1 :])
            try:
                answer = wire.parse(lying)
            except wire.InvalidReply:
                continue
            assert answer.mac == true.mac
            assert answer.address in (true.address, None)


def test_a_datagram_may_be_as_big_as_the_limit_and_not_a_byte_bigger() -> None:
    rest = wire.MAX_REPLY - len(datagram()) - 4
    assert wire.parse(datagram([*plain_tags(), (0x7000, b"x" * rest)])).mac == MAC
    assert why_refused(datagram([*plain_tags(), (0x7000, b"x" * (rest + 1))])) == ("invalid length")
    assert why_refused(datagram([*plain_tags(), (0x7000, b"x" * 60_000)])) == ("invalid length")


# -- whatever else comes -----------------------------------------------------------------


def is_answer_or_unsound(data: bytes) -> None:
    """Any other error than InvalidReply fails the test by itself."""
    try:
        answer = wire.parse(data)
    except wire.InvalidReply:
        return
    assert answer.mac == data[6:12].hex(":")
    assert answer.address is None or len(answer.address.split(".")) == 4
    for text in (answer.name, answer.model, answer.serial, answer.firmware):
        assert text is None or (text == text.strip() and text.isprintable() and text)


@some.composite
def mutated(draw: some.DrawFn) -> bytes:
    """A captured datagram with bytes changed, cut out, put in or doubled; often with a
    length and an end mark that fit again, so that it comes through to the tags."""
    data = bytearray(draw(some.sampled_from(VECTORS)).data)
    for _ in range(draw(some.integers(1, 8))):
        at = draw(some.integers(0, max(0, len(data) - 1)))
        match draw(some.integers(0, 3)):
            case 0:
                data[at : at + 1] = draw(some.binary(min_size=1, max_size=2))
            case 1:
                del data[at : at + draw(some.integers(1, 40))]
            case 2:
                data[at:at] = draw(some.binary(max_size=40))
            case _:
                data[at:at] = data[at : at + draw(some.integers(1, 60))]
    if draw(some.booleans()) and 52 <= len(data) <= 0xFFFF:
        data[2:4] = struct.pack(">H", len(data) - 52)
        data[-4:-2] = b"\xff\xff"
    return bytes(data)


tag_lists = some.lists(
    some.tuples(
        some.sampled_from([*sorted(wire.KNOWN), 0x01, 0xA0, 0xAA, 0xFFFF]), some.binary(max_size=20)
    ),
    max_size=30,
)


@settings(max_examples=2000, deadline=None)
@given(some.binary(max_size=2200))
def test_arbitrary_bytes_are_an_answer_or_unsound(data: bytes) -> None:
    is_answer_or_unsound(data)


@settings(max_examples=2000, deadline=None)
@given(mutated())
def test_mutated_captures_are_an_answer_or_unsound(data: bytes) -> None:
    is_answer_or_unsound(data)


@settings(max_examples=2000, deadline=None)
@given(tag_lists)
def test_any_tags_in_a_sound_frame_are_an_answer_or_unsound(tags: list[tuple[int, bytes]]) -> None:
    is_answer_or_unsound(datagram([(0x20, ip(ADDRESS)), *tags]))


@pytest.mark.torture
@pytest.mark.timeout(1200)
@settings(max_examples=100_000, deadline=None)
@given(some.one_of(some.binary(max_size=2200), mutated(), tag_lists.map(datagram)))
def test_a_hundred_thousand_inputs_are_answers_or_unsound(data: bytes) -> None:
    is_answer_or_unsound(data)
