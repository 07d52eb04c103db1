"""Pretend devices with a one-line status protocol, by the thousand, each at its own address.

The protocol, over TCP: the device accepts a connection, reads `STATUS\\n` and answers one line,
`OK <serial> <model>\\n`, or `BUSY\\n` when all its sessions are taken; then it closes. A session is
a connection that is open. Every device listens at its own address out of 127.0.0.0/8, so that all
of them fit on one port.

    python -m simulators.status_line --count 2000 --port 7007 --slow 5 --silent 5 --busy 5
"""

import argparse
import asyncio
import time
from dataclasses import dataclass, field

from simulators.servers import DeviceServers

QUESTION = b"STATUS\n"


@dataclass
class StatusLineDevice:
    """One pretend device. `mode`: well, slow (answers after `delay` seconds), silent (accepts and
    says nothing), busy (has no session left), off (refuses connections), or flapping (every second
    question is refused an answer). `asked` are the times of its questions by the monotonic clock,
    `most` is how many sessions were open at once."""

    address: str
    serial: str
    port: int = 0
    """0: the port of all."""
    model: str = "SL-1"
    mode: str = "well"
    delay: float = 3.0
    sessions: int = 1
    asked: list[float] = field(default_factory=list)
    open: int = 0
    most: int = 0


def address(number: int) -> str:
    """The address of a device by its number, from 127.77.0.1 on."""
    return f"127.77.{number // 250}.{number % 250 + 1}"


def crowd(count: int) -> list[StatusLineDevice]:
    """Make this many devices, all well."""
    return [StatusLineDevice(address(number), f"SL{number:06d}") for number in range(count)]


class StatusLines(DeviceServers[StatusLineDevice]):
    """All devices, served by one loop in one thread."""

    def __init__(self, devices: list[StatusLineDevice], port: int) -> None:
        super().__init__(devices, port)
        self.open = 0
        self.most = 0
        """How many sessions were open at once, of all devices."""

    async def _serve(
        self,
        device: StatusLineDevice,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        device.open, self.open = device.open + 1, self.open + 1
        device.most, self.most = max(device.most, device.open), max(self.most, self.open)
        try:
            line = await reader.readline()
            if line == QUESTION:
                device.asked.append(time.monotonic())
                writer.write(await self._answer(device, reader))
        except OSError:
            pass  # the client is gone
        finally:
            device.open, self.open = device.open - 1, self.open - 1

    async def _answer(self, device: StatusLineDevice, reader: asyncio.StreamReader) -> bytes:
        if device.mode == "silent" or (device.mode == "flapping" and len(device.asked) % 2 == 0):
            await reader.read()  # until the client gives up
            return b""
        if device.mode == "slow":
            await asyncio.sleep(device.delay)
        if device.mode == "busy" or device.open > device.sessions:
            return b"BUSY\n"
        return f"OK {device.serial} {device.model}\n".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--port", type=int, default=7007)
    modes = ("slow", "silent", "busy", "flapping", "off")
    for mode in modes:
        parser.add_argument(
            f"--{mode}", type=int, default=0, help=f"number of devices that are {mode}"
        )
    given = parser.parse_args()
    devices = crowd(given.count)
    kinds = [mode for mode in modes for _ in range(getattr(given, mode))]
    for device, mode in zip(devices, kinds, strict=False):
        device.mode = mode
    lines = StatusLines(devices, given.port).start()
    print(f"{given.count} devices from {devices[0].address} on, port {given.port}", flush=True)
    try:
        while True:
            before = sum(len(device.asked) for device in devices)
            time.sleep(10)
            asked = sum(len(device.asked) for device in devices) - before
            print(f"{asked / 10:.1f} questions a second", flush=True)
    except KeyboardInterrupt:
        lines.stop()


if __name__ == "__main__":
    main()
