"""The parts of a child: connection, counts, what it sends and what it writes."""

import socket
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import pytest

from sources.rtsp_playing import Playing
from tests.home import until
from video import messages
from video.message_values import plan_head, segment_of
from video.messages import Channel, Message
from video.model import OpenedMedium, OpenedStream, SegmentPlan
from video.packets import VIDEO, EncodedPacket, VideoCoding
from video.reader import outbox as outboxes
from video.reader import recording as recordings
from video.reader.connection import Connection, Ended
from video.reader.counting import Counting
from video.reader.outbox import Outbox
from video.reader.pipeline import Pipeline
from video.reader.reading import Reading
from video.reader.recording import Recording
from video.rhythm import Patience
from video.watching import KeyWish

RTP = bytes.fromhex("806000010000000000000001") + b"media"
CONTROL = {
    "transport": "tcp",
    "url": "rtsp://127.0.0.1/",
    "session": "7",
    "number": 4,
    "has_get_parameter": True,
}
JPEG = VideoCoding("mjpeg", 64, 48)
GREY = KeyWish(1, 2.0, 9.0, 320, is_seen=False)
SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


class Line(NamedTuple):
    connection: Connection
    camera: socket.socket


@pytest.fixture
def line() -> Iterator[Line]:
    """A stream that plays; one packet came before."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        camera, _address = server.accept()
    media = (OpenedMedium("video", "H264", 0),)
    opened = OpenedStream(b"", media, "tcp", (near,), CONTROL, framed(b"0"))
    with near, camera:
        yield Line(Connection(opened, Playing), camera)


def framed(data: bytes) -> bytes:
    packet = RTP + data
    return b"$\x00" + len(packet).to_bytes(2, "big") + packet


def read(connection: Connection, count: int) -> list[bytes]:
    packets: list[bytes] = []
    while len(packets) < count:
        packets += [data.removeprefix(RTP) for _channel, data in connection.read(0.0)]
    return packets


def test_the_last_packets_come_before_the_end(line: Line) -> None:
    line.camera.sendall(framed(b"1") + framed(b"2"))
    line.camera.shutdown(socket.SHUT_WR)
    assert read(line.connection, 3) == [b"0", b"1", b"2"]
    with pytest.raises(Ended, match="the device closed the connection"):
        read(line.connection, 1)


def test_a_session_is_kept_alive_and_ended(line: Line) -> None:
    line.connection.read(1e9)
    assert line.camera.recv(4096).startswith(b"GET_PARAMETER rtsp://127.0.0.1/ RTSP/1.0")
    line.connection.end(1e9)
    request = line.camera.makefile("rb").read()
    assert request.startswith(b"TEARDOWN rtsp://127.0.0.1/ RTSP/1.0")
    assert b"Session: 7" in request
    line.camera.sendall(framed(b"late"))
    line.camera.close()
    until(lambda: line.connection.is_drained(1e9))
    line.connection.close()


def test_a_device_that_goes_on_sending_is_read_for_a_second_at_most(line: Line) -> None:
    line.connection.end(100.0)
    line.camera.sendall(framed(b"late"))
    assert not line.connection.is_drained(100.2)
    assert line.connection.is_drained(101.0)


@pytest.mark.parametrize(("wish", "step"), [(KeyWish(1, 2.0, 9.0), 0.03), (GREY, 0.2)])
def test_a_program_that_waits_for_a_picture_can_wait(
    line: Line, wish: KeyWish, step: float
) -> None:
    media = (OpenedMedium("video", "H264", 0),)
    opened = OpenedStream(SDP, media, "tcp", (), CONTROL, b"")
    pipeline = Pipeline(1, opened, lambda message: None, 0.0)
    nothing = {"mp4": False, "pictures": [], "record": None}
    pipeline.want({"version": 1, "keys": [astuple(wish)], **nothing})
    reading = Reading(1, pipeline, line.connection, Patience(10.0), 0.0)
    times = list[float]()
    for _number in range(6):
        times.append(reading.next_at)
        reading.look_after(reading.next_at)
    assert times[-1] - times[-2] == pytest.approx(step, abs=0.001)
    pipeline.end("asked")
    until(lambda: pipeline.is_done)


def test_counts_tell_stalls_and_how_far_key_frames_are_apart() -> None:
    counting = Counting(0.0)
    for second in (0.0, 1.0, 2.0, 8.0, 9.0):
        counting.add_bytes(1000)
        counting.add_video(second, second, is_key=second in (0.0, 2.0))
    assert counting.key_distance == 2.0
    counts = counting.take(10.0, lost=3)
    assert (counts.seconds, counts.frames, counts.bytes, counts.lost) == (10.0, 5, 5000, 3)
    assert (counts.stalls, counts.longest_key_distance) == (1, 8.0)
    counts = counting.take(20.0, lost=5)
    assert (counts.seconds, counts.frames, counts.lost, counts.stalls) == (10.0, 0, 2, 0)
    assert counts.longest_key_distance == 18.0


def test_live_video_that_nobody_takes_is_dropped_until_a_key_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outboxes, "MAX_LIVE", 1 << 20)
    ours, theirs = map(Channel, socket.socketpair())
    outbox = Outbox(ours, lambda: None)
    for number in range(200):
        head = {"key": number == 0, "at": float(number)}
        outbox.send(Message(messages.FRAGMENT, 1, head, bytes(1 << 15)))
        outbox.send(Message(messages.STATE, 1, {"number": number}))
    outbox.send(Message(messages.FRAGMENT, 2, {"key": True, "at": 0.0}, b"another stream"))
    outbox.send(Message(messages.ENDED, 1))
    received: list[Message] = []
    while not received or received[-1].kind != messages.ENDED:
        received += theirs.receive()
    fragments = [message for message in received if message.kind == messages.FRAGMENT]
    assert len(fragments) < 60
    assert fragments[-1].data == b"another stream"
    assert sum(message.kind == messages.STATE for message in received) == 200
    outbox.send(Message(messages.FRAGMENT, 1, {"key": False, "at": 300.0}))
    outbox.send(Message(messages.FRAGMENT, 1, {"key": True, "at": 301.0}))
    outbox.close(10)
    assert [message.head["at"] for message in theirs.receive()] == [301.0]
    ours.close()
    theirs.close()


def test_a_disk_that_is_too_slow_ends_the_recording_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Message] = []
    plan = plan_head(SegmentPlan(tmp_path))
    head = {"lease": 9, "device": 1, "name": "main", "plan": plan}
    recording = Recording(sent.append, 1, head, ())
    for second in range(4):
        recording.feed(picture(float(second)))
    recording.pass_on()
    until(lambda: sent, what="something is written")
    monkeypatch.setattr(recordings, "MAX_WAITING", 1)
    recording.feed(picture(5.0))
    recording.pass_on()
    until(lambda: sent[-1].head["is_closed"])
    recording.close("asked")
    recording.join()
    segment = segment_of({name: sent[-1].head[name] for name in sent[-1].head if name != "lease"})
    assert (segment.reason, segment.error) == ("disk", "The disk is too slow")
    assert segment.path.stat().st_size == segment.size


def picture(at: float) -> EncodedPacket:
    return EncodedPacket(VIDEO, b"\xff\xd8\xff\xd9", at, at, True, at, at + 1e9, JPEG)
