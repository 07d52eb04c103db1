"""Asking one device: its miss, its deadline and its error are its own."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import discovery.due_queue
import discovery.scanner
from discovery import jobs, probe_results
from discovery.scanner import Scanner
from discovery.sessions import Sessions, Stream
from fleet.model import (
    DEFAULT_SITE,
    CannotAsk,
    Coverage,
    Device,
    Edit,
    Miss,
    NoAnswer,
    Sighting,
    Target,
)
from sources.source import Source
from store.vault import SecretLost
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import ProbedSource, breaks, busy, cut, hangs, key, listed, silent
from tests.home import until

Make = Callable[..., Engine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """An engine whose tracker knows these devices."""
    engines: list[Engine] = []

    def made(devices: list[Device], *sources: Source, **more: Any) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        engines.append(Engine(tmp_path, fleets.now, *sources, **more))  # type: ignore[arg-type]
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first miss is followed by questions after fractions of a second."""
    monkeypatch.setattr(discovery.due_queue, "RETRIES", (0.3, 0.6))


# -- when due ----------------------------------------------------------------------------


def test_listed_devices_are_asked_by_themselves(make: Make) -> None:
    tcp = ProbedSource()
    engine = make([listed(id, was_up=False) for id in range(1, 31)], tcp.source(interval=1.0))
    until(lambda: set(engine.status().values()) == {"ACTIVE"})
    until(lambda: min(len(tcp.times(id)) for id in range(1, 31)) >= 3)
    assert "tcp" in engine.scanner.heard


def test_a_miss_is_told_at_once_and_asked_again_soon(make: Make, hasty: None) -> None:
    tcp = ProbedSource(behaviour={1: silent})
    engine = make([listed(1), listed(2)], tcp.source())
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    assert engine.tracker.devices()[1].states["tcp"].reason == "no answer to 3 requests"
    until(lambda: len(tcp.times(1)) == 3)
    first, second, third = tcp.times(1)
    assert (second - first >= 0.3, third - first >= 0.6) == (True, True)
    assert len(tcp.times(2)) == 1, "who answers is not asked again"
    assert engine.kinds() == ["device.offline"]


def test_a_device_added_or_changed_while_it_runs_is_asked_at_once(make: Make) -> None:
    tcp = ProbedSource()
    engine = make([listed(1)], tcp.source())
    until(lambda: len(tcp.times(1)) == 1)
    fleet = engine.tracker.fleet()
    moved = replace(fleet.devices[1], address="10.9.9.9")
    engine.tracker._fleet = replace(fleet, devices={1: moved, 2: listed(2)})
    until(lambda: len(tcp.times(1)) == 2 and len(tcp.times(2)) == 1)
    assert tcp.asked[-1][1].host in ("10.9.9.9", "10.0.0.2")


def test_what_was_asked_of_a_device_that_is_gone_brings_it_back_by_no_means(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: lambda target: 0.5})
    engine = make([listed(1), listed(2)], tcp.source())
    until(lambda: len(tcp.times(1)) == 1)
    engine.tracker.apply([Edit("retire", "id:1", {}, "otto", fleets.now())], fleets.now())
    until(lambda: tcp.at_once == 0)
    engine.scanner.ask([2])
    assert engine.tracker.devices()[1].retired_at is not None


# -- one device alone --------------------------------------------------------------------


def test_a_device_that_hangs_is_missed_at_its_deadline_and_holds_up_nobody(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: hangs})
    engine = make([listed(id) for id in range(1, 21)], tcp.source(timeout=0.4, cap=2))
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    assert engine.tracker.devices()[1].states["tcp"].reason == "no response within 0.4 s"
    until(lambda: all(tcp.times(id) for id in range(1, 21)))
    assert tcp.most_at_once == 2
    assert [identity for identity, status in engine.status().items() if status != "ACTIVE"] == [
        key(1)
    ]


