"""The pretend RTSP devices, judged by ffprobe and by a client that is spoken by hand."""

import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from simulators.logins import Accounts
from simulators.rtsp import RtspDevice, RtspServers, Stream, address, recorder
from simulators.rtsp_sdp import STYLES
from tests.home import free_port, until
from tests.simulators.ffprobe import ffprobe, needs_ffprobe, probe_all, probe_rtsp, video_size

WITH_VIDEO = sorted(set(STYLES) - {"no-video"})
OFFERS = (("basic",), ("md5",), ("md5", "basic"))


@pytest.fixture(scope="module")
def servers() -> Iterator[RtspServers]:
    with RtspServers([], free_port()) as running:
        yield running


@pytest.fixture
def device(servers: RtspServers) -> Iterator[RtspDevice]:
    """A new device at an address of its own."""
    made = RtspDevice(address(len(servers.devices)))
    servers.add(made)
    yield made
    servers.turn(made, "off")


def added(servers: RtspServers, devices: list[RtspDevice]) -> list[RtspDevice]:
    """The devices, running, each at an address of its own."""
    for device in devices:
        device.address = address(len(servers.devices))
        servers.add(device)
    return devices


class Client:
    """A connection that sends what it is given."""

    def __init__(self, servers: RtspServers, device: RtspDevice) -> None:
        self.base = f"rtsp://{device.address}:{servers.port}"
        self.sock = socket.create_connection((device.address, servers.port), timeout=5)
        self.file = self.sock.makefile("rb")
        self.number = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.file.close()
        self.sock.close()

    def ask(self, method: str, path: str = "/stream1", **headers: str) -> tuple[int, str, bytes]:
        """Status, head and body."""
        self.number += 1
        lines = [f"{method} {self.base}{path} RTSP/1.0", f"CSeq: {self.number}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return self.answer()

    def answer(self) -> tuple[int, str, bytes]:
        start = self.file.readline()
        head = ""
        while (line := self.file.readline().decode()) not in ("\r\n", ""):
            head += line
        length = head.partition("Content-Length: ")[2].partition("\r")[0]
        return int(start.split()[1]), head, self.file.read(int(length or 0))

    def set_up(self) -> str:
        """Open a session; its id."""
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        status, head, _body = self.ask("SETUP", "/stream1/track1", Transport=transport)
        assert status == 200
        return head.partition("Session: ")[2].partition(";")[0]


@pytest.fixture
def client(servers: RtspServers, device: RtspDevice) -> Iterator[Client]:
    with Client(servers, device) as made:
        yield made


def url(servers: RtspServers, device: RtspDevice, path: str = "/stream1") -> str:
    login = f"{device.accounts.username}:p%40ss@" if device.accounts.username else ""
    return f"rtsp://{login}{device.address}:{servers.port}{path}"


@needs_ffprobe
def test_ffprobe_plays_the_picture_of_each_style(servers: RtspServers) -> None:
    streams = {"/stream1": Stream(width=1280, height=714, audio="AAC")}
    devices = added(
        servers,
        [RtspDevice("", style=style, streams=streams) for style in WITH_VIDEO],
    )
    pictures = probe_all([url(servers, device) for device in devices])
    sizes = {
        device.style: video_size(picture) for device, picture in zip(devices, pictures, strict=True)
    }
    assert sizes == dict.fromkeys(WITH_VIDEO, ("h264", 1280, 714))
    assert [device.teardowns for device in devices] == [1] * len(devices)
    assert [device.abandoned for device in devices] == [0] * len(devices)
    assert not any(device.sessions for device in devices)


@needs_ffprobe
def test_ffprobe_logs_in_by_each_method_and_where_the_challenge_is_odd(
    servers: RtspServers,
) -> None:
    accounts = [
        *(Accounts("admin", "p@ss", offers=offers) for offers in OFFERS),
        *(Accounts("admin", "p@ss", qop=qop) for qop in ("", "auth,auth-int")),
        Accounts("admin", "p@ss", untidy=True),
        Accounts("admin", "p@ss", nonce_uses=2),
    ]
    devices = added(servers, [RtspDevice("", accounts=account) for account in accounts])
    probe_all([url(servers, device) for device in devices])
    assert [account.wrong for account in accounts] == [0] * len(accounts)
    assert all(account.right for account in accounts)
    assert all(account.saw("p@ss") for account in accounts)
    assert not any(account.saw("other") for account in accounts)
    assert "stale" in [attempt.outcome for attempt in accounts[-1].attempts]


@needs_ffprobe
def test_ffprobe_finds_the_channels_of_a_recorder(servers: RtspServers) -> None:
    device = recorder(address(900), 3, Accounts("admin", "p@ss"), dark=[3])
    servers.add(device)
    sub = probe_rtsp(url(servers, device, "/cam/realmonitor?channel=2&subtype=1"))
    assert video_size(sub) == ("h264", 704, 576)
    with pytest.raises(subprocess.CalledProcessError) as failure:
        probe_rtsp(url(servers, device, "/cam/realmonitor?channel=3&subtype=0"))
    assert "404" in failure.value.stderr


@needs_ffprobe
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("off", "Connection refused"),
        ("missing", "404"),
        ("busy", "453"),
        ("udp-only", "461"),
        ("multicast", "406"),
        ("http", "Invalid data"),
    ],
)
def test_ffprobe_fails_at_a_broken_device(
    servers: RtspServers, device: RtspDevice, mode: str, reason: str
) -> None:
    servers.turn(device, mode)
    with pytest.raises(subprocess.CalledProcessError) as failure:
        ffprobe(url(servers, device), "-rtsp_transport", "tcp", "-timeout", "500000")
    assert reason in failure.value.stderr


