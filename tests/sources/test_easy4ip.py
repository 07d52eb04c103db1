"""The verdicts about recorders, asked for at a pretend Easy4IP cloud on loopback."""

import asyncio
import itertools
import math
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.model import DEFAULT_SITE, CannotAsk, Coverage, Miss, Sighting, Target
from simulators import easy4ip_wire as wire
from simulators.easy4ip import Cloud, Recorder, fleet
from sources import easy4ip
from sources.easy4ip_cloud import CloudClock
from sources.easy4ip_wire import KeyPair
from tests.home import until

WAITS = (0.05, 0.1, 0.15)
KEYS = KeyPair(wire.USER, wire.KEY)
STATES = {
    "online": "online",
    "offline": "does not have it online (404)",
    "unknown": "does not have it online (404)",
    "no_us": "names no server",
    **dict.fromkeys(wire.BAD_US, "names no server"),
    "probe_404": "P2P server says 404",
    "info_404": "P2P server says 404",
    "gone": "P2P server says 404",
    "silent": "no answer",
    "probe_silent": "no answer",
    "info_silent": "no answer",
    "info_empty": "online",
    "info_missing": "online",
    "no_body": "without content",
    "key_error": "online",
}
FORMS = {
    **dict.fromkeys(("no_reason", "odd_spaces", "lower_case", "long"), "online"),
    **dict.fromkeys(("dtd", "not_xml", "cut", "noise", "empty"), "no answer"),
    "no_blank_line": "without content",
}


def key(serial: str) -> str:
    return f"row:{serial}"


@dataclass
class Said:
    """What one sweep said: serials, reasons by serial, the Coverage or why nobody was asked."""

    online: dict[str, Sighting] = field(default_factory=dict)
    offline: dict[str, str] = field(default_factory=dict)
    coverage: Coverage | None = None
    cannot: CannotAsk | None = None

    @property
    def unsaid_of(self) -> set[str]:
        """The scopes of which nothing is said."""
        assert self.coverage is not None
        return set(self.coverage.failed)


class Asker:
    """The source, in a loop of its own, towards one pretend cloud."""

    def __init__(self, cloud: Cloud, **changes: Any) -> None:
        given: dict[str, Any] = {
            "clock": lambda: datetime.now(UTC),
            "server": cloud.main.address,
            "keys": KEYS,
            "rate": 100_000.0,
            "burst": 100_000.0,
            "waits": WAITS,
            **changes,
        }
        self.pretend = cloud
        self.source = easy4ip.source(easy4ip.Easy4IpOptions(**given))
        self.runner = asyncio.Runner()

    def sweep(self, serials: Sequence[str] | None = None, spread: float = 0.0) -> Said:
        chosen = list(self.pretend.recorders) if serials is None else serials
        return self.runner.run(self._sweep(chosen, spread))

    async def _sweep(self, serials: Sequence[str], spread: float) -> Said:
        result = Said()
        targets = [Target(DEFAULT_SITE, key(serial), "", path=serial) for serial in serials]
        assert self.source.sweep is not None
        try:
            async for report in self.source.sweep(targets, spread):
                self._note(result, report)
        except CannotAsk as error:
            result.cannot = error
        return result

    def _note(self, result: Said, report: Any) -> None:
        match report:
            case Sighting():
                serial = report.serial or ""
                assert report.identities == (key(serial),)
                assert serial not in result.online
                result.online[serial] = report
            case Miss():
                serial = report.identity.removeprefix("row:")
                assert serial not in result.offline
                result.offline[serial] = report.reason
            case Coverage():
                assert result.coverage is None
                result.coverage = report

    def close(self) -> None:
        async def close() -> None:
            self.source.close()

        self.runner.run(close())
        self.runner.close()


@contextmanager
def asking(cloud: Cloud, **changes: Any) -> Iterator[Asker]:
    """A running cloud and whoever asks it; the requests were all without fault."""
    with cloud:
        asker = Asker(cloud, **changes)
        try:
            yield asker
        finally:
            asker.close()
        assert cloud.faults == []
        assert not cloud.asked_foreign


def beside(*odd: Recorder) -> list[Recorder]:
    """Recorders, and one that is online on each of their two servers."""
    return [*odd, Recorder("SIM90000PAZ9000", 0), Recorder("SIM90001PAZ9001", 1)]


