"""What holds for a fleet whatever happens to it: random reports, random fleets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import status
from fleet.database import record
from fleet.edit.editing import can_undo, inverse
from fleet.identity import keys_of
from fleet.model import (
    Access,
    AddressChange,
    Device,
    Edit,
    Event,
    Fault,
    Finding,
    Fleet,
    KeyWatch,
    Miss,
    Refused,
    Report,
    Secret,
    Sighting,
    SourceDown,
    SourceState,
)
from fleet.recorder_list import SOURCE, RecorderRow
from fleet.reduce.addresses import MAX_SOURCE_ADDRESSES
from fleet.reducer import reduce
from tests.fleet.reports import NOON, RULES

MACS = [f"mac:d4:2d:c5:00:00:0{n}" for n in range(4)]
OTHERS = ["onvif:1", "onvif:2", "rtsp:10.0.0.1:554/", "rtsp:10.0.0.2:554/"]
SITES = st.sampled_from(("here", "plant 2"))
SOURCES = st.sampled_from(("panasonic", "rtsp"))
PROOF = st.tuples(st.sampled_from(MACS) | st.none(), st.sets(st.sampled_from(OTHERS), max_size=2))
WHEN = st.sampled_from((0, 0, 0, 1, 90, 3600, 2 * 86400)).map(
    lambda seconds: NOON - timedelta(seconds=seconds)
)
"""Mostly now; sometimes long ago: what waited somewhere, or was asked before others."""
BEFORE = st.none() | st.integers(0, 30).map(lambda seconds: NOON - timedelta(seconds=seconds))


def keys(proof: tuple[str | None, set[str]]) -> tuple[str, ...]:
    mac, others = proof
    return (*([mac] if mac else ()), *sorted(others))


SIGHTINGS = st.builds(
    Sighting,
    SITES,
    PROOF.map(keys).filter(bool),
    SOURCES,
    WHEN,
    kind=st.sampled_from(("camera", "recorder", "switch")),
    address=st.sampled_from((None, "10.0.0.1", "10.0.0.2", "10.0.0.3")),
    name=st.sampled_from((None, "Gate", "Door")),
    firmware=st.sampled_from((None, "1.0", "1.1")),
    serial=st.sampled_from((None, "S1")),
    facts=st.dictionaries(
        st.sampled_from(("name", "subnet", "tags")),
        st.sampled_from((None, 7, "x", [1, "two"], {"deep": [{}]})),
        max_size=2,
    ),
    asked=BEFORE,
)
ROWS = [f"row:S{n}" for n in (1, 2, 3)]
LISTED = st.builds(
    lambda row, serial: Edit(
        "list",
        row,
        {
            "kind": "recorder",
            "site": row.removeprefix("row:"),
            "source": SOURCE,
            "facts": RecorderRow(row.removeprefix("row:"), serial, "Store").facts(),
        },
        "the workbook",
        NOON,
    ),
    st.sampled_from(ROWS),
    st.sampled_from(("S1", "S2")),
)
UNLISTED = st.builds(
    lambda row: Edit("retire", row, {"source": SOURCE}, "the workbook", NOON),
    st.sampled_from(ROWS),
)
ANSWERS = st.builds(
    lambda row, serial, at, asked: Sighting(
        row.removeprefix("row:"), (row,), "dahua", at, kind="recorder", serial=serial, asked=asked
    ),
    st.sampled_from(ROWS),
    st.sampled_from((None, "S1", "S2")),
    WHEN,
    BEFORE,
)
KEYS = st.sampled_from(MACS + OTHERS + ROWS + ["id:1", "id:2", "id:3", "id:9"])
MISSES = st.builds(Miss, KEYS, SOURCES, WHEN, st.just("silent"), SITES, BEFORE)
FINDINGS = st.builds(
    Finding,
    KEYS,
    st.sampled_from(("password.unset", "setup.open")),
    WHEN,
    st.sampled_from(("so", "otherwise")),
    SOURCES,
    cleared=st.booleans(),
)
DOWNS = st.builds(
    SourceDown, st.sampled_from(("a", "a:eth0")), st.just(NOON), st.just("why"), st.booleans()
)
EDITS = st.builds(
    Edit,
    st.sampled_from(("change", "retire", "restore", "merge", "split", "nonsense")),
    KEYS,
    st.fixed_dictionaries(
        {
            "with": st.integers(1, 4),
            "identities": st.lists(st.sampled_from(MACS + OTHERS), min_size=1, max_size=2),
        },
        optional={
            "name": st.sampled_from((None, "", "Ours")),
            "site": SITES,
            "parent": st.none() | st.integers(1, 3),
        },
    ),
    st.just("tester"),
    st.just(NOON),
)


@dataclass(frozen=True)
class Undo:
    """Somebody takes back what the event says that is so many before the newest."""

    back: int


UNDOS = st.builds(Undo, st.integers(0, 8))
SEEN_OFTEN = (SIGHTINGS, SIGHTINGS, SIGHTINGS)
REPORTS: st.SearchStrategy[Any] = st.one_of(
    *SEEN_OFTEN, MISSES, FINDINGS, DOWNS, EDITS, EDITS, UNDOS, UNDOS, LISTED, UNLISTED, ANSWERS
)
BATCHES = st.lists(
    st.tuples(st.integers(0, 60 * 30), st.lists(REPORTS, max_size=4)), min_size=1, max_size=12
)


def moved_to(report: Report | Undo, now: datetime, events: Sequence[Event]) -> Report:
    """The report as of now; what was asked, so many seconds before. May raise Refused."""
    if isinstance(report, Undo):
        if report.back >= len(events):
            raise Refused("Event not found", "")
        event = events[-1 - report.back]
        assert fit_to_undo(event) == can_undo(event), event
        return inverse(event, "tester", now)
    at = now - (NOON - report.at)
    if isinstance(report, Sighting | Miss):
        return replace(report, at=at, asked=report.asked and now - (NOON - report.asked))
    return replace(report, at=at)


def fit_to_undo(event: Event) -> bool:
    """By its words: a person did it. Records that prove to be one may be told apart too."""
    edits = ("edited", "retired", "restored", "split", "unmerged")
    is_by_a_person = any(event.kind == f"device.{edit}" for edit in edits) and (
        event.text.endswith("by tester") or "tester" in event.text
    )
    return is_by_a_person or event.kind == "device.merged"


def check(fleet: Fleet, before: Fleet, events: Sequence[Event]) -> None:
    """Everything that must hold after any batch."""
    assert fleet.sequence == before.sequence + len(events)
    assert [event.sequence for event in events] == list(
        range(before.sequence + 1, fleet.sequence + 1)
    )
    assert fleet.outbox == (*before.outbox, *events)
    assert record.indexed(fleet).index == fleet.index, "it is the same after a restart"
    for id, device in fleet.devices.items():
        assert device.id == id
        assert [fleet.index[key] for key in keys_of(device)] == [id] * len(device.identities)
        assert device.status in status.NAMES
    assert list(fleet.devices) == sorted(fleet.devices), "lists are by number"
    assert {*fleet.devices, *fleet.redirects} == set(range(1, fleet.next_id)), "no number lost"
    assert not fleet.devices.keys() & fleet.redirects.keys(), "no number lives twice"
    assert set(fleet.redirects.values()) <= fleet.devices.keys(), "each leads to a living one"
    check_keys(before, fleet)


def check_keys(before: Fleet, fleet: Fleet) -> None:
    """Each key leads to one device, and one that is disputed to none."""
    keys = [key for device in fleet.devices.values() for key in keys_of(device)]
    assert len(keys) == len(set(keys)) == len(fleet.index), "no key at two devices"
    assert not fleet.disputed.keys() & fleet.index.keys(), "what is disputed leads to nobody"
    assert record.indexed(fleet).references == fleet.references, "it is the same after a restart"
    for device in fleet.devices.values():
        assert device.claims.keys() <= {*device.identities}, "a claim ends with its key"
        assert all(len(known) <= MAX_SOURCE_ADDRESSES for known in device.source_addresses.values())


def check_merges(before: Fleet, events: Sequence[Event]) -> None:
    """What proves nothing makes no two devices one."""
    for event in events:
        if event.kind == "device.merged" and not event.text.endswith("says tester"):
            assert not {*event.before["stays"]["identities"]} & {*before.disputed}
            assert not {*event.before["goes"]["identities"]} & {*before.disputed}


def check_macs(before: Fleet, fleet: Fleet, reports: Sequence[Report]) -> None:
    """Without a person's word a record proves one MAC, and a MAC stays with its record."""
    for device in fleet.devices.values():
        assert sum(key.startswith("mac:") for key in device.identities) <= 1
    for report in reports:
        for key in getattr(report, "identities", ()):
            if key in fleet.disputed:
                assert key not in fleet.index
            elif key.startswith("mac:") and key in before.index:
                was = before.index[key]
                assert fleet.index[key] == fleet.redirects.get(was, was)


