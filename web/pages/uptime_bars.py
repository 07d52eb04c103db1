"""Uptime bars: 90 days as four SVG paths, by height as well as colour."""

from dataclasses import dataclass

from fleet.history.uptime import Uptime

HEIGHT = 12
SHAPES = {"up": (0, 12), "part": (4, 8), "down": (8, 4), "unknown": (10, 1)}
"""Where a day's bar begins and how high it is, of HEIGHT."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Uptime bar: `paths` by kind of day, and `label`, the text for screen readers."""

    paths: dict[str, str]
    label: str
    share: str


def bar(uptime: Uptime) -> Bar:
    """The bar of one device, oldest day left."""
    kinds = [kind_of_day(share) for share in uptime.days]
    paths: dict[str, str] = {}
    start = 0
    for place in range(1, len(kinds) + 1):
        if place == len(kinds) or kinds[place] != kinds[start]:
            top, height = SHAPES[kinds[start]]
            width = place - start
            run = f"M{start} {top}h{width}v{height}h-{width}z"
            paths[kinds[start]] = paths.get(kinds[start], "") + run
            start = place
    return Bar(paths, _label(kinds, uptime.share), percent(uptime.share))


def kind_of_day(share: float | None) -> str:
    """The kind of a day: `up`, `part`, `down` or `unknown`."""
    if share is None:
        return "unknown"
    if share >= 0.9995:
        return "up"
    return "part" if share > 0 else "down"


def _label(kinds: list[str], share: float | None) -> str:
    if share is None:
        return "No data for the last 90 days"
    unknown, bad = kinds.count("unknown"), kinds.count("part") + kinds.count("down")
    text = f"Online {percent(share)} of the monitored time in the last 90 days"
    text += f", outages on {bad} {('day' if bad == 1 else 'days')}" if bad else ""
    return text + (
        f", no data for {unknown} {'day' if unknown == 1 else 'days'}" if unknown else ""
    )


def percent(share: float | None) -> str:
    """The percentage, rounded down: 100 % means all of it."""
    if share is None:
        return ""
    return "100 %" if share >= 1 else f"{int(share * 1000) / 10:.1f} %"