# -- one recorder --------------------------------------------------------------------------


def test_the_table_has_every_state_of_the_simulator():
    assert STATES.keys() == wire.STATES.keys()
    assert FORMS.keys() == wire.FORMS


@pytest.fixture(scope="module")
def every_state() -> Said:
    """One sweep over a recorder of each state, and of each way to spoil an info answer."""
    states = [Recorder(f"STATE{n:04}", n % 2, state) for n, state in enumerate(STATES)]
    spoilt = [
        Recorder(f"FORM{n:04}", n % 2, answers={"info": form}) for n, form in enumerate(FORMS)
    ]
    with asking(Cloud(beside(*states, *spoilt), servers=2)) as asker:
        return asker.sweep()


def verdict(result: Said, serial: str) -> str:
    assert (serial in result.online) != (serial in result.offline)
    return result.offline.get(serial, "online")


@pytest.mark.parametrize("state", STATES)
def test_each_state_of_a_recorder_has_its_verdict(every_state, state):
    assert STATES[state] in verdict(every_state, f"STATE{list(STATES).index(state):04}")
    assert every_state.unsaid_of == set()


@pytest.mark.parametrize("form", FORMS)
def test_a_malformed_answer_is_none_and_one_that_can_be_read_counts(every_state, form):
    assert FORMS[form] in verdict(every_state, f"FORM{list(FORMS).index(form):04}")


def test_the_coverage_counts_what_could_not_be_used(every_state):
    assert every_state.coverage.refused["no status line"] >= 2
    assert every_state.coverage.refused["a document type in the body"] >= 1
    assert every_state.coverage.requests > every_state.coverage.answers > 30


def test_firmware_and_ports_come_with_the_answer():
    recorder = Recorder("AB12345", 0, version="4.1", ports={"rtspport": 1554, "privport": 37777})
    with asking(Cloud([recorder], servers=1)) as asker:
        seen = asker.sweep().online["AB12345"]
    assert seen.firmware == "4.1"
    assert dict(seen.facts) == {"port": 37777, "rtsp_port": 1554}
    assert seen.kind == "recorder"
    assert 0 < seen.latency < 60


@pytest.mark.parametrize("state", ["info_empty", "info_missing"])
def test_old_firmware_tells_no_ports_and_is_online_all_the_same(state):
    with asking(Cloud([Recorder("AB12345", 0, state)], servers=1)) as asker:
        assert dict(asker.sweep().online["AB12345"].facts) == {}


def test_trying_is_no_verdict():
    recorder = Recorder("AB12345", 0, trying=3)
    with asking(Cloud([recorder], servers=1)) as asker:
        assert set(asker.sweep().online) == {"AB12345"}
        assert asker.pretend.asked["lookup", "AB12345"] == 1


def test_a_region_that_does_not_know_the_keys_is_asked_without_them():
    cloud = Cloud(fleet(4, 2), servers=2)
    cloud.regions[1].knows_keys = False
    cloud.recorders["SIM00003PAZ0003"].state = "gone"
    with asking(cloud) as asker:
        result = asker.sweep()
    assert set(result.offline) == {"SIM00003PAZ0003"}
    assert len(result.online) == 3
    assert result.unsaid_of == set()


@pytest.mark.parametrize("step", ["lookup", "probe", "info"])
def test_one_404_alone_takes_nobody_offline(step):
    recorder = Recorder("AB12345", 0, once={step: "404"})
    with asking(Cloud([recorder], servers=1)) as asker:
        assert asker.sweep().offline == {}
        assert asker.pretend.asked["lookup", "AB12345"] == 2


@pytest.mark.parametrize("state", ["offline", "gone"])
def test_who_is_offline_was_asked_in_two_complete_rounds(state):
    recorder = Recorder("AB12345", 0, state)
    with asking(Cloud([recorder], servers=1)) as asker:
        assert set(asker.sweep().offline) == {"AB12345"}
        assert asker.pretend.asked["lookup", "AB12345"] == 2


