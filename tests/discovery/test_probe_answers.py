"""What an answer to a question proves: a device by its keys, or only that a place answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.database import record
from fleet.model import Device, Edit, Learned, Report, Sighting, Target
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import ProbedSource, listed, now
from tests.home import until

Make = Callable[..., Engine]
COUNT = 20


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """An engine whose tracker knows these devices, and that asks only when it is told."""
    engines: list[Engine] = []

    def made(devices: Sequence[Device], tcp: ProbedSource) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        engines.append(Engine(tmp_path, fleets.now, tcp.source()))  # type: ignore[arg-type]
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def mac(number: int) -> str:
    return f"mac:d4:2d:c5:00:00:{number:02x}"


def camera(id: int, *keys: str, **more: Any) -> Device:
    return replace(listed(id, **more), identities=keys or (mac(id),))


def answers(target: Target, *keys: str, **more: Any) -> Sequence[Report]:
    return [Sighting(target.site, keys, "tcp", now(), address=target.host, **more)]


def keys(engine: Engine) -> dict[int, tuple[str, ...]]:
    return {id: device.identities for id, device in engine.devices().items()}


# -- who it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", [False, True])
@pytest.mark.parametrize(
    "identities",
    [
        lambda target, read: (read,),
        lambda target, read: (read, target.key),
        lambda target, read: (target.key, read),
    ],
)
def test_cameras_that_swap_their_addresses_keep_their_records(
    make: Make, identities: Callable[..., tuple[str, ...]], host: bool
) -> None:
    ids = range(1, COUNT + 1)
    devices = [camera(id, host=f"10.0.0.{id}" if host else None) for id in ids]
    device_at = {f"10.0.0.{id}": id for id in ids}

    def behave(target: Target) -> Sequence[Report]:
        return answers(target, *identities(target, mac(device_at[target.host])))

    engine = make(devices, ProbedSource(behaviour=dict.fromkeys(ids, behave)))
    engine.scanner.ask(ids)
    device_at.update({f"10.0.0.{id}": COUNT + 1 - id for id in ids})
    engine.scanner.ask(ids)
    assert keys(engine) == {id: (mac(id),) for id in ids}
    assert not engine.tracker.fleet().disputed
    addresses = {id: device.address for id, device in engine.devices().items()}
    assert addresses == {id: f"10.0.0.{COUNT + 1 - id}" for id in ids}


@pytest.mark.parametrize("echo", [False, True])
def test_an_unknown_camera_at_the_address_of_another_is_a_new_one(make: Make, echo: bool) -> None:
    def other(target: Target) -> Sequence[Report]:
        return answers(target, mac(9), *((target.key,) if echo else ()))

    engine = make([camera(1)], ProbedSource(behaviour={1: other}))
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reason) == ("missed", "another device responds at this address")
    assert keys(engine) == {1: (mac(1),), 2: (mac(9),)}
    assert engine.status() == {mac(1): "OFFLINE", mac(9): "ACTIVE"}


def test_a_device_that_is_known_by_its_place_learns_its_mac(make: Make) -> None:
    place = "tcp:10.0.0.1:7000"
    device = camera(1, place, host="10.0.0.1", port=7000)
    engine = make([device], ProbedSource(behaviour={1: lambda target: answers(target, mac(1))}))
    (answer,) = engine.scanner.ask([1])
    assert answer.state == "answered"
    assert keys(engine) == {1: (place, mac(1))}


def test_an_answer_that_proves_only_the_place_is_one_of_the_device_that_was_asked(
    make: Make,
) -> None:
    """Several channels have the address of their recorder, and here two devices have one."""
    ids = range(1, 5)
    devices = [camera(id, address="10.0.0.9", path=f"/{id}", was_up=id != 2) for id in ids]
    tcp = ProbedSource()
    engine = make(devices, tcp)
    engine.scanner.ask(ids)
    assert keys(engine) == {id: (mac(id),) for id in ids}, "and it has no key more"
    assert set(engine.status().values()) == {"ACTIVE"}
    assert engine.devices()[2].last_seen is not None
    assert {target.key for _at, target in tcp.asked} == {f"tcp:10.0.0.9/{id}" for id in ids}


def test_a_key_that_proves_nothing_leaves_the_device_as_it_is(make: Make) -> None:
    def zeros(target: Target) -> Sequence[Report]:
        return answers(target, "mac:00:00:00:00:00:00", target.key)

    engine = make([camera(1)], ProbedSource(behaviour={1: zeros}))
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, keys(engine)) == ("answered", {1: (mac(1),)})


# -- what was learned --------------------------------------------------------------------

PIN, OTHER_PIN = "a" * 64, "b" * 64


def learns(method: str, pin: str | None = None) -> Callable[[Target], Sequence[Report]]:
    return lambda target: answers(target, target.key, learned=Learned(method, pin))


def test_the_login_method_and_the_first_certificate_are_kept_for_the_next_question(
    make: Make,
) -> None:
    tcp = ProbedSource(behaviour={1: learns("digest", PIN)})
    engine = make([camera(1, username="root")], tcp)
    before = len(engine.kinds())
    engine.scanner.ask([1])
    access = engine.devices()[1].access["tcp"]
    assert (access.method, access.tls_pin, access.username) == ("digest", PIN, "root")
    asked = len(tcp.asked)
    tcp.behaviour[1] = learns("basic", OTHER_PIN)
    engine.scanner.ask([1])
    assert len(tcp.asked) == asked + 1, "what a question learned asks nothing"
    assert (tcp.asked[-1][1].method, tcp.asked[-1][1].tls_pin) == ("digest", PIN)
    access = engine.devices()[1].access["tcp"]
    assert (access.method, access.tls_pin) == ("basic", PIN), "only the first one is trusted"
    tcp.behaviour[1] = learns("<script>", "no fingerprint")
    engine.scanner.ask([1])
    assert engine.devices()[1].access["tcp"] == access
    assert len(engine.kinds()) == before, "it is worth no event"


def test_a_refused_login_is_in_the_file_at_once(make: Make, tmp_path: Path) -> None:
    def refuses(target: Target) -> Sequence[Report]:
        return answers(target, target.key, learned=Learned(refusals=target.refusals + 1))

    def written() -> int:
        (device,) = record.decode((tmp_path / "fleet.json").read_bytes()).devices.values()
        return device.access["tcp"].refusals

    engine = make([camera(1, username="root")], ProbedSource(behaviour={1: refuses}))
    for count in (1, 2):
        engine.scanner.ask([1])
        until(lambda count=count: written() == count)


def test_what_was_learned_with_an_access_that_a_person_changed_since_is_not_kept(
    make: Make,
) -> None:
    def changed_meanwhile(target: Target) -> Sequence[Report]:
        fields = {"source": "tcp", "username": "otto"}
        if target.username == "root":
            engine.tracker.apply([Edit("change", "id:1", fields, "otto", now())], now())
            return learns("digest", PIN)(target)
        return answers(target, target.key)

    tcp = ProbedSource(behaviour={1: changed_meanwhile})
    engine = make([camera(1, username="root", was_up=False)], tcp)
    until(lambda: engine.status() == {mac(1): "ACTIVE"})
    access = engine.devices()[1].access["tcp"]
    assert (access.username, access.method, access.tls_pin) == ("otto", "", None)
