"""Cameras that want the login in the path of their stream: connection tests and checks of them,
with a login of their own, that of their recorder, and a credential set."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery.refused_logins import RefusedLogins
from discovery.trial_steps import Step, TrialConnection, TrialRequest
from fleet.model import Device, Edit
from simulators.rtsp import Accounts, RtspDevice, RtspServers, Stream
from sources import login_texts, rtsp
from store.secret_counts import SecretCounts
from store.vault import Vault
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import listed, now
from tests.home import free_port

Make = Callable[..., Engine]
PATH = "/cam/realmonitor?channel=1&loginuse={username}&loginpas={password}&subtype=0"
SENT = PATH.format(username="root", password="right")


@pytest.fixture(scope="module")
def servers() -> Iterator[RtspServers]:
    with RtspServers([], free_port()) as running:
        yield running


@pytest.fixture
def device(servers: RtspServers) -> RtspDevice:
    """One that asks for a Digest besides the login in the path."""
    return add(servers, accounts=Accounts("root", "right"))


def add(servers: RtspServers, **more: Any) -> RtspDevice:
    made = RtspDevice(f"127.80.9.{10 + len(servers.devices)}", streams={SENT: Stream()}, **more)
    servers.add(made)
    return made


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    engines: list[Engine] = []

    def made(*devices: Device) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        counts = SecretCounts(tmp_path / "refused.json", Vault(tmp_path / "keys"), "logins")
        more: dict[str, Any] = {"unseal": str, "refused": RefusedLogins(counts)}
        engines.append(Engine(tmp_path, now, rtsp.source(now), **more))  # type: ignore[arg-type]
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def tried(
    engine: Engine, servers: RtspServers, device: RtspDevice, password: str = "right", **more: Any
) -> dict[str, Step]:
    """The steps of a connection test by name."""
    connections = (TrialConnection("rtsp", servers.port, PATH),)
    request = TrialRequest(device.address, connections, "root", password, **more)
    return {step.name: step for step in engine.scanner.try_out(request)}


def sent(device: RtspDevice) -> list[str]:
    """The paths that DESCRIBE asked for."""
    urls = [request.url for request in device.requests if request.method == "DESCRIBE"]
    return ["/" + url.split("/", 3)[3] for url in urls]


def outcomes(device: RtspDevice) -> list[str]:
    return [attempt.outcome for attempt in device.accounts.attempts]


def test_a_test_sends_the_login_in_the_path_and_as_a_digest(
    make: Make, servers: RtspServers, device: RtspDevice
) -> None:
    steps = tried(make(), servers, device)
    assert (steps["login"].state, steps["login"].text) == ("ok", "Logged in as root")
    assert steps["describe"].facts["path"] == PATH
    assert set(sent(device)) == {SENT}
    assert set(outcomes(device)) == {"right"}


def test_a_right_login_in_a_path_gives_a_new_budget(
    make: Make, servers: RtspServers, device: RtspDevice
) -> None:
    engine = make()
    for _ in range(3):
        assert tried(engine, servers, device)["login"].state == "ok"


def test_a_test_of_a_wrong_login_in_a_path_costs_two_refusals_and_no_more(
    make: Make, servers: RtspServers, device: RtspDevice
) -> None:
    engine = make()
    login = tried(engine, servers, device, "wrong")["login"]
    assert (login.state, login.text) == ("failed", login_texts.WRONG)
    assert (len(sent(device)), outcomes(device)) == (2, ["wrong"])
    for password, number in (("wrong", 2), ("other", 4), ("other", 4), ("third", 4)):
        login = tried(engine, servers, device, password)["login"]
        assert len(sent(device)) == number
    assert login.state == "skipped"
    assert "Test again in 15 minutes" in login.text


def test_the_last_attempt_is_the_path_alone_and_says_so(
    make: Make, servers: RtspServers, device: RtspDevice
) -> None:
    engine = make()
    connections = (TrialConnection("rtsp", servers.port, "/"),)
    device.accounts.password = "another"  # nosec B105
    assert list(engine.scanner.try_out(TrialRequest(device.address, connections, "root", "right")))
    assert outcomes(device) == ["wrong"]
    login = tried(engine, servers, device)["login"]
    assert (login.state, login.text) == ("failed", login_texts.PATH_ONLY)
    assert sent(device)[-1] == SENT
    assert outcomes(device) == ["wrong"]


def test_tests_at_once_of_a_login_in_a_path_share_the_budget(
    make: Make, servers: RtspServers, device: RtspDevice
) -> None:
    request = TrialRequest(
        device.address, (TrialConnection("rtsp", servers.port, PATH),), "root", "wrong"
    )
    engine = make()
    running = [engine.scanner.try_out(request) for _ in range(4)]
    states = [step.state for trial in running for step in trial if step.name == "login"]
    assert sorted(states) == ["failed", "skipped", "skipped", "skipped"]
    assert len(sent(device)) == 2


def camera(servers: RtspServers, device: RtspDevice, id: int = 1, **access: Any) -> Device:
    made = listed(id, "rtsp", address=device.address, port=servers.port, **access)
    return replace(made, identities=(f"mac:d4:2d:c5:00:00:{id:02x}",))


def recorder(servers: RtspServers, device: RtspDevice, **login: Any) -> list[Device]:
    """A recorder with this login, also in its path, and a channel that has such a path and no login
    of its own."""
    owner = camera(servers, device, **{"path": PATH.replace("/", "/main/", 1), **login})
    channel = camera(servers, device, 2, path=PATH, secret_host=None)
    return [owner, replace(channel, parents=(1,))]


def kinds(engine: Engine, id: int) -> set[str]:
    return {fault.kind for fault in engine.devices()[id].findings}


def test_a_channel_sends_the_login_of_its_recorder_in_its_path(
    make: Make, servers: RtspServers
) -> None:
    device = add(servers)
    engine = make(*recorder(servers, device, username="root", secret="right"))
    (answer,) = engine.scanner.ask([2])
    assert answer.state == "answered"
    assert {*sent(device)} - {"/"} == {SENT}, "the recorder itself is asked at /"
    assert engine.devices()[2].access["rtsp"].worked_at
    assert not kinds(engine, 2) & {"login.wrong", "login.method", "stream.path"}
    assert engine.devices()[2].access["rtsp"].path == PATH


def test_a_channel_puts_the_login_of_its_recorder_in_no_path_unless_the_recorder_does(
    make: Make, servers: RtspServers
) -> None:
    device = add(servers)
    engine = make(*recorder(servers, device, username="root", secret="right", path="/"))
    (answer,) = engine.scanner.ask([2])
    assert (answer.state, SENT in sent(device)) == ("answered", False)
    assert "login.method" in kinds(engine, 2)


@pytest.mark.parametrize("of", ["camera", "recorder"])
def test_the_password_of_a_set_is_in_no_path(make: Make, servers: RtspServers, of: str) -> None:
    device = add(servers)
    devices = recorder(servers, device)
    if of == "camera":
        devices = [camera(servers, device, path=PATH)]
    engine = make(*devices)
    fields = {"name": "All", "username": "root", "secret": {"id": "right", "sealed": "v1"}}
    chosen = {"source": "rtsp", "credentials": "c1", "username": None, "secret": None}
    edits = [Edit("credentials", "c1", fields, "otto", now())]
    edits.append(Edit("change", "id:1", chosen, "otto", now()))
    engine.tracker.apply(edits, now())
    id = devices[-1].id
    (answer,) = engine.scanner.ask([id])
    assert answer.state == "answered"
    findings = {fault.kind: fault.text for fault in engine.devices()[id].findings}
    assert findings["login.method"] == rtsp.PATH_REVEALS
    assert [request.url for request in device.requests if "right" in request.url] == []


def test_a_test_of_a_set_sends_no_login_in_a_path(make: Make, servers: RtspServers) -> None:
    device = add(servers)
    login = tried(make(), servers, device, digest_only=True)["login"]
    assert (login.state, login.text) == ("failed", rtsp.PATH_REVEALS)
    assert sent(device) == []