def test_an_error_in_a_source_is_logged_once_and_is_no_miss(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    tcp = ProbedSource(behaviour={1: breaks, 2: breaks})
    engine = make([listed(1), listed(2), listed(3)], tcp.source(interval=1.0))
    until(lambda: all(engine.tracker.devices()[id].findings for id in (1, 2)))
    until(lambda: len(tcp.times(1)) >= 3)
    assert set(engine.status().values()) == {"ACTIVE"}
    text = engine.tracker.devices()[1].findings[0].text
    assert text == "TCP: internal error (ZeroDivisionError); see the log"
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    assert not engine.tracker.devices()[3].findings
    tcp.behaviour.clear()
    until(lambda: not any(device.findings for device in engine.tracker.devices().values()))


@pytest.mark.parametrize(
    ("number", "text"),
    [(errno.ECONNREFUSED, "connection refused"), (errno.EHOSTUNREACH, "no host")],
)
def test_an_error_of_the_network_in_front_of_a_device_is_its_miss(
    make: Make, number: int, text: str
) -> None:
    tcp = ProbedSource(behaviour={1: lambda target: OSError(number, "nothing")})
    engine = make([listed(1)], tcp.source())
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    assert text in engine.tracker.devices()[1].states["tcp"].reason


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENETUNREACH, errno.EADDRNOTAVAIL])
def test_an_error_of_this_machine_is_nobodys_miss(make: Make, number: int) -> None:
    tcp = ProbedSource(behaviour={1: lambda target: OSError(number, "nothing")})
    engine = make([listed(1)], tcp.source())
    until(lambda: list(engine.tracker.down()) == ["tcp"])
    assert engine.status() == {key(1): "ACTIVE"}


def test_no_route_to_one_device_is_its_own_miss_while_the_server_has_a_network(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = SimpleNamespace(
        family=socket.AF_INET, address="10.0.0.9", broadcast=None, netmask="255.255.255.0"
    )
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"eth7": SimpleNamespace(isup=True)})
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth7": [address]})
    tcp = ProbedSource(behaviour={1: lambda target: OSError(errno.ENETUNREACH, "nothing")})
    engine = make([listed(1), listed(2)], tcp.source())
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    assert engine.tracker.devices()[1].states["tcp"].reason == "no route to it"
    assert not engine.tracker.down()
    assert engine.status()[key(2)] == "ACTIVE"


def test_a_device_in_whose_place_another_one_answers_is_missed(make: Make) -> None:
    def other(target: Target) -> list[Sighting]:
        return [Sighting(DEFAULT_SITE, (key(2),), "tcp", fleets.now(), address="10.0.0.2")]

    tcp = ProbedSource(behaviour={1: other})
    engine = make([listed(1), listed(2)], tcp.source())
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    reason = engine.tracker.devices()[1].states["tcp"].reason
    assert reason == "another device responds at this address", (
        "who sees only this one reads it, too"
    )
    assert engine.status()[key(2)] == "ACTIVE"


def test_an_answer_that_proves_nothing_is_a_miss(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: lambda target: []})
    engine = make([listed(1)], tcp.source())
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reason) == (
        probe_results.MISSED,
        "its response does not identify it",
    )
    assert engine.status() == {key(1): "OFFLINE"}


# -- scopes ------------------------------------------------------------------------------


def test_a_scope_that_is_down_is_told_once_and_calls_nobody_missing(make: Make) -> None:
    tcp = ProbedSource(behaviour=dict.fromkeys(range(1, 11), cut))
    engine = make([listed(id) for id in range(1, 13)], tcp.source(interval=1.0))
    until(lambda: min(len(tcp.times(id)) for id in range(1, 13)) >= 2)
    until(lambda: list(engine.tracker.down()) == ["tcp:eth0"])
    assert set(engine.status().values()) == {"ACTIVE"}
    del tcp.behaviour[7]
    until(lambda: "source.up" in engine.kinds())
    tcp.behaviour.clear()
    until(lambda: not engine.tracker.down())
    kinds = engine.kinds()
    assert [kind for kind in kinds if kind.startswith("device.")] == []


# -- parents -----------------------------------------------------------------------------


def test_a_parent_is_asked_at_once_and_once_when_its_children_miss(make: Make) -> None:
    names = range(2, 12)
    tcp = ProbedSource(behaviour={1: lambda target: 0.01})
    engine = make(
        [listed(1, interval=500), *(listed(id, parents=[1]) for id in names)],
        tcp.source(interval=1.0),
    )
    until(lambda: all(tcp.times(id) for id in range(1, 12)))
    entry = engine.scanner.prober.queue.entry((1, "tcp"))
    assert entry is not None
    entry.began -= 60  # it was asked a minute ago
    before = len(tcp.times(1))
    tcp.behaviour.update(dict.fromkeys(names, silent))
    tcp.behaviour[1] = silent
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    until(lambda: set(engine.status().values()) == {"OFFLINE", "UNREACHABLE"})
    assert len(tcp.times(1)) == before + 1


