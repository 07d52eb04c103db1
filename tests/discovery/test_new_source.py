"""A new vendor is one file and one line, and 2,000 devices of it are watched at once."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from simulators.status_line import StatusLineDevice, StatusLines, crowd
from tests.discovery.listed import listed, write_fleet
from tests.home import ROOT, Running, free_port, until

COUNT = 2000
TIMEOUT = 2.0
"""Of the source, in seconds."""
OFTEN = 5
"""Seconds between two questions to each of the last hundred devices."""
PACKAGES = ("data", "tests", "docs", "bench", "simulators", ".*", "__pycache__")


@dataclass
class Site:
    """A monitor with the new source, and its devices: `modes` are how the first ones behave."""

    monitor: Running
    lines: StatusLines

    def of(self, mode: str) -> list[StatusLineDevice]:
        return [device for device in self.lines.devices if device.mode == mode]

    def often(self) -> list[StatusLineDevice]:
        return self.lines.devices[-100:]

    def stats(self) -> dict[str, int]:
        stats: dict[str, int] = self.monitor.get("/api/stats").json
        return stats

    def row(self, device: StatusLineDevice) -> dict[str, object]:
        """The device as the API shows it."""
        number = self.lines.devices.index(device) + 1
        row: dict[str, object] = self.monitor.get(f"/api/camera/{number}").json
        return row


def tree_with_source(folder: Path) -> tuple[Path, list[tuple[str, str]]]:
    """A copy of the program with one more file and one edited line; which lines differ."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*PACKAGES))
    # A device of its own interval has 10 s at least: those that are asked often have the source's.
    source = (ROOT / "tests/discovery/status_line.py").read_text()
    often = source.replace("cap=40,", f"cap=40, interval={OFTEN},")
    assert often != source
    (tree / "sources/status_line.py").write_text(often)
    table = tree / "sources/__init__.py"
    old = table.read_text()
    names = old.partition("SOURCES = (")[2].partition(")")[0]
    table.write_text(old.replace(f"{names})", f'{names}, "status_line")'))
    pairs = zip(old.splitlines(), table.read_text().splitlines(), strict=True)
    return tree, [(before, after) for before, after in pairs if before != after]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("new_source")
    tree, edited = tree_with_source(folder)
    assert len(edited) == 1, "one line"
    lines = StatusLines(crowd(COUNT), free_port())
    kinds = ["silent"] * 20 + ["busy"] * 20 + ["slow"] * 20 + ["off"] * 20
    for device, mode in zip(lines.devices, kinds, strict=False):
        device.mode, device.delay = mode, TIMEOUT / 2
    write_fleet(
        folder / "camera_database.json",
        (
            listed(
                number + 1,
                "status_line",
                address=device.address,
                port=lines.port,
                interval=None if number >= COUNT - 100 else 6000,
            )
            for number, device in enumerate(lines.devices)
        ),
    )
    monitor = Running(folder, root=tree)
    try:
        lines.start()
        monitor.start()
        yield Site(monitor, lines)
    finally:
        if monitor.process is not None:
            monitor.stop()
        lines.stop()


def test_all_devices_are_asked_and_each_says_how_it_is_for_itself(site: Site) -> None:
    down = len(site.of("silent") + site.of("off"))
    until(lambda: site.stats()["offline"] == down, 60, "those that say nothing are offline")
    until(lambda: all(device.asked for device in site.lines.devices[100:]), 60)
    stats = site.stats()
    assert (stats["total"], stats["active"], stats["offline"]) == (COUNT, COUNT - down, down)
    row = site.row(site.of("well")[0])
    assert (row["status"], row["model_name"]) == ("ACTIVE", "SL-1")
    assert site.row(site.of("slow")[0])["status"] == "ACTIVE"
    assert site.row(site.of("busy")[0])["status"] == "ACTIVE", "a refused session is an answer"
    assert site.row(site.of("silent")[0])["reason"] == "no response within 2 s"
    assert site.row(site.of("off")[0])["reason"] == "connection refused"


def test_the_devices_are_asked_when_they_are_due(site: Site) -> None:
    before = {device.address: len(device.asked) for device in site.often()}
    until(
        lambda: all(len(device.asked) >= before[device.address] + 4 for device in site.often()), 120
    )
    gaps = [
        later - earlier
        for device in site.often()
        for earlier, later in zip(device.asked[1:], device.asked[2:], strict=False)
    ]
    assert OFTEN * 0.9 < median(gaps) < OFTEN * 1.1
    assert all(len(device.asked) == 1 for device in site.of("well")[:1000]), "not due yet"


def test_a_device_that_was_up_is_asked_again_soon_after_its_first_miss(site: Site) -> None:
    until(lambda: all(len(device.asked) == 3 for device in site.of("silent")), 60)
    for device in site.of("silent"):
        # The first question came here before its time-out, from which the seconds count.
        first, second, third = device.asked
        assert second - first >= 4.9
        assert third - first >= 14.9


def test_no_device_has_more_sessions_and_no_source_more_questions_than_it_may(site: Site) -> None:
    assert {device.most for device in site.lines.devices if device.mode != "off"} == {1}
    assert 1 < site.lines.most <= 40
