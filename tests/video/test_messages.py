"""The messages between the monitor and its children."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video import message_values as values
from video import messages
from video.messages import Channel, Closed, Decoder, Malformed, Message
from video.model import (
    Format,
    Fragment,
    Init,
    LinkCounts,
    OpenedMedium,
    OpenedStream,
    Picture,
    SegmentPlan,
    SegmentProgress,
)

AT = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)
FORMAT = Format("h264", 640, 360, "avc1.64001f", 15.0, "aac", ("The sound (GSM) is left out",))
SENT = [
    Message(messages.BEAT),
    Message(messages.STATE, 7, {"activity": "playing", "reason": "ä"}),
    Message(messages.FRAGMENT, 7, {"key": True}, b"\x00" * 3000),
    Message(messages.ENDED, 4_000_000_000, {}, b"x"),
]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_messages_come_out_of_pieces_of_any_size(sizes: list[int]) -> None:
    data = b"".join(map(messages.encode, SENT))
    decoder, received = Decoder(), []
    for size in [*sizes, len(data)]:
        piece, data = data[:size], data[size:]
        received += decoder.feed(piece)
    assert received == SENT


@pytest.mark.parametrize(
    "header",
    [
        (messages.MAX_HEAD + 1, 0, 1, 0, 0),
        (0, messages.MAX_DATA + 1, 1, 0, 0),
        (0, 0, 1, messages.MAX_SOCKETS + 1, 0),
        (0, 0, 1, 1, 0),
    ],
    ids=["head", "data", "sockets", "no socket came"],
)
def test_what_is_no_message_ends_the_connection(header: tuple[int, ...]) -> None:
    with pytest.raises(Malformed):
        Decoder().feed(messages.HEADER.pack(*header))


@pytest.mark.parametrize("head", [b"{", b"[]", b"\xff"])
def test_a_head_that_is_no_object_is_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        Decoder().feed(messages.HEADER.pack(len(head), 0, 1, 0, 0) + head)


def test_sockets_go_along_and_belong_to_the_other_side() -> None:
    ours, theirs = map(Channel, socket.socketpair())
    pairs = [socket.socketpair() for _ in range(3)]
    ours.send(Message(messages.OPEN, 1, {}, b"first", (pairs[0][0], pairs[1][0])))
    ours.send(Message(messages.OPEN, 2, {}, b"second", (pairs[2][0],)))
    for near, _far in pairs:
        near.close()
    received: list[Message] = []
    while len(received) < 2:
        received += theirs.receive()
    assert [message.data for message in received] == [b"first", b"second"]
    arrived = [*received[0].sockets, *received[1].sockets]
    for sock, (_near, far) in zip(arrived, pairs, strict=True):
        assert not os.get_inheritable(sock.fileno())
        with sock, far:
            sock.sendall(b"hello")
            assert far.recv(9) == b"hello"
    ours.close()
    with pytest.raises(Closed):
        theirs.receive()
    theirs.close()


def test_every_value_is_the_same_on_the_other_side() -> None:
    media = (OpenedMedium("video", "H264", 0), OpenedMedium("audio", "PCMA", 2))
    opened = OpenedStream(b"v=0\r\n", media, "udp", (), {"url": "rtsp://x", "n": 3}, b"$\x00rest")
    assert values.opened_of(_sent(values.open_head(opened)), b"v=0\r\n$\x00rest", ()) == opened
    init = Init(FORMAT, b"moov")
    assert values.init_of(_sent(values.init_head(init)), b"moov") == init
    fragment = Fragment(b"moof", is_key=True, at=1764338700.25)
    assert values.fragment_of(_sent(values.fragment_head(fragment)), b"moof") == fragment
    picture = Picture(b"jpeg", 640, 360, (1280, 720), 1764338700.25)
    assert values.picture_of(_sent(values.picture_head(picture)), b"jpeg") == picture
    plan = SegmentPlan(Path("media/recordings/3"), 300.0, with_audio=False)
    assert values.plan_of(_sent(values.plan_head(plan))) == plan
    segment = SegmentProgress(Path("a.mp4"), AT, AT, 9, 3, 2, FORMAT, is_closed=True, reason="disk")
    assert values.segment_of(_sent(values.segment_head(segment))) == segment
    counts = LinkCounts(10.0, 150, 99, 1, 0, 0, 2.5)
    assert values.counts_of(_sent(values.counts_head(counts))) == counts


def _sent(head: dict[str, object]) -> dict[str, object]:
    [message] = Decoder().feed(messages.encode(Message(messages.STATE, 1, head)))
    return dict(message.head)
