"""The cost of a check of an RTSP camera, beside ffprobe on the same cameras."""

import asyncio
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import fleets
from bench.due import FIRST, INTERVAL, SECONDS, SIZE, utc_now
from bench.running import ROOT, free_port, share_of_core
from bench.table import Row
from discovery.scanner import Scanner
from fleet.database import record
from fleet.model import Access, Fleet, NoAnswer, Report, Sighting, Target
from fleet.tracker import Tracker
from simulators import rtsp as simulator
from simulators.panasonic import crowd
from sources import rtsp

MANY = 2000
BROKEN = {"silent": 5, "slow": 5, "flooding": 1}
DEAD = 254
NETWORK = 4094
"""Addresses of a /20."""
GENTLE = 50
"""Checks at once where the time of a single camera is measured."""
ROUNDS = 5
"""Pairs of rounds without and with broken cameras, so that a busy moment is in both."""
PEERS = 16
"""Cameras that ffprobe asks, one after the other."""
Probe = Callable[[Target], Awaitable[Sequence[Report]]]


@dataclass(frozen=True)
class Checks:
    """What became of the checks of one round. `seconds` is the time of each camera by its key."""

    took: float
    cpu: float
    alive: int
    seconds: dict[str, float]

    def latency(self, asked: Sequence[Target], share: float = 0.5) -> float:
        """Milliseconds within which this share of the cameras was checked."""
        times = sorted(self.seconds[target.key] for target in asked)
        return times[int(share * (len(times) - 1))] * 1000


