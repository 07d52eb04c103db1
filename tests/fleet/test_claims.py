"""A key that means something only at a place ends when another device proves the place."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.identity import index_key
from fleet.model import Device, Report
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen

RTSP, HOME, ELSEWHERE = "rtsp:10.0.0.1:554/live", "10.0.0.1", "10.0.0.2"


def stream(minutes: float, **fields: Any) -> Report:
    """What answers at the place, by a source that proves no more."""
    return seen(RTSP, at=noon(minutes=minutes), source="rtsp", **fields)


SILENT = [missed(A, noon(minutes=5)), missed(RTSP, noon(minutes=5), source="rtsp")]
HOLDS: dict[str, tuple[list[Report], int | None]] = {
    "nothing happens": ([], 1),
    "it is silent": (SILENT, 1),
    "another device is found elsewhere": ([seen(B, address=ELSEWHERE)], 1),
    "another device proves the key": ([seen(B, RTSP, at=noon(minutes=6))], 2),
    "another one answers at the address, too": ([seen(B, at=noon(minutes=6))], 1),
    "another one answers at the address of a silent one": (
        [*SILENT, seen(B, at=noon(minutes=6))],
        None,
    ),
    "... and then the place is asked": (
        [*SILENT, seen(B, at=noon(minutes=6)), stream(7)],
        2,
    ),
    "it moved away": ([seen(A, at=noon(minutes=5), address=ELSEWHERE)], None),
    "it moved away, and another one came": (
        [
            seen(A, at=noon(minutes=5), address=ELSEWHERE),
            seen(B, at=noon(minutes=6)),
            stream(7),
        ],
        2,
    ),
    "it moved away and back": (
        [
            seen(A, at=noon(minutes=5), address=ELSEWHERE),
            seen(A, at=noon(minutes=6)),
            stream(7),
        ],
        1,
    ),
    "it is retired, and another one is there": (
        [edit("retire", "id:1", noon(minutes=5)), seen(B, at=noon(minutes=6)), stream(7)],
        2,
    ),
    "another source proves another key there": (
        [seen("snmp:10.0.0.1:161", at=noon(minutes=6), source="snmp")],
        1,
    ),
}
"""(what happens, who has the key then)"""


@pytest.mark.parametrize("what", HOLDS)
def test_who_has_the_key_of_a_place(what: str) -> None:
    reports, expected = HOLDS[what]
    story = Story()
    story.tell(seen(A, name="Gate"))
    story.tell(stream(0))
    for report in reports:
        story.tell(report)
    assert story.fleet.index.get(index_key(RTSP, "here")) == expected
    for device in story.fleet.devices.values():
        assert device.claims.keys() == {
            key for key in device.identities if not key.startswith("mac:")
        }


def test_a_key_is_proved_at_the_time_of_its_newest_sighting() -> None:
    story = Story()
    story.tell(stream(0))
    story.tell(stream(5))
    assert story.device().claims == {RTSP: noon(minutes=5)}


def test_an_offline_device_whose_address_is_anothers_keeps_its_record_and_history() -> None:
    """It proved nothing but its place, so nothing leads to it any more but its number."""
    story = Story()
    story.tell(stream(0, name="Old gate"))
    story.tell(missed(RTSP, noon(minutes=5), source="rtsp"))
    story.tell(seen(B, at=noon(minutes=6), name="New gate"))
    old, new = story.fleet.devices.values()
    assert old.identities == (f"former:1/{RTSP}",)
    assert (old.address, [address.ip for address in old.addresses]) == (HOME, [HOME])
    assert old.facts["rtsp"]["name"] == "Old gate"
    story.tell(stream(7))
    assert (old.id, story.device(2).identities) == (1, (B, RTSP))
    assert story.device(2).id == new.id
    assert story.device(1) == old


def test_a_device_that_lost_its_last_key_is_found_again_by_a_new_one_of_a_merge() -> None:
    story = Story()
    story.tell(stream(0))
    story.tell(missed(RTSP, noon(minutes=5), source="rtsp"))
    story.tell(seen(B, at=noon(minutes=6)))
    assert story.tell(edit("merge", "id:1", **{"with": 2})) == ["device.merged", "device.back"]
    story.tell(seen(B, at=noon(minutes=7), address=ELSEWHERE))
    assert list(story.fleet.devices) == [1]
    assert story.device().address == ELSEWHERE


def test_a_split_takes_the_times_of_its_keys_along() -> None:
    story = Story()
    story.tell(seen(A, RTSP))
    story.tell(edit("split", "id:1", noon(minutes=1), identities=[RTSP]))
    assert (story.device(1).claims, story.device(2).claims) == ({}, {RTSP: noon()})


def test_what_a_person_listed_keeps_its_place() -> None:
    listed = Device(1, "camera", "here", (RTSP,), address=HOME, listed=True)
    story = Story(listed)
    story.tell(missed(RTSP, noon(minutes=5), source="rtsp"))
    story.tell(seen(B, at=noon(minutes=6)))
    story.tell(stream(7))
    assert story.device(1).identities == (RTSP,)
    assert story.device(1).last_seen == noon(minutes=7)
    assert story.device(2).identities == (B,)


def test_the_same_place_at_another_site_is_another_place() -> None:
    story = Story()
    story.tell(stream(0))
    story.tell(missed(RTSP, noon(minutes=5), source="rtsp"))
    story.tell(replace(seen(B, at=noon(minutes=6)), site="plant 2"))
    assert story.device(1).identities == (RTSP,)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("has_streams", [False, True], ids=["macs only", "streams held"])
def test_twenty_cameras_that_swap_addresses_keep_their_records(
    has_streams: bool, order: int
) -> None:
    """A DHCP server that lost its leases: everybody has the address of the next one."""
    story = Story()
    count = 20
    macs = [f"mac:d4:2d:c5:00:01:{number:02x}" for number in range(count)]

    def scan(minutes: int, shift: int) -> list[Report]:
        at = noon(minutes=minutes)
        places = [(mac, f"10.0.1.{(n + shift) % count}") for n, mac in enumerate(macs)][::order]
        reports: list[Report] = [seen(mac, at=at, address=ip) for mac, ip in places]
        for _mac, ip in places if has_streams else ():
            reports.append(seen(f"rtsp:{ip}:554/", at=at, source="rtsp", address=ip))
        return reports

    story.tell(*scan(0, 0))
    before = dict(story.fleet.devices)
    for minutes in (5, 10, 15):
        story.tell(*scan(minutes, 1))
    kinds = [event.kind for event in story.events]
    assert (kinds.count("device.found"), kinds.count("device.moved")) == (count, count)
    assert "device.merged" not in kinds
    assert story.fleet.disputed == {}
    assert list(story.fleet.devices) == list(before)
    for id, device in story.fleet.devices.items():
        assert device.identities[0] == before[id].identities[0]
        assert device.address != before[id].address
        assert [address.ip for address in device.addresses] == [before[id].address, device.address]
        if has_streams:
            assert device.identities[1:] == (f"rtsp:{device.address}:554/",)
