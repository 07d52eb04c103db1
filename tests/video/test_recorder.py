"""What is recorded and when it ends: by hand, by schedules, through reconnects and restarts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine, event

from fleet.model import Device, Fleet, Refused
from tests.video import encoded
from tests.video.encoded import MONOTONIC, NOON
from video import recording_rows, segment_rows
from video.due import Due
from video.model import (
    RETRYING,
    Format,
    SegmentPlan,
    SegmentProgress,
    StreamKey,
    StreamState,
)
from video.outages import NO_SUB
from video.packets import EncodedPacket
from video.recorded import Recording, Segment
from video.recorder import Recorder
from video.recording_rows import RecordingFilter
from video.segment_file import SegmentWriter

START = datetime.fromtimestamp(NOON, UTC)
GATE, YARD = Device(7, "camera", "", ()), Device(8, "camera", "", ())
NIGHT = Due(7, 1, "Night", "high")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[EncodedPacket]:
    """A second of H.264, which begins with a key frame."""
    return encoded.pictures(encoded.h264(tmp_path_factory.mktemp("clips") / "h264.ts", seconds=1))


class Camera:
    """A stream that is recorded, as the child process does it."""

    def __init__(
        self, key: StreamKey, plan: SegmentPlan, on_segment: Callable[[SegmentProgress], object]
    ) -> None:
        self.key, self.plan, self.on_segment = key, plan, on_segment
        self.is_stopped = False
        self.writer = SegmentWriter(key, plan, on_segment)

    def stop(self) -> None:
        self.is_stopped = True
        self.writer.close("asked")

    def reconnect(self) -> None:
        self.writer.close("stream")
        self.writer = SegmentWriter(self.key, self.plan, self.on_segment)

    def crash(self) -> None:
        """The child process dies, and another one goes on."""
        self.writer = SegmentWriter(self.key, self.plan, self.on_segment)


class Place:
    """A recorder with its cameras. Time passes by `forward` alone."""

    def __init__(self, folder: Path, engine: Engine, pictures: list[EncodedPacket]) -> None:
        self.folder = folder
        self.engine = engine
        self.pictures = pictures
        self.seconds = 0.0
        self.steps = timedelta()
        self.trouble = ""
        self.fleet = Fleet(devices={7: GATE, 8: YARD})
        self.cameras: dict[StreamKey, Camera] = {}
        self.states: dict[StreamKey, StreamState] = {}
        self.changes: list[tuple[int, str]] = []
        folder.mkdir(exist_ok=True)
        self.begin()

    def begin(self) -> None:
        """As after a start of the program."""
        self.recorder = Recorder(
            self.engine, self.folder, self, lambda: self.fleet, self.clock, lambda: self.trouble,
            lambda: MONOTONIC + self.seconds,
        )  # fmt: skip
        self.recorder.on_change = lambda recording: self.changes.append(
            (recording.id, recording.status)
        )
        self.recorder.open()

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.seconds) + self.steps

    def record(
        self, key: StreamKey, plan: SegmentPlan, on_segment: Callable[[SegmentProgress], object]
    ) -> Camera:
        assert key not in self.cameras or self.cameras[key].is_stopped
        assert plan.folder.stat().st_mode & 0o777 == 0o700
        camera = self.cameras[key] = Camera(key, plan, on_segment)
        return camera

    def state(self, key: StreamKey) -> StreamState | None:
        return self.states.get(key)

    def forward(self, seconds: float) -> None:
        """Let time pass: every camera sends, and the recorder looks each second."""
        end = self.seconds + seconds
        while self.seconds < end:
            for camera in self.cameras.values():
                times = [self.seconds + number / 10 for number in range(10)]
                for packet in encoded.at_times(self.pictures, times):
                    if not camera.is_stopped:
                        at = packet.at + self.steps.total_seconds()
                        camera.writer.write(replace(packet, at=at))
            self.seconds += 1.0
            self.recorder.step()

    def recordings(self) -> list[Recording]:
        return recording_rows.page(self.engine, RecordingFilter(), 100)[::-1]

    def statuses(self) -> list[tuple[str, str]]:
        return [(recording.name, recording.status) for recording in self.recordings()]

    def segments(self, device: int = 7) -> list[Segment]:
        return segment_rows.between(
            self.engine, device, None, START - timedelta(days=1), START + timedelta(days=9)
        )

    def spans(self, device: int = 7) -> list[tuple[float, float]]:
        return [
            ((row.started_at - START).total_seconds(), (row.ended_at - START).total_seconds())
            for row in self.segments(device)
        ]


@pytest.fixture
def place(tmp_path: Path, sqlite_engine: Engine, pictures: list[EncodedPacket]) -> Place:
    return Place(tmp_path / "recordings", sqlite_engine, pictures)


MAIN = StreamKey(7)


def test_a_recording_by_hand_ends_when_its_time_is_over(place: Place) -> None:
    started = place.recorder.start_recording(GATE, 1, "Security check", "otto")
    assert place.statuses() == [("Security check", "recording")]
    place.forward(70)
    [recording] = place.recordings()
    assert (recording.status, recording.by, recording.reason) == ("completed", "otto", "")
    assert recording.ended_at == START + timedelta(seconds=60)
    [row] = place.segments()
    assert (row.closed, row.reason, row.width, row.codec) == (True, "asked", 64, "h264")
    assert len(encoded.frames_of(place.folder / "7" / row.file)) == row.frames
    assert place.cameras[MAIN].is_stopped
    assert place.changes == [(started.id, "recording"), (started.id, "completed")]
    assert place.recorder.devices() == frozenset()


def test_a_clock_that_is_set_ends_no_recording(place: Place) -> None:
    place.recorder.start_recording(GATE, 1)
    place.forward(5)
    for hours in (5, -10):
        place.steps += timedelta(hours=hours)
        place.forward(20)
        assert len(place.recorder.running()) == 1
    place.forward(20)
    assert place.recorder.running() == []


@pytest.mark.parametrize("step", [timedelta(days=20_000), timedelta(hours=-1)])
def test_a_clock_that_is_set_parts_a_recording_in_two(place: Place, step: timedelta) -> None:
    """As on a board that boots in 1970. One range of times would hold years that were not recorded,
    or end before it began."""
    place.recorder.start_recording(GATE, 1)
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(20)
    place.steps += step
    place.forward(20)
    place.recorder.stop_recording(GATE)
    place.recorder.set_due(frozenset())
    place.forward(2)
    assert {recording.status for recording in place.recordings()} == {"completed"}
    moved = step.total_seconds() + 20
    expected = sorted([(0, 20), (moved, moved + 20)])
    for name in ("Manual recording", "Night"):
        named = [recording for recording in place.recordings() if recording.name == name]
        times = [
            (each - START).total_seconds()
            for recording in named
            for each in (recording.started_at, recording.ended_at or START)
        ]
        assert times == pytest.approx([*expected[0], *expected[1]], abs=1.5)
    since, until = sorted((START - timedelta(days=1), START + step + timedelta(days=1)))
    files = segment_rows.between(place.engine, 7, None, since, until)
    files += segment_rows.between(place.engine, 7, None, START + step, until)
    assert len({file.file for file in files}) == 2


def test_a_server_that_starts_in_1970_ends_what_ran_with_its_last_picture(place: Place) -> None:
    place.recorder.start_recording(GATE, 30)
    place.forward(40)
    place.cameras[MAIN].crash()
    place.steps -= timedelta(days=20_000)
    place.cameras.clear()
    place.begin()
    place.forward(10)
    new, old = place.recordings()
    assert (old.status, old.started_at) == ("completed", START)
    assert old.ended_at == pytest.approx(START + timedelta(seconds=40), abs=timedelta(seconds=11))
    assert (new.status, new.name, new.started_at.year) == ("recording", old.name, 1972)
    place.forward(31 * 60)
    assert place.recorder.running() == []


def test_a_recording_is_stopped_by_hand(place: Place) -> None:
    place.recorder.start_recording(GATE, 60)
    place.forward(10)
    place.recorder.stop_recording(GATE)
    place.forward(2)
    assert place.statuses() == [("Manual recording", "completed")]
    assert place.recordings()[0].ended_at == START + timedelta(seconds=10)
    with pytest.raises(Refused, match="is not being recorded"):
        place.recorder.stop_recording(GATE)


def test_one_camera_is_recorded_by_hand_once(place: Place) -> None:
    place.recorder.start_recording(GATE)
    with pytest.raises(Refused, match="already"):
        place.recorder.start_recording(GATE)
    place.recorder.start_recording(YARD)
    with pytest.raises(Refused, match="retired"):
        place.recorder.start_recording(replace(YARD, retired_at=START))


def test_recordings_that_overlap_share_the_files(place: Place) -> None:
    place.recorder.set_due(frozenset({NIGHT, Due(7, None, "Continuous recording", "medium")}))
    place.forward(5)
    place.recorder.start_recording(GATE, 1)
    place.forward(5)
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(5)
    place.recorder.set_due(frozenset())
    place.forward(2)
    assert not place.cameras[MAIN].is_stopped
    with pytest.raises(Refused, match="already"):
        place.recorder.start_recording(GATE)
    place.recorder.stop_recording(GATE)
    place.forward(2)
    assert sorted(place.statuses()) == [
        ("Continuous recording", "completed"),
        ("Manual recording", "completed"),
        ("Night", "completed"),
    ]
    assert {recording.kind for recording in place.recordings()} == {"auto", "manual", "schedule"}
    assert len(place.spans()) == 1


def test_a_schedule_is_not_stopped_by_hand(place: Place) -> None:
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(2)
    with pytest.raises(Refused, match="recorded by Night"):
        place.recorder.stop_recording(GATE)


def test_low_quality_records_the_small_stream(place: Place) -> None:
    place.recorder.set_due(frozenset({replace(NIGHT, quality="low")}))
    place.forward(3)
    assert [*place.cameras] == [StreamKey(7, "sub")]
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(3)
    assert place.statuses() == [("Night", "completed"), ("Night", "recording")]
    assert [recording.stream for recording in place.recordings()] == ["sub", "main"]


def test_a_camera_without_a_small_stream_is_recorded_by_its_large_one(place: Place) -> None:
    small = StreamKey(7, "sub")
    place.recorder.set_due(frozenset({replace(NIGHT, quality="low")}))
    place.recorder.step()
    place.states[small] = StreamState(RETRYING, START, cause=NO_SUB)
    place.forward(3)
    assert place.cameras[small].is_stopped
    assert not place.cameras[MAIN].is_stopped
    assert [recording.stream for recording in place.recordings()] == ["main"]


def test_a_database_that_waits_holds_up_nobody_who_asks(place: Place) -> None:
    place.recorder.set_due(frozenset({replace(NIGHT, quality="low")}))
    place.recorder.step()
    place.states[StreamKey(7, "sub")] = StreamState(RETRYING, START, cause=NO_SUB)
    asked = list[object]()
    with ThreadPoolExecutor(1) as other:

        def ask(*_event: object) -> None:
            asked.append(other.submit(place.recorder.devices).result(5))

        event.listen(place.engine, "before_cursor_execute", ask)
        place.recorder.step()
        event.remove(place.engine, "before_cursor_execute", ask)
    assert asked


def test_what_recorded_nothing_has_failed_and_says_why(place: Place) -> None:
    place.states[MAIN] = StreamState(RETRYING, START, "connection refused")
    place.recorder.start_recording(GATE, 1)
    place.recorder.step()
    place.cameras[MAIN].is_stopped = True  # sends nothing
    place.forward(3)
    status = place.recorder.status(7)
    assert (status.reason, len(status.recordings)) == ("connection refused", 1)
    place.forward(80)
    [recording] = place.recordings()
    assert (recording.status, recording.reason) == ("failed", "connection refused")
    last = place.recorder.status(7).last
    assert last is not None
    assert last.status == "failed"


def test_a_reconnect_goes_on_as_a_new_file(place: Place) -> None:
    """Also after a camera restarts by its own plan."""
    place.recorder.start_recording(GATE, 1)
    place.forward(5)
    place.cameras[MAIN].reconnect()
    place.forward(60)
    first, second = place.segments()
    assert first.reason == "stream"
    assert second.started_at - first.ended_at < timedelta(seconds=1)
    assert place.statuses() == [("Manual recording", "completed")]


def test_a_file_that_a_dead_process_left_is_closed(place: Place) -> None:
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(10)
    place.cameras[MAIN].crash()
    place.forward(40)
    first, second = place.segments()
    assert (first.closed, first.reason) == (True, "restart")
    assert not second.closed
    assert first.frames == len(encoded.frames_of(place.folder / "7" / first.file))
    assert place.spans()[0][1] >= 10 - 4


def test_after_a_restart_what_still_has_time_goes_on(place: Place) -> None:
    place.recorder.start_recording(GATE, 1, "Short")
    place.recorder.start_recording(YARD, 10, "Long")
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(20)
    place.cameras.clear()  # killed
    place.seconds += 100
    place.begin()
    assert [recording.name for recording in place.recorder.running()] == ["Long", "Night"]
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(5)
    assert place.statuses() == [
        ("Short", "completed"),
        ("Long", "recording"),
        ("Night", "recording"),
    ]
    assert place.spans()[0][1] >= 16
    assert len(place.spans()) == 2
    assert all(row.closed for row in place.segments()[:1])


def test_a_folder_that_is_not_proved_stops_recording_until_it_is_back(place: Place) -> None:
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(5)
    place.trouble = "The share is not mounted."
    place.forward(10)
    assert place.cameras[MAIN].is_stopped
    assert place.recorder.status(7).reason == "The share is not mounted."
    with pytest.raises(Refused, match="share"):
        place.recorder.start_recording(GATE)
    place.trouble = ""
    place.forward(10)
    assert not place.cameras[MAIN].is_stopped
    place.recorder.set_due(frozenset())
    place.forward(2)
    assert place.statuses() == [("Night", "completed")]
    assert len(place.spans()) == 2


def test_a_disk_that_takes_nothing_is_tried_again(place: Place) -> None:
    """The folder of the camera is a file, then it is moved away while it is written to."""
    (place.folder / "7").touch()
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(2)
    assert "cannot be created (File exists)" in place.recorder.status(7).reason
    (place.folder / "7").unlink()
    place.forward(10)
    (place.folder / "7").rename(place.folder / "away")
    (place.folder / "7").touch()
    place.cameras[MAIN].reconnect()
    place.forward(4)
    assert "Recordings cannot be written" in place.recorder.status(7).reason
    (place.folder / "7").unlink()
    place.forward(12)
    assert place.recorder.status(7).reason == ""
    assert len(place.recorder.status(7).files) == 1


def test_a_recording_without_end_is_one_of_each_day(place: Place) -> None:
    place.recorder.set_due(frozenset({Due(7, None, "Continuous recording", "high")}))
    place.forward(4)
    place.cameras[MAIN].is_stopped = True
    place.seconds += 86_400
    place.forward(2)
    assert [status for _name, status in place.statuses()] == ["completed", "recording"]


def test_a_camera_that_is_deleted_is_recorded_no_longer(place: Place) -> None:
    place.recorder.start_recording(GATE)
    place.forward(5)
    place.fleet = Fleet(devices={8: YARD})
    place.forward(3)
    assert place.cameras[MAIN].is_stopped
    assert place.statuses() == [("Manual recording", "completed")]


def test_a_recording_by_hand_goes_on_with_the_record_that_remains(place: Place) -> None:
    place.recorder.start_recording(GATE, minutes=1)
    place.forward(20)
    place.fleet = Fleet(devices={8: YARD}, redirects={7: 8})
    place.forward(60)
    rows = sorted(place.recordings(), key=lambda row: row.started_at)
    assert [(row.device, row.status) for row in rows] == [(7, "completed"), (8, "completed")]
    assert rows[1].ended_at == START + timedelta(seconds=60)


def test_of_two_recordings_by_hand_of_merged_records_one_goes_on(place: Place) -> None:
    for device in (GATE, YARD):
        place.recorder.start_recording(device, minutes=1)
    place.forward(20)
    place.fleet = Fleet(devices={8: YARD}, redirects={7: 8})
    place.forward(10)
    assert sorted((row.device, row.status) for row in place.recordings()) == [
        (7, "completed"),
        (8, "recording"),
    ]


@pytest.mark.parametrize("devices", [{8: YARD}, {7: replace(GATE, retired_at=START), 8: YARD}])
def test_a_camera_that_is_gone_begins_no_recording_though_its_schedule_is_due(
    place: Place, devices: dict[int, Device]
) -> None:
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(5)
    place.fleet = Fleet(devices=devices)
    place.forward(5)
    assert place.statuses() == [("Night", "completed")]


def test_a_disk_error_that_is_reported_at_once_is_tried_again(place: Place) -> None:
    """The report comes from another thread, before the recorder has its lease."""
    form = Format("h264", 64, 48)
    full = SegmentProgress(Path("x"), START, START, 0, 0, 0, form, True, "disk", "No space left")
    begin, reports = place.record, list[Thread]()

    def record(
        key: StreamKey, plan: SegmentPlan, on_segment: Callable[[SegmentProgress], object]
    ) -> Camera:
        reports.append(Thread(target=on_segment, args=(full,)))
        reports[-1].start()
        reports[-1].join(0.2)
        return begin(key, plan, on_segment)

    place.record = record  # type: ignore[method-assign]
    place.recorder.set_due(frozenset({NIGHT}))
    place.recorder.step()
    reports[0].join()
    assert place.cameras[MAIN].is_stopped
    assert "No space left" in place.recorder.status(7).reason


def test_an_outage_of_the_database_stops_no_recording(place: Place) -> None:
    place.recorder.set_due(frozenset({NIGHT}))
    place.forward(3)
    with place.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE segments RENAME TO away")
    place.cameras[MAIN].reconnect()
    place.forward(30)
    with place.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO segments")
    place.forward(12)
    assert [row.reason for row in place.segments()] == ["stream", ""]
    assert place.spans()[-1][1] >= 40