def check_order(before: Fleet, fleet: Fleet, events: Sequence[Event], now: datetime) -> None:
    """Nothing known goes back in time, and nothing comes from after now."""
    if REWRITING & {event.kind for event in events}:
        return
    for id, device in fleet.devices.items():
        old = before.devices.get(id)
        if old is None or old.last_seen is None:
            continue
        assert device.last_seen is not None
        assert old.last_seen <= device.last_seen <= now
        for source, state in old.states.items():
            if state.seen_at:
                seen_at = device.states[source].seen_at
                assert seen_at is not None
                assert seen_at >= state.seen_at


REWRITING = frozenset({"device.merged", "device.unmerged", "device.split"})


def is_by_hand(report: Report) -> bool:
    """A person says who is who."""
    return isinstance(report, Edit) and report.kind in ("merge", "split", "unmerge")


def live(batches: list[tuple[int, list[Any]]]) -> None:
    """Tell a new fleet all of it, and look at it after each batch."""
    fleet, now, history, by_hand = Fleet(), NOON, list[Event](), False
    for minutes, raw in batches:
        now += timedelta(minutes=minutes)
        try:
            reports = [moved_to(report, now, history) for report in raw]
            after, events = reduce(fleet, reports, now, RULES)
        except Refused:
            continue
        check(after, fleet, events)
        if not any(isinstance(report, Edit) and report.kind == "list" for report in reports):
            check_order(fleet, after, events, now)
        by_hand = by_hand or any(map(is_by_hand, reports))
        if not by_hand:
            check_macs(fleet, after, reports)
        check_merges(fleet, events)
        fleet, history = after, [*history, *events]
    after, events = reduce(fleet, [], now, RULES)
    check(after, fleet, events)
    known = {id: device.status for id, device in after.devices.items() if device.retired_at is None}
    true = status.statuses(after.devices, now, RULES)
    assert known == {id: true[id] for id in known}, "what was told last is what is true"
    assert reduce(after, [], now, RULES) == (after, []), "the same moment has nothing new"
    assert record.decode(record.Encoder().encode(after)) == after


