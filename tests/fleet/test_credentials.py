"""Credential sets: a login with a name, for many devices, changed in one place."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet import logins, unused_secrets
from fleet.database import record
from fleet.edit.editing import inverse
from fleet.fleet_secrets import FleetSecrets
from fleet.model import Access, CredentialSet, Device, Learned, Refused
from fleet.public import of_event
from store.vault import Vault
from tests.fleet.reports import NOON, Story, edit, seen
from tests.fleet.tracking import opened

SET = {"name": "Gate cameras", "username": "root", "secret": {"id": "s1", "sealed": "v1:s1"}}


def mac(number: int) -> str:
    return f"mac:d4:2d:c5:00:00:0{number}"


def story_with_set(*users: int) -> Story:
    story = Story()
    story.tell(*(seen(mac(id), address=f"10.0.0.{id}") for id in (1, 2, 3)))
    story.tell(edit("credentials", "c1", **SET))
    for id in users:
        story.tell(edit("link", mac(id), source="rtsp", credentials="c1"))
    return story


def login(story: Story, id: int, source: str = "rtsp") -> Access:
    fleet = story.fleet
    return logins.resolved(fleet.devices[id], source, fleet.devices, fleet.credentials)


def test_a_set_is_kept_and_its_devices_use_its_login() -> None:
    story = story_with_set(1, 2)
    assert story.fleet.credentials == {"c1": CredentialSet("Gate cameras", "root", "s1")}
    for id in (1, 2):
        access = login(story, id)
        assert (access.username, access.secret) == ("root", "s1")
        assert access.secret_host == f"10.0.0.{id}", "trusted where the device was then"
    assert story.device(1).access["rtsp"].secret is None
    assert record.decode(record.Encoder().encode(story.fleet)) == story.fleet


def test_the_sets_are_other_ones_only_when_one_changed() -> None:
    story = story_with_set(1)
    sets = story.fleet.credentials
    story.tell(seen(mac(2), address="10.0.0.9"))
    assert story.fleet.credentials is sets, "or the queue looks at every device"
    story.tell(edit("credentials", "c1", name="Doors"))
    assert story.fleet.credentials is not sets


def test_a_set_is_chosen_by_its_name_and_renamed_without_effect_on_its_devices() -> None:
    story = story_with_set()
    story.tell(edit("link", mac(1), source="rtsp", credentials=" gate CAMERAS "))
    assert story.tell(edit("credentials", "c1", name="Doors")) == ["credentials.changed"]
    assert story.device(1).access["rtsp"].credentials == "c1"
    assert login(story, 1).username == "root"


def test_a_changed_set_changes_all_its_devices_and_begins_new_attempts() -> None:
    story = story_with_set(1, 2)
    for id in (1, 2):
        learned = Learned(refusals=2, attempts_left=1, access=story.device(id).access["rtsp"])
        story.tell(replace(seen(mac(id), address=f"10.0.0.{id}", source="rtsp"), learned=learned))
    assert story.device(1).access["rtsp"].refusals == 2
    story.tell(edit("credentials", "c1", secret={"id": "s2", "sealed": "v1:s2"}))
    assert story.fleet.credentials["c1"].secret == "s2"
    for id in (1, 2):
        access = story.device(id).access["rtsp"]
        assert (access.refusals, access.attempts_left, login(story, id).secret) == (0, None, "s2")


def test_a_used_set_is_not_deleted() -> None:
    story = story_with_set(1)
    with pytest.raises(Refused, match="is used by"):
        story.tell(edit("credentials", "c1", delete=True))
    story.tell(edit("change", "id:1", source="rtsp", credentials=None))
    assert story.tell(edit("credentials", "c1", delete=True)) == ["credentials.deleted"]
    assert story.fleet.credentials == {}


def test_each_edit_of_a_set_is_undone() -> None:
    story = story_with_set()
    added, first = story.events[-1], story.fleet.credentials["c1"]
    story.tell(edit("credentials", "c1", name="Doors", secret={"id": "s2", "sealed": "v1:s2"}))
    changed, second = story.events[-1], story.fleet.credentials["c1"]
    story.tell(edit("credentials", "c1", delete=True))
    for event, expected in ((story.events[-1], second), (changed, first), (added, None)):
        story.tell(inverse(event, "tester", NOON))
        assert story.fleet.credentials.get("c1") == expected


def test_an_undo_does_not_overwrite_a_newer_change_of_a_set() -> None:
    story = story_with_set()
    story.tell(edit("credentials", "c1", name="Doors"))
    renamed = story.events[-1]
    story.tell(edit("credentials", "c1", username="otto"))
    with pytest.raises(Refused, match="has been changed since then"):
        story.tell(inverse(renamed, "tester", NOON))
    assert story.fleet.credentials["c1"] == CredentialSet("Doors", "otto", "s1")


def test_few_former_passwords_of_sets_are_kept() -> None:
    story = story_with_set()
    for number in range(2, 20):
        secret = {"id": f"s{number}", "sealed": f"v1:s{number}"}
        story.tell(edit("credentials", "c1", secret=secret))
    assert [*story.fleet.secrets][:2] == ["s9", "s10"]
    assert len(story.fleet.secrets) == unused_secrets.MAX_FORMER + 1
    oldest = next(event for event in story.events if event.kind == "credentials.changed")
    story.tell(edit("credentials", "c1", secret=None))
    story.tell(inverse(story.events[-1], "tester", NOON))
    assert story.fleet.credentials["c1"].secret == "s19"
    gone = replace(oldest, after=story.events[-1].after)
    with pytest.raises(Refused, match="no longer stored"):
        story.tell(inverse(gone, "tester", NOON))


@pytest.mark.parametrize(
    ("id", "fields", "why"),
    [
        ("c2", SET, "exists already"),
        ("c2", {**SET, "name": "  "}, "needs a name"),
        ("c2", {**SET, "name": "x" * 61}, "needs a name"),
        ("c2", {"name": "Doors"}, "user name is empty"),
        ("c2", {"name": "Doors", "username": "a:b"}, "colon"),
        ("c2", {"name": "Doors", "username": "a", "secret": "s1"}, "cannot be saved"),
        ("c2", {"username": "a"}, "does not exist"),
        ("C 2", {"name": "Doors", "username": "a"}, "id of the credential set"),
        ("c9", {"delete": True}, "does not exist"),
    ],
)
def test_what_does_not_fit_is_refused(id: str, fields: dict[str, Any], why: str) -> None:
    story = story_with_set()
    before = story.fleet
    with pytest.raises(Refused, match=why):
        story.tell(edit("credentials", id, **fields))
    assert story.fleet is before


def test_a_set_goes_to_no_new_place_unless_it_is_chosen_again() -> None:
    story = story_with_set()
    place = {"source": "rtsp", "host": "10.0.0.1", "port": 554}
    story.tell(edit("link", mac(1), **place, credentials="c1"))
    for other in ({"host": "10.0.0.66"}, {"port": 8554}):
        with pytest.raises(Refused, match="was chosen for"):
            story.tell(edit("change", "id:1", source="rtsp", **other))
    story.tell(edit("change", "id:1", source="rtsp", host="10.0.0.66", credentials="c1"))
    assert login(story, 1).secret_host == "10.0.0.66"


def test_the_choice_of_a_set_is_undone() -> None:
    story = story_with_set(1)
    story.tell(edit("credentials", "c2", name="Doors", username="otto"))
    story.tell(edit("change", "id:1", source="rtsp", credentials="Doors"))
    assert login(story, 1).username == "otto"
    assert story.events[-1].text.endswith("credential set for RTSP changed, by tester")
    story.tell(inverse(story.events[-1], "tester", NOON))
    assert login(story, 1).username == "root"


def test_an_own_login_comes_first_and_no_login_is_none() -> None:
    story = story_with_set(1)
    story.tell(edit("change", "id:1", source="rtsp", username="otto"))
    assert (login(story, 1).username, login(story, 1).secret) == ("otto", None), "empty password"
    story.tell(edit("change", "id:1", source="rtsp", options={"login": "none"}))
    assert not logins.has_login(login(story, 1))


def test_a_channel_uses_the_login_of_its_recorder_and_a_device_behind_a_switch_does_not() -> None:
    sets = {"c1": CredentialSet("Gates", "root", "s1")}
    recorder = Device(1, "recorder", "here", (mac(1),), address="10.0.0.9")
    recorder = replace(recorder, access={"onvif": Access(credentials="c1", secret_host="10.0.0.9")})
    bare = {"rtsp": Access(path="/1")}
    channel = Device(2, "camera", "here", (mac(2),), parents=(1,), address="10.0.0.9", access=bare)
    devices = {1: recorder, 2: channel, 3: replace(channel, id=3, address="10.0.0.10")}
    access = logins.resolved(channel, "rtsp", devices, sets)
    assert (access.username, access.secret, access.secret_host) == ("root", "s1", "10.0.0.9")
    assert not logins.has_login(logins.resolved(devices[3], "rtsp", devices, sets))
    moved = replace(recorder, address="10.0.0.66"), replace(channel, address="10.0.0.66")
    devices = {device.id: device for device in moved}
    access = logins.resolved(moved[1], "rtsp", devices, sets)
    assert access.secret_host == "10.0.0.9", "not where a forged move says that it is"


def test_events_show_no_password_of_a_set() -> None:
    story = story_with_set()
    story.tell(edit("credentials", "c1", secret={"id": "s2", "sealed": "v1:s2"}))
    shown = [of_event(event.after) | of_event(event.before) for event in story.events[-2:]]
    assert [values["has_password"] for values in shown] == [True, True]
    assert "s1" not in str(shown)
    assert "s2" not in str(shown)


def test_a_new_key_seals_the_password_of_a_set_too(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        secrets = FleetSecrets(tracker, Vault(tmp_path / "keys"), lambda: NOON)
        with secrets.sealing() as seal:
            password = seal("Tukan")
            fields = {"name": "Gates", "username": "root", "secret": password}
            tracker.apply([edit("credentials", "c1", **fields)], NOON)
        assert secrets.rotate() == 1
        (kept,) = tracker.fleet().secrets.items()
        assert kept[1].sealed != password["sealed"]
        assert secrets.unseal(kept[0]) == "Tukan"
