"""A clock that is set: what is dead is called dead, and nothing old is deleted by mistake."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from audit.model import AuditEntry
from discovery.build import DiscoveryPackage
from fleet.clock import BELIEVED_AFTER, Trust, duration_text, with_reading
from fleet.model import ClockStep
from fleet.trusted_clock import TrustedClock
from simulators.panasonic import Camera
from store.json_file import CannotKeep
from tests.fleet.reports import NOON, A, Story, missed, noon, seen
from tests.home import Clock, Home

Make = Callable[..., Home]
GATE = Camera("d4:2d:c5:00:00:01", "127.20.0.1")
HOUR, DAY = 3600, 86400


# -- facts -----------------------------------------------------------------------------------


def test_a_camera_that_dies_after_the_clock_was_set_back_goes_offline() -> None:
    story = Story()
    story.tell(seen(A))
    assert story.tell(ClockStep(noon(hours=-1), -HOUR)) == ["server.clock"]
    assert story.events[-1].text == "The clock of this server jumped back by 1 h"
    later = noon(hours=-1, seconds=30)
    assert story.tell(missed(A, later)) == ["device.offline"]
    assert story.tell(seen(A, at=noon(hours=-1, minutes=1))) == ["device.back"]


def test_another_source_does_not_vouch_by_a_time_that_is_yet_to_come() -> None:
    story = Story()
    story.tell(seen(A), seen(A, source="onvif"))
    story.tell(ClockStep(noon(hours=-1), -HOUR))
    dead = noon(hours=-1, minutes=11)
    assert story.tell(missed(A, dead)) == ["device.offline"]


def test_a_step_ahead_changes_no_fact() -> None:
    story = Story()
    story.tell(seen(A))
    before = story.device()
    story.tell(ClockStep(noon(days=700), 700 * DAY))
    assert story.device() is before
    assert "jumped ahead by 700 d" in story.events[-1].text


def test_a_monitor_whose_clock_was_set_back_says_so_once_and_goes_on(
    make_home: Make, clock: Clock
) -> None:
    home = make_home(GATE)
    home.scan()
    clock.forward(hours=-1)
    home.monitor.packages.find(DiscoveryPackage).clock_was_set(-HOUR)
    home.network.cameras.clear()
    home.scan()
    assert home.status() == "OFFLINE"
    assert home.kinds() == ["device.found", "server.clock", "device.offline"]


def test_a_start_before_the_newest_sighting_says_so_once(make_home: Make, clock: Clock) -> None:
    home = make_home(GATE)
    home.scan()
    clock.forward(days=-300)
    home.restart()
    home.restart()
    assert home.kinds() == ["device.found", "server.clock"]
    home.network.cameras.clear()
    home.scan()
    assert home.status() == "OFFLINE"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (3600, "1 h"), (3725, "1 h 2 min"), (90061, "1 d 1 h")],
)
def test_a_length_of_time_has_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


# -- whether the clock is believed -----------------------------------------------------------

OLD = Trust(NOON, NOON)
LEAPT = Trust(NOON, noon(days=700))
READINGS: dict[str, tuple[Trust, dict[str, float], float, bool]] = {
    "a minute later": (OLD, {"minutes": 1}, 60, True),
    "a night without power": (OLD, {"hours": 9}, 1, True),
    "set back": (OLD, {"days": -300}, 60, True),
    "two years ahead within a minute": (OLD, {"days": 700}, 60, False),
    "three weeks without power": (OLD, {"days": 21}, 1, False),
    "three weeks in which it ran": (OLD, {"days": 21}, 21 * DAY, True),
    "still ahead, a while later": (LEAPT, {"days": 700, "hours": 5}, 5 * HOUR, False),
    "still ahead, a day later": (LEAPT, {"days": 701}, BELIEVED_AFTER, True),
    "a day later, but set again": (LEAPT, {"days": 900}, BELIEVED_AFTER, False),
    "set right again": (LEAPT, {"minutes": 2}, 60, True),
}


@pytest.mark.parametrize("what", READINGS)
def test_a_clock_that_leapt_ahead_is_not_believed_for_a_day(what: str) -> None:
    before, later, ran, is_believed = READINGS[what]
    assert (with_reading(before, noon(**later), ran).seconds_ahead is None) is is_believed


def test_the_day_of_waiting_goes_on_over_restarts(tmp_path: Path, clock: Clock) -> None:
    ran = [0.0]

    def start() -> TrustedClock:
        made = TrustedClock(tmp_path / "clock.json", clock, lambda: ran[0])
        made.open(None)
        return made

    start().distrust_reason()
    clock.forward(days=700)
    for _ in range(4):
        trusted = start()
        assert "700 d ahead of the newest entry" in trusted.distrust_reason()
        for _ in range(6):
            ran[0] += HOUR
            clock.forward(hours=1)
            trusted.distrust_reason()
    assert trusted.distrust_reason() == ""
    assert start().distrust_reason() == ""


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"at": "2026", "last": 3}', "\x00"])
def test_without_its_file_the_newest_entry_says_how_late_it_is(
    tmp_path: Path, clock: Clock, content: str
) -> None:
    path = tmp_path / "clock.json"
    path.write_text(content)
    trusted = TrustedClock(path, clock, lambda: 0.0)
    trusted.open(clock() - timedelta(days=700))
    assert "700 d ahead" in trusted.distrust_reason()
    trusted.confirm()
    assert trusted.distrust_reason() == ""


def test_a_date_is_not_confirmed_while_that_cannot_be_written(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "clock.json"
    path.mkdir()
    trusted = TrustedClock(path, clock, lambda: 0.0)
    trusted.open(clock() - timedelta(days=700))
    with pytest.raises(CannotKeep, match="cannot be written"):
        trusted.confirm()
    assert "700 d ahead" in trusted.distrust_reason()
    path.rmdir()
    trusted.confirm()
    assert trusted.distrust_reason() == ""


def test_nothing_is_forgotten_or_retired_while_the_clock_has_leapt_until_a_person_confirms(
    make_home: Make, clock: Clock
) -> None:
    home = make_home(GATE)
    home.scan()
    home.monitor.audit.note(AuditEntry(clock(), "ada", "", "device.edited", "camera 1", "renamed"))
    assert home.kinds() == ["device.found"]
    assert home.monitor.trusted.distrust_reason() == ""
    clock.forward(days=730)
    home.restart()
    forget = home.monitor.scheduler.jobs["forget"]
    assert "Old entries are not deleted" in forget.run()
    assert "Old entries are not deleted" in home.client.get("/").text
    refused = home.client.post("/api/cleanup", json={"days": 90})
    assert refused.status_code == 409
    assert "ahead of the newest entry" in refused.json["error"]
    for selection in ({"not_seen_days": 90}, {"not_seen_days": 90, "confirm": 1}):
        answer = home.client.post("/api/delete", json=selection)
        assert answer.status_code == (409 if "confirm" in selection else 200)
    assert home.kinds() == ["device.found"]
    assert len(home.monitor.audit.find(action="device.edited")) == 1
    assert "The date is right" in home.client.get("/settings/jobs").text
    assert home.client.post("/api/clock/confirm").status_code == 200
    assert home.client.post("/api/cleanup", json={"days": 90}).json["retired"] == 1
    assert forget.run() == "1 event and 1 audit log entry deleted"
    assert "The date is right" not in home.client.get("/settings/jobs").text


def test_the_form_confirms_the_date_too(make_home: Make, clock: Clock) -> None:
    home = make_home()
    home.monitor.trusted.distrust_reason()
    clock.forward(days=3)
    assert home.monitor.trusted.distrust_reason()
    assert home.client.post("/settings/clock").status_code == 303
    assert home.monitor.trusted.distrust_reason() == ""
    assert [entry.action for entry in home.monitor.audit.find()] == ["clock.confirmed"]
