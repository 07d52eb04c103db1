"""Passwords of devices: where they are, what brings them back, and what no event ever has."""

import json
from dataclasses import asdict, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fleet import public, shapes
from fleet.database import device_record, record
from fleet.edit.editing import inverse
from fleet.fleet_secrets import FleetSecrets
from fleet.model import Access, Device, Fleet, ResealedSecrets, Secret
from fleet.reduce.draft import Draft
from fleet.status import Rules
from fleet.tracker import Tracker
from fleet.unused_secrets import MAX_REPLACED
from store.json_file import CannotKeep
from store.vault import SecretLost, Vault
from tests.fleet.reports import NOON, A, B, Story, edit, noon
from tests.fleet.tracking import on_disk, opened

TEXTS = {"rtsp": "Tukan-1-Kolibri", "onvif": "Tukan-2-Kolibri", "snmp": "Tukan-3-Kolibri"}


def with_secrets(tracker: Tracker, vault: Vault) -> None:
    """Device 1 with the passwords of TEXTS, device 2 with another one for RTSP."""
    sealed = {id: vault.seal(text, id) for id, text in TEXTS.items()}
    sealed["other"] = vault.seal("Tukan-4-Kolibri", "other")
    access = {
        "rtsp": Access(port=554, username="root", secret="rtsp"),
        "onvif": Access(secret="onvif"),
        "snmp": Access(options={"version": 3}, secret_options={"privacy": "snmp"}),
    }
    devices = {
        1: Device(1, "camera", "here", (A,), access=access),
        2: Device(2, "camera", "here", (B,), access={"rtsp": Access(secret="other")}),
    }
    owners = dict.fromkeys(TEXTS, 1) | {"other": 2}
    secrets = {id: Secret(sealed[id], owners[id]) for id in sealed}
    tracker._fleet = record.indexed(Fleet(devices, next_id=3, secrets=secrets))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "data" / "keys")


def texts_of(tracker: Tracker, vault: Vault) -> dict[str, str]:
    """Every secret, opened."""
    secrets = FleetSecrets(tracker, vault, lambda: NOON)
    return {id: secrets.unseal(id) for id in tracker.fleet().secrets}


ALL = {**TEXTS, "other": "Tukan-4-Kolibri"}


def test_secrets_outlive_a_restart_a_merge_and_its_undo(tmp_path: Path, vault: Vault) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        events = tracker.apply([edit("merge", "id:1", **{"with": 2})], NOON)
        assert tracker.devices()[1].access["rtsp"].secret == "rtsp"
        journal_text = json.dumps([(event.text, event.before, event.after) for event in events])
        assert "v1:" not in journal_text
        assert not [text for text in ALL.values() if text in journal_text]
    with opened(tmp_path) as tracker:
        assert texts_of(tracker, vault) == ALL
        tracker.apply([inverse(events[0], "Ada", noon(minutes=1))], noon(minutes=1))
        assert tracker.devices()[2].access["rtsp"].secret == "other"
        assert texts_of(tracker, vault) == ALL


def test_a_split_leaves_the_secrets_where_they_are(tmp_path: Path, vault: Vault) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        tracker.apply([edit("merge", "id:1", **{"with": 2})], NOON)
        tracker.apply([edit("split", "id:1", identities=[B])], NOON)
        assert tracker.devices()[1].access.keys() == TEXTS.keys()
        assert tracker.devices()[3].access == {}
        assert texts_of(tracker, vault) == ALL


def test_of_replaced_passwords_the_newest_few_can_be_brought_back() -> None:
    story = Story(Device(1, "camera", "here", (A,)), Device(2, "camera", "here", (B,)))
    for number in range(9):
        draft = Draft(story.fleet, Rules(), NOON)
        draft.secrets[f"s{number}"] = Secret(f"v1:{number}", 1)
        device = draft.devices[1]
        draft.put(replace(device, access={"rtsp": Access(secret=f"s{number}")}))
        story.fleet = draft.freeze()
    assert list(story.fleet.secrets) == [f"s{number}" for number in range(8 - MAX_REPLACED, 9)]


def test_a_password_that_another_device_uses_is_never_forgotten() -> None:
    used = Device(2, "camera", "here", (B,), access={"rtsp": Access(secret="s0")})
    story = Story(Device(1, "camera", "here", (A,)), used)
    for number in range(9):
        draft = Draft(story.fleet, Rules(), NOON)
        draft.secrets[f"s{number}"] = Secret(f"v1:{number}", 1)
        draft.is_changed = True
        story.fleet = draft.freeze()
    assert list(story.fleet.secrets) == ["s0", "s6", "s7", "s8"]


# -- another key ---------------------------------------------------------------------------


