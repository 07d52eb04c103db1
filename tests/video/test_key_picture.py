"""One picture out of a stream: of a real server, in full size, whole, and at little cost."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from fleet.pictures import NotOffered, NotTaken, jpeg_size
from picture_health.measures import decoded
from tests.gst_server import gst_server, needs_gst
from tests.home import until
from tests.video.clips import Recorded
from tests.video.packets_of import packets_of
from tests.video.rtsp_opener import Server, SilentCamera
from video.jpegs import whole_picture
from video.key_picture import WITHOUT_SUB, KeyPictures, _not_taken
from video.messages import KEY_PICTURE, Message
from video.model import MAIN, PLAYING, RETRYING, SUB, NotOpened, StreamKey, StreamState
from video.nal_units import annex_b
from video.outages import INCOMPLETE, NO_SUB, REFUSED
from video.packets import EncodedPacket, VideoCoding
from video.reader.key_pictures import KeyPictures as Reader
from video.streams import Streams
from video.watching import MJPEG, MP4, KeyWish

Packets = Callable[[str], Recorded]
ADDRESS = "127.63.0.9"
LARGE, SMALL = StreamKey(1, MAIN), StreamKey(1, SUB)


class Camera(Server):
    """Opens the streams of one device: its main stream, and a sub stream where it has one. `busy`
    are those for which it has no session."""

    busy: frozenset[str] = frozenset()
    has_sub = True
    in_vain = 0

    def open(self, key: StreamKey):  # type: ignore[no-untyped-def]
        if key.name in self.busy:
            raise NotOpened("all 1 sessions of the device are in use", 5.0, REFUSED)
        if key.name == SUB and not self.has_sub:
            self.in_vain += 1
            raise NotOpened("this camera has no sub stream", cause=NO_SUB)
        opened = super().open(StreamKey(1 if key.name == MAIN else 2))
        self.opened[-1] = key
        return opened


@pytest.fixture(scope="module")
def gst() -> Iterator[int]:
    with gst_server(ADDRESS, "--size", "640x360", "--sub", "mjpeg", "--gop", "1") as port:
        yield port


@pytest.fixture
def camera(gst: int) -> Camera:
    return Camera({1: (ADDRESS, gst, "/stream1"), 2: (ADDRESS, gst, "/stream2")})


@pytest.fixture
def streams(camera: Camera) -> Iterator[Streams]:
    made = Streams(camera, lambda: datetime.now(UTC))
    made.start()
    yield made
    made.stop()


def wait_for(streams: Streams, key: StreamKey) -> None:
    def plays() -> bool:
        state = streams.state(key)
        return state is not None and state.activity == PLAYING

    until(plays, what=f"{key} plays")


@needs_gst
def test_a_still_is_of_now_and_closes_what_it_opened(streams: Streams, camera: Camera) -> None:
    began = datetime.now(UTC)
    picture = KeyPictures(streams).take(1, 15)
    assert (picture.width, picture.height) == jpeg_size(picture.data) == (640, 360)
    assert (picture.way, picture.notes) == ("stream", ())
    assert began - timedelta(seconds=1) < picture.taken_at < datetime.now(UTC)
    until(lambda: camera.given_back == [LARGE], limit=5, what="it lingers for no viewer")
    assert streams.state(LARGE) is None


@needs_gst
def test_an_open_stream_is_used_as_it_is(streams: Streams, camera: Camera) -> None:
    with streams.watch(LARGE, MP4, "otto"):
        wait_for(streams, LARGE)
        pictures = KeyPictures(streams)
        first = pictures.take(1, 15)
        pictures.sample(1, 15)
        second = pictures.take(1, 15)
        assert second.taken_at >= first.taken_at
        assert camera.opened == [LARGE], "no session for the sub stream beside it"
        wait_for(streams, LARGE)


@needs_gst
def test_a_sample_is_of_the_small_stream_where_there_is_one(
    streams: Streams, camera: Camera
) -> None:
    now = [0.0]
    pictures = KeyPictures(streams, timer=lambda: now[0] + monotonic())
    assert pictures.sample(1, 15).width == 640
    assert camera.opened == [SMALL]
    until(lambda: not streams.states())
    camera.has_sub = False
    assert pictures.sample(1, 15).width == 640
    assert camera.opened == [SMALL, LARGE]
    until(lambda: not streams.states())
    assert pictures.grey(1, 15).data.startswith(b"P5\n320 180\n")
    assert camera.opened == [SMALL, LARGE, LARGE]
    assert camera.in_vain == 1, "it has no sub stream a moment later either"
    now[0] += WITHOUT_SUB
    camera.has_sub = True
    until(lambda: not streams.states())
    assert pictures.sample(1, 15).grey.startswith(b"P5\n320 180\n")
    assert camera.opened[3:] == [SMALL]


@needs_gst
def test_a_still_is_small_where_only_the_small_stream_has_a_session(
    streams: Streams, camera: Camera
) -> None:
    camera.busy = frozenset((MAIN,))
    pictures = KeyPictures(streams)
    with pytest.raises(NotTaken, match="All 1 sessions of the device are in use"):
        pictures.take(1, 15)
    with streams.watch(SMALL, MJPEG, "otto"):
        wait_for(streams, SMALL)
        picture = pictures.take(1, 15)
    assert camera.opened == [SMALL]
    assert "sub stream" in picture.notes[0]


@needs_gst
def test_a_stream_that_fails_is_tried_once_and_is_no_outage(
    streams: Streams, camera: Camera
) -> None:
    states: list[StreamState] = []
    streams.on_state(lambda _key, state: states.append(state))
    camera.refusal = NotOpened("connection refused")
    with pytest.raises(NotTaken, match="^Connection refused[.]$"):
        KeyPictures(streams).take(1, 15)
    until(lambda: not streams.states(), what="it is forgotten")
    camera.refusal = NotOpened("its address is not known", cause=INCOMPLETE)
    with pytest.raises(NotOffered):
        KeyPictures(streams).take(1, 15)
    until(lambda: not streams.states(), what="it is forgotten")
    until(lambda: len(states) >= 2)
    assert {state.activity for state in states} == {"ended"}


def memory(pid: int, name: str) -> int:
    """`VmRSS`, or the most so far as `VmHWM`, of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) // 1024


