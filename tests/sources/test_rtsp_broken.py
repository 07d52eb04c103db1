"""Broken RTSP cameras: each has a readable reason, ends in time, and leaves the others alone."""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.stream_url import StreamUrl
from simulators.rtsp import Accounts, RtspDevice, RtspServers, Stream, address
from sources import rtsp
from sources.rtsp import redirect_of
from tests.home import ROOT, free_port
from tests.sources.rtsp_checks import (
    PASSWORD,
    PORT,
    USERNAME,
    Result,
    check,
    check_device,
    checked,
    target_of,
)
from tests.sources.tls_servers import certificate, server_context, serving, tls_server

Make = Callable[..., RtspDevice]


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """Makes a camera with this mode and the login of the tests."""
    with RtspServers([], PORT) as servers:

        def camera(mode: str = "well", **changes: Any) -> RtspDevice:
            given = {"accounts": Accounts(USERNAME, PASSWORD), **changes}
            device = RtspDevice(address(len(servers.devices)), mode=mode, **given)
            servers.add(device)
            return device

        yield camera


# -- no answer: a miss ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        pytest.param("off", "connection refused", id="refuses"),
        pytest.param("http", "it speaks HTTP, not RTSP", id="HTTP"),
        pytest.param("banner", "it speaks SSH, not RTSP", id="SSH"),
        pytest.param(
            "closing", "it closed the connection in the middle of a response", id="closes"
        ),
    ],
)
def test_no_usable_answer_has_a_reason_in_words(make: Make, mode: str, reason: str) -> None:
    assert check_device(make(mode)).reason == reason


@pytest.mark.parametrize("mode", ["swallows", "silent", "slow"])
def test_a_camera_that_says_nothing_or_a_byte_a_second_ends_at_the_deadline(
    make: Make, mode: str
) -> None:
    device = make(mode)
    result = check(target_of(device.address, PORT), seconds=0.3)
    assert result.reason == "time-out"


NO_ROUTE = """
import sys
sys.path.insert(0, {root!r})
from tests.sources.rtsp_checks import check, target_of
print(check(target_of("10.9.9.9", 554)).reason)
"""


def test_a_camera_without_a_host_at_its_address_has_that_reason(tmp_path: Path) -> None:
    """In a network namespace of its own, whose router says that nobody is there."""
    script = tmp_path / "check.py"
    script.write_text(NO_ROUTE.format(root=str(ROOT)))
    commands = (
        f"ip link set lo up; ip route add unreachable 10.9.9.9; exec {sys.executable} {script}"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", commands],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "no host at this address", done.stderr


def test_a_flood_before_the_first_answer_ends_soon() -> None:
    def talk(connection: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection.sendall(b"$\x00\x00\x00" * 16_384)

    with serving(talk) as port:
        assert check(target_of("127.0.0.1", port)).reason == (
            "it sent more than 1 MB and no response"
        )


def test_a_flood_of_what_is_not_rtsp_ends_at_once(make: Make) -> None:
    assert check_device(make("flooding")).reason == "it does not speak RTSP"


def test_a_response_without_an_end_is_refused() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 20_000)

    with serving(talk) as port:
        reason = check(target_of("127.0.0.1", port)).reason
    assert reason == "it sent a response without an end"


# -- alive, with a finding -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kind", "text"),
    [
        pytest.param("missing", "stream.path", "does not exist on the device", id="404"),
        pytest.param("failing", "stream.refused", "RTSP 500", id="500"),
        pytest.param("udp-only", "stream.transport", "only over UDP or multicast", id="461"),
        pytest.param("multicast", "stream.transport", "only over UDP or multicast", id="406"),
        pytest.param("no-video", "stream.none", "without video", id="no video"),
        pytest.param("huge", "stream.none", "too long to read", id="an SDP of 10 MB"),
        pytest.param("redirecting", "stream.refused", "again and again", id="redirects"),
        pytest.param("forbidden", "login.wrong", "denies this user the stream", id="403"),
    ],
)
def test_a_camera_with_a_trouble_is_alive_and_has_a_finding(
    make: Make, mode: str, kind: str, text: str
) -> None:
    result = check_device(make(mode))
    assert result.sighting.latency is not None
    assert set(result.findings) == {kind}
    assert text in result.findings[kind]
    assert result.learned.worked_at is None


@pytest.mark.parametrize(("mode", "code"), [("busy", 453), ("overloaded", 503)])
def test_a_camera_at_its_limit_is_alive_and_busy(make: Make, mode: str, code: int) -> None:
    result = check_device(make(mode))
    assert result.is_refused
    assert result.findings == {"stream.busy": result.reason}
    assert result.reason == f"busy, or at its limit of viewers (RTSP {code})"
    assert result.sighting.learned


def test_a_camera_whose_viewers_are_all_there_is_busy_at_setup(make: Make) -> None:
    device = make(viewers=1)
    device.sessions.add("another viewer")
    result = check_device(device)
    assert result.is_refused
    assert "stream.busy" in result.findings
    assert device.sessions == {"another viewer"}


