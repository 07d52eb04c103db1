"""A trial asks an address with a login that nobody saved, and keeps nothing of it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from discovery import trial_texts
from discovery.trial_steps import Step, TrialConnection, TrialRequest
from discovery.trials import MAX_TRIALS, TooManyTrials
from fleet import identity
from fleet.model import CannotAsk, Edit, Finding, Learned, NoAnswer, Report, Sighting, Target
from sources.source import SessionRefused, Source
from store.masking import MASK
from store.secret_texts import SecretTexts
from tests.discovery.engine import Engine
from tests.discovery.listed import now
from tests.home import Clock, until

SECRET = "gräs/h0pper"
HOST = "127.0.0.7"
Behaviour = Callable[[Target], Sequence[Report]]


@dataclass
class Scripted:
    """A source that answers as its `behaviour` says, and remembers what it was asked with."""

    name: str
    behaviour: Behaviour = lambda target: [sighting(target, "rtsp")]
    asked: list[Target] = field(default_factory=list)
    blocks: bool = False
    ended: int = 0

    async def probe(self, target: Target) -> Sequence[Report]:
        self.asked.append(target)
        try:
            if self.blocks:
                await asyncio.Event().wait()
            return self.behaviour(target)
        finally:
            self.ended += 1

    def source(self) -> Source:
        return Source(self.name, self.name.title(), 30.0, probe=self.probe)


def sighting(target: Target, source: str, **more: Any) -> Sighting:
    keys = more.pop("identities", (target.key,))
    return Sighting(target.site, keys, source, now(), address=target.host, **more)


def finding(target: Target, kind: str, text: str) -> Finding:
    return Finding(target.key, kind, now(), text, "rtsp")


def camera(target: Target) -> list[Report]:
    """An RTSP camera whose password is SECRET."""
    if not target.may_login or (target.username, target.secret) != ("admin", SECRET):
        refused = replace(sighting(target, "rtsp"), learned=Learned(refusals=target.refusals + 1))
        text = "wrong user name or password"
        return [refused] + [finding(target, "login.wrong", text)] * target.may_login
    facts = {"codec": "H264", "width": 1920, "height": 1080, "rate": 25.0}
    learned = Learned(method="digest-md5", refusals=0)
    return [sighting(target, "rtsp", facts=facts, learned=learned)]


def onvif_camera(target: Target) -> list[Report]:
    identities = ("onvif:urn:uuid:1", "mac:d4:2d:c5:00:00:09")
    if not target.may_login:
        return [sighting(target, "onvif", identities=identities, model="X-1")]
    streams = [
        {"profile": "Main", "path": "/main", "port": 8554, "codec": "H265"},
        {"profile": "Sub", "path": "/sub", "codec": "H264"},
    ]
    more = {"facts": {"streams": streams}, "learned": Learned(method="digest-md5")}
    return [sighting(target, "onvif", identities=identities, model="X-1", name="Gate", **more)]


def onvif_sighting(key: str) -> Sighting:
    return Sighting("", (key,), "onvif", now(), address=HOST)


@pytest.fixture
def rtsp() -> Scripted:
    return Scripted("rtsp", camera)


@pytest.fixture
def onvif() -> Scripted:
    return Scripted("onvif", onvif_camera)


@pytest.fixture
def engine(tmp_path: Path, clock: Clock, onvif: Scripted, rtsp: Scripted) -> Iterator[Engine]:
    engine = Engine(tmp_path, clock, onvif.source(), rtsp.source())
    yield engine
    engine.close()


RTSP_ONLY = (TrialConnection("rtsp", 554, "/live"),)


def request(
    password: str | None = SECRET, connections: Sequence[TrialConnection] = RTSP_ONLY
) -> TrialRequest:
    return TrialRequest(HOST, tuple(connections), "admin", password)


def tried(engine: Engine, wanted: TrialRequest) -> list[Step]:
    return list(engine.scanner.try_out(wanted))


def states(steps: Sequence[Step]) -> list[tuple[str, str, str]]:
    return [(step.source, step.name, step.state) for step in steps]


def test_a_camera_is_tried_by_onvif_and_by_the_stream_that_onvif_names(
    engine: Engine, rtsp: Scripted
) -> None:
    steps = tried(engine, request(connections=(TrialConnection("onvif"), TrialConnection("rtsp"))))
    assert states(steps) == [
        ("onvif", "connect", "ok"),
        ("onvif", "identify", "ok"),
        ("onvif", "login", "ok"),
        ("onvif", "streams", "ok"),
        ("rtsp", "connect", "ok"),
        ("rtsp", "identify", "skipped"),
        ("rtsp", "login", "ok"),
        ("rtsp", "describe", "ok"),
        ("", "result", "ok"),
    ]
    assert {(target.port, target.path) for target in rtsp.asked} == {(8554, "/main")}
    result = steps[-1].facts
    assert (result["name"], result["model"], result["mac"]) == ("Gate", "X-1", "d4:2d:c5:00:00:09")
    assert result["sources"] == ["onvif", "rtsp"]
    main, sub = result["streams"]
    assert (main["profile"], main["codec"], main["width"]) == ("Main", "H264", 1920)
    assert sub["path"] == "/sub"
    assert steps[7].text == "H264, 1920 × 1080, 25 fps"


def test_another_device_at_the_address_gets_no_saved_login(engine: Engine, onvif: Scripted) -> None:
    engine.tracker.apply([onvif_sighting("mac:d4:2d:c5:00:00:08")], now())
    (known,) = engine.tracker.devices().values()
    wanted = replace(request(connections=(TrialConnection("onvif"),)), device=known)
    steps = tried(engine, wanted)
    assert [step.state for step in steps if step.name == "login"] == ["skipped"]
    assert "Another device responds" in steps[2].text
    assert not [target for target in onvif.asked if target.may_login]
    tried(engine, replace(wanted, device=None))
    assert [target for target in onvif.asked if target.may_login]


def test_nothing_of_a_trial_is_kept(engine: Engine) -> None:
    before = engine.tracker.fleet()
    assert tried(engine, request())[-1].state == "ok"
    assert engine.tracker.fleet() is before
    assert engine.batches == []


def test_the_login_is_not_sent_before_the_device_answered_without_it(
    engine: Engine, rtsp: Scripted
) -> None:
    tried(engine, request())
    first, second = rtsp.asked
    assert (first.username, first.secret, first.may_login) == (None, None, False)
    assert (second.username, second.secret, second.may_login) == ("admin", SECRET, True)


def test_a_wrong_password_is_tried_once(engine: Engine, rtsp: Scripted) -> None:
    steps = tried(engine, request("magpie-7"))
    assert states(steps)[2:] == [("rtsp", "login", "failed"), ("", "result", "failed")]
    assert steps[2].text == "wrong user name or password"
    (asked,) = (target for target in rtsp.asked if target.may_login)
    assert asked.refusals == 1, "a second refusal would be the last that the budget allows"


def test_no_login_is_asked_at_a_device_whose_budget_is_spent(
    engine: Engine, rtsp: Scripted
) -> None:
    reason = "The login was refused twice"
    wanted = replace(request(), may_login=False, no_login_reason=reason)
    steps = tried(engine, wanted)
    assert [step.text for step in steps if step.state == "skipped"][1:] == [reason, reason]
    assert not any(target.may_login for target in rtsp.asked)


@pytest.mark.parametrize(
    ("known", "username", "is_tried"),
    [
        ({"refusals": 2}, "admin", True),  # With another password.
        ({"refusals": 1}, "admin", True),
        ({"attempts_left": 2}, "admin", False),
        ({"attempts_left": 3}, "admin", True),
        ({"refusals": 2}, "guest", True),
    ],
)
def test_a_device_that_accepts_few_more_logins_is_not_tried(
    engine: Engine, rtsp: Scripted, known: dict[str, Any], username: str, is_tried: bool
) -> None:
    edit = Edit("add", "", {"source": "other", "host": HOST, "username": "admin"}, "x", now())
    engine.tracker.apply([edit], now())
    device = engine.tracker.fleet().devices[1]
    learned = Learned(access=device.access["other"], **known)
    keys = tuple(device.identities)
    seen = Sighting(device.site, keys, "other", now(), address=HOST, device=1, learned=learned)
    engine.tracker.apply([seen, Edit("change", "id:1", {"name": "Gate"}, "x", now())], now())
    steps = tried(engine, replace(request(), username=username))
    assert any(target.may_login for target in rtsp.asked) == is_tried
    if not is_tried:
        assert steps[2].text.startswith("Gate ")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NoAnswer("not RTSP"), "RTSP at 127.0.0.7:554: not RTSP"),
        (CannotAsk("rtsp", "the cable is out"), "RTSP at 127.0.0.7:554: the cable is out"),
        (ConnectionRefusedError(111, "x"), "RTSP at 127.0.0.7:554: connection refused"),
        (TimeoutError(), "RTSP at 127.0.0.7:554: no response within 30 s"),
        (SessionRefused("453"), "RTSP at 127.0.0.7:554: no free session (453)"),
    ],
)
def test_a_device_that_does_not_answer_is_named_with_the_reason(
    engine: Engine, rtsp: Scripted, error: Exception, text: str
) -> None:
    def fail(target: Target) -> Sequence[Report]:
        raise error

    rtsp.behaviour = fail
    steps = tried(engine, request())
    assert states(steps) == [("rtsp", "connect", "failed"), ("", "result", "failed")]
    assert steps[0].text == text


def test_a_busy_device_is_usable_and_says_why_its_login_is_not_tested(
    engine: Engine, rtsp: Scripted
) -> None:
    def busy(target: Target) -> Sequence[Report]:
        raise SessionRefused("busy (RTSP 453)", [sighting(target, "rtsp")])

    rtsp.behaviour = busy
    steps = tried(engine, request())
    assert states(steps)[2:] == [("rtsp", "login", "skipped"), ("", "result", "ok")]
    assert steps[2].text.startswith("The device is busy (RTSP 453)")
    assert steps[-1].facts["sources"] == ["rtsp"]


def test_the_login_goes_only_to_the_certificate_that_was_identified(
    engine: Engine, rtsp: Scripted
) -> None:
    met = "ab" * 32
    rtsp.behaviour = lambda target: [
        replace(sighting(target, "rtsp"), learned=Learned(tls_pin=met))
    ]
    tried(engine, request())
    assert [target.tls_pin for target in rtsp.asked] == [None, met]
    rtsp.asked.clear()
    rtsp.behaviour = lambda target: [
        sighting(target, "rtsp"),
        finding(target, "tls.changed", "another certificate"),
    ]
    steps = tried(engine, request(connections=(replace(RTSP_ONLY[0], tls_pin="cd" * 32),)))
    assert [target.tls_pin for target in rtsp.asked] == ["cd" * 32]
    assert (steps[2].state, steps[2].text) == ("failed", "another certificate")


def test_an_error_in_a_source_ends_its_own_part_alone(
    engine: Engine, onvif: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(target: Target) -> Sequence[Report]:
        raise ZeroDivisionError(f"{target.username}:{target.secret}")

    onvif.behaviour = lambda target: fail(target) if target.may_login else onvif_camera(target)
    steps = tried(engine, request(connections=(TrialConnection("onvif"), *RTSP_ONLY)))
    assert ("onvif", "login", "failed") in states(steps)
    assert states(steps)[-1] == ("", "result", "ok")
    assert "ZeroDivisionError" in caplog.text
    assert SECRET not in caplog.text


def test_one_source_alone_is_enough(engine: Engine, onvif: Scripted) -> None:
    def fail(target: Target) -> Sequence[Report]:
        raise NoAnswer("HTML instead of ONVIF")

    onvif.behaviour = fail
    steps = tried(engine, request(connections=(TrialConnection("onvif"), *RTSP_ONLY)))
    assert steps[-1].state == "ok"
    assert steps[-1].facts["sources"] == ["rtsp"]


def test_a_source_that_this_server_does_not_have_is_skipped(engine: Engine) -> None:
    steps = tried(engine, request(connections=(TrialConnection("carrier"), *RTSP_ONLY)))
    assert (steps[0].state, steps[-1].state) == ("skipped", "ok")


def recorder(target: Target, count: int = 2) -> list[Report]:
    """A recorder with this many channels."""
    owner = "onvif:urn:uuid:9"
    channels = [
        sighting(
            target,
            "onvif",
            identities=(identity.channel_key(owner, f"V{number}"),),
            links={"stream": f":8554/ch{number}"},
            facts={"channel": str(number)},
            name=f"Door {number}",
        )
        for number in range(1, count + 1)
    ]
    return [sighting(target, "onvif", identities=(owner,), kind="recorder"), *channels]


def dark_first(target: Target) -> list[Report]:
    """The same, without video signal on the first channel."""
    owner, first, *others = recorder(target)
    assert isinstance(first, Sighting)
    return [owner, replace(first, facts={**first.facts, "signal": False}), *others]


def test_a_recorder_with_more_channels_than_the_list_takes_names_those_that_it_gets(
    engine: Engine, onvif: Scripted
) -> None:
    onvif.behaviour = lambda target: recorder(target, 1024)
    steps = tried(engine, request(connections=(TrialConnection("onvif"),)))
    assert steps[3].text == "1,024 channels; only the first 128 can be added to the list"
    assert [channel["channel"] for channel in steps[-1].facts["channels"]] == [
        str(number) for number in range(1, 129)
    ]


def test_a_recorder_names_its_channels(engine: Engine, onvif: Scripted) -> None:
    onvif.behaviour = recorder
    steps = tried(engine, request(connections=(TrialConnection("onvif"),)))
    assert steps[3].text == "2 channels"
    assert steps[-1].facts["channels"] == [
        {
            "name": f"Door {number}",
            "channel": str(number),
            "path": f"/ch{number}",
            "port": 8554,
            "key": f"channel:onvif:urn:uuid:9/V{number}",
        }
        for number in (1, 2)
    ]


@pytest.mark.parametrize(("behaviour", "path"), [(recorder, "/ch1"), (dark_first, "/ch2")])
def test_a_channel_with_signal_is_described_by_rtsp(
    engine: Engine, onvif: Scripted, rtsp: Scripted, behaviour: Behaviour, path: str
) -> None:
    onvif.behaviour = behaviour
    steps = tried(engine, request(connections=(TrialConnection("onvif"), TrialConnection("rtsp"))))
    assert {(target.port, target.path) for target in rtsp.asked} == {(8554, path)}
    assert [step.state for step in steps if step.name == "describe"] == ["ok"]
    result = steps[-1].facts
    (described,) = [known for known in result["channels"] if "codec" in known]
    assert (described["path"], described["codec"]) == (path, "H264")
    assert (result["sources"], result["streams"]) == (["onvif", "rtsp"], [])


def test_the_streams_of_onvif_follow_the_one_that_rtsp_described(
    engine: Engine, rtsp: Scripted
) -> None:
    steps = tried(
        engine,
        request(connections=(TrialConnection("rtsp", 8554, "/sub"), TrialConnection("onvif"))),
    )
    assert [step.source for step in steps if step.name == "connect"] == ["rtsp", "onvif"]
    streams = steps[-1].facts["streams"]
    assert [stream["path"] for stream in streams] == ["/sub", "/main"]
    assert (streams[0]["profile"], streams[0]["width"]) == ("Sub", 1920)


@pytest.mark.parametrize(
    "echo", [SECRET, "gr%C3%A4s%2Fh0pper", "gr%c3%a4s%2fh0pper", "rtsp://admin:gräs@cam/"]
)
def test_a_password_that_the_device_echoes_is_in_no_step(
    engine: Engine, rtsp: Scripted, echo: str
) -> None:
    rtsp.behaviour = lambda target: [
        sighting(target, "rtsp", name=f"x{echo}y", facts={"codec": echo, echo: [{"a": echo}]}),
        finding(target, "login.none", f"open: {echo}"),
    ]
    steps = tried(engine, request())
    assert steps[-1].state == "ok"
    text = repr(steps)
    assert echo not in text
    assert MASK in text
    assert SECRET not in repr(request()), "nor in what a traceback shows"


def test_what_a_device_says_is_bounded() -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep, "x" * 100_000, *range(1000)]
    assert len(repr(trial_texts.shown({"x": deep}, SecretTexts()))) < 100_000


def test_a_trial_ends_when_its_reader_leaves(engine: Engine, rtsp: Scripted) -> None:
    rtsp.blocks = True
    steps = engine.scanner.try_out(request()).steps(0.01)
    until(lambda: next(steps) is None and rtsp.asked, what="it is under way, and nothing came")
    steps.close()  # type: ignore[attr-defined]
    until(lambda: rtsp.ended == 1, what="the probe was cancelled")


def test_no_more_trials_run_at_once_than_allowed(engine: Engine, rtsp: Scripted) -> None:
    rtsp.blocks = True
    running = [engine.scanner.try_out(request()) for _ in range(MAX_TRIALS)]
    with pytest.raises(TooManyTrials):
        engine.scanner.try_out(request())
    until(lambda: len(rtsp.asked) == MAX_TRIALS, what="all are under way")
    running[0].close()
    assert list(running[0]) == []
    until(lambda: rtsp.ended == 1, what="its place is free")
    rtsp.blocks = False
    assert tried(engine, request())[-1].state == "ok"
    for trial in running:
        trial.close()


def test_trials_end_with_the_monitor(engine: Engine, rtsp: Scripted) -> None:
    rtsp.blocks = True
    trial = engine.scanner.try_out(request())
    until(lambda: rtsp.asked, what="it is under way")
    engine.scanner.close()
    assert list(trial) == []
    with pytest.raises(CannotAsk):
        engine.scanner.try_out(request())
