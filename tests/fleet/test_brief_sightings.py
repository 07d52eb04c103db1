"""A check that says less than another one of the same source takes nothing away."""

from dataclasses import replace

from tests.fleet.reports import A, Story, seen


def test_a_brief_sighting_leaves_facts_and_kind_of_a_known_device() -> None:
    story = Story()
    whole = replace(seen(A, source="onvif"), kind="recorder", model="NVR-1", facts={"channels": 4})
    story.tell(whole)
    count = len(story.events)
    story.tell(replace(seen(A, source="onvif"), kind="camera", model="other", is_brief=True))
    assert story.device(1).facts["onvif"] == {**whole.facts, "model": "NVR-1"}
    assert story.device(1).kind == "recorder"
    assert len(story.events) == count, "nothing changed"
    story.tell(replace(whole, model="NVR-2"))
    assert story.device(1).facts["onvif"]["model"] == "NVR-2", "a whole one replaces them"


def test_a_brief_sighting_says_what_is_known_of_a_new_device() -> None:
    story = Story()
    story.tell(replace(seen(A, source="onvif"), model="IPC-1", is_brief=True))
    assert story.device(1).facts["onvif"]["model"] == "IPC-1"