def test_rotating_seals_all_with_a_new_key_and_drops_the_old_one(
    tmp_path: Path, vault: Vault
) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        old_key = (vault.folder / "vault.key").read_bytes()
        old = {secret.sealed for secret in tracker.fleet().secrets.values()}
        assert FleetSecrets(tracker, vault, lambda: NOON).rotate() == len(ALL)
        assert texts_of(tracker, vault) == ALL
        assert on_disk(tmp_path).secrets == tracker.fleet().secrets
    assert old_key.strip() not in (vault.folder / "vault.key").read_bytes()
    assert len((vault.folder / "vault.key").read_bytes().split()) == 1
    raw = (tmp_path / "camera_database.json").read_text()
    assert not [sealed for sealed in old if sealed in raw]


def test_a_disk_that_is_full_while_rotating_loses_no_secret(tmp_path: Path, vault: Vault) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        before = on_disk_or_none(tmp_path)
        file = tracker.store.file  # type: ignore[attr-defined]
        sound, file.path = file.path, tmp_path / "no\0name"
        with pytest.raises(CannotKeep):
            FleetSecrets(tracker, vault, lambda: NOON).rotate()
        file.path = sound
        assert texts_of(tracker, vault) == ALL, "two keys are there, and both open"
        assert before == on_disk_or_none(tmp_path)
        assert FleetSecrets(tracker, vault, lambda: NOON).rotate() == len(ALL)
        assert texts_of(tracker, vault) == ALL


def on_disk_or_none(folder: Path) -> bytes | None:
    path = folder / "camera_database.json"
    return path.read_bytes() if path.exists() else None


def test_killed_before_the_old_key_goes_every_secret_opens(tmp_path: Path, vault: Vault) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        tracker.apply([edit("change", "id:1", name="Gate")], NOON)
        vault.rotate()
        assert texts_of(tracker, vault) == ALL
        half = {id: vault.renew(tracker.fleet().secrets[id].sealed, id) for id in ("rtsp", "snmp")}
        tracker.apply([ResealedSecrets(half)], NOON)
    with opened(tmp_path) as tracker:
        assert texts_of(tracker, vault) == ALL
        FleetSecrets(tracker, vault, lambda: NOON).rotate()
        assert texts_of(tracker, vault) == ALL
    assert len((vault.folder / "vault.key").read_bytes().split()) == 1


def test_a_secret_that_no_key_opens_is_named_and_no_key_is_dropped(
    tmp_path: Path, vault: Vault
) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        stranger = Vault(tmp_path / "elsewhere").seal("x", "onvif")
        fleet = tracker.fleet()
        secrets = {**fleet.secrets, "onvif": Secret(stranger, 1)}
        tracker._fleet = replace(fleet, secrets=secrets)
        with pytest.raises(SecretLost, match="d4:2d:c5:00:00:0a: The secret of onvif"):
            FleetSecrets(tracker, vault, lambda: NOON).rotate()
        opens = FleetSecrets(tracker, vault, lambda: NOON).unseal
        assert {id: opens(id) for id in ALL if id != "onvif"} == {
            id: text for id, text in ALL.items() if id != "onvif"
        }


def test_a_secret_that_is_sealed_while_keys_change_waits_and_opens(
    tmp_path: Path, vault: Vault
) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        secrets = FleetSecrets(tracker, vault, lambda: NOON)
        with secrets.sealing() as seal:
            sealed = seal("Tukan-5-Kolibri")
            fleet = tracker.fleet()
            added = {**fleet.secrets, sealed["id"]: Secret(sealed["sealed"], 1)}
            tracker._fleet = replace(fleet, secrets=added)
            assert not secrets._sealing.acquire(blocking=False)
        secrets.rotate()
        assert secrets.unseal(sealed["id"]) == "Tukan-5-Kolibri"


def test_damage_of_a_secret_does_not_show_it(tmp_path: Path, vault: Vault) -> None:
    with opened(tmp_path) as tracker:
        with_secrets(tracker, vault)
        tracker.apply([edit("change", "id:1", name="Gate")], NOON)
    path = tmp_path / "camera_database.json"
    raw = json.loads(path.read_bytes())
    raw["secrets"]["rtsp"]["sealed"] = [raw["secrets"]["rtsp"]["sealed"]]
    with pytest.raises(record.Unreadable, match="secrets, number 1: sealed") as refused:
        record.decode(json.dumps(raw).encode())
    assert "v1:" not in str(refused.value)


# -- what may be shown -----------------------------------------------------------------------

EVERYTHING = Device(
    1,
    "camera",
    "here",
    (A,),
    access={"rtsp": Access("10.0.0.1", 554, "/live", "root", "rtsp", "pin", "digest", 60)},
)


