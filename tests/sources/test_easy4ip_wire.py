"""Bytes and values of the Easy4IP cloud: the vectors of its description, and nonsense."""

import asyncio
import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.serials import clean_serial
from simulators import easy4ip_wire as pretend
from sources.easy4ip_cloud import MAX_SLOWDOWN, CloudClock, TokenBucket
from sources.easy4ip_wire import (
    MAX_RESPONSE,
    CloudResponse,
    InvalidResponse,
    KeyPair,
    digest,
    facts_of,
    parse_response,
    request,
    server_of,
)

NEW = KeyPair("cba1b29e32cb17aa46b8ff9e73c7f40b", "996103384cdf19179e19243e959bbf8b")
OLD = KeyPair("P2PClient", "YXQ3Mahe-5H-R1Z_")
AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
INFO = (
    "sLwAgMEOWisMO6lxixpYDeXWpVnxEMzxsPtceu7wdf9YvYtrdJYDcU6Dh6zbMPVBenmyMQUnzPZo2w8K1xldnpp/XFnQwoDN"
    "jFxS5UOJ5+U1b0xQ+ZJE977ehYvf8ZRULvxyhDjYUHBf4OUQ7Bv8Q68="
)
LOGGED = (
    b"HTTP/1.1 200 OK\r\nDate: 2023-12-18T19:19:43Z\r\nCSeq: 2\r\nContent-Type: \r\n"
    b"Content-Length: 67\r\n\r\n"
    b"<body><DS>127.0.0.1:8802</DS><US>127.0.0.1:8803</US></body>"
)

# -- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "nonce", "created", "right"),
    [
        (NEW, 1234567890, "2024-01-02T03:04:05Z", "yo9hiYp9X22h33Z/fuzUmq7lzEM="),
        (NEW, 42, "2026-09-06T12:00:00Z", "2+go9D1pKW5ykn3ePUMZkhMmITo="),
        (NEW, 403748975, "2025-07-14T12:10:45Z", "CL16HGn7S4vceptOXNT+hZEmE1I="),
        (OLD, 4256704150, "2023-12-18T19:19:43Z", "HvAqydeFx9pTgUKR4cSMJaoeCiQ="),
        (OLD, 3957376089, "2023-12-18T19:19:43Z", "xkGJHLPPwJQCY+PhcrYIeeUvXuo="),
    ],
)
def test_the_digest_is_that_of_the_logged_requests(keys, nonce, created, right):
    assert digest(keys, nonce, created) == right


def test_a_whole_request_is_that_of_the_description():
    made = request("/online/p2psrv/SIM00000PAZ0000", 2, NEW, 1234567890, AT)
    assert len(made) == 269
    assert (
        hashlib.sha256(made).hexdigest()
        == "577c21af00ca7c53047d31670215c3949197261b596c7ac9d7af65745907e462"
    )


def test_a_request_tells_the_time_in_utc_wherever_the_clock_stands():
    east = AT.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)
    path = "/probe/device/AB12345"
    assert request(path, 1, NEW, 7, east) == request(path, 1, NEW, 7, AT)


def test_a_request_without_keys_has_neither_header():
    made = request("/probe/device/AB12345", 9, None, 7, AT)
    assert made == b"DHGET /probe/device/AB12345 HTTP/1.1\r\nCSeq: 9\r\n\r\n"


def test_the_key_is_not_shown_when_a_pair_is():
    assert NEW.key not in repr(NEW)


@pytest.mark.parametrize(
    ("text", "serial"),
    [
        ("ab12345pazcdef0", "ab12345pazcdef0"),
        ("  AB12 345  ", "AB12345"),
        ("123456.0", "123456"),
        ("00123456", "00123456"),
        ("AB-12_345", "AB-12_345"),
        ("A" * 32, "A" * 32),
        ("A" * 33, None),
        ("ABC", None),
        ("", None),
        ("1.23457E+11", None),
        ("AB12345/../x", None),
        ("AB12345\r\nCSeq: 1", None),
        ("АВ12345", None),
        ("١٢٣٤٥٦", None),
        ("AB12345?x=1", None),
    ],
)
def test_a_serial_is_cleaned_and_kept_as_typed_or_refused(text, serial):
    assert clean_serial(text) == serial


# -- answers ---------------------------------------------------------------------------------


