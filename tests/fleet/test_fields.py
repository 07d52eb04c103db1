"""A field of a device is known wherever devices are joined, written and read."""

import ast
import inspect
import typing
from dataclasses import fields
from datetime import datetime

import pytest

from fleet.database import device_record
from fleet.edit import joining
from fleet.model import Device

KEEPS_ITS_OWN = {"id", "site", "moved_at", "status", "since", "parents"}
"""What a merge leaves as the record that stays has it."""
TYPES = typing.get_type_hints(Device)


def _named_in_merge() -> set[str]:
    """The fields that the rule of a merge gives a value."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(joining.merge_devices)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "replace"
    ]
    return {keyword.arg for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize("name", [field.name for field in fields(Device)])
def test_a_merge_has_a_rule_for_every_field(name: str) -> None:
    assert (name in _named_in_merge()) != (name in KEEPS_ITS_OWN), (
        f"{name}: give it a rule in fleet/edit/joining.py merge_devices(), "
        "or name it in KEEPS_ITS_OWN"
    )


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