@needs_ffprobe
@pytest.mark.parametrize("size", [(2688, 1520), (706, 578)])
def test_the_parameter_sets_of_h265_tell_its_size(
    servers: RtspServers, device: RtspDevice, size: tuple[int, int]
) -> None:
    device.mode = "no-media"
    device.streams = {"/stream1": Stream("H265", *size)}
    streams = ffprobe(url(servers, device), "-rtsp_transport", "tcp", "-timeout", "300000")
    assert video_size(streams) == ("hevc", *size)


# -- spoken by hand --------------------------------------------------------------------------


def test_a_login_that_is_wrong_is_counted_and_locks_the_account(
    device: RtspDevice, client: Client
) -> None:
    device.accounts = Accounts(
        "admin", "p@ss", offers=("basic",), lock_after=2, shows_attempts=True
    )
    wrong, right = "Basic YWRtaW46Zm9v", "Basic YWRtaW46cEBzcw=="
    first = client.ask("DESCRIBE", Authorization=wrong)
    assert (first[0], first[2]) == (401, b"Login failed. You still have 1 attempt(s).")
    client.ask("DESCRIBE", Authorization=wrong)
    assert client.ask("DESCRIBE", Authorization=right)[0] == 401, "the account is not locked"
    assert (device.accounts.wrong, device.accounts.right) == (3, 0)
    assert device.accounts.saw("foo")
    device.accounts.unlock()
    assert client.ask("DESCRIBE", Authorization=right)[0] == 200


def test_each_challenge_has_its_own_nonce(device: RtspDevice, client: Client) -> None:
    device.accounts = Accounts("admin", "p@ss", offers=("md5", "sha256"))
    _status, head, _body = client.ask("DESCRIBE")
    nonces = [part.partition('"')[0] for part in head.split('nonce="')[1:]]
    assert len(set(nonces)) == len(nonces) == 2


def test_options_need_no_login_and_a_request_without_user_agent_is_refused(
    device: RtspDevice, client: Client
) -> None:
    device.needs_user_agent = True
    assert client.ask("OPTIONS")[0] == 200
    assert client.ask("DESCRIBE")[0] == 401
    assert client.ask("DESCRIBE", User_Agent="x")[0] == 200


