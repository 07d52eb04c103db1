"""A field of a device is known wherever devices are joined, edited, written, read and shown.

To add a field, follow its row in docs/architecture.md; what lacks then fails here, with the place.
"""

import ast
import inspect
import json
import typing
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet import editable_fields, public, shapes
from fleet.database import device_record
from fleet.edit import adding
from fleet.edit.editing import inverse
from fleet.model import Access, AddressChange, Device, Edit, Fault, SourceState
from fleet.reduce import joining, removal, undoing
from tests.fleet.reports import RULES, A, Story, noon, seen
from tests.home import ROOT
from web.http.shapes.devices import Change

KEEPS_ITS_OWN = {"id", "site", "moved_at", "status", "since"}
"""What a merge leaves as the record that stays has it."""
NOT_EDITED = {
    *("id", "kind_source", "identities", "address", "addresses", "first_seen", "last_seen"),
    *("sightings", "moved_at", "states", "recent_misses", "facts", "links", "findings", "status"),
    *("since", "source_addresses", "claims", "interfaces", "extra"),
    # By edits of their own: merge and split, add, retire and restore, link.
    *("never_merge", "listed", "retired_at", "access"),
}
"""What no person changes with the form or PATCH."""
NO_WORK = {"site", "kind"}
"""What every device has, so that it says nothing about the work of a person."""
NOT_IN_EVENTS = {"access", "recent_misses", "interfaces", "extra"}
"""What no event tells; of `access`, `public.access` shows a part."""
NOT_SHOWN = {
    # Derived from the others, or how they are kept.
    *("kind_source", "moved_at", "recent_misses", "never_merge", "claims", "interfaces", "extra"),
    # Waits for a page that shows it.
    *("links", "listed", "access", "source_addresses"),
    # `shapes.row` gets the status as it is now, and the address that `labels.address` gives.
    *("status", "address"),
}
"""What no list and no page of a device has."""
TYPES = typing.get_type_hints(Device)
NAMES = [field.name for field in fields(Device)]
BARE = Device(1, "camera", "here", ("mac:02:00:00:00:00:01",))
AT = datetime(2026, 1, 1, tzinfo=UTC)
GIVEN: dict[str, Any] = {
    "id": 7,
    "kind": "switch",
    "status": "ACTIVE",
    "states": {"rtsp": SourceState(seen_at=AT)},
    "recent_misses": {"rtsp": {"no answer": (AT,)}},
    "facts": {"rtsp": {"model": "M"}},
    "links": {"stream": "rtsp://camera/"},
    "access": {"rtsp": Access(host="camera")},
    "source_addresses": {"rtsp": {"10.0.0.1": AT}},
    "claims": {"mac:02:00:00:00:00:01": AT},
    "interfaces": {"mac:02:00:00:00:00:01": {"10.0.0.1": AT, "10.0.0.2": AT}},
    "extra": {"of_a_newer_version": 1},
    "identities": ("mac:02:00:00:00:00:02",),
    "addresses": (AddressChange("10.0.0.1", AT, None),),
    "recording": {"auto_record": True, "record_quality": "high"},
    "findings": (Fault("no_password", AT, "No password is set", "panasonic"),),
}
"""A value for every field whose type does not say one."""
BY_TYPE: dict[Any, Any] = {
    str: "some text",
    str | None: "some text",
    int: 3,
    int | None: 3,
    float: 1.5,
    float | None: 1.5,
    bool: True,
    datetime | None: AT,
    tuple[str, ...]: ("a text",),
    tuple[int, ...]: (3,),
}
DETAIL = ROOT / "templates/parts/detail_edit.html"
edited = pytest.mark.parametrize("name", editable_fields.BY_NAME)


def given(name: str) -> Any:
    """A value of the field that is not its default."""
    value = GIVEN.get(name, BY_TYPE.get(TYPES[name]))
    assert value is not None, f"{name}: name a value of it in GIVEN of tests/fleet/test_fields.py"
    return value


def with_field(name: str) -> Device:
    return replace(BARE, **{name: given(name)})


# -- joined --------------------------------------------------------------------------------


