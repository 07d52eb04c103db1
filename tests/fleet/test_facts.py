"""What a device says of itself takes a bounded room in the database, and only proof enters."""

import orjson

from fleet.model import Device
from fleet.reduce.facts import MAX_BYTES
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen

LONG = {f"tag_{number}": "ab" * 30 for number in range(200)}


def size(device: Device) -> int:
    """Of all that sources say of it, as it stands in the file."""
    parts = [facts for source, facts in device.facts.items() if source != "workbook"]
    return sum(len(orjson.dumps(dict(facts))) for facts in parts)


def test_facts_that_take_too_much_room_are_left_out_and_that_is_told() -> None:
    story = Story()
    story.tell(seen(A, name="Gate", facts=LONG))
    facts = story.device().facts["panasonic"]
    assert MAX_BYTES - 100 < size(story.device()) <= MAX_BYTES
    kept = [key for key in facts if key.startswith("tag_")]
    assert kept == list(LONG)[: len(kept)], "the first ones"
    assert (facts["name"], facts["facts_omitted"]) == ("Gate", f"{201 - len(kept) - 1} facts")
    # The same again is the same again.
    assert story.tell(seen(A, at=noon(minutes=1), name="Gate", facts=LONG)) == []
    assert story.device().facts["panasonic"] == facts


def test_all_sources_share_the_room_of_a_device() -> None:
    story = Story()
    for number in range(5):
        story.tell(seen(A, source=f"source{number}", facts=LONG))
    assert size(story.device()) <= MAX_BYTES + 4 * 30
    assert story.device().facts["source4"] == {"facts_omitted": "200 facts"}


def test_one_enormous_fact_pushes_out_no_other() -> None:
    story = Story()
    story.tell(seen(A, facts={"huge": "x" * 100_000, "small": "y"}))
    assert story.device().facts["panasonic"] == {"small": "y", "facts_omitted": "1 facts"}


def test_what_is_only_alive_renews_a_known_device_and_nothing_else() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    story.tell(missed(A, noon(minutes=1)))
    later = noon(minutes=2)
    alive = seen(A, at=later, asked=None, name="Other", only_alive=True)
    assert story.tell(alive) == ["device.back"]
    device = story.device()
    assert (device.last_seen, device.sightings) == (later, 1)
    assert device.facts["panasonic"] == {"name": "Gate"}


def test_what_is_only_alive_brings_no_device_no_address_and_no_retired_one() -> None:
    story = Story()
    assert story.tell(seen(B, only_alive=True)) == []
    assert story.fleet.devices == {}
    story.tell(seen(A))
    before = story.device()
    assert story.tell(seen(A, at=noon(minutes=1), address="10.0.0.9", only_alive=True)) == []
    assert story.device() == before
    story.tell(edit("retire", A))
    assert story.tell(seen(A, at=noon(minutes=1), only_alive=True)) == []
    assert story.device().retired_at is not None
