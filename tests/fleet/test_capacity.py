"""A full fleet: ghosts give way, cameras stay, and it is told once."""

from typing import Any

import pytest

from fleet.reduce import capacity
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen


def ghost(number: int, **fields: Any) -> Any:
    return seen(key(number), address=f"10.66.0.{number}", **fields)


def key(number: int) -> str:
    return f"mac:02:f0:00:00:00:{number:02x}"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MAX_DEVICES", 5)
    monkeypatch.setattr(capacity, "MAX_RETIRED", 5)


def known(story: Story) -> list[str]:
    return sorted(device.identities[0] for device in story.fleet.devices.values())


def full_of_ghosts() -> Story:
    """A camera that is known for two days and dead, and four ghosts that spoke once."""
    story = Story()
    story.tell(seen(A))
    story.tell(seen(A, at=noon(days=2)))
    story.tell(*(ghost(n, at=noon(days=2, seconds=n)) for n in range(1, 5)))
    gone = [A, *map(key, range(1, 5))]
    story.tell(*(missed(identity, noon(days=2, minutes=5)) for identity in gone))
    return story


@pytest.mark.usefixtures("small")
def test_in_a_full_fleet_the_newest_silent_ghost_gives_way_to_a_camera() -> None:
    story = full_of_ghosts()
    kinds = story.tell(seen(B, at=noon(days=2, minutes=9)))
    assert kinds == ["fleet.full", "device.found"]
    assert known(story) == sorted([A, B, key(1), key(2), key(3)])
    assert story.fleet.state["full"]["gave_way"] == 1
    assert story.device(6).identities == (B,), "no number is used twice"


@pytest.mark.usefixtures("small")
def test_what_somebody_named_tagged_or_knows_for_a_day_gives_way_to_nobody() -> None:
    story = full_of_ghosts()
    changes: list[dict[str, Any]] = [
        {"name": "Gate"},
        {"tags": ["north"]},
        {"notes": "ours"},
        {"parent": 1},
    ]
    for number, fields in enumerate(changes, start=1):
        story.tell(edit("change", key(number), **fields))
    assert story.tell(seen(B, at=noon(days=2, minutes=9))) == ["fleet.full"]
    assert known(story) == sorted([A, *map(key, range(1, 5))])
    assert story.fleet.state["full"]["refused"] == 1


@pytest.mark.usefixtures("small")
def test_who_answers_gives_way_to_nobody() -> None:
    story = full_of_ghosts()
    story.tell(*(ghost(n, at=noon(days=2, minutes=6)) for n in range(1, 5)))
    assert story.tell(seen(B, at=noon(days=2, minutes=9))) == ["fleet.full"]
    assert B not in known(story)


@pytest.mark.usefixtures("small")
def test_it_is_told_once_and_the_notice_goes_when_there_is_room() -> None:
    story = full_of_ghosts()
    kinds = story.tell(*(seen(f"mac:d4:2d:c5:00:01:{n:02x}") for n in range(20)))
    assert kinds.count("fleet.full") == 1
    assert story.fleet.state["full"]["refused"] + story.fleet.state["full"]["gave_way"] == 20
    story.tell(at=noon(days=2, minutes=10))
    assert "full" in story.fleet.state
    story.tell(edit("retire", A))
    story.tell(at=noon(days=2, minutes=11))
    assert "full" not in story.fleet.state


@pytest.mark.usefixtures("small")
def test_retired_devices_take_no_place_of_the_others_and_have_places_of_their_own() -> None:
    story = full_of_ghosts()
    story.tell(*(edit("retire", key(n)) for n in range(1, 5)))
    for number in range(10, 14):
        assert "device.found" in story.tell(ghost(number, at=noon(days=3)))
    story.tell(edit("change", key(4), name="Kept"))
    story.tell(*(edit("retire", key(n)) for n in range(10, 14)))
    retired = [device for device in story.fleet.devices.values() if device.retired_at]
    assert len(retired) == 5
    assert key(4) in known(story), "somebody named it"
    assert key(1) in known(story), "the newest give way"


@pytest.mark.usefixtures("small")
def test_a_retired_device_does_not_push_its_way_back_into_a_full_fleet() -> None:
    story = full_of_ghosts()
    story.tell(edit("retire", A))
    story.tell(*(edit("change", key(n), name=f"G{n}") for n in range(1, 5)))
    story.tell(seen(B, at=noon(days=3)))
    assert story.tell(seen(A, at=noon(days=3))) == ["fleet.full"]
    assert story.device().retired_at is not None
