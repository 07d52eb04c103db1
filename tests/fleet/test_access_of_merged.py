"""The access of devices that are merged, split and deleted: each password has one device."""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet import identity
from fleet.database import record
from fleet.edit.editing import can_undo, inverse
from fleet.model import Event, Fleet, Refused, Report
from fleet.places import access_key
from tests.fleet.reports import NOON, Story, edit, seen

HOSTS = ("10.0.1.1", "10.0.1.2", "10.0.1.3")
RTSP = {"source": "rtsp", "host": HOSTS[0], "port": 554}


def mac(number: int) -> str:
    return f"mac:d4:2d:c5:00:00:0{number}"


def sealed(id: str) -> dict[str, str]:
    return {"id": id, "sealed": f"v1:{id}"}


def cameras(count: int) -> Story:
    story = Story()
    story.tell(*(seen(mac(n), address=f"10.0.0.{n}") for n in range(1, count + 1)))
    return story


def undo(story: Story, event: Event) -> None:
    story.tell(inverse(event, "tester", NOON))


def merge(story: Story, id: int, other: int) -> Event:
    story.tell(edit("merge", f"id:{id}", **{"with": other}))
    return next(event for event in reversed(story.events) if event.kind == "device.merged")


def test_a_record_that_is_restored_has_again_what_was_merged_into_it() -> None:
    story = cameras(3)
    story.tell(edit("link", "id:3", **RTSP, secret=sealed("s3")))
    merge(story, 2, 3)
    last = merge(story, 1, 2)
    assert story.fleet.redirects == {2: 1, 3: 1}
    undo(story, last)
    assert story.fleet.redirects == {3: 2}, "links and grants of 3 lead to 2 again"
    assert story.device(2).access["rtsp"].secret == "s3"
    assert troubles(story.fleet) == []


def test_a_record_that_is_restored_does_not_take_a_place_back_that_was_split_off() -> None:
    story = cameras(2)
    story.tell(edit("link", "id:2", **RTSP, secret=sealed("s2")))
    merged = merge(story, 1, 2)
    story.tell(edit("split", "id:1", identities=["rtsp:10.0.1.1:554"]))
    undo(story, merged)
    assert [story.device(id).access.keys() for id in (1, 2, 3)] == [set(), set(), {"rtsp"}]
    assert troubles(story.fleet) == []


def test_a_record_that_is_restored_has_no_password_that_was_deleted_meanwhile() -> None:
    story = cameras(2)
    story.tell(edit("link", "id:2", **RTSP, secret=sealed("s2")))
    merged = merge(story, 1, 2)
    story.tell(edit("split", "id:1", identities=["rtsp:10.0.1.1:554"]))
    story.tell(edit("delete", "id:3"))
    assert story.fleet.secrets == {}
    undo(story, merged)
    assert story.device(2).access["rtsp"].secret is None
    assert troubles(story.fleet) == []


def test_a_record_that_is_restored_excludes_no_deleted_device() -> None:
    story = cameras(3)
    first = merge(story, 2, 3)
    undo(story, first)
    merged = merge(story, 1, 2)
    story.tell(edit("delete", "id:3"))
    undo(story, merged)
    assert (story.device(1).never_merge, story.device(2).never_merge) == ((2,), (1,))


# -- any edits in any order --------------------------------------------------------------------


def troubles(fleet: Fleet) -> list[str]:
    """What must never be in a fleet: passwords, places or parents that are lost or shared."""
    devices, redirects = fleet.devices, fleet.redirects
    problems = []
    places: Counter[Any] = Counter()
    secrets: Counter[str] = Counter()
    for device in devices.values():
        for source, way in device.access.items():
            secrets.update([way.secret] if way.secret else [])
            places.update([(device.site, access_key(source, way))] if way.host else [])
            known = fleet.secrets.get(way.secret or "")
            if way.secret and not known:
                problems.append(f"{way.secret} of {device.id} is gone")
            if known and redirects.get(known.device, known.device) != device.id:
                problems.append(f"{device.id} has {way.secret} of {known.device}")
        lost = {*device.parents} - devices.keys()
        lost |= {*device.never_merge} - devices.keys() - redirects.keys()
        if lost or identity.is_circle(device, devices):
            problems.append(f"{device.id} refers to {lost} or to itself")
    shared = [key for counts in (places, secrets) for key in counts if counts[key] > 1]
    orphans = [
        id
        for id, secret in fleet.secrets.items()
        if redirects.get(secret.device, secret.device) not in devices
    ]
    assert record.decode(record.Encoder().encode(fleet)) == fleet
    return problems + [f"{key} twice" for key in shared] + [f"{id} is nobody's" for id in orphans]


def any_report(story: Story, dice: random.Random, at: datetime, number: int) -> Report | None:
    """An edit, an undo, or a sighting."""
    ids = [*story.fleet.devices, *story.fleet.redirects]
    id, source, host = dice.choice(ids), dice.choice(["rtsp", "onvif"]), dice.choice(HOSTS)
    place: dict[str, Any] = {"source": source, "secret": sealed(f"s{number}")}
    device = story.fleet.devices.get(id)
    match dice.randrange(11):
        case 0:
            return edit("add", "", at=at, host=host, **place)
        case 1 | 2:
            fields = {"host": host} if dice.random() < 0.6 else {}
            return edit("link", f"id:{id}", at=at, **place, **fields)
        case 3:
            secret = dice.choice([None, place["secret"]])
            return edit("change", f"id:{id}", at=at, source=source, secret=secret)
        case 4 | 5:
            return edit("merge", f"id:{id}", at=at, **{"with": dice.choice(ids)})
        case 6 if device is not None:
            keys = dice.sample(device.identities, max(1, len(device.identities) - 1))
            return edit("split", f"id:{id}", at=at, identities=keys)
        case 7:
            return edit(dice.choice(["retire", "restore", "delete"]), f"id:{id}", at=at)
        case 8:
            return edit("change", f"id:{id}", at=at, parents=dice.sample(ids, 2))
        case 9:
            key = dice.choice([mac(dice.randint(1, 6)), f"rtsp:{host}"])
            return seen(key, at=at, address=host, source="rtsp")
    undoable = [event for event in story.events if can_undo(event)]
    if not undoable:
        return None
    return replace(inverse(dice.choice(undoable[-6:]), "tester", at), at=at)


def attack(seed: int, steps: int = 40) -> None:
    dice, story, at = random.Random(seed), cameras(4), NOON
    for step in range(steps):
        at += timedelta(seconds=dice.choice([1, 30]))
        if (report := any_report(story, dice, at, step)) is None:
            continue
        try:
            story.tell(report, at=at)
        except Refused:
            continue
        assert troubles(story.fleet) == [], f"seed {seed}, step {step}: {report}"
        if len(story.fleet.devices) < 2:
            return


@pytest.mark.parametrize("seed", range(25))
def test_any_edits_in_any_order_lose_and_share_no_password(seed: int) -> None:
    attack(seed)