# -- asking some -------------------------------------------------------------------------


def test_who_asks_about_some_devices_gets_their_answers_and_asks_no_others(make: Make) -> None:
    tcp, udp = ProbedSource(), ProbedSource("udp", {2: silent})
    devices = [listed(1, "tcp"), listed(2, "udp", "tcp"), listed(3, "tcp")]
    engine = make(devices, tcp.source(), udp.source())
    until(lambda: all(tcp.times(id) for id in (1, 2, 3)) and udp.times(2))
    until(lambda: tcp.at_once == 0)
    before = len(tcp.asked)
    answers = engine.scanner.ask([1, 2])
    results = {(answer.device, answer.source): (answer.state, answer.reason) for answer in answers}
    assert results == {
        (1, "tcp"): ("answered", ""),
        (2, "tcp"): ("answered", ""),
        (2, "udp"): ("missed", "no answer to 3 requests"),
    }
    assert len(tcp.asked) == before + 2
    assert engine.tracker.devices()[2].states["udp"].misses >= 2, "the tracker has it already"
    assert [answer.source for answer in engine.scanner.ask([2], ["udp"])] == ["udp"]
    assert engine.scanner.ask([99]) == []


def test_who_asks_while_a_question_is_under_way_shares_its_answer(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: lambda target: 0.8})
    engine = make([listed(1)], tcp.source())
    until(lambda: tcp.at_once == 1)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(engine.scanner.ask([1]))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [answer.state for answer in answers] == ["answered"] * 3
    assert len(tcp.asked) == 1


def test_an_engine_that_closes_lets_who_waits_go_and_calls_nobody_missing(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: hangs, 2: hangs})
    engine = make([listed(1), listed(2)], tcp.source(timeout=3600, cap=1))
    until(lambda: tcp.at_once == 1)
    answers: list[Any] = [None]
    waiting = threading.Thread(target=lambda: answers.extend(engine.scanner.ask([1, 2])))
    waiting.start()
    until(lambda: engine.scanner.prober._awaited)
    engine.scanner.close()
    waiting.join(20)
    assert not waiting.is_alive()
    assert answers == [None], "nobody answered"
    assert set(engine.status().values()) == {"ACTIVE"}


# -- scans and sweeps --------------------------------------------------------------------


def test_a_scan_asks_the_listed_devices_too(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: silent})
    engine = make([listed(1), listed(2), listed(3)], tcp.source())
    until(lambda: all(tcp.times(id) for id in (1, 2, 3)))
    assert engine.scanner.start("test", ["tcp"])
    did = engine.ended()
    assert (did["state"], did["found"], did["missed"]) == ("done", 2, 1)
    assert did["sources"][0]["listed"] == 3


def test_a_scan_that_is_stopped_asks_no_further_and_calls_nobody_missing(make: Make) -> None:
    ids = range(1, 31)
    tcp = ProbedSource()
    engine = make([listed(id) for id in ids], tcp.source(cap=3))
    until(lambda: all(tcp.times(id) for id in ids) and not tcp.at_once)
    tcp.behaviour.update(dict.fromkeys(ids, lambda target: 0.3))
    assert engine.scanner.start("test")
    until(lambda: tcp.at_once == 3)
    assert engine.scanner.cancel()
    assert engine.ended()["state"] == "cancelled"
    asked = len(tcp.asked)
    engine.scanner.ask([30])
    engine.scanner.ask([29])
    assert len(tcp.asked) == asked + 2
    assert set(engine.status().values()) == {"ACTIVE"}


def discovering(tcp: ProbedSource, events: list[str]) -> Source:
    """The source, which also discovers; nobody answers that."""

    async def discover() -> Any:
        events.append("discovery begins")
        yield Coverage("tcp", ("tcp",), 1, 0)

    return replace(tcp.source(timeout=2, cap=1, interval=86_400.0), discover=discover)


