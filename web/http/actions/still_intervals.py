"""What pages and the API do with the intervals of stills: show them, and set them."""

from fleet import labels
from fleet.clock import duration_text
from fleet.model import Device
from stills.build import StillsPackage
from web.http.auditing import note
from web.http.monitor import current_monitor
from web.http.shapes.stills import StillIntervalJson, moment
from web.http.visible_fleet import visible_fleet

ROUND = {60: "every minute", 3600: "every hour", 86_400: "every day", 604_800: "every week"}


def as_json(device: Device) -> StillIntervalJson:
    """How often stills of a device are taken by themselves, and when the next one is due."""
    package = current_monitor().packages.find(StillsPackage)
    intervals, next_at = package.intervals, package.hourly.next_due(device)
    return {
        "camera": device.id,
        "interval": intervals.of(device.id),
        "own": intervals.own(device.id),
        "default": intervals.default,
        "next_at": moment(next_at) if next_at else None,
    }


def change(device: Device, seconds: int | None) -> None:
    """Set the seconds between two stills of a device; 0: never, None: as for all. Raises Invalid
    and Unreachable."""
    intervals = current_monitor().packages.find(StillsPackage).intervals
    before = intervals.own(device.id)
    if before == seconds:
        return
    intervals.set(device.id, seconds)
    name = labels.name_among(device, visible_fleet().devices())
    how_often = in_words(intervals.of(device.id))
    default = " (default)" if seconds is None else ""
    note(
        "still.interval",
        f"camera {device.id}",
        f"Stills of {name}: {how_often}{default}",
        {"interval": before},
        {"interval": seconds},
    )


def in_words(seconds: int) -> str:
    """An interval such as "every 10 min"; "never" for 0."""
    return ROUND.get(seconds) or (f"every {duration_text(seconds)}" if seconds else "never")
