"""Messages of RTSP in streams of bytes, as devices send them and as they should not."""

import pytest

from sources.rtsp_wire import (
    Interleaved,
    InvalidResponse,
    Message,
    Reader,
    Request,
    Response,
    request,
)

OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"


def messages(*pieces: bytes) -> list[Message]:
    reader, every = Reader(), list[Message]()
    for piece in pieces:
        reader.feed(piece)
        while (message := reader.next()) is not None:
            every.append(message)
    return every


def response(data: bytes) -> Response:
    (message,) = messages(data)
    assert isinstance(message, Response)
    return message


def test_a_request_is_the_lines_of_the_standard() -> None:
    assert request("OPTIONS", "rtsp://10.0.0.5/", 3, {"User-Agent": "x"}) == (
        b"OPTIONS rtsp://10.0.0.5/ RTSP/1.0\r\nCSeq: 3\r\nUser-Agent: x\r\n\r\n"
    )


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\x00"])
def test_a_value_cannot_begin_another_line(value: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        request("OPTIONS", "rtsp://10.0.0.5/", 1, {"User-Agent": value})
    with pytest.raises(ValueError, match="line end"):
        request("OPTIONS", f"rtsp://10.0.0.5/{value}", 1)


def test_a_response_has_its_code_headers_and_body() -> None:
    answer = response(
        b"RTSP/1.0 401 Unauthorized\r\nCSeq: 2 \r\nWWW-Authenticate: Basic realm=a\r\n"
        b"www-authenticate:Digest nonce=b\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert (answer.code, answer.reason, answer.cseq) == (401, "Unauthorized", 2)
    assert answer.every("www-authenticate") == ["Basic realm=a", "Digest nonce=b"]
    assert answer.body == b"body"


def test_the_messages_are_the_same_however_the_bytes_arrive() -> None:
    data = b"\r\n" + OK + b"$\x00\x00\x03abc" + b"RTSP/1.0 200 OK\nContent-Length: 2\n\nxy" + OK
    whole = messages(data)
    assert [type(message).__name__ for message in whole] == [
        "Response",
        "Interleaved",
        "Response",
        "Response",
    ]
    assert messages(*(data[place : place + 1] for place in range(len(data)))) == whole


@pytest.mark.parametrize(
    ("head", "cseq"),
    [(b"RTSP/1.0 401 No\r\n\r\n", None), (b"RTSP/1.0 200 OK\r\nCSeq: x\r\n\r\n", None)],
)
def test_a_response_without_its_number_is_a_response(head: bytes, cseq: int | None) -> None:
    assert response(head).cseq == cseq


@pytest.mark.parametrize(
    ("line", "session"),
    [
        (b" 12345678 ;timeout=60", "12345678"),
        (b"ab; Timeout = 30", "ab"),
        (b"ab", "ab"),
        (b"", ""),
    ],
)
def test_the_session_is_read_without_its_parameters(line: bytes, session: str) -> None:
    answer = response(b"RTSP/1.0 200 OK\r\nSession:" + line + b"\r\n\r\n")
    assert answer.session == session


def test_media_data_between_responses_are_told_apart() -> None:
    data = b"$\x07\x00\x0aRTSP/1.0 x\r\n$\x01\x00\x00" + OK
    first, second, third = messages(data)
    assert first == Interleaved(7, b"RTSP/1.0 x")
    assert second == Interleaved(1, b"")
    assert isinstance(third, Response)


@pytest.mark.parametrize("size", [1, 3, 4, 7, 100])
def test_media_data_can_be_skipped_however_they_arrive(size: int) -> None:
    data = b"$\x07\x00\x03abc$\x01\x00\x00" + OK + b"$\x00\x00\x02xy" + OK
    reader, every = Reader(), list[Message]()
    for place in range(0, len(data), size):
        reader.feed(data[place : place + size])
        reader.skip_media()
        while (message := reader.next()) is not None:
            every.append(message)
    assert [message for message in every if isinstance(message, Response)] == messages(OK, OK)


def test_media_data_are_not_skipped_within_a_body() -> None:
    reader = Reader()
    reader.feed(b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert reader.next() is None
    reader.feed(b"$\x00\x00\x00!")
    reader.skip_media()
    message = reader.next()
    assert isinstance(message, Response)
    assert message.body == b"$\x00\x00\x00!"


def test_a_question_of_the_device_is_no_response() -> None:
    sent, answer = messages(b"OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 9\r\n\r\n" + OK)
    assert isinstance(sent, Request)
    assert sent.method == "OPTIONS"
    assert isinstance(answer, Response)


def test_a_header_that_goes_on_in_the_next_line_is_whole() -> None:
    assert response(b"RTSP/1.0 200 OK\r\nPublic: OPTIONS,\r\n DESCRIBE\r\n\r\n").header(
        "public"
    ) == ("OPTIONS, DESCRIBE")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "speaks HTTP, not RTSP"),
        (b"SSH-2.0-dropbear\r\n", "speaks SSH, not RTSP"),
        (b"\x15\x03\x01\x00\x02", "speaks TLS, not RTSP"),
        (b"220 ready\r\n", "does not speak RTSP"),
        (bytes(50), "does not speak RTSP"),
        (b"RTSP/1.0 OK\r\n\r\n", "does not speak RTSP"),
    ],
)
def test_what_is_not_rtsp_is_named_at_once(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidResponse, match=reason):
        messages(data)


def test_a_description_of_ten_megabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidResponse, match="10485760 bytes"):
        messages(b"RTSP/1.0 200 OK\r\nContent-Length: 10485760\r\n\r\n")


def test_a_head_without_end_is_refused() -> None:
    with pytest.raises(InvalidResponse, match="without an end"):
        messages(b"RTSP/1.0 200 OK\r\n", *[b"X: " + b"y" * 1000 + b"\r\n"] * 70)


def test_a_reader_says_whether_a_message_is_cut_off() -> None:
    reader = Reader()
    assert not reader.is_within_message
    reader.feed(b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nab")
    assert reader.next() is None
    assert reader.is_within_message
    reader.feed(b"cde\r\n")
    assert reader.next() is not None
    assert not reader.is_within_message


@pytest.mark.parametrize(
    ("session", "timeout"),
    [
        *(("1;timeout=60", 60), ("1; Timeout = 15 ", 15), ("1", None), ("1;timeout=", None)),
        *(("1;timeout=0", None), ("1;x=2;timeout=9", 9), ("1;timeout=-4", None)),
    ],
)
def test_the_timeout_is_that_of_the_session_header(session: str, timeout: float | None) -> None:
    assert response(f"RTSP/1.0 200 OK\r\nSession: {session}\r\n\r\n".encode()).timeout == timeout