def test_a_logged_answer_is_read():
    assert parse_response(LOGGED) == CloudResponse(
        200,
        2,
        "OK",
        datetime(2023, 12, 18, 19, 19, 43, tzinfo=UTC),
        {"DS": "127.0.0.1:8802", "US": "127.0.0.1:8803"},
    )


def answer(body: str = "", head: str = "HTTP/1.1 200 OK", cseq: str = "CSeq: 2") -> bytes:
    return "\r\n".join([head, cseq, "", body]).encode()


@pytest.mark.parametrize(
    ("date", "right"),
    [
        ("2024-01-02T03:04:05Z", AT),
        ("2024-01-02T03:04:05", AT),
        ("2024-01-02T05:04:05+02:00", AT),
        ("Tue, 02 Jan 2024 03:04:05 GMT", AT),
        ("", None),
        ("yesterday", None),
        ("2024-13-02T03:04:05Z", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
    ],
)
def test_the_date_is_read_in_both_forms_and_none_else(date, right):
    assert parse_response(answer(cseq=f"CSeq: 2\r\nDate: {date}")).date == right


@pytest.mark.parametrize("cseq", ["cseq:2", "CSEQ :  2  ", "Cseq: 2"])
def test_names_of_headers_are_compared_without_case_and_spaces(cseq):
    assert parse_response(answer(cseq=cseq)).cseq == 2


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("HTTP/1.1 200 Server Nat Info!", "Server Nat Info!"),
        ("HTTP/1.1 200", ""),
        ("HTTP/1.1   200   OK  ", "OK"),
    ],
)
def test_a_reason_may_be_anything_or_missing(head, reason):
    assert parse_response(answer(head=head)).reason == reason