def test_a_field_that_no_list_names_is_shown_nowhere() -> None:
    newer = make_dataclass("Newer", [("canary", str, "Tukan")], bases=(Device,), frozen=True)
    device = newer(**{name: getattr(EVERYTHING, name) for name in fields_of(EVERYTHING)})
    stored = {**device_record.for_undo(EVERYTHING), "canary": device.canary}
    stored["access"]["rtsp"]["canary"] = device.canary
    event = {"stays": stored, "goes": stored, "access": stored["access"]}
    assert "canary" not in json.dumps(public.of_event(event))
    detail = shapes.detail(device, "ACTIVE", NOON, Rules(), {})
    assert device.canary not in json.dumps(detail)
    unknown = replace(EVERYTHING, extra={"canary": "Tukan"})
    for shown in (
        shapes.detail(unknown, "ACTIVE", NOON, Rules(), {}),
        public.device(device_record.for_undo(unknown)),
    ):
        assert "canary" not in json.dumps(shown)


CANARY = {"canary": "Tukan"}
SECRETIVE = {
    "host": "10.0.0.5",
    "port": 554,
    "secret": "Tukan",
    "secret_options": CANARY,
    "username": "Tukan",
    "tls_pin": "Tukan",
    "options": CANARY,
    **CANARY,
}


@pytest.mark.parametrize(
    "facts",
    [
        CANARY,
        {"nested": CANARY},
        SECRETIVE,
        {"source": "rtsp", "access": SECRETIVE},
        {"access": {"rtsp": SECRETIVE}},
        {"from": {"id": 2, "key": A, "source": "rtsp", "access": SECRETIVE, **CANARY}},
        {"name": CANARY},
        {"tags": ["door", CANARY]},
        {"row": {"serial": "S1", "columns": {"NOTE": CANARY}, **CANARY}},
        {"goes": {"states": {"rtsp": CANARY}, "findings": [CANARY], "addresses": [CANARY]}},
    ],
    ids=str,
)
def test_a_field_of_an_event_that_no_list_names_is_shown_nowhere(facts: dict[str, Any]) -> None:
    assert "Tukan" in json.dumps(facts)
    assert "Tukan" not in json.dumps(public.of_event(facts))


def test_what_a_link_took_is_shown_without_the_login_and_still_undone() -> None:
    story = Story()
    sealed = {"id": "Tukan-id", "sealed": "v1:Tukan"}
    login = {"username": "Tukan-user", "tls_pin": "ab" * 32, "options": {"o": "Tukan"}}
    place = {"source": "rtsp", "host": "10.0.0.5", "port": 554}
    story.tell(edit("add", "", **place, **login, secret=sealed))
    story.tell(edit("retire", "id:1"))
    story.tell(edit("add", "", source="rtsp", host="10.0.0.6"))
    had = story.device(1).access
    story.tell(edit("link", "id:2", **place, username="Tukan-user"))
    linked = story.events[-1]
    shown = public.of_event(linked.before)
    assert shown["from"] == {
        "id": 1,
        "key": "rtsp:10.0.0.5:554",
        "source": "rtsp",
        "access": {"host": "10.0.0.5", "port": 554, "has_password": True},
    }
    for facts in (linked.before, linked.after):
        shown_text = json.dumps(public.of_event(facts))
        assert "Tukan" not in shown_text
        assert "abab" not in shown_text
    story.tell(inverse(linked, "tester", noon(minutes=9)))
    assert story.device(1).access == had


def fields_of(device: Device) -> list[str]:
    return list(asdict(device))


def test_of_an_access_it_is_shown_that_there_is_a_password() -> None:
    shown = public.device(device_record.for_undo(EVERYTHING))["access"]["rtsp"]
    assert shown == {
        "host": "10.0.0.1",
        "port": 554,
        "path": "/live",
        "method": "digest",
        "interval": 60,
        "has_password": True,
    }
    event: dict[str, Any] = {"source": "rtsp", "secret": "rtsp"}
    assert public.of_event(event) == {"source": "rtsp", "has_password": True}
    assert public.of_event({"source": "rtsp", "secret": None})["has_password"] is False
    assert public.of_event({"access": {"rtsp": None}}) == {"access": {"rtsp": None}}


def test_a_secret_has_no_representation() -> None:
    assert "v1:" not in repr(Secret("v1:x", 1))
    assert "v1:" not in repr(ResealedSecrets({"a": "v1:x"}))
    assert "abc" not in repr(Access(secret="abc", secret_options={"p": "abc"}))


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"secret": "s1"}, True),
        ({"secret_options": {"privacy": "s1"}}, True),
        ({"port": 161}, False),
    ],
)
def test_of_the_secrets_of_an_access_only_their_presence_is_shown(
    stored: dict[str, Any], shown: bool
) -> None:
    access = public.access(stored)
    assert access["has_password"] is shown
    assert "s1" not in json.dumps(access)
