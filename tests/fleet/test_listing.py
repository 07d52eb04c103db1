"""What a list says exists, as edits of the fleet."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fleet import listing, status
from fleet.fold import fold
from fleet.listing import Row
from fleet.model import Edit, Fleet, Miss, Sighting
from tests.home import Clock

RULES = status.Rules()
MALL, PORT = Row("SITE-001", "AB12345", "Mall"), Row("SITE-002", "AB12346", "Port")


class Listed:
    """A fleet that follows a list, and all that was told of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fleet = Fleet()
        self.told: list[str] = []

    def take(self, *reports) -> None:
        self.clock.forward(seconds=1)
        self.fleet, events = fold(self.fleet, reports, self.clock(), RULES)
        self.told += [event.kind for event in events]

    def has(self, *rows: Row) -> list[Edit]:
        edits = listing.edits(rows, self.fleet.devices, "P2P1.xlsx", self.clock())
        self.take(*edits)
        return edits

    def answers(self, row: Row) -> None:
        now = self.clock()
        seen = Sighting(
            row.site, (row.key,), "dahua", now, "recorder", serial=row.serial, firmware="6.7.30"
        )
        self.take(seen)

    def is_silent(self, row: Row) -> None:
        self.take(Miss(row.key, "dahua", self.clock(), "404", row.site))

    def device(self, row: Row):
        return self.fleet.devices[self.fleet.index[row.key]]

    def status(self, row: Row) -> str:
        return status.status(self.device(row), self.fleet.devices, self.clock(), RULES)


@pytest.fixture
def listed() -> Listed:
    made = Listed()
    made.has(MALL, PORT)
    return made


def test_each_row_is_a_recorder_that_nobody_has_seen_yet(listed):
    device = listed.device(MALL)
    assert (device.kind, device.site, device.listed) == ("recorder", "SITE-001", True)
    assert device.facts[listing.SOURCE]["name"] == "Mall, SITE-001"
    assert listed.status(MALL) == "UNKNOWN"
    assert listed.told == ["device.listed", "device.listed"]


def test_a_site_without_a_store_is_its_own_name(listed):
    listed.has(MALL, PORT, Row("SITE-003", "AB12347", ""))
    assert listed.device(Row("SITE-003", "", "")).facts[listing.SOURCE]["name"] == "SITE-003"


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
    assert listed.told[-1] == "device.restored"


def test_an_empty_list_retires_everybody_listed_and_nobody_else(listed):
    camera = Sighting("here", ("mac:d4:2d:c5:00:00:01",), "panasonic", listed.clock())
    listed.take(camera)
    listed.has()
    retired = [one.kind for one in listed.fleet.devices.values() if one.retired_at]
    assert retired == ["recorder", "recorder"]


def test_another_serial_stays_under_its_site_and_nobody_has_seen_it_yet(listed):
    listed.answers(MALL)
    listed.is_silent(MALL)
    assert listed.status(MALL) == "OFFLINE"
    first, number = listed.device(MALL).first_seen, listed.device(MALL).id
    listed.has(replace(MALL, serial="NEW12345"), PORT)
    device = listed.device(MALL)
    assert (device.id, device.first_seen) == (number, first)
    assert listing.serial_of(device) == "NEW12345"
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
    assert listed.told[-1] == "device.edited"


def test_a_row_that_comes_back_with_another_serial_is_another_recorder(listed):
    listed.answers(PORT)
    listed.has(MALL)
    listed.has(MALL, replace(PORT, serial="NEW12345"))
    assert listed.device(PORT).retired_at is None
    assert listed.status(PORT) == "UNKNOWN"


def test_two_sites_may_exchange_their_serials(listed):
    listed.has(replace(MALL, serial=PORT.serial), replace(PORT, serial=MALL.serial))
    assert listing.serial_of(listed.device(MALL)) == PORT.serial
    assert listing.serial_of(listed.device(PORT)) == MALL.serial


def test_the_fleet_gives_back_the_rows_that_it_was_given(listed):
    third = Row("SITE-003", "AB12347", "", {"Phone": "1"})
    listed.has(MALL, third)
    assert listing.rows(listed.fleet.devices) == [MALL, third]


def test_a_recorder_that_was_silent_for_a_month_is_offline_and_not_missing(listed):
    listed.answers(MALL)
    listed.is_silent(MALL)
    listed.clock.now += timedelta(days=30)
    assert listed.status(MALL) == "OFFLINE"


def test_an_answer_that_was_under_way_when_its_row_left_brings_nothing_back() -> None:
    now = Clock()()
    fleet, _ = fold(Fleet(), listing.edits([MALL], {}, "file", now), now, RULES)
    old, late = (
        Sighting("SITE-001", (MALL.key,), "dahua", now, kind="recorder", serial=serial)
        for serial in ("OLD1", MALL.serial)
    )
    fleet, told = fold(fleet, [old], now, RULES)
    assert told == [], "the recorder that stood there before does not count"
    fleet, _ = fold(fleet, listing.edits([], fleet.devices, "file", now), now, RULES)
    fleet, told = fold(fleet, [late], now, RULES)
    assert told == []
    assert fleet.devices[1].retired_at is not None
