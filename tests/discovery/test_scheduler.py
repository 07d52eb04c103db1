"""What runs by itself: it runs, it is remembered how it went, and a toggle stays as it is."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, current_thread
from time import monotonic
from typing import Any

import pytest

from discovery.scheduler import Scheduler, _trigger
from fleet.model import CannotAsk
from fleet.package import Job, JobSkipped
from simulators.panasonic import Camera, Network
from tests.home import Clock, Home, Running, free_port, until

Run = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Callable[..., Scheduler]]:
    with ExitStack() as stack:

        def started(*jobs: Job) -> Scheduler:
            scheduler = Scheduler(jobs)
            scheduler.start()
            stack.callback(scheduler.stop)
            return scheduler

        yield started


Start = Callable[..., Scheduler]


class Counting:
    """A job that counts its runs, and fails in those that a test names."""

    def __init__(self, *failing: int) -> None:
        self.runs = 0
        self.failing = failing

    def __call__(self) -> str:
        self.runs += 1
        if self.runs in self.failing:
            raise RuntimeError(f"run {self.runs} went wrong")
        return f"run {self.runs} went well"


# -- the scheduler alone -----------------------------------------------------------------


def test_a_job_runs_again_and_again_and_it_is_known_how_it_went(start: Start) -> None:
    work = Counting()
    began = datetime.now(UTC)
    scheduler = start(Job("work", "Work", 0.1, work))
    until(lambda: work.runs >= 3, what="three runs")
    state = scheduler.states["work"]
    assert state.last_run is not None
    assert began < state.last_run <= datetime.now(UTC)
    assert "went well" in until(lambda: state.last_result)
    assert state.last_error == ""
    assert state.took is not None
    following = scheduler.next_run("work")
    assert following is not None
    assert following > state.last_run


def test_a_failing_job_is_remembered_and_the_next_run_still_comes(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    work, go_on = Counting(1, 2), Event()

    def run() -> str:
        if work.runs == 2:
            assert go_on.wait(20)
        return work()

    state = start(Job("work", "The work", 0.1, run)).states["work"]
    until(lambda: state.last_error == "run 2 went wrong", what="it is remembered")
    assert state.last_result == ""
    go_on.set()
    until(lambda: work.runs >= 3 and state.last_error == "", what="the next run came")
    assert "went well" in state.last_result
    assert "The work failed" in caplog.text


def test_a_job_that_cannot_ask_says_so_and_fills_no_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def run() -> str:
        raise CannotAsk("dahua", "the cloud does not answer")

    state = start(Job("work", "The work", 0.1, run)).states["work"]
    until(lambda: state.last_error == "the cloud does not answer", what="it is remembered")
    assert caplog.text == ""


def test_a_job_that_takes_longer_than_its_interval_never_runs_twice_at_once(start: Start) -> None:
    others, go_on, running = Counting(), Event(), []

    def slow() -> str:
        running.append(1)
        assert go_on.wait(20)
        return "done"

    start(Job("slow", "Slow", 0.05, slow), Job("other", "Other", 0.05, others))
    until(lambda: running and others.runs >= 10, what="the other ran on meanwhile")
    assert len(running) == 1
    go_on.set()
    until(lambda: len(running) >= 2, what="it runs again afterwards")


def test_a_paused_job_does_not_run_until_it_is_resumed_and_then_at_once(start: Start) -> None:
    asleep, awake = Counting(), Counting()
    scheduler = start(
        Job("asleep", "Asleep", 3600, asleep, paused=True), Job("awake", "Awake", 0.05, awake)
    )
    until(lambda: awake.runs >= 10, what="the other runs")
    assert asleep.runs == 0
    assert scheduler.next_run("asleep") is None
    scheduler.resume("asleep")
    until(lambda: asleep.runs == 1, what="it runs at once, not in an hour")
    following = scheduler.next_run("asleep")
    assert following is not None
    assert following > datetime.now(UTC) + timedelta(minutes=59)


def test_a_job_that_is_paused_again_stops(start: Start) -> None:
    work, other = Counting(), Counting()
    scheduler = start(Job("work", "Work", 0.05, work), Job("other", "Other", 0.05, other))
    until(lambda: work.runs, what="it runs")
    scheduler.pause("work")
    assert scheduler.next_run("work") is None
    until(lambda: other.runs >= 20, what="the other runs on")
    runs, others = work.runs, other.runs
    until(lambda: other.runs >= others + 10, what="and on")
    assert work.runs == runs


def test_a_stopped_scheduler_runs_nothing_and_says_so(start: Start) -> None:
    work = Counting()
    scheduler = Scheduler([Job("work", "Work", 0.05, work)])
    assert not scheduler.is_running()
    assert scheduler.next_run("work") is None
    scheduler.start()
    until(lambda: work.runs, what="it runs")
    assert scheduler.is_running()
    scheduler.stop()
    assert not scheduler.is_running()


# -- a table that changes while it runs --------------------------------------------------


def test_a_job_that_is_added_while_others_run_runs_soon_and_again(start: Start) -> None:
    first, second = Counting(), Counting()
    scheduler = start(Job("first", "First", 0.05, first))
    until(lambda: first.runs, what="the first runs")
    scheduler.add(Job("second", "Second", 0.05, second))
    until(lambda: second.runs >= 3, what="the second runs again and again")
    assert [job.name for job, _state, _next in scheduler.rows()] == ["first", "second"]
    assert "went well" in until(lambda: scheduler.states["second"].last_result)


def test_a_job_that_is_added_paused_waits_until_it_is_changed(start: Start) -> None:
    work, other = Counting(), Counting()
    scheduler = start(Job("other", "Other", 0.05, other))
    scheduler.add(Job("work", "Work", 3600, work, paused=True))
    runs = other.runs
    until(lambda: other.runs >= runs + 10, what="the other runs on")
    assert (work.runs, scheduler.next_run("work")) == (0, None)
    scheduler.change("work", paused=False)
    until(lambda: work.runs == 1, what="it runs at once")
    assert scheduler.next_run("work") > datetime.now(UTC) + timedelta(minutes=59)  # type: ignore[operator]
    scheduler.change("work", paused=True)
    assert scheduler.next_run("work") is None


def test_two_jobs_of_one_name_are_refused(start: Start) -> None:
    scheduler = start(Job("work", "Work", 3600, Counting()))
    with pytest.raises(ValueError, match="work"):
        scheduler.add(Job("work", "The same", 0.05, Counting()))
    assert scheduler.jobs["work"].title == "Work"


@pytest.mark.parametrize("name", ["change", "remove"])
def test_a_job_that_is_not_there_cannot_be_changed_or_removed(start: Start, name: str) -> None:
    scheduler = start(Job("work", "Work", 3600, Counting()))
    with pytest.raises(KeyError):
        scheduler.change("other", every=5) if name == "change" else scheduler.remove("other")
    assert list(scheduler.jobs) == ["work"]


def test_a_shorter_interval_is_measured_from_the_last_run(start: Start) -> None:
    work = Counting()
    scheduler = start(Job("work", "Work", 3600, work))
    scheduler.run_now("work")
    until(lambda: scheduler.states["work"].last_result == "run 1 went well", what="one run")
    state = scheduler.states["work"]
    assert state.began is not None
    state.began -= 3600  # as if that had been an hour ago
    scheduler.change("work", every=7200)
    following = scheduler.next_run("work")
    assert following is not None
    assert abs(following - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=30)
    assert work.runs == 1
    scheduler.change("work", every=0.05)
    until(lambda: work.runs >= 4, what="it runs at its new interval")
    assert scheduler.jobs["work"].every == 0.05


def test_another_interval_leaves_a_paused_job_paused(start: Start) -> None:
    work, other = Counting(), Counting()
    scheduler = start(Job("work", "Work", 3600, work, paused=True), Job("o", "O", 0.05, other))
    scheduler.change("work", every=0.05)
    assert scheduler.next_run("work") is None
    until(lambda: other.runs >= 10, what="the other runs")
    assert work.runs == 0
    scheduler.resume("work")
    until(lambda: work.runs >= 3, what="it runs at the new interval")


def test_a_removed_job_runs_no_more_and_leaves_the_table(start: Start) -> None:
    work, other = Counting(), Counting()
    scheduler = start(Job("work", "Work", 0.05, work), Job("other", "Other", 0.05, other))
    until(lambda: work.runs, what="it runs")
    scheduler.remove("work")
    assert [job.name for job, _state, _next in scheduler.rows()] == ["other"]
    assert not scheduler.run_now("work")
    # One run may have been under way.
    runs, others = work.runs, other.runs
    until(lambda: other.runs >= others + 10, what="the other runs on")
    assert work.runs <= runs + 1
    again = Counting()
    scheduler.add(Job("work", "Work", 0.05, again))
    until(lambda: again.runs >= 2, what="another one of that name runs")


def test_a_job_that_is_removed_in_a_run_ends_that_run_and_holds_up_nobody(start: Start) -> None:
    go_on, running, ended, other = Event(), Event(), Event(), Counting()

    def slow() -> str:
        running.set()
        assert go_on.wait(20)
        ended.set()
        return "done"

    scheduler = start(Job("slow", "Slow", 0.05, slow), Job("other", "Other", 0.05, other))
    assert running.wait(20)
    scheduler.run_now("slow")
    scheduler.remove("slow")
    runs = other.runs
    until(lambda: other.runs >= runs + 5, what="the other runs on")
    go_on.set()
    assert ended.wait(20)


def test_however_many_jobs_never_end_the_tick_still_comes(start: Start) -> None:
    go_on, waiting, tick = Event(), [], Counting()

    def endless() -> str:
        waiting.append(1)
        assert go_on.wait(60)
        return ""

    scheduler = start(Job("tick", "Tick", 0.05, tick))
    for number in range(40):
        scheduler.add(Job(f"endless-{number}", "Endless", 0.05, endless))
    until(lambda: len(waiting) == 40, what="all of them run at once")
    runs = tick.runs
    until(lambda: tick.runs >= runs + 10, what="the tick comes")
    go_on.set()


def test_a_run_out_of_turn_waits_for_the_run_under_way_and_comes_once(start: Start) -> None:
    go_on, running, at_once = Event(), [], []

    def slow() -> str:
        running.append(1)
        at_once.append(len(running))
        assert go_on.wait(20)
        running.pop()
        return "done"

    other = Counting()
    scheduler = start(Job("slow", "Slow", 3600, slow, paused=True), Job("o", "O", 0.05, other))
    scheduler.run_now("slow")
    until(lambda: running, what="it runs")
    for _click in range(5):
        assert scheduler.run_now("slow")
        runs = other.runs
        until(lambda runs=runs: other.runs > runs, what="the click was taken")
    go_on.set()
    until(lambda: len(at_once) >= 2, what="it runs once more")
    runs = other.runs
    until(lambda: other.runs >= runs + 10, what="and no more")
    assert at_once == [1, 1]


# -- in a real monitor ---------------------------------------------------------------------


def job(monitor: Running, name: str = "auto_scan") -> dict[str, Any]:
    return next(job for job in monitor.get("/api/jobs").json if job["name"] == name)


def toggle(monitor: Running, enabled: bool) -> dict[str, Any]:
    answer = monitor.request("POST", "/api/auto-scan", {"enabled": enabled})
    assert answer.status == 200
    return answer.json  # type: ignore[no-any-return]


def camera_of(monitor: Running) -> Network:
    host = "127.0.0.1"
    return Network(
        [Camera("d4:2d:c5:00:00:01", "127.20.0.1")],
        listen=(host, int(monitor.environment["EASY_IP_PORT"])),
        reply_to=(host, int(monitor.environment["EASY_IP_REPLY_PORT"])),
    )


def test_the_toggle_is_off_at_first_and_an_empty_fleet_sends_nothing(run_monitor: Run) -> None:
    monitor = run_monitor(AUTO_SCAN_INTERVAL="10")
    with camera_of(monitor) as network:
        assert monitor.get("/api/stats").json["auto_scan_enabled"] is False
        until(lambda: job(monitor, "tick")["last_run"], 60, "the scheduler ticks")
        assert job(monitor)["last_run"] is None
        assert job(monitor)["next_run"] is None
        assert network.requests == 0


@pytest.mark.timeout(240)
def test_the_toggle_survives_a_restart_both_ways(run_monitor: Run) -> None:
    monitor = run_monitor(AUTO_SCAN_INTERVAL="10")

    def went_well() -> bool:
        return job(monitor)["last_result"] == "1 device online"  # type: ignore[no-any-return]

    with camera_of(monitor) as network:
        answer = toggle(monitor, True)
        assert answer == {"success": True, "auto_scan_enabled": True, "interval": 10}
        until(went_well, 60, "it scans at once")
        assert monitor.stop() == 0
        asked = network.requests
        monitor.start()
        assert monitor.get("/api/stats").json["auto_scan_enabled"] is True
        until(went_well, 60, "it scans again")
        assert network.requests >= asked + 12
        last = monitor.get("/api/scan").json["last"]
        assert last["by"] == "auto-scan"
        state = job(monitor)
        assert state["next_run"] > state["last_run"]
        assert toggle(monitor, False)["auto_scan_enabled"] is False
        assert job(monitor)["next_run"] is None
        assert monitor.stop() == 0
        monitor.start()
        assert monitor.get("/api/stats").json["auto_scan_enabled"] is False
        until(lambda: job(monitor, "tick")["last_run"], 60, "the scheduler ticks")
        state = job(monitor)
        assert state["next_run"] is None
        assert monitor.get("/api/scan").json["last"] == last, "it has not scanned since"
        assert state["last_run"][:19] == last["at"][:19], "jobs tell times by the second"


def test_it_survives_a_kill_too(run_monitor: Run) -> None:
    monitor = run_monitor(AUTO_SCAN_INTERVAL="10")
    toggle(monitor, True)
    monitor.kill()
    monitor.start()
    assert monitor.get("/api/stats").json["auto_scan_enabled"] is True
    assert job(monitor)["next_run"]


def test_an_automatic_scan_that_failed_is_remembered_and_the_next_one_still_comes(
    run_monitor: Run,
) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as blocker:
        blocker.bind(("0.0.0.0", port))
        monitor = run_monitor(
            AUTO_SCAN_INTERVAL="10", EASY_IP_REPLY_PORT=str(port), AUTO_SCAN="true"
        )
        error = until(lambda: job(monitor)["last_error"], 60, "the scan failed")
        assert f"UDP port {port} cannot be opened" in error
        assert job(monitor)["next_run"]
        assert f"UDP port {port} cannot be opened" in monitor.get("/").body.decode()
    with camera_of(monitor):
        until(lambda: job(monitor)["last_error"] is None, 60, "the next scan went well")
        assert job(monitor)["last_result"] == "1 device online"
    assert f"UDP port {port} cannot be opened" not in monitor.get("/").body.decode()
    kinds = [event["kind"] for event in monitor.get("/api/events?kind=source.").json["events"]]
    assert kinds == ["source.up", "source.down"]


def test_an_added_job_is_on_the_page_and_in_the_api_until_it_is_removed(tmp_path: Path) -> None:
    with closing(Home(tmp_path, Clock())) as home:
        scheduler, work = home.monitor.scheduler, Counting()
        scheduler.start()
        scheduler.add(Job("work", "Count the sheep", 0.05, work))
        until(lambda: scheduler.states["work"].last_result, what="it runs")

        def names() -> list[str]:
            return [row["name"] for row in home.client.get("/api/jobs").json]

        assert names() == [*(name for name in scheduler.jobs if name != "work"), "work"]
        assert "Count the sheep" in home.client.get("/settings/jobs").text
        runs = work.runs
        home.client.post("/api/jobs/work/run", headers={"Sec-Fetch-Site": "same-origin"})
        until(lambda: work.runs > runs, what="it runs now")
        scheduler.remove("work")
        assert "work" not in names()
        assert home.client.post("/api/jobs/work/run").status_code == 404


def test_the_clock_thread_outlives_a_job_that_is_removed_meanwhile(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discovery.scheduler.COMPARE_EVERY", 0.02)
    removed: list[str] = []

    def timer() -> float:
        """A clock of which each look comes just after the job is gone, while that is wanted."""
        is_clock = current_thread().name == "clock"
        if is_clock and len(removed) < 3 and scheduler._scheduler.get_job("one") is not None:
            removed.append("one")
            scheduler._scheduler.remove_job("one")
            return monotonic() - 900
        return monotonic()

    scheduler = Scheduler([Job("one", "One", 600, lambda: "")], timer=timer)
    scheduler.start()

    def again() -> bool:
        if scheduler._scheduler.get_job("one") is None:
            far = datetime.now(UTC) + timedelta(hours=1)
            job = scheduler.jobs["one"]
            trigger = _trigger(600, timer)
            scheduler._scheduler.add_job(lambda: None, trigger, id=job.name, next_run_time=far)
        soon = datetime.now(UTC) + timedelta(minutes=11)
        return len(removed) == 3 and scheduler.next_run("one") < soon

    until(again, what="three looks have failed, and then its time is put right")
    assert scheduler._thread.is_alive()
    scheduler.stop()
    messages = [record.message for record in caplog.records if record.name == "discovery.scheduler"]
    assert messages == ["Could not compare the job times with the clock; retrying"]


def test_a_run_that_was_skipped_says_why_and_proves_nothing(start: Start) -> None:
    ends = iter((RuntimeError("it is out"), JobSkipped("Another one does it."), None))

    def run() -> str:
        if (error := next(ends, None)) is not None:
            raise error
        return "done"

    scheduler = start(Job("work", "Work", 3600, run, paused=True))
    state, results = scheduler.states["work"], []
    for _ in range(3):
        scheduler._run("work")
        results.append((state.last_result, state.last_error))
    skipped = ("Another one does it.", "it is out")
    assert results == [("", "it is out"), skipped, ("done", "")]


def test_an_automatic_scan_that_meets_another_one_keeps_its_error(
    make_home: Callable[..., Home],
) -> None:
    home = make_home()
    scanner, state = home.monitor.scanner, home.monitor.scheduler.states["auto_scan"]
    state.last_error = "the cable is out"
    assert scanner.start("otto")
    home.monitor.scheduler._run("auto_scan")
    assert (state.last_result, state.last_error) == (
        "Skipped: a scan was already running",
        "the cable is out",
    )
    assert scanner.wait(20)
