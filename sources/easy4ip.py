"""Dahua recorders, asked about at the vendor's cloud (Easy4IP). Only listed serials are asked.

For each: a lookup at the main server, which names the P2P server where the recorder is
registered, then a probe and an info request there. What the cloud itself keeps us from
asking says nothing about a recorder.
"""

import asyncio
import math
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from fleet.model import CannotAsk, Coverage, Miss, NoAnswer, Report, Sighting, Target
from sources.easy4ip_checks import (
    NAME,
    NO_REQUESTS,
    WAITS,
    CheckResult,
    CloudClient,
    Easy4IpOptions,
    RequestCounts,
)
from sources.easy4ip_cloud import (
    MAX_SLOWDOWN,
    Address,
    KeyRejected,
    Server,
    ServerBusy,
    ServerError,
)
from sources.easy4ip_wire import KeyPair
from sources.source import Cause, Source

__all__ = ["NAME", "Easy4IpOptions", "source", "waits"]
TITLE = "Dahua recorders (Easy4IP cloud)"
ROUNDS = 2
"""Complete rounds, with a lookup each, before a recorder is called offline."""
CLOCK_WARNING = 2.0
"""Seconds that our clock may be off before it is said."""
SLOW_WARNING = 1.0
"""Seconds that an answer may take before it is said."""
TOLERATED = 0.1
"""The part of all recorders about which the cloud may fail to say anything, untold."""
SAME_MOMENT = 1.0
"""Seconds in which one answer speaks for its server."""
KNOWN_STATES = ("online", "offline", "unknown", "silent", "cut off")
"""Results of a cloud that can be asked."""


async def sweep(
    cloud: CloudClient, targets: Sequence[Target], spread: float = 0.0
) -> AsyncIterator[Report | Coverage]:
    """Ask about every target, begun over `spread` seconds; reports as they are sure.

    Raises CannotAsk when nothing at all can be asked.
    """
    cloud.sweeps += 1
    try:
        async with aclosing(_sweep(cloud, targets, spread)) as reports:
            async for report in reports:
                yield report
    finally:
        cloud.sweeps -= 1


async def _sweep(
    cloud: CloudClient, targets: Sequence[Target], spread: float
) -> AsyncGenerator[Report | Coverage]:
    sweep = _Sweep(cloud, await cloud.main(), spread)
    before = {
        id(server): (server.requests, server.answers, Counter(server.refused))
        for server in cloud.servers()
    }
    try:
        unanswered = list(targets)
        for _round in range(ROUNDS if targets else 0):
            async with aclosing(sweep.round(unanswered)) as checked:
                async for target, result in checked:
                    if result.state == "online":
                        yield _sighting(target, result, cloud.options.clock())
            unanswered = [
                target for target in unanswered if sweep.results[target.key].state != "online"
            ]
            if not unanswered:
                break
        for target in await sweep.round_alone(unanswered):
            yield _sighting(target, sweep.results[target.key], cloud.options.clock())
        await _check_main(sweep.main, sweep.results)
        _remember_silence(cloud, targets, sweep.results)
        for target in unanswered:
            result = sweep.results[target.key]
            if result.state in ("offline", "unknown", "silent"):
                yield _miss(target, result, cloud.options.clock())
        results = sweep.results.values()
        coverage = _coverage(cloud, before, _failures(sweep), results)
    except CannotAsk:
        cloud.silent_since.clear()
        cloud.close_silent(before)
        raise
    cloud.close_silent(before)
    yield coverage