@pytest.mark.parametrize(("code", "is_provisional"), [(100, True), (183, True), (200, False)])
def test_only_a_code_from_100_is_provisional(code, is_provisional):
    assert parse_response(answer(head=f"HTTP/1.1 {code} x")).is_provisional == is_provisional


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no status line"),
        (b"\r\n\r\n", "no status line"),
        (bytes(range(256)), "no status line"),
        (b"DHGET /x HTTP/1.1\r\nCSeq: 1\r\n\r\n", "no status line"),
        (b"HTTP/1.1 2000 OK\r\nCSeq: 1\r\n\r\n", "no status line"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no CSeq"),
        (LOGGED + b" " * (MAX_RESPONSE - len(LOGGED) + 1), "response too long"),
        (answer(cseq="CSeq: two"), "no CSeq"),
        (answer("<body>"), "not XML"),
        (answer("<body></body><body></body>"), "not XML"),
        (answer("hello"), "not XML"),
        (answer("<head></head>"), "no <body> element"),
        (answer('<!DOCTYPE body [<!ENTITY a "x">]><body>&a;</body>'), "document type"),
        (answer('<!DOCTYPE body SYSTEM "http://127.0.0.1/x"><body></body>'), "document type"),
        (answer("<body>&a;</body>"), "not XML"),
        (answer("<a>" * 1500), "not XML"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_reason(data, why):
    with pytest.raises(InvalidResponse, match=why):
        parse_response(data)


def test_an_answer_without_a_body_has_none_and_an_empty_one_has_no_children():
    assert parse_response(answer()).body is None
    assert parse_response(answer("<body></body>")).body == {}
    assert parse_response(answer("<body/>")).body == {}


def test_children_of_children_and_repeated_ones_are_no_text():
    body = parse_response(answer("<body><A><B>1</B></A><C>1</C><C>2</C><D/><E>e</E></body>")).body
    assert body == {"A": "", "C": "", "D": "", "E": "e"}


DAMAGED = st.builds(
    lambda data, cut, mess: data[:cut] + mess + data[cut + len(mess) :],
    st.sampled_from([LOGGED, pretend.TIMEOUT.datagram(3, 0.0), pretend.TRYING.datagram(3, 0.0)]),
    st.integers(0, 140),
    st.binary(max_size=12),
)


@given(st.one_of(st.binary(max_size=600), DAMAGED))
@example(answer(cseq="CSeq: 2\r\nDate: Mon, 01 Jan 2024 00:00:00 +99999999999999999999"))
@example(answer('<?xml version="1.0" encoding="utf-16"?><body/>'))
def test_any_bytes_are_an_answer_or_unusable(data):
    try:
        answer = parse_response(data)
    except InvalidResponse:
        return
    assert 0 <= answer.code <= 999
    server_of(answer)
    facts_of(answer)


# -- what answers tell -----------------------------------------------------------------------


@pytest.mark.parametrize("us", ["1.2.3.4:8803", " 255.0.0.1:1 ", "127.0.0.1:65535"])
def test_the_server_of_a_recorder_is_an_address_and_a_port(us):
    host, _, port = us.strip().partition(":")
    assert server_of(CloudResponse(200, 1, body={"US": us})) == (host, int(port))


@pytest.mark.parametrize(
    "us",
    [
        *pretend.BAD_US.values(),
        "1.2.3:8803",
        "1.2.3.4.5:8803",
        "1.2.3.256:8803",
        "1.2.3.4:-1",
        "1.2.3.4:+80",
        "1.2.3.4:١٢",
        "١.2.3.4:8803",
        "1.2.3.4:000080",
        "[::1]:8803",
        "cloud.example:8803",
        ":8803",
        "1.2.3.4:8803:1",
        "1.2.3.4 :8803",
    ],
)
def test_what_is_no_address_and_port_is_no_server(us):
    assert server_of(CloudResponse(200, 1, body={"US": us})) is None


@pytest.mark.parametrize("body", [None, {}, {"DS": "1.2.3.4:8802"}])
def test_a_lookup_without_us_names_no_server(body):
    assert server_of(CloudResponse(200, 1, body=body)) is None


def facts_from(version: str = "", info: str = "") -> dict[str, object]:
    return facts_of(CloudResponse(200, 1, body={"DevVersion": version, "Info": info}))


def test_info_is_decrypted_to_firmware_and_ports_and_keeps_no_salt():
    facts = facts_from("6.7.30", INFO)
    assert facts == {"firmware": "6.7.30", "http_port": 80, "port": 37777, "rtsp_port": 554}
    assert (
        pretend.sealed(
            '{"httpport":80,"privport":37777,"randsalt":"5daf91fc5cfc1be8e081cfb08f'
            '792726","rtspport":554,"tlsprivport":37778}'
        )
        == INFO
    )


@pytest.mark.parametrize(
    "info",
    [
        "",
        "not base64!",
        "äöü",
        INFO[:-1],
        b64encode(bytes(range(200))).decode(),
        pretend.sealed("[1, 2]"),
        pretend.sealed('"rtspport"'),
        pretend.sealed("[" * 5000),
        pretend.sealed('{"rtspport":' + "9" * 5000 + "}"),
    ],
)
def test_info_that_cannot_be_read_tells_nothing(info):
    assert facts_from(info=info) == {}


@pytest.mark.parametrize("port", [0, -1, 65536, 554.5, "554", True, None, [554]])
def test_a_port_that_is_none_is_left_out(port):
    assert facts_from(info=pretend.sealed(json.dumps({"rtspport": port, "httpport": 80}))) == {
        "http_port": 80
    }


def test_a_firmware_of_any_length_is_cut():
    assert facts_from(" " + "6" * 999) == {"firmware": "6" * 60}


# -- clock and pace --------------------------------------------------------------------------


def test_the_clouds_time_is_taken_unless_no_clock_can_show_it():
    clock = CloudClock(lambda: AT)
    clock.learn(AT + timedelta(hours=1))
    assert clock.cloud() == AT + timedelta(hours=1)
    for year in (1, 9999):
        clock.learn(AT.replace(year=year))
    assert clock.cloud() == AT + timedelta(hours=1)


def test_a_server_that_sheds_load_is_asked_half_as_often_and_never_not_at_all():
    async def paces() -> list[float]:
        bucket = TokenBucket(100.0, 500.0)
        rates = []
        for _ in range(40):
            bucket.slowed -= 1  # a second has passed
            bucket.slow_down()
            rates.append(bucket.pace)
        assert bucket.level <= 0
        return rates

    rates = asyncio.run(paces())
    assert rates[:3] == [50.0, 25.0, 12.5]
    assert rates[-1] == 100.0 / MAX_SLOWDOWN


def test_many_refusals_at_once_slow_down_once_and_answers_bring_the_rate_back():
    async def paces() -> tuple[float, float]:
        bucket = TokenBucket(100.0, 500.0)
        for _ in range(40):
            bucket.slow_down()
        slow = bucket.pace
        for _ in range(1000):
            bucket.recover()
        return slow, bucket.pace

    assert asyncio.run(paces()) == (50.0, 100.0)