@needs_gst
@pytest.mark.torture
def test_a_still_of_8_megapixels_takes_less_than_90_mb_and_gives_them_back() -> None:
    size = ("--size", "3840x2160", "--fps", "2", "--bits", "8000000")
    with gst_server("127.63.0.11", *size) as port:
        camera = Server({1: ("127.63.0.11", port, "/stream1")})
        streams = Streams(camera, lambda: datetime.now(UTC))
        streams.start()
        pictures = KeyPictures(streams)
        with streams.watch(LARGE, MP4, "otto"):
            wait_for(streams, LARGE)
            (child,) = streams.workers.processes()
            before = memory(child, "VmRSS")
            for _still in range(5):
                assert pictures.take(1, 20).width == 3840
            assert memory(child, "VmHWM") - before < 90
            until(lambda: memory(child, "VmRSS") - before < 40, what="it is given back")
        streams.stop()


def test_a_camera_that_sends_nothing_ends_the_wait_in_its_limit() -> None:
    with SilentCamera() as silent:
        streams = Streams(Server({1: ("127.0.0.1", silent.port, "/")}), lambda: datetime.now(UTC))
        streams.start()
        began = monotonic()
        with pytest.raises(NotTaken, match="no undamaged key frame within 1 s") as error:
            KeyPictures(streams).take(1, 1.0)
        assert "key frame" in error.value.hint
        assert monotonic() - began < 5
        streams.stop()


# -- what the reader makes -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["h264", "b-frames", "h265", "mjpeg"])
def test_a_key_frame_is_a_whole_picture_at_once(recorded: Packets, name: str) -> None:
    packet = packets_of(recorded(name))[0]
    picture = whole_picture(packet, 90)
    assert picture is not None
    assert jpeg_size(picture.data) == (320, 184 if name == "mjpeg" else 180)
    assert picture.at == packet.at
    assert (picture.data == packet.data) == (name == "mjpeg")


