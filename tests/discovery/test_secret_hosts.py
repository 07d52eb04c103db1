"""The password of a device that moved: it follows only when the device has proved itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from discovery import secret_hosts
from fleet.model import Device, Edit, Miss, Report, Sighting, Target
from sources.source import SessionRefused, Source
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import key, listed
from tests.home import until

Make = Callable[..., Engine]
HOME, AWAY = "10.0.0.1", "10.9.9.9"


class Proving:
    """A source that reads a key of the device, or only gives back the key it was given."""

    def __init__(self, proves: str = "") -> None:
        self.proves = proves
        self.proved_at: dict[str, str] = {}
        self.asked: list[tuple[str, str | None, bool]] = []

    async def probe(self, target: Target) -> Sequence[Report]:
        if target.host == listed(2).address:
            return [Sighting(target.site, (key(2),), "tcp", fleets.now(), address=target.host)]
        self.asked.append((target.host, target.secret, "community" in target.options))
        if self.proves == "refused":
            raise SessionRefused("453")
        if self.proves == "silent":
            return [Miss(target.key, "tcp", fleets.now(), "silent")]
        keys = (self.proved_at.get(target.host) or self.proves or target.key,)
        return [Sighting(target.site, keys, "tcp", fleets.now(), address=target.host)]

    def source(self) -> Source:
        return Source("tcp", "TCP", 5.0, probe=self.probe, interval=600.0)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    engines: list[Engine] = []

    def made(device: Device, source: Source) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", [device, listed(2)])
        engine = Engine(tmp_path, fleets.now, source, unseal=lambda id: f"plain-{id}")  # type: ignore[arg-type]
        engines.append(engine)
        return engine

    yield made
    for engine in engines:
        engine.close()


def moved(**access: object) -> Device:
    """A device whose password was saved at HOME and that was reported at AWAY."""
    secrets = {"secret": "s1", "secret_options": {"community": "s2"}, "secret_host": HOME}
    return listed(1, address=AWAY, **{**secrets, **access})


def test_at_the_address_for_which_it_was_saved_the_password_is_used_at_once(make: Make) -> None:
    tcp = Proving()
    engine = make(replace(moved(), address=HOME), tcp.source())
    assert engine.scanner.ask([1])[0].state == "answered"
    assert set(tcp.asked) == {(HOME, "plain-s1", True)}


def test_a_forged_move_sends_the_password_nowhere_and_says_so(make: Make) -> None:
    tcp = Proving()
    engine = make(moved(), tcp.source())
    (answer,) = engine.scanner.ask([1])
    assert answer.state == "not asked"
    assert set(tcp.asked) == {(AWAY, None, False)}
    (finding,) = engine.tracker.devices()[1].findings
    assert finding.kind == "access.password"
    assert f"the password was saved for {HOME}" in finding.text
    assert "enter the password again" in finding.text
    assert set(engine.tracker.devices()) == {1, 2}, "and nothing new was added"


@pytest.mark.parametrize("proves", ["onvif:77", key(2), "silent"])
def test_who_proves_another_device_or_nothing_gets_no_password(make: Make, proves: str) -> None:
    tcp = Proving(proves)
    engine = make(moved(), tcp.source())
    assert engine.scanner.ask([1])[0].state != "answered"
    assert set(tcp.asked) == {(AWAY, None, False)}


def test_a_refusal_at_an_address_that_is_not_proved_says_nothing_of_the_device(make: Make) -> None:
    tcp = Proving("refused")
    engine = make(moved(), tcp.source())
    before = engine.tracker.devices()[1]
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reports) == ("not asked", ())
    assert answer.reason == f"the device at {AWAY} has no free session (453)"
    assert set(tcp.asked) == {(AWAY, None, False)}
    after = engine.tracker.devices()[1]
    assert (after.last_seen, after.states) == (before.last_seen, before.states)


def test_a_device_that_proves_itself_at_its_new_address_gets_its_password(make: Make) -> None:
    tcp = Proving(key(1))
    engine = make(moved(), tcp.source())
    assert engine.scanner.ask([1])[0].state == "answered"
    assert tcp.asked[:2] == [(AWAY, None, False), (AWAY, "plain-s1", True)]
    engine.scanner.ask([1])
    assert [secret for _host, secret, _option in tcp.asked[1:]] == ["plain-s1"] * len(tcp.asked[1:])


def _is_of(id: int, report: Report) -> bool:
    return isinstance(report, Sighting) and report.device == id


def test_a_move_while_it_runs_asks_without_the_password_again(make: Make) -> None:
    tcp = Proving(key(1))
    engine = make(moved(), tcp.source())
    until(lambda: len(tcp.asked) >= 2)
    # What it answered has the former address.
    until(lambda: any(_is_of(1, report) for _at, batch in [*engine.batches] for report in batch))
    fleet = engine.tracker.fleet()
    other = replace(fleet.devices[1], address="10.8.8.8")
    engine.tracker._fleet = replace(fleet, devices={**fleet.devices, 1: other})
    until(lambda: [ask for ask in tcp.asked if ask[0] == "10.8.8.8"])
    assert next(ask for ask in tcp.asked if ask[0] == "10.8.8.8") == ("10.8.8.8", None, False)


def test_a_host_that_a_person_gave_is_no_move(make: Make) -> None:
    tcp = Proving()
    engine = make(moved(host=AWAY, secret_host=None), tcp.source())
    engine.scanner.ask([1])
    assert set(tcp.asked) == {(AWAY, "plain-s1", True)}


def test_a_password_that_is_entered_again_is_saved_for_the_new_address(make: Make) -> None:
    tcp = Proving()
    engine = make(moved(), tcp.source())
    engine.scanner.ask([1])
    secret = {"id": "s9", "sealed": "sealed"}
    edit = Edit("change", "id:1", {"source": "tcp", "secret": secret}, "otto", fleets.now())
    engine.tracker.apply([edit], fleets.now())
    assert engine.tracker.devices()[1].access["tcp"].secret_host == AWAY
    assert engine.scanner.ask([1])[0].state == "answered"
    assert tcp.asked[-1] == (AWAY, "plain-s9", True)
    until(
        lambda: (
            [fault.kind for fault in engine.tracker.devices()[1].findings] == ["identity.unproven"]
        )
    )


# -- how long a proof holds --------------------------------------------------------------


def heard(engine: Engine, keys: str | tuple[str, ...], address: str) -> None:
    """A broadcast says that this device is there."""
    keys, at = (keys,) if isinstance(keys, str) else keys, fleets.now()
    engine.tracker.apply([Sighting("here", keys, "heard", at, address=address, asked=at)], at)


def proved_away(make: Make) -> tuple[Engine, Proving]:
    """A device that has proved itself at AWAY, and got its password there."""
    tcp = Proving(key(1))
    engine = make(moved(), tcp.source())
    until(lambda: (AWAY, "plain-s1", True) in tcp.asked)
    engine.scanner.ask([1])
    tcp.asked.clear()
    return engine, tcp


def passwords(engine: Engine, tcp: Proving) -> list[tuple[str, str | None]]:
    """The hosts that were asked now, and with which password."""
    tcp.asked.clear()
    engine.scanner.ask([1])
    return [(host, secret) for host, secret, _option in tcp.asked]


def test_another_device_at_a_former_address_gets_no_password(make: Make) -> None:
    """The camera was there and proved itself; it left, and a forged broadcast says it is back."""
    engine, tcp = proved_away(make)
    tcp.proved_at = {AWAY: "onvif:stranger"}
    heard(engine, key(1), "10.8.8.8")
    until(lambda: ("10.8.8.8", "plain-s1", True) in tcp.asked)
    tcp.asked.clear()
    heard(engine, key(1), AWAY)
    until(lambda: (AWAY, None, False) in tcp.asked)
    engine.scanner.ask([1])
    assert {ask for ask in tcp.asked if ask[0] == AWAY} == {(AWAY, None, False)}


def test_a_move_away_and_back_that_no_question_saw_ends_the_proof(make: Make) -> None:
    engine, tcp = proved_away(make)
    at = fleets.now()
    away = Sighting("here", (key(1),), "heard", at, address="10.8.8.8", asked=at)
    later = at + timedelta(microseconds=1)
    back = replace(away, address=AWAY, at=later, asked=later)
    engine.tracker.apply([away, back], later)
    assert len(engine.tracker.devices()[1].addresses) == 2
    assert passwords(engine, tcp)[0] == (AWAY, None)


def test_another_device_that_proves_the_address_ends_the_proof(make: Make) -> None:
    engine, tcp = proved_away(make)
    heard(engine, "onvif:stranger", AWAY)
    assert passwords(engine, tcp)[0] == (AWAY, None)
    assert passwords(engine, tcp) == [(AWAY, "plain-s1")], "as often as it does so, not always"
    heard(engine, "onvif:stranger", AWAY)
    assert passwords(engine, tcp)[0] == (AWAY, None)


def test_a_miss_ends_the_proof(make: Make) -> None:
    engine, tcp = proved_away(make)
    tcp.proves = "silent"
    assert engine.scanner.ask([1])[0].state == "missed"
    tcp.proves = key(1)
    assert passwords(engine, tcp)[0] == (AWAY, None)


def test_other_keys_and_another_access_end_the_proof(make: Make) -> None:
    engine, tcp = proved_away(make)
    heard(engine, (key(1), "mac:d4:2d:c5:00:00:01"), AWAY)
    assert passwords(engine, tcp)[0] == (AWAY, None)
    edit = Edit("change", "id:1", {"source": "tcp", "username": "eve"}, "otto", fleets.now())
    engine.tracker.apply([edit], fleets.now())
    assert passwords(engine, tcp)[0] == (AWAY, None)


def test_a_proof_ends_with_its_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, tcp = proved_away(make)
    assert passwords(engine, tcp) == [(AWAY, "plain-s1")]
    monkeypatch.setattr(secret_hosts, "PROOF_LASTS", 0.0)
    assert passwords(engine, tcp)[0] == (AWAY, None)


def test_a_disputed_key_proves_nothing(make: Make) -> None:
    """Two live devices have it: who answers with it may be the other one."""
    engine, tcp = proved_away(make)
    fleet = engine.tracker.fleet()
    engine.tracker._fleet = replace(fleet, disputed={key(1): fleets.now()})
    assert passwords(engine, tcp) == [(AWAY, None)]
