"""Undo gives back what was before: any merges and splits, undone in reverse, with and without
reports in between."""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet import status
from fleet.database import record
from fleet.edit.editing import can_undo, inverse
from fleet.model import Device, Event, Fleet, Refused
from tests.fleet.reports import NOON, Story, edit, missed, noon, seen

ACTS = frozenset({"device.merged", "device.split", "device.unmerged"})
EXAMPLES = 400


def mac(number: int) -> str:
    return f"mac:d4:2d:c5:00:00:{number:02x}"


@dataclass(frozen=True)
class Camera:
    """A camera that answers with its own model and serial at its own address."""

    number: int
    keys: tuple[str, ...]

    @property
    def address(self) -> str:
        return f"10.0.0.{self.number}"

    def answers(self, story: Story, at: datetime) -> None:
        own = {"model": f"M{self.number}", "serial": f"S{self.number}"}
        story.tell(seen(*self.keys, at=at, address=self.address, **own))


def cameras(dice: random.Random, endpoints: float) -> list[Camera]:
    """Cameras with a MAC, so many of them with an endpoint reference besides."""
    numbers = range(1, dice.randint(2, 5) + 1)
    return [
        Camera(n, ((f"onvif:{n}",) if dice.random() < endpoints else ()) + (mac(n),))
        for n in numbers
    ]


def describe(story: Story, number: int, device: Device, dice: random.Random) -> None:
    """Name, notes, tags, site, parents and access, as people give them."""
    given: dict[str, Any] = {"name": f"Camera {number}"} if dice.random() < 0.5 else {}
    given |= {"notes": f"Note {number}"} if dice.random() < 0.3 else {}
    given |= {"tags": [f"tag {number}", "all"]} if dice.random() < 0.3 else {}
    given |= {"site": "Plant 2"} if dice.random() < 0.1 else {}
    given |= {"parents": [number - 1]} if number > 1 and dice.random() < 0.3 else {}
    if given:
        story.tell(edit("change", f"id:{device.id}", **given))
    if dice.random() < 0.3:
        secret = {"id": f"s{number}", "sealed": f"v1:{number}"}
        place = {"source": "rtsp", "host": f"10.0.1.{number}", "port": 554, "secret": secret}
        story.tell(edit("link", f"id:{device.id}", **place))


def silenced(story: Story, known: list[Camera], dice: random.Random) -> None:
    """Some do not answer, and some are retired."""
    for number in (camera.number for camera in known):
        if dice.random() < 0.1:
            story.tell(missed(mac(number), at=noon(minutes=8)))
        if dice.random() < 0.1:
            story.tell(edit("retire", f"id:{number}"))


def story_of(dice: random.Random, endpoints: float = 0.4) -> tuple[Story, list[Camera]]:
    story, known = Story(), cameras(dice, endpoints)
    for camera in known:
        camera.answers(story, noon(minutes=camera.number))
    for camera in known:
        describe(story, camera.number, story.device(camera.number), dice)
    return story, known


def act(story: Story, dice: random.Random, at: datetime) -> Event | None:
    """Merge, split, or undo the newest of these acts; None if it was refused."""
    ids = list(story.fleet.devices)
    id = dice.choice(ids)
    keys = story.device(id).identities
    first = len(story.events)
    match dice.randrange(6):
        case 0 | 1 | 2 if len(ids) > 1:
            other = dice.choice([other for other in ids if other != id])
            report = edit("merge", f"id:{id}", at, **{"with": other})
        case 3 | 4 if len(keys) > 1:
            report = edit(
                "split", f"id:{id}", at, identities=dice.sample(keys, dice.randrange(1, len(keys)))
            )
        case _:
            acts = [event for event in story.events if event.kind in ACTS]
            if not acts:
                return None
            report = inverse(acts[-1], "tester", at)
    try:
        story.tell(report, at=at)
    except Refused:
        return None
    story.tell(at=at)
    return next(event for event in story.events[first:] if event.kind in ACTS)


