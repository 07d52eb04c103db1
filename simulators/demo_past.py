"""The demo's past: the files of a monitor that has watched its cast for months.

Past events are in the database's outbox, from which the monitor itself brings it to its
journal. Only the days that were asked are written there: no file of the monitor holds them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from simulators import demo_stores, demo_streams
from simulators.demo_cast import PASSWORD, SETUP, UNWATCHED, WATCHED, Member
from simulators.panasonic import Camera

MIGRATIONS = Path(__file__).parent.parent / "store" / "migrations"
SOURCE, SCOPE = "panasonic", "panasonic:lo"
LAST_SCAN = 20 / 86400
"""Days ago, as all times here."""
A_DAY = 288
"""Scans a day, one each five minutes."""
SILENT = "no response to 12 requests on lo"
TURNS = {
    "ACTIVE": ("device.back", "is back online"),
    "OFFLINE": ("device.offline", f"is offline: {SILENT}"),
    "MISSING": ("device.missing", f"is missing, not seen for a day: {SILENT}"),
    "UNREACHABLE": ("device.unreachable", "is unreachable, its parent device is down"),
}
FAULTS = {
    PASSWORD: "no administrator password is set: anyone on the network can take control of it",
    SETUP: "its setup window is open: for 20 minutes after it starts, anyone on the network can "
    "change its address",
}
MODELS = {"WV": "X22700-V2L", "NX": "NX510", "AW": "CAM:HE130K"}
Json = dict[str, Any]


def first_stream(cast: Sequence[Member]) -> int:
    """The number of the first camera of another maker."""
    return len(cast) + len(demo_stores.recorders()) + 1


def database(
    cast: Sequence[Member],
    cameras: Sequence[Camera],
    streams: demo_streams.Streams,
    now: datetime,
) -> Json:
    """`camera_database.json` as the monitor would have left it just before `now`."""
    pasts = [
        MemberHistory(
            number, member, camera, cast[member.parent - 1] if member.parent else None, now
        )
        for number, (member, camera) in enumerate(zip(cast, cameras, strict=True), start=1)
    ]
    stores, of_stores = demo_stores.past(len(pasts) + 1, now)
    others, of_others = demo_streams.past(
        first_stream(cast), streams.onvif_port, streams.rtsp_port, now
    )
    events = [*of_stores, *of_others, *(event for past in pasts for event in past.events())]
    ordered = sorted(events, key=lambda event: event["at"])
    return {
        "format": "camera-monitor",
        "version": 2,
        "next_id": first_stream(cast) + len(others),
        "sequence": len(ordered),
        "state": {"last_scan": {"at": (now - timedelta(days=LAST_SCAN)).isoformat()}},
        "redirects": {},
        "outbox": [{"sequence": place, **event} for place, event in enumerate(ordered, start=1)],
        "devices": [*(past.record() for past in pasts), *stores, *others],
    }


def make_journal(path: Path, today: date) -> None:
    """An empty journal, made by the monitor's own migrations, with the days that were asked."""
    days = [today - timedelta(days=back) for back in range(WATCHED) if back not in UNWATCHED]
    scopes = (SOURCE, SCOPE, demo_stores.SOURCE, *demo_streams.SOURCES)
    rows = [(day.isoformat(), scope) for day in days for scope in scopes]
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql("INSERT INTO asked_days (day, scope) VALUES (?, ?)", rows)
    engine.dispose()