class _Sweep:
    """The rounds of one sweep. The second one asks only those that did not answer."""

    def __init__(self, cloud: CloudClient, main: Server, spread: float) -> None:
        self.cloud = cloud
        self.main = main
        self.spread = spread
        self.results: dict[str, CheckResult] = {}
        self.began = 0.0
        """When the last round did."""
        self._witnesses: dict[Address, Target] = {}
        self._checks: dict[Address, tuple[float, asyncio.Task[CheckResult]]] = {}
        self._begun: dict[str, float] = {}
        self._known: dict[str, Address | None] = {**cloud.registered()}
        """The P2P server of each serial, as far as the cloud named one."""
        self._time = asyncio.get_running_loop().time
        self._first_began = self._time()
        self._alone = asyncio.Semaphore(cloud.options.alone)

    async def round(self, targets: Sequence[Target]) -> AsyncGenerator[tuple[Target, CheckResult]]:
        """Ask about these recorders, and take the results as they come."""
        if self.results and all(result.state == "unasked" for result in self.results.values()):
            self.main = await self.cloud.main(silent=self.main)
        places = asyncio.Semaphore(self.cloud.options.most)
        step = 0.0 if self.results else self.spread / len(targets)
        self.began = self._time()
        tasks = [
            asyncio.create_task(self._check_recorder(target, place * step, places))
            for place, target in enumerate(targets)
        ]
        try:
            for done in asyncio.as_completed(tasks):
                target, result = await done
                self.results[target.key] = result
                self._known[target.path] = result.server
                if result.state == "online" and result.server:
                    self._witnesses[result.server] = target
                yield target, result
        finally:
            for task in (*tasks, *(task for _began, task in self._checks.values())):
                task.cancel()

    async def _check_recorder(
        self, target: Target, wait: float, places: asyncio.Semaphore
    ) -> tuple[Target, CheckResult]:
        # What the cloud says of all for a moment must not be heard twice.
        min_gap = max(sum(self.cloud.options.waits), self.spread / 4)
        again = self._begun.get(target.key, -min_gap) + min_gap
        await asyncio.sleep(max(wait, again - self._time()))
        async with places:
            former = self.results.get(target.key)
            check = self._check(former.server) if former and former.state == "silent" else None
            began = self._begun[target.key] = self._time()
            result = await self.cloud.check(target.path, self.main)
            if former and result.state == "silent" and result.server:
                is_there = self.cloud.heard(result.server, began)
                if check and former.server == result.server:
                    is_there = (await check).state == "online"
                if not is_there:
                    result = replace(result, state="cut off")
            return target, result

    # -- by sockets of their own ---------------------------------------------------------------

    async def round_alone(self, targets: Sequence[Target]) -> list[Target]:
        """Ask again, by sockets of their own, about those whose silence can have another reason:
        their server answers with CSeq 0, or it is alive and has answered about none. Returns
        those that are online after all."""
        proved = await self._proved_servers(targets)
        chosen = [
            target for target in targets if self._is_doubtful(self.results[target.key], proved)
        ]
        # Silence is checked in its own moment: the proof has to come again meanwhile.
        again = asyncio.create_task(self._proved_servers(chosen))
        checked = await asyncio.gather(*(self._once_more(target) for target in chosen))
        proved &= await again
        for target, result in zip(chosen, checked, strict=True):
            former = self.results[target.key]
            if former.state == "unasked" or result.state not in ("silent", "unasked"):
                self.results[target.key] = result
            elif former.state == "cut off" and former.server in proved:
                self.results[target.key] = replace(former, state="silent")
        return [target for target in chosen if self.results[target.key].state == "online"]

    def _is_doubtful(self, result: CheckResult, proved: set[Address]) -> bool:
        if result.state == "unasked":
            return self.main.zero_at >= self._first_began
        if result.state not in ("silent", "cut off") or result.server is None:
            return False
        is_zero = self.cloud.answers_with_zero(result.server, self._first_began)
        return is_zero or (result.state == "cut off" and result.server in proved)

    async def _once_more(self, target: Target) -> CheckResult:
        """The result of a round alone; of two, when it is the first to reach the P2P server."""
        was_unasked = self.results[target.key].state == "unasked"
        async with self._alone:
            result = await self.cloud.check(target.path, self.main, alone=True)
            if not was_unasked or result.state != "silent" or result.server is None:
                return result
            result, is_there = await asyncio.gather(
                self.cloud.check(target.path, self.main, alone=True),
                self._is_proved(result.server),
            )
            is_cut_off = result.state == "silent" and not is_there
            return replace(result, state="cut off") if is_cut_off else result

    async def _proved_servers(self, targets: Sequence[Target]) -> set[Address]:
        """The servers that answer about none of these, but about another listed serial, which
        need not be registered there."""
        checked = (self.results[target.key] for target in targets)
        silent = list(
            {result.server for result in checked if result.state == "cut off" and result.server}
        )
        answers = await asyncio.gather(*(self._is_proved(target) for target in silent))
        return {place for place, is_there in zip(silent, answers, strict=True) if is_there}

    async def _is_proved(self, place: Address) -> bool:
        """True if it says anything of one who is online, there or elsewhere, or else of any
        who is not registered there."""
        there = self._witnesses.get(place)
        online = (target.path for target in (there, *self._witnesses.values()) if target)
        listed = (path for path, at in self._known.items() if at != place)
        other = next(chain(online, listed), None)
        return other is not None and await self.cloud.is_there(place, other)

    def _check(self, server: Address | None) -> asyncio.Task[CheckResult] | None:
        """Ask about one who answered on this server before: does it still? Only an answer from
        the moments of a silence tells whose silence it is."""
        witness = self._witnesses.get(server) if server else None
        if server is None or witness is None:
            return None
        began, task = self._checks.get(server, (-math.inf, None))
        if task is None or self._time() - began > SAME_MOMENT:
            task = asyncio.create_task(self.cloud.check(witness.path, self.main))
            self._checks[server] = (self._time(), task)
        return task


