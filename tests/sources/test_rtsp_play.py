"""A stream that begins to play: its media, its transport, and the connection that is handed out."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fleet.model import NoAnswer, Report, Target
from simulators.rtsp import Accounts, RtspDevice, RtspServers, Stream
from sources import rtsp
from sources.rtsp_play import Opening, Played
from sources.source import SessionRefused
from tests.sources import tls_servers
from tests.sources.played import StreamReader
from tests.sources.rtsp_checks import NOW, PASSWORD, USERNAME, Result, check, target_of

PORT = 18_560
NUMBERS = iter(range(1, 250))


@pytest.fixture(scope="module")
def servers() -> Iterator[RtspServers]:
    with RtspServers([], PORT) as running:
        yield running


@pytest.fixture
def camera(servers: RtspServers) -> RtspDevice:
    device = RtspDevice(f"127.80.11.{next(NUMBERS)}", streams={"/stream1": Stream(audio="PCMA")})
    servers.add(device)
    return device


def opened(target: Target, seconds: float = 8.0) -> tuple[Result, Played | None]:
    """Open the stream of a target in a loop that ends before anything is read of it."""
    opening = Opening()

    async def work() -> list[Report]:
        probe = rtsp.opening_source(lambda: NOW, opening, seconds).probe
        assert probe is not None
        async with asyncio.timeout(seconds):
            return [*await probe(target)]

    try:
        return Result(asyncio.run(work())), opening.take()
    except SessionRefused as error:
        return Result(error.reports, error.reason, is_refused=True), opening.take()
    except (NoAnswer, TimeoutError, OSError) as error:
        return Result(reason=str(error) or "time-out"), opening.take()


@contextmanager
def reading(camera: RtspDevice, **changes: Any) -> Iterator[StreamReader]:
    """The stream of the camera as its reader has it."""
    result, played = opened(target_of(camera.address, PORT, **changes))
    assert played is not None, (result.reason, result.findings)
    with StreamReader(played) as reader:
        yield reader


def ended(camera: RtspDevice) -> bool:
    """True as soon as no session is open there any more; False after five seconds."""
    ends_at = time.monotonic() + 5
    while camera.sessions or camera.open_connections:
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.01)
    return True


def test_the_media_play_over_tcp_and_the_end_is_told(camera: RtspDevice) -> None:
    with reading(camera) as reader:
        assert len(reader.read(20, 0)) >= 20
        assert [medium.channel for medium in reader.opened.media] == [0, 2]
    assert ended(camera)
    assert (camera.teardowns, camera.abandoned) == (1, 0)


def test_media_that_are_said_to_share_a_channel_have_those_that_were_asked_for(
    camera: RtspDevice,
) -> None:
    camera.transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
    with reading(camera) as reader:
        assert [medium.channel for medium in reader.opened.media] == [0, 2]


def test_packets_before_the_answer_to_play_are_not_lost(camera: RtspDevice) -> None:
    """The first one begins the key frame, which comes only each few seconds."""
    with reading(camera) as reader:
        first = reader.read(1, 0)[0]
        assert first[2:4] == b"\x00\x00", "the sequence number of the first packet"


@pytest.mark.parametrize("code", [461, 406, 200])
def test_f04_a_camera_that_sends_only_over_udp_is_asked_once_more_and_that_is_learned(
    camera: RtspDevice, code: int
) -> None:
    """200: it answers UDP to the question for TCP."""
    camera.udp_code = code
    result, played = opened(target_of(camera.address, PORT))
    assert played is not None, result.findings
    assert (result.learned.transport, result.facts["transport"]) == ("udp", "UDP")
    with StreamReader(played) as reader:
        assert (played.transport, len(played.sockets)) == ("udp", 5)
        packets = reader.read(20, 0)
        assert all(data[0] >> 6 == 2 for data in packets)
        assert len(packets) >= 20
    assert ended(camera)
    before = camera.asked["SETUP"]
    with reading(camera, transport="udp"):
        assert camera.asked["SETUP"] - before == 2, "one for each medium"
    checked = check(target_of(camera.address, PORT, transport="udp"))
    assert (checked.findings.keys(), checked.facts["transport"]) == ({"login.none"}, "UDP")


def test_over_udp_only_packets_of_the_camera_are_taken(camera: RtspDevice) -> None:
    camera.udp_code, camera.mode = 461, "no-media"
    with reading(camera) as reader:
        target = reader.opened.sockets[1].getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.80.12.1", 0))
            stranger.sendto(b"\x80" * 40, target)
        with pytest.raises(BlockingIOError):
            reader.opened.sockets[1].recv(100)


def test_a_camera_that_takes_neither_says_that_it_wants_udp_or_multicast(
    camera: RtspDevice,
) -> None:
    camera.mode = "multicast"
    result, played = opened(target_of(camera.address, PORT))
    assert played is None
    assert "UDP or multicast" in result.findings["stream.transport"]
    assert ended(camera)


@pytest.mark.parametrize("code", [404, 461, 500, -1])
def test_sound_that_cannot_be_set_up_does_not_cost_the_picture(
    camera: RtspDevice, code: int
) -> None:
    camera.audio_code = code
    with reading(camera) as reader:
        assert reader.read(3, 0)
        assert [medium.kind for medium in reader.opened.media] == ["video"]
    assert ended(camera)


def test_leftovers_of_a_dead_session_are_skipped(camera: RtspDevice) -> None:
    camera.mode = "leftovers"
    with reading(camera) as reader:
        numbers = [int.from_bytes(data[2:4], "big") for data in reader.read(30, 0)]
        assert numbers == [*range(len(numbers))]
        assert {channel for channel, _data in reader.packets} == {0}


@pytest.mark.parametrize("mode", ["no-media", "rtcp-only"])
def test_f14_a_camera_that_sends_no_picture_is_opened_and_left(
    camera: RtspDevice, mode: str
) -> None:
    camera.mode = mode
    with reading(camera) as reader:
        assert reader.opened.media[0].kind == "video"
        assert reader.of(0) == []
    assert ended(camera)
    assert camera.teardowns == 1


def test_a_session_lives_by_the_newest_timeout_and_dies_without_a_sign_of_life(
    camera: RtspDevice,
) -> None:
    camera.timeouts, camera.ends_silent, camera.mode = (60, 2), True, "no-media"
    with reading(camera) as reader, reading(camera) as silent:
        assert reader.playing.next_keep_alive <= time.monotonic() + 1.0
        while not silent.is_closed:
            if time.monotonic() >= reader.playing.next_keep_alive:
                reader.connection.send(reader.playing.keep_alive(time.monotonic()))
            silent._read_once()
        reader._read_once()
        assert not reader.is_closed
        assert camera.asked["GET_PARAMETER"] >= 1


@pytest.mark.parametrize(
    ("offers", "nonce_uses"), [("basic", 0), ("md5", 0), ("sha256", 0), ("md5", 1)]
)
def test_the_login_goes_on_in_the_process_that_reads(
    camera: RtspDevice, offers: str, nonce_uses: int
) -> None:
    """Also where each nonce is for one use."""
    camera.accounts = Accounts(USERNAME, PASSWORD, (offers,), nonce_uses=nonce_uses)
    with reading(camera) as reader:
        before = camera.asked["GET_PARAMETER"]
        reader.connection.send(reader.playing.keep_alive(time.monotonic()))
        reader.read(len(reader.packets) + 8)
        assert camera.asked["GET_PARAMETER"] - before == (2 if nonce_uses else 1)
    assert "wrong" not in {attempt.outcome for attempt in camera.accounts.attempts}


def test_a_camera_at_its_limit_says_so(camera: RtspDevice) -> None:
    camera.viewers = 1
    with reading(camera):
        result, played = opened(target_of(camera.address, PORT))
        assert (played, result.is_refused) == (None, True)
        assert "453" in result.reason


def test_f16_after_a_restart_of_the_camera_the_stream_ends_and_opens_again(
    servers: RtspServers, camera: RtspDevice
) -> None:
    with reading(camera) as reader:
        reader.read(1)
        servers.turn(camera, "off")
        reader.read_to_end()
        assert reader.is_closed
    result, played = opened(target_of(camera.address, PORT))
    assert played is None
    servers.turn(camera, "well")
    with reading(camera) as reader:
        assert reader.read(3, 0)
    assert ended(camera)


def test_what_nobody_takes_is_ended(camera: RtspDevice) -> None:
    _result, played = opened(target_of(camera.address, PORT))
    assert played is not None
    played.close()
    assert ended(camera)
    assert (camera.teardowns, camera.abandoned) == (1, 0)


def test_over_tls_the_bytes_are_carried_to_the_reader_and_back(tmp_path: Path) -> None:
    device = RtspDevice("127.80.11.250", mode="leftovers")
    context = tls_servers.server_context(tls_servers.certificate(tmp_path, "camera"))
    with RtspServers([device], PORT + 1, context):
        asyncio.run(_read_over_tls(target_of(device.address, PORT + 1, options={"tls": True})))
        assert ended(device)
        assert device.teardowns == 1


async def _read_over_tls(target: Target) -> None:
    opening = Opening()
    probe = rtsp.opening_source(lambda: NOW, opening).probe
    assert probe is not None
    await probe(target)
    played = opening.take()
    assert played is not None
    assert played.pump is not None
    carrying = asyncio.create_task(played.pump.run())
    with StreamReader(played) as reader:
        await asyncio.to_thread(reader.read, 20, 0)
        assert len(reader.of(0)) >= 20
    await asyncio.wait_for(carrying, 5)
