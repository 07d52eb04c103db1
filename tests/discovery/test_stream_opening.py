"""Streams that are opened for a reader, by the way of a check and at its cost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery.stream_opening import NoSubStream, StreamOpener
from fleet.model import Access, Device
from simulators.rtsp import Accounts, RtspDevice, RtspServers, Stream
from sources import rtsp
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.gst_server import gst_server, needs_gst
from tests.sources.played import StreamReader
from video.model import MAIN, SUB, NotOpened, StreamKey

PORT = 18_558
USERNAME, PASSWORD = "admin", "s3cret-pass"
LARGE, SMALL = StreamKey(1, MAIN), StreamKey(1, SUB)
Serve = Callable[..., RtspServers]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running = list[RtspServers]()

    def start(*devices: RtspDevice) -> RtspServers:
        running.append(RtspServers([*devices], PORT).start())
        return running[-1]

    yield start
    for servers in running:
        servers.stop()


@contextmanager
def opener(
    folder: Path, host: str, port: int = PORT, path: str = "/stream1", **more: Any
) -> Iterator[tuple[Engine, StreamOpener]]:
    """An engine with one camera, and what opens its streams. `more` are fields of the access, or
    `links` of the device."""
    links = more.pop("links", {})
    given = {"username": USERNAME, "secret": "1", "secret_host": host, **more}
    access = {"rtsp": Access(port=port, path=path, **given)}
    device = replace(
        fleets.listed(1, address=host),
        identities=(f"rtsp:{host}:{port}{path}",),
        access=access,
        states={},
        links=links,  # type: ignore[arg-type]
    )
    fleets.write_fleet(folder / "fleet.json", [device])
    engine = Engine(folder, fleets.now, rtsp.source(fleets.now), unseal=lambda id: PASSWORD)  # type: ignore[arg-type]
    try:
        yield engine, StreamOpener(engine.scanner)
    finally:
        engine.close()


def record(engine: Engine) -> Device:
    """The record of the camera, after what was learned is kept."""
    engine.scanner.begin(engine.scanner._inbox.hand_over()).result(5)
    return engine.devices()[1]


def kinds(engine: Engine) -> set[str]:
    return {fault.kind for fault in record(engine).findings}


@needs_gst
@pytest.mark.parametrize(
    ("options", "method"), [((), "basic"), (("--digest",), "digest-md5")], ids=["basic", "digest"]
)
def test_a_real_server_plays_picture_and_sound_and_the_record_knows_it(
    tmp_path: Path, options: tuple[str, ...], method: str
) -> None:
    login = ("--login", f"{USERNAME}:{PASSWORD}", "--audio", "pcma", "--path", "/stream1")
    host = "127.81.0.12"
    with (
        gst_server(host, *login, "--path", "/stream2", *options) as port,
        opener(tmp_path, host, port) as (engine, streams),
    ):
        for key in (LARGE, SMALL):
            opened = streams.open(key)
            with StreamReader(opened) as reader:
                assert len(reader.read(12, 0)) >= 12
                assert reader.read(2, 2)
            streams.closed(key)
        assert [medium.encoding for medium in opened.media] == ["H264", "PCMA"]
        assert b"a=rtpmap:8 PCMA/8000" in opened.description
        assert PASSWORD not in repr(opened)
        device = record(engine)
        access = device.access["rtsp"]
        assert (access.method, access.transport, access.refusals) == (method, "tcp", 0)
        assert device.facts["rtsp"]["codec"] == "H264"
        assert device.states["rtsp"].seen_at


def test_a_wrong_login_costs_no_more_than_two_and_tells_so(tmp_path: Path, serve: Serve) -> None:
    camera = RtspDevice("127.80.9.31", accounts=Accounts(USERNAME, "another"))
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams):
        for _attempt in range(5):
            with pytest.raises(NotOpened) as error:
                streams.open(LARGE)
        assert "password" in error.value.reason or "login" in error.value.reason
        assert error.value.wait
        assert sum(request.has_login for request in camera.requests) == 2
        assert "login.wrong" in kinds(engine)
        assert record(engine).access["rtsp"].refusals == 2


def test_what_cannot_be_asked_says_why(tmp_path: Path) -> None:
    with opener(tmp_path, "127.80.9.39") as (engine, streams):
        with pytest.raises(NotOpened, match="no longer in the list"):
            streams.open(StreamKey(7))
        with pytest.raises(NotOpened, match="refused"):
            streams.open(LARGE)
        engine.close()
        with pytest.raises(NotOpened, match="stopping"):
            streams.open(LARGE)


def test_the_small_stream_is_that_of_the_maker_and_asked_for_once(
    tmp_path: Path, serve: Serve
) -> None:
    """F18: where there is none, it is said as such."""
    paths = {f"/cam/realmonitor?channel=1&subtype={sub}": Stream() for sub in (0, 1)}
    both = RtspDevice("127.80.9.32", streams=paths, style="dahua")
    alone = RtspDevice("127.80.9.33", streams=dict([*paths.items()][:1]), style="dahua")
    serve(both, alone)
    for camera in (both, alone):
        folder = tmp_path / camera.address
        folder.mkdir()
        with opener(folder, camera.address, path=[*paths][0]) as (engine, streams):
            if camera is both:
                with StreamReader(streams.open(SMALL)) as reader:
                    assert reader.read(3, 0)
                continue
            for _attempt in range(2):
                with pytest.raises(NoSubStream, match="no sub stream"):
                    streams.open(SMALL)
            asked = [request.url for request in camera.requests if request.method == "DESCRIBE"]
            assert len([url for url in asked if "subtype=1" in url]) == 1
            assert "stream.path" not in kinds(engine), "the large one is there"
            with StreamReader(streams.open(LARGE)) as reader:
                assert reader.read(1, 0)
