"""A real process whose clock is set while it runs: its jobs go on by the monotonic clock."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.home import Running, until

# The library cannot sleep until a monotonic time, as Python's sleep() does; select() it can.
START = (
    "import select, time; time.sleep = lambda s: select.select((), (), (), s);"
    " import serving; serving.main()"
)
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


@pytest.fixture
def library() -> Path:
    paths = sorted(Path("/").glob(LIBRARY[1:]))
    if not paths:
        pytest.skip("needs libfaketime: sudo apt install faketime")
    return paths[0]


@pytest.fixture
def server(tmp_path: Path, library: Path) -> Iterator[Running]:
    (tmp_path / "clock").write_text("+0")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        # Only the wall clock: as a person or a time server sets it.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    (tmp_path / "run").mkdir()
    made = Running(tmp_path / "run", **environment)
    try:
        yield made.start(sys.executable, "-c", START)
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()


def last_run(server: Running, name: str) -> Any:
    return next(job for job in server.get("/api/jobs").json if job["name"] == name)["last_run"]


def runs_on(server: Running) -> None:
    """The job that runs every five seconds does so again."""
    before = last_run(server, "workbook")
    until(lambda: last_run(server, "workbook") != before, 30, "it runs again")


def steps(server: Running) -> list[str]:
    events = server.get("/api/events?kind=server.clock").json["events"]
    return [event["text"] for event in events][::-1]


@pytest.mark.timeout(240)
def test_jobs_go_on_whatever_the_clock_says_and_each_step_is_told_once(
    server: Running, tmp_path: Path
) -> None:
    until(lambda: last_run(server, "tick"), 60, "the scheduler ticks")
    for offset, direction in (
        ("-1h", "jumped back by"),
        ("+730d", "jumped ahead by 730 d"),
        ("+0", "jumped back by"),
    ):
        before = len(steps(server))
        (tmp_path / "clock").write_text(offset)
        until(lambda: len(steps(server)) > before, 30, "the step is told")  # noqa: B023
        assert direction in steps(server)[-1]
        runs_on(server)
        assert server.get("/readyz").status == 200
        assert len(steps(server)) == before + 1
    text = server.text()
    assert text.count("The clock of this server jumped by") == 3
