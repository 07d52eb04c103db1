"""Recorded files and recordings in SQL, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from store.sql import Unreachable
from video import recording_rows, segment_rows
from video.recorded import COMPLETED, MANUAL, RECORDING, Recording, Segment
from video.recording_rows import RecordingFilter

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)


def segment(number: int, stream: str = "main", device: int = 7) -> Segment:
    """The file that begins so many times five minutes after noon."""
    at = NOON + number * FIVE
    return Segment(device, stream, f"{at:%Y%m%dT%H%M%S000Z}.{stream}.mp4", at, at + FIVE)


RECORDED = Recording(7, "main", "Gate", MANUAL, NOON, due_until=NOON + FIVE, by="otto")


def test_a_file_comes_back_as_it_was_saved(engine: Engine) -> None:
    start = segment(0)
    id = segment_rows.add(engine, start)
    grown = replace(
        start, id=id, size=5_000_000_000, header=700, frames=4500, width=3840, height=2160,
        codec="h265", codecs="hvc1.1.6.L153.B0", audio="aac", rate=14.98,
        notes=("The sound (GSM) is left out",), closed=True, reason="format",
    )  # fmt: skip
    segment_rows.save(engine, [grown])
    assert segment_rows.find(engine, id) == grown
    assert segment_rows.total_size(engine) == 5_000_000_000
    assert segment_rows.unclosed(engine) == []
    with pytest.raises(Unreachable):
        segment_rows.add(engine, start)


def test_the_files_of_a_time_are_those_that_overlap_it(engine: Engine) -> None:
    for number in range(-3, 4):
        segment_rows.add(engine, segment(number))
        segment_rows.add(engine, segment(number, device=8))
    segment_rows.add(engine, segment(0, "sub"))
    middle = NOON + FIVE / 2
    files = segment_rows.between(engine, 7, "main", middle, middle + FIVE)
    assert [row.started_at for row in files] == [NOON, NOON + FIVE]
    both = segment_rows.between(engine, 7, None, NOON, NOON + FIVE)
    assert [(row.stream, row.started_at) for row in both] == [("main", NOON), ("sub", NOON)]
    assert segment_rows.devices(engine) == {7, 8}


def test_protecting_a_file_survives_its_growth(engine: Engine) -> None:
    id = segment_rows.add(engine, segment(0))
    segment_rows.protect(engine, [id], True)
    segment_rows.save(engine, [replace(segment(0), id=id, size=9)])
    saved = segment_rows.find(engine, id)
    assert saved is not None
    assert (saved.protected, saved.size) == (True, 9)


def test_a_damaged_file_is_closed_and_says_why(engine: Engine) -> None:
    ids = [segment_rows.add(engine, segment(number)) for number in range(3)]
    segment_rows.mark_damaged(engine, ids[:1], "the file is gone")
    assert [row.id for row in segment_rows.unclosed(engine)] == ids[1:]
    known = segment_rows.known(engine, 7)
    assert known[segment(0).file] == (ids[0], "the file is gone")
    assert known[segment(1).file] == (ids[1], "")
    segment_rows.remove(engine, ids)
    assert segment_rows.devices(engine) == frozenset()


def test_recordings_are_found_by_device_time_and_status(engine: Engine) -> None:
    first = recording_rows.add(engine, RECORDED)
    second = recording_rows.add(engine, replace(RECORDED, started_at=NOON + FIVE, device=8))
    assert recording_rows.find(engine, first) == replace(RECORDED, id=first)
    recording_rows.change(engine, first, status=COMPLETED, ended_at=NOON + FIVE)
    assert [row.id for row in recording_rows.unfinished(engine)] == [second]

    def matching(**wanted: Any) -> list[int]:
        rows = recording_rows.page(engine, RecordingFilter(**wanted), 100)
        assert recording_rows.count(engine, RecordingFilter(**wanted)) == len(rows)
        return [row.id for row in rows]

    assert matching() == [second, first]
    assert matching(since=NOON + FIVE) == [second]
    assert matching(until=NOON + FIVE) == [first]
    assert matching(devices=[8]) == [second]
    assert matching(devices=[]) == []
    assert matching(status=RECORDING) == [second]
    recording_rows.change(engine, second, deleted_at=NOON)
    assert recording_rows.newest(engine, 8) is None
    assert (matching(), matching(is_deleted=True)) == ([first], [second])
    recording_rows.remove(engine, [second])
    assert recording_rows.find(engine, second) is None
