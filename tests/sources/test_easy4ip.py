"""The verdict about each state of a recorder, from a pretend Easy4IP cloud on loopback."""

import pytest

from simulators import easy4ip_wire as wire
from simulators.easy4ip import Cloud, Recorder, fleet
from tests.sources.easy4ip_sweeps import SweepResult, sweeping, with_online_recorders

STATES = {
    "online": "online",
    "offline": "not online in Dahua's cloud: 404",
    "unknown": "not online in Dahua's cloud: 404",
    "no_us": "returned no P2P server",
    **dict.fromkeys(wire.BAD_US, "returned no P2P server"),
    "probe_404": "not online on its P2P server: 404",
    "info_404": "not online on its P2P server: 404",
    "gone": "not online on its P2P server: 404",
    "silent": "no response",
    "probe_silent": "no response",
    "info_silent": "no response",
    "info_empty": "online",
    "info_missing": "online",
    "no_body": "an empty response",
    "key_error": "online",
}
FORMS = {
    **dict.fromkeys(("no_reason", "odd_spaces", "lower_case", "long"), "online"),
    **dict.fromkeys(("dtd", "not_xml", "cut", "noise", "empty"), "no response"),
    "no_blank_line": "an empty response",
}


def test_the_table_has_every_state_of_the_simulator():
    assert STATES.keys() == wire.STATES.keys()
    assert FORMS.keys() == wire.FORMS


@pytest.fixture(scope="module")
def every_state() -> SweepResult:
    """One sweep over a recorder of each state, and of each way to spoil an info answer."""
    states = [Recorder(f"STATE{n:04}", n % 2, state) for n, state in enumerate(STATES)]
    spoilt = [
        Recorder(f"FORM{n:04}", n % 2, answers={"info": form}) for n, form in enumerate(FORMS)
    ]
    with sweeping(Cloud(with_online_recorders(*states, *spoilt), servers=2)) as sweeper:
        return sweeper.sweep()


def verdict(result: SweepResult, serial: str) -> str:
    assert (serial in result.online) != (serial in result.offline)
    return result.offline.get(serial, "online")


@pytest.mark.parametrize("state", STATES)
def test_each_state_of_a_recorder_has_its_verdict(every_state, state):
    assert STATES[state] in verdict(every_state, f"STATE{list(STATES).index(state):04}")
    assert every_state.failed_scopes == set()


@pytest.mark.parametrize("form", FORMS)
def test_a_malformed_answer_is_none_and_one_that_can_be_read_counts(every_state, form):
    assert FORMS[form] in verdict(every_state, f"FORM{list(FORMS).index(form):04}")


def test_the_coverage_counts_what_could_not_be_used(every_state):
    assert every_state.coverage.refused["no status line"] >= 2
    assert every_state.coverage.refused["a document type declaration in the body"] >= 1
    assert every_state.coverage.requests > every_state.coverage.answers > 30


def test_firmware_and_ports_come_with_the_answer():
    recorder = Recorder("AB12345", 0, version="4.1", ports={"rtspport": 1554, "privport": 37777})
    with sweeping(Cloud([recorder], servers=1)) as sweeper:
        seen = sweeper.sweep().online["AB12345"]
    assert seen.firmware == "4.1"
    assert dict(seen.facts) == {"port": 37777, "rtsp_port": 1554}
    assert seen.kind == "recorder"
    assert 0 < seen.latency < 60


@pytest.mark.parametrize("state", ["info_empty", "info_missing"])
def test_old_firmware_tells_no_ports_and_is_online_all_the_same(state):
    with sweeping(Cloud([Recorder("AB12345", 0, state)], servers=1)) as sweeper:
        assert dict(sweeper.sweep().online["AB12345"].facts) == {}


def test_trying_is_no_verdict():
    recorder = Recorder("AB12345", 0, trying=3)
    with sweeping(Cloud([recorder], servers=1)) as sweeper:
        assert set(sweeper.sweep().online) == {"AB12345"}
        assert sweeper.pretend.asked["lookup", "AB12345"] == 1


def test_a_region_that_does_not_know_the_keys_is_asked_without_them():
    cloud = Cloud(fleet(4, 2), servers=2)
    cloud.regions[1].knows_keys = False
    cloud.recorders["SIM00003PAZ0003"].state = "gone"
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
    assert set(result.offline) == {"SIM00003PAZ0003"}
    assert len(result.online) == 3
    assert result.failed_scopes == set()


@pytest.mark.parametrize("step", ["lookup", "probe", "info"])
def test_one_404_alone_takes_nobody_offline(step):
    recorder = Recorder("AB12345", 0, once={step: "404"})
    with sweeping(Cloud([recorder], servers=1)) as sweeper:
        assert sweeper.sweep().offline == {}
        assert sweeper.pretend.asked["lookup", "AB12345"] == 2


@pytest.mark.parametrize("state", ["offline", "gone"])
def test_who_is_offline_was_asked_in_two_complete_rounds(state):
    recorder = Recorder("AB12345", 0, state)
    with sweeping(Cloud([recorder], servers=1)) as sweeper:
        assert set(sweeper.sweep().offline) == {"AB12345"}
        assert sweeper.pretend.asked["lookup", "AB12345"] == 2


@pytest.mark.parametrize("step", ["lookup", "probe", "info"])
@pytest.mark.parametrize("code", ["500", "403"])
def test_what_the_cloud_says_of_itself_is_said_of_no_recorder(step, code):
    recorder = Recorder("AB12345", 0, answers={step: code})
    with sweeping(Cloud(with_online_recorders(recorder), servers=2)) as sweeper:
        result = sweeper.sweep()
    assert result.offline == {}
    assert len(result.online) == 2
    assert len(result.failed_scopes) == 1
