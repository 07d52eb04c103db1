"""The chart of the link to a camera: a bar for each day, made on the server."""

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.labels import counted
from fleet.model import Device
from store.sql import Unreachable
from video.link_quality import LinkDay, judgement
from video.model import MAIN
from web.http.actions.coverage import link_days

HEIGHT, STEP = 24, 8
"""Units of the chart: its height, and the width of a day."""


@dataclass(frozen=True, slots=True)
class LinkChart:
    """The bit rate of each day as a path of bars, and below it the breaks; `label` says the same
    in words."""

    stream: str
    judgement: str
    width: int
    bars: str
    breaks: str
    label: str
    days: Sequence[LinkDay]


def link_charts(device: Device) -> list[LinkChart]:
    """The charts of the streams of a camera; none while the database is unavailable."""
    try:
        days = link_days(device)
    except Unreachable:
        return []
    # A sub stream of which nothing ever came may not exist.
    streams = sorted({day.stream for day in days if day.stream == MAIN or day.bit_rate})
    return [chart([day for day in days if day.stream == name]) for name in streams]


def chart(days: Sequence[LinkDay]) -> LinkChart:
    """The chart of one stream, the oldest day left. A day that was not received has no bar."""
    first, most = days[0].day, max(day.bit_rate for day in days) or 1.0
    bars = breaks = ""
    for day in days:
        x = (day.day - first).days * STEP
        height = max(1, round(day.bit_rate / most * HEIGHT))
        bars += f"M{x} {HEIGHT - height}h{STEP - 1}v{height}h-{STEP - 1}z"
        if day.reconnects + day.stalls:
            breaks += f"M{x} {HEIGHT + 1}h{STEP - 1}v2h-{STEP - 1}z"
    width = ((days[-1].day - first).days + 1) * STEP
    label = f"Bit rate of {counted(len(days), 'day')}, up to {most / 1e6:.1f} Mbit/s"
    return LinkChart(days[0].stream, judgement(days), width, bars, breaks, label, days)
