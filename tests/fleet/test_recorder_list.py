"""What a list says exists, as edits of the fleet."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fleet import recorder_list, status
from fleet.edit.editing import inverse
from fleet.model import Edit, Event, Fleet, Miss, Refused, Sighting
from fleet.recorder_list import RecorderRow
from fleet.reducer import reduce
from simulators import demo_stores
from tests.fleet.reports import A, edit
from tests.home import Clock

RULES = status.Rules()
MALL, PORT = RecorderRow("SITE-001", "AB12345", "Mall"), RecorderRow("SITE-002", "AB12346", "Port")


class Listed:
    """A fleet that follows a list, and all that was told of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fleet = Fleet()
        self.kinds: list[str] = []
        self.events: list[Event] = []

    def take(self, *reports) -> None:
        self.clock.forward(seconds=1)
        self.fleet, events = reduce(self.fleet, reports, self.clock(), RULES)
        self.kinds += [event.kind for event in events]
        self.events += events

    def by_hand(self, kind: str, row: RecorderRow, **fields) -> None:
        self.take(edit(kind, f"id:{self.device(row).id}", self.clock(), **fields))

    def undo(self) -> None:
        """Take back what a person or the list did last."""
        edits = [event for event in self.events if event.kind != "device.found"]
        self.take(inverse(edits[-1], "tester", self.clock()))

    def finds(self, key: str, *more: str) -> None:
        """A camera or recorder that stands in no list, and was discovered."""
        self.take(Sighting("here", (key, *more), "panasonic", self.clock(), name="NX"))

    def has(self, *rows: RecorderRow) -> list[Edit]:
        edits = recorder_list.edits(rows, self.fleet.devices, "P2P1.xlsx", self.clock())
        self.take(*edits)
        return edits

    def answers(self, row: RecorderRow) -> None:
        now = self.clock()
        seen = Sighting(
            row.site, (row.key,), "dahua", now, "recorder", serial=row.serial, firmware="6.7.30"
        )
        self.take(seen)

    def is_silent(self, row: RecorderRow) -> None:
        self.take(Miss(row.key, "dahua", self.clock(), "404", row.site))

    def device(self, row: RecorderRow):
        return self.fleet.devices[self.fleet.index[row.key]]

    def status(self, row: RecorderRow) -> str:
        return status.status(self.device(row), self.fleet.devices, self.clock(), RULES)


@pytest.fixture
def listed() -> Listed:
    made = Listed()
    made.has(MALL, PORT)
    return made


def test_each_row_is_a_recorder_that_nobody_has_seen_yet(listed):
    device = listed.device(MALL)
    assert (device.kind, device.site, device.listed) == ("recorder", "SITE-001", True)
    assert device.facts[recorder_list.SOURCE]["name"] == "Mall, SITE-001"
    assert listed.status(MALL) == "UNKNOWN"
    assert listed.kinds == ["device.listed", "device.listed"]


def test_a_site_without_a_store_is_its_own_name(listed):
    listed.has(MALL, PORT, RecorderRow("SITE-003", "AB12347", ""))
    assert (
        listed.device(RecorderRow("SITE-003", "", "")).facts[recorder_list.SOURCE]["name"]
        == "SITE-003"
    )


def test_the_same_list_again_changes_nothing(listed):
    before = listed.fleet
    assert listed.has(PORT, MALL) == []
    assert listed.fleet is before


def test_a_row_that_is_gone_retires_its_recorder_and_coming_back_restores_it(listed):
    listed.answers(PORT)
    number, seen = listed.device(PORT).id, listed.device(PORT).last_seen
    listed.has(MALL)
    assert listed.device(PORT).retired_at is not None
    assert listed.device(MALL).retired_at is None
    assert listed.has(MALL) == []
    listed.has(MALL, PORT)
    device = listed.device(PORT)
    assert (device.id, device.last_seen, device.retired_at) == (number, seen, None)
    assert listed.kinds[-1] == "device.restored"