@settings(deadline=None, max_examples=400, derandomize=True)
@given(BATCHES)
def test_whatever_is_reported_the_fleet_stays_sound(
    batches: list[tuple[int, list[Any]]],
) -> None:
    live(batches)


@pytest.mark.torture
@pytest.mark.timeout(1200)
@settings(deadline=None, max_examples=20_000)
@given(BATCHES)
def test_whatever_is_reported_at_great_length_the_fleet_stays_sound(
    batches: list[tuple[int, list[Any]]],
) -> None:
    live(batches)


# -- the file --------------------------------------------------------------------------------

TEXT = st.text(max_size=12)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MAYBE = st.none() | TIME
NUMBER = st.integers(-(2**63), 2**64 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(TEXT, JSON, max_size=3)
EVENTS = st.builds(
    Event,
    st.integers(0, 2**62),
    TIME,
    TEXT,
    st.none() | st.integers(1, 2**31 - 1),
    TEXT,
    before=FACTS,
    after=FACTS,
)
WORDS = st.builds(
    SourceState, MAYBE, MAYBE, MAYBE, st.integers(0, 2**31 - 1), TEXT, st.none() | TEXT
)
COUNT = st.integers(0, 2**31 - 1)
NEW_KEY = st.from_regex(r"new_[a-z]{1,3}", fullmatch=True)
"""What a newer version may have called its keys."""
SOURCES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
HOSTS = ["10.0.0.5", "fe80::1%eth0", "2001:db8::5", "gate.lan", "xn--bcher-kva.example"]
VISIBLE = st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), max_size=9)
"""Without what no path or user name may hold."""
ACCESS = st.builds(
    Access,
    host=st.none() | st.sampled_from(HOSTS),
    port=st.none() | st.integers(1, 65535),
    path=VISIBLE.map(lambda text: f"/{text.replace('#', '')}") | st.just(""),
    username=st.none() | VISIBLE.map(lambda text: f"u{text.replace(':', '')}"),
    secret=st.none() | TEXT.filter(bool),
    tls_pin=st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    method=st.sampled_from(["", "digest", "digest-sha-256"]),
    interval=st.none() | st.integers(10, 86400),
    options=st.dictionaries(SOURCES, st.none() | st.booleans() | NUMBER, max_size=2),
    secret_options=st.dictionaries(TEXT, TEXT, max_size=2),
    credentials=st.just("") | st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True),
    refusals=st.integers(0, 1000),
    attempts_left=st.none() | st.integers(0, 1000),
    worked_at=MAYBE,
    clock=st.none() | st.floats(-1e10, 1e10),
    extra=st.dictionaries(NEW_KEY, st.integers(0, 9), max_size=2),
)
DEVICES = st.builds(
    Device,
    id=st.just(0),
    kind=TEXT,
    site=TEXT,
    identities=st.just(()),
    name=st.none() | TEXT,
    notes=TEXT,
    tags=st.lists(TEXT, max_size=2).map(tuple),
    address=st.none() | TEXT,
    addresses=st.lists(st.builds(AddressChange, TEXT, TIME, st.none() | TEXT), max_size=3).map(
        tuple
    ),
    first_seen=MAYBE,
    last_seen=MAYBE,
    sightings=st.integers(0, 2**31 - 1),
    moved_at=MAYBE,
    states=st.dictionaries(TEXT, WORDS, max_size=2),
    recent_misses=st.dictionaries(
        TEXT,
        st.dictionaries(TEXT, st.lists(TIME, max_size=2).map(tuple), max_size=2),
        max_size=2,
    ),
    facts=st.dictionaries(TEXT, FACTS, max_size=2),
    links=st.dictionaries(TEXT, TEXT, max_size=2),
    findings=st.lists(st.builds(Fault, TEXT, TIME, TEXT, TEXT, FACTS), max_size=2).map(tuple),
    parents=st.sampled_from([(), (1,)]),
    kind_source=TEXT,
    access=st.dictionaries(SOURCES, ACCESS, max_size=2),
    source_addresses=st.dictionaries(TEXT, st.dictionaries(TEXT, TIME, max_size=2), max_size=2),
    claims=st.dictionaries(TEXT, TIME, max_size=2),
    interfaces=st.dictionaries(TEXT, st.dictionaries(TEXT, TIME, max_size=2), max_size=2),
    vendor=TEXT,
    recording=st.fixed_dictionaries(
        {},
        optional={"auto_record": st.booleans(), "retention_days": st.integers(1, 3650)},
    ),
    extra=st.dictionaries(NEW_KEY, st.integers(0, 9), max_size=2),
    listed=st.booleans(),
    retired_at=MAYBE,
    status=st.sampled_from(status.NAMES),
    since=MAYBE,
)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    devices: dict[int, Device] = {}
    for id, device in enumerate(draw(st.lists(DEVICES, max_size=4)), start=1):
        identities = (f"mac:d4:2d:c5:00:00:{id:02x}", f"rtsp:{id}{draw(TEXT)}")
        parents = device.parents if id > 1 else ()
        devices[id] = replace(device, id=id, identities=identities, parents=parents)
    first = len(devices) + 1
    redirects: dict[int, int] = {}
    if devices and draw(st.booleans()):
        redirects = {first: 1, first + 1: 1}
    outbox = draw(st.lists(EVENTS, max_size=3, unique_by=lambda event: event.sequence))
    outbox.sort(key=lambda event: event.sequence)
    fleet = Fleet(
        devices=devices,
        redirects=redirects,
        next_id=first + len(redirects),
        sequence=draw(st.integers(outbox[-1].sequence if outbox else 0, 2**62)),
        outbox=tuple(outbox),
        state=draw(FACTS),
        secrets=draw(st.dictionaries(TEXT, st.builds(Secret, TEXT, COUNT), max_size=2)),
        disputed=draw(st.dictionaries(TEXT, TIME, max_size=2)),
        watched=draw(st.dictionaries(TEXT, st.builds(KeyWatch, TEXT, TIME, TIME), max_size=2)),
        ignored=draw(st.dictionaries(TEXT, FACTS, max_size=2)),
        extra=draw(st.dictionaries(NEW_KEY, FACTS, max_size=2)),
    )
    return record.indexed(fleet)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(fleets())
def test_what_is_written_is_what_is_read(fleet: Fleet) -> None:
    assert record.decode(record.Encoder().encode(fleet)) == fleet


@settings(deadline=None, max_examples=50, derandomize=True)
@given(fleets(), fleets())
def test_a_writer_that_remembers_lines_writes_what_a_fresh_one_does(
    first: Fleet, other: Fleet
) -> None:
    encoder = record.Encoder()
    encoder.encode(first)
    assert encoder.encode(other) == record.Encoder().encode(other)
