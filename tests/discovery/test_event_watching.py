"""The own events of cameras: from the subscription to the finding and its end, by real sockets."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery.event_watching import UNAVAILABLE, EventPace
from fleet.identity import channel_key
from fleet.model import Access, Device, Edit
from fleet.status import Rules, status
from simulators import onvif_events
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, recorder_sources
from simulators.onvif_device import EventState
from sources import onvif, onvif_http, ws_discovery_wire
from sources.onvif_notifications import DARK, SIGNAL, TAMPER
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.home import free_port, until

PASSWORD = "plain-s1"  # nosec B105 (of a pretend device)
QUICK = EventPace(0.05, 0.05, 0.3, 0.1, 0.2, 0.5, 0.15)
RARE = replace(QUICK, measure=60.0, restate=60.0, forget=60.0)
TAMPERED = EventState("tns1:RuleEngine/TamperDetector/Tamper", {"Rule": "T"}, {"IsTamper": "true"})
INTACT = replace(TAMPERED, data={"IsTamper": "false"})
ODD = ("unlisted", "no-address", "epoch", "bad-time", "by-parameter", "no-renew", "flood")
MakeEngine = Callable[..., Engine]


def camera(number: int, *faults: str, **values: Any) -> OnvifDevice:
    given = {"accounts": Accounts("admin", PASSWORD), "has_events": True, **values}
    device = OnvifDevice(f"127.86.0.{number}", mac=f"00:00:5e:00:86:{number:02x}", **given)
    device.event_faults = frozenset(faults)
    return device


CAMERAS = {
    "digest": camera(1, logins=("digest",)),
    "token": camera(2, logins=("wsse",)),
    "open": camera(3, accounts=Accounts()),
    "changing": camera(4, logins=("digest",)),
    "refusing": camera(5),
    "none": camera(6, has_events=False),
    "full": camera(7, "full"),
    "slow": camera(8, "slow"),
    "hanging": camera(9, "hangs"),
    "bomb": camera(10, "bomb"),
    "ending": camera(11, "ends"),
    "dark": camera(12),
    "lost": camera(13),
    "recorder": camera(14, sources=recorder_sources(4)),
    "option": camera(15),
    "unsure": camera(16),
    "updated": camera(18, has_events=False),
    "basic": camera(
        17, accounts=Accounts("admin", PASSWORD, offers=("basic",)), logins=("digest",)
    ),
    **{fault: camera(20 + number, fault) for number, fault in enumerate(ODD)},
}


@pytest.fixture(scope="module")
def servers() -> Iterator[OnvifServers]:
    devices = list(CAMERAS.values())
    with OnvifServers(devices, free_port(), ws_discovery_wire.PORT) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, servers: OnvifServers) -> Iterator[MakeEngine]:
    """An engine with this camera, whose events are wanted. Made again, it is the same fleet after a
    restart."""
    running: list[Engine] = []

    def made(
        name: str, pace: EventPace = RARE, *others: Device, wants: bool = True, **access: Any
    ) -> Engine:
        for engine in running:
            engine.close()
        if not running:
            device = known(CAMERAS[name], servers.port, wants=wants, **access)
            fleets.write_fleet(tmp_path / "fleet.json", [device, *others])
        source = onvif.source(onvif.OnvifOptions(fleets.now))
        unseal = "plain-{}".format
        engine = Engine(tmp_path, fleets.now, source, unseal=unseal, event_pace=pace)  # type: ignore[arg-type]
        running.append(engine)
        return engine

    yield made
    for engine in running:
        engine.close()


def known(camera: OnvifDevice, port: int, *, wants: bool, **access: Any) -> Device:
    login = {"username": "admin", "secret": "s1", "secret_host": camera.address, **access}
    options = {"events": True} if wants else {}
    return replace(
        fleets.listed(1, "onvif", address=camera.address),
        identities=(f"onvif:{camera.endpoint_reference}",),
        access={"onvif": Access(port=port, options=options, **login)},
    )


def findings(engine: Engine, number: int = 1) -> dict[str, str]:
    return {fault.kind: fault.text for fault in engine.devices()[number].findings}


def shown(engine: Engine) -> str:
    devices = engine.devices()
    return status(devices[1], devices, fleets.now(), Rules(probing=frozenset({"onvif"})))


def has(engine: Engine, kind: str, number: int = 1) -> None:
    until(lambda: kind in findings(engine, number), what=f"it has {kind}")


def has_not(engine: Engine, kind: str, number: int = 1) -> None:
    until(lambda: kind not in findings(engine, number), what=f"it has {kind} no more")


def has_ended(engine: Engine, words: str) -> bool:
    texts = [event.text for event in engine.fleet().outbox if event.kind == "finding.cleared"]
    return any(words in text for text in texts)


def set_option(engine: Engine, options: dict[str, Any]) -> None:
    fields = {"source": "onvif", "options": options}
    engine.tracker.apply([Edit("change", "id:1", fields, "anna", fleets.now())], fleets.now())


@pytest.mark.parametrize("name", ["digest", "token", "open"])
def test_what_a_camera_reports_is_a_finding_until_it_says_that_it_is_over(
    make: MakeEngine, name: str
) -> None:
    device = CAMERAS[name]
    engine = make(name)
    until(lambda: device.asked["PullMessages"] > 1, what="its events are read")
    assert findings(engine).keys() <= {"login.none", "identity.unproven"}
    onvif_events.tell(device, TAMPERED)
    has(engine, TAMPER)
    assert shown(engine) == "ACTIVE"
    onvif_events.tell(device, INTACT)
    has_not(engine, TAMPER)
    assert has_ended(engine, "resolved: it reports tampering")
    assert not any(attempt.outcome == "wrong" for attempt in device.accounts.attempts)
    engine.close()
    assert device.subscriptions == {}, "it unsubscribes when the monitor stops"


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_to_a_subscription_do_not_matter(make: MakeEngine, name: str) -> None:
    device = CAMERAS[name]
    device.event_states[:] = [TAMPERED]
    engine = make(name)
    has(engine, TAMPER)
    assert UNAVAILABLE not in findings(engine)
    engine.close()
    assert device.subscriptions == {}


def test_without_the_option_nothing_is_subscribed_to(make: MakeEngine) -> None:
    device = CAMERAS["option"]
    device.event_states[:] = [TAMPERED]
    engine = make("option", wants=False)
    assert engine.scanner.ask([1], ["onvif"])
    assert device.asked["CreatePullPointSubscription"] == 0
    set_option(engine, {"events": True})
    has(engine, TAMPER)
    set_option(engine, {})
    has_not(engine, TAMPER)
    assert has_ended(engine, "no longer known: it reports tampering")
    until(lambda: not device.subscriptions, what="it unsubscribes")
    assert shown(engine) == "ACTIVE"


def test_a_camera_without_events_is_asked_once_also_after_a_restart(make: MakeEngine) -> None:
    device = CAMERAS["none"]
    engine = make("none")
    has(engine, UNAVAILABLE)
    assert "does not offer events" in findings(engine)[UNAVAILABLE]
    assert device.asked["CreatePullPointSubscription"] == 1
    engine = make("none")
    assert engine.scanner.ask([1], ["onvif"])
    assert device.asked["CreatePullPointSubscription"] == 1
    set_option(engine, {})
    has_not(engine, UNAVAILABLE)
    set_option(engine, {"events": True})
    has(engine, UNAVAILABLE)
    assert device.asked["CreatePullPointSubscription"] == 2


def test_newer_firmware_is_tried_by_itself(make: MakeEngine) -> None:
    device = CAMERAS["updated"]
    engine = make("updated", wants=False)
    assert engine.scanner.ask([1], ["onvif"])
    set_option(engine, {"events": True})
    has(engine, UNAVAILABLE)
    device.firmware, device.has_events = "2.0", True
    assert engine.scanner.ask([1], ["onvif"])
    until(lambda: device.subscriptions, what="it is subscribed to")
    has_not(engine, UNAVAILABLE)


def test_a_login_that_would_be_revealed_each_time_is_not_used(make: MakeEngine) -> None:
    device = CAMERAS["basic"]
    engine = make("basic")
    has(engine, UNAVAILABLE)
    assert "accepts only Basic" in findings(engine)[UNAVAILABLE]
    assert device.asked["subscription"] == 0


def test_a_camera_that_refuses_each_subscription_is_asked_three_times(make: MakeEngine) -> None:
    device = CAMERAS["full"]
    engine = make("full")
    has(engine, UNAVAILABLE)
    assert findings(engine)[UNAVAILABLE] == "its events are not read: it accepts no subscription"
    assert device.asked["subscription"] == 3


def test_a_camera_that_becomes_slow_by_its_events_is_left_alone(make: MakeEngine) -> None:
    device = CAMERAS["slow"]
    device.event_states[:] = [TAMPERED]
    engine = make("slow", replace(QUICK, restate=60.0))
    has(engine, TAMPER)
    has(engine, UNAVAILABLE)
    assert "it became slow (responses took 0.0" in findings(engine)[UNAVAILABLE]
    has_not(engine, TAMPER)
    assert device.subscriptions == {}
    assert device.asked["subscription"] == 1
    assert shown(engine) == "ACTIVE"


def test_a_camera_that_hangs_after_a_subscription_is_left_alone(
    make: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onvif_http, "REQUEST_TIMEOUT", 0.3)
    device = CAMERAS["hanging"]
    engine = make("hanging")
    has(engine, UNAVAILABLE)
    assert "stops responding when they are subscribed to" in findings(engine)[UNAVAILABLE]
    assert 3 <= device.asked["subscription"] <= 4, "a check may be what it swallowed"


@pytest.mark.parametrize(
    ("name", "text"), [("bomb", "cannot be read"), ("ending", "ends its subscriptions by itself")]
)
def test_subscriptions_that_do_not_last_are_given_up(
    make: MakeEngine, name: str, text: str
) -> None:
    engine = make(name, replace(RARE, pull=0.02, retry=0.02))
    has(engine, UNAVAILABLE)
    assert text in findings(engine)[UNAVAILABLE]
    assert CAMERAS[name].asked["subscription"] == 5
    assert shown(engine) == "ACTIVE"


def test_a_wrong_login_costs_no_more_attempts_than_a_check(make: MakeEngine) -> None:
    device = CAMERAS["refusing"]
    engine = make("refusing", secret="wrong")
    has(engine, "login.wrong")
    asked = device.asked["GetSystemDateAndTime"]
    until(lambda: device.asked["GetSystemDateAndTime"] > asked + 4, what="it is asked on")
    assert sum(each.outcome == "wrong" for each in device.accounts.attempts) <= 2
    assert device.subscriptions == {}


def test_a_password_that_changes_at_the_camera_costs_two_attempts(make: MakeEngine) -> None:
    device = CAMERAS["changing"]
    engine = make("changing")
    assert engine.scanner.ask([1], ["onvif"])
    until(lambda: device.asked["PullMessages"] > 1, what="its events are read")
    device.accounts.password = "another"
    has(engine, "login.wrong")
    asked = device.asked["GetSystemDateAndTime"]
    until(lambda: device.asked["GetSystemDateAndTime"] > asked + 4, what="it is asked on")
    assert sum(each.outcome == "wrong" for each in device.accounts.attempts) <= 2


def test_a_finding_of_a_camera_that_is_offline_stays_until_it_can_say_more(
    make: MakeEngine, servers: OnvifServers
) -> None:
    device = CAMERAS["lost"]
    device.event_states[:] = [TAMPERED]
    engine = make("lost", replace(QUICK, forget=60.0))
    has(engine, TAMPER)
    servers.turn(device, "off")
    until(lambda: shown(engine) == "OFFLINE", what="it is offline")
    assert TAMPER in findings(engine)
    device.event_states[:] = [INTACT]
    servers.turn(device, "well")
    assert engine.scanner.ask([1], ["onvif"])
    has_not(engine, TAMPER)
    assert has_ended(engine, "resolved: it reports tampering")


def test_what_a_camera_does_not_repeat_is_no_longer_known(make: MakeEngine) -> None:
    device = CAMERAS["unsure"]
    device.event_states[:] = [
        replace(TAMPERED, topic="tns1:VideoSource/ImageTooDark/ImagingService")
    ]
    engine = make("unsure")
    has(engine, DARK)
    device.event_states.clear()
    engine = make("unsure", QUICK)
    has_not(engine, DARK)
    assert has_ended(engine, "no longer known: it reports that its picture is too dark")


def test_a_lost_signal_of_a_recorder_is_a_finding_of_its_channel(make: MakeEngine) -> None:
    device = CAMERAS["recorder"]
    owner = f"onvif:{device.endpoint_reference}"
    channel = replace(
        fleets.listed(2, address=device.address, parents=(1,)),
        identities=(channel_key(owner, "00002"),),
        access={},
    )
    engine = make("recorder", RARE, channel)
    until(lambda: device.asked["PullMessages"] > 1, what="its events are read")
    lost = EventState("tns1:VideoSource/SignalLoss", {"VideoSourceToken": "00002"}, {"State": "1"})
    onvif_events.tell(device, lost)
    has(engine, SIGNAL, 2)
    assert SIGNAL not in findings(engine, 1)
    onvif_events.tell(device, replace(lost, data={"State": "0"}))
    has_not(engine, SIGNAL, 2)


def test_a_retired_camera_is_unsubscribed_from(make: MakeEngine) -> None:
    device = CAMERAS["dark"]
    device.event_states[:] = [TAMPERED]
    engine = make("dark")
    has(engine, TAMPER)
    engine.tracker.apply([Edit("retire", "id:1", {}, "anna", fleets.now())], fleets.now())
    until(lambda: not device.subscriptions, what="it unsubscribes")
    has_not(engine, TAMPER)
