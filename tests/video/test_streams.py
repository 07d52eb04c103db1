"""Streams of a real RTSP server, read in real child processes."""

import io
import itertools
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import pytest

from tests.gst_server import gst_server, needs_gst
from tests.home import ROOT, until
from tests.video import clips
from tests.video.rtsp_opener import Server, SilentCamera
from video.model import (
    NO_PICTURE,
    PLAYING,
    RETRYING,
    Fragment,
    Init,
    LinkCounts,
    NotOpened,
    Picture,
    SegmentPlan,
    SegmentProgress,
    StreamKey,
    StreamState,
)
from video.outages import CUT, OFF, REFUSED, SERVER
from video.streams import Streams
from video.watching import MJPEG, MP4, Watch
from video.workers import Workers

pytestmark = needs_gst
ADDRESS = "127.63.0.1"
PATHS = "/one", "/two", "/three"
FIRST, SECOND, THIRD = StreamKey(1), StreamKey(2), StreamKey(3)
PAUSES = (0.2, 0.4)
MakeStreams = Callable[..., Streams]
T = TypeVar("T")


@pytest.fixture(scope="module")
def gst() -> Iterator[int]:
    options = [option for path in PATHS for option in ("--path", path)]
    with gst_server(ADDRESS, *options) as port:
        yield port


@pytest.fixture
def server(gst: int) -> Server:
    return Server({number: (ADDRESS, gst, path) for number, path in enumerate(PATHS, 1)})


@pytest.fixture
def make_streams(server: Server) -> Iterator[MakeStreams]:
    made: list[Streams] = []

    def make(opener: Server = server, **options: Any) -> Streams:
        workers = partial(Workers, **options.pop("workers", {}))
        named = {"linger": 0.3, "pauses": PAUSES, "make_workers": workers, **options}
        clock = named.pop("clock", lambda: datetime.now(UTC))
        made.append(Streams(opener, clock, **named))
        made[-1].start()
        return made[-1]

    yield make
    for streams in made:
        streams.stop()


def is_in(streams: Streams, key: StreamKey, activity: str) -> Callable[[], bool]:
    def holds() -> bool:
        state = streams.state(key)
        return state is not None and state.activity == activity

    return holds


def wait_for(streams: Streams, activity: str, *keys: StreamKey) -> None:
    for key in keys:
        until(is_in(streams, key, activity), what=f"{key} is {activity}: {streams.state(key)}")


def process_of(streams: Streams, *keys: StreamKey) -> int:
    """The child that reads these streams."""
    numbers = {streams._streams[key].number for key in keys}
    [pid] = [pid for pid, known in streams.workers.processes().items() if numbers <= known]
    return pid


