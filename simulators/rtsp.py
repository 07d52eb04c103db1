"""Pretend RTSP cameras and recorders, by the thousand, each at its own address (RFC 2326).

A device answers OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER and TEARDOWN.
Media go over TCP only, interleaved; for H.264 a grey picture comes that a decoder accepts.
How a maker's device looks is its `style`, how it fails its `mode`.

    python -m simulators.rtsp --count 2000 --port 8554 --silent 5 --slow 5 --flooding 1
"""

import argparse
import asyncio
import itertools
import resource
import socket
import ssl
import time
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from threading import Thread

from simulators.logins import Accounts
from simulators.rtsp_connection import RtspConnection
from simulators.rtsp_device import Request, RtspDevice, address, crowd, recorder
from simulators.rtsp_sdp import Stream

__all__ = [
    "Accounts",
    "Request",
    "RtspDevice",
    "RtspServers",
    "Stream",
    "address",
    "crowd",
    "recorder",
]

OPEN_FILES = 32_768
SWALLOWED = 2
"""Connections that fill a queue of length 0, so that each further one gets no answer."""


class RtspServers:
    """All devices, served by one loop in one thread. With `tls` they speak RTSPS."""

    def __init__(
        self, devices: list[RtspDevice], port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self.devices = devices
        self.port = port
        self.tls = tls
        self._servers: dict[int, asyncio.Server | list[socket.socket]] = {}
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "RtspServers":
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> "RtspServers":
        """Listen, with as many open files as that takes."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, soft), hard))
        self._thread.start()
        self._do(self._listen_all())
        return self

    def stop(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def turn(self, device: RtspDevice, mode: str) -> None:
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

    def add(self, device: RtspDevice) -> None:
        self.devices.append(device)
        self._do(self._listen(device))

    def _do(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)  # type: ignore[arg-type]

    async def _listen_all(self) -> None:
        for device in self.devices:
            await self._listen(device)

    async def _listen(self, device: RtspDevice) -> None:
        port = device.port or self.port
        if device.mode == "off":
            return
        if device.mode == "swallows":
            self._servers[id(device)] = _full_queue(device.address, port)
            return

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            _name_task(device)
            await RtspConnection(device, port, reader, writer, next(self._numbers), self.tls).run()

        self._servers[id(device)] = await asyncio.start_server(
            serve, device.address, port, backlog=64, ssl=self.tls, reuse_address=True
        )

    async def _close(self, device: RtspDevice) -> None:
        server = self._servers.pop(id(device), None)
        if isinstance(server, asyncio.Server):
            server.close()
            await _cancel(task for task in asyncio.all_tasks() if _serves(task, device))
        elif server is not None:
            for sock in server:
                sock.close()

    async def _end(self) -> None:
        for device in self.devices:
            await self._close(device)
        await _cancel(asyncio.all_tasks() - {asyncio.current_task()})


def _name_task(device: RtspDevice) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.set_name(f"rtsp-{id(device)}")


def _serves(task: "asyncio.Task[object]", device: RtspDevice) -> bool:
    return task.get_name() == f"rtsp-{id(device)}"


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


MODES = ("silent", "slow", "flooding", "off", "busy", "missing", "http", "closing", "huge")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--port", type=int, default=8554)
    for mode in MODES:
        parser.add_argument(f"--{mode}", type=int, default=0, help=f"devices that are {mode}")
    given = parser.parse_args()
    devices = crowd(given.count)
    kinds = [mode for mode in MODES for _ in range(getattr(given, mode))]
    for device, mode in zip(devices, kinds, strict=False):
        device.mode = mode
    servers = RtspServers(devices, given.port).start()
    print(f"{given.count} devices from {devices[0].address} on, port {given.port}", flush=True)
    try:
        while True:
            before = sum(len(device.requests) for device in devices)
            time.sleep(10)
            asked = sum(len(device.requests) for device in devices) - before
            print(f"{asked / 10:.1f} requests a second", flush=True)
    except KeyboardInterrupt:
        servers.stop()


if __name__ == "__main__":
    main()