def test_401_for_ever_spends_one_login(make: Make) -> None:
    device = make(accounts=Accounts(USERNAME, PASSWORD, always_wrong=True))
    result = check_device(device)
    assert set(result.findings) == {"login.wrong"}
    assert len(device.accounts.attempts) == 1
    assert result.learned.refusals == 1


def test_a_loop_of_stale_nonces_ends_and_is_not_a_wrong_password(make: Make) -> None:
    device = make(accounts=Accounts(USERNAME, PASSWORD, always_stale=True))
    result = check_device(device)
    assert "stale nonce" in result.findings["login.method"]
    assert "login.wrong" not in result.findings
    assert len(device.accounts.attempts) == 2
    assert result.learned.refusals == 2


@pytest.mark.parametrize("mode", ["no-media", "rtcp-only"])
def test_a_camera_that_sends_no_media_is_alive(make: Make, mode: str) -> None:
    result = check_device(make(mode))
    assert not result.findings
    assert result.learned.worked_at


@pytest.mark.parametrize("mode", ["wrong-cseq", "no-cseq", "chattering"])
def test_e08_wrong_numbers_and_interleaved_data_spoil_nothing(make: Make, mode: str) -> None:
    device = make(mode, streams={"/stream1": Stream(audio="PCMU")})
    result = check_device(device)
    assert not result.findings
    assert result.facts["codec"] == "H264"


# -- 403 and control characters --------------------------------------------------------------

DESCRIPTION = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\x001\r\n"
OK = b"RTSP/1.0 200 OK\r\n"
BASIC = b'WWW-Authenticate: Basic realm="x"\r\n'


def answering(reply: Callable[[bytes], bytes], requests: list[bytes]) -> Result:
    """Check a camera that answers each request, which is noted, as `reply` says."""

    def talk(connection: socket.socket) -> None:
        data = b""
        while piece := connection.recv(4096):
            data += piece
            while b"\r\n\r\n" in data:
                request, _, data = data.partition(b"\r\n\r\n")
                requests.append(request)
                connection.sendall(reply(request))

    with serving(talk) as port:
        return check(target_of("127.0.0.1", port), seconds=20)


def described(request: bytes) -> bytes:
    length = str(len(DESCRIPTION)).encode()
    is_describe = request.startswith(b"DESCRIBE")
    return OK + (
        b"Content-Length: " + length + b"\r\n\r\n" + DESCRIPTION if is_describe else b"\r\n"
    )


UTF_16 = DESCRIPTION.decode().encode("utf-16")
HTML = b"<html><body>m=video 0 RTP/AVP 96</body></html>"


@pytest.mark.parametrize("length", ["-1", "99999999999999999999999", "one", "0", str(len(HTML))])
@pytest.mark.parametrize("body", [HTML, UTF_16])
def test_a_description_that_cannot_be_read_proves_nothing(length: str, body: bytes) -> None:
    def reply(request: bytes) -> bytes:
        if not request.startswith(b"DESCRIBE"):
            return OK + b"\r\n"
        size = str(len(body)) if length == str(len(HTML)) else length
        return OK + f"Content-Length: {size}\r\n\r\n".encode() + body

    result = answering(reply, [])
    assert result.findings == {"stream.unreadable": "its description of the stream cannot be read"}
    assert "login.none" not in result.cleared
    assert result.learned.worked_at is None


def test_403_without_a_question_for_the_login_is_not_a_wrong_login() -> None:
    requests = list[bytes]()

    def reply(request: bytes) -> bytes:
        is_describe = request.startswith(b"DESCRIBE")
        return b"RTSP/1.0 403 Forbidden\r\n\r\n" if is_describe else OK + b"\r\n"

    result = answering(reply, requests)
    assert result.findings == {
        "stream.refused": "the device denies access to this stream (RTSP 403) without asking for a "
        "login"
    }
    assert result.learned.refusals is None
    assert b"authorization" not in b"".join(requests).lower()


@pytest.mark.parametrize(
    ("second", "sent"),
    [
        (b'Digest realm="r", nonce="2", algorithm=FOO, stale=true', 1),
        (b'Basic realm="r", nonce="2", stale=true', 1),
        (b'Digest realm="other", nonce="2", stale=true', 1),
        (b'Digest realm="r", nonce="2", stale=true', 2),
    ],
)
def test_each_login_that_is_sent_and_not_accepted_is_spent(second: bytes, sent: int) -> None:
    requests = list[bytes]()

    def reply(request: bytes) -> bytes:
        if not request.startswith(b"DESCRIBE"):
            return OK + b"\r\n"
        has_login = b"authorization:" in request.lower()
        challenge = second if has_login else b'Digest realm="r", nonce="1"'
        return b"RTSP/1.0 401 No\r\nWWW-Authenticate: " + challenge + b"\r\n\r\n"

    result = answering(reply, requests)
    schemes = re.findall(rb"authorization: (\w+)", b"".join(requests).lower())
    assert schemes == [b"digest"] * sent
    assert result.learned.refusals == sent


