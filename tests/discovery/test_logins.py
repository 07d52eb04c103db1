"""Refused logins are spent once: by whatever asks a device, and also after a restart."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import time
from typing import Any

import pytest

from discovery.refused_logins import PAUSE, RefusedLogins, SentLogin
from discovery.trial_steps import Step, TrialConnection, TrialRequest
from fleet.model import Access, Device, Edit
from store.secret_counts import SecretCounts
from store.vault import Vault
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.guarded import GuardedDevice, guarded
from tests.discovery.listed import listed, now
from tests.home import until

Make = Callable[..., Engine]
HOST = "127.0.0.1"
UNPROVEN = "identity.unproven"
CHANNELS = range(2, 66)


@pytest.fixture
def later() -> list[float]:
    """How many seconds later than now it is, as the last item."""
    return [0.0]


@pytest.fixture
def make(tmp_path: Path, later: list[float]) -> Iterator[Make]:
    """Start an engine over these devices, or again over those of the file."""
    engines: list[Engine] = []

    def made(devices: Sequence[Device] = ()) -> Engine:
        if devices:
            fleets.write_fleet(tmp_path / "fleet.json", devices)
        sources = (guarded("rtsp", now), guarded("onvif", now))
        counts = SecretCounts(tmp_path / "refused.json", Vault(tmp_path / "keys"), "logins")
        refused = RefusedLogins(counts, lambda: time() + later[-1])
        more: dict[str, Any] = {"unseal": text_of, "refused": refused}
        engines.append(Engine(tmp_path, now, *sources, **more))  # type: ignore[arg-type]
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


@pytest.fixture
def guard() -> Iterator[GuardedDevice]:
    with GuardedDevice("right") as device:
        yield device


def camera(id: int, guard: GuardedDevice, *names: str, **access: Any) -> Device:
    login = {"username": "root", "secret": "wrong", "port": guard.port, "secret_host": HOST}
    device = listed(id, *names or ("rtsp",), address=HOST, **login | access)
    return replace(device, identities=(f"mac:d4:2d:c5:00:00:{id:02x}",))


def channel(id: int, guard: GuardedDevice, **access: Any) -> Device:
    bare = {"username": None, "secret": None, "secret_host": None, "path": f"/{id}"}
    return replace(camera(id, guard, **bare | access), parents=(1,))


def text_of(id: str) -> str:
    """The password of a secret: its id, or what is before a dash in it."""
    return id.partition("-")[0]


def saved(password: str, again: int = 0) -> dict[str, str]:
    """A password as an edit carries it, with a new id for each time that it is saved."""
    return {"id": f"{password}-{again}", "sealed": "v1"}


def two_accounts(rtsp: GuardedDevice, onvif: GuardedDevice) -> Device:
    """A device whose ONVIF has accounts of its own."""
    device = camera(1, rtsp, "rtsp", "onvif", secret="right")  # nosec B106
    there = replace(device.access["onvif"], port=onvif.port)
    return replace(device, access={**device.access, "onvif": there})


def ask(engine: Engine, ids: Sequence[int] = (1,), times: int = 4) -> None:
    for _ in range(times):
        assert {answer.state for answer in engine.scanner.ask(ids)} == {"answered"}


def change(engine: Engine, id: int = 1, **fields: Any) -> None:
    engine.tracker.apply([Edit("change", f"id:{id}", fields, "otto", now())], now())


def findings(engine: Engine, id: int = 1) -> set[str]:
    return {fault.kind for fault in engine.devices()[id].findings}


def test_a_wrong_login_is_tried_twice_and_the_device_is_still_alive(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make([camera(1, guard)])
    ask(engine)
    assert guard.refused == ["wrong", "wrong"]
    assert guard.asked["ALIVE"] >= 2
    assert findings(engine) == {"login.wrong", UNPROVEN}
    assert engine.devices()[1].access["rtsp"].refusals == 2


def test_a_restart_gives_no_new_attempts(make: Make, guard: GuardedDevice) -> None:
    first = make([camera(1, guard)])
    ask(first)
    first.close()
    again = make()
    ask(again)
    assert guard.refused == ["wrong", "wrong"]
    assert findings(again) == {"login.wrong", UNPROVEN}


def test_all_sources_of_a_device_share_the_attempts(make: Make, guard: GuardedDevice) -> None:
    engine = make([camera(1, guard, "rtsp", "onvif")])
    ask(engine)
    assert guard.refused == ["wrong", "wrong"]
    assert guard.asked["ALIVE"] >= 4, "both sources still prove that it is alive"


def test_64_channels_share_the_attempts_of_their_recorder(make: Make, guard: GuardedDevice) -> None:
    devices = [camera(1, guard), *(channel(id, guard) for id in CHANNELS)]
    engine = make(devices)
    ask(engine, [1, *CHANNELS], times=2)
    assert guard.refused == ["wrong", "wrong"]
    assert {kind for id in CHANNELS for kind in findings(engine, id)} == {"login.wrong"}
    assert set(engine.status().values()) == {"ACTIVE"}


def test_a_login_that_is_corrected_is_tried_at_once_by_all(
    make: Make, guard: GuardedDevice
) -> None:
    devices = [camera(1, guard), *(channel(id, guard) for id in CHANNELS[:4])]
    engine = make(devices)
    ask(engine, [device.id for device in devices])
    change(engine, source="rtsp", username="otto", secret={"id": "right", "sealed": "v1"})
    until(lambda: len(guard.accepted) == len(devices))
    assert guard.refused == ["wrong", "wrong"]
    until(lambda: {kind for id in CHANNELS[:4] for kind in findings(engine, id)} == set())
    until(lambda: findings(engine) == {UNPROVEN})


def test_one_more_source_or_another_port_of_it_gives_no_new_attempts(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make([camera(1, guard)])
    ask(engine)
    link = Edit("link", "id:1", {"source": "onvif", "port": guard.port}, "otto", now())
    engine.tracker.apply([link], now())
    ask(engine)
    change(engine, source="onvif", port=guard.port, path="/another")
    change(engine, source="onvif", port=None)
    change(engine, source="onvif", port=guard.port)
    ask(engine)
    assert guard.refused == ["wrong", "wrong"]
    assert engine.devices()[1].access["rtsp"].refusals == 2


def test_another_port_gives_a_login_no_new_attempts(make: Make, guard: GuardedDevice) -> None:
    engine = make([camera(1, guard, username="root", secret=None)])
    with GuardedDevice("right") as other:
        ask(engine)
        change(engine, source="rtsp", port=other.port)
        ask(engine)
        assert (guard.refused, other.refused) == (["-", "-"], [])


def test_several_records_of_one_address_share_the_attempts_of_a_login(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make([camera(id, guard, path=f"/{id}") for id in range(1, 7)])
    for id in range(1, 7):
        ask(engine, [id], times=2)
    assert guard.refused == ["wrong", "wrong"]
    assert "login.wrong" in findings(engine, 6)
    change(engine, 6, source="rtsp", secret={"id": "right", "sealed": "v1"})
    until(lambda: guard.accepted == ["right"])


def test_a_login_that_works_goes_on_beside_one_that_does_not(
    make: Make, guard: GuardedDevice
) -> None:
    device = camera(1, guard, "rtsp", "onvif")
    right = replace(device.access["onvif"], secret="right", method="digest")  # nosec B106
    engine = make([replace(device, access={**device.access, "onvif": right})])
    ask(engine)
    assert guard.refused == ["wrong", "wrong"]
    assert len(guard.accepted) >= 4


@pytest.mark.parametrize("is_set", [False, True])
def test_a_login_that_one_source_accepts_and_another_refuses_goes_on_where_it_works(
    make: Make, guard: GuardedDevice, is_set: bool
) -> None:
    with GuardedDevice("another") as onvif:
        engine = make([two_accounts(guard, onvif)])
        if is_set:
            secret = {"id": "right", "sealed": "v1"}
            fields = {"name": "All", "username": "root", "secret": secret}
            login = Edit("credentials", "c1", fields, "otto", now())
            engine.tracker.apply([login], now())
            for source in ("rtsp", "onvif"):
                change(engine, source=source, credentials="c1", username=None, secret=None)
        for _ in range(2):
            ask(engine)
            engine.close()
            engine = make()
        before = len(guard.accepted)
        ask(engine)
        assert len(guard.accepted) >= before + 4
        assert (guard.refused, onvif.refused) == ([], ["right", "right"])
        access = engine.devices()[1].access
        assert (access["rtsp"].refusals, access["onvif"].refusals) == (0, 2)


def test_after_a_password_changed_a_source_that_never_worked_costs_no_more(
    make: Make, guard: GuardedDevice
) -> None:
    with GuardedDevice("another") as onvif:
        recorder = two_accounts(guard, onvif)
        ids = CHANNELS[:8]
        engine = make([recorder, *(channel(id, guard) for id in ids)])
        ask(engine, [1, *ids])
        assert (guard.refused, onvif.refused) == ([], ["right", "right"])
        guard.password = "new"  # nosec B105
        ask(engine, [1, *ids], times=2)
        assert guard.refused == ["right", "right"]
        assert onvif.refused == ["right", "right"]


def test_a_source_that_never_worked_leaves_the_attempts_to_one_that_did(
    make: Make, guard: GuardedDevice
) -> None:
    with GuardedDevice("another") as onvif:
        device = two_accounts(guard, onvif)
        worked = replace(device.access["rtsp"], method="digest")
        engine = make([replace(device, access={**device.access, "rtsp": worked})])
        guard.password = "new"  # nosec B105
        ask(engine)
        assert len(guard.refused) + len(onvif.refused) == 2


def test_a_password_that_was_changed_at_the_recorder_costs_two_refusals_and_no_more(
    make: Make, guard: GuardedDevice
) -> None:
    recorder = camera(1, guard, secret="right")  # nosec B106
    devices = [recorder, *(channel(id, guard) for id in CHANNELS)]
    engine = make(devices)
    ask(engine, [1, *CHANNELS], times=1)
    assert guard.refused == []
    guard.password = "new"  # nosec B105
    ask(engine, [1, *CHANNELS], times=2)
    assert guard.refused == ["right", "right"]


def save_again(engine: Engine, guard: GuardedDevice) -> None:
    change(engine, source="rtsp", username="root", secret=saved("wrong", 1))


def take_away_and_give_back(engine: Engine, guard: GuardedDevice) -> None:
    change(engine, source="rtsp", username=None, secret=None, options={"login": "none"})
    ask(engine, times=1)
    change(engine, source="rtsp", username="root", secret=saved("wrong", 2), options={})


def choose_a_set(engine: Engine, guard: GuardedDevice) -> None:
    fields = {"name": "All", "username": "root", "secret": saved("wrong", 3)}
    engine.tracker.apply([Edit("credentials", "c1", fields, "otto", now())], now())
    change(engine, source="rtsp", credentials="c1", username=None, secret=None)
    ask(engine)
    secret = {"secret": saved("wrong", 4)}
    engine.tracker.apply([Edit("credentials", "c1", secret, "otto", now())], now())


def undo(engine: Engine, guard: GuardedDevice) -> None:
    change(engine, source="rtsp", username="root", secret=saved("right"))
    until(lambda: bool(guard.accepted))
    change(engine, source="rtsp", username="root", secret=saved("wrong", 5))


def delete_and_add(engine: Engine, guard: GuardedDevice) -> None:
    engine.tracker.apply([Edit("delete", "id:1", {}, "otto", now())], now())
    engine.close()


@pytest.mark.parametrize(
    "edit", [save_again, take_away_and_give_back, choose_a_set, undo, delete_and_add]
)
def test_a_login_that_was_refused_is_the_same_however_it_comes_back(
    make: Make, guard: GuardedDevice, edit: Callable[[Engine, GuardedDevice], None]
) -> None:
    engine = make([camera(1, guard)])
    ask(engine)
    assert guard.refused == ["wrong", "wrong"]
    edit(engine, guard)
    if edit is delete_and_add:
        engine = make([camera(1, guard, secret="wrong-6")])  # nosec B106
    ask(engine)
    engine.close()
    engine = make()
    ask(engine)
    assert guard.refused == ["wrong", "wrong"]
    assert "login.wrong" in findings(engine)
    change(engine, source="rtsp", username="root", secret=saved("right", 7))
    ask(engine)
    assert "right" in guard.accepted


def test_no_password_is_in_the_file_of_refused_logins(
    make: Make, guard: GuardedDevice, tmp_path: Path
) -> None:
    engine = make([camera(1, guard, secret="magpie")])  # nosec B106
    ask(engine)
    engine.close()
    content = (tmp_path / "refused.json").read_text()
    assert [number for number, _at in json.loads(content).values()] == [2, 2, 2]
    assert "magpie" not in content
    assert "root" not in content
    plain = hashlib.sha256(json.dumps([HOST, str(guard.port), "root", "magpie"]).encode())
    assert plain.hexdigest() not in content, "nobody can try guesses without the key"


@pytest.mark.parametrize(("left", "tried"), [(5, 2), (3, 1), (4, 2)])
def test_a_device_that_tells_few_attempts_left_is_asked_less(
    make: Make, guard: GuardedDevice, left: int, tried: int
) -> None:
    guard.left = left
    engine = make([camera(1, guard)])
    ask(engine)
    assert len(guard.refused) == tried
    assert engine.devices()[1].access["rtsp"].attempts_left == left - tried


def test_a_login_that_is_refused_for_the_clock_is_not_a_wrong_one(
    make: Make, guard: GuardedDevice
) -> None:
    guard.mode = "clock"
    engine = make([camera(1, guard)])
    ask(engine)
    access = engine.devices()[1].access["rtsp"]
    assert (guard.refused, access.refusals, access.clock) == ([], 0, -3600.0)
    assert guard.asked["LOGIN"] >= 4


def test_no_login_and_an_empty_password_are_two_things(make: Make, guard: GuardedDevice) -> None:
    none = {"options": {"number": 1, "login": "none"}}
    engine = make([camera(1, guard, **none), camera(2, guard, secret=None)])
    ask(engine, [1, 2])
    assert guard.refused == ["-", "-"], "an empty password is a login, and no login is none"
    assert isinstance(engine.devices()[1].access["rtsp"], Access)


# -- trials by hand ----------------------------------------------------------------------------


def trial(guard: GuardedDevice, password: str = "wrong", username: str = "root") -> TrialRequest:
    connections = (TrialConnection("onvif", guard.port), TrialConnection("rtsp", guard.port))
    return TrialRequest(HOST, connections, username, password)


def login_steps(engine: Engine, request: TrialRequest) -> list[Step]:
    return [step for step in engine.scanner.try_out(request) if step.name == "login"]


def test_trials_cost_two_refusals_whichever_source_asks_and_however_often(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make()
    first = login_steps(engine, trial(guard))
    assert [step.state for step in first] == ["failed", "skipped"]
    assert first[1].text == "Not tried: the device refused this login over ONVIF"
    assert guard.refused == ["wrong"]
    for _ in range(3):
        last = login_steps(engine, trial(guard))
    assert guard.refused == ["wrong", "wrong"]
    assert {step.state for step in last} == {"skipped"}
    assert "Test again in 15 minutes" in last[0].text
    login_steps(engine, trial(guard, username="otto"))
    assert len(guard.refused) == 3, "another user has a budget of its own"


def test_trials_at_once_share_the_budget(make: Make, guard: GuardedDevice) -> None:
    engine = make()
    running = [engine.scanner.try_out(trial(guard)) for _ in range(6)]
    states = {step.state for each in running for step in each if step.name == "login"}
    assert guard.refused == ["wrong", "wrong"]
    assert states == {"failed", "skipped"}


def test_a_right_password_is_tried_after_a_wrong_one_and_gives_a_new_budget(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make()
    for number in range(3):
        login_steps(engine, trial(guard, f"wrong-{number}"))
        login_steps(engine, trial(guard, "right"))
    assert guard.refused == ["wrong-0", "wrong-1", "wrong-2"]
    assert len(guard.accepted) == 6


@pytest.mark.parametrize("channels", [[2, 3], []])
def test_a_trial_sees_what_all_checks_of_a_device_spent(
    make: Make, guard: GuardedDevice, channels: list[int]
) -> None:
    devices = [camera(1, guard, "rtsp", "onvif"), *(channel(id, guard) for id in channels)]
    engine = make(devices)
    ask(engine, channels or [1], times=1)
    assert guard.refused == ["wrong", "wrong"]
    if channels:
        assert engine.devices()[1].access["rtsp"].refusals == 0
    steps = login_steps(engine, trial(guard))
    assert {step.state for step in steps} == {"skipped"}
    assert "Test again in 15 minutes" in steps[0].text
    assert guard.refused == ["wrong", "wrong"]


def test_a_login_that_a_trial_saw_refused_has_one_attempt_left(
    make: Make, guard: GuardedDevice
) -> None:
    with GuardedDevice("another") as onvif:
        engine = make([two_accounts(guard, onvif)])
        connections = (TrialConnection("onvif", onvif.port),)
        login_steps(engine, TrialRequest(HOST, connections, "root", "right"))
        ask(engine, times=6)
        assert (guard.refused, onvif.refused) == ([], ["right", "right"])
        assert len(guard.accepted) >= 4


@pytest.mark.parametrize("channels", [[2, 3], []])
def test_trials_and_checks_of_one_login_cost_two_refusals(
    make: Make, guard: GuardedDevice, channels: list[int]
) -> None:
    devices = [camera(1, guard, "rtsp", "onvif"), *(channel(id, guard) for id in channels)]
    engine = make(devices)
    login_steps(engine, trial(guard))
    ask(engine, [1, *channels])
    assert guard.refused == ["wrong", "wrong"]
    engine.close()
    engine = make()
    ask(engine, [1, *channels])
    assert guard.refused == ["wrong", "wrong"]


def test_a_test_that_works_again_lets_the_checks_log_in(
    make: Make, guard: GuardedDevice, later: list[float]
) -> None:
    engine = make([camera(1, guard)])
    ask(engine)
    steps = login_steps(engine, trial(guard))
    assert {step.state for step in steps} == {"skipped"}
    engine.close()
    engine = make()
    assert {step.state for step in login_steps(engine, trial(guard))} == {"skipped"}
    later.append(PAUSE + 1)
    guard.password = "wrong"  # nosec B105
    assert "ok" in {step.state for step in login_steps(engine, trial(guard))}
    ask(engine, times=1)
    assert guard.refused == ["wrong", "wrong"]
    assert engine.devices()[1].access["rtsp"].refusals == 0
    assert "login.wrong" not in findings(engine)


def test_a_trial_and_a_check_that_were_refused_are_added(make: Make, guard: GuardedDevice) -> None:
    engine = make([camera(1, guard)])
    ask(engine, times=1)
    login_steps(engine, trial(guard, "other"))
    assert guard.refused == ["wrong", "other"]
    for password in ("more", "most", "last"):
        last = login_steps(engine, trial(guard, password))
    assert {step.state for step in last} == {"skipped"}
    assert guard.refused == ["wrong", "other", "more", "most"]


def test_a_right_password_can_be_tested_after_two_typing_errors(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make()
    for password in ("bad1", "bad2"):
        login_steps(engine, trial(guard, password))
    steps = login_steps(engine, trial(guard, "right"))
    assert {(step.state, step.text) for step in steps} == {("ok", "Logged in as root")}


def test_a_login_that_works_in_checks_can_always_be_tested(
    make: Make, guard: GuardedDevice
) -> None:
    engine = make([camera(1, guard, secret="right")])  # nosec B106
    ask(engine, times=1)
    for number in range(6):
        login_steps(engine, trial(guard, f"bad-{number}"))
    assert len(guard.refused) == 4
    connections = (TrialConnection("rtsp", guard.port),)
    (step,) = login_steps(engine, TrialRequest(HOST, connections, "root", "right"))
    assert step.state == "ok"


def test_a_pause_outlives_a_restart(make: Make, guard: GuardedDevice, later: list[float]) -> None:
    for _ in range(3):
        engine = make()
        login_steps(engine, trial(guard))
        engine.close()
    assert guard.refused == ["wrong"] * 2
    for _ in range(3):
        later.append(later[-1] + PAUSE + 1)
        engine = make()
        login_steps(engine, trial(guard))
        login_steps(engine, trial(guard))
        engine.close()
    assert guard.refused == ["wrong"] * 5, "one after each pause"


def test_a_refusal_that_comes_while_the_server_stops_is_kept(tmp_path: Path) -> None:
    login = SentLogin(HOST, 554, "root", "wrong")

    def refused() -> RefusedLogins:
        return RefusedLogins(
            SecretCounts(tmp_path / "refused.json", Vault(tmp_path / "keys"), "logins")
        )

    stopped = refused()
    stopped.close()
    stopped.spend(login)
    assert refused().of(login) == 1


def test_a_login_that_one_port_accepts_and_another_refuses_is_refused_twice(
    make: Make, guard: GuardedDevice
) -> None:
    with GuardedDevice("another") as onvif:
        engine = make()
        connections = (TrialConnection("rtsp", guard.port), TrialConnection("onvif", onvif.port))
        for _ in range(6):
            login_steps(engine, TrialRequest(HOST, connections, "root", "right"))
    assert (len(guard.accepted), onvif.refused) == (6, ["right"] * 2)


def test_a_login_is_known_by_its_device_whatever_its_spelling(
    make: Make, guard: GuardedDevice
) -> None:
    spellings = ("localhost", "LOCALHOST.", "127.0.0.1", "::ffff:127.0.0.1", "[::ffff:7f00:1]")
    assert len({SentLogin(host, 554, "root", "x").at_port for host in spellings}) == 1
    engine = make()
    for spelled in (HOST, HOST, "localhost"):
        last = login_steps(engine, replace(trial(guard), host=spelled))
    assert {step.state for step in last} == {"skipped"}
    assert guard.refused == ["wrong"] * 2


def test_a_device_that_told_few_attempts_left_is_not_tested_after_a_restart(
    make: Make, guard: GuardedDevice, later: list[float]
) -> None:
    made = camera(1, guard, attempts_left=2)
    engine = make([made])
    later.append(PAUSE + 1)
    steps = login_steps(engine, trial(guard))
    assert "has 2 login attempts left" in steps[0].text
    assert guard.refused == []
