"""The cache of rows holds the fleet, however large, and nothing of devices that are gone."""

from dataclasses import replace

from tests.fleet.reports import NOON, RULES, A, Story, seen
from web.http.encoded_rows import EncodedRows


def test_of_a_large_fleet_no_row_is_encoded_twice() -> None:
    story = Story()
    story.tell(seen(A))
    devices = [replace(story.device(), id=number) for number in range(1, 20_003)]
    statuses = {device.id: "ACTIVE" for device in devices}
    rows = EncodedRows()
    first, second = (rows.of(devices, {}, statuses, NOON, RULES) for _ in range(2))
    assert len(rows) == len(devices)
    assert all(row is other for row, other in zip(first, second, strict=True))


def test_rows_of_devices_that_are_gone_are_forgotten() -> None:
    story = Story()
    story.tell(seen(A))
    old, stays, new = (replace(story.device(), id=number) for number in (1, 2, 3))
    rows = EncodedRows()
    (_, kept) = rows.of([old, stays], {}, {1: "ACTIVE", 2: "ACTIVE"}, NOON, RULES)
    encoded = rows.of([stays, new], {}, {2: "ACTIVE", 3: "ACTIVE"}, NOON, RULES)
    assert len(rows) == 2
    assert encoded[0] is kept
    assert rows.of([stays], {}, {2: "ACTIVE"}, NOON, RULES) == [kept]
    assert len(rows) == 1
