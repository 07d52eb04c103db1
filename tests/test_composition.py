"""How packages are put together: `app.py` lists them, and each brings its own parts."""

import shutil
from collections.abc import Callable, Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from discovery.lifecycle import stop_all
from fleet.build import FleetOptions, FleetPackage
from fleet.package import Package, Packages
from settings import Settings
from tests.home import ROOT, Home, Running, until

COUNTING = '''
"""Counts cameras."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.build import FleetPackage
from fleet.package import Job, Package


@dataclass(frozen=True)
class CountingOptions:
    auto_scan_interval: int


@dataclass(frozen=True)
class CountingPackage(Package):
    options: CountingOptions
    fleet: FleetPackage

    def jobs(self) -> Sequence[Job]:
        return (Job("counting", "Count devices", self.options.auto_scan_interval, self._count),)

    def _count(self) -> str:
        return f"{len(self.fleet.tracker.devices())} devices counted"


def build_counting(
    options: CountingOptions, clock: Callable[[], datetime], fleet: FleetPackage
) -> CountingPackage:
    return CountingPackage(options, fleet)
'''
LINES = {
    "from web import application\n": "from counting.build import CountingOptions, build_counting\n",
    "    return packages.add(build_web(": (
        "    packages.add(build_counting(select(CountingOptions), clock, fleet))\n"
    ),
}
"""What a new package costs `app.py`: each line stands before the one that it is named by."""


@pytest.fixture
def with_counting(tmp_path: Path) -> Iterator[Running]:
    """The program with one more package, as a real process."""
    root = tmp_path / "program"
    hidden = shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "data", "bench")
    shutil.copytree(ROOT, root, ignore=hidden)
    (root / "counting").mkdir()
    (root / "counting" / "__init__.py").write_text('"""What do we see?"""\n')
    (root / "counting" / "build.py").write_text(COUNTING)
    text = (root / "app.py").read_text()
    for place, line in LINES.items():
        assert text.count(place) == 1
        text = text.replace(place, line + place)
    (root / "app.py").write_text(text)
    (tmp_path / "home").mkdir()
    monitor = Running(tmp_path / "home", root, AUTO_SCAN_INTERVAL="10")
    try:
        yield monitor.start()
    finally:
        monitor.kill()


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    return make_home()


def test_a_new_package_costs_two_lines_of_app_py_and_its_jobs_run(with_counting: Running) -> None:
    old = (ROOT / "app.py").read_text().splitlines()
    new = (with_counting.root / "app.py").read_text().splitlines()
    changed = [line for line in unified_diff(old, new, n=0) if line[:2] not in ("--", "++", "@@")]
    assert [line[0] for line in changed] == ["+", "+"]

    def counted() -> str:
        rows = {row["name"]: row for row in with_counting.get("/api/jobs").json}
        assert rows["counting"]["title"] == "Count devices"
        return str(rows["counting"]["last_result"] or "")

    assert until(counted, 30, "the job of the new package ran") == "0 devices counted"
    assert "Count devices" in with_counting.get("/settings/jobs").body.decode()


def test_packages_stop_in_the_reverse_of_the_order_in_which_they_start() -> None:
    stopped: list[Package] = []

    class Noting(Package):
        def stop(self) -> None:
            stopped.append(self)

    packages = Packages()
    first, second = packages.add(Noting()), packages.add(Noting())
    stop_all(packages)
    assert stopped == [second, first]


def test_a_package_takes_part_in_every_minute_and_every_day(home: Home) -> None:
    class Recordings(Package):
        def tick(self) -> str:
            return "2 recordings closed"

        def forget(self) -> str:
            return "3 recordings"

    packages, jobs = home.monitor.packages, home.monitor.scheduler.jobs
    assert jobs["tick"].run() == "0 changes"
    packages.add(Recordings())
    assert jobs["tick"].run() == "0 changes and 2 recordings closed"
    assert jobs["forget"].run() == ("0 events and 0 audit log entries and 3 recordings deleted")


def test_every_package_is_found_by_its_class_and_a_missing_one_is_named(home: Home) -> None:
    class CountingPackage(Package):
        pass

    assert home.monitor.packages.find(FleetPackage).tracker is home.monitor.tracker
    with pytest.raises(LookupError, match="CountingPackage"):
        home.monitor.packages.find(CountingPackage)


def test_a_package_gets_the_options_that_it_names_and_no_others() -> None:
    chosen = Settings(database_path=Path("cameras.json"), keep_events_days=99).select(FleetOptions)
    assert (chosen.database_path, chosen.keep_events_days) == (Path("cameras.json"), 99)
    assert not hasattr(chosen, "secret_key")