def test_403_with_a_question_for_the_login_gets_the_login() -> None:
    requests = list[bytes]()

    def reply(request: bytes) -> bytes:
        if request.startswith(b"DESCRIBE") and b"authorization: basic" not in request.lower():
            return b"RTSP/1.0 403 Forbidden\r\n" + BASIC + b"\r\n"
        return described(request)

    result = answering(reply, requests)
    assert not result.findings
    assert (result.learned.method, result.learned.refusals) == ("basic", 0)
    assert result.learned.worked_at


def test_control_characters_in_answers_are_in_no_request() -> None:
    requests = list[bytes]()
    challenge = b'WWW-Authenticate: Digest realm="r\x00", nonce="n\x00", opaque="o\x00"\r\n'

    def reply(request: bytes) -> bytes:
        if request.startswith(b"DESCRIBE") and b"authorization: digest" not in request.lower():
            return b"RTSP/1.0 401 Unauthorized\r\nSession: a\x00b\r\n" + challenge + b"\r\n"
        return described(request)

    result = answering(reply, requests)
    assert not result.reason
    assert not result.findings
    assert [request.split()[0] for request in requests].count(b"SETUP") == 1
    assert b"\x00" not in b"".join(requests)


# -- redirects -------------------------------------------------------------------------------


def redirected(make: Make, location: str) -> Result:
    device = make(streams={"/a": Stream(), "/b": Stream()})
    device.redirect = location.format(host=device.address, port=PORT)
    return check_device(device, path="/a")


def test_a_redirect_to_another_path_of_the_camera_is_followed(make: Make) -> None:
    result = redirected(make, "rtsp://{host}:{port}/b")
    assert not result.findings
    assert result.learned.worked_at


def test_a_redirect_may_be_a_path_only() -> None:
    assert redirect_of(StreamUrl(False, "10.0.0.5", 8554, "/a"), "/b?x=1") == StreamUrl(
        False, "10.0.0.5", 8554, "/b?x=1"
    )


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("rtsp://127.99.0.1:554/x", "another host"),
        (f"rtsp://{USERNAME}:{PASSWORD}@127.99.0.1/x", "another host"),
        ("http://127.99.0.1/", "invalid address"),
        ("//127.99.0.1/", "invalid address"),
        ("nonsense", "invalid address"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(make: Make, location: str, text: str) -> None:
    result = redirected(make, location)
    assert text in result.findings["stream.refused"]
    assert PASSWORD not in repr(result)


@pytest.mark.parametrize(("offers", "is_logged_in"), [("md5", True), ("basic", False)])
def test_a_redirect_to_another_port_gets_no_basic(
    make: Make, offers: str, is_logged_in: bool
) -> None:
    accounts = Accounts(USERNAME, PASSWORD, offers=(offers,))
    device, port = (
        make(streams={"/a": Stream()}, accounts=replace(accounts, attempts=[])),
        free_port(),
    )
    device.redirect = f"rtsp://{device.address}:{port}/b"
    behind = RtspDevice(device.address, accounts=accounts, streams={"/b": Stream()})
    with RtspServers([behind], port):
        result = check_device(device, path="/a")
    assert bool(accounts.attempts) is is_logged_in
    assert set(result.findings) == (set() if is_logged_in else {"login.method"})


# -- TLS -------------------------------------------------------------------------------------


def test_tls_1_0_is_alive_and_too_old(tmp_path: Path) -> None:
    import ssl

    pem = certificate(tmp_path, "old", "-newkey", "rsa:1024", "-sha1")
    with tls_server(server_context(pem, ssl.TLSVersion.TLSv1)) as port:
        result = check(target_of("127.0.0.1", port, options={"tls": True}))
    assert set(result.findings) == {"tls.old"}
    assert result.sighting.identities


# -- the others ------------------------------------------------------------------------------


def test_a_session_is_ended_when_the_deadline_cuts_a_check_off() -> None:
    """TEARDOWN goes out though nobody waits for its answer."""
    received = bytearray()

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 4711;timeout=60\r\n\r\n")
        while data := connection.recv(4096):
            received.extend(data)

    with serving(talk) as port:
        assert check(target_of("127.0.0.1", port), seconds=0.3).reason == "time-out"
    assert b"TEARDOWN rtsp://127.0.0.1" in received
    assert b"Session: 4711\r\n" in received


def test_the_others_end_in_the_time_of_one_check_while_broken_ones_are_asked(make: Make) -> None:
    """All have the time limit of the source, and begin at once."""
    limit = rtsp.source(lambda: datetime.now(UTC)).timeout
    well = [make() for _ in range(20)]
    broken = [make(mode) for mode in ("silent", "slow", "swallows", "flooding")]

    async def every() -> tuple[list[Result], set[str]]:
        tasks = {
            device.mode: asyncio.create_task(checked(target_of(device.address, PORT), limit))
            for device in broken
        }
        await asyncio.sleep(0)
        results = await asyncio.gather(
            *(checked(target_of(device.address, PORT), limit) for device in well)
        )
        waiting = {mode for mode, task in tasks.items() if not task.done()}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return results, waiting

    results, waiting = asyncio.run(every())
    assert [result.reason for result in results] == [""] * len(well)
    assert waiting - {"flooding"} == {"silent", "slow", "swallows"}