@contextmanager
def cameras(port: int, *options: str) -> Iterator[None]:
    """A crowd of pretend cameras on this port, in a process of its own."""
    command = [sys.executable, "-m", "simulators.rtsp", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def targets(port: int, count: int, first: int = 0) -> list[Target]:
    """The cameras with their logins, as they are known after a first check."""
    made = []
    for device in simulator.crowd(count, first):
        login = device.accounts
        target = Target("", device.address, device.address, port, "/stream1")
        target = replace(target, worked_at=datetime.now(UTC))
        if login.username:
            target = replace(target, username=login.username, secret=login.password)
        made.append(target)
    return made


async def check(asked: Sequence[Target], cap: int) -> Checks:
    """Ask all of them, so many at once, each within the time that the source gives."""
    source = rtsp.build(rtsp.Options(), lambda: datetime.now(UTC))
    assert source.probe is not None
    slots, seconds, alive = asyncio.Semaphore(cap), dict[str, float](), 0

    async def ask(target: Target, probe: Probe) -> None:
        nonlocal alive
        async with slots:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(source.timeout):
                    reports = await probe(target)
                alive += any(isinstance(report, Sighting) for report in reports)
            except (NoAnswer, TimeoutError):
                pass
            seconds[target.key] = time.monotonic() - begin

    cpu, begin = time.process_time(), time.monotonic()
    await asyncio.gather(*(ask(target, source.probe) for target in asked))
    took = time.monotonic() - begin
    source.close()
    return Checks(took, time.process_time() - cpu, alive, seconds)


def ffprobe_cpu(asked: Sequence[Target]) -> float | None:
    """Milliseconds of CPU for each camera; None without ffprobe."""
    if not shutil.which("ffprobe"):
        return None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for target in asked:
        login = f"{target.username}:{target.secret}@" if target.username else ""
        url = f"rtsp://{login}{target.host}:{target.port}{target.path}"
        command = ["ffprobe", "-v", "quiet", "-rtsp_transport", "tcp", "-show_streams", url]
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=30, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / len(asked) * 1000


def listed(folder: Path, port: int) -> Tracker:
    """A fleet in which each device is one of the cameras, with its login. The password is its own
    id: a vault would be measured too."""
    fleets.write_fleet(folder, SIZE)
    tracker = fleets.tracker_in(folder)
    fleet = tracker.fleet()
    tracker.close()
    devices = {
        id: replace(device, access={"rtsp": _access(target)}, retired_at=None)
        for (id, device), target in zip(fleet.devices.items(), targets(port, SIZE), strict=True)
    }
    data = record.Encoder().encode(Fleet(devices, next_id=fleet.next_id, sequence=fleet.sequence))
    (folder / "camera_database.json").write_bytes(data)
    return fleets.tracker_in(folder)


def _access(target: Target) -> Access:
    access = Access(target.host, target.port, target.path, interval=INTERVAL)
    return replace(access, username=target.username, secret=target.secret)


def _due(folder: Path) -> Row:
    """CPU of this process while 10,000 cameras are checked every ten minutes, after the first
    round."""
    port = free_port()
    with cameras(port, "--count", str(SIZE)):
        tracker = listed(folder, port)
        scanner = Scanner([rtsp.build(rtsp.Options(), utc_now)], tracker, utc_now, unseal=str)
        scanner.open()
        try:
            share_of_core(FIRST)
            before = _last_seen(tracker)
            share, took = share_of_core(SECONDS)
            after = _last_seen(tracker)
        finally:
            scanner.close()
            tracker.close()
    checks = sum(seen != before[id] for id, seen in after.items())
    return Row(
        "10k RTSP cameras every 10 min: CPU of one core",
        share,
        "%",
        5,
        note=f"{checks / took:.1f} online a second; half of them with a Digest login",
    )


def _full_network(folder: Path) -> Row:
    """What the answers of a whole /20 cost the tracker, with its file, when all of them are new."""
    folder.mkdir()
    tracker, now = fleets.tracker_in(folder), utc_now()
    reports = fleets.reports_of(crowd(NETWORK), now)
    begin = time.process_time()
    tracker.apply(reports, now)
    took = time.process_time() - begin
    count = len(tracker.devices())
    tracker.close()
    return Row(
        "a /20 answers fully: CPU of the tracker", took, "s", 2, note=f"{count} devices added"
    )


def _last_seen(tracker: Tracker) -> dict[int, datetime | None]:
    return {device.id: device.last_seen for device in tracker.devices().values()}


def rtsp_checks(folder: Path) -> list[Row]:
    """2,000 cameras, half of them with a Digest login; then with broken ones among them; then
    dead addresses; a whole /20; then 10,000 at their interval."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    flags = [part for kind, count in BROKEN.items() for part in (f"--{kind}", str(count))]
    few = sum(BROKEN.values())
    broken = ("--first", str(MANY), "--count", str(few), *flags)
    with cameras(port, "--count", str(MANY)), cameras(port, *broken):
        asked = targets(port, MANY)
        well = asyncio.run(check(asked, rtsp.CAP))
        others = _beside_broken(asked, targets(port, few, MANY))
        peer = ffprobe_cpu(asked[:PEERS])
    with cameras(port, "--count", str(DEAD), "--swallows", str(DEAD)):
        dead = asyncio.run(check(targets(port, DEAD), rtsp.CAP))
    return [*_rows(well, others, dead, peer), _full_network(folder / "full"), _due(folder)]


def _beside_broken(asked: Sequence[Target], broken: Sequence[Target]) -> Row:
    """The median latency of cameras that work while broken ones are asked too, as a multiple of
    that in the round before without them. Half of the rounds are above it. The broken ones have
    slots of their own, and all are asked at the start."""
    alone, mixed = [], []
    for _round in range(ROUNDS):
        alone.append(asyncio.run(check(asked, GENTLE)))
        mixed.append(asyncio.run(check([*broken, *asked], GENTLE + len(broken))))

    pairs = zip(mixed, alone, strict=True)
    ratio = median(
        with_them.latency(asked) / without.latency(asked) for with_them, without in pairs
    )

    def figures(rounds: Sequence[Checks]) -> str:
        typical, slow = (median(r.latency(asked, share) for r in rounds) for share in (0.5, 0.99))
        cpu = median(r.cpu for r in rounds) / len(asked) * 1000
        return f"{typical:.1f} ms (99 %: {slow:.1f}), CPU {cpu:.2f} ms"

    note = f"{figures(alone)} without; {figures(mixed)} with them"
    return Row("silent, slow and flooding: time of the others", ratio, "x", note=note)


def _rows(well: Checks, others: Row, dead: Checks, peer: float | None) -> list[Row]:
    each = well.cpu / len(well.seconds) * 1000
    note = f"{well.alive} online; half of them with a Digest login"
    return [
        Row("2,000 RTSP cameras: all checked", well.took, "s", 10, note=note),
        Row("RTSP camera: CPU of a check", each, "ms", 1, peer=peer, note="peer: ffprobe"),
        others,
        Row("254 dead addresses: all checked", dead.took, "s", 15, note=f"{dead.alive} online"),
    ]