def test_an_empty_list_retires_everybody_listed_and_nobody_else(listed):
    camera = Sighting("here", ("mac:d4:2d:c5:00:00:01",), "panasonic", listed.clock())
    listed.take(camera)
    listed.has()
    retired = [device.kind for device in listed.fleet.devices.values() if device.retired_at]
    assert retired == ["recorder", "recorder"]


def test_another_serial_stays_under_its_site_and_nobody_has_seen_it_yet(listed):
    listed.answers(MALL)
    listed.is_silent(MALL)
    assert listed.status(MALL) == "OFFLINE"
    first, number = listed.device(MALL).first_seen, listed.device(MALL).id
    listed.has(replace(MALL, serial="NEW12345"), PORT)
    device = listed.device(MALL)
    assert (device.id, device.first_seen) == (number, first)
    assert recorder_list.serial_of(device) == "NEW12345"
    assert "dahua" not in device.facts
    assert listed.status(MALL) == "UNKNOWN"
    listed.is_silent(MALL)
    assert listed.status(MALL) == "OFFLINE"
    listed.answers(replace(MALL, serial="NEW12345"))
    assert listed.status(MALL) == "ACTIVE"


@pytest.mark.parametrize("change", [{"store": "Mall II"}, {"extra": {"Phone": "1"}}])
def test_another_store_or_column_resets_no_verdict(listed, change):
    listed.answers(MALL)
    listed.has(replace(MALL, **change), PORT)
    assert listed.status(MALL) == "ACTIVE"
    assert listed.device(MALL).facts["dahua"]["firmware"] == "6.7.30"
    assert listed.kinds[-1] == "device.edited"


def test_a_row_that_comes_back_with_another_serial_is_another_recorder(listed):
    listed.answers(PORT)
    listed.has(MALL)
    listed.has(MALL, replace(PORT, serial="NEW12345"))
    assert listed.device(PORT).retired_at is None
    assert listed.status(PORT) == "UNKNOWN"


def test_two_sites_may_exchange_their_serials(listed):
    listed.has(replace(MALL, serial=PORT.serial), replace(PORT, serial=MALL.serial))
    assert recorder_list.serial_of(listed.device(MALL)) == PORT.serial
    assert recorder_list.serial_of(listed.device(PORT)) == MALL.serial


def test_the_fleet_gives_back_the_rows_that_it_was_given(listed):
    third = RecorderRow("SITE-003", "AB12347", "", {"Phone": "1"})
    listed.has(MALL, third)
    assert recorder_list.rows(listed.fleet.devices) == [MALL, third]


def test_a_recorder_that_was_silent_for_a_month_is_offline_and_not_missing(listed):
    listed.answers(MALL)
    listed.is_silent(MALL)
    listed.clock.now += timedelta(days=30)
    assert listed.status(MALL) == "OFFLINE"


def test_an_answer_that_was_under_way_when_its_row_left_brings_nothing_back() -> None:
    now = Clock()()
    fleet, _ = reduce(Fleet(), recorder_list.edits([MALL], {}, "file", now), now, RULES)
    old, late = (
        Sighting("SITE-001", (MALL.key,), "dahua", now, kind="recorder", serial=serial)
        for serial in ("OLD1", MALL.serial)
    )
    fleet, events = reduce(fleet, [old], now, RULES)
    assert events == [], "the recorder that stood there before does not count"
    fleet, _ = reduce(fleet, recorder_list.edits([], fleet.devices, "file", now), now, RULES)
    fleet, events = reduce(fleet, [late], now, RULES)
    assert events == []
    assert fleet.devices[1].retired_at is not None


# -- what a person may not do to a row -----------------------------------------------------


def test_a_recorder_of_the_list_is_not_retired_by_hand(listed):
    before = listed.fleet
    with pytest.raises(Refused) as refused:
        listed.by_hand("retire", MALL)
    assert "Recorders are managed in the workbook" in refused.value.error
    assert "Remove its row from the workbook" in refused.value.hint
    assert listed.fleet is before


