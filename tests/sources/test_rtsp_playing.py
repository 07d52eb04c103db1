"""A stream that plays: its packets, however its bytes arrive, and what keeps it alive."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.login_challenges import Authorization, Challenge, Login
from sources.rtsp_playing import Playing
from sources.rtsp_wire import Reader, Request

NOW = 1000.0


@dataclass(frozen=True)
class Medium:
    channel: int


def control(**changes: Any) -> dict[str, Any]:
    return {
        "transport": "tcp",
        "url": "rtsp://10.0.0.5:554/live",
        "session": "1234",
        "number": 5,
        "has_get_parameter": True,
        "timeout": 60,
        "login": None,
        **changes,
    }


def playing(*channels: int, rest: bytes = b"", **changes: Any) -> Playing:
    media = [Medium(channel) for channel in channels or (0,)]
    return Playing(control(**changes), media, rest, NOW)


def packet(channel: int, payload: bytes = b"") -> bytes:
    data = b"\x80\x60" + bytes(10) + payload
    return b"$" + bytes((channel,)) + len(data).to_bytes(2, "big") + data


def sent(data: bytes) -> Request:
    reader = Reader()
    reader.feed(data)
    message = reader.next()
    assert isinstance(message, Request)
    assert reader.next() is None
    return message


def header(data: bytes, name: str) -> str:
    return dict(sent(data).headers).get(name, "")


def reply(code: int, number: int, *lines: str) -> bytes:
    head = [f"RTSP/1.0 {code} Whatever", f"CSeq: {number}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


OK = b"RTSP/1.0 200 OK\r\nCSeq: 5\r\nContent-Length: 3\r\n\r\n$\x00\x00"
PIECES = (
    *(packet(0, b"$\x00"), packet(1), packet(2, b"sound"), packet(9, b"of a dead session" * 3)),
    *(OK, b"\r\n", b"\n", b"stray $ bytes", b"\x00\xff", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
    *(b"$\x00\x00\x00", b"RTS", b"TEARD", b"$\x00\xff\xffno packet", packet(3, b"x" * 1400)),
)


@given(
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_the_packets_are_the_same_however_the_bytes_arrive(
    pieces: list[bytes], sizes: list[int]
) -> None:
    data = b"".join(pieces)
    whole, split = playing(0, 2), playing(0, 2)
    expected = whole.feed(data)
    packets, place, number = list[tuple[int, bytes]](), 0, 0
    while place < len(data):
        size = sizes[number % len(sizes)]
        packets += split.feed(data[place : place + size])
        place, number = place + size, number + 1
    assert packets == expected
    assert split.to_send() == whole.to_send()


@given(st.binary(max_size=300))
def test_bytes_that_mean_nothing_never_stop_what_follows(noise: bytes) -> None:
    stream = playing()
    stream.feed(b"!" + noise.replace(b"$", b"%").replace(b"RTSP/", b"rtsp/"))
    stream.feed(b"!" * 70_000)
    assert (0, packet(0, b"picture")[4:]) in stream.feed(packet(0, b"picture") * 3)


def test_the_packets_of_two_media_come_in_order_and_those_of_a_dead_session_do_not() -> None:
    stream = playing(0, 2)
    data = packet(0, b"a") + packet(4, b"old") + packet(2, b"b") + packet(5) + packet(3) + packet(1)
    assert [channel for channel, _data in stream.feed(data)] == [0, 2, 3, 1]


def test_bytes_that_came_with_the_answer_to_play_are_read_first() -> None:
    whole = packet(0, b"first")
    stream = playing(rest=whole[:7])
    assert stream.feed(whole[7:] + packet(0, b"second")) == [
        (0, whole[4:]),
        (0, packet(0, b"second")[4:]),
    ]


def test_over_udp_the_connection_has_no_packets() -> None:
    assert playing(0, 2, transport="udp").feed(packet(0) + packet(2)) == []


def test_a_message_without_an_end_is_given_up() -> None:
    stream = playing()
    stream.feed(b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 20_000)
    assert stream.feed(packet(0) * 2)[-1:] == [(0, packet(0)[4:])]


def test_random_bytes_cost_time_in_proportion_to_their_length() -> None:
    """Also the worst ones: nearly a mark at each place."""
    for piece in (
        b"$",
        b"$\x00",
        b"$\x00\xff",
        b"R",
        b"RTSP/",
        b"OPTIONS ",
        b"\n",
        b"SET_PARAMETER",
    ):
        stream = playing()
        for _ in range(64):
            stream.feed(piece * (4096 // len(piece)))
    stream = playing()
    stream.feed(random.Random(1).randbytes(1 << 20))


# -- keep-alive --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "interval"), [(60, 30), (10, 5), (600, 30), (1, 1), (None, 30)]
)
def test_a_sign_of_life_is_due_at_half_of_the_timeout(timeout: int | None, interval: float) -> None:
    stream = playing(timeout=timeout)
    assert stream.next_keep_alive == NOW + interval
    stream.keep_alive(NOW + 100)
    assert stream.next_keep_alive == NOW + 100 + interval


def test_the_newest_timeout_holds() -> None:
    stream = playing()
    stream.keep_alive(NOW)
    stream.feed(reply(200, 6, "Session: 1234;timeout=10"))
    assert stream.next_keep_alive == NOW + 5
    stream.keep_alive(NOW + 5)
    stream.feed(reply(200, 3, "Session: 1234;timeout=40"))
    assert stream.next_keep_alive == NOW + 10, "it answers another request"


@pytest.mark.parametrize(("has_it", "method"), [(True, "GET_PARAMETER"), (False, "OPTIONS")])
def test_it_asks_by_the_method_that_the_device_offers(has_it: bool, method: str) -> None:
    data = playing(has_get_parameter=has_it).keep_alive(NOW)
    assert (sent(data).method, header(data, "session"), header(data, "cseq")) == (
        method,
        "1234",
        "6",
    )


def test_a_device_that_refuses_get_parameter_is_asked_options() -> None:
    stream = playing()
    stream.keep_alive(NOW)
    stream.feed(reply(454, 6))
    assert sent(stream.to_send()).method == "OPTIONS"
    assert not stream.ended
    stream.feed(reply(454, 7))
    assert "454" in stream.ended


def challenge(nonce: str, **more: str) -> dict[str, str]:
    return {"realm": "cam", "nonce": nonce, **more}


def digest(**more: str) -> dict[str, Any]:
    login = Login("admin", "s3cret")
    authorization = Authorization(Challenge("digest", challenge("one", **more)), login)
    authorization.answer("PLAY", "rtsp://10.0.0.5:554/live")
    return authorization.values


def test_the_count_of_the_nonce_goes_on_in_the_other_process() -> None:
    stream = playing(login=digest(qop="auth"))
    assert "nc=00000002" in header(stream.keep_alive(NOW), "authorization")
    assert "nc=00000003" in header(stream.teardown(), "authorization")


def test_a_newer_nonce_is_answered_once_and_a_refused_login_ends_the_stream() -> None:
    stream = playing(login=digest())
    stream.keep_alive(NOW)
    newer = 'WWW-Authenticate: Digest realm="cam", nonce="{}", stale=true'
    stream.feed(reply(401, 6, newer.format("two")))
    assert 'nonce="two"' in header(stream.to_send(), "authorization")
    stream.feed(reply(401, 7, newer.format("three")))
    assert stream.to_send() == b""
    later = stream.keep_alive(NOW + 30)
    assert (sent(later).method, header(later, "authorization")) == ("OPTIONS", "")
    assert "refuses the login" in stream.ended
    assert stream.refusals == 1
    assert header(stream.teardown(), "authorization") == ""


def test_a_newer_nonce_that_is_accepted_was_no_refusal() -> None:
    stream = playing(login=digest())
    stream.keep_alive(NOW)
    stream.feed(reply(401, 6, 'WWW-Authenticate: Digest realm="cam", nonce="two", stale=true'))
    stream.to_send()
    stream.feed(reply(200, 7))
    assert (stream.refusals, stream.ended) == (0, "")


def test_a_nonce_that_is_newer_without_being_called_stale_is_a_refusal() -> None:
    """It may be of a password that was changed: that costs no second one."""
    stream = playing(login=digest())
    stream.keep_alive(NOW)
    stream.feed(reply(401, 6, 'WWW-Authenticate: Digest realm="cam", nonce="two"'))
    assert (stream.to_send(), stream.refusals) == (b"", 1)
    assert stream.ended


def test_after_a_refusal_the_device_is_asked_for_its_nonce_first() -> None:
    stream = playing(login=digest(), asks_first=True)
    assert header(stream.keep_alive(NOW), "authorization") == ""
    stream.feed(reply(401, 6, 'WWW-Authenticate: Digest realm="cam", nonce="two"'))
    assert 'nonce="two"' in header(stream.to_send(), "authorization")
    stream.feed(reply(401, 7, 'WWW-Authenticate: Digest realm="cam", nonce="three"'))
    assert (stream.to_send(), stream.refusals) == (b"", 1)


def test_a_stream_whose_login_was_refused_elsewhere_sends_it_no_more() -> None:
    stream = playing(login=digest())
    stream.forget_login()
    for request in (stream.keep_alive(NOW), stream.teardown()):
        assert header(request, "authorization") == ""


def test_basic_is_asked_in_place_of_digest_and_gets_nothing() -> None:
    stream = playing(login=digest())
    stream.keep_alive(NOW)
    stream.feed(reply(401, 6, 'WWW-Authenticate: Basic realm="cam"'))
    assert stream.to_send() == b""
    assert header(stream.keep_alive(NOW), "authorization") == ""


@pytest.mark.parametrize("method", ["TEARDOWN", "ANNOUNCE", "REDIRECT"])
def test_the_device_ends_the_stream(method: str) -> None:
    stream = playing()
    packets = stream.feed(packet(0) + f"{method} * RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
    assert (len(packets), bool(stream.ended)) == (1, True)


def test_a_question_of_the_device_is_answered() -> None:
    stream = playing()
    stream.feed(b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 77\r\n\r\n" + packet(0))
    assert stream.to_send() == b"RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n"
    assert stream.to_send() == b""


def test_the_end_is_a_request_of_the_session() -> None:
    data = playing().teardown()
    assert (sent(data).method, header(data, "session")) == ("TEARDOWN", "1234")
