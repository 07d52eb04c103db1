"""What a device repeats of its password is in nothing that a check hands on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from discovery.hidden_passwords import hidden_reports
from fleet import identity
from fleet.model import (
    CannotAsk,
    Finding,
    Learned,
    Miss,
    NoAnswer,
    Report,
    Sighting,
    SourceDown,
    Target,
)
from sources.session_description import parse
from sources.source import SessionRefused, Source
from sources.stream_facts import facts_of
from store.secret_texts import SecretTexts
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import listed, now

HOST, PLACE = "127.0.0.1", "rtsp:127.0.0.1/live"
SECRET = "Gr@ckle/77"  # nosec B105
TEXTS = SecretTexts.of([SECRET], "admin")
MAC = "mac:d4:2d:c5:00:00:01"

Behave = Callable[[Target], Sequence[Report]]


class EchoingSource:
    """The source `rtsp` of an engine, which answers as the test says."""

    def __init__(self, folder: Path) -> None:
        self.answer: Behave = lambda target: []
        self.asked: list[Target] = []
        source = Source("rtsp", "RTSP", timeout=3, probe=self.probe, interval=600)
        login = {"username": "admin", "secret": SECRET, "secret_host": HOST}
        fleets.write_fleet(folder / "fleet.json", [listed(1, "rtsp", address=HOST, **login)])
        self.engine = Engine(folder, now, source, unseal=str)  # type: ignore[arg-type]

    async def probe(self, target: Target) -> Sequence[Report]:
        self.asked.append(target)
        return self.answer(target)


@pytest.fixture
def echoing(tmp_path: Path) -> Iterator[EchoingSource]:
    source = EchoingSource(tmp_path)
    yield source
    source.engine.close()


def sighting(target: Target) -> Sighting:
    text = f"is {SECRET}"
    facts = {"server": text, "streams": [{"path": f"/{quote(SECRET, safe='')}", "rate": 25}]}
    return Sighting(
        *(target.site, (target.key,), "rtsp", now()),
        address=HOST,
        **dict.fromkeys(("name", "model", "serial", "firmware"), text),  # type: ignore[arg-type]
        facts=facts,
        links={"stream": f"/live?key={quote(SECRET)}"},
    )


def test_a_password_in_any_text_of_a_report_is_masked_and_the_rest_stays(
    echoing: EchoingSource,
) -> None:
    def answer(target: Target) -> Sequence[Report]:
        finding = Finding(
            target.key, "login.method", now(), f"no {SECRET}", "rtsp", {"realm": SECRET}
        )
        return [sighting(target), finding]

    echoing.answer = answer
    (result,) = echoing.engine.scanner.ask([1])
    assert result.state == "answered"
    assert echoing.asked[-1].secret == SECRET
    device = echoing.engine.devices()[1]
    facts = device.facts["rtsp"]
    assert [facts[key] for key in ("name", "model", "serial", "firmware")] == ["is ***"] * 4
    assert facts["server"] == "is ***"
    assert facts["streams"] == [{"path": "/***", "rate": 25}]
    assert device.links == {"stream": "/live?key=***"}
    findings = {fault.kind: fault.text for fault in device.findings}
    assert findings["login.method"] == "no ***"
    events = list(echoing.engine.tracker.fleet().outbox)
    assert SECRET not in repr((device, events))


@pytest.mark.parametrize(
    "error",
    [
        NoAnswer(f"not RTSP: {SECRET}"),
        SessionRefused(f"busy {SECRET}"),
        CannotAsk("rtsp", f"no route for {SECRET}"),
        ValueError(f"odd {SECRET}"),
    ],
)
def test_a_password_in_an_error_is_masked(
    echoing: EchoingSource, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(target: Target) -> Sequence[Report]:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise error from cause

    echoing.answer = fail
    (result,) = echoing.engine.scanner.ask([1])
    assert SECRET not in result.reason
    assert "***" in result.reason or isinstance(error, ValueError)
    assert SECRET not in caplog.text
    assert not isinstance(error, ValueError) or "odd ***" in caplog.text


def test_a_device_that_is_asked_without_its_password_has_it_masked_too(
    echoing: EchoingSource,
) -> None:
    engine = echoing.engine
    echoing.answer = lambda target: [replace(sighting(target), learned=Learned(refusals=2))]
    engine.scanner.ask([1])
    engine.scanner.ask([1])
    assert echoing.asked[-1].secret is None
    assert engine.devices()[1].facts["rtsp"]["server"] == "is ***"


def test_macs_and_the_place_stay_and_an_endpoint_with_the_password_becomes_the_place() -> None:
    texts = SecretTexts.of(["d4:2d:c5", "127.0.0.1"])
    target = Target("x", PLACE, HOST)
    report = Sighting("x", (MAC, "onvif:127.0.0.1", PLACE), "rtsp", now())
    (masked,) = hidden_reports([report], texts, target.key)
    assert isinstance(masked, Sighting)
    assert masked.identities == (MAC, PLACE)


def test_the_channels_of_a_recorder_stay_its_channels() -> None:
    owner = f"onvif:urn:{SECRET}"
    keys = [identity.channel_key(owner, f"source {SECRET} {number}") for number in (1, 2)]
    reports = [Sighting("x", (key,), "onvif", now()) for key in (owner, *keys)]
    device, *channels = hidden_reports(reports, TEXTS, PLACE)
    assert isinstance(device, Sighting)
    owners = {identity.owner_of(each.identities[0]) for each in channels}  # type: ignore[union-attr]
    assert owners == {device.identities[0]} == {PLACE}
    assert len({each.identities for each in channels}) == 2  # type: ignore[union-attr]
    assert SECRET not in repr(channels)
    assert quote(SECRET, safe="") not in repr(channels)


def test_a_miss_and_a_source_that_is_down_say_no_password() -> None:
    miss = Miss(PLACE, "rtsp", now(), f"closed: {SECRET}")
    down = SourceDown("rtsp", now(), f"down: {SECRET}")
    masked = hidden_reports([miss, down], TEXTS, PLACE)
    assert [each.reason for each in masked] == ["closed: ***", "down: ***"]  # type: ignore[union-attr]


def test_a_codec_or_banner_with_the_password_is_masked() -> None:
    password = "Grackle77"  # nosec B105
    description = parse(f"m=video 0 RTP/AVP 96\na=rtpmap:96 {password}/90000".encode())
    report = Sighting("x", (PLACE,), "rtsp", now(), facts=facts_of(description, f"X {password}"))
    (masked,) = hidden_reports([report], SecretTexts.of([password]), PLACE)
    assert isinstance(masked, Sighting)
    assert masked.facts == {
        "audio": False, "codec": "***", "tracks": "video ***", "server": "X ***"
    }  # fmt: skip
    assert password.lower() not in str(masked).lower()
