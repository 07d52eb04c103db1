"""Fixtures of all tests, and the guard that keeps each test on this machine."""

import gc
import ipaddress
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.unraisableexception import collect_unraisable

from simulators.panasonic import Camera
from tests.home import Clock, Home, Running, running
from tests.order import place_of


def _refuse_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse every address but loopback, as a second guard behind the network namespace."""
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return
    sock, address = arguments
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or address is None:
        return
    host = str(address[0])
    is_local = host == "localhost" or ipaddress.ip_address(host.partition("%")[0]).is_loopback
    if not is_local:
        raise PermissionError(f"a test tried to reach {host}; only loopback is allowed")


sys.addaudithook(_refuse_strangers)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files also where the command names no distribution: the devices of a
    file have addresses of their own, at which they are found by the port of WS-Discovery."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in an order that keeps several workers busy to the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.location[0]))


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run: modules and tests."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Let what a file of tests left open fail there, and not in a test that runs much later."""
    yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        collect_unraisable(item.config)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Fail a skipped test on the build machine: a skip hides a promise."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"


_causes: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Show one traceback for a set-up that fails for many tests in the same way."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if report.when != "setup" or crash is None:
        return
    report.cause = crash.message.splitlines()[0]
    if crash.message in _causes:
        report.longrepr = f"the same as above: {report.cause}"
    _causes.add(crash.message)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Close with one line for each thing that is missing, and how many tests wait for it."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reasons[str(report.longrepr[-1]).removeprefix("Skipped: ")] += 1
    for report in terminalreporter.stats.get("error", []):
        reasons[getattr(report, "cause", "an error at its end")] += 1
    if reasons:
        terminalreporter.section("not run")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")


@pytest.fixture
def netns() -> None:
    """Skip a test where it cannot make network namespaces."""
    if os.environ.get("IN_NETNS") != "1":
        pytest.skip("needs a network namespace: run `make test` as root")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_home(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Home]]:
    """Build monitors in this process, each closed at the end."""
    homes: list[Home] = []

    def make(*cameras: Camera, folder: str = "home", **changes: Any) -> Home:
        (tmp_path / folder).mkdir(exist_ok=True)
        homes.append(Home(tmp_path / folder, clock, *cameras, **changes))
        return homes[-1]

    yield make
    for home in homes:
        home.close()


@pytest.fixture
def run_monitor(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start monitors as processes, each ended at the end."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def run(folder: str = "run", **environment: str) -> Running:
            return stack.enter_context(running(tmp_path / folder, **environment))

        yield run