def _named_in_merge() -> set[str]:
    """The fields that the rule of a merge gives a value."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(joining.merge_devices)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "replace"
    ]
    return {keyword.arg for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize("name", NAMES)
def test_a_merge_has_a_rule_for_every_field(name: str) -> None:
    assert (name in _named_in_merge()) != (name in KEEPS_ITS_OWN), (
        f"{name}: give it a rule in fleet/reduce/joining.py merge_devices(), "
        "or name it in KEEPS_ITS_OWN"
    )


def reported_beside(name: str, merged: Device) -> dict[str, Any]:
    """Something that a source said since the merge, in another field than this one."""
    if name == "links":
        return {"sightings": merged.sightings + 1}
    return {"links": {**merged.links, "since": "http://camera/since"}}


NOT_GIVEN_BACK = {
    "status": "what was last told; the next event tells of the change",
    "since": "the time of that",
}
"""What undoing a merge leaves as the merged record has it, and why."""
OTHER: dict[str, Any] = {
    "kind": "recorder",
    "kind_source": "person",
    "identities": ("mac:02:00:00:00:00:09",),
    "addresses": (AddressChange("10.0.0.9", AT, None),),
    "states": {"onvif": SourceState(seen_at=AT)},
    "recent_misses": {"onvif": {"no answer": (AT,)}},
    "facts": {"onvif": {"model": "N"}},
    "links": {"still": "http://camera/"},
    "access": {"onvif": Access(host="camera")},
    "source_addresses": {"onvif": {"10.0.0.9": AT}},
    "claims": {"mac:02:00:00:00:00:09": AT},
    "interfaces": {"mac:02:00:00:00:00:09": {"10.0.0.9": AT}},
    "extra": {"of_another_version": 1},
    "recording": {"retention_days": 30},
    "findings": (Fault("setup_open", AT, "The setup window is open", "panasonic"),),
}
"""A value for the removed record where the one for every type would say nothing."""


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"id"}))
@pytest.mark.parametrize("has_own", [True, False])
@pytest.mark.parametrize("is_reported", [True, False])
def test_undoing_a_merge_gives_every_field_back(
    name: str, has_own: bool, is_reported: bool
) -> None:
    remaining = with_field(name) if has_own else BARE
    brought = OTHER.get(name, given(name))
    removed = replace(BARE, id=9, **({"identities": OTHER["identities"]} | {name: brought}))
    merged = joining.merge_devices(remaining, removed, RULES)
    now = replace(merged, **reported_beside(name, merged)) if is_reported else merged
    undone = undoing.remaining_device(undoing.Merge(now, merged, remaining, removed))
    assert name in NOT_GIVEN_BACK or getattr(undone, name) == getattr(remaining, name), (
        f"{name}: give it back in remaining_device() of fleet/reduce/undoing.py, or name it with "
        "the reason in NOT_GIVEN_BACK of tests/fleet/test_fields.py"
    )


# -- edited --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_of_every_field_it_is_said_whether_people_edit_it(name: str) -> None:
    assert (name in editable_fields.BY_NAME) != (name in NOT_EDITED), (
        f"{name}: give it a row in FIELDS of fleet/editable_fields.py, or name it in "
        "NOT_EDITED of tests/fleet/test_fields.py"
    )


@edited
def test_a_device_with_a_value_of_a_person_is_not_disposable(name: str) -> None:
    assert removal.is_disposable(BARE)
    assert removal.is_disposable(with_field(name)) == (name in NO_WORK), (
        f"{name}: what a person wrote keeps a device from being deleted to make room: "
        "marks_work in fleet/editable_fields.py"
    )


@pytest.mark.parametrize("name", ["access", "listed"])
def test_what_a_person_linked_or_listed_is_not_disposable(name: str) -> None:
    assert not removal.is_disposable(with_field(name))


@edited
def test_undoing_that_a_device_was_added_sees_each_change_since(name: str) -> None:
    before, after = adding.added_values(BARE), adding.added_values(with_field(name))
    assert before[name] != after[name], f"{name}: fleet/edit/adding.py added_values() lacks it"


@edited
def test_an_edit_sets_it_tells_it_in_an_event_and_is_undone(name: str) -> None:
    story = Story()
    story.tell(seen(A), seen("mac:02:00:00:00:00:02"), seen("mac:02:00:00:00:00:03"))
    before = story.device(1)
    value = json.loads(json.dumps(given(name)))
    assert story.tell(Edit("change", A, {name: value}, "tester", noon())) == ["device.edited"], (
        f"{name}: fleet/edit/editing.py _parsed() must take it"
    )
    event = story.events[-1]
    assert getattr(story.device(1), name) == given(name)
    assert event.after == {name: value}
    assert ", by " in event.text
    assert "{" not in event.text
    story.tell(inverse(event, "Ada", event.at))
    assert getattr(story.device(1), name) == getattr(before, name)


@edited
def test_the_api_takes_it_as_long_as_the_rule_does(name: str) -> None:
    assert name in Change.model_fields, f"{name}: a field of Change in web/http/shapes/devices.py"
    limit = editable_fields.MAX_LENGTHS.get(name)
    lengths = [getattr(item, "max_length", None) for item in Change.model_fields[name].metadata]
    assert limit is None or limit in lengths, (
        f"{name}: its max_length in Change of web/http/shapes/devices.py is MAX_LENGTHS[{name!r}]"
    )


def test_the_api_takes_nothing_that_no_edit_takes() -> None:
    assert set(Change.model_fields) == set(editable_fields.EDITABLE)


@pytest.mark.parametrize("name", editable_fields.MAX_LENGTHS)
def test_the_form_of_a_camera_has_every_text(name: str) -> None:
    assert f'name="{name}"' in DETAIL.read_text(), (
        f"{name}: a field of the form in templates/parts/detail_edit.html"
    )


# -- written and read ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_written_and_read_back_as_it_was(name: str) -> None:
    device = with_field(name)
    read = device_record.device_of(device_record.for_undo(device))
    assert getattr(read, name) == getattr(device, name), (
        f"{name}: write it in stored() and read it in device_of(), fleet/database/device_record.py"
    )
    assert read == device


@pytest.mark.parametrize("name", [name for name, type in TYPES.items() if type == datetime | None])
def test_every_time_of_a_device_is_read_from_the_file_as_a_time(name: str) -> None:
    assert name in device_record._TIMES, f"{name}: name it in _TIMES of device_record.py"


@pytest.mark.parametrize(
    "name", [name for name, type in TYPES.items() if typing.get_origin(type) is tuple]
)
def test_every_list_of_a_device_is_read_from_the_file_as_a_tuple(name: str) -> None:
    raw = {
        "id": 1,
        "kind": "camera",
        "site": "here",
        "identities": ["mac:02:00:00:00:00:01"],
        "status": "UNKNOWN",
        **{key: [] for key in ("addresses", "findings", "tags", "parents", "never_merge")},
        **dict.fromkeys(("states", "facts", "links"), {}),
    }
    raw.setdefault(name, [])
    assert isinstance(getattr(device_record.device_of(raw), name), tuple), (
        f"{name}: read it in device_of() of device_record.py"
    )


# -- shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_of_every_field_it_is_said_whether_events_tell_it(name: str) -> None:
    assert (name in public.DEVICE) != (name in NOT_IN_EVENTS), (
        f"{name}: name it in DEVICE of fleet/public.py, or in NOT_IN_EVENTS of "
        "tests/fleet/test_fields.py"
    )


@edited
def test_an_event_of_an_edit_shows_what_was_changed(name: str) -> None:
    value = editable_fields.event_value(with_field(name), name)
    assert public.of_event({name: value}) == {name: value}, (
        f"{name}: name it in EVENT of fleet/public.py"
    )


def _read_by_shapes() -> set[str]:
    """The fields that the public form of a device reads."""
    tree = ast.parse(inspect.getsource(shapes))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "device"
    }


@pytest.mark.parametrize("name", NAMES)
def test_of_every_field_it_is_said_whether_people_see_it(name: str) -> None:
    assert (name in _read_by_shapes()) != (name in NOT_SHOWN), (
        f"{name}: give it a key in row() or detail() of fleet/shapes.py, or name it in NOT_SHOWN "
        "of tests/fleet/test_fields.py"
    )