def test_a_session_left_without_teardown_is_counted(
    servers: RtspServers, device: RtspDevice, client: Client
) -> None:
    device.viewers = 1
    session = client.set_up()
    with Client(servers, device) as other:
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        assert other.ask("SETUP", "/stream1/track1", Transport=transport)[0] == 453
        assert client.ask("TEARDOWN", Session=session)[0] == 200
        other.set_up()
    until(lambda: device.abandoned == 1)
    assert device.teardowns == 1


def test_media_come_after_the_answer_to_play(client: Client) -> None:
    session = client.set_up()
    assert client.ask("PLAY", Session=session)[0] == 200
    assert client.file.read(2) == b"$\x00"


def test_a_slow_device_sends_byte_by_byte(device: RtspDevice, client: Client) -> None:
    device.mode, device.pace = "slow", 0.05
    client.sock.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
    assert client.sock.recv(100) == b"R"


def test_a_device_can_be_wrong_in_its_numbers_and_chatter_between_answers(
    device: RtspDevice, client: Client
) -> None:
    device.mode = "wrong-cseq"
    assert "CSeq: 8" in client.ask("OPTIONS")[1]
    device.mode = "chattering"
    client.sock.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n")
    assert client.file.read(2) == b"$\x08"


def test_a_device_closes_in_the_middle_of_its_description(
    device: RtspDevice, client: Client
) -> None:
    device.mode = "closing"
    _status, head, body = client.ask("DESCRIBE")
    assert 0 < len(body) < int(head.partition("Content-Length: ")[2].partition("\r")[0])


def test_a_description_can_be_huge_or_without_video(device: RtspDevice, client: Client) -> None:
    device.mode = "huge"
    assert len(client.ask("DESCRIBE")[2]) > 9_900_000
    device.mode = "no-video"
    assert b"m=video" not in client.ask("DESCRIBE")[2]


def test_a_device_redirects_for_ever(device: RtspDevice, client: Client) -> None:
    device.mode = "redirecting"
    first, second = (client.ask("DESCRIBE")[1] for _ in range(2))
    assert "Location: " in first
    assert first != second.replace("CSeq: 2", "CSeq: 1")


def test_a_device_that_swallows_connection_attempts_lets_them_time_out(
    servers: RtspServers, device: RtspDevice
) -> None:
    servers.turn(device, "swallows")
    with pytest.raises(TimeoutError):
        socket.create_connection((device.address, servers.port), timeout=0.3)


@pytest.mark.parametrize(("mode", "start"), [("flooding", b"\x00\xff$"), ("banner", b"SSH")])
def test_a_device_that_speaks_unasked(
    servers: RtspServers, device: RtspDevice, mode: str, start: bytes
) -> None:
    device.mode = mode
    with Client(servers, device) as client:
        assert client.file.read(3) == start


def test_devices_swap_their_addresses(servers: RtspServers) -> None:
    first, second = (RtspDevice(address(number)) for number in (901, 902))
    for device in (first, second):
        servers.add(device)
    servers.move({address(901): address(902), address(902): address(901)})
    with Client(servers, first) as client:
        client.ask("OPTIONS")
    assert first.address == address(902)
    assert (len(first.requests), len(second.requests)) == (1, 0)


def test_a_device_echoes_its_login(device: RtspDevice, client: Client) -> None:
    device.accounts = Accounts("admin", "p@ss", offers=("basic",))
    device.echoes_login, device.style = True, "hikvision"
    _status, head, body = client.ask("DESCRIBE", Authorization="Basic YWRtaW46cEBzcw==")
    assert "rtsp://admin:p%40ss@" in head
    assert b"rtsp://admin:p%40ss@" in body


def test_devices_that_cannot_listen_leave_no_thread_and_no_open_loop() -> None:
    running = set(threading.enumerate())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        devices = [RtspDevice("127.0.0.1")]
        with pytest.raises(OSError, match="in use"):
            RtspServers(devices, taken.getsockname()[1]).start()
    assert set(threading.enumerate()) <= running
