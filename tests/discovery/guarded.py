"""Devices that want a login, and a small source that logs in to them: one line over TCP.

The protocol: `LOGIN <path> <user name> <password>` or `ALIVE`; the answer is `OK`, `OK <key>`,
`REFUSED`, `REFUSED <attempts left>` or `CLOCK`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Thread
from typing import Any, Self

from fleet.model import Finding, Learned, NoAnswer, Report, Sighting, Target
from sources.source import Source
from tests.sources.probe_matches import answer, match


@dataclass
class GuardedDevice:
    """A device at a port of its own that takes one password. `refused` are the passwords that it
    refused, `asked` how often it was asked at all. `left`: attempts until it locks, which it tells.
    `mode`: login, or clock (it refuses every login because of the time). With an `endpoint` it also
    answers WS-Discovery at `discovery_port`. `key`: what it says after a login that it is."""

    password: str
    left: int | None = None
    mode: str = "login"
    refused: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    port: int = 0
    host: str = "127.0.0.1"
    endpoint: str = ""
    discovery_port: int = 0
    key: str = ""

    def __enter__(self) -> Self:
        self._loop, self._discovery = asyncio.new_event_loop(), None
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        self._server, self.port = server, server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        if self._discovery is not None:
            self._discovery.close()
        # Its sockets are closed in the next round of the loop.
        await asyncio.sleep(0)

    async def _listen(self) -> asyncio.Server:
        if self.discovery_port:
            place = (self.host, self.discovery_port)
            self._discovery, _protocol = await self._loop.create_datagram_endpoint(
                lambda: _Discovery(self), place
            )
        return await asyncio.start_server(self._serve, self.host, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode().split()
        self.asked[line[0]] += 1
        writer.write(f"{self._answer(line[3:])}\n".encode())
        writer.close()

    def _answer(self, login: Sequence[str]) -> str:
        if not login or login == [self.password]:
            self.accepted += login
            return f"OK {self.key}" if login else "OK"
        if self.mode == "clock":
            return "CLOCK"
        self.refused += login
        if self.left is None:
            return "REFUSED"
        self.left -= 1
        return f"REFUSED {self.left}"


class _Discovery(asyncio.DatagramProtocol):
    """Answers WS-Discovery for one device, as long as it has an endpoint reference."""

    def __init__(self, device: GuardedDevice) -> None:
        self.device = device

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.device.asked["PROBE"] += 1
        if self.device.endpoint:
            url = f"http://{self.device.host}/onvif"
            self.transport.sendto(answer(match(url, endpoint=self.device.endpoint)), addr)


def guarded(
    name: str, clock: Callable[[], datetime], asked_with: list[Target] | None = None
) -> Source:
    """The source. It logs in only where it may, and keeps what it learned of it. `asked_with` gets
    the targets."""
    targets = [] if asked_with is None else asked_with

    async def probe(target: Target) -> Sequence[Report]:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        may_login = target.may_login and target.refusals < 2 and target.username is not None
        targets.append(target)
        login = f"LOGIN {target.path or '/'} {target.username} {target.secret or '-'}"
        writer.write(f"{login if may_login else 'ALIVE'}\n".encode())
        answer = (await reader.readline()).decode().split()
        writer.close()
        if not answer:
            raise NoAnswer("it closed the connection")
        proof = Sighting(target.site, (target.key,), name, clock(), address=target.host)
        return _reports(proof, target, answer) if may_login else [proof]

    return Source(name, name.title(), timeout=3, probe=probe, interval=600)


def _reports(proof: Sighting, target: Target, answer: Sequence[str]) -> list[Report]:
    learned = Learned("digest", refusals=0)
    if answer[0] == "REFUSED":
        left = int(answer[1]) if answer[1:] else None
        learned = Learned(refusals=target.refusals + 1, attempts_left=left)
    if answer[0] == "CLOCK":
        learned = Learned(clock=-3600.0)
    keys = answer[1:] if answer[0] == "OK" else ()
    sighting = Sighting(
        proof.site,
        (*proof.identities, *keys),
        proof.source,
        proof.at,
        address=proof.address,
        learned=learned,
    )
    wrong = Finding(target.key, "login.wrong", proof.at, "Wrong login", proof.source)
    if answer[0] == "CLOCK":
        return [sighting]
    return [sighting, Finding(*_values(wrong), cleared=answer[0] == "OK")]


def _values(finding: Finding) -> tuple[str, str, datetime, str, str]:
    return finding.identity, finding.kind, finding.at, finding.text, finding.source
