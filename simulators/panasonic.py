"""Pretend Panasonic / i-PRO devices: they answer Easy IP searches as real ones were captured doing.

    python -m simulators.panasonic --count 40 --life

An answer is a captured one with only the device's own values, the requester and the checksum
changed. Real devices forgive many faults in a request; these forgive none, so that a client that
they answer speaks exactly as the vendor's own tool does.
"""

from __future__ import annotations

import argparse
import heapq
import selectors
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from random import Random

from simulators import panasonic_captures as captures
from simulators.panasonic_life import FEWEST, DeviceChanges, addresses

Address = tuple[str, int]

REQUEST_PORT, REPLY_PORT = 10670, 10669
HERE: tuple[Address, Address] = (("127.0.0.1", 0), ("127.0.0.1", REPLY_PORT))
ALL: tuple[Address, Address] = (("0.0.0.0", REQUEST_PORT), ("255.255.255.255", REPLY_PORT))
CAPTURED = {"WV": captures.WV_REPLY, "AW": captures.AW_REPLY, "NX": captures.NX_REPLY}
ANNOUNCEMENT, SEARCH, REPLY = b"\x00\x01", b"\x00\x0d", b"\x00\x0e"  # commands
# Parts of a search request that never change: offsets from, to, and their name.
FIXED_PARTS = (
    (0, 2, "magic"),
    (2, 4, "body length"),
    (6, 12, "device MAC"),
    (22, 24, "step"),
    (24, 33, "constant"),
    (33, 48, "flags"),
    (48, 90, "tags wanted"),
    (90, 92, "end mark"),
)
CHUNK, PAUSE = 16, 0.002  # datagrams at once, seconds between: spares a reader's usual 212 kB
REFUSED_KEPT = 100
IP_PKTINFO = 8  # Linux, ip(7)
CAST = 4  # the first cameras of a crowd have parts of their own and no life


@dataclass
class Camera:
    """One pretend device, or one recorder. Tests change it while its network runs.

    `family` says whose captured reply it answers with: "WV" (WV-X22700-V2L), "AW" (AW-HE130) or
    "NX" (NX510 recorder). A field that the family's reply does not hold is ignored: `name` in NX;
    `serial` and `password_set` in AW.
    """

    mac: str
    ip: str
    name: str = "Camera"  # cut to 16 bytes of UTF-8
    family: str = "WV"
    port: int = 80
    serial: str = ""  # empty: made of the MAC
    netmask: str = "255.255.255.0"
    gateway: str = ""  # empty: .1 of the address's /24
    dhcp: bool = False
    password_set: bool = True
    setup_open: bool = False
    on: bool = True

    @property
    def shown_name(self) -> str:
        """The name that a page shows. A recorder's reply has none, so that is its model."""
        return "NX510" if self.family == "NX" else self.name


def build_reply(
    camera: Camera, requester_mac: bytes, requester_ip: bytes, announcement: bool = False
) -> bytes:
    """The datagram with which `camera` answers a search from this MAC (6 bytes) and IPv4 (4).

    With `announcement` the unasked one (command 0001), where the requester is all zeros.
    """
    packet = bytearray(CAPTURED[camera.family])
    packet[6:12] = _mac_bytes(camera)
    packet[4:6] = ANNOUNCEMENT if announcement else REPLY
    packet[12:22] = bytes(10) if announcement else requester_mac + requester_ip
    if packet[37]:  # AW does not report it: 00 in its capture
        packet[37] = 2 if camera.password_set else 1
    values = _tag_values(camera, announcement)
    for tag, start, end in LAYOUT[camera.family]:
        # The recorder's capture holds an all-zero IPv6 address, and keeps it.
        if tag in values and (tag != 0x40 or any(packet[start:end])):
            packet[start:end] = values[tag].ljust(end - start, b"\0")
    packet[-2:] = checksum(bytes(packet[:-2]))
    return bytes(packet)


def checksum(datagram: bytes) -> bytes:
    """The two bytes that close a datagram: 1 + the sum of all bytes before them, modulo 65536."""
    return ((1 + sum(datagram)) & 0xFFFF).to_bytes(2, "big")


