"""Streams that are opened for a reader, by the way of a check and at its cost."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery import stream_opening
from discovery.sessions import Stream as Session
from discovery.stream_opening import StreamOpener
from fleet.model import Access, Device, Edit
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.rtsp import Accounts, RtspDevice, RtspServers, Stream
from sources import onvif, rtsp
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.gst_server import gst_server, needs_gst
from tests.home import free_port
from tests.sources import tls_servers
from tests.sources.played import StreamReader
from video.model import MAIN, SUB, NotOpened, OpenedStream, StreamKey
from video.outages import CAUSES, CUT, INCOMPLETE, NO_SUB, OFF, REFUSED, RETIRED, SERVER
from video.streams import Streams
from video.watching import MP4

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
    """An engine with one camera whose stream worked before, so that checks take no session, and
    what opens its streams. `more` are fields of the access, or `links` or other `fields` of the
    device, or `others`: more sources."""
    links, seconds = more.pop("links", {}), more.pop("seconds", rtsp.TIMEOUT)
    fields, others = more.pop("fields", {}), more.pop("others", ())
    login = {"username": USERNAME, "secret": "1", "secret_host": host}
    given = {**login, "worked_at": fleets.now(), **more}
    access = {"rtsp": Access(port=port, path=path, **given)}
    device = replace(
        fleets.listed(1, address=host),
        identities=(f"rtsp:{host}:{port}{path}",),
        access=access,
        states={},
        links=links,  # type: ignore[arg-type]
    )
    fleets.write_fleet(folder / "fleet.json", [replace(device, **fields)])
    source = rtsp.source(fleets.now, seconds)
    engine = Engine(folder, fleets.now, source, *others, unseal=lambda id: PASSWORD)  # type: ignore[arg-type]
    try:
        yield engine, StreamOpener(engine.scanner)
    finally:
        engine.close()


def until(is_so: Callable[[], bool]) -> bool:
    """True as soon as it is so; False after ten seconds."""
    ends_at = time.monotonic() + 10
    while not is_so():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.01)
    return True


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
        assert error.value.cause == REFUSED
        assert sum(request.has_login for request in camera.requests) == 2
        assert "login.wrong" in kinds(engine)
        assert record(engine).access["rtsp"].refusals == 2


def test_a_changed_password_costs_two_refusals_for_checks_and_streams_together(
    tmp_path: Path, serve: Serve
) -> None:
    both = {"/stream1": Stream(), "/stream2": Stream()}
    camera = RtspDevice("127.80.9.42", streams=both, accounts=Accounts(USERNAME, PASSWORD))
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams), ThreadPoolExecutor(4) as threads:
        engine.scanner.ask([1], ["rtsp"])
        with StreamReader(streams.open(LARGE)):
            pass
        streams.closed(LARGE)
        assert until(lambda: not camera.open_connections)
        camera.accounts = Accounts(USERNAME, "changed")
        asked = [threads.submit(streams.open, key) for key in (LARGE, SMALL)]
        for _check in range(3):
            engine.scanner.ask([1], ["rtsp"])
        assert all(isinstance(opening.exception(20), NotOpened) for opening in asked)
        for key in (LARGE, SMALL):
            with pytest.raises(NotOpened):
                streams.open(key)
        outcomes = [attempt.outcome for attempt in camera.accounts.attempts]
        assert outcomes.count("wrong") == 2


def test_a_changed_password_costs_two_refusals_also_beside_a_check_by_onvif(
    tmp_path: Path, serve: Serve
) -> None:
    accounts = Accounts(USERNAME, PASSWORD, lock_after=3)
    both = {"/stream1": Stream(), "/stream2": Stream()}
    camera = RtspDevice("127.80.9.45", streams=both, accounts=accounts)
    twin = OnvifDevice(camera.address, accounts=accounts)
    serve(camera)
    login = Access(username=USERNAME, secret="1", secret_host=camera.address)
    access = {
        "rtsp": replace(login, port=PORT, path="/stream1", worked_at=fleets.now()),
        "onvif": replace(login, port=free_port()),
    }
    other = onvif.source(onvif.OnvifOptions(fleets.now))
    more: dict[str, Any] = {"fields": {"access": access}, "others": (other,)}
    with (
        OnvifServers([twin], access["onvif"].port or 0),
        opener(tmp_path, camera.address, **more) as (engine, streams),
        ThreadPoolExecutor(1) as threads,
    ):
        engine.scanner.ask([1], ["rtsp", "onvif"])
        with StreamReader(streams.open(LARGE)):
            pass
        streams.closed(LARGE)
        assert until(lambda: not camera.open_connections)
        accounts.password = "changed"
        # It waits for WS-Discovery, which does not answer, while streams open.
        check = threads.submit(engine.scanner.ask, [1], ["onvif"])
        assert until(lambda: accounts.wrong == 1)
        for key in (LARGE, SMALL):
            with pytest.raises(NotOpened):
                streams.open(key)
        assert check.result(20)
        engine.scanner.ask([1], ["rtsp", "onvif"])
    assert accounts.wrong == 2


def test_basic_that_was_accepted_a_moment_ago_is_used_by_whoever_asks_next(
    tmp_path: Path, serve: Serve
) -> None:
    """A camera that was just added is checked while somebody watches it and it is recorded."""
    both = {"/stream1": Stream(), "/stream2": Stream()}
    camera = RtspDevice(
        "127.80.9.43", streams=both, accounts=Accounts(USERNAME, PASSWORD, ("basic",))
    )
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams), ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(streams.open, key) for key in (LARGE, SMALL)]
        engine.scanner.ask([1], ["rtsp"])
        for opening in asked:
            with StreamReader(opening.result(20)) as reader:
                assert reader.read(1, 0)
        assert "login.method" not in kinds(engine)
        [fault] = [each for each in record(engine).findings if each.kind == "identity.unproven"]
        assert "unencrypted (Basic)" in fault.text
        access = record(engine).access["rtsp"]
        assert (access.method, access.refusals) == ("basic", 0)
        assert {attempt.outcome for attempt in camera.accounts.attempts} == {"right"}


def test_a_password_that_is_changed_while_streams_play_costs_two_refusals(
    tmp_path: Path, serve: Serve
) -> None:
    """One keep-alive, and one more opening; then no stream and no check sends the login, and the
    stream that plays on keeps alive without it."""
    both = {"/stream1": Stream(), "/stream2": Stream()}
    accounts = Accounts(USERNAME, PASSWORD, lock_after=3)
    camera = RtspDevice("127.80.9.44", streams=both, accounts=accounts, timeouts=(2, 2))
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, opening):
        engine.scanner.ask([1], ["rtsp"])
        streams, causes = Streams(opening, fleets.now, pauses=(0.1,)), set[str]()
        streams.on_state(lambda _key, state: causes.add(state.cause))
        streams.start()
        try:
            with ExitStack() as watched:
                watched.enter_context(streams.watch(LARGE, MP4, "otto"))
                assert until(lambda: camera.asked["GET_PARAMETER"] > 0)
                # Keeps alive far less often: else both can be refused at once, and none plays on.
                camera.timeouts = (6, 6)
                watched.enter_context(streams.watch(SMALL, MP4, "otto"))
                assert until(lambda: camera.asked["PLAY"] == 2 and len(camera.sessions) == 2)
                camera.accounts.password = "changed"
                assert until(lambda: any("login" in text for text in reasons(streams)))
                assert until(lambda: record(engine).access["rtsp"].refusals == 2)
                openings = camera.connections
                assert until(lambda: not streams._streams[LARGE].is_opening)
                for _check in range(2):
                    engine.scanner.ask([1], ["rtsp"])
                # Two more keep-alives of the stream that plays on.
                asked = camera.asked["OPTIONS"]
                assert until(lambda: camera.asked["OPTIONS"] >= asked + 2), openings
        finally:
            streams.stop()
        assert not accounts.is_locked
        assert 1 <= accounts.wrong <= 2
        assert causes == {"", REFUSED}, "it is no camera that cuts its streams"


def reasons(streams: Streams) -> list[str]:
    return [state.reason for state in streams.states().values()]


def test_what_cannot_be_asked_says_why(tmp_path: Path) -> None:
    with opener(tmp_path, "127.80.9.39") as (engine, streams):
        with pytest.raises(NotOpened, match="no longer in the list") as error:
            streams.open(StreamKey(7))
        assert error.value.cause == RETIRED
        with pytest.raises(NotOpened, match="refused") as error:
            streams.open(LARGE)
        assert error.value.cause == CUT, "a camera that restarts does so"
        engine.close()
        with pytest.raises(NotOpened, match="stopping") as error:
            streams.open(LARGE)
        assert error.value.cause == SERVER


@pytest.mark.parametrize(
    ("fields", "reason", "cause"),
    [
        ({"retired_at": fleets.now()}, "retired", RETIRED),
        ({"access": {}}, "no RTSP connection", INCOMPLETE),
        ({"address": None}, "address is not known", INCOMPLETE),
    ],
    ids=["retired", "no connection", "no address"],
)
def test_a_camera_that_is_not_asked_is_not_called_one_that_refuses(
    tmp_path: Path, fields: dict[str, Any], reason: str, cause: str
) -> None:
    with opener(tmp_path, "127.80.9.39", fields=fields) as (_engine, streams):
        with pytest.raises(NotOpened, match=reason) as error:
            streams.open(LARGE)
        assert error.value.cause == cause
        assert cause in CAUSES


def test_the_small_stream_is_that_of_the_maker_and_asked_for_once(
    tmp_path: Path, serve: Serve
) -> None:
    """F18: a camera without one gives the reason."""
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
                with pytest.raises(NotOpened, match="no sub stream") as error:
                    streams.open(SMALL)
                assert error.value.cause == NO_SUB
            asked = [request.url for request in camera.requests if request.method == "DESCRIBE"]
            assert len([url for url in asked if "subtype=1" in url]) == 1
            assert "stream.path" not in kinds(engine), "the main stream is there"
            with StreamReader(streams.open(LARGE)) as reader:
                assert reader.read(1, 0)


def test_the_small_stream_that_onvif_names_or_a_person_gave_is_played(
    tmp_path: Path, serve: Serve
) -> None:
    streams = {path: Stream() for path in ("/large", "/told", "/given")}
    camera = RtspDevice("127.80.9.34", streams=streams)
    serve(camera)
    named = {"stream": f":{PORT}/large", "stream.sub": f":{PORT}/told"}
    cases = {
        "/told": {"path": "", "links": named},
        "/given": {"path": "/large", "links": named, "options": {"sub_path": "/given"}},
    }
    for path, access in cases.items():
        camera.requests.clear()
        folder = tmp_path / path[1:]
        folder.mkdir()
        with opener(folder, camera.address, **access) as (_engine, small):
            with StreamReader(small.open(SMALL)) as reader:
                assert reader.read(1, 0)
            played = [each.url for each in camera.requests if each.method == "PLAY"]
            assert [url.endswith(f"{path}/") for url in played] == [True]


def test_while_a_stream_is_read_a_check_takes_no_session(tmp_path: Path, serve: Serve) -> None:
    both = {"/stream1": Stream(), "/stream2": Stream()}
    camera = RtspDevice("127.80.9.35", streams=both, viewers=1)
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams):
        engine.scanner.ask([1], ["rtsp"])
        with StreamReader(streams.open(LARGE)):
            before = camera.connections
            (result,) = engine.scanner.ask([1], ["rtsp"])
            assert (result.state, result.reason) == ("answered", "its stream is being read")
            assert camera.connections == before
            with pytest.raises(NotOpened, match="453") as error:
                streams.open(SMALL)
            assert error.value.wait
        assert until(lambda: not camera.sessions)
        with pytest.raises(NotOpened, match="sessions of the device are in use") as error:
            streams.open(SMALL)
        assert error.value.cause == REFUSED
        streams.closed(LARGE)
        with StreamReader(streams.open(SMALL)) as reader:
            assert reader.read(1, 0)


def test_a_stream_that_is_read_moves_when_its_camera_was_seen(tmp_path: Path, serve: Serve) -> None:
    camera = RtspDevice("127.80.9.46", streams={"/stream1": Stream()})
    serve(camera)
    with (
        opener(tmp_path, camera.address) as (engine, streams),
        StreamReader(streams.open(LARGE)),
    ):
        seen_at, opened_at = record(engine).last_seen, time.monotonic()
        streams.alive(LARGE, opened_at + 30)
        assert record(engine).last_seen == seen_at, "it was proved by the opening"
        streams.alive(LARGE, opened_at + 60)
        assert until(lambda: record(engine).last_seen != seen_at)


@pytest.mark.parametrize(
    ("change", "fields", "is_same"),
    [
        ("change", {"source": "rtsp", "path": "/stream2"}, False),
        ("change", {"name": "Gate"}, True),
        ("retire", {}, False),
        ("delete", {}, False),
    ],
)
def test_a_stream_is_opened_again_where_its_camera_is_elsewhere(
    tmp_path: Path, serve: Serve, change: str, fields: dict[str, Any], is_same: bool
) -> None:
    camera = RtspDevice("127.80.9.47", streams={"/stream1": Stream()})
    serve(camera)
    with (
        opener(tmp_path, camera.address) as (engine, streams),
        StreamReader(streams.open(LARGE)),
    ):
        record(engine)
        assert streams.alive(LARGE, time.monotonic()), "what the opening taught moves nothing"
        edit = Edit(change, "id:1", fields, "otto", fleets.now())
        engine.tracker.apply([edit], fleets.now())
        assert streams.alive(LARGE, time.monotonic()) == is_same


def test_a_camera_that_wants_udp_is_remembered_so(tmp_path: Path, serve: Serve) -> None:
    """F04."""
    camera = RtspDevice("127.80.9.36", udp_code=461)
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams):
        engine.scanner.ask([1], ["rtsp"])
        for _opening in range(2):
            with StreamReader(streams.open(LARGE)) as reader:
                assert reader.read(1, 0)
                assert reader.opened.transport == "udp"
            device = record(engine)
            assert device.access["rtsp"].transport == "udp"
            assert device.facts["rtsp"]["transport"] == "UDP"
        assert camera.asked["SETUP"] == 3, "the second opening does not ask for TCP"


def test_an_opening_ends_with_the_monitor_and_tells_the_camera(
    tmp_path: Path, serve: Serve
) -> None:
    camera = RtspDevice("127.80.9.37", hangs_at="PLAY")
    serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams), ThreadPoolExecutor(1) as threads:
        opening = threads.submit(streams.open, LARGE)
        assert until(lambda: camera.asked["PLAY"] == 1)
        engine.close()
        with pytest.raises(NotOpened, match="stopping"):
            opening.result(10)
        assert until(lambda: not camera.open_connections)
        assert (camera.teardowns, camera.abandoned) == (1, 0)


def test_a_stream_that_opens_when_nobody_waits_any_more_is_ended_in_order(
    tmp_path: Path, serve: Serve
) -> None:
    camera = RtspDevice("127.80.9.45")
    serve(camera)
    with opener(tmp_path, camera.address) as (_engine, streams):
        late = Future[OpenedStream]()
        late.add_done_callback(stream_opening._close_late)
        late.set_result(streams.open(LARGE))
        assert until(lambda: not camera.open_connections)
        assert (camera.teardowns, camera.abandoned) == (1, 0)


def test_a_camera_that_never_answers_ends_in_its_limit_and_holds_nothing(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_opening, "TIMEOUT", 0.5)
    camera = RtspDevice("127.80.9.38", mode="silent")
    serve(camera)
    with opener(tmp_path, camera.address, seconds=0.5) as (engine, streams):
        for _opening in range(3):
            with pytest.raises(NotOpened, match="within 0.5 s") as error:
                streams.open(LARGE)
            assert error.value.cause == OFF
        assert until(lambda: not camera.open_connections)
        assert engine.scanner.sessions.reserve(1, Session(1, MAIN))


def test_f16_a_camera_that_restarts_is_opened_again_and_is_online(
    tmp_path: Path, serve: Serve
) -> None:
    camera = RtspDevice("127.80.9.40", accounts=Accounts(USERNAME, PASSWORD))
    servers = serve(camera)
    with opener(tmp_path, camera.address) as (engine, streams):
        with StreamReader(streams.open(LARGE)) as reader:
            servers.turn(camera, "off")
            reader.read_to_end()
            assert reader.is_closed
        streams.closed(LARGE)
        with pytest.raises(NotOpened, match="connection refused"):
            streams.open(LARGE)
        assert until(lambda: bool(record(engine).states["rtsp"].misses))
        servers.turn(camera, "well")
        with StreamReader(streams.open(LARGE)) as reader:
            assert reader.read(3, 0)
            assert until(lambda: record(engine).states["rtsp"].misses == 0)
        assert record(engine).access["rtsp"].refusals == 0


def test_an_encrypted_stream_is_carried_to_its_reader(tmp_path: Path) -> None:
    camera = RtspDevice("127.80.9.41", accounts=Accounts(USERNAME, PASSWORD))
    context = tls_servers.server_context(tls_servers.certificate(tmp_path, "camera"))
    tls = {"options": {"tls": True}}
    with (
        RtspServers([camera], PORT + 1, context),
        opener(tmp_path, camera.address, PORT + 1, **tls) as (engine, streams),
    ):
        with StreamReader(streams.open(LARGE)) as reader:
            assert len(reader.read(5, 0)) >= 5
        assert until(lambda: not camera.open_connections)
        assert (camera.teardowns, camera.abandoned) == (1, 0)
        assert record(engine).access["rtsp"].tls_pin