@dataclass(frozen=True)
class MemberHistory:
    """One member's past: its events, and its record at the end."""

    number: int
    member: Member
    camera: Camera
    parent: Member | None
    now: datetime

    @property
    def name(self) -> str:
        return self.member.called or self.member.name

    def at(self, days_ago: float) -> str:
        return (self.now - timedelta(days=days_ago)).isoformat()

    # -- events --------------------------------------------------------------------------

    def events(self) -> Iterator[Json]:
        """Its events in the journal, in no order and without numbers."""
        if self.member.first_seen is None:
            return
        where = self.addresses()[0]["ip"]
        yield self._event(
            self.member.first_seen, "device.found", f"{self.name} was found at {where}"
        )
        yield from self._edits(self.member.first_seen - 0.2)
        yield from self._moves()
        for (_, before), (days_ago, after) in pairwise(self.turns()):
            kind, text = TURNS[after]
            text = f"{self.name} {text}"
            yield self._event(days_ago, kind, text, {"status": before}, {"status": after})
        yield from self._faults()
        if self.member.retired:
            text = f"{self.name} was retired on this server"
            yield self._event(
                self.member.retired, "device.retired", text, {"retired": False}, {"retired": True}
            )

    def turns(self) -> list[tuple[float, str]]:
        """(days ago, status), oldest first: whenever it fell silent or came back."""
        assert self.member.first_seen is not None
        turns = [(self.member.first_seen, "ACTIVE")]
        for begin, end in sorted(self.member.silent, reverse=True):
            is_behind = self.parent and any(a >= begin > b for a, b in self.parent.silent)
            turns.append((begin, "UNREACHABLE" if is_behind else "OFFLINE"))
            if begin - end > 1 and not is_behind:
                turns.append((begin - 1, "MISSING"))
            if end:
                turns.append((end, "ACTIVE"))
        return turns

    def _edits(self, days_ago: float) -> Iterator[Json]:
        member, parent = self.member, self.parent.called if self.parent else ""
        tags = list(member.tags)
        named = f"{'tag' if len(tags) == 1 else 'tags'} {' and '.join(tags)}"
        edits: list[tuple[str, Any, Any, str]] = [
            ("name", None, member.called, f"{self._own} renamed to {member.called}"),
            ("site", "here", member.site, f"{self.name}: site changed to {member.site}"),
            ("tags", [], tags, f"{self.name}: {named} added"),
            ("parent", None, member.parent, f"{self.name}: connected through {parent}"),
            ("notes", "", member.notes, f"{self.name}: notes changed"),
        ]
        for key, before, after, text in edits:
            if after and after != before:
                text += ", on this server"
                yield self._event(days_ago, "device.edited", text, {key: before}, {key: after})

    @property
    def _own(self) -> str:
        return self.member.name or MODELS[self.camera.family]

    def _moves(self) -> Iterator[Json]:
        for (days_ago, _), change in zip(self.member.moved, self.addresses()[1:], strict=True):
            old, new = change["previous"], change["ip"]
            text = f"{self.name} moved from {old} to {new}"
            yield self._event(days_ago, "device.moved", text, {"address": old}, {"address": new})
            text = f"{self.name} kept its new address {new}"
            next_scan, moved = days_ago - 1 / A_DAY, {"status": "IP_CHANGED"}
            yield self._event(next_scan, "device.settled", text, moved, {"status": "ACTIVE"})

    def _faults(self) -> Iterator[Json]:
        for kind, (begin, end) in self.member.faults:
            text = f"{self.name}: {FAULTS[kind]}"
            yield self._event(begin, "finding.raised", text, after={"kind": kind})
            if end:
                text = f"{self.name}: resolved: {FAULTS[kind]}"
                yield self._event(end, "finding.cleared", text, {"kind": kind})

    def _event(
        self,
        days_ago: float,
        kind: str,
        text: str,
        before: Json | None = None,
        after: Json | None = None,
    ) -> Json:
        return {
            "at": self.at(days_ago),
            "kind": kind,
            "device": self.number,
            "text": text,
            "before": before or {},
            "after": after or {},
        }

    # -- record --------------------------------------------------------------------------

    def record(self) -> Json:
        """Its record in the database."""
        member = self.member
        record: Json = {
            "id": self.number,
            "kind": "recorder" if self.camera.family == "NX" else "camera",
            "site": member.site,
            "identities": [f"mac:{self.camera.mac}"],
            "name": member.called or None,
            "notes": member.notes,
            "tags": list(member.tags),
            "addresses": [],
            "states": {},
            "facts": {},
            "links": {},
            "findings": self._findings(),
            "parents": [member.parent] if member.parent else [],
            "listed": member.first_seen is None,
            "retired_at": self.at(member.retired) if member.retired else None,
        }
        if member.first_seen is not None:
            record |= self._sightings(member.first_seen)
        return record

    def _sightings(self, first_seen: float) -> Json:
        """The fields of a device that was seen, up to the last scan or its silence."""
        days_ago, status = self.turns()[-1]
        silent_since = next((begin for begin, end in self.member.silent if not end), 0)
        last = self.at(silent_since or LAST_SCAN)
        last_move = self.member.moved[-1][0] if self.member.moved else days_ago
        model, port = MODELS[self.camera.family], self.camera.port
        facts = {"name": self.member.name, "model": model, "port": port}
        answered = first_seen - sum(begin - end for begin, end in self.member.silent)
        addresses = self.addresses()
        return {
            "address": addresses[-1]["ip"],
            "addresses": addresses,
            "first_seen": self.at(first_seen),
            "last_seen": last,
            "sightings": int(answered * A_DAY),
            "states": {SOURCE: self._source_state(last, silent_since)},
            "facts": {SOURCE: {key: value for key, value in facts.items() if value}},
            "status": status,
            "since": self.at(min(days_ago, last_move)),
        }

    def addresses(self) -> list[Json]:
        """The addresses that it had, oldest first."""
        member = self.member
        left = [address for _, address in member.moved]
        since = [member.first_seen or 0, *(days_ago for days_ago, _ in member.moved)]
        places = zip(since, [*left, member.away or self.camera.ip], [None, *left], strict=True)
        return [{"ip": ip, "at": self.at(at), "previous": before} for at, ip, before in places]

    def _source_state(self, last: str, silent_since: float) -> Json:
        asked = self.at(self.member.retired or LAST_SCAN)
        return {
            "seen_at": last,
            "missed_at": asked if silent_since else None,
            "asked": asked,
            "misses": int((silent_since - self.member.retired) * A_DAY),
            "reason": SILENT if silent_since else "",
            "scope": SCOPE,
        }

    def _findings(self) -> list[Json]:
        return [
            {
                "kind": kind,
                "since": self.at(begin),
                "text": FAULTS[kind],
                "source": SOURCE,
                "evidence": {},
            }
            for kind, (begin, end) in self.member.faults
            if not end
        ]
