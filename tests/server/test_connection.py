"""When a chunked body is whole, however it is cut into pieces."""

import pytest

from server.connection import LONGEST_LINE, ChunkedBody

WHOLE = (
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"A;name=value\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n",
    b"3\r\n\r\n0\r\n0\r\n\r\n",
    b"2\r\nhi\r\n0\r\nX-Sum: 12\r\n\r\n",
)


@pytest.mark.parametrize("body", WHOLE)
def test_a_body_is_whole_with_its_last_byte_and_not_before(body: bytes) -> None:
    chunks = ChunkedBody()
    whole = [chunks.is_whole(body[at : at + 1]) for at in range(len(body))]
    assert whole == [False] * (len(body) - 1) + [True]
    assert ChunkedBody().is_whole(body)
    assert ChunkedBody().is_whole(body + b"GET / HTTP/1.1\r\n")
    assert not ChunkedBody().is_whole(body[:-1])


@pytest.mark.parametrize("body", [b"zz\r\n", b"-5\r\n", b"\r\n", b"5" * (LONGEST_LINE + 1)])
def test_a_broken_body_is_handed_to_the_parser_at_once(body: bytes) -> None:
    assert ChunkedBody().is_whole(body)


def test_many_small_chunks_take_one_pass() -> None:
    """A megabyte of one-byte chunks, a byte at a time: each byte is looked at a few times."""
    chunks = ChunkedBody()
    for _ in range(20_000):
        for byte in (b"1", b"\r", b"\n", b"x", b"\r", b"\n"):
            assert not chunks.is_whole(byte)
    assert len(chunks._rest) <= 2