def fault(request: bytes) -> str:
    """The reason why `request` is not the vendor's own search by any sender; "" if it is."""
    model = captures.REQUEST
    if request[4:6] != SEARCH:
        return f"command: {request[4:6].hex() or 'none'}, only {SEARCH.hex()} (search) is answered"
    if len(request) != len(model):
        return f"length: {len(request)} bytes, the vendor sends {len(model)}"
    for start, end, name in FIXED_PARTS:
        if request[start:end] != model[start:end]:
            sent, usual = request[start:end].hex(), model[start:end].hex()
            return f"{name}: bytes {start} to {end - 1} are {sent}, the vendor sends {usual}"
    right = checksum(request[:-2]).hex()
    if request[-2:].hex() != right:
        return f"checksum: {request[-2:].hex()}, the sum gives {right}"
    return ""


def _tag_values(camera: Camera, announcement: bool) -> dict[int, bytes]:
    ip = socket.inet_aton(camera.ip)
    netmask = socket.inet_aton(camera.netmask)
    gateway = socket.inet_aton(camera.gateway) if camera.gateway else ip[:3] + b"\x01"
    port = camera.port.to_bytes(2, "big")
    # Static is 02 in replies, 03 in announcements (AW-HE130, captures of 2018-03-31).
    static = b"\x03" if announcement else b"\x02"
    return {
        0x00: b"\x00" if camera.dhcp else static,
        0x20: ip,
        0x21: netmask,
        0x22: gateway,
        0x25: port,
        0x40: _link_local(_mac_bytes(camera)),
        0x44: port,
        0xA0: ip,
        0xA1: netmask,
        0xA2: gateway,
        0xA7: _cut(camera.name, 16),
        0xB4: b"\x00\x00" if camera.setup_open else b"\x00\x01",
        0xD1: _cut(camera.serial or "SIM" + _mac_bytes(camera)[3:].hex().upper(), 16),
    }


def _mac_bytes(camera: Camera) -> bytes:
    return bytes.fromhex(camera.mac.replace(":", ""))


def _link_local(mac: bytes) -> bytes:
    """The address in fe80::/64 with the MAC's EUI-64 (RFC 4291, appendix A), 16 bytes."""
    return b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def _cut(text: str, size: int) -> bytes:
    """Cut the text to `size` bytes of UTF-8, never inside a character."""
    return text.encode()[:size].decode(errors="ignore").encode()


def _layout(datagram: bytes) -> Iterator[tuple[int, int, int]]:
    """Each tag with the offsets where its value starts and ends."""
    start = 48
    while start < len(datagram) - 4:
        tag, size = (int.from_bytes(datagram[at : at + 2], "big") for at in (start, start + 2))
        yield tag, start + 4, start + 4 + size
        start += 4 + size


LAYOUT = {family: list(_layout(packet)) for family, packet in CAPTURED.items()}


