"""Asking Dahua's cloud, pretended on loopback, beside a plain client with 20 threads."""

import asyncio
import random
import resource
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.table import Row
from fleet.model import Coverage, Miss, Report, Sighting, Target
from simulators.easy4ip import Cloud
from simulators.easy4ip_wire import Recorder, fleet
from sources import easy4ip
from sources.easy4ip_wire import (
    CloudResponse,
    InvalidResponse,
    KeyPair,
    parse_response,
    request,
    server_of,
)

COUNT = 1000
THREADS = 20
TIMEOUT = 5.0
KEYS = KeyPair("cba1b29e32cb17aa46b8ff9e73c7f40b", "996103384cdf19179e19243e959bbf8b")


def recorders(_folder: Path) -> list[Row]:
    """Time and truth of a sweep over 1,000 serials."""
    every = fleet(COUNT)
    with Cloud(every) as cloud:
        cloud.delay = 0.08
        for place, recorder in enumerate(every):
            recorder.state = "silent" if place % 5 < 2 else "online"
        took, cpu, ours = _ours(cloud, every)
        sample = every[:200]
        began = time.monotonic()
        _threads(cloud, sample)
        peer = (time.monotonic() - began) * COUNT / len(sample)
        wrong = _wrong(every, ours)
        for recorder in every:
            recorder.state = "online"
        cloud.request_loss = cloud.answer_loss = 0.05
        cloud.forget()
        _took, _cpu, lossy = _ours(cloud, every)
        cloud.delay = 0.0
        lost = sum(1 for up in _threads(cloud, every[:100]) if not up)
    name = f"{COUNT} recorders, 80 ms, 40 % silent"
    note = "the peer is measured with 200 and counted up"
    return [
        Row(f"{name}: by hand", took, "s", 12, peer, note),
        Row(f"{name}: CPU", cpu, "s", 2),
        Row(f"{name}: wrong verdicts", wrong, "", 0),
        Row(
            f"{COUNT} recorders, 5 % lost each way: wrong",
            _wrong(every, lossy),
            "",
            0,
            lost * 10,
            "the peer of 100, times ten",
        ),  # fmt: skip
    ]


def _ours(cloud: Cloud, every: Sequence[Recorder]) -> tuple[float, float, list[Report | Coverage]]:
    """Seconds, CPU seconds, and what was said."""
    options = easy4ip.Easy4IpOptions(lambda: datetime.now(UTC), ("127.0.0.1", cloud.port), KEYS)
    source = easy4ip.source(options)
    targets = [
        Target("here", f"row:{recorder.serial}", "", path=recorder.serial) for recorder in every
    ]

    async def sweep() -> list[Report | Coverage]:
        assert source.sweep is not None
        try:
            return [report async for report in source.sweep(targets, 0.0)]
        finally:
            source.close()

    began, used = time.monotonic(), _cpu()
    reports = asyncio.run(sweep())
    return time.monotonic() - began, _cpu() - used, reports


def _cpu() -> float:
    """CPU seconds of this thread: the pretended cloud has one of its own."""
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_utime + used.ru_stime


def _wrong(every: Sequence[Recorder], reports: Sequence[Report | Coverage]) -> int:
    up = {report.serial for report in reports if isinstance(report, Sighting)}
    down = {report.identity[4:] for report in reports if isinstance(report, Miss)}
    right = sum(
        1 for recorder in every if recorder.serial in (up if recorder.state == "online" else down)
    )
    return len(every) - right


def _threads(cloud: Cloud, every: Sequence[Recorder]) -> list[bool]:
    """As the DVR dashboard does it: three requests each, no repetition, 20 at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(
            pool.map(lambda recorder: _is_up(("127.0.0.1", cloud.port), recorder.serial), every)
        )


def _is_up(main: tuple[str, int], serial: str) -> bool:
    try:
        server = server_of(_once(main, f"/online/p2psrv/{serial}"))
        if server is None:
            return False
        probe = _once(server, f"/probe/device/{serial}")
        info = _once(server, f"/info/device/{serial}")
    except (OSError, InvalidResponse):
        return False
    return probe.code < 400 and info.code < 400 and info.body is not None


def _once(server: tuple[str, int], path: str) -> CloudResponse:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(TIMEOUT)
        asked.connect(server)
        cseq = random.randrange(1, 1 << 30)  # nosec B311 (no secret)
        asked.send(request(path, cseq, KEYS, cseq, datetime.now(UTC)))
        return parse_response(asked.recv(8192))