def test_an_automatic_scan_discovers_and_leaves_probes_to_their_own_intervals(make: Make) -> None:
    tcp, events = ProbedSource(), list[str]()
    engine = make([listed(id) for id in (1, 2, 3)], discovering(tcp, events))
    until(lambda: all(tcp.times(id) for id in (1, 2, 3)) and not tcp.at_once)
    before = len(tcp.asked)
    assert jobs.scan(engine.scanner) == "0 devices online"
    assert (events, len(tcp.asked)) == (["discovery begins"], before)
    assert set(engine.status().values()) == {"ACTIVE"}, "a discovery does not judge a probed device"
    assert engine.ended()["missed"] == 0


def test_a_scan_of_a_person_discovers_while_it_probes_and_waits_for_both(make: Make) -> None:
    tcp, events = ProbedSource(), list[str]()
    engine = make([listed(id) for id in (1, 2, 3)], discovering(tcp, events))
    until(lambda: all(tcp.times(id) for id in (1, 2, 3)) and not tcp.at_once)
    before = len(tcp.asked)
    tcp.behaviour |= {1: lambda target: 1.0, 2: lambda target: 1.0, 3: silent}
    assert engine.scanner.start("otto")
    until(lambda: events and tcp.at_once, what="it discovers while it probes")
    did = engine.ended()
    assert (did["state"], did["found"], did["missed"]) == ("done", 2, 1)
    assert (did["sources"][0]["state"], did["sources"][0]["listed"]) == ("done", 3)
    assert len(tcp.asked) == before + 3
    assert engine.status() == {key(1): "ACTIVE", key(2): "ACTIVE", key(3): "OFFLINE"}


class Sweeps:
    """A source that asks all listed devices one after the other, over a time that is given."""

    def __init__(self, *ids: int) -> None:
        self.targets = [Target(DEFAULT_SITE, key(id), "10.0.0.1") for id in ids]
        self.began: list[list[str]] = []
        self.ended: list[list[str]] = []
        self.go = threading.Event()

    async def sweep(self, targets: Any, spread: float) -> Any:
        keys = [target.key for target in targets]
        self.began.append(keys)
        for target in targets:
            if spread:
                await asyncio.to_thread(self.go.wait, 20)
            yield Sighting(target.site, (target.key,), "swept", fleets.now())
        yield Coverage("swept", ("swept",), len(keys), len(keys), failed={"swept:x": "it is out"})
        self.ended.append(keys)

    def source(self) -> Source:
        return Source("swept", "Swept", 60, sweep=self.sweep)


def swept(make: Make, *ids: int) -> tuple[Engine, Sweeps]:
    sweeps = Sweeps(*ids)
    devices = [replace(listed(id), access={}) for id in ids]
    return make(devices, sweeps.source(), targets=lambda name: sweeps.targets), sweeps


def test_a_question_about_one_leaves_a_sweep_of_all_alone(make: Make) -> None:
    engine, sweeps = swept(make, 1, 2, 3)
    slow = threading.Thread(target=engine.scanner.sweep, args=("swept", 30.0))
    slow.start()
    until(lambda: sweeps.began)
    (answer,) = engine.scanner.ask([2])
    assert (answer.device, answer.state) == (2, "answered")
    assert sweeps.ended == [[key(2)]], "that of all still runs"
    assert engine.tracker.down() == {}, "three are not judged by one of them"
    sweeps.go.set()
    slow.join(20)
    assert sweeps.ended == [[key(2)], [key(1), key(2), key(3)]]
    assert list(engine.tracker.down()) == ["swept:x"]


def test_a_sweep_of_all_now_answers_for_one_that_takes_its_time(make: Make) -> None:
    engine, sweeps = swept(make, 1, 2, 3)
    progress: list[Any] = []
    slow = threading.Thread(target=lambda: progress.append(engine.scanner.sweep("swept", 30.0)))
    slow.start()
    until(lambda: sweeps.began)
    assert engine.scanner.sweep("swept", 30.0) is None, "it is under way"
    assert engine.scanner.start("test")
    assert engine.ended()["found"] == 3
    slow.join(20)
    sweeps.go.set()
    assert len(progress[0].found) == 3
    assert sweeps.ended == [[key(1), key(2), key(3)]]