class Network:
    """Pretend devices on one UDP port; it runs inside `with`, or from `start()` to `stop()`.

    Every camera that is on answers every sound request. A datagram leaves from the port that the
    network listens on: so does a recorder's (10670). Cameras really send from 10669, but a client
    must not look at that port, and here it is the client's own.

    `loss`: how likely a request is lost on its way to one camera, and then again its answer; both
    are drawn from `seed`, the camera's MAC and the request's number: nothing else disturbs them.
    `latency`: least and most seconds before an answer. `device`: the interface to bind to, inside a
    network namespace; untouched addresses then become 0.0.0.0:10670 and 255.255.255.255:10669.
    `own_addresses`: each camera hears what comes to its own address, and speaks from it, as real
    ones do; this machine must have those addresses, as it has all of 127.0.0.0/8.

    `requests` counts sound ones, `answers` all datagrams sent (announcements and `send` too),
    `refused` keeps the first 100 unsound requests, each with the reason. Hold `lock` to change
    several fields of a camera, or the list of cameras, at once.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        *,
        listen: Address = HERE[0],
        reply_to: Address = HERE[1],
        loss: float = 0.0,
        seed: int = 0,
        latency: tuple[float, float] = (0.0, 0.0),
        device: str | None = None,
        broadcast: bool = False,
        own_addresses: bool = False,
    ) -> None:
        if device and (listen, reply_to) == HERE:
            listen, reply_to = ALL
        self.cameras = list(cameras)
        self.lock = threading.RLock()
        self.requests = 0
        self.answers = 0
        self.refused: list[tuple[bytes, str]] = []
        self._listen, self._reply_to = listen, reply_to
        self._loss, self._seed, self._latency = loss, seed, latency
        self._device, self._broadcast = device, broadcast or device is not None
        self._own_addresses = own_addresses
        # Answers on their way: when due (monotonic), in which order, who, and to what request.
        self._due: list[tuple[float, int, Camera, bytes]] = []
        self._order = count()

    def __enter__(self) -> Network:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind the port (OSError if it is taken) and begin to answer."""
        self._socket = self._open()
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="panasonic", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fall silent and free the port; answers still on their way are dropped."""
        self._stop.close()
        self._thread.join()
        self._stopped.close()
        self._socket.close()
        self._due.clear()

    @property
    def port(self) -> int:
        """The UDP port on which it listens, once started."""
        return int(self._socket.getsockname()[1])

    @property
    def is_quiet(self) -> bool:
        """True if all answers to the requests so far have been sent."""
        with self.lock:
            return not self._due

    def announce(self, mac: str) -> None:
        """Send one unasked announcement of a camera; none if it is off. Never lost, never late."""
        with self.lock:
            camera = {camera.mac: camera for camera in self.cameras}[mac]
            if camera.on:
                self.send(build_reply(camera, b"", b"", announcement=True), camera.ip)

    def send(self, datagram: bytes, own: str = "") -> None:
        """Send any bytes to where answers go; with `own_addresses`, from the address `own`."""
        with self.lock:  # counted first: who has read an answer finds it counted
            self.answers += 1
        whence = []
        if own and self._own_addresses:
            info = struct.pack("@I4s4s", 0, socket.inet_aton(own), bytes(4))
            whence = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
        self._socket.sendmsg([datagram], whence, 0, self._reply_to)

    def reply(self, camera: Camera, request: bytes) -> bytes:
        """The datagram with which `camera` would answer `request`."""
        return build_reply(camera, request[12:18], request[18:22])

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if self._broadcast:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if self._device:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._device.encode())
        opened.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        opened.bind(("0.0.0.0", self._listen[1]) if self._own_addresses else self._listen)
        return opened

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select(self._rest())]
                if self._stopped in ready:
                    return
                if self._socket in ready:
                    self._hear()
                self._speak()

    def _rest(self) -> float | None:
        """Seconds until the next answer may leave; None if there is none."""
        return max(PAUSE, self._due[0][0] - time.monotonic()) if self._due else None

    def _hear(self) -> None:
        try:
            request, [(_, _, info)], *_ = self._socket.recvmsg(65535, 64, socket.MSG_DONTWAIT)
        except OSError:  # the kernel dropped it after all, or a test took the interface down
            return
        reason = fault(request)
        with self.lock:
            if not reason:
                self._plan(request, socket.inet_ntoa(info[8:12]))
            elif len(self.refused) < REFUSED_KEPT:
                self.refused.append((request, reason))

    def _plan(self, request: bytes, to: str) -> None:
        self.requests += 1
        asked = (
            [camera for camera in self.cameras if camera.ip == to] if self._own_addresses else []
        )
        for camera in asked or self.cameras:
            luck = Random(f"{self._seed} {camera.mac} {self.requests}")
            is_heard = luck.random() >= self._loss
            is_answer_lost = luck.random() < self._loss
            if camera.on and is_heard and not is_answer_lost:
                due = time.monotonic() + luck.uniform(*self._latency)
                heapq.heappush(self._due, (due, next(self._order), camera, request))

    def _speak(self) -> None:
        for _ in range(CHUNK):
            with self.lock:
                if self.is_quiet or self._due[0][0] > time.monotonic():
                    return
                _, _, camera, request = heapq.heappop(self._due)
                datagram = self.reply(camera, request)
                with suppress(OSError):  # its interface was taken down: lost, as on a wire
                    if camera.on:
                        self.send(datagram, camera.ip)


def crowd(size: int, first: str = "127.20.0.10") -> list[Camera]:
    """`size` devices from address `first` upwards, all of them on.

    Camera 2 has no password set, 3 has its setup window open, 4 has the address of Camera 1. Every
    twentieth is a recorder, every tenth an AW camera.
    """
    cameras: list[Camera] = []
    for number, ip in enumerate(islice(addresses(first), size), start=1):
        family = "NX" if number % 20 == 5 else "AW" if number % 10 == 8 else "WV"
        maker = "a8:13:74" if family == "AW" else "d4:2d:c5"
        mac = ":".join([maker, *(f"{part:02x}" for part in number.to_bytes(3, "big"))])
        name = f"Recorder {number}" if family == "NX" else f"Camera {number}"
        cameras.append(Camera(mac, cameras[0].ip if number == 4 else ip, name, family))
        cameras[-1].password_set, cameras[-1].setup_open = number != 2, number == 3
    return cameras


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a crowd until SIGINT or SIGTERM; see `--help`."""
    options = _options(arguments)
    endings = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the network's thread starts, so that it inherits this and they wait for us.
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    with Network(
        crowd(options.count, options.base_ip),
        listen=(options.listen, options.port),
        reply_to=(options.reply_to, options.reply_port),
        loss=options.loss,
        seed=options.seed,
        device=options.device,
        broadcast=options.broadcast,
    ) as network:
        if options.port == 0:
            print(network.port, flush=True)
        if options.life:
            _live(network, options.seed, options.every, endings)
        else:
            signal.sigwait(endings)


