"""One report, one edit or one write that goes wrong spoils only itself."""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from fleet.edit.editing import inverse
from fleet.model import Edit, Invalid, PendingSerials, Refused, Report
from fleet.recorder_list import RecorderRow
from fleet.rejected import AGAIN_AFTER, RejectedReports
from fleet.tracker import Tracker
from fleet.validation import MAX_DEPTH, InvalidValue
from store.json_file import CannotKeep
from tests.fleet.reports import NOON, A, B, C, edit, finding, missed, noon, seen, up
from tests.fleet.test_tracker import behind_a_slow_write
from tests.fleet.tracking import on_disk, opened


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    with opened(tmp_path) as made:
        yield made


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else []


NO_JSON: dict[str, Any] = {
    "a number beyond 64 bits": 2**70,
    "no number": float("nan"),
    "an infinite number": float("-inf"),
    "half a character": "caf\ud83d",
    "bytes": b"secret-of-the-camera",
    "a key that is no text": {7: "x"},
    "half a character as key": {"\udc00": 1},
    "a set": {1, 2},
    "a time": NOON,
    "an object": object(),
    "far too deep": nested(MAX_DEPTH + 9),
}


@pytest.mark.parametrize("what", NO_JSON)
def test_a_report_that_is_no_json_spoils_only_itself(
    tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    value = NO_JSON[what]
    tracker.apply([seen(C)], NOON)
    bad: list[Report] = [
        seen(A, facts={"x": value}),
        seen(A, facts={"deeper": {"x": [value]}}),
        seen(A, links={"stream": value}),
        finding(C, evidence={"x": value}),
    ]
    for report in bad:
        tracker.apply([report, seen(B, address="10.0.0.2")], NOON)
    assert [device.identities for device in tracker.devices().values()] == [(C,), (B,)]
    assert tracker.device("1").findings == ()
    assert on_disk(tmp_path) == tracker.fleet()
    messages = [record.getMessage() for record in caplog.records]
    assert 1 <= len(messages) <= 4
    assert all(message.startswith("Rejected a report from panasonic: ") for message in messages)
    assert "secret-of-the-camera" not in caplog.text


MISSHAPEN: dict[str, Report] = {
    "no identity": seen(),
    "an identity that is none": seen(A, 7),  # type: ignore[arg-type]
    "a name of bytes": seen(A, name=b"Gate"),
    "an address of numbers": seen(A, address=167772161),
    "a time without offset": seen(A, at=datetime(2026, 3, 1)),  # noqa: DTZ001  meant so
    "no time": seen(A, at=None),  # type: ignore[arg-type]
    "facts that are none": seen(A, facts=["x"]),
    "a miss without a reason": missed(C, reason=None),
    "a finding of no source": finding(C, source=None),
    "a scope that is none": up(None),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", MISSHAPEN)
def test_a_report_of_another_shape_spoils_only_itself(tracker: Tracker, what: str) -> None:
    tracker.apply([seen(C)], NOON)
    tracker.apply([seen(B, address="10.0.0.2"), MISSHAPEN[what], missed(B, noon(hours=1))], NOON)
    assert {device.identities: device.status for device in tracker.devices().values()} == {
        (C,): "ACTIVE",
        (B,): "OFFLINE",
    }


class Unlike(str):
    """Text that cannot be compared: what no check can foresee."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError("secret-of-the-camera")


def test_a_report_that_cannot_be_folded_spoils_only_itself(
    tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [f"mac:d4:2d:c5:00:01:{n:02x}" for n in range(30)]
    tracker.apply([seen(key, facts={"tag": "a"}) for key in keys], NOON)
    batch = [seen(key, at=noon(minutes=1), facts={"tag": "b"}) for key in keys]
    for n in (3, 17):
        batch[n] = seen(keys[n], at=noon(minutes=1), facts={"tag": Unlike("c")})
    tracker.apply(batch, noon(minutes=1))
    tags = [device.facts["panasonic"]["tag"] for device in tracker.devices().values()]
    assert [n for n, tag in enumerate(tags) if tag != "b"] == [3, 17]
    tracker.apply(batch, noon(minutes=2))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1, "once, however many there are"
    assert messages[0].startswith("Rejected a report from panasonic: internal error")
    assert "ZeroDivisionError in test_error_isolation.py, line " in messages[0]
    assert "secret-of-the-camera" not in caplog.text


def test_a_device_that_cannot_be_encoded_spoils_only_its_report(
    tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Folding it works, writing it does not: nobody ever sees it, and all others are there."""
    bad = seen(A, facts={"tags": {"x": MappingProxyType({"y": 1})}})
    tracker.apply([seen(C), bad, seen(B, address="10.0.0.2")], NOON)
    assert {device.identities for device in tracker.devices().values()} == {(C,), (B,)}
    assert on_disk(tmp_path) == tracker.fleet()
    assert "Rejected a report from panasonic" in caplog.text


def test_the_deepest_facts_that_may_enter_can_be_written_and_undone(
    tracker: Tracker, tmp_path: Path
) -> None:
    facts = {"x": nested(MAX_DEPTH - 2)}
    tracker.apply([seen(A, facts=facts), seen("onvif:1", source="onvif", facts=facts)], NOON)
    merged = tracker.apply([edit("merge", "id:1", **{"with": 2})], NOON)[0]
    tracker.apply([inverse(merged, "tester", NOON)], NOON)
    assert on_disk(tmp_path) == tracker.fleet()
    assert len(tracker.devices()) == 2


def test_a_bad_batch_leaves_the_jobs_of_other_callers_alone(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.apply([seen(A, facts={"tag": "a"}), seen(B, address="10.0.0.2")], NOON)
    callers = behind_a_slow_write(
        tracker,
        tmp_path,
        [
            [edit("change", "id:1", name="Gate")],
            [seen(A, facts={"tag": Unlike("b")}), missed(B, noon(minutes=1))],
            [edit("change", "id:2", name="Door")],
        ],
    )
    assert [[event.kind for event in caller.events] for caller in callers] == [
        ["device.edited"],
        ["device.offline"],
        ["device.edited"],
    ]
    assert [caller.error for caller in callers] == [None, None, None]
    assert on_disk(tmp_path) == tracker.fleet()


@pytest.mark.parametrize("what", NO_JSON)
def test_an_edit_that_is_no_json_is_refused_and_nothing_is_done(
    tracker: Tracker, tmp_path: Path, what: str
) -> None:
    tracker.apply([seen(A)], NOON)
    before = tracker.fleet()
    with pytest.raises(Invalid, match="The edit cannot be saved"):
        tracker.apply([edit("change", "id:1", notes=NO_JSON[what])], NOON)
    with pytest.raises(InvalidValue):
        tracker.apply([PendingSerials({"x": NO_JSON[what]})], NOON)
    assert tracker.fleet() is before
    tracker.apply([edit("change", "id:1", notes="sound")], NOON)
    assert on_disk(tmp_path).devices[1].notes == "sound"


def test_a_write_that_meets_an_error_in_the_program_loses_no_fact(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.apply([seen(A)], NOON)
    file = tracker.store.file  # type: ignore[attr-defined]
    sound, file.path = file.path, tmp_path / "no\0name"
    tracker.apply([seen(B, address="10.0.0.2")], NOON)
    with pytest.raises(CannotKeep, match="internal error"):
        tracker.apply([edit("change", "id:1", name="Gate")], NOON)
    assert (len(tracker.devices()), tracker.device("1").name) == (2, None)
    assert "internal error" in tracker.trouble
    file.path = sound
    tracker.tick(noon(minutes=1))
    assert (tracker.trouble, on_disk(tmp_path)) == ("", tracker.fleet())


def test_the_same_fault_is_told_again_after_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    times = iter((0.0, 1.0, AGAIN_AFTER - 1, AGAIN_AFTER + 1, AGAIN_AFTER + 2))
    rejected = RejectedReports(lambda: next(times))
    for _ in range(4):
        rejected.log_rejected(
            [seen(A)], InvalidValue("panasonic", "facts", "it is nested too deeply", {})
        )
    rejected.log_rejected(
        [seen(A, source="dahua")], InvalidValue("dahua", "facts", "it is nested too deeply", {})
    )
    assert [record.getMessage() for record in caplog.records] == [
        "Rejected a report from panasonic: facts: it is nested too deeply",
        "Rejected a report from panasonic: facts: it is nested too deeply",
        "Rejected a report from dahua: facts: it is nested too deeply",
    ]


# -- undo and a scan at the same moment --------------------------------------------------------


def row_edit(serial: str) -> Edit:
    fields = {"kind": "recorder", "site": "S1", "source": "workbook"}
    return Edit(
        "list", "row:S1", {**fields, "facts": RecorderRow("S1", serial, "").facts()}, "file", NOON
    )


def test_undoing_a_row_of_the_workbook_is_refused_and_the_scan_beside_it_is_done(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.apply([row_edit("OLD1"), seen(A)], NOON)
    event = tracker.apply([row_edit("NEW1")], NOON)[0]
    assert event.kind == "device.edited"
    with pytest.raises(Refused, match="is not an edit by a person, so it cannot be undone"):
        inverse(event, "tester", NOON)
    # An edit of that shape, as an older version made it, ends the same way.
    old = edit("change", "id:1", row=event.before["row"], expect={"row": event.after["row"]})
    callers = behind_a_slow_write(
        tracker, tmp_path, [[old], [missed(A, noon(minutes=1)), seen(B, address="10.0.0.2")]]
    )
    assert isinstance(callers[0].error, Refused)
    assert [event.kind for event in callers[1].events] == ["device.found", "device.offline"]
    assert tracker.device("1").facts["workbook"]["serial"] == "NEW1"


def test_no_thread_that_applies_is_ever_left_waiting(tracker: Tracker) -> None:
    """Good and bad callers side by side, none of whom stands still or gets another's answer."""
    tracker.apply([seen(A, facts={"tag": "a"})], NOON)
    errors: list[Exception] = []

    def report(bad: bool) -> None:
        try:
            for _ in range(20):
                tag = Unlike("b") if bad else "c"
                tracker.apply([seen(A, facts={"tag": tag}), seen(B, address="10.0.0.2")], NOON)
        except ZeroDivisionError as error:
            errors.append(error)

    threads = [threading.Thread(target=report, args=(n % 2 == 0,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert errors == []
    assert len(tracker.devices()) == 2