def test_a_recorder_whose_row_left_comes_back_with_its_row_and_not_by_hand(listed):
    listed.has(MALL)
    before = listed.fleet
    with pytest.raises(Refused) as refused:
        listed.by_hand("restore", PORT)
    assert "Put its row back" in refused.value.hint
    with pytest.raises(Refused):
        listed.undo()
    assert listed.fleet is before
    listed.by_hand("retire", PORT)
    assert listed.fleet is before, "it is retired already"
    listed.has(MALL, PORT)
    assert listed.device(PORT).retired_at is None
    assert listed.kinds[-2:] == ["device.retired", "device.restored"]


@pytest.mark.parametrize("first", [MALL, PORT])
def test_two_rows_are_two_recorders_whatever_a_person_says(listed, first):
    other = PORT if first is MALL else MALL
    before = listed.fleet
    with pytest.raises(Refused) as refused:
        listed.by_hand("merge", first, **{"with": listed.device(other).id})
    assert refused.value.error == (f"Both are in the workbook, as {first.site} and {other.site}")
    assert "from the workbook" in refused.value.hint
    assert listed.fleet is before
    listed.has(MALL)
    with pytest.raises(Refused, match="only one of them is still in it"):
        listed.by_hand("merge", first, **{"with": listed.device(other).id})


def test_a_row_and_what_was_discovered_may_be_one_recorder_and_two_again(listed):
    listed.finds(A)
    listed.by_hand("merge", MALL, **{"with": 3})
    device = listed.device(MALL)
    assert set(device.identities) == {MALL.key, A}
    assert listed.has(MALL, PORT) == []
    listed.undo()
    assert listed.device(MALL).identities == (MALL.key,)
    assert listed.fleet.devices[3].identities == (A,)


def test_no_proof_makes_one_recorder_of_two_rows(listed):
    listed.finds(A)
    listed.finds("onvif:1")
    listed.by_hand("merge", MALL, **{"with": 3})
    listed.by_hand("merge", PORT, **{"with": 4})
    listed.finds(A, "onvif:1")
    assert listed.device(MALL).id != listed.device(PORT).id
    assert listed.has(MALL, PORT) == []


def test_a_row_that_is_merged_into_a_retired_record_is_asked_all_the_same() -> None:
    listed = Listed()
    listed.finds(A)
    listed.take(edit("retire", "id:1", listed.clock()))
    listed.has(MALL)
    listed.by_hand("merge", MALL, **{"with": 1})
    assert listed.device(MALL).id == 1
    assert recorder_list.rows(listed.fleet.devices) == [MALL]
    listed.undo()
    assert listed.fleet.devices[1].retired_at is not None
    assert recorder_list.rows(listed.fleet.devices) == [MALL]


def test_the_first_answer_is_told_as_found_and_a_later_one_as_back(listed):
    listed.answers(MALL)
    assert (listed.events[-1].kind, listed.events[-1].text) == (
        "device.found",
        "Mall, SITE-001 is online",
    )
    listed.is_silent(MALL)
    listed.answers(MALL)
    assert listed.kinds[-2:] == ["device.offline", "device.back"]
    assert listed.events[-1].text == "Mall, SITE-001 is back online"


def test_the_past_of_the_demo_is_told_with_the_same_kinds_and_words() -> None:
    _lines, events = demo_stores.past(1, Clock()())
    ups = {
        (event["kind"], event["before"]["status"], event["text"].split(maxsplit=3)[-1])
        for event in events
        if event["after"].get("status") == "ACTIVE"
    }
    assert ups == {
        ("device.found", "UNKNOWN", "is online"),
        ("device.back", "OFFLINE", "is back online"),
    }


def test_another_spelling_of_a_serial_is_the_same_recorder(listed):
    listed.answers(MALL)
    listed.has(replace(MALL, serial="ab12345"), PORT)
    assert listed.device(MALL).facts["workbook"]["serial"] == "ab12345"
    assert listed.device(MALL).last_seen is not None
