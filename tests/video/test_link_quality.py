"""The link to each camera by day: counts, and one sentence of judgement."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fleet.model import Fleet
from store.sql import Unreachable
from video import link_rows
from video.camera_plans import CameraPlans
from video.cleaning import Cleaner
from video.coverage import CoverageReader
from video.folder_proof import FolderProof
from video.keeping import Keeping
from video.link_log import LinkLog
from video.link_quality import LinkDay, judgement
from video.model import LinkCounts, StreamKey
from video.recording_watch import RecordingWatch
from video.retention import Limits

KEY = StreamKey(7)
MONDAY = date(2026, 11, 23)
GOOD = LinkDay(7, "main", MONDAY, 86400, 86400 * 15, 86400 * 250_000, longest_key_distance=2)


def counts(**values: float) -> LinkCounts:
    zero = dict.fromkeys(("frames", "bytes", "lost", "reconnects", "stalls"), 0)
    return LinkCounts(**{"seconds": 10.0, "longest_key_distance": 0.0, **zero, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "Good: 15 frames/s and 2.0 Mbit/s, without breaks"),
        ({"seconds": 500.0}, "Not enough data yet"),
        ({"lost": 400_000}, "Poor: 2.4% of the packets are lost"),
        ({"reconnects": 9, "stalls": 4}, "Poor: the stream broke 13 times in 24 h"),
        ({"longest_key_distance": 250.0}, "Up to 250 s between key frames"),
        ({"reconnects": 3}, "Fair: 3 breaks and 0 lost packets in 24 h."),
        ({"lost": 20_000, "stalls": 1}, "Fair: 1 break and 20,000 lost packets in 24 h."),
    ],
)
def test_the_judgement_names_the_worst(change: dict[str, float], sentence: str) -> None:
    assert judgement([replace(GOOD, **change)]).startswith(sentence)


def test_a_link_that_gives_much_less_than_before_is_named() -> None:
    days = [replace(GOOD, day=MONDAY + timedelta(number)) for number in range(3)]
    less = replace(GOOD, day=MONDAY + timedelta(3), bytes=GOOD.bytes // 4)
    assert judgement([*days, less]).startswith("The bit rate has dropped to 25% of")
    slow = replace(less, bytes=GOOD.bytes, frames=GOOD.frames // 3)
    assert judgement([*days, slow]).startswith("The frame rate has dropped to 33% of")
    assert judgement(days).startswith("Good")
    assert judgement([]).startswith("Not enough")


def test_counts_become_one_line_a_day_in_both_databases(engine: Engine) -> None:
    now = [datetime(2026, 11, 23, 12, tzinfo=UTC)]
    log = LinkLog(engine, lambda: now[0])
    log.note(KEY, counts(frames=150, bytes=1000, longest_key_distance=2))
    log.note(KEY, counts(frames=150, lost=3, reconnects=1, longest_key_distance=4))
    log.flush()
    log.note(KEY, counts(frames=100, stalls=2, longest_key_distance=3))
    log.flush()
    log.flush()
    now[0] += timedelta(days=1)
    log.note(KEY, counts(frames=1))
    log.note(StreamKey(7, "sub"), counts(frames=2))
    log.note(StreamKey(8), counts(frames=3))
    log.flush()
    first, second, sub = link_rows.since(engine, 7, MONDAY)
    assert first == LinkDay(7, "main", MONDAY, 30, 400, 1000, 3, 1, 2, 4)
    assert (second.day, second.frames, sub.stream, sub.frames) == (
        MONDAY + timedelta(1),
        1,
        "sub",
        2,
    )
    assert link_rows.forget(engine, MONDAY + timedelta(1)) == 1
    assert len(link_rows.since(engine, 7, MONDAY)) == 2


@pytest.fixture
def in_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This server 13 hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_auckland")
def test_days_are_shown_and_deleted_by_the_zone_in_which_they_were_counted(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    now = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    today = date(2026, 11, 24)
    proof = FolderProof(tmp_path / "recordings", tmp_path)
    keeping = Keeping(
        sqlite_engine,
        lambda: now,
        proof,
        Cleaner(sqlite_engine, proof, Limits, lambda: now, lambda: ""),
        CoverageReader(sqlite_engine, proof.folder, Fleet, lambda: now),
        RecordingWatch(dict, lambda _findings: None, lambda: now, time.monotonic),
        tuple,
        CameraPlans(sqlite_engine, Fleet, lambda: now),
    )
    keeping.links.note(KEY, counts(frames=5))
    keeping.links.flush()
    before = [today - timedelta(days) for days in (29, 30, 400, 401)]
    link_rows.add(sqlite_engine, [replace(GOOD, day=day) for day in before])
    assert [each.day for each in keeping.link_days(7)] == [before[0], today]
    keeping.forget()
    kept = [each.day for each in link_rows.since(sqlite_engine, 7, before[-1])]
    assert kept == [before[2], before[1], before[0], today]


def test_counts_outlive_an_outage_of_the_database(sqlite_engine: Engine) -> None:
    log = LinkLog(sqlite_engine, lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
    log.note(KEY, counts(frames=5))
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE link_days RENAME TO away")
    with pytest.raises(Unreachable):
        log.flush()
    log.note(KEY, counts(frames=6))
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO link_days")
    log.flush()
    assert [day.frames for day in link_rows.since(sqlite_engine, 7, MONDAY)] == [11]
