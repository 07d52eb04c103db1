"""What is wrong though it answers, and sources that cannot ask: each said once."""

from fleet.model import Fault
from fleet.status import ACTIVE, OFFLINE
from tests.fleet.reports import A, B, Story, down, edit, finding, missed, noon, seen, up


def test_a_finding_is_raised_once_and_cleared_once() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    assert story.tell(finding(A)) == ["finding.raised"]
    assert story.events[-1].text == "Gate: no password is set"
    assert story.events[-1].after == {"kind": "password.unset"}
    assert story.tell(finding(A, at=noon(minutes=1))) == []
    assert story.device().findings[0].since == noon()
    assert story.tell(finding(A, at=noon(minutes=2), cleared=True)) == ["finding.cleared"]
    assert story.device().findings == ()
    assert story.tell(finding(A, at=noon(minutes=3), cleared=True)) == []


def test_a_finding_is_beside_the_status_and_never_one() -> None:
    story = Story()
    story.tell(seen(A), finding(A))
    assert story.status() == ACTIVE


def test_silence_does_not_undo_a_finding() -> None:
    story = Story()
    story.tell(seen(A), finding(A))
    story.tell(missed(A, noon(minutes=1)))
    story.tell(at=noon(days=2))
    assert [finding.kind for finding in story.device().findings] == ["password.unset"]
    assert story.tell(seen(A, at=noon(days=3)), finding(A, at=noon(days=3))) == ["device.back"]


def test_an_answer_that_does_not_speak_of_it_leaves_it() -> None:
    story = Story()
    story.tell(seen(A), finding(A))
    story.tell(seen(A, at=noon(minutes=1)))
    assert len(story.device().findings) == 1


def test_other_words_for_the_same_finding_are_told_and_it_keeps_its_beginning() -> None:
    story = Story()
    story.tell(seen(A), finding(A, "10.0.0.1 is also the address of b", kind="address.shared"))
    other = finding(
        A,
        "10.0.0.1 is also the address of c",
        kind="address.shared",
        at=noon(minutes=5),
        evidence={"others": ["c"]},
    )
    assert story.tell(other) == ["finding.raised"]
    (fault,) = story.device().findings
    assert fault == Fault("address.shared", noon(), other.text, "panasonic", {"others": ["c"]})


def test_findings_of_other_kinds_sources_and_devices_are_their_own() -> None:
    story = Story()
    story.tell(seen(A), seen(B, address="10.0.0.2"))
    story.tell(finding(A), finding(A, kind="setup.open"), finding(A, source="onvif"), finding(B))
    assert story.tell(finding(A, cleared=True)) == ["finding.cleared"]
    left = [(finding.source, finding.kind) for finding in story.device(1).findings]
    assert left == [("panasonic", "setup.open"), ("onvif", "password.unset")]
    assert len(story.device(2).findings) == 1


def test_a_finding_of_somebody_unknown_is_nothing() -> None:
    story = Story()
    assert story.tell(finding(A)) == []


def test_records_that_become_one_keep_their_findings_each_once() -> None:
    story = Story()
    story.tell(seen(A), finding(A), finding(A, source="onvif"))
    story.tell(seen("onvif:1", source="onvif"), finding("onvif:1", source="onvif"))
    story.tell(seen(A, "onvif:1", source="onvif"))
    kinds = sorted((finding.source, finding.kind) for finding in story.device().findings)
    assert kinds == [("onvif", "password.unset"), ("panasonic", "password.unset")]


# -- sources ---------------------------------------------------------------------------------


def test_a_source_that_cannot_ask_is_told_once_and_its_return_once() -> None:
    story = Story()
    assert story.tell(down("panasonic:eth0")) == ["source.down"]
    assert story.events[-1].text == "panasonic:eth0 cannot be checked: the cable is out"
    assert story.events[-1].device is None
    for minute in range(1, 4):
        assert story.tell(down("panasonic:eth0", at=noon(minutes=minute))) == []
    assert story.tell(up("panasonic:eth0", at=noon(minutes=4))) == ["source.up"]
    assert story.tell(up("panasonic:eth0", at=noon(minutes=5))) == []
    assert story.fleet.state["down"] == {}


def test_one_part_of_a_source_says_nothing_of_another() -> None:
    story = Story()
    story.tell(down("panasonic:eth0"))
    assert story.tell(down("panasonic:eth1"), up("panasonic:eth2")) == ["source.down"]
    assert story.tell(up("panasonic:eth0")) == ["source.up"]
    assert list(story.fleet.state["down"]) == ["panasonic:eth1"]


def test_it_stays_down_since_the_first_time_and_for_the_newest_reason() -> None:
    story = Story()
    story.tell(down("panasonic", "no interface is up"))
    story.tell(down("panasonic", "the port is taken", at=noon(minutes=5)))
    known = story.fleet.state["down"]["panasonic"]
    assert known == {"since": noon().isoformat(), "reason": "the port is taken"}


def test_a_source_that_cannot_ask_calls_no_device_dead() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(down("panasonic", at=noon(minutes=5)))
    story.tell(at=noon(days=3))
    assert story.status(at=noon(days=3)) == ACTIVE


def test_a_retired_device_is_told_nothing_but_its_return() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(missed(A, noon(minutes=1)))
    story.tell(edit("retire", "id:1", noon(minutes=2)))
    assert story.tell(at=noon(days=5)) == []
    assert story.device().status == OFFLINE