def test_a_sweep_that_breaks_spoils_no_answer_of_another_source(make: Make) -> None:
    """Whatever it raises; and what keeps a few from being asked is not told of all."""
    errors = [ZeroDivisionError("nobody"), OSError(errno.EMFILE, "x"), CannotAsk("swept", "cut")]

    async def sweep(targets: Any, spread: float) -> Any:
        yield Sighting(DEFAULT_SITE, ("onvif:77",), "swept", fleets.now())
        raise errors.pop(0)

    tcp = ProbedSource(behaviour=dict.fromkeys((1, 2), lambda target: 0.1))
    engine = make(
        [listed(1), listed(2)],
        *(tcp.source(), Source("swept", "Swept", 60, sweep=sweep)),
        targets=lambda name: [Target(DEFAULT_SITE, key(2), "10.0.0.2")],
    )
    reasons = []
    while errors:
        states = {(answer.device, answer.source): answer for answer in engine.scanner.ask([1, 2])}
        assert (states[1, "tcp"].state, states[2, "tcp"].state) == ("answered", "answered")
        reasons.append((states[2, "swept"].state, states[2, "swept"].reason))
    assert reasons == [
        ("failed", "internal error (ZeroDivisionError); see the log"),
        ("failed", "internal error (OSError); see the log"),
        ("not asked", "cut"),
    ]
    assert engine.tracker.down() == {}


def test_what_was_probed_is_noted_like_a_scan(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery.scanner, "NOTE_EVERY", 0.3)
    noted: list[Any] = []
    tcp, udp = ProbedSource(behaviour={2: silent}), ProbedSource("udp", {3: cut})
    engine = make(
        [listed(1), listed(2), listed(3, "udp")],
        *(tcp.source(), udp.source()),
        on_asked=lambda at, did: noted.extend(did),
    )
    until(lambda: engine.tracker.down() and sum(entry.coverage.requests for entry in noted) == 2)
    assert {entry.name for entry in noted} == {"tcp"}, "what could not be asked was not asked"
    assert [scope for entry in noted for scope in entry.coverage.scopes][0] == "tcp"
    assert sum(entry.coverage.answers for entry in noted) == 1


# -- sessions ----------------------------------------------------------------------------


def test_a_device_whose_stream_is_read_is_seen_and_not_probed(make: Make) -> None:
    tcp = ProbedSource()
    engine = make([listed(1), listed(2)], tcp.source(interval=1.0, takes_session=True))
    until(lambda: tcp.times(1))
    sessions = engine.scanner.sessions
    until(lambda: sessions.reserve(1, Stream(1, "1/main")))
    sessions.reader_alive(1, Stream(1, "1/main"), float("inf"))
    before = len(tcp.times(1))
    seen = engine.tracker.devices()[1].last_seen
    assert seen is not None
    until(lambda: engine.tracker.devices()[1].last_seen > seen)  # type: ignore[operator]
    until(lambda: len(tcp.times(2)) >= 4)
    assert len(tcp.times(1)) <= before + 1, "one may have begun just before"
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reason) == ("answered", "its stream is being read")


def test_a_device_that_refuses_a_session_is_alive_and_its_budget_is_lowered(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: busy})
    engine = make([listed(1)], tcp.source(takes_session=True))
    sessions = engine.scanner.sessions
    until(lambda: sessions.budget(1) == 1 and not tcp.at_once)
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reason) == ("answered", "453 Not Enough Bandwidth")
    until(lambda: sessions.reserve(1, Stream(1, "1/main")))
    assert engine.status() == {key(1): "ACTIVE"}
    asked = len(tcp.asked)
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reason) == (
        "not asked",
        "all 1 sessions of the device are in use",
    )
    assert len(tcp.asked) == asked
    sessions.release(1, Stream(1, "1/main"))
    del tcp.behaviour[1]
    (answer,) = engine.scanner.ask([1])
    assert answer.state == "answered"


def recorder_with_channels() -> list[Device]:
    """A recorder and its channels 2 and 3, which it serves at its own address."""
    channels = [listed(id, address="10.0.0.1", parents=[1]) for id in (2, 3)]
    return [listed(1), *channels]


