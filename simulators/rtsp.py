"""Pretend RTSP cameras and recorders, by the thousand, each at its own address (RFC 2326).

A device answers OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER and TEARDOWN.
Media go over TCP only, interleaved; for H.264 a grey picture comes that a decoder accepts.
How a maker's device looks is its `style`, how it fails its `mode`.

    python -m simulators.rtsp --count 2000 --port 8554 --silent 5 --slow 5 --flooding 1
"""

import argparse
import asyncio
import itertools
import ssl
import time

from simulators.logins import Accounts
from simulators.rtsp_connection import RtspConnection
from simulators.rtsp_device import Request, RtspDevice, address, crowd, recorder
from simulators.rtsp_sdp import Stream
from simulators.servers import DeviceServers

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


class RtspServers(DeviceServers[RtspDevice]):
    """All devices, served by one loop in one thread. With `tls` they speak RTSPS."""

    def __init__(
        self, devices: list[RtspDevice], port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(devices, port, tls)
        self._numbers = itertools.count(1)

    async def _serve(
        self,
        device: RtspDevice,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await RtspConnection(device, port, reader, writer, next(self._numbers), self.tls).run()


MODES = ("silent", "slow", "flooding", "off", "swallows", "busy", "missing", "http", "closing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first device")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--clip", default="", help="an H.264 file that all of them play")
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--live", action="store_true", help="the clip runs by itself")
    parser.add_argument("--open", action="store_true", help="none has a login")
    for mode in MODES:
        parser.add_argument(f"--{mode}", type=int, default=0, help=f"devices that are {mode}")
    given = parser.parse_args()
    devices = crowd(given.count, given.first)
    for device in devices:
        if given.clip:
            stream = Stream(fps=given.fps, clip=given.clip, is_live=given.live)
            device.streams = {"/stream1": stream}
        if given.open:
            device.accounts = Accounts()
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