def shown(fleet: Fleet) -> dict[str, Any]:
    """All that an undo gives back. The sources never merge again what a person told apart; `since`
    is when the status was last told, which a retired device does not have."""
    devices = {
        id: replace(
            device,
            never_merge=(),
            since=None,
            status=status.UNKNOWN if device.retired_at else device.status,
        )
        for id, device in fleet.devices.items()
    }
    redirects = {old: new for old, new in fleet.redirects.items() if old in devices}
    return {"devices": devices, "redirects": redirects, "secrets": fleet.secrets}


def undo_whole(seed: int) -> None:
    """Some acts, and all of them undone: after each undo the fleet is what it was before."""
    dice = random.Random(seed)
    story, known = story_of(dice)
    silenced(story, known, dice)
    at, done = NOON + timedelta(minutes=10), list[tuple[Event, Fleet]]()
    story.tell(at=at)
    for _ in range(dice.randint(1, 6)):
        at, before = at + timedelta(seconds=1), story.fleet
        if event := act(story, dice, at):
            done.append((event, before))
    for event, before in reversed(done):
        at += timedelta(seconds=1)
        assert can_undo(event)
        story.tell(inverse(event, "tester", at), at=at)
        story.tell(at=at)
        assert shown(story.fleet) == shown(before), f"seed {seed}: {event.text}"
        for id, device in before.devices.items():
            assert {*story.device(id).never_merge} >= {*device.never_merge}
        assert record.decode(record.Encoder().encode(story.fleet)) == story.fleet


def reported(device: Device) -> dict[str, Any]:
    """What does not depend on when its camera answered."""
    names = ("address", "facts", "name", "notes", "tags", "parents", "access", "status", "site")
    addresses = {source: {*known} for source, known in device.source_addresses.items()}
    keys = {"identities": {*device.identities}, "interfaces": {*device.interfaces}}
    values = {name: getattr(device, name) for name in names}
    return {**values, **keys, "states": {*device.states}, "source_addresses": addresses}


def undo_with_reports(seed: int) -> None:
    """Some acts undone, while the cameras go on answering: each record has what its own camera
    said, and nothing of another one."""
    dice = random.Random(seed)
    story, known = story_of(dice, endpoints=0)
    at, done, before = NOON + timedelta(minutes=10), list[Event](), story.fleet
    last = {camera.number: noon(minutes=camera.number) for camera in known}

    def some_answer() -> None:
        for camera in known:
            if dice.random() < 0.4:
                last[camera.number] = at + timedelta(seconds=camera.number)
                camera.answers(story, last[camera.number])

    for _ in range(dice.randint(1, 6)):
        at += timedelta(minutes=1)
        if event := act(story, dice, at):
            done.append(event)
        some_answer()
    for event in reversed(done):
        at += timedelta(minutes=1)
        story.tell(inverse(event, "tester", at), at=at)
        some_answer()
    story.tell(at=at)
    devices = story.fleet.devices
    assert devices.keys() == before.devices.keys(), f"seed {seed}"
    for id, device in devices.items():
        assert reported(device) == reported(before.devices[id]), f"seed {seed}, device {id}"
        assert device.last_seen == last[id], f"seed {seed}, device {id}"


@pytest.mark.parametrize("start", range(0, EXAMPLES, 50))
def test_any_acts_that_are_undone_leave_the_fleet_as_it_was(start: int) -> None:
    for seed in range(start, start + 50):
        undo_whole(seed)


@pytest.mark.parametrize("start", range(0, EXAMPLES, 50))
def test_what_came_since_is_of_the_camera_that_answered(start: int) -> None:
    for seed in range(start, start + 50):
        undo_with_reports(seed)


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_very_many_acts_that_are_undone_leave_the_fleet_as_it_was() -> None:
    for seed in range(EXAMPLES, EXAMPLES + 20_000):
        undo_whole(seed)
        undo_with_reports(seed)