def _silent(port: int) -> str:
    return (
        "Dahua's cloud is not responding. Check the internet connection of this server, and "
        f"that outgoing UDP to port {port} is allowed. The recorders keep their last known "
        "status."
    )


async def _check_main(main: Server, results: Mapping[str, CheckResult]) -> None:
    """Check what all recorders need: the cloud, our line, our key. Raises CannotAsk."""
    states = Counter(result.state for result in results.values())
    if states["unasked"] and states["unasked"] == states.total():
        with suppress(NoAnswer, ServerBusy, ServerError, KeyRejected):
            await main.ask("/probe/p2psrv")
            return
        raise CannotAsk(NAME, _silent(main.address[1]))


def _remember_silence(
    cloud: CloudClient, targets: Sequence[Target], results: dict[str, CheckResult]
) -> None:
    """Take those offline who are alone on a P2P server that has said nothing for so long that
    nobody would wait for it any more, while the main server sends us there."""
    now = asyncio.get_running_loop().time()
    servers = {target.path: results[target.key].server for target in targets}
    registered = Counter({**cloud.registered(), **servers}.values())
    cloud.register(servers)
    for target in targets:
        result = results[target.key]
        if result.state in ("online", "offline", "unknown"):
            cloud.silent_since.pop(target.path, None)
        if result.state not in ("silent", "cut off") or result.server is None:
            continue
        length = now - cloud.silent_since.setdefault(target.path, now)
        is_only = registered[result.server] == 1
        if result.state == "cut off" and is_only and length >= cloud.options.long_silence:
            host, port = result.server
            reason = (
                f"no response from its P2P server {host}:{port} for {length / 60:.0f} min, "
                "while the main server responds; no other listed recorder uses that P2P "
                "server"
            )
            results[target.key] = replace(result, state="silent", reason=reason)


def _failures(sweep: _Sweep) -> dict[str, str]:
    """The scopes of the cloud that could not be asked, and why."""
    failed = {}
    for result in sweep.results.values():
        if result.state == "cut off" and result.server:
            place = f"{result.server[0]}:{result.server[1]}"
            failed[f"{NAME}:{place}"] = (
                f"the P2P server {place} is not responding for any of its recorders"
            )
        elif result.state == "refused":
            failed[f"{NAME}:refused"] = f"{result.reason}. Check EASY4IP_USER and EASY4IP_KEY."
        elif result.state == "unasked" and sweep.main.heard_at < sweep.began:
            failed[NAME] = _silent(sweep.main.address[1])
    # A few who are sent away are asked again in a minute: no reason to wake anybody.
    states = Counter(result.state for result in sweep.results.values())
    for state in ("busy", "failing", "unasked"):
        reason = next(
            (result.reason for result in sweep.results.values() if result.state == state), ""
        )
        if states[state] > TOLERATED * states.total() and NAME not in failed:
            failed[f"{NAME}:{state}"] = f"{reason}. The next check follows later."
    return failed


def _sighting(target: Target, result: CheckResult, at: datetime) -> Sighting:
    facts = dict(result.facts)
    firmware = facts.pop("firmware", None)
    return Sighting(
        site=target.site,
        identities=(target.key,),
        source=NAME,
        at=at,
        kind="recorder",
        serial=target.path,
        firmware=firmware,
        latency=result.latency,
        facts=facts,
    )


