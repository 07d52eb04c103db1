"""The session budget of a device, learned from what it refuses."""

from dataclasses import replace

from discovery.sessions import FRESH, RELEARN, Sessions, Stream
from fleet.model import Access, Device
from fleet.places import session_owner


class Timer:
    """A monotonic clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_lowers_the_budget_to_what_the_device_took() -> None:
    sessions = Sessions(Timer())
    streams = [Stream(7, name) for name in ("1/main", "1/sub", "2/main", "2/sub")]
    assert all(sessions.reserve(7, stream) for stream in streams)
    assert sessions.budget(7) is None, "nobody refused anything"
    assert sessions.refused(7) == 3
    sessions.release(7, Stream(7, "2/sub"))
    assert not sessions.reserve(7, Stream(7, "2/sub"))
    sessions.release(7, Stream(7, "1/main"))
    assert sessions.reserve(7, Stream(7, "2/sub"))
    assert sessions.reserve(8, Stream(8, "1/main")), "another device is not concerned"


def test_a_budget_never_falls_below_one() -> None:
    sessions = Sessions(Timer())
    for _ in range(3):
        assert sessions.reserve(7, Stream(7, "1/main"))
        assert sessions.refused(7) == 1
        sessions.release(7, Stream(7, "1/main"))
    assert sessions.refused(7) == 1


def test_a_stream_has_one_session() -> None:
    sessions = Sessions(Timer())
    assert sessions.reserve(7, Stream(7, "1/main"))
    assert not sessions.reserve(7, Stream(7, "1/main"))


def test_a_day_after_a_refusal_one_session_more_is_tried() -> None:
    timer = Timer()
    sessions = Sessions(timer)
    sessions.reserve(7, Stream(7, "1/main"))
    sessions.refused(7)
    timer.now += RELEARN - 1
    assert not sessions.reserve(7, Stream(7, "1/sub"))
    timer.now += 1
    assert sessions.reserve(7, Stream(7, "1/sub"))
    assert not sessions.reserve(7, Stream(7, "2/main"))
    assert sessions.refused(7) == 1, "it refuses still"
    sessions.release(7, Stream(7, "1/sub"))
    assert not sessions.reserve(7, Stream(7, "1/sub"))
    timer.now += 2 * RELEARN
    assert sessions.budget(7) == 3


def test_packets_of_a_reader_prove_that_the_device_is_alive_for_a_while() -> None:
    timer = Timer()
    sessions = Sessions(timer)
    sessions.reader_alive(7, Stream(7, "1/main"), timer.now)
    assert not sessions.is_read(7, 7), "a reader without a session reads nothing"
    sessions.reserve(7, Stream(7, "1/main"))
    assert not sessions.is_read(7, 7), "a session alone proves nothing"
    sessions.reader_alive(7, Stream(7, "1/main"), timer.now)
    timer.now += FRESH
    assert sessions.is_read(7, 7)
    timer.now += 0.1
    assert not sessions.is_read(7, 7)
    sessions.reader_alive(7, Stream(7, "1/main"), timer.now)
    sessions.release(7, Stream(7, "1/main"))
    assert not sessions.is_read(7, 7), "the reader is gone"


def test_a_reader_of_one_channel_proves_it_and_the_recorder_and_no_other_channel() -> None:
    timer = Timer()
    sessions = Sessions(timer)
    assert sessions.reserve(1, Stream(2, "main"))
    sessions.reader_alive(1, Stream(2, "main"), timer.now)
    assert [sessions.is_read(1, device) for device in (1, 2, 3)] == [True, True, False]


def test_the_channels_of_a_recorder_share_its_sessions() -> None:
    access = {"rtsp": Access()}
    recorder = Device(1, "recorder", "here", ("row:1",), address="10.0.0.1")
    channel = Device(
        2, "camera", "here", ("row:2",), address="10.0.0.1", access=access, parents=(1,)
    )
    behind_switch = replace(channel, id=3, address="10.0.0.3")
    devices = {1: recorder, 2: channel, 3: behind_switch}
    assert session_owner(channel, "rtsp", devices) == 1
    assert session_owner(behind_switch, "rtsp", devices) == 3
    assert session_owner(replace(channel, parents=(9,)), "rtsp", devices) == 2
