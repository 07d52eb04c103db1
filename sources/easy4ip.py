"""Dahua recorders, asked about at the vendor's cloud (Easy4IP). Only listed serials are asked.

For each: a lookup at the main server, which names the P2P server where the recorder is
registered, then a probe and an info request there. What the cloud itself keeps us from
asking says nothing about a recorder.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.model import CannotAsk, Coverage, Miss, NoAnswer, Report, Sighting, Target
from sources.easy4ip_cloud import (
    SLOWEST,
    Address,
    Bucket,
    Busy,
    Clock,
    Failing,
    KeyUnknown,
    Refused,
    Server,
)
from sources.easy4ip_wire import Answer, KeyPair, facts_of, server_of
from sources.source import Source

NAME = "dahua"
TITLE = "Dahua recorders (Easy4IP cloud)"
WAITS = (0.3, 0.6, 0.9, 1.2)
"""Seconds after each sending of one request until it is sent again, or given up."""
ROUNDS = 2
"""Complete rounds, with a lookup each, before a recorder is called offline."""
LOOKUP_KEPT = 300.0
"""Seconds for which the P2P server of a serial is remembered."""
CLOCK_TOLD = 3.0
"""Seconds that our clock may be off before it is said."""


@dataclass(frozen=True, slots=True)
class Easy4IpOptions:
    """`server` is host and port; `rate` and `burst` are new requests a second to one server."""

    clock: Callable[[], datetime]
    server: Address
    keys: KeyPair
    rate: float = 200.0
    burst: float = 500.0
    waits: Sequence[float] = WAITS
    most: int = 2000
    """Recorders that are being asked about at once."""


LEARNED = ("online", "offline", "unknown", "silent")
"""Verdicts of a cloud that can be asked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one round says of one recorder. `word` is online, offline, unknown, silent (no
    answer from its P2P server), unasked (from the main one), busy, failing or refused."""

    word: str
    reason: str = ""
    server: Address | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    latency: float | None = None


class Cloud:
    """The servers of the cloud, as far as they are needed, for one event loop."""

    def __init__(self, options: Easy4IpOptions) -> None:
        self.options = options
        self.clock = Clock(options.clock)
        self._servers: dict[Address, Server] = {}
        self._places: dict[str, tuple[float, Address]] = {}
        self._main: Address | None = None
        self._opening = asyncio.Lock()

    def servers(self) -> Iterable[Server]:
        return self._servers.values()

    async def main(self, silent: Server | None = None) -> Server:
        """The main server: the one that answered before, else the next one of its name's
        addresses. Raises CannotAsk when the name leads nowhere."""
        known = self._servers.get(self._main) if self._main else None
        if known is not None and known is not silent:
            return known
        host, port = self.options.server
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
            )
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise CannotAsk(
                NAME,
                f"the name {host} cannot be looked up ({why}). "
                "Check this machine's line to the internet and its DNS.",
            ) from error
        places = [(str(one[4][0]), port) for one in found]
        self._main = next((one for one in places if one != self._main), places[0])
        return await self.server(self._main)

    async def server(self, address: Address) -> Server:
        """The server at this address, with its socket open. Raises CannotAsk."""
        async with self._opening:
            known = self._servers.get(address)
            if known is not None:
                return known
            options = self.options
            made = Server(
                self.clock, options.keys, Bucket(options.rate, options.burst), options.waits
            )
            try:
                await made.open(address)
            except OSError as error:
                raise CannotAsk(
                    NAME, f"no way leads to {address[0]} ({error.strerror}). Check the line."
                ) from error
            self._servers[address] = made
            return made

    def close(self) -> None:
        for one in self._servers.values():
            one.close()
        self._servers.clear()

    def close_silent(self, before: "Before") -> None:
        """Let go of the sockets that heard nothing in this sweep: a socket keeps the address
        that this machine had when it was opened, and the line may be another one now."""
        now = asyncio.get_running_loop().time()
        for address, one in list(self._servers.items()):
            if one.answers == before.get(id(one), UNHEARD)[1] and one.rest.until <= now:
                one.close()
                del self._servers[address]

    # -- one recorder --------------------------------------------------------------------

    async def judge(self, serial: str, main: Server) -> Verdict:
        """One round: lookup unless remembered, probe, info."""
        began = asyncio.get_running_loop().time()
        try:
            place = self._places.get(serial)
            if place is None or began - place[0] > LOOKUP_KEPT:
                found = await self._look_up(serial, main)
                if isinstance(found, Verdict):
                    return found
                self._places[serial] = place = (began, found)
            verdict = await self._ask_there(serial, place[1])
        except Busy as error:
            return Verdict("busy", f"a server of the cloud is busy: {error}")
        except Failing as error:
            return Verdict("failing", f"a server of the cloud has an error of its own: {error}")
        if verdict.word != "online":
            self._places.pop(serial, None)
            return verdict
        latency = asyncio.get_running_loop().time() - began
        return Verdict("online", "", place[1], verdict.facts, latency)

    async def _look_up(self, serial: str, main: Server) -> Address | Verdict:
        try:
            answer = await main.ask(f"/online/p2psrv/{serial}")
        except NoAnswer as error:
            return Verdict("unasked", f"the main server: {error}")
        except Refused as error:
            return Verdict("refused", f"the main server refuses: {error}")
        if answer.code >= 400:
            return Verdict("unknown", f"the cloud does not have it online ({answer.code})")
        return server_of(answer) or Verdict("unknown", "the cloud names no server for it")

    async def _ask_there(self, serial: str, place: Address) -> Verdict:
        try:
            server = await self.server(place)
            probe = await _with_or_without_keys(server, f"/probe/device/{serial}")
            if probe.code >= 400:
                return Verdict("offline", f"its P2P server says {probe.code}", place)
            info = await _with_or_without_keys(server, f"/info/device/{serial}")
        except NoAnswer as error:
            return Verdict("silent", f"its P2P server {place[0]}:{place[1]}: {error}", place)
        except CannotAsk as error:
            return Verdict("silent", error.reason, place)
        except Refused as error:
            return Verdict("refused", f"its P2P server refuses: {error}", place)
        if info.code >= 400:
            return Verdict("offline", f"its P2P server says {info.code}", place)
        if info.body is None:
            return Verdict("offline", "its P2P server answers without content", place)
        return Verdict("online", "", place, facts_of(info))


async def _with_or_without_keys(server: Server, path: str) -> Answer:
    """A region that does not know the key pair answers without it as well."""
    try:
        return await server.ask(path)
    except KeyUnknown:
        return await server.ask(path, with_keys=False)


# -- many recorders ------------------------------------------------------------------------

Before = Mapping[int, tuple[int, int, Counter[str]]]
"""Requests, answers and refused datagrams of each server when a sweep began."""
UNHEARD: tuple[int, int, Counter[str]] = (0, 0, Counter())


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
    """What a person should know of the clocks."""
    off = cloud.clock.seen.total_seconds()
    if abs(off) < CLOCK_TOLD:
        return ()
    side = "behind" if off > 0 else "ahead of"
    return (f"this machine's clock is {abs(off):.0f} s {side} the cloud's",)


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