def test_a_reader_of_one_channel_proves_no_other_channel_of_the_recorder(make: Make) -> None:
    tcp = ProbedSource(behaviour=dict.fromkeys((1, 2, 3), silent))
    sessions = Sessions()
    assert sessions.reserve(1, Stream(2, "main"))
    sessions.reader_alive(1, Stream(2, "main"), float("inf"))
    engine = make(recorder_with_channels(), tcp.source(takes_session=True), sessions=sessions)
    answers = {answer.device: answer for answer in engine.scanner.ask([1, 2, 3])}
    assert {id: (answer.state, answer.reason) for id, answer in answers.items()} == {
        1: ("answered", "its stream is being read"),
        2: ("answered", "its stream is being read"),
        3: ("missed", "no answer to 3 requests"),
    }
    assert {target.options["number"] for _at, target in tcp.asked} == {3}
    assert engine.status() == {key(1): "ACTIVE", key(2): "ACTIVE", key(3): "OFFLINE"}


def test_a_session_that_a_recorder_refuses_says_nothing_about_the_channel(make: Make) -> None:
    tcp = ProbedSource(behaviour={3: silent})
    engine = make(recorder_with_channels(), tcp.source(takes_session=True))
    until(lambda: engine.status()[key(3)] == "OFFLINE")
    tcp.behaviour[3] = busy
    (answer,) = engine.scanner.ask([3])
    reason = "the recorder has no free session (453 Not Enough Bandwidth)"
    assert (answer.state, answer.reason) == ("not asked", reason)
    assert engine.scanner.sessions.budget(1) == 1, "that of the recorder"
    assert engine.status() == {key(1): "ACTIVE", key(2): "ACTIVE", key(3): "OFFLINE"}


# -- secrets -----------------------------------------------------------------------------


def test_a_secret_is_unsealed_when_the_question_begins_and_shown_nowhere(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    opened: list[str] = []

    def unseal(id: str) -> str:
        opened.append(id)
        if id == "lost":
            raise SecretLost("no key")
        return f"plain-{id}"

    tcp = ProbedSource(behaviour={1: lambda target: NoAnswer(f"{target}"), 2: breaks})
    devices = [
        listed(1, username="root", secret="s1", secret_options={"community": "s3"}),
        listed(2, secret="s2"),
        listed(3, secret="lost"),
    ]
    engine = make(devices, tcp.source(), unseal=unseal)
    until(lambda: len(tcp.asked) == 2 and "lost" in opened)
    until(lambda: engine.tracker.devices()[3].findings)
    target = next(target for _at, target in tcp.asked if target.options["number"] == 1)
    assert (target.secret, target.options["community"]) == ("plain-s1", "plain-s3")
    assert sorted(opened)[:2] == ["lost", "s1"]
    until(lambda: engine.tracker.devices()[2].findings)
    engine.scanner.close()
    engine.tracker.close()
    kept = (engine.tracker.store.path).read_text() + caplog.text
    assert "plain" not in kept.replace("explain", "")
    assert engine.tracker.down() == {}, "one password says nothing of other devices"
    assert engine.status()[key(3)] == "ACTIVE"


@pytest.mark.parametrize("behave", [lambda target: None, silent])
def test_a_password_that_cannot_be_read_is_a_finding_until_another_is_entered(
    make: Make, behave: Any
) -> None:
    opens = False

    def unseal(id: str) -> str:
        if not opens:
            raise SecretLost("no key")
        return id

    tcp = ProbedSource(behaviour={1: behave})
    engine = make([listed(1, secret="s1"), listed(2)], tcp.source(), unseal=unseal)
    (answer,) = engine.scanner.ask([1])
    assert (answer.state, answer.reason) == (
        "not asked",
        "TCP: the stored password cannot be read; enter it again",
    )
    finding = engine.tracker.devices()[1].findings[0]
    assert (finding.kind, finding.text) == ("access.password", answer.reason)
    assert not engine.tracker.devices()[2].findings
    opens = True
    engine.scanner.ask([1])
    kinds = [fault.kind for fault in engine.tracker.devices()[1].findings]
    assert kinds == ([] if behave is silent else ["identity.unproven"])


def test_a_report_names_the_device_however_often_its_keys_change(make: Make) -> None:
    tcp = ProbedSource(behaviour={1: silent})
    engine = make([listed(1)], tcp.source())
    until(lambda: engine.status()[key(1)] == "OFFLINE")
    misses = [
        report for _at, batch in engine.batches for report in batch if isinstance(report, Miss)
    ]
    assert {miss.identity for miss in misses} == {"id:1"}
    assert isinstance(engine.scanner, Scanner)
