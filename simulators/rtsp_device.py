"""Pretend RTSP devices: what each offers, how it misbehaves, and what it was asked."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulators.logins import Accounts
from simulators.rtsp_sdp import Stream


@dataclass(frozen=True)
class Request:
    """What a client sent. `at` is by the monotonic clock."""

    at: float
    method: str
    url: str
    has_login: bool
    user_agent: str


@dataclass
class RtspDevice:
    """A pretend device.

    `mode`: well; off (refuses connections), swallows (answers no connection attempt), silent
    (accepts and says nothing), slow (a byte every `pace` seconds), flooding, http and banner (not
    RTSP); missing (404), busy (453), overloaded (503), forbidden (403), failing (500) for DESCRIBE;
    udp-only (461) and multicast (406) for SETUP; redirecting (to itself for ever), huge (an SDP of
    `huge` bytes), no-video, closing (in the middle of DESCRIBE), wrong-cseq, no-cseq, chattering
    (interleaved data before and between answers, of channels that nobody set up), no-media
    (accepts everything and sends nothing), rtcp-only, leftovers (sends packets of a session that
    ended, on a channel of that one, and stray line ends between its own).
    """

    address: str
    port: int = 0
    """0: the port of all."""
    streams: dict[str, Stream] = field(default_factory=lambda: {"/stream1": Stream()})
    """By path and query."""
    accounts: Accounts = field(default_factory=Accounts)
    style: str = "reolink"
    mode: str = "well"
    pace: float = 1.0
    huge: int = 10_000_000
    redirect: str = ""
    """Where DESCRIBE is sent, once; empty: nowhere."""
    describe_code: int = 0
    """The answer to DESCRIBE after the login; 0: the description."""
    setup_code: int = 0
    """Likewise for SETUP."""
    udp_code: int = 0
    """The answer to SETUP over TCP of a device that sends over UDP; 200: it says that it sends over
    UDP. 0: it sends over TCP."""
    audio_code: int = 0
    """The answer to SETUP of the sound; 0: it has it, -1: it closes the connection."""
    ends_silent: bool = False
    """Closes the connection of a client that plays and asks nothing within its timeout."""
    hangs_at: str = ""
    """A method that it never answers."""
    viewers: int = 0
    """Sessions at once, above which SETUP answers 453; 0: any number."""
    needs_user_agent: bool = False
    """Answers 401 to each request without one, whatever its login."""
    asks_login_first: bool = False
    """Wants a login for OPTIONS too."""
    echoes_login: bool = False
    """Writes user name and password into Content-Base and control lines."""
    server: str = ""
    """Its Server header; empty: that of its style."""
    timeouts: tuple[int, int] = (60, 60)
    """Of a session in seconds, as SETUP and as PLAY name it."""
    transport: str = ""
    """Of the answer to SETUP, with {first} and {second} for the channels; empty: by its style."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    sessions: set[str] = field(default_factory=set)
    """Those that are open now."""
    abandoned: int = 0
    """Sessions whose connection ended without TEARDOWN."""
    teardowns: int = 0

    @property
    def asked(self) -> Counter[str]:
        """Requests by method."""
        return Counter(request.method for request in self.requests)


def address(number: int) -> str:
    """The address of a device by its number, from 127.80.0.1 on."""
    return f"127.{80 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


def crowd(count: int, first: int = 0) -> list[RtspDevice]:
    """This many devices of several makers; each second one has the login admin/pass-<number>."""
    styles = ("dahua", "hikvision", "reolink", "tp-link", "cheap")
    devices = []
    for number in range(first, first + count):
        device = RtspDevice(address(number), style=styles[number % len(styles)])
        if number % 2:
            device.accounts = Accounts("admin", f"pass-{number}")
        devices.append(device)
    return devices


def recorder(
    where: str, channels: int, accounts: Accounts | None = None, dark: Iterable[int] = ()
) -> RtspDevice:
    """A recorder in Dahua's style: for each channel a main and a sub stream, one login for all.
    The channels in `dark`, from 1, have no signal: they answer 404."""
    lost = set(dark)
    streams = {
        f"/cam/realmonitor?channel={channel}&subtype={sub}": Stream(
            width=(1920, 704)[sub],
            height=(1080, 576)[sub],
            status=404 if channel in lost else 200,
        )
        for channel in range(1, channels + 1)
        for sub in (0, 1)
    }
    return RtspDevice(where, streams=streams, accounts=accounts or Accounts(), style="dahua")
