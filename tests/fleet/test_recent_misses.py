"""What a rule can read of misses: the last hour of each device, and how each outage ended."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from fleet.model import Device
from fleet.reduce.recent_misses import KEPT_FOR, MAX_KEPT, in_order, within_window
from fleet.status import ACTIVE, MISSING, OFFLINE, UNREACHABLE
from simulators.panasonic import Camera
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen
from tests.fleet.tracking import on_disk, opened
from tests.home import Home

Make = Callable[..., Home]


def times(device: Device, source: str = "panasonic") -> list[tuple[datetime, str]]:
    return in_order(device.recent_misses.get(source, {}))


def later(minutes: Any, reason: str = "did not answer") -> list[tuple[datetime, str]]:
    return [(noon(minutes=minute), reason) for minute in minutes]


# -- between two events --------------------------------------------------------------------------


def test_every_miss_of_an_outage_can_be_read_though_only_its_start_is_an_event() -> None:
    story = Story()
    story.tell(seen(A))
    for minute in (1, 2, 3):
        story.tell(missed(A, noon(minutes=minute)))
        assert times(story.device()) == later(range(1, minute + 1))
    assert [event.kind for event in story.events] == ["device.found", "device.offline"]
    assert story.device().states["panasonic"].misses == 3


def test_misses_of_a_device_that_another_source_vouches_for_are_read_without_any_event() -> None:
    """Its stream refuses the login while it answers the broadcast."""
    story = Story()
    story.tell(seen(A))
    for minute, reason in ((1, "wrong login"), (2, "timed out"), (3, "wrong login")):
        story.tell(
            seen(A, at=noon(minutes=minute)),
            missed(A, noon(minutes=minute), source="rtsp", reason=reason),
        )
    assert [event.kind for event in story.events] == ["device.found"]
    assert story.status() == ACTIVE
    assert story.device().recent_misses["rtsp"]["wrong login"] == (noon(minutes=1), noon(minutes=3))
    assert len(times(story.device(), "rtsp")) == 3


def test_misses_stay_readable_after_an_answer() -> None:
    """A rule on a device that comes and goes reads all of them."""
    story = Story()
    for minute in (0, 2, 4):
        story.tell(seen(A, at=noon(minutes=minute)))
        story.tell(missed(A, noon(minutes=minute + 1)))
    story.tell(seen(A, at=noon(minutes=6)))
    assert times(story.device()) == later((1, 3, 5))


def test_the_newest_ten_of_the_last_hour_are_kept() -> None:
    story = Story()
    story.tell(seen(A))
    for minute in range(1, 31):
        story.tell(missed(A, noon(minutes=minute)))
    assert MAX_KEPT == 10
    assert times(story.device()) == later(range(21, 31))
    story.tell(missed(A, noon(minutes=85)))
    assert times(story.device()) == later([*range(25, 31), 85])
    story.tell(seen(A, at=noon(minutes=85) + KEPT_FOR))
    assert times(story.device()) == later([85])
    story.tell(seen(A, at=noon(minutes=86) + KEPT_FOR))
    assert story.device().recent_misses == {}


def test_misses_from_a_clock_that_was_ahead_are_left_out() -> None:
    known = {"panasonic": {"silent": (noon(minutes=-1), noon(hours=5))}}
    assert within_window(known, noon()) == {"panasonic": {"silent": (noon(minutes=-1),)}}


def test_a_merge_keeps_the_misses_of_both(tmp_path: Path) -> None:
    story = Story()
    story.tell(seen(A), seen(B, source="rtsp", address="10.0.0.2"))
    story.tell(missed(A, noon(minutes=1)), missed(B, noon(minutes=1), source="rtsp"))
    story.tell(edit("merge", "id:1", at=noon(minutes=2), **{"with": 2}))
    assert set(story.device().recent_misses) == {"panasonic", "rtsp"}


def test_they_survive_a_restart_and_cost_nothing_while_there_are_none(tmp_path: Path) -> None:
    with opened(tmp_path / "monitor") as tracker:
        tracker.apply([seen(A), seen(B, address="10.0.0.2")], noon())
        tracker.apply([missed(A, noon(minutes=1))], noon(minutes=1))
        known = tracker.fleet().devices[1]
    assert on_disk(tmp_path / "monitor").devices[1] == known
    assert times(known) == later([1])
    lines = orjson.loads((tmp_path / "monitor" / "camera_database.json").read_bytes())["devices"]
    assert ["recent_misses" in line for line in lines] == [True, False]


def test_they_are_not_shown(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    home.network.stop()
    home.scan()
    assert times(home.device()), "there is a miss"
    for path in ("/api/camera/1", "/api/cameras", "/api/export"):
        answer = home.client.get(path)
        assert answer.status_code == 200
        assert "recent_misses" not in answer.text


# -- the events of a status ----------------------------------------------------------------------


def data(status: str, **more: Any) -> dict[str, Any]:
    return {"status": status, "reason": "", "misses": 0, "source": "panasonic", **more}


def test_a_status_event_carries_its_reason_as_data() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(missed(A, noon(minutes=1)))
    story.tell(missed(A, noon(minutes=2), reason="no route"))
    story.tell(at=noon(hours=25))
    story.tell(seen(A, at=noon(hours=26)))
    first, offline, missing, back = story.events
    assert (first.kind, first.after) == ("device.found", data(ACTIVE))
    assert (offline.before, offline.after) == (
        {"status": ACTIVE},
        data(OFFLINE, reason="did not answer", misses=1),
    )
    silent = {"reason": "no route", "misses": 2}
    assert (missing.before, missing.after) == (
        data(OFFLINE, **silent, since=noon(minutes=1).isoformat()),
        data(MISSING, **silent),
    )
    assert (back.before, back.after) == (
        data(MISSING, **silent, since=noon(hours=25).isoformat()),
        data(ACTIVE),
    )


def test_a_status_event_names_the_source_that_decided_it() -> None:
    story = Story()
    story.tell(seen(A), seen(A, source="rtsp"))
    story.tell(missed(A, noon(minutes=1)))
    story.tell(missed(A, noon(minutes=2), source="rtsp", reason="connection refused"))
    assert story.events[-1].after == data(
        OFFLINE, reason="connection refused", misses=1, source="rtsp"
    )
    story.tell(seen(A, at=noon(minutes=3), source="rtsp"))
    assert story.events[-1].before["reason"] == "connection refused"
    assert story.events[-1].after == data(ACTIVE, source="rtsp")


def test_what_its_parent_takes_along_has_its_own_misses_as_data() -> None:
    story = Story()
    story.tell(seen(A), seen(B, address="10.0.0.2"))
    story.tell(edit("change", "id:2", parent=1))
    story.tell(missed(A, noon(minutes=1)), missed(B, noon(minutes=1), reason="no route"))
    unreachable = next(event for event in story.events if event.kind == "device.unreachable")
    assert unreachable.after == data(UNREACHABLE, reason="no route", misses=1)


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_a_rule_on_misses_needs_no_event_for_each_of_them(limit: int) -> None:
    """As a later rule does: begin with the event, then read the count until it is reached."""
    story, fired = Story(), list[datetime]()
    story.tell(seen(A))
    is_pending = False
    for minute in range(1, 9):
        now = noon(minutes=minute)
        is_pending |= "device.offline" in story.tell(missed(A, now))
        if is_pending and story.device().states["panasonic"].misses >= limit:
            fired.append(now)
            is_pending = False
    assert fired == [noon(minutes=limit)]


def test_an_outage_is_two_events_however_often_it_was_asked() -> None:
    story = Story()
    keys = [f"mac:d4:2d:c5:00:00:{number:02x}" for number in range(1, 9)]
    story.tell(*(seen(key, address=None) for key in keys))
    begun = len(story.events)
    for minute in range(1, 200):
        at = noon(minutes=minute)
        story.tell(*(missed(key, at) for key in keys))
    story.tell(*(seen(key, address=None, at=noon(minutes=200)) for key in keys))
    assert len(story.events) - begun == 2 * len(keys)
    assert {event.before["misses"] for event in story.events[-len(keys) :]} == {199}
    assert timedelta(minutes=199) == noon(minutes=200) - datetime.fromisoformat(
        story.events[-1].before["since"]
    )