@pytest.mark.parametrize("step", ["lookup", "probe", "info"])
@pytest.mark.parametrize("code", ["500", "403"])
def test_what_the_cloud_says_of_itself_is_said_of_no_recorder(step, code):
    recorder = Recorder("AB12345", 0, answers={step: code})
    with asking(Cloud(beside(recorder), servers=2)) as asker:
        result = asker.sweep()
    assert result.offline == {}
    assert len(result.online) == 2
    assert len(result.unsaid_of) == 1


# -- many recorders, and a bad line ----------------------------------------------------------


def some_offline(count: int, servers: int = 8) -> tuple[list[Recorder], set[str]]:
    recorders = fleet(count, servers)
    for place, state in ((7, "offline"), (77, "gone"), (107, "silent"), (207, "info_404")):
        recorders[place].state = state
    return recorders, {recorders[place].serial for place in (7, 77, 107, 207)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_per_cent_loss_each_way_makes_no_wrong_verdict(seed):
    recorders, down = some_offline(300)
    cloud = Cloud(recorders, seed=seed)
    cloud.request_loss = cloud.answer_loss = 0.05
    with asking(cloud, waits=(0.2, 0.2, 0.2)) as asker:
        result = asker.sweep()
        assert sum(server.tally.repeats for server in cloud.servers) > 50
        assert sum(server.tally.stale_repeats for server in cloud.servers) == 0
        assert cloud.refused == 0
    assert set(result.offline) == down
    assert len(result.online) == 296
    assert result.unsaid_of == set()


def test_forged_answers_change_no_verdict():
    recorders, down = some_offline(300)
    cloud = Cloud(recorders)
    cloud.forgers = {"address", "port", "cseq"}
    with asking(cloud, waits=(0.2, 0.2, 0.2)) as asker:
        result = asker.sweep()
    assert set(result.offline) == down
    assert len(result.online) == 296
    assert result.coverage.refused["nobody waits for it: late, repeated or forged"] >= 500


@pytest.mark.parametrize("skew", [3600, -3600])
def test_a_clock_that_is_an_hour_off_is_learned_from_the_first_refusal(skew):
    recorders, down = some_offline(300)
    cloud = Cloud(recorders)
    cloud.skew = skew
    with asking(cloud, waits=(0.2, 0.2, 0.2)) as asker:
        assert set(asker.sweep().offline) == down
        before = cloud.asked["lookup", recorders[7].serial]
        assert set(asker.sweep().offline) == down
        assert cloud.asked["lookup", recorders[7].serial] == before + 2
        assert cloud.refused == 0


def test_an_answer_to_an_earlier_sending_counts():
    cloud = Cloud(fleet(20), seed=4)
    cloud.delay = 0.12
    with asking(cloud) as asker:
        result = asker.sweep()
        assert sum(server.tally.repeats for server in cloud.servers) >= 20
    assert len(result.online) == 20


def test_late_and_repeated_answers_are_never_taken_for_another_one():
    recorders, down = some_offline(300)
    cloud = Cloud(recorders, seed=5)
    cloud.duplicates, cloud.late, cloud.lateness = 0.5, 0.2, 0.3
    with asking(cloud, waits=(0.2, 0.2, 0.2)) as asker:
        result = asker.sweep()
    assert set(result.offline) == down
    assert len(result.online) == 296
    assert result.coverage.refused["nobody waits for it: late, repeated or forged"] >= 100


def test_a_recorder_whose_answers_take_longer_than_a_round_is_online():
    cloud = Cloud(fleet(12, 2))
    slow = cloud.recorders["SIM00003PAZ0003"]
    cloud.delay = lambda _server, asked: 0.45 if asked.serial == slow.serial else 0.01
    with asking(cloud) as asker:
        result = asker.sweep()
    assert result.offline == {}
    assert slow.serial in result.online


def test_a_cloud_whose_answers_all_take_longer_than_a_round_is_waited_for():
    cloud = Cloud(fleet(40, 4))
    cloud.recorders["SIM00003PAZ0003"].state = "offline"
    cloud.delay = 0.5
    with asking(cloud) as asker:
        result = asker.sweep()
        assert set(result.offline) == {"SIM00003PAZ0003"}
        assert len(result.online) == 39
        cloud.delay = 1.2
        asker.sweep()
        result = asker.sweep()
    assert set(result.offline) == {"SIM00003PAZ0003"}
    assert any("the cloud is slow" in note for note in result.coverage.notes)


def after(number: int, happens: Callable[[], Any], delay: float = 0.01) -> Callable[..., float]:
    """A delay of answers, in which something happens with the answer of that number."""
    heard = itertools.count(1)

    def wait(_server: Any, _request: Any) -> float:
        if next(heard) == number:
            happens()
        return delay

    return wait


@pytest.mark.parametrize("number", [40, 80, 110])
def test_a_region_that_dies_in_the_middle_of_a_sweep_takes_nobody_offline(number):
    cloud = Cloud(fleet(40, 2))
    with asking(cloud) as asker:
        cloud.delay = after(number, lambda: setattr(cloud.regions[0], "silent", True))
        result = asker.sweep(spread=1.0)
        assert result.offline == {}
        assert result.unsaid_of == {f"dahua:127.0.0.1:{cloud.regions[0].port}"}


@pytest.mark.parametrize("number", [10, 60, 110])
def test_what_the_cloud_says_of_all_for_a_moment_takes_nobody_offline(number):
    cloud = Cloud(fleet(40, 2))

    def say(state: str) -> None:
        for recorder in cloud.recorders.values():
            recorder.state = state

    def forget() -> None:
        say("offline")
        threading.Timer(0.25, say, ("online",)).start()

    with asking(cloud) as asker:
        cloud.delay = after(number, forget)
        result = asker.sweep(spread=1.0)
    assert result.offline == {}
    assert len(result.online) == 40


@pytest.mark.parametrize("number", [20, 70, 115])
def test_a_region_that_becomes_slow_in_the_middle_of_a_sweep_takes_nobody_offline(number):
    cloud = Cloud(fleet(40, 2))
    heard = itertools.count(1)

    def delay(server: Any, _request: Any) -> float:
        return 0.8 if next(heard) > number and server is cloud.regions[0] else 0.01

    with asking(cloud) as asker:
        cloud.delay = delay
        result = asker.sweep(spread=1.0)
    assert result.offline == {}


@pytest.mark.parametrize("number", [40, 110])
def test_a_line_that_breaks_in_the_middle_of_a_sweep_is_told_as_the_whole_source(number):
    cloud = Cloud(fleet(40, 2))

    def silence() -> None:
        for server in cloud.servers:
            server.silent = True

    with asking(cloud) as asker:
        cloud.delay = after(number, silence)
        result = asker.sweep(spread=1.0)
        assert result.offline == {}
        assert result.unsaid_of == {"dahua"}
        assert asker.sweep().cannot.scope == "dahua"


def test_a_few_who_are_sent_away_wake_nobody():
    cloud = Cloud(fleet(60))
    cloud.busy = 0.45
    with asking(cloud, waits=(0.2, 0.2)) as asker:
        for _ in range(3):
            result = asker.sweep()
            assert result.offline == {}
            assert 54 < len(result.online) <= 60
            assert result.unsaid_of == set()


def test_the_time_that_an_answer_took_is_no_fault_of_the_clock():
    now = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
    clock = CloudClock(lambda: now)
    for shown, took, off in ((-8, 8.0, 0), (-8, 2.0, -5), (40, 1.0, 40), (0, 0.1, 0)):
        clock.see(now + timedelta(seconds=shown), took)
        assert clock.seen == timedelta(seconds=off)


# -- what keeps us from asking ---------------------------------------------------------------


@pytest.mark.parametrize("mark", ["dead", "silent"])
def test_a_dead_region_says_nothing_of_its_recorders(mark):
    cloud = Cloud(fleet(24, 8))
    with asking(cloud) as asker:
        setattr(cloud.regions[3], mark, True)
        result = asker.sweep()
        scope = f"dahua:127.0.0.1:{cloud.regions[3].port}"
        assert result.unsaid_of == {scope}
        assert len(result.online) == 21
        assert result.offline == {}
        setattr(cloud.regions[3], mark, False)
        result = asker.sweep()
        assert len(result.online) == 24
        assert result.unsaid_of == set()


def test_a_silent_recorder_is_offline_when_another_on_its_server_answers():
    recorders = [Recorder("AB12340", 0, "silent"), Recorder("AB12341", 0)]
    with asking(Cloud(recorders, servers=1)) as asker:
        result = asker.sweep()
    assert set(result.offline) == {"AB12340"}
    assert set(result.online) == {"AB12341"}
    assert result.unsaid_of == set()


def test_a_silent_recorder_is_offline_when_its_server_says_404_of_another():
    recorders = [Recorder("AB12340", 0, "silent"), Recorder("AB12341", 0, "gone")]
    with asking(Cloud(recorders, servers=1)) as asker:
        assert set(asker.sweep().offline) == {"AB12340", "AB12341"}


def test_a_server_to_which_no_way_leads_keeps_nobody_else_from_being_asked():
    # The guard of the tests refuses this address before anything is sent.
    recorder = Recorder("AB12340", 0, us="192.0.2.1:8803")
    with asking(Cloud(beside(recorder), servers=2)) as asker:
        result = asker.sweep()
    assert result.cannot is None
    assert len(result.online) == 2
    assert result.offline == {}
    assert result.unsaid_of == {"dahua:192.0.2.1:8803"}


@pytest.mark.parametrize("mark", ["dead", "silent"])
def test_without_the_main_server_nobody_can_be_asked(mark):
    cloud = Cloud(fleet(12))
    with asking(cloud) as asker:
        setattr(cloud.main, mark, True)
        result = asker.sweep()
        assert result.cannot.scope == "dahua"
        assert "does not answer" in result.cannot.reason
        assert result.online == result.offline == {}
        assert result.coverage is None
        setattr(cloud.main, mark, False)
        assert len(asker.sweep().online) == 12


def test_a_cloud_that_falls_silent_after_it_answered_takes_nobody_offline():
    cloud = Cloud(fleet(12))
    with asking(cloud) as asker:
        assert len(asker.sweep().online) == 12
        for server in cloud.servers:
            server.silent = True
        result = asker.sweep()
        assert result.cannot.scope == "dahua"
        assert result.offline == {}


def test_a_name_that_leads_nowhere_is_said():
    cloud = Cloud(fleet(2))
    with asking(cloud, server=("cloud.invalid", 8800)) as asker:
        result = asker.sweep()
        assert "cloud.invalid" in result.cannot.reason
        assert result.online == result.offline == {}
        assert cloud.asked.total() == 0


@pytest.mark.parametrize("way", ["403", "key_error"])
def test_a_refused_key_pair_is_said_and_takes_nobody_offline(way):
    cloud = Cloud(fleet(12))
    cloud.refuses_keys = way
    with asking(cloud) as asker:
        result = asker.sweep()
    assert result.online == result.offline == {}
    assert result.unsaid_of == {"dahua:refused"}
    assert "EASY4IP_KEY" in result.coverage.failed["dahua:refused"]


def test_a_wrong_key_is_said_and_takes_nobody_offline():
    cloud = Cloud(fleet(3))
    with asking(cloud, keys=KeyPair(wire.USER, "wrong")) as asker:
        result = asker.sweep()
        assert cloud.refused > 0
    assert result.offline == {}
    assert result.unsaid_of == {"dahua:refused"}


def test_a_busy_cloud_takes_nobody_offline_and_is_left_alone_for_a_while():
    cloud = Cloud(fleet(12))
    cloud.busy = 1.0
    with asking(cloud, waits=(0.2, 0.2)) as asker:
        for _ in range(2):
            result = asker.sweep()
            assert result.online == result.offline == {}
            assert result.unsaid_of == {"dahua:busy"}
            cloud.busy = 0.0
            asked = cloud.asked.total()
        asker.sweep()
        assert cloud.asked.total() == asked


def test_a_cloud_that_is_busy_now_and_then_is_asked_again_at_once():
    cloud = Cloud(fleet(12))
    cloud.busy = 0.2
    with asking(cloud, waits=(0.2, 0.2)) as asker:
        assert len(asker.sweep().online) == 12
        assert cloud.asked.total() > 36


def test_one_recorder_that_is_always_sent_away_keeps_nobody_else_from_being_asked():
    recorder = Recorder("AB12345", 0, answers={"lookup": "timeout"})
    with asking(Cloud(beside(recorder), servers=2), waits=(0.2, 0.2)) as asker:
        for _ in range(4):
            result = asker.sweep()
            assert len(result.online) == 2
            assert result.unsaid_of == {"dahua:busy"}
        newcomer = Recorder("AB12399", 1)
        asker.pretend.recorders[newcomer.serial] = newcomer
        assert newcomer.serial in asker.sweep().online


def test_a_busy_region_is_left_alone_and_the_others_are_asked_on():
    cloud = Cloud(fleet(80, 8))
    with asking(cloud, waits=(0.2, 0.2)) as asker:
        assert len(asker.sweep().online) == 80
        busy = [recorder for recorder in cloud.recorders.values() if recorder.server == 3]
        for recorder in busy:
            recorder.answers["probe"] = "timeout"
        assert asker.sweep().unsaid_of == {"dahua:busy"}
        heard = cloud.regions[3].tally.counts.total()
        result = asker.sweep()
        assert len(result.online) == 70
        assert result.offline == {}
        assert cloud.regions[3].tally.counts.total() == heard, "it is left alone"


def test_a_cloud_that_is_busy_for_all_ends_the_sweep_and_calls_nothing_up_again():
    cloud = Cloud(fleet(400, 8))
    cloud.busy = 1.0
    with asking(cloud, waits=(0.2, 0.2), rate=200.0, burst=50.0) as asker:
        result = asker.sweep()
        assert result.unsaid_of == {"dahua:busy"}
        assert result.coverage.scopes == ()
        assert any("sheds load" in note for note in result.coverage.notes)
        assert cloud.asked.total() < 400, "nobody goes on asking a cloud that has no time"


async def two_addresses(*_question: Any, **_more: Any) -> list[Any]:
    """What a name server may say of a name with two addresses; nobody lives at the first."""
    kind = (socket.AF_INET, socket.SOCK_DGRAM, 17, "")
    return [(*kind, (host, 0)) for host in ("127.0.0.99", "127.0.0.1")]


def test_a_main_server_that_is_silent_gives_way_to_the_next_address_of_its_name():
    cloud = Cloud(fleet(6))
    with asking(cloud) as asker:
        asker.runner.get_loop().getaddrinfo = two_addresses
        assert len(asker.sweep().online) == 6
        asker.runner.get_loop().getaddrinfo = None
        assert len(asker.sweep().online) == 6, "who answered is asked again, by its address"


def test_an_error_of_the_cloud_about_one_recorder_keeps_nobody_else_from_being_asked():
    recorder = Recorder("AB12345", 0, answers={"lookup": "500"})
    with asking(Cloud(beside(recorder), servers=2)) as asker:
        for _ in range(2):
            result = asker.sweep()
            assert len(result.online) == 2
            assert result.unsaid_of == {"dahua:failing"}


@pytest.mark.parametrize("cseq", ["wrong", "missing"])
def test_answers_that_belong_to_no_request_are_no_verdict(cseq):
    cloud = Cloud(fleet(3))
    cloud.cseq = cseq
    with asking(cloud) as asker:
        result = asker.sweep()
    assert result.offline == {}
    assert result.cannot.scope == "dahua"


# -- a cloud with ways of its own ------------------------------------------------------------


def test_a_server_that_sends_every_first_request_away_is_not_busy():
    cloud = Cloud(fleet(120, 2), servers=2)
    cloud.regions[0].sheds_first = True
    cloud.recorders["SIM00004PAZ0004"].state = "gone"
    with asking(cloud, waits=(0.5, 0.5)) as asker:
        for _ in range(2):
            result = asker.sweep()
            assert set(result.offline) == {"SIM00004PAZ0004"}
            assert len(result.online) == 119
            assert result.unsaid_of == set()
            assert not any("sheds load" in note for note in result.coverage.notes)


def test_who_refuses_the_repetition_too_is_busy():
    cloud = Cloud(fleet(60, 1), servers=1)
    cloud.busy = 1.0
    with asking(cloud, waits=(0.5, 0.5)) as asker:
        result = asker.sweep()
        assert any("sheds load" in note for note in result.coverage.notes)
        asked = cloud.asked.total()
        asker.sweep()
        assert cloud.asked.total() == asked


@pytest.mark.parametrize("state", ["online", "offline", "gone", "silent"])
def test_an_answer_with_cseq_0_counts_on_a_socket_of_its_own(state):
    cloud = Attentive(beside(Recorder("AB12345", 0, state, cseq="zero")), servers=2)
    with asking(cloud) as asker:
        result = asker.sweep()
        assert set(result.offline) == ({"AB12345"} if state != "online" else set())
        assert result.unsaid_of == set()
    assert len(cloud.senders["main"]) >= 2


def test_a_cloud_that_always_answers_with_cseq_0_is_understood():
    cloud = Cloud(some_offline(300)[0])
    cloud.cseq = "zero"
    with asking(cloud, alone=40) as asker:
        result = asker.sweep()
    assert set(result.offline) == some_offline(300)[1]
    assert len(result.online) == 296


def test_who_is_silent_by_numbers_is_not_asked_once_more():
    cloud = Cloud(beside(Recorder("AB12345", 0, "silent")), servers=2)
    with asking(cloud) as asker:
        assert set(asker.sweep().offline) == {"AB12345"}
        assert cloud.asked["lookup", "AB12345"] == 2


def test_a_server_that_says_404_of_a_recorder_elsewhere_is_alive():
    recorders = [Recorder("AB12340", 0, "silent"), Recorder("AB12341", 1)]
    with asking(Cloud(recorders, servers=2)) as asker:
        result = asker.sweep()
        assert set(result.offline) == {"AB12340"}
        assert set(result.online) == {"AB12341"}
        assert result.unsaid_of == set()
        assert asker.pretend.asked["probe", "AB12341"] > 1


def test_a_recorder_that_answers_while_its_server_is_proved_is_online():
    silent = Recorder("AB12340", 0, "silent")
    cloud = Cloud([silent, Recorder("AB12341", 1)], servers=2)

    def delay(server: Any, asked: Any) -> float:
        if server is cloud.regions[0] and asked.serial == "AB12341":
            silent.state = "online"
        return 0.01

    with asking(cloud) as asker:
        cloud.delay = delay
        result = asker.sweep()
    assert result.offline == {}
    assert set(result.online) == {"AB12340", "AB12341"}


def test_the_only_recorder_of_a_dead_server_is_offline_after_a_long_silence():
    cloud = Cloud([Recorder("AB12340", 0), Recorder("AB12341", 1)], servers=2)
    with asking(cloud, long_silence=2.5) as asker:
        cloud.regions[0].silent = True
        result = asker.sweep()
        assert result.offline == {}
        assert result.unsaid_of == {f"dahua:127.0.0.1:{cloud.regions[0].port}"}
        until(lambda: (result := asker.sweep()).offline or result.unsaid_of == set())
        result = asker.sweep()
        assert "while the main server answers" in result.offline["AB12340"]
        assert result.unsaid_of == set()
        cloud.regions[0].silent = False
        assert set(asker.sweep().online) == {"AB12340", "AB12341"}
        cloud.regions[0].silent = True
        assert asker.sweep().offline == {}, "the ten minutes begin again"


def test_nobody_is_offline_by_a_silence_in_which_the_cloud_was_away():
    cloud = Cloud([Recorder("AB12340", 0)], servers=1)
    with asking(cloud, long_silence=1.5) as asker:
        cloud.regions[0].silent = True
        assert asker.sweep().offline == {}
        cloud.main.silent = True
        assert asker.sweep().cannot.scope == "dahua"
        cloud.main.silent = False
        assert asker.sweep().offline == {}


def test_two_recorders_of_a_dead_server_are_never_offline_by_silence():
    cloud = Cloud([Recorder("AB12340", 0), Recorder("AB12341", 0)], servers=1)
    with asking(cloud, long_silence=0.0) as asker:
        cloud.regions[0].silent = True
        assert asker.sweep().offline == {}


def test_a_serial_is_asked_as_typed_when_the_cloud_does_not_know_it_in_capitals():
    recorders = [Recorder("ab12Cd7"), Recorder("AB12341"), Recorder("xy12345", 0, "offline")]
    with asking(Cloud(recorders, servers=1)) as asker:
        result = asker.sweep(["ab12Cd7", "ab12341", "xy12345"])
        assert set(result.online) == {"ab12Cd7", "ab12341"}
        assert set(result.offline) == {"xy12345"}
        assert asker.pretend.asked["lookup", "ab12341"] == 0
        asker.sweep(["ab12Cd7"])
        assert asker.pretend.asked["lookup", "ab12Cd7"] == 1, "the spelling is remembered"


class Attentive(Cloud):
    """It remembers from which sockets each server was asked."""

    def __init__(self, *given: Any, **changes: Any) -> None:
        super().__init__(*given, **changes)
        self.senders: dict[str, set[tuple[str, int]]] = {}

    def _take(self, server: Any, datagram: bytes, sender: tuple[str, int], arrival: float) -> None:
        self.senders.setdefault(server.name, set()).add(sender)
        super()._take(server, datagram, sender, arrival)


# -- politeness --------------------------------------------------------------------------------


def test_only_the_listed_serials_are_asked_about():
    recorders = fleet(10)
    listed = [recorder.serial for recorder in recorders[:3]]
    with asking(Cloud(recorders)) as asker:
        assert set(asker.sweep(listed).online) == set(listed)
        assert {serial for _step, serial in asker.pretend.asked} == set(listed)


def test_nobody_is_asked_when_nobody_is_listed():
    with asking(Cloud(fleet(2))) as asker:
        assert asker.sweep([]).coverage.requests == 0
        assert asker.pretend.asked.total() == 0


def test_no_server_gets_more_than_burst_and_rate_in_a_second():
    cloud = Cloud(fleet(120, 2), servers=2)
    with asking(cloud, rate=50.0, burst=20.0) as asker:
        assert len(asker.sweep().online) == 120
        peaks = [server.tally.peak for server in cloud.servers]
        assert max(peaks) <= 72  # two more: the wire hears them a moment closer than they left
        assert peaks[0] > 30


def test_each_server_is_spoken_to_from_one_socket_only():
    cloud = Attentive(fleet(40, 4), servers=4)
    with asking(cloud) as asker:
        asker.sweep()
        asker.sweep()
    assert {name: len(senders) for name, senders in cloud.senders.items()} == dict.fromkeys(
        ("main", "US0", "US1", "US2", "US3"), 1
    )


def test_a_server_that_was_silent_is_spoken_to_from_another_socket():
    cloud = Attentive(fleet(2, 1), servers=1)
    with asking(cloud) as asker:
        cloud.main.silent = True
        asker.sweep()
        cloud.main.silent = False
        assert len(asker.sweep().online) == 2
    assert len(cloud.senders["main"]) == 2


def test_the_requests_are_spread_over_the_interval():
    cloud = Cloud(fleet(40, 1), servers=1)
    with asking(cloud) as asker:
        assert len(asker.sweep(spread=2.0).online) == 40
        assert cloud.main.tally.peak < 35


def test_the_place_of_a_recorder_is_remembered_until_it_is_not_there():
    cloud = Cloud(fleet(1, 2), servers=2)
    serial = next(iter(cloud.recorders))
    with asking(cloud) as asker:
        asker.sweep()
        asker.sweep()
        assert cloud.asked["lookup", serial] == 1
        cloud.recorders[serial].server = 1
        assert set(asker.sweep().online) == {serial}
        assert cloud.asked["lookup", serial] == 2
        cloud.regions[1].silent = True
        asker.sweep()
        looked = cloud.asked["lookup", serial]
        assert looked > 2
        cloud.regions[1].silent, cloud.recorders[serial].server = False, 0
        assert set(asker.sweep().online) == {serial}


def test_a_held_answer_keeps_nobody_else_waiting():
    cloud = Cloud(fleet(30))
    held = next(iter(cloud.recorders))
    cloud.delay = lambda _server, request: math.inf if request.serial == held else 0.0
    with asking(cloud, waits=(3.0, 3.0, 3.0)) as asker:
        results: list[Said] = []
        thread = threading.Thread(target=lambda: results.append(asker.sweep()))
        thread.start()
        until(lambda: sum(cloud.asked["info", serial] for serial in cloud.recorders) == 29)
        until(lambda: cloud.asked["lookup", held])
        cloud.delay = 0.0
        cloud.release()
        thread.join(30)
        assert len(results[0].online) == 30