# -- one by one ------------------------------------------------------------------------------


def sealed(id: str) -> dict[str, str]:
    return {"id": id, "sealed": f"v1:{id}"}


def three_cameras() -> Story:
    """Cameras 1 to 3 with a model and serial of their own."""
    story = Story()
    for number in (1, 2, 3):
        Camera(number, (mac(number),)).answers(story, noon(minutes=number))
    return story


def tell_edit(story: Story, kind: str, id: int, **fields: Any) -> Event:
    """Apply the edit; the event that undoes it."""
    first = len(story.events)
    story.tell(edit(kind, f"id:{id}", noon(minutes=10), **fields))
    return next(event for event in story.events[first:] if can_undo(event))


def undo(story: Story, event: Event, minutes: int = 20) -> None:
    story.tell(inverse(event, "tester", noon(minutes=minutes)))


def serials(story: Story) -> dict[int, Any]:
    return {
        id: device.facts.get("panasonic", {}).get("serial")
        for id, device in story.fleet.devices.items()
    }


@pytest.mark.parametrize("answering", [(), (2,), (3,), (2, 3)])
def test_a_record_whose_facts_went_with_a_split_keeps_none_of_another(
    answering: tuple[int, ...],
) -> None:
    story = three_cameras()
    tell_edit(story, "merge", 1, **{"with": 2})
    tell_edit(story, "split", 1, identities=[mac(1)])
    merged = tell_edit(story, "merge", 1, **{"with": 3})
    for number in answering:
        Camera(number, (mac(number),)).answers(story, noon(minutes=11 + number))
    undo(story, merged)
    assert serials(story) == {1: "S2" if 2 in answering else None, 3: "S3", 4: "S1"}


def test_facts_that_two_cameras_of_one_model_share_stay_with_the_one_that_said_them() -> None:
    story = Story()
    story.tell(seen(mac(1)), seen(mac(2), source="onvif", address="10.0.0.2", model="M"))
    merged = tell_edit(story, "merge", 1, **{"with": 2})
    story.tell(seen(mac(1), source="onvif", at=noon(minutes=11), model="M"))
    undo(story, merged)
    assert [story.device(id).facts["onvif"]["model"] for id in (1, 2)] == ["M", "M"]
    assert story.device(1).states["onvif"].seen_at == noon(minutes=11)
    assert story.device(2).states["onvif"].seen_at == NOON


def test_undoing_a_split_shows_the_address_that_was_shown_before() -> None:
    story = three_cameras()
    tell_edit(story, "merge", 1, **{"with": 2})
    before = story.device(1)
    split = tell_edit(story, "split", 1, identities=[mac(1)])
    assert (story.device(1).address, story.device(4).address) == ("10.0.0.2", "10.0.0.1")
    Camera(2, (mac(2),)).answers(story, noon(minutes=12))
    undo(story, split)
    after = story.device(1)
    assert (after.address, after.facts) == (before.address, before.facts)
    assert after.last_seen == noon(minutes=12)


def test_undoing_a_split_of_an_earlier_version_merges_the_two() -> None:
    story = three_cameras()
    tell_edit(story, "merge", 1, **{"with": 2})
    split = tell_edit(story, "split", 1, identities=[mac(1)])
    undo(story, replace(split, before={"stays": 1}))
    assert {*story.device(1).identities} == {mac(1), mac(2)}
    assert story.device(1).address == "10.0.0.2"


def test_undoing_a_split_follows_the_address_that_was_shown_before() -> None:
    story = three_cameras()
    tell_edit(story, "merge", 1, **{"with": 2})
    split = tell_edit(story, "split", 1, identities=[mac(1)])
    story.tell(seen(mac(1), address="10.0.0.11", at=noon(minutes=40), serial="S1"))
    undo(story, split, minutes=41)
    assert (story.device(1).address, serials(story)[1]) == ("10.0.0.11", "S1")


