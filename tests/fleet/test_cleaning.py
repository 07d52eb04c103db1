"""A cleanup retires what was found once and has been gone for long; nothing else."""

from dataclasses import replace

import pytest

from fleet.edit.cleaning import retirements
from fleet.model import Device
from tests.fleet.reports import NOON, A, Story, noon, seen

GONE = Device(1, "camera", "here", (A,), last_seen=noon(days=-91))
CASES: dict[str, tuple[Device, bool]] = {
    "gone for 91 days": (GONE, True),
    "gone for 90 days": (replace(GONE, last_seen=noon(days=-90)), False),
    "seen yesterday": (replace(GONE, last_seen=noon(days=-1)), False),
    "never seen": (replace(GONE, last_seen=None), False),
    "listed by a person": (replace(GONE, listed=True), False),
    "a row of the workbook": (replace(GONE, identities=(A, "row:SITE-001")), False),
    "retired already": (replace(GONE, retired_at=noon(days=-5)), False),
}


@pytest.mark.parametrize("what", CASES)
def test_who_is_retired_by_a_clean_up_of_90_days(what: str) -> None:
    device, is_retired = CASES[what]
    edits = retirements([device], 90, "tester", NOON)
    assert [(edit.kind, edit.identity) for edit in edits] == [("retire", "id:1")] * is_retired


def test_what_was_cleaned_away_by_mistake_comes_back_when_it_answers() -> None:
    story = Story()
    story.tell(seen(A))
    now = noon(days=100)
    story.tell(*retirements(story.fleet.devices.values(), 90, "tester", now), at=now)
    assert story.device().retired_at == now
    assert story.tell(seen(A, at=noon(days=101))) == ["device.restored"]
