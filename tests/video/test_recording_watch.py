"""Findings about recordings: raised once, kept while they are true, cleared once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from fleet.model import Device, Fault, Finding
from video.model import NO_PICTURE, PLAYING, RETRYING, StreamKey, StreamState
from video.recording_watch import MISSING, NO_VIDEO, SHORT, RecordingWatch
from video.retention import DaysKept

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Fleet:
    """Devices that carry the findings that were reported about them."""

    def __init__(self, *numbers: int) -> None:
        self.devices = {id: Device(id, "camera", "here", (f"row:{id}",)) for id in numbers}
        self.news: list[tuple[str, int, bool]] = []
        self.seconds = 0.0
        self.start()

    def start(self) -> None:
        self.watch = RecordingWatch(
            lambda: MappingProxyType(self.devices),
            self.report,
            lambda: NOON,
            lambda: self.seconds,
        )

    def report(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            id = int(finding.identity.removeprefix("id:"))
            others = [each for each in self.devices[id].findings if each.kind != finding.kind]
            if not finding.cleared:
                others.append(
                    Fault(finding.kind, finding.at, finding.text, finding.source, finding.evidence)
                )
            self.devices[id] = replace(self.devices[id], findings=tuple(others))
            self.news.append((finding.kind, id, finding.cleared))

    def look(self, minutes: float, due: set[int], sizes: dict[int, int], reason: str = "") -> None:
        self.seconds += minutes * 60
        self.watch.look(due, sizes, lambda _device: reason)

    def texts(self, id: int) -> list[str]:
        return [fault.text for fault in self.devices[id].findings]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(1, 2)


def test_a_camera_that_is_due_and_not_recorded_for_ten_minutes_is_a_finding(fleet: Fleet) -> None:
    for minute in range(10):
        fleet.look(1, {1, 2}, {1: minute})
        assert fleet.news == []
    fleet.look(1, {1, 2}, {1: 10}, "connection refused")
    fleet.look(1, {1, 2}, {1: 11}, "no response")
    assert fleet.news == [(MISSING, 2, False)]
    assert fleet.texts(2) == [
        "nothing was recorded for 10 minutes though it is due: connection refused"
    ]
    fleet.look(1, {1, 2}, {1: 12, 2: 1})
    assert fleet.news[1:] == [(MISSING, 2, True)]


def test_a_file_that_stops_to_grow_is_not_being_recorded(fleet: Fleet) -> None:
    fleet.look(0, {1}, {1: 5})
    fleet.look(10, {1}, {1: 5})
    assert fleet.news == [(MISSING, 1, False)]


def test_what_is_not_due_any_more_is_no_finding(fleet: Fleet) -> None:
    fleet.look(0, {1}, {})
    fleet.look(10, {1}, {})
    fleet.look(1, set(), {})
    assert fleet.news == [(MISSING, 1, False), (MISSING, 1, True)]
    fleet.look(60, {1}, {})
    assert len(fleet.news) == 2, "it has ten minutes again"


def test_a_restart_of_this_server_resolves_nothing(fleet: Fleet) -> None:
    fleet.look(0, {1}, {})
    fleet.look(10, {1}, {})
    fleet.start()
    fleet.look(1, {1}, {})
    assert fleet.news == [(MISSING, 1, False)]
    fleet.look(1, {1}, {1: 1})
    assert fleet.news[1:] == [(MISSING, 1, True)]


def test_a_camera_that_answers_without_a_picture_is_a_finding_until_it_has_one(
    fleet: Fleet,
) -> None:
    main, sub = StreamKey(1), StreamKey(1, "sub")
    for key, activity in (
        (sub, NO_PICTURE),
        (sub, RETRYING),
        (sub, NO_PICTURE),
        (main, PLAYING),
        (StreamKey(99), NO_PICTURE),
    ):
        fleet.watch.note(key, StreamState(activity, NOON))
    assert fleet.news == [(NO_VIDEO, 1, False)]
    assert fleet.texts(1) == ["it answers, and its sub stream has no video"]
    fleet.watch.note(sub, StreamState(PLAYING, NOON))
    assert fleet.news[1:] == [(NO_VIDEO, 1, True)]


def test_recordings_that_will_not_last_are_told_before_it_happens(fleet: Fleet) -> None:
    fleet.watch.note_days([DaysKept(1, 30, 3.0, 12.2), DaysKept(2, 30, 30.0, 30.0)])
    assert fleet.texts(1) == ["its recordings are kept for about 12 of 30 required days"]
    # The rate of recording varies.
    fleet.watch.note_days([DaysKept(1, 30, 3.0, 29.0), DaysKept(2, 30, 30.0, 29.0)])
    assert fleet.news == [(SHORT, 1, False)]
    fleet.watch.note_days([DaysKept(1, 30, 3.0, 30.0)])
    assert fleet.news[1:] == [(SHORT, 1, True)]