@pytest.mark.parametrize("name", ["h264", "h265", "mjpeg"])
def test_a_program_gets_the_same_picture_small_and_in_grey(recorded: Packets, name: str) -> None:
    packet = packets_of(recorded(name))[0]
    both, alone = whole_picture(packet, 90, 160), whole_picture(packet, 90, 160, is_seen=False)
    seen = whole_picture(packet, 90)
    assert both is not None
    assert alone is not None
    assert seen is not None
    assert (both.data, alone.data, seen.grey) == (seen.data, b"", b"")
    assert alone.grey == both.grey, "what is compared with each other comes in one way"
    assert alone.grey.startswith(b"P5\n160 9")
    grey, colour = decoded(alone.grey).astype(int), decoded(seen.data).astype(int)
    assert abs(grey.mean() - colour.mean()) < 1
    assert abs(grey.std() - colour.std()) < 3, "all 256 levels, as in a JPEG"


@pytest.mark.parametrize("name", ["h264", "h265", "mjpeg"])
def test_a_damaged_key_frame_is_no_picture(recorded: Packets, name: str) -> None:
    packet = packets_of(recorded(name))[0]
    middle = len(packet.data) // 2
    for damaged in (
        packet.data[:middle],
        packet.data[:middle] + bytes(200) + packet.data[middle + 200 :],
    ):
        assert whole_picture(replace(packet, data=damaged), 90) is None


def test_a_picture_that_builds_on_others_is_none(recorded: Packets) -> None:
    key, other, *_rest = packets_of(recorded("h264"))
    assert isinstance(key.coding, VideoCoding)
    alone = annex_b([*key.coding.sets]) + other.data
    assert whole_picture(replace(key, data=alone), 90) is None


class Sent(list[Message]):
    """What a reader sends."""

    def wishes(self) -> list[int]:
        assert all(message.kind == KEY_PICTURE for message in self)
        return [message.head["wish"][0] for message in self]

    def wait(self, *numbers: int) -> None:
        until(lambda: self.wishes() == [*numbers], what=f"{self.wishes()} are {numbers}")


def at(packet: EncodedPacket, time: float) -> EncodedPacket:
    return replace(packet, arrived=time)


def test_a_wish_takes_a_fresh_key_frame_else_the_next_else_the_last(recorded: Packets) -> None:
    packets = packets_of(recorded("h264"))
    key, other = packets[0], next(packet for packet in packets if not packet.is_key)
    sent = Sent()
    reader = Reader(1, sent.append)
    fresh, waiting, patient = KeyWish(1, 2.0, 9.0), KeyWish(2, 2.0, 9.0), KeyWish(3, 2.0, 3.0)
    reader.want([fresh], at(key, 100.0), 101.0)
    sent.wait(1)
    reader.want([fresh, waiting], at(key, 100.0), 105.0)
    reader.feed(at(other, 106.0))
    until(lambda: not reader._is_decoding)
    assert sent.wishes() == [1], "the key frame is old, and another one may come"
    reader.feed(at(key, 107.0))
    sent.wait(1, 2)
    reader.want([patient], at(key, 100.0), 110.0)
    reader.feed(at(other, 112.0))
    until(lambda: not reader._is_decoding)
    assert sent.wishes() == [1, 2]
    reader.feed(at(other, 113.5))
    sent.wait(1, 2, 3)
    reader.want([], at(key, 100.0), 114.0)
    reader.feed(at(key, 115.0))
    until(lambda: not reader._is_decoding)
    assert sent.wishes() == [1, 2, 3]


def test_a_damaged_key_frame_leaves_its_wish_to_the_next_one(recorded: Packets) -> None:
    key = packets_of(recorded("h264"))[0]
    sent = Sent()
    reader = Reader(1, sent.append)
    reader.want([KeyWish(1, 2.0, 9.0)], None, 100.0)
    reader.feed(replace(at(key, 101.0), data=key.data[: len(key.data) // 2]))
    until(lambda: not reader._is_decoding)
    assert sent.wishes() == []
    reader.feed(at(key, 102.0))
    sent.wait(1)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("no route to it", "No route to it."),
        ("not offered now: privacy mode?", "Not offered now: privacy mode?"),
        ("It is off.", "It is off."),
        ("", "The stream has ended."),
    ],
)
def test_the_reason_of_a_stream_that_does_not_play_is_a_sentence(
    reason: str, sentence: str
) -> None:
    state = StreamState(RETRYING, datetime(2026, 11, 28, tzinfo=UTC), reason)
    assert _not_taken(state).reason == sentence
