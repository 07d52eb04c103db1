"""A place with cameras that are each reachable by Panasonic's search, by ONVIF and by RTSP."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Self

from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, VideoSource, camera_sources
from simulators.panasonic import Camera, Network
from simulators.rtsp import RtspDevice, RtspServers, Stream

Address = tuple[str, int]


@dataclass
class SimulatedCamera:
    """One device with three doors; both servers share its account and its lock-out."""

    search: Camera
    onvif: OnvifDevice
    rtsp: RtspDevice

    @property
    def address(self) -> str:
        return self.search.ip

    @property
    def accounts(self) -> Accounts:
        return self.onvif.accounts


def streams_of(device: OnvifDevice) -> dict[str, Stream]:
    """What its RTSP server offers: the paths that its ONVIF service names now."""
    return {
        device.stream_path(profile): Stream(
            profile.codec,
            profile.width,
            profile.height,
            profile.fps,
            status=200 if source.has_signal else 404,
        )
        for source in device.sources
        for profile in source.profiles
    }


def camera(
    address: str,
    mac: str,
    accounts: Accounts | None = None,
    name: str = "Camera",
    sources: tuple[VideoSource, ...] | None = None,
) -> SimulatedCamera:
    """A camera with one account for ONVIF and RTSP; without one it is open."""
    account = accounts or Accounts()
    onvif = OnvifDevice(address, accounts=account, mac=mac, name=name, serial=mac.replace(":", ""))
    onvif.sources = sources or camera_sources()
    rtsp = RtspDevice(address, streams=streams_of(onvif), accounts=account)
    return SimulatedCamera(Camera(mac, address, name), onvif, rtsp)


def crowd(count: int) -> list[SimulatedCamera]:
    """This many from 127.95.0.1 on, each with a password of its own: admin/secret-<number>."""
    return [
        camera(
            f"127.95.{number // 250}.{number % 250 + 1}",
            f"00:00:5e:00:{0x60 + number // 256:02x}:{number % 256:02x}",
            Accounts("admin", f"secret-{number}"),
            f"Camera {number}",
        )
        for number in range(count)
    ]


class Place:
    """All cameras, running inside `with`. `search`: where Panasonic's searches arrive, and where
    the answers go."""

    def __init__(
        self,
        cameras: list[SimulatedCamera],
        search: tuple[Address, Address],
        onvif_port: int,
        rtsp_port: int,
        discovery_port: int = 0,
    ) -> None:
        self.cameras = cameras
        for each in cameras:
            each.onvif.rtsp_port = rtsp_port
        listen, reply_to = search
        self.network = Network([each.search for each in cameras], listen=listen, reply_to=reply_to)
        self.onvif = OnvifServers([each.onvif for each in cameras], onvif_port, discovery_port)
        self.rtsp = RtspServers([each.rtsp for each in cameras], rtsp_port)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        for part in (self.network, self.onvif, self.rtsp):
            self._running.enter_context(part)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._running.close()

    def move(self, addresses: dict[str, str]) -> None:
        """Give cameras other addresses, by their present ones; swaps are fine."""
        with self.network.lock:
            for each in self.cameras:
                each.search.ip = addresses.get(each.search.ip, each.search.ip)
        self.onvif.move(addresses)
        self.rtsp.move(addresses)

    def rotate(self) -> None:
        """Give each camera the address of the next."""
        places = [each.address for each in self.cameras]
        self.move(dict(zip(places, [*places[1:], places[0]], strict=True)))

    def turn(self, device: SimulatedCamera, is_on: bool) -> None:
        mode = "well" if is_on else "off"
        with self.network.lock:
            device.search.on = is_on
        self.onvif.turn(device.onvif, mode)
        self.rtsp.turn(device.rtsp, mode)

    def restart(self, device: SimulatedCamera) -> None:
        """Go down and come back, with other paths where the device changes them."""
        self.turn(device, False)
        device.onvif.restarts += 1
        device.rtsp.streams = streams_of(device.onvif)
        self.turn(device, True)

    def lose_signal(self, device: SimulatedCamera, channel: int, has_signal: bool = False) -> None:
        """Take the picture of a channel, from 1, or give it back."""
        device.onvif.sources = tuple(
            replace(source, has_signal=has_signal) if number == channel else source
            for number, source in enumerate(device.onvif.sources, 1)
        )
        device.rtsp.streams = streams_of(device.onvif)

    def shown_to_strangers(self) -> list[str]:
        """Addresses of cameras that were shown a password of another one."""
        return [
            each.address
            for each in self.cameras
            if any(
                each.accounts.saw(other.accounts.password)
                for other in self.cameras
                if other.accounts is not each.accounts
                and other.accounts.password != each.accounts.password
            )
        ]
