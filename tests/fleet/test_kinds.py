"""The kind of a device: a weaker source does not change what a stronger one said."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.model import Device, Edit, Fleet
from fleet.reduce.kinds import PERSON
from fleet.reducer import reduce
from fleet.status_rules import rules_of
from settings import Settings
from sources.build import build_sources, source_rules
from sources.source import Source
from tests.fleet.reports import A, Story, edit, noon, seen
from tests.home import Home

CHANGES: dict[str, tuple[str, str, bool]] = {
    "a guess after a protocol": ("panasonic", "rtsp", False),
    "a guess after a person": (PERSON, "rtsp", False),
    "a protocol after a guess": ("snmp", "onvif", True),
    "a protocol after a person": (PERSON, "panasonic", False),
    "a protocol after the workbook": ("workbook", "dahua", False),
    "a protocol after another one": ("panasonic", "onvif", False),
    "a guess after another one": ("snmp", "rtsp", False),
    "a protocol that changes its mind": ("panasonic", "panasonic", True),
    "anything after nobody knows whom": ("", "rtsp", True),
}


def test_a_new_vendor_whose_answers_name_the_kind_replaces_a_guess() -> None:
    """One field of the source, from its file to the record; without it the vendor guesses too."""
    acme = Source("acme", "Acme", 5, names_kind=True)
    for source, kind in ((acme, "recorder"), (replace(acme, names_kind=False), "camera")):
        rules = rules_of(Fleet(), 300, source_rules([source]))
        fleet, _events = reduce(Fleet(), [seen(A, source="rtsp", kind="camera")], noon(), rules)
        says = seen(A, source="acme", kind="recorder", at=noon(minutes=1))
        fleet, _events = reduce(fleet, [says], noon(minutes=1), rules)
        assert fleet.devices[1].kind == kind


def test_the_sources_of_the_program_whose_protocols_name_the_kind_say_so(
    make_home: Callable[..., Home],
) -> None:
    assert make_home().monitor.tracker.rules().kind_sources == {"panasonic"}
    sources = build_sources(Settings().select, lambda: noon())
    assert {source.name for source in sources if source.names_kind} == {
        *("panasonic", "dahua", "onvif")
    }


@pytest.mark.parametrize("what", CHANGES)
def test_who_may_change_the_kind(what: str) -> None:
    before, source, is_changed = CHANGES[what]
    story = Story(Device(1, "recorder", "here", (A,), kind_source=before))
    story.tell(seen(A, source=source, kind="camera"))
    now = (story.device().kind, story.device().kind_source)
    assert now == (("camera", source) if is_changed else ("recorder", before))


def test_what_a_person_listed_before_kinds_had_a_source_keeps_its_kind() -> None:
    story = Story(Device(1, "recorder", "here", (A,), listed=True))
    story.tell(seen(A, kind="camera"))
    assert story.device().kind == "recorder"


def test_two_records_that_become_one_have_the_kind_of_the_stronger_source() -> None:
    story = Story()
    story.tell(seen("onvif:1", source="guess", kind="switch"))
    story.tell(seen(A, kind="recorder"))
    story.tell(replace(seen("onvif:1", A, at=noon(minutes=1), source="other"), kind="camera"))
    assert (story.device().kind, story.device().kind_source) == ("recorder", "panasonic")


@pytest.mark.parametrize("chosen", [{}, {"likely_kind": "camera"}])
def test_a_recorder_that_was_added_as_a_camera_is_one_once_it_says_so(
    chosen: dict[str, str],
) -> None:
    story = Story()
    story.tell(edit("add", "", source="onvif", host="10.0.0.1", **chosen))
    assert (story.device().kind, story.device().kind_source) == ("camera", "assumed")
    story.tell(seen("at:onvif:10.0.0.1", source="rtsp", device=1))
    assert story.device().kind_source == "assumed", "a source that guesses changes nothing"
    at = noon(minutes=1)
    story.tell(seen("at:onvif:10.0.0.1", at=at, source="onvif", kind="recorder", device=1))
    assert (story.device().kind, story.device().kind_source) == ("recorder", "onvif")


def test_a_kind_that_a_person_chose_stays() -> None:
    story = Story()
    way = {"source": "onvif", "host": "10.0.0.1", "kind": "camera"}
    story.tell(Edit("add", "", way, "tester", noon()))
    story.tell(seen("at:onvif:10.0.0.1", source="onvif", kind="recorder", device=1))
    assert (story.device().kind, story.device().kind_source) == ("camera", "person")
