"""The demo's recorders: 60 in 12 stores, in a workbook, behind a pretended cloud, with a past.

All times of the past are days ago.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from simulators.easy4ip import Cloud, Recorder, fleet

STORES = (
    *("Aachen", "Bergen", "Cork", "Dresden", "Esbjerg", "Faro"),
    *("Ghent", "Hull", "Izmir", "Jena", "Kyiv", "Lyon"),
)
EACH = 5
STATES = {7: "offline", 19: "silent", 23: "info_404", 31: "unknown", 42: "info_empty", 55: "silent"}
"""What is not simply online, by place."""


LISTED = 96.4
"""When the workbook was put in."""
NEVER_SEEN = 31
STORE_CUTS = {2: (33.6, 33.2), 7: (19.7, 19.1)}
"""Stores that were cut off as a whole, and when."""
SILENT = {7: (3.3, 0), 19: (0.4, 0), 23: (12.5, 0), 55: (0.06, 0), 12: (27.5, 26.9), 44: (8.2, 7.8)}
"""Recorders that fell silent alone; until 0 is still so."""
REASONS = {
    "offline": "not online in Dahua's cloud: 404",
    "unknown": "not online in Dahua's cloud: 404",
    "silent": "its P2P server: no response to 4 requests",
    "info_404": "not online on its P2P server: 404",
}
SOURCE = "dahua"
A_DAY = 1440
"""Times a day that a recorder is asked about."""
LAST_ASK = 20 / 86400
Json = dict[str, Any]


def recorders() -> list[Recorder]:
    every = fleet(len(STORES) * EACH)
    for place, state in STATES.items():
        every[place].state = state
    return every


def cloud() -> Cloud:
    """The cloud with all of them, not yet started; answers take 80 ms."""
    made = Cloud(recorders())
    made.delay = 0.08
    return made


def _site(place: int) -> tuple[str, str]:
    store = STORES[place // EACH]
    return f"Store {store}", f"{store[:3].upper()}-{place % EACH + 1:02}"


def _phone(place: int) -> str:
    return f"+00 {place:04}"


def write_workbook(path: Path) -> None:
    """One row for each recorder, with a column of its own and one row that does not fit."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.create_sheet("Recorders", 0)
    sheet.append(["STORE NAME", "SITE", "P2P NUMBER", "PHONE"])
    for place, recorder in enumerate(recorders()):
        sheet.append([*_site(place), recorder.serial, _phone(place)])
    sheet.append(["Store Lyon", "LYO-06", "", ""])
    book.save(path)


# -- the past --------------------------------------------------------------------------------


def past(first: int, now: datetime) -> tuple[list[Json], list[Json]]:
    """The records of the recorders, with ids from `first`, and their events, in no order and
    without numbers."""
    records: list[Json] = []
    events: list[Json] = []
    for place, recorder in enumerate(recorders()):
        turns = _turns(place)
        records.append(_record(first + place, place, recorder, turns, now))
        events += _events(first + place, place, recorder, turns, now)
    return records, events


def _turns(place: int) -> list[tuple[float, str]]:
    """(days ago, status), oldest first."""
    turns = [(LISTED, "UNKNOWN")]
    if place == NEVER_SEEN:
        return [*turns, (LISTED - 1 / A_DAY, "OFFLINE")]
    turns.append((LISTED - 1 / A_DAY, "ACTIVE"))
    cuts = [cut for cut in (STORE_CUTS.get(place // EACH), SILENT.get(place)) if cut]
    for begin, end in sorted(cuts, reverse=True):
        turns += [(begin, "OFFLINE"), *([(end, "ACTIVE")] if end else [])]
    return turns


def _events(
    number: int, place: int, recorder: Recorder, turns: list[tuple[float, str]], now: datetime
) -> Iterator[Json]:
    name = ", ".join(_site(place))
    yield _event(
        number, "device.listed", f"{name} was added to the list from P2P1.xlsx", LISTED, now
    )
    for (_ago, before), (ago, after) in pairwise(turns):
        reason = REASONS.get(recorder.state, REASONS["silent"])
        kind, text = "device.offline", f"{name} is offline: {reason}"
        if after == "ACTIVE":
            is_first = before == "UNKNOWN"
            kind = "device.found" if is_first else "device.back"
            text = f"{name} {'is online' if is_first else 'is back online'}"
        event = _event(number, kind, text, ago, now)
        yield {**event, "before": {"status": before}, "after": {"status": after}}


def _event(number: int, kind: str, text: str, ago: float, now: datetime) -> Json:
    at = (now - timedelta(days=ago)).isoformat()
    return {"at": at, "kind": kind, "device": number, "text": text, "before": {}, "after": {}}


def _record(
    number: int, place: int, recorder: Recorder, turns: list[tuple[float, str]], now: datetime
) -> Json:
    store, site = _site(place)
    since, status = turns[-1]
    was_seen = place != NEVER_SEEN
    last = since if status == "OFFLINE" else LAST_ASK

    def at(ago: float) -> str:
        return (now - timedelta(days=ago)).isoformat()

    row = {"serial": recorder.serial, "name": f"{store}, {site}", "row_site": site, "store": store}
    facts: Json = {"workbook": {**row, "columns": {"PHONE": _phone(place)}}}
    if was_seen:
        facts[SOURCE] = {"serial": recorder.serial, "firmware": recorder.version}
    if was_seen and recorder.state != "info_empty":
        facts[SOURCE]["port"] = 37777
    return {
        "id": number,
        "kind": "recorder",
        "site": site,
        "identities": [f"row:{site}"],
        "name": None,
        "addresses": [],
        "first_seen": at(LISTED) if was_seen else None,
        "last_seen": at(last) if was_seen else None,
        "sightings": int((LISTED - last) * A_DAY) if was_seen else 0,
        "states": {
            SOURCE: _source_state(recorder, status, at(last) if was_seen else None, at, since)
        },
        "facts": facts,
        "links": {},
        "findings": [],
        "listed": True,
        "status": status,
        "since": at(since),
    }


def _source_state(
    recorder: Recorder, status: str, seen: str | None, at: Callable[[float], str], since: float
) -> Json:
    is_silent = status == "OFFLINE"
    return {
        "seen_at": seen,
        "missed_at": at(LAST_ASK) if is_silent else None,
        "asked": at(LAST_ASK),
        "misses": int(since * A_DAY) if is_silent else 0,
        "reason": REASONS.get(recorder.state, REASONS["silent"]) if is_silent else "",
        "scope": None,
    }
