"""Alive and ready: one word each, and what they depend on."""

import itertools
from collections.abc import Callable

import pytest

from fleet.build import TICK, FleetPackage
from store.disk_check import INTERVAL, DiskCheck
from tests.home import Clock, Home, Running, until
from web.http.actions.readiness import not_ready_reasons

Make = Callable[..., Home]
JOBS = {
    "auto_scan",
    "recorders",
    "workbook",
    "tick",
    "forget",
    "recordings",
    "stills",
    "old_stills",
}
"""The names of all jobs of the packages."""


class Timer:
    """A monotonic clock that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def home(make_home: Make, clock: Clock) -> Home:
    """A monitor whose tick has just been; the next is said by the test, and the disk may be
    looked at whenever somebody asks who may."""
    made = make_home()
    made.monitor.disk = DiskCheck(
        made.monitor.tracker.store.unwritable, clock=itertools.count(0, INTERVAL).__next__
    )
    made.monitor.scheduler.start()
    made.monitor.scheduler.pause(TICK)
    made.monitor.scheduler.timer = Timer()
    made.monitor.scheduler.states[TICK].began = 0.0
    return made


def ready(home: Home) -> tuple[int, str]:
    answer = home.client.get("/readyz")
    assert answer.mimetype == "text/plain"
    return answer.status_code, answer.text


def test_alive_is_one_word(make_home: Make) -> None:
    answer = make_home().client.get("/healthz")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok\n", "text/plain")


def test_a_monitor_that_ticks_and_can_write_is_ready(home: Home) -> None:
    assert ready(home) == (200, "ready\n")
    assert "camera_monitor_ready 1.0" in home.client.get("/metrics").text


def test_without_its_scheduler_a_monitor_is_alive_but_not_ready(make_home: Make) -> None:
    home = make_home()
    assert ready(home) == (503, "unready\n")
    assert home.client.get("/healthz").status_code == 200
    assert "camera_monitor_ready 0.0" in home.client.get("/metrics").text


def test_a_tick_that_stopped_makes_it_unready_until_it_comes_again(
    home: Home, clock: Clock
) -> None:
    scheduler = home.monitor.scheduler
    scheduler.timer = timer = Timer()
    clock.forward(hours=-1)
    timer.now = 150
    assert ready(home) == (200, "ready\n")
    timer.now = 151
    assert ready(home) == (503, "unready\n")
    assert any("is stuck" in reason for reason in not_ready_reasons(home.monitor, ""))
    scheduler.states[TICK].began = timer()
    assert ready(home) == (200, "ready\n")


def test_a_scheduler_that_never_ticked_is_noticed_too(home: Home) -> None:
    home.monitor.scheduler.states[TICK].began = None
    home.monitor.scheduler.timer = lambda: home.monitor.scheduler._started + 151
    assert ready(home) == (503, "unready\n")


def test_a_database_folder_that_cannot_be_written_makes_it_unready(home: Home) -> None:
    folder = home.settings.database_path.parent
    away = folder.rename(folder.with_name("away"))
    page = home.client.get("/").text
    seen, why = ready(home), not_ready_reasons(home.monitor, home.monitor.disk.last)
    away.rename(folder)
    home.client.get("/")
    assert seen == (503, "unready\n")
    assert any("cannot be written" in reason for reason in why)
    assert "cannot be written" in page
    assert ready(home) == (200, "ready\n")


def test_pages_and_metrics_together_look_at_the_disk_once_in_ten_seconds(home: Home) -> None:
    looks, now = list[float](), [100.0]
    home.monitor.disk = DiskCheck(lambda: looks.append(now[0]) or "", clock=lambda: now[0])  # type: ignore[func-returns-value]
    for _ in range(25):
        for path in ("/", "/metrics", "/parts/top", "/cameras/1"):
            home.client.get(path)
        now[0] += 1
    assert looks == [100, 110, 120]


def test_a_stranger_who_asks_whether_it_is_ready_makes_it_write_nothing(home: Home) -> None:
    looks = list[int]()
    home.monitor.disk = home.monitor.packages.find(FleetPackage).disk = DiskCheck(
        lambda: looks.append(1) or "full", clock=itertools.count(0, INTERVAL).__next__
    )  # type: ignore[func-returns-value]
    assert ready(home) == (200, "ready\n")
    assert not looks
    home.monitor.scheduler.jobs[TICK].run()
    assert ready(home) == (503, "unready\n"), "the monitor itself looks every minute"
    assert len(looks) == 1


def test_a_write_that_failed_makes_it_unready_until_the_disk_works_again(home: Home) -> None:
    folder = home.settings.database_path.parent
    away = folder.rename(folder.with_name("away"))
    assert home.client.post("/api/auto-scan", json={"enabled": False}).status_code == 507
    assert ready(home) == (503, "unready\n")
    away.rename(folder)
    home.tick()
    assert ready(home) == (200, "ready\n")


def test_a_change_that_was_refused_leaves_no_trouble_once_the_disk_works_again(
    home: Home,
) -> None:
    """Nothing waits then: what was refused is not done."""
    assert home.client.post("/api/auto-scan", json={"enabled": True}).status_code == 200
    home.tick()
    folder = home.settings.database_path.parent
    away = folder.rename(folder.with_name("away"))
    assert home.client.post("/api/auto-scan", json={"enabled": False}).status_code == 507
    home.tick()
    assert ready(home) == (503, "unready\n")
    away.rename(folder)
    home.tick()
    assert ready(home) == (200, "ready\n")
    assert "cannot be written" not in home.client.get("/").text


def test_a_started_monitor_becomes_ready_and_its_jobs_are_due(
    run_monitor: Callable[..., Running],
) -> None:
    monitor = run_monitor()
    until(lambda: monitor.get("/readyz").body == b"ready\n", what="the monitor is ready")
    assert monitor.get("/readyz").status == 200
    jobs = {job["name"]: job for job in monitor.get("/api/jobs").json}
    assert set(jobs) == JOBS, "tests/web/api/test_health.py: name each job in JOBS"
    assert jobs["tick"]["next_run"] is not None
    assert jobs["auto_scan"]["next_run"] is None
