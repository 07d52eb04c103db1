"""A recorder is probed with its channels; each channel is then checked for its own stream."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import discovery.due_queue
from discovery.channel_reports import NO_SIGNAL_OR_PATH
from fleet.identity import channel_key
from fleet.model import Device, Finding, NoAnswer, Report, Sighting, Target
from sources.source import Source
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import listed, now
from tests.home import until

MAC = "mac:d4:2d:c5:00:00:0a"


class Recorder:
    """A recorder by ONVIF and RTSP: what it lists, serves and answers is as the test sets it."""

    def __init__(self, channels: int) -> None:
        self.listed = list(range(1, channels + 1))
        self.is_on = True
        self.is_silent = False
        self.has_onvif = True
        self.without_stream: set[str] = set()
        self.never_worked: set[str] = set()
        self.asked: list[str] = []
        self.logins: set[tuple[str, str | None, str | None]] = set()

    async def by_onvif(self, target: Target) -> Sequence[Report]:
        if not (self.is_on and self.has_onvif) or self.is_silent:
            raise NoAnswer("connection refused")
        seen = Sighting(target.site, (MAC,), "onvif", now(), "recorder", target.host)
        return [seen, *(self._channel(target, number) for number in self.listed)]

    def _channel(self, target: Target, number: int) -> Sighting:
        key = channel_key(MAC, f"VideoSource_{number}")
        links, facts = {"stream": f"/cam?channel={number}"}, {"channel": str(number)}
        site, host = target.site, target.host
        return Sighting(site, (key,), "onvif", now(), address=host, facts=facts, links=links)

    async def by_rtsp(self, target: Target) -> Sequence[Report]:
        self.asked.append(target.path)
        self.logins.add((target.host, target.username, target.secret))
        if self.is_silent:
            await asyncio.sleep(0.4)
            raise NoAnswer("no response within 0.4 s")
        if not self.is_on:
            raise NoAnswer("connection refused")
        reports: list[Report] = [
            Sighting(target.site, (target.key,), "rtsp", now(), address=target.host)
        ]
        if target.path in self.without_stream:
            text = "The stream is not offered now."
            kind = "stream.path" if target.path in self.never_worked else "stream.missing"
            reports.append(Finding(target.key, kind, now(), text, "rtsp"))
        return reports

    def sources(self) -> list[Source]:
        return [
            Source("onvif", "ONVIF", 5.0, probe=self.by_onvif, interval=600.0),
            Source("rtsp", "RTSP", 5.0, probe=self.by_rtsp, interval=600.0),
        ]


Make = Callable[[Recorder], Engine]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """An engine that knows the recorder as device 1 and nothing of its channels."""
    monkeypatch.setattr(discovery.due_queue, "RETRIES", (0.3, 0.6))
    engines: list[Engine] = []

    def made(recorder: Recorder) -> Engine:
        device = listed(1, "onvif", address="10.0.0.1", username="admin", secret="s1")
        fleets.write_fleet(tmp_path / "fleet.json", [device])
        sources: list[Any] = recorder.sources()
        engines.append(Engine(tmp_path, fleets.now, *sources, unseal="plain-{}".format))  # type: ignore[arg-type]
        until(lambda: len(channels(engines[-1])) == len(recorder.listed))
        until(lambda: all("rtsp" in channel.states for channel in channels(engines[-1])))
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def channels(engine: Engine) -> Sequence[Device]:
    return engine.tracker.channels_of(1)


def statuses(engine: Engine) -> list[str]:
    return [device.status for device in engine.devices().values()]


def test_the_channels_that_a_recorder_lists_are_checked_by_themselves(make: Make) -> None:
    recorder = Recorder(16)
    engine = make(recorder)
    assert sorted(set(recorder.asked)) == sorted(f"/cam?channel={n}" for n in range(1, 17))
    assert statuses(engine) == ["ACTIVE"] * 17
    ids = list(engine.devices())
    engine.scanner.ask([1])
    assert list(engine.devices()) == ids


def test_a_recorder_that_is_off_is_one_outage_and_is_back_with_its_channels(make: Make) -> None:
    recorder = Recorder(16)
    engine = make(recorder)
    recorder.is_on = False
    engine.scanner.ask([1])
    until(lambda: statuses(engine) == ["OFFLINE"] + ["UNREACHABLE"] * 16)
    assert engine.kinds().count("device.offline") == 1
    recorder.is_on = True
    engine.scanner.ask([1])
    until(lambda: statuses(engine) == ["ACTIVE"] * 17)


def test_a_recorder_whose_own_service_is_down_does_not_take_its_channels_along(make: Make) -> None:
    recorder = Recorder(4)
    engine = make(recorder)
    recorder.has_onvif = False
    asked = len(recorder.asked)
    engine.scanner.ask([1])
    until(lambda: len(recorder.asked) > asked)
    until(lambda: statuses(engine) == ["OFFLINE"] + ["ACTIVE"] * 4)


def test_a_channel_that_the_recorder_no_longer_lists_is_missed_and_the_others_are_not(
    make: Make,
) -> None:
    recorder = Recorder(3)
    engine = make(recorder)
    recorder.listed, recorder.without_stream = [1, 2], {"/cam?channel=3"}
    engine.scanner.ask([1])
    missed = channels(engine)[2].states["onvif"]
    assert (missed.misses, missed.reason) == (1, "the recorder no longer reports this channel")
    (answer,) = engine.scanner.ask([4])
    assert (answer.state, answer.reason) == ("missed", "The stream is not offered now.")
    assert statuses(engine) == ["ACTIVE", "ACTIVE", "ACTIVE", "OFFLINE"]
    assert [fault.kind for fault in channels(engine)[2].findings] == ["stream.missing"]
    recorder.listed, recorder.without_stream = [1, 2, 3], set()
    engine.scanner.ask([1, 4])
    assert statuses(engine) == ["ACTIVE"] * 4


def test_a_channel_whose_path_never_worked_is_online_as_its_recorder_responds(make: Make) -> None:
    recorder = Recorder(2)
    recorder.without_stream = recorder.never_worked = {"/cam?channel=2"}
    engine = make(recorder)
    (answer,) = engine.scanner.ask([3])
    assert answer.state == "answered"
    assert statuses(engine) == ["ACTIVE"] * 3
    assert channels(engine)[1].states["rtsp"].seen_at
    (fault,) = channels(engine)[1].findings
    assert (fault.kind, fault.text) == ("stream.path", NO_SIGNAL_OR_PATH)


def test_a_probe_that_lists_no_channels_says_nothing_about_them(make: Make) -> None:
    recorder = Recorder(2)
    engine = make(recorder)
    recorder.listed = []
    engine.scanner.ask([1])
    assert [channel.states["onvif"].misses for channel in channels(engine)] == [0, 0]


def test_the_login_of_a_recorder_that_moved_goes_to_its_channels_once_it_proved_itself(
    make: Make,
) -> None:
    recorder = Recorder(2)
    engine = make(recorder)
    assert recorder.logins == {("10.0.0.1", "admin", "plain-s1")}
    moved = Sighting("here", (MAC,), "panasonic", now(), "recorder", "10.0.0.7", asked=now())
    engine.apply([moved], now())
    until(lambda: ("10.0.0.7", "admin", "plain-s1") in recorder.logins)
    until(lambda: not any(device.findings for device in engine.devices().values()))
    assert {device.address for device in engine.devices().values()} == {"10.0.0.7"}


def test_the_login_of_a_recorder_does_not_go_to_a_stranger_at_its_new_address(make: Make) -> None:
    recorder = Recorder(2)
    engine = make(recorder)
    recorder.has_onvif = False
    moved = Sighting("here", (MAC,), "panasonic", now(), "recorder", "10.0.0.7", asked=now())
    engine.apply([moved], now())
    until(lambda: any(host == "10.0.0.7" for host, _name, _secret in recorder.logins))
    until(lambda: all(channel.findings for channel in channels(engine)))
    assert {secret for host, _name, secret in recorder.logins if host == "10.0.0.7"} == {None}


def test_the_channels_of_a_silent_recorder_do_not_wait_for_one_another(make: Make) -> None:
    recorder = Recorder(16)
    engine = make(recorder)
    recorder.is_silent = True
    engine.scanner.ask([1])
    asked = len(recorder.asked)
    until(lambda: statuses(engine) == ["OFFLINE"] + ["UNREACHABLE"] * 16)
    assert len(recorder.asked) - asked < 10, "two of them tell of all"
