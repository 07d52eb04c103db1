"""The status of a device: the rules of `fleet/status.py` as one table, and what holds for all."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import shapes
from fleet.model import Access, Device, Fleet, SourceState
from fleet.status import (
    ACTIVE,
    IP_CHANGED,
    MISSING,
    NAMES,
    OFFLINE,
    UNKNOWN,
    UNREACHABLE,
    Rules,
    is_stale,
    reason,
    statuses,
)
from fleet.status_rules import SourceRules, rules_of
from sources.build import source_rules
from sources.source import Source
from tests.fleet.reports import NOON, RULES, noon

CAMERA = Device(1, "camera", "here", ("mac:d4:2d:c5:00:00:0a",))


def device_seen(seen_at: float = 0, **more: object) -> Device:
    """A camera that discovery saw so many minutes after noon."""
    at = noon(minutes=seen_at)
    device = replace(CAMERA, last_seen=at, states={"panasonic": SourceState(seen_at=at)})
    return replace(device, **more)  # type: ignore[arg-type]


def says(
    device: Device, source: str, seen: float | None = None, missed: float | None = None
) -> Device:
    """The device with a source's last word on it; times in minutes after noon.

    A source that missed it later than it saw it has a miss standing.
    """
    state = SourceState(
        seen_at=None if seen is None else noon(minutes=seen),
        missed_at=None if missed is None else noon(minutes=missed),
        misses=int(missed is not None and (seen is None or missed > seen)),
        reason="" if missed is None else f"{source} had no answer",
    )
    times = [at for at in (device.last_seen, state.seen_at) if at]
    return replace(
        device, states={**device.states, source: state}, last_seen=max(times, default=None)
    )


def silent(missed: float = 5, seen: float = 0, **more: object) -> Device:
    return says(device_seen(seen, **more), "panasonic", seen, missed)


LISTED = replace(CAMERA, listed=True)
DAY = 24 * 60
PATIENCE = RULES.patience / timedelta(minutes=1)

ALONE = {
    # sentence: (the device, minutes after noon, its status)
    "nobody asked it yet": (CAMERA, 0, UNKNOWN),
    "a person listed it and nobody asked it yet": (LISTED, 0, UNKNOWN),
    "it answered": (device_seen(), 0, ACTIVE),
    "it answered and nobody has asked for a week": (device_seen(), 7 * DAY, ACTIVE),
    "it has a new address": (device_seen(moved_at=NOON), 0, IP_CHANGED),
    "one miss is enough": (silent(5), 5, OFFLINE),
    "it answered again after the miss": (says(CAMERA, "panasonic", 6, 5), 6, ACTIVE),
    "it has a new address and then fell silent": (silent(moved_at=NOON), 5, OFFLINE),
    "silent for a day but for a minute": (silent(5), DAY - 1, OFFLINE),
    "silent for a day": (silent(5), DAY, MISSING),
    "with a new address, silent for a day": (silent(moved_at=NOON), DAY, MISSING),
    "the first miss came after more than a day": (silent(3 * DAY), 3 * DAY, MISSING),
    "never seen and asked in vain": (says(CAMERA, "rtsp", missed=0), 0, OFFLINE),
    "never seen and asked in vain for a month": (says(CAMERA, "rtsp", missed=0), 30 * DAY, OFFLINE),
    "listed, never seen, asked in vain": (says(LISTED, "rtsp", missed=0), 0, OFFLINE),
    "listed ones are never missing": (silent(5, listed=True), 30 * DAY, OFFLINE),
    "listed ones are active when they answer": (device_seen(listed=True), 0, ACTIVE),
    "retired is a flag beside the word": (silent(5, retired_at=NOON), 5, OFFLINE),
    # several sources
    "another source vouches for a miss": (says(device_seen(5), "rtsp", missed=6), 6, ACTIVE),
    "it vouches for as long as patience": (
        says(device_seen(0), "rtsp", missed=PATIENCE),
        0,
        ACTIVE,
    ),
    "a word older than patience vouches for nothing": (
        says(device_seen(0), "rtsp", missed=PATIENCE + 1),
        PATIENCE + 1,
        OFFLINE,
    ),
    "seen by one after the other missed it": (says(device_seen(9), "rtsp", missed=1), 9, ACTIVE),
    "an old miss does not count again": (says(device_seen(9), "rtsp", missed=1), 2 * DAY, ACTIVE),
    "the newest miss counts, not the first": (
        says(says(device_seen(0), "rtsp", missed=1), "snmp", missed=PATIENCE + 1),
        PATIENCE + 1,
        OFFLINE,
    ),
    "both sources missed it": (says(silent(5), "rtsp", 0, 5), 5, OFFLINE),
    "both sources missed it for a day": (says(silent(5), "rtsp", 0, 5), DAY, MISSING),
    "one that never saw it does not vouch": (says(silent(5), "rtsp"), 5, OFFLINE),
    "vouched for, it keeps its new address": (
        says(device_seen(5, moved_at=NOON), "rtsp", missed=6),
        6,
        IP_CHANGED,
    ),
    "a day of misses means nothing while one source sees it": (
        says(device_seen(DAY), "rtsp", 0, DAY),
        DAY,
        ACTIVE,
    ),
}


@pytest.mark.parametrize("sentence", ALONE)
def test_the_status_of_a_device_by_itself(sentence: str) -> None:
    device, minutes, expected = ALONE[sentence]
    assert statuses({1: device}, noon(minutes=minutes), RULES) == {1: expected}


DOWN = silent(5)
UP = device_seen(5)
LONG_GONE = silent(5, -2 * DAY)
NEVER = CAMERA
ASKED_IN_VAIN = says(CAMERA, "rtsp", missed=5)


def family(*members: tuple[Device, int | None]) -> dict[int, Device]:
    """Devices numbered from 1, each with the number of its parent."""
    return {
        id: replace(device, id=id, parents=(parent,) if parent else ())
        for id, (device, parent) in enumerate(members, start=1)
    }


BEHIND = {
    # sentence: (the devices with their parents, the status of each)
    "behind a dead parent": (family((DOWN, None), (DOWN, 1)), [OFFLINE, UNREACHABLE]),
    "behind a missing parent": (family((LONG_GONE, None), (DOWN, 1)), [MISSING, UNREACHABLE]),
    "a long gone one behind a dead parent": (
        family((DOWN, None), (LONG_GONE, 1)),
        [OFFLINE, UNREACHABLE],
    ),
    "behind a parent that was never seen": (
        family((ASKED_IN_VAIN, None), (DOWN, 1)),
        [OFFLINE, UNREACHABLE],
    ),
    "behind a parent that nobody asked": (family((NEVER, None), (DOWN, 1)), [UNKNOWN, OFFLINE]),
    "behind a parent that answers": (family((UP, None), (DOWN, 1)), [ACTIVE, OFFLINE]),
    "it answers though its parent does not": (family((DOWN, None), (UP, 1)), [OFFLINE, ACTIVE]),
    "never asked, behind a dead parent": (family((DOWN, None), (NEVER, 1)), [OFFLINE, UNKNOWN]),
    "behind a dead grandparent": (
        family((DOWN, None), (UP, 1), (DOWN, 2)),
        [OFFLINE, ACTIVE, UNREACHABLE],
    ),
    "a whole dead chain": (
        family((DOWN, None), (DOWN, 1), (DOWN, 2), (DOWN, 3)),
        [OFFLINE, UNREACHABLE, UNREACHABLE, UNREACHABLE],
    ),
    "its parent is not known": (
        family(
            (DOWN, 77),
        ),
        [OFFLINE],
    ),
    "its own parent": (
        family(
            (DOWN, 1),
        ),
        [OFFLINE],
    ),
    "two that are each other's parent": (
        family((DOWN, 2), (DOWN, 1)),
        [UNREACHABLE, UNREACHABLE],
    ),
    "two in a circle, one of them up": (family((UP, 2), (DOWN, 1)), [ACTIVE, OFFLINE]),
    "below a circle in which all are up": (
        family((UP, 2), (UP, 1), (DOWN, 1)),
        [ACTIVE, ACTIVE, OFFLINE],
    ),
    "behind a parent that a person retired": (
        family((replace(DOWN, retired_at=noon(minutes=6)), None), (DOWN, 1)),
        [OFFLINE, OFFLINE],
    ),
}


def behind_several(*members: tuple[Device, tuple[int, ...]]) -> dict[int, Device]:
    """Devices numbered from 1, each with the numbers of its parents."""
    return {
        id: replace(device, id=id, parents=parents)
        for id, (device, parents) in enumerate(members, start=1)
    }


RETIRED = replace(DOWN, retired_at=noon(minutes=6))

UPLINKS = {
    # sentence: (the devices with their parents, the status of the last one)
    "one of two parents is up": ([(UP, ()), (DOWN, ()), (DOWN, (1, 2))], OFFLINE),
    "both parents are down": ([(DOWN, ()), (DOWN, ()), (DOWN, (1, 2))], UNREACHABLE),
    "both are down, and it answers": ([(DOWN, ()), (DOWN, ()), (UP, (1, 2))], ACTIVE),
    "one is down, one was not asked yet": ([(DOWN, ()), (NEVER, ()), (DOWN, (1, 2))], OFFLINE),
    "one is down, one is unreachable": (
        [(DOWN, ()), (DOWN, (1,)), (DOWN, ()), (DOWN, (2, 3))],
        UNREACHABLE,
    ),
    "one is down, one is up behind a dead one": (
        [(DOWN, ()), (UP, (1,)), (DOWN, ()), (DOWN, (2, 3))],
        UNREACHABLE,
    ),
    "one is down, one is up with two uplinks of which one is up": (
        [(DOWN, ()), (UP, ()), (UP, (1, 2)), (DOWN, ()), (DOWN, (3, 4))],
        OFFLINE,
    ),
    "two switches on one dead router": (
        [(DOWN, ()), (UP, (1,)), (UP, (1,)), (DOWN, (2, 3))],
        UNREACHABLE,
    ),
    "two switches on one router that is up": (
        [(UP, ()), (DOWN, (1,)), (UP, (1,)), (DOWN, (2, 3))],
        OFFLINE,
    ),
    "one is down, one is retired": ([(DOWN, ()), (RETIRED, ()), (DOWN, (1, 2))], UNREACHABLE),
    "one is up, one is retired": ([(UP, ()), (RETIRED, ()), (DOWN, (1, 2))], OFFLINE),
    "one is down, one is retired behind one that is up": (
        [(UP, ()), (RETIRED, (1,)), (DOWN, ()), (DOWN, (2, 3))],
        OFFLINE,
    ),
    "both are retired": ([(RETIRED, ()), (RETIRED, ()), (DOWN, (1, 2))], OFFLINE),
    "one is down, one is not there": ([(DOWN, ()), (DOWN, (1, 77))], UNREACHABLE),
    "its parents are behind each other": (
        [(UP, (2,)), (UP, (1,)), (DOWN, ()), (DOWN, (1, 3))],
        UNREACHABLE,
    ),
}


@pytest.mark.parametrize("sentence", UPLINKS)
def test_a_device_is_unreachable_when_all_its_parents_are_down(sentence: str) -> None:
    members, expected = UPLINKS[sentence]
    devices = behind_several(*members)
    assert list(statuses(devices, noon(minutes=6), RULES).values())[-1] == expected


@pytest.mark.parametrize("sentence", BEHIND)
def test_the_status_of_a_device_behind_another(sentence: str) -> None:
    devices, words = BEHIND[sentence]
    assert list(statuses(devices, noon(minutes=6), RULES).values()) == words


def test_the_reason_is_in_the_words_of_the_source_that_missed_it_last() -> None:
    device = says(silent(5), "rtsp", 0, 6)
    assert reason(device) == "rtsp had no answer"
    assert reason(device_seen()) == ""


def test_what_was_never_online_is_looked_for_where_it_was_entered() -> None:
    device = says(replace(CAMERA, listed=True), "rtsp", None, 6)
    assert reason(device) == "never online; check the serial number (rtsp had no answer)"
    at_address = replace(device, access={"rtsp": Access(host="10.0.0.5")})
    assert reason(at_address) == "never online; check the address (rtsp had no answer)"


def test_a_word_that_nobody_renewed_needs_an_as_of() -> None:
    assert not is_stale(device_seen(), NOON + RULES.patience, RULES)
    assert is_stale(device_seen(), NOON + RULES.patience + timedelta(seconds=1), RULES)
    assert not is_stale(silent(5), noon(minutes=5) + RULES.patience, RULES)
    assert not is_stale(CAMERA, noon(days=9), RULES), "nobody asked it, so nothing is old"


TIMES = st.none() | st.integers(-3 * DAY, 3 * DAY).map(lambda minutes: noon(minutes=minutes))
ANY_WORD = st.builds(SourceState, seen_at=TIMES, missed_at=TIMES, misses=st.just(0)) | st.builds(
    SourceState, seen_at=TIMES, missed_at=TIMES.filter(bool), misses=st.integers(1, 9)
)
ANY_DEVICE = st.builds(
    Device,
    id=st.just(0),
    kind=st.sampled_from(("camera", "recorder")),
    site=st.just("here"),
    identities=st.just(()),
    last_seen=TIMES,
    moved_at=TIMES,
    states=st.dictionaries(st.sampled_from(("panasonic", "rtsp", "snmp")), ANY_WORD),
    parents=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    listed=st.booleans(),
    retired_at=TIMES,
)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(ANY_DEVICE, max_size=8), st.integers(-DAY, 3 * DAY))
def test_every_device_has_exactly_one_status_and_the_sums_hold(
    members: list[Device], minutes: int
) -> None:
    devices = {id: replace(device, id=id) for id, device in enumerate(members, start=1)}
    by_id = statuses(devices, noon(minutes=minutes), RULES)
    assert by_id.keys() == devices.keys()
    assert set(by_id.values()) <= set(NAMES)
    assert MISSING not in {by_id[id] for id, device in devices.items() if device.listed}
    counts = shapes.stats(
        Fleet(), devices.values(), by_id, scanning=False, auto_scan=False, interval=300
    )
    assert counts["active"] + counts["offline"] + counts["missing"] == counts["total"]
    assert counts["total"] == sum(device.retired_at is None for device in members)
    assert counts["ip_changed"] <= counts["active"] == counts["online"]


# -- patience by device and source ---------------------------------------------------------


def test_patience_is_two_source_rules_the_source_that_asks_this_device() -> None:
    rules = Rules(intervals={"rtsp": timedelta(seconds=60)}, probing=frozenset({"rtsp"}))
    plain = replace(CAMERA, access={"rtsp": Access()})
    often = replace(CAMERA, access={"rtsp": Access(interval=10)})
    assert rules.patience_with(plain, "rtsp") == timedelta(seconds=120)
    assert rules.patience_with(often, "rtsp") == timedelta(seconds=20)
    assert rules.patience_with(often, "panasonic") == rules.patience
    sweeps = replace(rules, probing=frozenset())
    assert sweeps.patience_with(CAMERA, "rtsp") == timedelta(seconds=120)
    assert sweeps.patience_with(often, "rtsp") == timedelta(seconds=120), "a sweep asks all alike"


def test_a_device_without_access_for_a_source_is_only_scanned_by_it() -> None:
    """The source probes others on its own interval, and never this one."""
    onvif = Source("onvif", "ONVIF", 5, probe=lambda target: None, interval=60)  # type: ignore[arg-type,return-value]
    rules = rules_of(Fleet(), 300, source_rules([onvif]))
    scanned, probed = says(CAMERA, "onvif", 0), replace(CAMERA, access={"onvif": Access()})
    assert rules.patience_with(scanned, "onvif") == rules.patience == timedelta(minutes=10)
    assert rules.patience_with(probed, "onvif") == timedelta(minutes=2)
    assert not is_stale(scanned, noon(minutes=9), rules)
    assert is_stale(says(probed, "onvif", 0), noon(minutes=9), rules)


def test_an_interval_for_a_source_that_asks_by_no_interval_changes_no_patience() -> None:
    often = replace(CAMERA, access={"panasonic": Access(interval=10)})
    assert Rules().patience_with(often, "panasonic") == Rules().patience


def test_a_source_vouches_for_two_of_its_own_intervals() -> None:
    intervals = {"rtsp": timedelta(minutes=1), "snmp": timedelta(minutes=30)}
    rules = Rules(intervals=intervals, probing=frozenset(intervals))
    listed = replace(CAMERA, access={"rtsp": Access(), "snmp": Access()})
    by_rtsp = says(says(listed, "rtsp", 0), "panasonic", 0, 5)
    by_snmp = says(says(listed, "snmp", 0), "panasonic", 0, 5)
    assert statuses({1: by_rtsp}, noon(minutes=5), rules) == {1: OFFLINE}
    assert statuses({1: by_snmp}, noon(minutes=5), rules) == {1: ACTIVE}
    slow = replace(by_rtsp, access={"rtsp": Access(interval=600)})
    assert statuses({1: slow}, noon(minutes=5), rules) == {1: ACTIVE}


def test_a_status_is_only_the_last_known_one_when_every_source_is_late() -> None:
    rules = Rules(intervals={"rtsp": timedelta(minutes=1), "snmp": timedelta(minutes=30)})
    both = says(says(CAMERA, "rtsp", 5), "snmp", 0)
    assert not is_stale(both, noon(minutes=60), rules)
    assert is_stale(both, noon(minutes=61), rules)
    assert is_stale(says(CAMERA, "rtsp", 5), noon(minutes=8), rules)
    assert not is_stale(says(CAMERA, "rtsp", 5), noon(minutes=7), rules)


def test_a_part_of_a_source_that_is_down_concerns_what_was_heard_there_alone() -> None:
    there, elsewhere, nowhere = (
        replace(CAMERA, states={"rtsp": SourceState(seen_at=NOON, scope=scope)})
        for scope in ("rtsp:eth0", "rtsp:eth1", None)
    )
    rules = replace(RULES, down={"rtsp:eth0": noon(minutes=1)})
    assert is_stale(there, noon(minutes=2), rules)
    assert not is_stale(elsewhere, noon(minutes=2), rules)
    assert is_stale(nowhere, noon(minutes=2), rules), "its source does not say in which part it is"
    rules = replace(RULES, down={"rtsp": noon(minutes=1)})
    assert is_stale(elsewhere, noon(minutes=2), rules)
    assert not is_stale(elsewhere, noon(minutes=2), replace(RULES, down={"tcp": noon(minutes=1)}))


def test_the_rules_of_a_fleet_keep_the_scope_that_is_down() -> None:
    down = {"rtsp:eth0": {"since": NOON.isoformat(), "reason": "the cable is out"}}
    rules = rules_of(Fleet(state={"down": down}), 300, {"rtsp": SourceRules(60)})
    assert rules.down == {"rtsp:eth0": NOON}
