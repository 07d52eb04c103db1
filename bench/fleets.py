"""Big fleets for measurements: reports as real devices send them, in the monitor's own file."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleet.database.json_store import JsonStore
from fleet.model import Event, Miss, Report, Sighting
from fleet.status import Rules
from fleet.tracker import Tracker
from simulators.panasonic import Camera, build_reply, crowd
from sources import panasonic, panasonic_wire

EVERY_OFFLINE = 50


def reports_of(cameras: Sequence[Camera], at: datetime) -> list[Report]:
    """What the answers of the cameras report, as the source and the Scanner would hand it on."""
    answers = [panasonic_wire.parse(build_reply(camera, bytes(6), bytes(4))) for camera in cameras]
    reports = [report for answer in answers for report in panasonic.reports(answer, "lo", at)]
    return [
        replace(report, asked=at) if isinstance(report, Sighting) else report for report in reports
    ]


def sightings(cameras: Sequence[Camera], at: datetime) -> list[Sighting]:
    """The same, heard unasked and without the findings."""
    return [
        replace(report, asked=None)
        for report in reports_of(cameras, at)
        if isinstance(report, Sighting)
    ]


def tracker_in(folder: Path) -> Tracker:
    tracker = Tracker(JsonStore(folder / "camera_database.json", folder / "data"), Rules)
    tracker.open()
    return tracker


def settle(tracker: Tracker, events: Sequence[Event]) -> None:
    """The journal has them: nothing waits in the file."""
    if events:
        tracker.confirm(events[-1].sequence)


def write_fleet(folder: Path, size: int) -> None:
    """`size` cameras known since yesterday, some of them offline, each with two addresses."""
    tracker = tracker_in(folder)
    now = datetime.now(UTC)
    cameras = crowd(size)
    for day, shift in ((3, 1), (2, 0), (1, 0)):
        at = now - timedelta(days=day)
        moved = [replace(camera, ip=shifted(camera.ip, shift)) for camera in cameras]
        settle(tracker, tracker.apply(reports_of(moved, at), at))
    at = now - timedelta(hours=1)
    awake = [camera for number, camera in enumerate(cameras) if number % EVERY_OFFLINE]
    misses = [
        Miss(f"mac:{camera.mac}", "panasonic", at, "no response to 12 requests on lo")
        for camera in cameras[::EVERY_OFFLINE]
    ]
    settle(tracker, tracker.apply([*reports_of(awake, at), *misses], at))
    tracker.close()


def shifted(ip: str, by: int) -> str:
    first, second, rest = ip.split(".", 2)
    return f"{first}.{int(second) + 60 * by}.{rest}"


def write_peer(rows: list[dict[str, object]], folder: Path) -> None:
    """The same fleet for the peer: one object keyed by MAC."""
    keyed = {str(row["mac_address"]): row for row in rows}
    (folder / "peer.json").write_text(json.dumps(keyed, indent=2))
