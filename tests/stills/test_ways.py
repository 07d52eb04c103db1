"""Stills of a camera in a whole monitor: its snapshot, and its stream when that breaks."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.model import Access
from fleet.pictures import jpeg_size
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from sources import onvif, rtsp
from stills.build import StillsPackage
from stills.taking import Stills
from tests.discovery import listed as fleets
from tests.gst_server import gst_server, needs_gst
from tests.home import Home, free_port, until
from video.build import VideoPackage

pytestmark = needs_gst
ADDRESS, PASSWORD = "127.84.9.40", "s3cret-pass"
Ready = tuple[Home, Stills, OnvifDevice]


@pytest.fixture
def ready(make_home: Callable[..., Home], tmp_path: Path) -> Iterator[Ready]:
    """A monitor with one camera, whose stream and snapshot work."""
    camera = OnvifDevice(ADDRESS, accounts=Accounts("admin", PASSWORD))
    login = ("--login", f"admin:{PASSWORD}", "--digest", "--size", "640x360")
    with (
        OnvifServers([camera], free_port()) as servers,
        gst_server(ADDRESS, *login) as port,
    ):
        secret = {"username": "admin", "secret": "1", "secret_host": ADDRESS}
        access = {
            "onvif": Access(port=servers.port, **secret),
            "rtsp": Access(port=port, path="/stream1", **secret),
        }
        known = replace(fleets.listed(1, address=ADDRESS, was_up=False), access=access)
        (tmp_path / "home").mkdir()
        fleets.write_fleet(tmp_path / "home" / "camera_database.json", [known])
        sources = [onvif.source(onvif.OnvifOptions(fleets.now)), rtsp.source(fleets.now)]
        home = make_home(sources=sources)
        home.monitor.scanner.prober._guarded._unseal = lambda _id: PASSWORD
        home.monitor.scanner.prober.gate._unseal = lambda _id: PASSWORD
        home.monitor.packages.find(VideoPackage).streams.start()
        yield home, home.monitor.packages.find(StillsPackage).stills, camera


def is_broken(home: Home) -> bool:
    return "snapshot.broken" in {fault.kind for fault in home.device().findings}


def test_a_broken_snapshot_is_a_finding_and_the_stream_gives_the_still(ready: Ready) -> None:
    home, stills, camera = ready
    assert home.monitor.scanner.ask([1])
    assert (stills.take(1).way, jpeg_size(camera_jpeg(stills))) == ("snapshot", (64, 48))
    camera.snapshot_kind = "text"
    first, second = stills.take(1), stills.take(1)
    assert [(still.way, still.width) for still in (first, second)] == [("stream", 640)] * 2
    until(lambda: is_broken(home), what="it is a finding")
    assert home.status() == "ACTIVE"
    asked = camera.asked["snapshot"]
    assert stills.take(1).way == "stream"
    assert camera.asked["snapshot"] == asked, "it is left alone for a while"
    camera.snapshot_kind = "well"
    stills._rests.clear()
    assert stills.take(1).way == "snapshot"
    until(lambda: not is_broken(home), what="the finding is over")


def camera_jpeg(stills: Stills) -> bytes:
    still = stills.shelf.newest(1)
    assert still
    return stills.shelf.path(still).read_bytes()