def connections_to(port: int) -> int:
    """Connections of this machine to a port that are established."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += int(fields[2].rpartition(":")[2], 16) == port and fields[3] == "01"
    return count


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_viewers_and_recorder_share_one_session_that_ends_after_the_last(
    make_streams: MakeStreams, server: Server, gst: int, tmp_path: Path
) -> None:
    segments: list[SegmentProgress] = []
    streams = make_streams()
    assert streams.workers.processes() == {}
    lease = streams.record(FIRST, SegmentPlan(tmp_path), segments.append)
    watches = [streams.watch(FIRST, kind, "otto") for kind in (MP4, MP4, MJPEG)]
    wait_for(streams, PLAYING, FIRST)
    state = streams.state(FIRST)
    assert state is not None
    assert state.format is not None
    assert (state.format.video, state.format.width, state.format.height) == ("h264", 320, 240)
    assert connections_to(gst) == 1
    assert {watch.viewer for watch in streams.watches()} == {"otto"}
    until(lambda: segments, what="a segment is written")
    until(lambda: getattr(streams.state(FIRST), "key_distance", None), what="two key frames came")
    for watch in watches:
        watch.close()
    assert streams.state(FIRST) is not None, "it is still recorded"
    lease.stop()
    until(lambda: streams.states() == {}, what="the stream is closed")
    until(lambda: connections_to(gst) == 0, what="the session has ended")
    assert server.opened == server.given_back == [FIRST]
    assert segments[-1].is_closed
    assert segments[-1].path.stat().st_size == segments[-1].size > 0
    assert server.seen_alive == {FIRST}
    with streams.watch(FIRST, MP4, "otto") as watch:
        state = watch.next(0)
        assert isinstance(state, StreamState)
        assert 1.5 < (state.key_distance or 0) < 2.5, "known while it waits for the next one"


def test_what_is_watched_plays(make_streams: MakeStreams) -> None:
    """Two viewers of a kind; the second comes later, and begins at once with all that it needs."""
    streams = make_streams()
    with (
        streams.watch(FIRST, MP4, "otto") as first,
        streams.watch(FIRST, MP4, "anna") as never,
        streams.watch(FIRST, MJPEG, "emil", max_width=160, max_rate=0) as pictures,
    ):
        played(first, 20)
        with streams.watch(FIRST, MP4, "ida") as second:
            values = [second.next(0) for _ in range(3)]
            assert [type(value) for value in values] == [StreamState, Init, Fragment]
            assert values[2].is_key
            played(second, 5, values)
        picture = next_of(Picture, pictures)
        assert (picture.width, picture.height, picture.source) == (160, 120, (320, 240))
        [frame] = decoded(picture.data, "mjpeg")
        assert (frame.width, frame.height) == (160, 120)
        age = datetime.now(UTC).timestamp() - picture.at
        assert -1 < age < 10
        assert not never.is_closed, "it has taken nothing, and disturbs nobody"


def played(watch: Watch, count: int, values: Sequence[Any] = ()) -> None:
    """Take fragments until as many pictures can be decoded."""
    taken = list(values)
    while sum(isinstance(value, Fragment) for value in taken) < count:
        taken.append(watch.next(20))
        assert taken[-1] is not None
    data = b"".join(value.data for value in taken if isinstance(value, Init | Fragment))
    frames = decoded(data, "mp4")
    assert len(frames) == count
    assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}


def next_of(kind: type[T], watch: Watch) -> T:
    while not isinstance(value := watch.next(20), kind):
        assert value is not None
    return value


def decoded(data: bytes, kind: str) -> list[Any]:
    import av

    with av.open(io.BytesIO(data), format=kind) as container:
        return list(container.decode(video=0))


def test_a_stream_over_udp_plays(make_streams: MakeStreams, server: Server, gst: int) -> None:
    server.uses_udp = True
    streams = make_streams()
    with streams.watch(FIRST, MP4, "otto") as watch:
        played(watch, 10)
        state = streams.state(FIRST)
        assert state is not None
        assert state.transport == "udp"
    until(lambda: streams.states() == {} and connections_to(gst) == 0, what="it is closed")


def test_a_stream_is_opened_again_where_its_camera_is_now(
    make_streams: MakeStreams, server: Server, gst: int
) -> None:
    streams = make_streams()
    with streams.watch(FIRST, MP4, "otto") as watch:
        played(watch, 5)
        server.places[1] = (ADDRESS, gst, "/two")
        server.moved.add(FIRST)
        until(lambda: server.opened == [FIRST, FIRST], what="it is opened again")
        until(lambda: connections_to(gst) == 1, what="nothing is read at the old place")
        assert isinstance(next_of(Init, watch), Init)
        wait_for(streams, PLAYING, FIRST)
    assert server.given_back == [FIRST]


def test_a_clock_that_is_set_restarts_nothing(make_streams: MakeStreams, server: Server) -> None:
    start, calls = datetime.now(UTC), itertools.count()
    streams = make_streams(clock=lambda: start + timedelta(hours=next(calls) * (-1) ** next(calls)))
    with streams.watch(FIRST, MP4, "otto") as watch:
        played(watch, 20)
    assert server.opened == [FIRST]


def test_a_page_that_is_loaded_again_finds_the_stream_open(
    make_streams: MakeStreams, server: Server
) -> None:
    streams = make_streams(linger=60)
    streams.watch(FIRST, MP4, "otto").close()
    with streams.watch(FIRST, MP4, "otto"):
        wait_for(streams, PLAYING, FIRST)
    assert streams.state(FIRST) is not None
    assert server.opened == [FIRST]


@pytest.mark.parametrize(
    ("kill", "reason", "options"),
    [
        (signal.SIGSEGV, "SIGSEGV", {}),
        (signal.SIGSTOP, "it sent nothing for 3 s", {"silence": 3.0}),
    ],
    ids=["crash", "hang"],
)
def test_a_crash_ends_one_group_of_streams_for_a_moment(
    make_streams: MakeStreams,
    server: Server,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    kill: signal.Signals,
    reason: str,
    options: dict[str, float],
) -> None:
    streams = make_streams(workers={"group": 2, **options})
    segments: list[SegmentProgress] = []
    streams.record(FIRST, SegmentPlan(tmp_path), segments.append)
    keys = FIRST, SECOND, THIRD
    watches = [streams.watch(key, MP4, "otto") for key in keys]
    wait_for(streams, PLAYING, *keys)
    until(lambda: segments, what="it is recorded")
    lost = max(streams.workers.processes().items(), key=lambda item: len(item[1]))
    [other] = streams.workers.processes().keys() - {lost[0]}
    group = [key for key in keys if streams._streams[key].number in lost[1]]
    assert len(group) == 2
    os.kill(lost[0], kill)
    until(lambda: sorted(server.opened) == sorted([*keys, *group]), what="both are opened again")
    wait_for(streams, PLAYING, *keys)
    assert has_ended(lost[0])
    assert other in streams.workers.processes(), "the other child was not touched"
    assert sorted(server.given_back) == sorted(group)
    [line] = [record.getMessage() for record in caplog.records]
    assert line == f"A process that reads 2 streams has ended: {reason}. It is replaced."
    if FIRST in group:
        until(lambda: len({segment.path for segment in segments}) == 2, what="it goes on")
    for watch in watches:
        watch.close()


def test_a_stream_that_may_have_crashed_others_is_read_alone(make_streams: MakeStreams) -> None:
    streams = make_streams()
    with streams.watch(FIRST, MP4, "otto"), streams.watch(SECOND, MP4, "otto"):
        wait_for(streams, PLAYING, FIRST, SECOND)
        for crashes in (1, 2):
            os.kill(process_of(streams, FIRST), signal.SIGSEGV)
            until(lambda crashes=crashes: len(streams._streams[FIRST].crashes) == crashes)
            wait_for(streams, PLAYING, FIRST, SECOND)
        assert process_of(streams, FIRST) != process_of(streams, SECOND)


def test_a_camera_that_stops_and_starts_comes_back(
    make_streams: MakeStreams, server: Server
) -> None:
    address = "127.63.0.2"
    streams = make_streams()
    with gst_server(address) as port:
        server.places[1] = (address, port, "/stream1")
        watch = streams.watch(FIRST, MP4, "otto")
        wait_for(streams, PLAYING, FIRST)
    wait_for(streams, RETRYING, FIRST)
    state = streams.state(FIRST)
    assert state is not None
    assert state.cause in (CUT, OFF), "cut at first, then the opener says"
    until(lambda: "refused" in getattr(streams.state(FIRST), "reason", ""), what="it is off")
    with gst_server(address, "--port", str(port)):
        wait_for(streams, PLAYING, FIRST)
        watch.close()
        until(lambda: streams.states() == {})


def test_a_stop_of_the_monitor_is_no_outage_of_a_camera(
    make_streams: MakeStreams, tmp_path: Path
) -> None:
    streams, activities = make_streams(), []
    streams.on_state(lambda _key, state: activities.append(state.activity))
    streams.record(FIRST, SegmentPlan(tmp_path), lambda _progress: None)
    wait_for(streams, PLAYING, FIRST)
    streams.stop()
    assert activities[-1] == PLAYING


def test_a_camera_that_turns_to_h265_begins_another_file(
    make_streams: MakeStreams, server: Server, tmp_path: Path
) -> None:
    """A camera says its codec before it plays, so it begins its stream again."""
    address, segments = "127.63.0.4", list[SegmentProgress]()
    streams = make_streams()
    other = streams.watch(SECOND, MP4, "anna")
    with gst_server(address) as port:
        server.places[1] = (address, port, "/stream1")
        watch = streams.watch(FIRST, MP4, "otto")
        lease = streams.record(FIRST, SegmentPlan(tmp_path), segments.append)
        before = next_of(Init, watch)
        wait_for(streams, PLAYING, SECOND)
        until(lambda: segments, what="it is recorded")
    with gst_server(address, "--port", str(port), "--codec", "h265"):
        after = next_of(Init, watch)
        until(lambda: len({segment.path for segment in segments}) == 2, what="another file")
        lease.stop()
        watch.close()
        until(lambda: streams.state(FIRST) is None, what="it is closed")
    assert [init.format.codecs[:4] for init in (before, after)] == ["avc1", "hvc1"]
    files = list(dict.fromkeys(segment.path for segment in segments))
    assert [codec_of(path) for path in files] == ["h264", "hevc"]
    assert all(len(decoded(path.read_bytes(), "mp4")) > 10 for path in files)
    assert is_in(streams, SECOND, PLAYING)()
    assert server.opened.count(SECOND) == 1, "the other camera was not disturbed"
    other.close()


def codec_of(path: Path) -> str:
    import av

    with av.open(path) as file:
        return str(file.streams.video[0].codec_context.name)


def test_a_file_grows_between_key_frames_that_are_ten_seconds_apart(
    make_streams: MakeStreams, server: Server, tmp_path: Path
) -> None:
    address, segments = "127.63.0.5", list[SegmentProgress]()
    streams = make_streams()
    with gst_server(address, "--gop", "10") as port:
        server.places[1] = (address, port, "/stream1")
        lease = streams.record(FIRST, SegmentPlan(tmp_path), segments.append)
        until(lambda: len({segment.size for segment in segments}) > 1, what="it has grown")
        [file] = tmp_path.iterdir()
        frames = decoded(file.read_bytes(), "mp4")
        lease.stop()
    assert [frame.key_frame for frame in frames].count(True) == 1
    assert 15 < len(frames) < 150, "more than a second, and no second key frame"


def test_pauses_grow_with_each_failure_until_a_stream_has_played(server: Server) -> None:
    streams = Streams(server, lambda: datetime.now(UTC))
    streams.watch(FIRST, MP4, "otto")
    stream = streams._streams[FIRST]
    for pause in (1, 2, 5, 10, 30, 30, 30):
        before = monotonic()
        with streams._changed:
            streams._retry(stream, "off", OFF)
        assert stream.due is not None
        assert before + pause <= stream.due <= monotonic() + pause
    streams._numbers[7], stream.proven_at = stream, monotonic() - 1
    streams._note_packets({"7": (monotonic(), None)})
    assert stream.failures == 0


def test_the_app_keeps_a_stream_ten_seconds_after_its_last_viewer(
    recorded: Callable[[str], clips.Recorded],
) -> None:
    media = b"".join(
        b"$" + bytes((channel,)) + len(data).to_bytes(2) + data
        for channel, data, _time in recorded("h264").packets
    )
    with SilentCamera(media) as camera:
        opener = Server({1: ("127.0.0.1", camera.port, "/")})
        streams = Streams(opener, lambda: datetime.now(UTC), silence=600)
        streams.start()
        try:
            with streams.watch(FIRST, MP4, "otto"):
                wait_for(streams, PLAYING, FIRST)
            with streams._changed:
                stream = streams._streams[FIRST]
                since = stream.unneeded_since
                assert since is not None
                streams._look_after(stream, since + 9.9)
                assert not stream.is_closing
                streams._look_after(stream, since + 10)
                assert stream.is_closing
            until(lambda: streams.states() == {}, what="it is closed")
            until(lambda: camera.methods[-1] == "TEARDOWN", what="its session has ended")
        finally:
            streams.stop()


def test_a_stream_that_opens_while_the_monitor_stops_is_ended_in_order(
    make_streams: MakeStreams,
) -> None:
    with SilentCamera() as camera:
        opener = Server({1: ("127.0.0.1", camera.port, "/")})
        streams = make_streams(opener)
        opener.on_opened = streams.workers.stop
        with streams.watch(FIRST, MP4, "otto"):
            wait_for(streams, RETRYING, FIRST)
        until(lambda: opener.opened and camera.open == 0, what="its connection is closed")
        assert camera.methods.count("TEARDOWN") == 1
        assert opener.given_back == [FIRST]


RTCP = bytes.fromhex("80c80006") + bytes(24)
LITTLE = b"$\x01" + len(RTCP).to_bytes(2) + RTCP
SOUND = b"$\x02" + (172).to_bytes(2) + bytes.fromhex("8008000100000000deadbeef") + bytes(160)


@pytest.mark.parametrize(
    ("media", "reason"),
    [
        (b"", "Connected, but the device sends nothing"),
        (LITTLE, "Connected, but the device sends no video"),
        (SOUND * 20, "Connected, but the device sends no video"),
    ],
    ids=["nothing", "RTCP alone", "sound alone"],
)
def test_a_camera_without_video_has_no_picture_and_leaves_nothing(
    make_streams: MakeStreams, media: bytes, reason: str
) -> None:
    with SilentCamera(media) as camera:
        silent = Server(dict.fromkeys(range(20), ("127.0.0.1", camera.port, "/")))
        streams = make_streams(silent, silence=0.2, pauses=(60.0,), workers={"group": 20})
        seen = set[str]()
        streams.on_state(lambda _key, state: seen.add(state.activity))
        watches = [streams.watch(StreamKey(number), MP4, "otto") for number in range(20)]
        wait_for(streams, NO_PICTURE, *silent.keys())
        state = streams.state(StreamKey(3))
        assert state is not None
        assert state.reason == reason
        until(lambda: camera.open == 0, what="every connection is closed")
        assert camera.methods.count("TEARDOWN") == 20
        [child] = streams.workers.processes()
        until(lambda: len(list(Path(f"/proc/{child}/task").iterdir())) == 2, what="its threads end")
        assert sum("socket" in link for link in links(child)) == 1
        for watch in watches:
            watch.close()
        until(lambda: streams.states() == {})
    assert RETRYING not in seen, "its outage is one without a picture, and no other"


def test_a_picture_that_stops_for_long_is_a_stall(
    make_streams: MakeStreams, recorded: Callable[[str], clips.Recorded]
) -> None:
    """The connection is closed then, and its stall is told with the counts of the next one."""
    media = b"".join(
        b"$" + bytes((channel,)) + len(data).to_bytes(2) + data
        for channel, data, _time in recorded("h264").packets
    )
    counts: list[LinkCounts] = []
    with SilentCamera(media) as camera:
        silent = Server({1: ("127.0.0.1", camera.port, "/")})
        streams = make_streams(silent, silence=0.5, pauses=(0.0,))
        streams.on_counts(lambda _key, count: counts.append(count))
        with streams.watch(FIRST, MP4, "otto"):
            until(lambda: len(counts) >= 3, what="three connections have ended")
    assert [count.stalls for count in counts[:3]] == [0, 1, 1]


def test_a_camera_of_few_pictures_says_so_and_is_never_without_one(
    make_streams: MakeStreams, server: Server
) -> None:
    """Its description tells that it sends one picture a second."""
    address, seen = "127.63.0.3", list[str]()
    with gst_server(address, "--fps", "1") as port:
        server.places[1] = (address, port, "/stream1")
        streams = make_streams(silence=0.3)
        streams.on_state(lambda _key, state: seen.append(state.activity))
        with streams.watch(FIRST, MP4, "otto") as watch:
            for _picture in range(4):
                until(lambda: isinstance(watch.next(1), Fragment))
    assert NO_PICTURE not in seen
    assert server.opened == [FIRST]


def test_the_distance_of_few_pictures_is_learned_and_a_dead_camera_still_noticed(
    make_streams: MakeStreams, tmp_path: Path
) -> None:
    """Nothing tells that a picture comes every 0.7 s: more than twice as long as is usual."""
    clip = clips.recorded(clips.make(tmp_path / "clip.ts", "-an", "-c:v", "libx264", seconds=1))
    first = [data for channel, data, time in clip.packets if (channel, time) == (0, 0.0)]
    pictures, sent = list[bytes](), 0
    for number in range(6):
        stamped = b""
        for data in first:
            head = struct.pack("!HI", sent, number * 63_000)
            packet = data[:2] + head + data[8:]
            stamped += b"$\0" + len(packet).to_bytes(2) + packet
            sent += 1
        pictures.append(stamped)
    seen = list[str]()
    with SilentCamera(pictures=pictures, seconds=0.7) as camera:
        streams = make_streams(Server({1: ("127.0.0.1", camera.port, "/")}), silence=0.3)
        streams.on_state(lambda _key, state: seen.append(state.activity))
        with streams.watch(FIRST, MP4, "otto"):
            until(lambda: camera.most_pictures == 6, what="the last picture has come")
            until(is_in(streams, FIRST, NO_PICTURE), what="it is told")
    # Without a picture while nothing is known, and again when none came any more.
    activities = [activity for activity, _states in itertools.groupby(seen)]
    assert 2 <= activities.count(NO_PICTURE) <= 4


def test_a_camera_that_floods_costs_only_itself(make_streams: MakeStreams, server: Server) -> None:
    packet = bytes.fromhex("8060000000000000000000017c00") + bytes(1400)
    flood = (b"$\x00" + len(packet).to_bytes(2) + packet) * 50
    with SilentCamera(flood, floods=True) as camera:
        server.places[2] = ("127.0.0.1", camera.port, "/")
        streams = make_streams()
        with streams.watch(SECOND, MP4, "otto"), streams.watch(FIRST, MP4, "otto") as watch:
            until(lambda: len(streams.workers.processes()) == 1)
            played(watch, 15)
            assert server.opened.count(FIRST) == 1
            [child] = streams.workers.processes()
            assert memory_of(child) < 150 << 20


def memory_of(pid: int) -> int:
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) << 10


def links(pid: int) -> list[str]:
    """What the descriptors of a process are."""
    return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]


def test_a_refusal_tells_when_to_ask_again(make_streams: MakeStreams, server: Server) -> None:
    streams = make_streams()
    server.refusal = NotOpened("The camera has no free session", 0.05, REFUSED)
    with streams.watch(FIRST, MP4, "otto"):
        wait_for(streams, RETRYING, FIRST)
        state = streams.state(FIRST)
        assert state is not None
        assert (state.reason, state.cause) == ("The camera has no free session", REFUSED)
        server.refusal = None
        wait_for(streams, PLAYING, FIRST)
        state = streams.state(FIRST)
        assert state is not None
        assert state.cause == ""


def test_the_child_knows_no_secret_of_the_monitor(
    make_streams: MakeStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "a-secret-of-the-monitor")
    streams = make_streams()
    with streams.watch(FIRST, MP4, "otto"):
        wait_for(streams, PLAYING, FIRST)
        process = Path(f"/proc/{process_of(streams, FIRST)}")
        assert b"a-secret-of-the-monitor" not in (process / "environ").read_bytes()
        assert b"rtsp" not in (process / "cmdline").read_bytes()


ORPHAN = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tests.video import clips
from tests.video.rtsp_opener import Server
from video.model import SegmentPlan, StreamKey
from video.streams import Streams

address, port, folder = sys.argv[1:]
streams = Streams(Server({1: (address, int(port), "/one")}), lambda: datetime.now(UTC))
streams.start()
child = lambda _segment: print(*streams.workers.processes(), flush=True)
streams.record(StreamKey(1), SegmentPlan(Path(folder)), child)
time.sleep(600)
"""


def test_the_child_of_a_monitor_that_is_killed_closes_file_and_session(
    gst: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", ORPHAN, ADDRESS, str(gst), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stdout is not None
        child = int(monitor.stdout.readline())
        monitor.kill()
        monitor.wait()
    until(lambda: has_ended(child), what="the child has ended")
    assert connections_to(gst) == 0
    [file] = tmp_path.iterdir()
    assert len(decoded(file.read_bytes(), "mp4")) > 10


def test_a_server_without_processes_says_so(make_streams: MakeStreams) -> None:
    streams = make_streams(workers={"command": ("/does/not/exist",)})
    with streams.watch(FIRST, MP4, "otto"):
        wait_for(streams, RETRYING, FIRST)
        state = streams.state(FIRST)
        assert state is not None
        assert state.cause == SERVER
        expected = "This server cannot start a process to read streams: No such file or directory"
        assert state.reason == expected


def test_a_child_without_streams_ends(make_streams: MakeStreams) -> None:
    streams = make_streams(workers={"idle": 0.1})
    streams.watch(FIRST, MP4, "otto").close()
    until(streams.workers.processes, what="a child was started")
    until(lambda: not streams.workers.processes(), what="it has ended")
