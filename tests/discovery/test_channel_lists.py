"""The channels of a recorder whose list of video sources changes, over real sockets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import labels
from fleet.model import Access, Device
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, recorder_sources
from simulators.onvif_device import VideoSource
from sources import onvif, ws_discovery_wire
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.home import free_port, until

ADDRESS, PASSWORD = "127.85.0.1", "plain-s1"  # nosec B105 (of a pretend device)


@pytest.fixture(scope="module")
def servers() -> Iterator[OnvifServers]:
    recorder = OnvifDevice(ADDRESS, accounts=Accounts("admin", PASSWORD))
    with OnvifServers([recorder], free_port(), ws_discovery_wire.PORT) as running:
        yield running


class Recorder:
    """The recorder, and an engine that knows it as device 1 and checks it now and then."""

    def __init__(self, folder: Path, servers: OnvifServers, count: int, every: float) -> None:
        (self.device,) = servers.devices
        self.device.sources = recorder_sources(count)
        login = {"username": "admin", "secret": "s1", "secret_host": ADDRESS}
        access = {"onvif": Access(port=servers.port, **login)}  # type: ignore[arg-type]
        known = fleets.listed(1, address=ADDRESS, was_up=False)
        keys = (f"onvif:{self.device.endpoint_reference}",)
        known = replace(known, identities=keys, access=access)
        fleets.write_fleet(folder / "fleet.json", [known])
        source = replace(onvif.source(onvif.OnvifOptions(fleets.now)), interval=every)
        self.engine = Engine(folder, fleets.now, source, unseal="plain-{}".format)  # type: ignore[arg-type]

    def check(self, *sources: VideoSource) -> None:
        """Check it once by hand, with these video sources if any are given."""
        self.device.sources = sources or self.device.sources
        assert self.engine.scanner.ask([1], ["onvif"])

    def channels(self) -> Sequence[Device]:
        return self.engine.tracker.channels_of(1)

    def names(self) -> list[str]:
        return [labels.name(channel) for channel in self.channels()]

    def gone(self) -> list[int]:
        """The numbers of the devices that it no longer reports."""
        return [device.id for device in self.channels() if device.states["onvif"].misses]

    def left_out(self) -> list[str]:
        findings = self.engine.devices()[1].findings
        return [fault.text for fault in findings if fault.kind == "channels.left-out"]


Make = Callable[..., Recorder]


@pytest.fixture
def make(tmp_path: Path, servers: OnvifServers) -> Iterator[Make]:
    running: list[Recorder] = []

    def made(count: int, every: float = 600.0) -> Recorder:
        running.append(Recorder(tmp_path, servers, count, every))
        running[-1].check()
        return running[-1]

    yield made
    for each in running:
        each.engine.close()


def renamed(sources: Sequence[VideoSource], prefix: str) -> list[VideoSource]:
    """The sources with the tokens of other firmware."""
    return [replace(source, token=f"{prefix}{source.token}") for source in sources]


def test_a_channel_that_disappears_renames_no_other(make: Make) -> None:
    recorder = make(4)
    first, second, third, fourth, fifth = recorder_sources(5)
    names = [f"Channel {number}" for number in range(1, 5)]
    assert recorder.names() == names
    recorder.check(first, third, fourth)
    assert (recorder.names(), recorder.gone()) == (names, [3])
    recorder.check(first, third, fourth, fifth)
    assert recorder.names() == [*names, "Channel 5"]
    recorder.check(first, second, third, fourth, fifth)
    assert (recorder.names(), recorder.gone()) == ([*names, "Channel 5"], [])


def test_a_check_by_hand_reads_new_channels_and_one_by_itself_only_the_time(make: Make) -> None:
    recorder = make(2, every=1.0)
    asked = recorder.device.asked["GetProfiles"]
    times = recorder.device.asked["GetSystemDateAndTime"]
    until(lambda: recorder.device.asked["GetSystemDateAndTime"] > times)
    assert recorder.device.asked["GetProfiles"] == asked
    recorder.check(*recorder_sources(3))
    # A check that is under way is joined, and the one after it reads the channels.
    until(lambda: len(recorder.channels()) == 3)


def test_an_update_that_renames_all_video_sources_gives_channels_and_keeps_the_old_ones(
    make: Make,
) -> None:
    recorder = make(128)
    old, sources = [device.id for device in recorder.channels()], recorder.device.sources
    assert len(old) == 128
    recorder.check(*renamed(sources, "new-"))
    assert (len(recorder.channels()), recorder.gone()) == (256, old)
    assert not recorder.left_out()
    recorder.check(*renamed(sources, "newer-"))
    assert (len(recorder.channels()), len(recorder.gone())) == (256, 256)
    (text,) = recorder.left_out()
    assert "256 that it no longer reports" in text
    recorder.check(*renamed(sources, "new-"))
    assert (recorder.gone(), recorder.left_out()) == (old, [])


def test_a_recorder_with_more_channels_than_the_list_takes_says_so(make: Make) -> None:
    recorder = make(150)
    assert len(recorder.channels()) == 128
    (text,) = recorder.left_out()
    assert text == "it reports 150 channels, and only 128 are in the list"
    recorder.check(*reversed(recorder_sources(150)))
    assert (len(recorder.channels()), recorder.gone()) == (128, [])
    recorder.check(*recorder_sources(20))
    assert (len(recorder.gone()), recorder.left_out()) == (108, [])
