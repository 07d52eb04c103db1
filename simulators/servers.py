"""Pretend devices over TCP, by the thousand, each at its own address: one loop in one thread."""

import asyncio
import resource
import socket
import ssl
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from threading import Thread
from typing import Generic, Protocol, Self, TypeVar
from weakref import WeakSet

OPEN_FILES = 32_768
CLOSING = 3
"""Turns of the loop in which connections are accepted or, when aborted, closed, also with TLS."""
SWALLOWED = 2
"""Connections that fill a queue of length 0, so that each further one gets no answer."""


class Device(Protocol):
    """What each device has. `port` 0: the port of all. `mode` off refuses connections, swallows
    answers no connection attempt; what others mean is the matter of its kind."""

    address: str
    port: int
    mode: str


D = TypeVar("D", bound=Device)


class DeviceServers(Generic[D]):
    """All devices of a kind. With `tls` they speak TLS."""

    def __init__(self, devices: list[D], port: int, tls: ssl.SSLContext | None = None) -> None:
        self.devices = devices
        self.port = port
        self.tls = tls
        self._servers: dict[int, asyncio.Server | list[socket.socket]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()

    async def _serve(
        self, device: D, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Speak with one client until it leaves."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen, with as many open files as that takes."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, soft), hard))
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._do(self._listen_all())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def turn(self, device: D, mode: str) -> None:
        """Change how a device behaves, while it runs. Open connections end."""
        self._do(self._close(device))
        device.mode = mode
        self._do(self._listen(device))

    def move(self, addresses: dict[str, str]) -> None:
        """Give devices other addresses, by their present ones; all leave before any arrives."""
        moving = [device for device in self.devices if device.address in addresses]
        for device in moving:
            self._do(self._close(device))
        for device in moving:
            device.address = addresses[device.address]
        for device in moving:
            self._do(self._listen(device))

    def add(self, device: D) -> None:
        self.devices.append(device)
        self._do(self._listen(device))

    def _do(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)  # type: ignore[arg-type]

    async def _listen_all(self) -> None:
        for device in self.devices:
            await self._listen(device)

    async def _listen(self, device: D) -> None:
        port = device.port or self.port
        if device.mode == "off":
            return
        if device.mode == "swallows":
            self._servers[id(device)] = _full_queue(device.address, port)
            return

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A task of our own has its name before it runs: one that is ended at once leaves no
            # connection open.
            work = self._serve(device, port, reader, writer)
            task = self._loop.create_task(work, name=_task_name(device))
            self._serving.add(task)
            self._writers.add(writer)
            task.add_done_callback(lambda ended: self._left(ended, writer))

        self._servers[id(device)] = await asyncio.start_server(
            serve, device.address, port, backlog=64, ssl=self.tls, reuse_address=True
        )

    def _left(self, task: "asyncio.Task[None]", writer: asyncio.StreamWriter) -> None:
        self._serving.discard(task)
        if task.cancelled():
            writer.transport.abort()
        else:
            writer.close()

    async def _close(self, device: D) -> None:
        server = self._servers.pop(id(device), None)
        if isinstance(server, asyncio.Server):
            # A connection that arrives as a server closes would stay open: take no more first.
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
            await _turns()
            server.close()
            name = _task_name(device)
            await _cancel([task for task in self._serving if task.get_name() == name])
        elif server is not None:
            for sock in server:
                sock.close()

    async def _end(self) -> None:
        for device in self.devices:
            await self._close(device)
        await _cancel(asyncio.all_tasks() - {asyncio.current_task()})
        for writer in list(self._writers):
            writer.transport.abort()
        await _turns()


def _task_name(device: Device) -> str:
    return f"device-{id(device)}"


async def _turns() -> None:
    for _ in range(CLOSING):
        await asyncio.sleep(0)


async def _cancel(tasks: Iterable["asyncio.Task[object] | None"]) -> None:
    ending = [task for task in tasks if task is not None]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def _full_queue(host: str, port: int) -> list[socket.socket]:
    """A listening socket that accepts nothing, with its queue full: a further SYN is dropped."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(0)
    sockets = [listening]
    for _ in range(SWALLOWED):
        filling = socket.socket()
        filling.setblocking(False)
        with suppress(BlockingIOError):
            filling.connect((host, port))
        sockets.append(filling)
    return sockets