def _miss(target: Target, result: CheckResult, at: datetime) -> Miss:
    return Miss(target.key, NAME, at, result.reason, target.site)


def _coverage(
    cloud: CloudClient,
    before: RequestCounts,
    failed: Mapping[str, str],
    results: Iterable[CheckResult],
) -> Coverage:
    """The coverage of a sweep. If nothing was learned of any recorder, nothing is up again."""
    requests = answers = 0
    refused: Counter[str] = Counter()
    for server in cloud.servers():
        had = before.get(id(server), NO_REQUESTS)
        requests += server.requests - had[0]
        answers += server.answers - had[1]
        refused += Counter(server.refused) - had[2]
    notes = _notes(cloud)
    scopes = (NAME,) if any(result.state in KNOWN_STATES for result in results) else ()
    return Coverage(NAME, scopes, requests, answers, dict(refused), dict(failed), notes=notes)


def _notes(cloud: CloudClient) -> tuple[str, ...]:
    """Notices about our clock and a slow cloud, with what to do."""
    problems, off = [], cloud.clock.seen.total_seconds()
    if abs(off) >= CLOCK_WARNING:
        side = "behind" if off > 0 else "ahead of"
        problems.append(
            f"the clock of this server is {abs(off):.0f} s {side} the cloud's; results are "
            "not affected, but set it with: timedatectl set-ntp true"
        )
    if (usual := cloud.response_times.usual) >= SLOW_WARNING:
        problems.append(
            f"the cloud is slow: a response takes {usual:.1f} s. To reduce the load, set a "
            "lower EASY4IP_RATE or a longer EASY4IP_INTERVAL"
        )
    slowest = min(
        (server.bucket.pace / server.bucket.rate for server in cloud.servers()), default=1.0
    )
    if slowest <= 0.5:
        problems.append(
            f"the cloud is rejecting requests, so they are sent at {slowest:.0%} of EASY4IP_RATE"
        )
    return tuple(problems)


def waits(timeout: float) -> tuple[float, ...]:
    """The waits after each sending of a round, `timeout` seconds together."""
    return tuple(timeout * wait / sum(WAITS) for wait in WAITS)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of this source, by their names in `settings.py`."""

    easy4ip_server: str
    easy4ip_user: str
    easy4ip_key: str
    easy4ip_rate: int
    easy4ip_timeout: float
    easy4ip_concurrency: int
    easy4ip_interval: int


def build(options: Options, clock: Callable[[], datetime]) -> Source:
    """Build the source with the options of `settings.py`."""
    host, _, port = options.easy4ip_server.rpartition(":")
    return source(
        Easy4IpOptions(
            clock=clock,
            server=(host, int(port)),
            keys=KeyPair(options.easy4ip_user, options.easy4ip_key),
            rate=options.easy4ip_rate,
            waits=waits(options.easy4ip_timeout),
            most=options.easy4ip_concurrency,
            interval=options.easy4ip_interval,
        )
    )


def source(options: Easy4IpOptions) -> Source:
    """The source; its sockets open with the first sweep and stay open."""
    cloud: list[CloudClient] = []

    def swept(targets: Sequence[Target], spread: float) -> AsyncIterator[Report | Coverage]:
        if not cloud:
            cloud.append(CloudClient(options))
        return sweep(cloud[0], targets, spread)

    def close() -> None:
        while cloud:
            cloud.pop().close()

    return Source(
        name=NAME,
        title=TITLE,
        timeout=120.0,
        # Two rounds of three requests, all at one server that lets us ask at its slowest only.
        each=2 * 3 * MAX_SLOWDOWN / options.rate,
        sweep=swept,
        interval=options.interval,
        names_kind=True,
        close=close,
        causes=(
            Cause(
                f"A firewall blocks UDP to port {options.server[1]} on the internet.",
                "Allow outgoing UDP to this port and the responses.",
            ),
            Cause(
                "This server has no internet connection, or its DNS does not work.",
                "Check its gateway and its DNS.",
                f"ping -c 3 {options.server[0]}",
            ),
            Cause("The clock of this server is wrong.", "Set it by NTP.", "timedatectl"),
        ),
    )
