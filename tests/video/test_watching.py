"""What viewers are given: the newest, and never more than they take."""

import threading
from datetime import UTC, datetime

import pytest

from video import watching
from video.model import PLAYING, Format, Fragment, Init, Picture, StreamKey, StreamState
from video.watching import MJPEG, MP4, PictureOptions, Viewers, Watch

AT = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)
STATE = StreamState(PLAYING, AT)
INIT = Init(Format("h264", 640, 360, "avc1.64001f"), b"moov")
SMALL = PictureOptions(640, 5.0, 70)


@pytest.fixture
def viewers() -> Viewers:
    return Viewers()


def viewer(viewers: Viewers, options: PictureOptions | None = None) -> Watch:
    kind = MP4 if options is None else MJPEG
    watch = Watch(StreamKey(1), kind, "otto", AT, options, viewers.remove)
    viewers.add(watch, STATE)
    return watch


def fragment(at: float, *, is_key: bool = False, size: int = 10) -> Fragment:
    return Fragment(bytes(size), is_key, at)


def taken(watch: Watch) -> list[object]:
    values = []
    while (value := watch.next(0)) is not None:
        values.append(value)
    return values


def test_a_new_viewer_gets_all_since_the_last_key_frame_at_once(viewers: Viewers) -> None:
    with viewer(viewers) as first:
        group = [fragment(2.0, is_key=True), fragment(2.1), fragment(2.2)]
        for value in (INIT, fragment(0.0, is_key=True), fragment(0.1), *group):
            viewers.put(value)
        with viewer(viewers) as second:
            assert taken(second) == [STATE, INIT, *group]
        assert len(taken(first)) == 7


def test_a_slow_viewer_goes_on_at_the_newest_key_frame(viewers: Viewers) -> None:
    with viewer(viewers) as slow:
        viewers.put(INIT)
        for second in range(20):
            viewers.put(fragment(float(second), is_key=True))
            viewers.put(fragment(second + 0.5))
        values = taken(slow)
        assert values[:2] == [STATE, INIT]
        assert values[2].is_key
        assert values[2].at >= 19 - watching.LATE
        assert slow.skips > 0


def test_a_viewer_that_takes_nothing_costs_a_limited_queue(viewers: Viewers) -> None:
    with viewer(viewers) as never:
        viewers.put(INIT)
        viewers.put(fragment(0.0, is_key=True))
        for number in range(40):
            viewers.put(fragment(number / 15, size=1 << 20))
        waiting = [value for value in taken(never) if isinstance(value, Fragment)]
        assert sum(len(value.data) for value in waiting) <= watching.MAX_QUEUED
        assert not waiting or waiting[0].is_key


def test_a_long_group_is_not_kept_for_the_next_viewer(viewers: Viewers) -> None:
    with viewer(viewers):
        viewers.put(INIT)
        viewers.put(fragment(0.0, is_key=True))
        for second in range(100):
            viewers.put(fragment(float(second)))
        with viewer(viewers) as late:
            assert taken(late) == [STATE, INIT]
            viewers.put(fragment(101.0))
            assert taken(late) == []
            viewers.put(fragment(102.0, is_key=True))
            assert len(taken(late)) == 1


def test_fragments_without_their_beginning_are_not_given(viewers: Viewers) -> None:
    with viewer(viewers) as first:
        viewers.put(INIT)
    with viewer(viewers) as second:
        viewers.put(fragment(1.0, is_key=True))
        assert taken(second) == [STATE]
    assert first.next(0) is None


def test_only_the_newest_picture_waits_and_each_viewer_gets_its_size(viewers: Viewers) -> None:
    large = PictureOptions(1920)
    pictures = [Picture(bytes([n]), 640, 360, (1280, 720), float(n)) for n in range(3)]
    with viewer(viewers, SMALL) as first, viewer(viewers, large) as other:
        for picture in pictures:
            viewers.put_picture(SMALL, picture)
        assert taken(first) == [STATE, pictures[2]]
        assert taken(other) == [STATE]
        with viewer(viewers, SMALL) as second:
            assert taken(second) == [STATE, pictures[2]]
        assert viewers.picture_options() == {SMALL, large}


def test_close_wakes_the_thread_that_waits_for_the_next_value(viewers: Viewers) -> None:
    watch = viewer(viewers)
    assert watch.next(0) == STATE
    values: list[object] = []
    waiting = threading.Thread(target=lambda: values.append(watch.next(60)))
    waiting.start()
    watch.close()
    waiting.join(10)
    assert values == [None]
    assert watch.is_closed
    assert viewers.watches() == ()
