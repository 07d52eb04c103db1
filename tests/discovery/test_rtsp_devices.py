"""RTSP cameras in the record of the fleet: what a check keeps, and what it reports."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from fleet.last_worked import worked_at
from fleet.model import Access, Device
from simulators.rtsp import RtspDevice, RtspServers
from sources import rtsp
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine

PORT = 18_556
CAMERA = RtspDevice("127.80.9.1")


def engine_with(
    folder: Path, camera: RtspDevice, clock: Callable[[], datetime] = fleets.now
) -> Engine:
    """An engine with one device, which is known to be at the address of the camera."""
    device = fleets.listed(1, address=camera.address)
    access = {"rtsp": Access(port=PORT, path="/stream1")}
    fleets.write_fleet(folder / "fleet.json", [replace(device, access=access, states={})])
    return Engine(folder, clock, rtsp.source(clock))  # type: ignore[arg-type]


def ask(engine: Engine) -> Device:
    """Ask the device once; its record after that."""
    assert engine.scanner.ask([1], ["rtsp"])
    return engine.devices()[1]


def test_a_path_that_worked_is_kept_and_its_end_is_a_finding_that_ends(tmp_path: Path) -> None:
    with RtspServers([CAMERA], PORT) as servers:
        engine = engine_with(tmp_path, CAMERA)
        try:
            device = ask(engine)
            assert device.facts["rtsp"]["codec"] == "H264"
            assert device.access["rtsp"].worked_at
            assert [fault.kind for fault in device.findings] == ["login.none"]
            servers.turn(CAMERA, "missing")
            device = ask(engine)
            assert "stream.missing" in {fault.kind for fault in device.findings}
            assert device.facts["rtsp"]["codec"] == "H264"
            assert device.states["rtsp"].misses == 0
            servers.turn(CAMERA, "well")
            device = ask(engine)
            assert "stream.missing" not in {fault.kind for fault in device.findings}
            servers.turn(CAMERA, "off")
            assert ask(engine).states["rtsp"].reason == "connection refused"
        finally:
            engine.close()


def test_a_stream_that_stopped_says_when_the_last_check_got_it(tmp_path: Path) -> None:
    camera, minutes = RtspDevice("127.80.9.2"), [0]
    with RtspServers([camera], PORT) as servers:
        engine = engine_with(tmp_path, camera, lambda: fleets.now() + timedelta(minutes=minutes[0]))
        try:
            ask(engine)
            minutes[0] = 20
            device = ask(engine)
            last = device.states["rtsp"].seen_at
            assert last
            assert device.access["rtsp"].worked_at != last, "no write at each check"
            assert worked_at(device, "rtsp") == last
            minutes[0] = 40
            servers.turn(camera, "missing")
            for _check in range(2):
                device = ask(engine)
                assert device.access["rtsp"].worked_at == worked_at(device, "rtsp") == last
                (text,) = (f.text for f in device.findings if f.kind == "stream.missing")
                assert f"worked at {last:%Y-%m-%d %H:%M} UTC" in text
        finally:
            engine.close()
