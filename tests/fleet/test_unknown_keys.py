"""Keys that a newer version wrote are kept in every object of the database file."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fleet.database import record
from fleet.edit.editing import inverse
from fleet.model import CredentialSet, LastScan, ResealedSecrets
from tests.fleet.reports import (
    MINUTE,
    A,
    B,
    C,
    Story,
    down,
    edit,
    finding,
    missed,
    noon,
    seen,
)

NEW = "of_a_newer_version"
PLACE = "rtsp:10.0.0.5:554/live"
BY_NAME = {
    *("redirects", "secrets", "disputed", "watched", "ignored", "credentials", "state.down"),
    *("devices.*.access", "devices.*.states", "devices.*.facts", "devices.*.links"),
    *("devices.*.claims", "devices.*.source_addresses", "devices.*.source_addresses.*"),
    *("devices.*.interfaces", "devices.*.interfaces.*"),
    *("devices.*.recent_misses", "devices.*.recent_misses.*"),
    "devices.*.access.*.secret_options",
}
"""Objects whose keys are no names of fields, but ids, sources, reasons and the like."""
VALUES = {
    *("devices.*.facts.*", "devices.*.access.*.options", "devices.*.findings.*.evidence"),
    "state.last_scan",
}
"""Objects that are one value of their author, who replaces it whole."""


def rich_story() -> Story:
    """A fleet that has every kind of object: one of its devices is two that were merged, one is
    asked with a password, two share a MAC, and one is ignored."""
    story = Story()
    access = {"secret": {"id": "s1", "sealed": "v1"}, "options": {"profile": 1}}
    story.tell(edit("add", "", source="rtsp", host="10.0.0.5", port=554, path="/live", **access))
    story.tell(
        seen(PLACE, source="rtsp", address="10.0.0.5"),
        seen(B, name="Gate", address="10.0.0.2", links={"web": "http://10.0.0.2/"}),
        seen(C, name="Door", address="10.0.0.3"),
        seen("mac:d4:2d:c5:00:00:0d", address="10.0.0.4"),
    )
    story.tell(edit("merge", "id:2", **{"with": 3}), edit("ignore", "id:4", text="not ours"))
    for at in (noon(), noon(minutes=5), noon(minutes=10)):
        for last, endpoint in enumerate(("onvif:urn:uuid:1", "onvif:urn:uuid:2"), start=6):
            story.tell(seen(endpoint, A, at=at, address=f"10.0.0.{last}"))
    story.tell(finding("id:2", at=noon(minutes=10)), down("easy4ip", at=noon(minutes=10)))
    story.tell(missed(PLACE, noon(minutes=11), source="rtsp"))
    story.tell(LastScan({"at": noon().isoformat()}), at=noon(minutes=11))
    story.fleet = replace(story.fleet, credentials={"c1": CredentialSet("Gates", "root")})
    return story


def objects(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON object with its path, in which each name that is not of a field is a star."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            name = "*" if path in BY_NAME else key
            yield from objects(item, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for item in value:
            yield from objects(item, f"{path}.*")


def written(story: Story) -> Any:
    return json.loads(record.Encoder().encode(story.fleet))


@pytest.fixture
def story() -> Story:
    """A rich fleet, read from a file with a new key in every object, each with a value of its
    own."""
    story = rich_story()
    raw = written(story)
    for number, (path, value) in enumerate([*objects(raw)]):
        if path not in BY_NAME:
            value[NEW] = number
    story.fleet = record.decode(json.dumps(raw).encode())
    return story


def new_keys(raw: Any) -> dict[int, str]:
    """The path of each new key that is there, by its number."""
    return {value[NEW]: path for path, value in objects(raw) if NEW in value}


def test_every_kind_of_object_is_in_the_file() -> None:
    """One that comes later is named here, and so it gets a new key below."""
    paths = {path for path, _value in objects(written(rich_story()))}
    assert {path for path in paths if not path.startswith("outbox.*.")} == {
        *("", "outbox.*", "devices.*", "secrets.*", "watched.*", "ignored.*", "state"),
        "credentials.*",
        *("state.down.*", "devices.*.addresses.*", "devices.*.states.*", "devices.*.findings.*"),
        *("devices.*.access.*", *VALUES),
        *BY_NAME - {"devices.*.access.*.secret_options"},
    }


def test_a_file_is_written_with_the_keys_that_it_was_read_with(story: Story) -> None:
    raw = written(story)
    assert [path for path, value in objects(raw) if NEW not in value and path not in BY_NAME] == []
    assert {"devices.*.addresses.*", "watched.*", "state.down.*"} <= {*new_keys(raw).values()}


def test_reports_about_everything_leave_the_keys_where_they_were(story: Story) -> None:
    before = new_keys(written(story))
    at = noon(minutes=15)
    story.tell(
        seen(PLACE, at=at, source="rtsp", address="10.0.0.5", name="Yard"),
        seen(B, at=at, name="Gate", address="10.0.0.20"),
        finding("id:2", "still no password", at=at),
        down("easy4ip", "no route", at=at),
        ResealedSecrets({"s1": "v2"}),
        at=at,
    )
    for last, endpoint in enumerate(("onvif:urn:uuid:1", "onvif:urn:uuid:2"), start=6):
        story.tell(seen(endpoint, A, at=at + last * MINUTE, address=f"10.0.0.{last}"))
    story.tell(edit("change", "id:1", at=at, name="Entry", source="rtsp", interval=60))
    after = new_keys(written(story))
    lost = {number: path for number, path in before.items() if number not in after}
    assert set(lost.values()) <= VALUES
    assert "extra" not in json.dumps(written(story))


def test_a_merge_and_its_undo_leave_the_keys_of_both_records(story: Story) -> None:
    before = new_keys(written(story))
    story.tell(edit("merge", "id:1", **{"with": 2}))
    story.tell(inverse(story.events[-1], "tester", noon(minutes=15)))
    raw = written(story)
    after = new_keys({**raw, "outbox": raw["outbox"][: len(rich_story().fleet.outbox)]})
    assert after == before