def test_what_is_split_off_with_the_shown_address_shows_it_with_its_facts() -> None:
    story = three_cameras()
    for removed in (2, 3):
        tell_edit(story, "merge", 1, **{"with": removed})
    tell_edit(story, "split", 1, identities=[mac(1), mac(2)])
    assert (story.device(4).address, serials(story)[4]) == ("10.0.0.1", "S1")


def test_a_password_is_of_the_record_that_uses_it_whatever_was_undone() -> None:
    story = three_cameras()
    place = {"source": "rtsp", "host": "10.0.1.1", "port": 554}
    tell_edit(story, "link", 1, **place, secret=sealed("s1"))
    split = tell_edit(story, "split", 1, identities=["rtsp:10.0.1.1:554"])
    assert story.fleet.secrets["s1"].device == 4
    undo(story, split)
    assert story.fleet.secrets["s1"].device == 1


def test_a_restored_record_excludes_what_its_exclusion_was_merged_into() -> None:
    story = three_cameras()
    Camera(4, (mac(4),)).answers(story, noon(minutes=4))
    undo(story, tell_edit(story, "merge", 3, **{"with": 4}))
    merged = tell_edit(story, "merge", 1, **{"with": 3})
    tell_edit(story, "merge", 2, **{"with": 4})
    undo(story, merged, minutes=31)
    assert story.device(3).never_merge == (2, 1)
    story.tell(edit("delete", "id:2"))
    assert story.device(3).never_merge == (1,)


def test_undoing_a_merge_excludes_again_what_another_one_excluded() -> None:
    story = three_cameras()
    undo(story, tell_edit(story, "merge", 2, **{"with": 3}))
    merged = tell_edit(story, "merge", 1, **{"with": 2})
    assert story.device(3).never_merge == (1,)
    undo(story, merged)
    assert story.device(3).never_merge == (2,)


def test_undoing_a_link_brings_no_password_back_that_was_deleted() -> None:
    story = three_cameras()
    tell_edit(story, "link", 1, source="onvif", secret=sealed("s0"))
    linked = tell_edit(story, "link", 1, source="onvif", host="10.0.1.1", secret=sealed("s1"))
    tell_edit(story, "link", 1, source="rtsp", secret=sealed("r0"))
    for number in range(1, 5):
        tell_edit(story, "change", 1, source="rtsp", secret=sealed(f"r{number}"))
    assert "s0" not in story.fleet.secrets
    undo(story, linked)
    assert story.device(1).access["onvif"].secret is None


def test_undoing_a_link_takes_no_password_that_another_device_has_now() -> None:
    story = three_cameras()
    linked = tell_edit(story, "link", 3, source="rtsp", secret=sealed("s3"))
    merged = tell_edit(story, "merge", 1, **{"with": 3})
    undo(story, linked)
    unlinked = story.events[-1]
    assert unlinked.kind == "device.unlinked"
    undo(story, merged)
    undo(story, unlinked)
    assert [story.device(id).access["rtsp"].secret for id in (1, 3)] == [None, "s3"]


def test_an_address_that_is_shown_again_has_the_time_at_which_it_was_proved() -> None:
    story = Story()
    story.tell(seen(mac(3)), seen(mac(2), address="10.0.0.2"))
    tell_edit(story, "link", 1, source="rtsp", host="10.0.1.1", port=554)
    tell_edit(story, "split", 1, identities=[mac(3)])
    merged = tell_edit(story, "merge", 1, **{"with": 2})
    story.tell(seen(mac(2), address="10.0.0.2", at=noon(minutes=40)))
    story.tell(seen(mac(2), address="10.0.0.2", at=noon(minutes=45)))
    assert story.device(1).address == "10.0.0.2"
    undo(story, merged, minutes=46)
    assert story.device(1).address == "10.0.0.1"
    assert story.device(1).source_addresses == {"panasonic": {"10.0.0.1": NOON}}
