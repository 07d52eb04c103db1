"""Dahua recorders, asked about at the vendor's cloud (Easy4IP). Only listed serials are asked.

For each: a lookup at the main server, which names the P2P server where the recorder is
registered, then a probe and an info request there. What the cloud itself keeps us from
asking says nothing about a recorder.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from fleet.model import CannotAsk, Coverage, Miss, NoAnswer, Report, Sighting, Target
from sources.easy4ip_cloud import SLOWEST, Busy, Failing, Refused, Server
from sources.easy4ip_judge import NAME, UNHEARD, WAITS, Before, Cloud, Easy4IpOptions, Verdict
from sources.source import Source

__all__ = ["NAME", "Easy4IpOptions", "source", "waits"]
TITLE = "Dahua recorders (Easy4IP cloud)"
ROUNDS = 2
"""Complete rounds, with a lookup each, before a recorder is called offline."""
CLOCK_TOLD = 2.0
"""Seconds that our clock may be off before it is said."""
SLOW_TOLD = 1.0
"""Seconds that an answer may take before it is said."""
LEARNED = ("online", "offline", "unknown", "silent")
"""Verdicts of a cloud that can be asked."""


async def sweep(
    cloud: Cloud, targets: Sequence[Target], spread: float = 0.0
) -> AsyncIterator[Report | Coverage]:
    """Ask about every target, begun over `spread` seconds; reports as they are sure.

    Raises CannotAsk when nothing at all can be asked.
    """
    before = {id(one): (one.requests, one.answers, Counter(one.refused)) for one in cloud.servers()}
    main = await cloud.main()
    left, verdicts = list(targets), dict[str, Verdict]()
    try:
        for number in range(ROUNDS):
            round_ = _round(cloud, main, left, 0.0 if number else spread)
            async with aclosing(round_) as judged:
                async for target, verdict in judged:
                    verdicts[target.key] = verdict
                    if verdict.word == "online":
                        yield _sighting(target, verdict, cloud.options.clock())
            left = [one for one in left if verdicts[one.key].word != "online"]
            if not left:
                break
            if all(one.word == "unasked" for one in verdicts.values()):
                main = await cloud.main(silent=main)
        await _check_main(main, verdicts)
        failed = _failures(verdicts)
        for target in left:
            verdict = verdicts[target.key]
            if _scope(verdict) not in failed:
                yield _miss(target, verdict, cloud.options.clock())
        coverage = _coverage(cloud, before, failed, verdicts.values())
    except CannotAsk:
        cloud.close_silent(before)
        raise
    cloud.close_silent(before)
    yield coverage


async def _round(
    cloud: Cloud, main: Server, targets: Sequence[Target], spread: float
) -> AsyncGenerator[tuple[Target, Verdict], None]:
    places = asyncio.Semaphore(cloud.options.most)
    step = spread / len(targets) if targets else 0.0

    async def one(place: int, target: Target) -> tuple[Target, Verdict]:
        await asyncio.sleep(place * step)
        async with places:
            return target, await cloud.judge(target.path, main)

    tasks = [asyncio.create_task(one(place, target)) for place, target in enumerate(targets)]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()


async def _check_main(main: Server, verdicts: Mapping[str, Verdict]) -> None:
    """Raises CannotAsk when it is the cloud, our line or our key that failed for all."""
    words = Counter(one.word for one in verdicts.values())
    if words["unasked"] and words["unasked"] == words.total():
        with suppress(NoAnswer, Busy, Failing, Refused):
            await main.ask("/probe/p2psrv")
            return
        raise CannotAsk(
            NAME,
            "the cloud does not answer. Check this machine's line to the internet and that UDP "
            "port 8800 is open to the outside; the recorders keep their last known state.",
        )


def _failures(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """The scopes of the cloud that could not be asked, and why."""
    failed = {}
    heard = {one.server for one in verdicts.values() if one.word in ("online", "offline")}
    for one in verdicts.values():
        if one.word == "silent" and one.server not in heard and one.server is not None:
            place = f"{one.server[0]}:{one.server[1]}"
            failed[_scope(one)] = f"the P2P server {place} answers about none of its recorders"
        elif one.word == "refused":
            failed[_scope(one)] = f"{one.reason}. Check EASY4IP_USER and EASY4IP_KEY."
        elif one.word in ("busy", "failing"):
            failed[_scope(one)] = f"{one.reason}. It is asked again later."
        elif one.word == "unasked":
            failed[_scope(one)] = "the main server did not answer about some recorders"
    return failed


def _scope(verdict: Verdict) -> str:
    """Which part of the source a verdict is about, as in CannotAsk."""
    if verdict.word == "silent" and verdict.server is not None:
        return f"{NAME}:{verdict.server[0]}:{verdict.server[1]}"
    if verdict.word in ("refused", "busy", "failing", "unasked"):
        return f"{NAME}:{verdict.word}"
    return NAME


def _sighting(target: Target, verdict: Verdict, at: datetime) -> Sighting:
    facts = dict(verdict.facts)
    firmware = facts.pop("firmware", None)
    return Sighting(
        site=target.site,
        identities=(target.key,),
        source=NAME,
        at=at,
        kind="recorder",
        serial=target.path,
        firmware=firmware,
        latency=verdict.latency,
        facts=facts,
    )


def _miss(target: Target, verdict: Verdict, at: datetime) -> Miss:
    return Miss(target.key, NAME, at, verdict.reason, target.site)


def _coverage(
    cloud: Cloud, before: Before, failed: Mapping[str, str], verdicts: Iterable[Verdict]
) -> Coverage:
    """What was asked. When nothing was learned of any recorder, nothing is up again either."""
    requests = answers = 0
    refused: Counter[str] = Counter()
    for one in cloud.servers():
        had = before.get(id(one), UNHEARD)
        requests += one.requests - had[0]
        answers += one.answers - had[1]
        refused += Counter(one.refused) - had[2]
    notes = _notes(cloud)
    scopes = (NAME,) if any(one.word in LEARNED for one in verdicts) else ()
    return Coverage(NAME, scopes, requests, answers, dict(refused), dict(failed), notes=notes)


def _notes(cloud: Cloud) -> tuple[str, ...]:
    """What a person should know of our clock and of a slow cloud, and can do about it."""
    found, off = [], cloud.clock.seen.total_seconds()
    if abs(off) >= CLOCK_TOLD:
        side = "behind" if off > 0 else "ahead of"
        found.append(
            f"this machine's clock is {abs(off):.0f} s {side} the cloud's; verdicts do not "
            "suffer, but set it (timedatectl set-ntp true)"
        )
    if cloud.pace.usual >= SLOW_TOLD:
        found.append(
            f"the cloud is slow: an answer takes {cloud.pace.usual:.1f} s. It is waited for; a "
            "smaller EASY4IP_RATE or a longer EASY4IP_INTERVAL asks it more gently"
        )
    slowest = min((one.bucket.pace / one.bucket.rate for one in cloud.servers()), default=1.0)
    if slowest <= 0.5:
        found.append(f"the cloud sheds load and is asked at {slowest:.0%} of EASY4IP_RATE")
    return tuple(found)


def waits(timeout: float) -> tuple[float, ...]:
    """One round's patience of `timeout` seconds, divided over its sendings."""
    return tuple(timeout * one / sum(WAITS) for one in WAITS)


def source(options: Easy4IpOptions) -> Source:
    """The source; its sockets open with the first sweep and stay open."""
    cloud: list[Cloud] = []

    def swept(targets: Sequence[Target], spread: float) -> AsyncIterator[Report | Coverage]:
        if not cloud:
            cloud.append(Cloud(options))
        return sweep(cloud[0], targets, spread)

    def close() -> None:
        while cloud:
            cloud.pop().close()

    return Source(
        name=NAME,
        title=TITLE,
        timeout=120.0,
        # Two rounds of three requests, all at one server that lets us ask at its slowest only.
        each=2 * 3 * SLOWEST / options.rate,
        sweep=swept,
        close=close,
        trouble="Nothing online? Check that this machine reaches the internet, that UDP to port "
        f"{options.server[1]} is not blocked, and that its clock is right.",
    )
