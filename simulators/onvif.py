"""Pretend ONVIF cameras and recorders, by the hundred, each at its own address: device service,
Media and Media2 over HTTP, and the answers of WS-Discovery over UDP. Multicast is never used.

    python -m simulators.onvif --count 200 --port 8080 --discovery-port 3702
"""

import argparse
import asyncio
import re
import ssl
import time
import uuid
from contextlib import suppress
from typing import cast

from simulators.logins import Accounts
from simulators.onvif_connection import OnvifConnection
from simulators.onvif_device import (
    OnvifDevice,
    Profile,
    VideoSource,
    camera_sources,
    recorder_sources,
)
from simulators.servers import DeviceServers

__all__ = [
    "DISCOVERY_PORT",
    "Accounts",
    "OnvifDevice",
    "OnvifServers",
    "Profile",
    "VideoSource",
    "camera_sources",
    "crowd",
    "recorder_sources",
]
DISCOVERY_PORT = 3702
MESSAGE_ID = re.compile(r"<(?:[\w-]+:)?MessageID\b[^>]*>\s*([^<\s]+)")
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
MATCH = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope '
    'xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    f'xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}" '
    'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
    "<a:MessageID>{id}</a:MessageID><a:RelatesTo>{asked}</a:RelatesTo>"
    f"<a:To>{ADDRESSING}/role/anonymous</a:To><a:Action>{DISCOVERY}/ProbeMatches</a:Action>"
    "{sequence}"
    "</s:Header><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference>"
    "<a:Address>{endpoint}</a:Address></a:EndpointReference>{types}<d:Scopes>{scopes}</d:Scopes>"
    "<d:XAddrs>{xaddrs}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
    "</d:ProbeMatches></s:Body></s:Envelope>"
)
TYPES = "<d:Types>dn:NetworkVideoTransmitter</d:Types>"
PRINTER_TYPES = '<d:Types xmlns:p="http://www.printer.example/2006">p:PrintDeviceType</d:Types>'


def crowd(count: int) -> list[OnvifDevice]:
    """This many cameras from 127.90.0.1 on; each second one has the login admin/pass-<number>."""
    devices = []
    for number in range(count):
        mac = f"00:00:5e:00:{number // 250:02x}:{number % 250:02x}"
        device = OnvifDevice(
            f"127.90.{number // 250}.{number % 250 + 1}",
            mac=mac,
            serial=f"A{number:07}",
            name=f"IPCAM {number}",
        )
        if number % 2:
            device.accounts = Accounts("admin", f"pass-{number}")
        devices.append(device)
    return devices


def probe_matches(device: OnvifDevice, port: int, question: bytes) -> list[bytes]:
    """The datagrams with which a device answers a Probe; none to what is no Probe."""
    asked = MESSAGE_ID.search(question.decode("utf-8", "replace"))
    if asked is None or b"Probe" not in question:
        return []
    xaddrs = device.xaddrs or ("http://{host}:{port}/onvif/device_service",)
    values = {
        "id": device.endpoint_reference if device.reuses_id else f"urn:uuid:{uuid.uuid4()}",
        "asked": asked.group(1),
        "sequence": _sequence(device),
        "endpoint": device.endpoint_reference,
        "types": TYPES if device.has_types else "",
        "scopes": " ".join(device.all_scopes),
        "xaddrs": " ".join(
            xaddr.format(host=device.inner_host or device.address, port=device.inner_port or port)
            for xaddr in xaddrs
        ),
    }
    match = MATCH.format(**values).encode()
    if not device.junk_first:
        return [match]
    printer = {**values, "types": PRINTER_TYPES, "endpoint": f"urn:uuid:{uuid.uuid4()}"}
    printer |= {"scopes": "", "xaddrs": f"http://{device.address}:631/print"}
    return [
        b"\x00",
        b"\xff\x00 junk",
        match[: len(match) // 2],
        MATCH.format(**printer).encode(),
        match,
    ]


def _sequence(device: OnvifDevice) -> str:
    """The element that counts the device's starts; optional, and absent in many devices."""
    if not device.counts_starts:
        return ""
    started = 1_700_000_000 + device.restarts
    return f'<d:AppSequence InstanceId="{started}" MessageNumber="{device.probes}"/>'


class _Discovery(asyncio.DatagramProtocol):
    """Answers the Probes that come to a device's own address."""

    def __init__(self, device: OnvifDevice, port: int) -> None:
        self._device, self._port = device, port
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._device.probes += 1
        for answer in probe_matches(self._device, self._port, data):
            self._transport.sendto(answer, addr)


class OnvifServers(DeviceServers[OnvifDevice]):
    """All devices, served by one loop in one thread. With `tls` they speak HTTPS.

    `discovery_port` 0: no device answers Probes.
    """

    def __init__(
        self,
        devices: list[OnvifDevice],
        port: int,
        discovery_port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(devices, port, tls)
        self.discovery_port = discovery_port
        self._discovery: dict[int, asyncio.DatagramTransport] = {}

    def restart(self, device: OnvifDevice) -> None:
        """Go down and come back; stream URIs change if the device `changes_paths`."""
        mode = device.mode
        self.turn(device, "off")
        device.restarts += 1
        self.turn(device, mode)

    async def _listen(self, device: OnvifDevice) -> None:
        await super()._listen(device)
        if not self.discovery_port or not device.is_discoverable or device.mode == "off":
            return
        port = device.port or self.port
        transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Discovery(device, port), local_addr=(device.address, self.discovery_port)
        )
        self._discovery[id(device)] = transport

    async def _close(self, device: OnvifDevice) -> None:
        await super()._close(device)
        transport = self._discovery.pop(id(device), None)
        if transport is not None:
            transport.close()
            await asyncio.sleep(0)  # the socket is closed by the loop's next turn

    async def _serve(
        self,
        device: OnvifDevice,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await OnvifConnection(device, port, reader, writer).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--discovery-port", type=int, default=DISCOVERY_PORT)
    given = parser.parse_args()
    devices = crowd(given.count)
    with OnvifServers(devices, given.port, given.discovery_port), suppress(KeyboardInterrupt):
        print(f"{given.count} devices from {devices[0].address} on, port {given.port}", flush=True)
        while True:
            before = sum(device.asked.total() for device in devices)
            time.sleep(10)
            asked = sum(device.asked.total() for device in devices) - before
            print(f"{asked / 10:.1f} calls a second", flush=True)


if __name__ == "__main__":
    main()