def _live(network: Network, seed: int, every: float, endings: set[signal.Signals]) -> None:
    homes = [camera.ip for camera in network.cameras]
    begin = time.monotonic()
    for turn, change in enumerate(DeviceChanges(homes, range(CAST, len(homes)), seed), start=1):
        if signal.sigtimedwait(endings, max(0.0, begin + turn * every - time.monotonic())):
            return
        camera = network.cameras[change.index]
        with network.lock:
            camera.ip, camera.on = change.address, change.on
        print(time.strftime("%H:%M:%S"), f"{camera.name} {change.text}", flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "simulators.panasonic", description="Simulated Panasonic cameras."
    )
    say = parser.add_argument
    say("--count", type=int, default=40, help="number of devices (default: 40)")
    say(
        "--base-ip",
        default="127.20.0.10",
        help="address of the first device (default: 127.20.0.10)",
    )
    say(
        "--port",
        type=int,
        default=REQUEST_PORT,
        help="UDP port to listen on; 0: choose one and print it",
    )
    say(
        "--reply-port",
        type=int,
        default=REPLY_PORT,
        help=f"UDP port for responses (default: {REPLY_PORT})",
    )
    say("--listen", help="local address (default: 127.0.0.1; 0.0.0.0 with --broadcast or --device)")
    say(
        "--reply-to",
        help="address for responses (127.0.0.1; 255.255.255.255 with --broadcast or --device)",
    )
    say(
        "--broadcast",
        action="store_true",
        help="broadcast to a whole network; never use it on a real one",
    )
    say("--device", help="bind to this interface and broadcast on it, for network namespaces")
    say(
        "--loss",
        type=float,
        default=0.0,
        help="share of datagrams lost in each direction, 0 to 1 (default: 0)",
    )
    say(
        "--seed",
        type=int,
        default=0,
        help="random seed; the same seed gives the same losses and changes (default: 0)",
    )
    say("--life", action="store_true", help="let cameras move, go offline and come back")
    say(
        "--every",
        type=float,
        default=15.0,
        help="seconds between two changes of --life (default: 15)",
    )
    options = parser.parse_args(arguments)
    if options.life and options.count < CAST + FEWEST:
        parser.error(f"--life needs --count {CAST + FEWEST} or more, not {options.count}")
    is_open = options.broadcast or options.device
    options.listen = options.listen or (ALL if is_open else HERE)[0][0]
    options.reply_to = options.reply_to or (ALL if is_open else HERE)[1][0]
    return options


if __name__ == "__main__":
    main()
