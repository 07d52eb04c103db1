"""The quality of the link to each camera, by day, and one sentence of judgement. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from fleet.labels import counted
from video.model import LinkCounts

HOUR, DAY = 3600.0, 86400.0
SHORTEST = 600.0
"""Seconds of a day below which it says nothing."""
PACKET = 1300
"""Bytes of a packet of video, roughly: what a share of lost packets is judged by."""
MUCH_LOST, SOME_LOST = 0.01, 0.001
MANY_RECONNECTS, SOME_RECONNECTS = 12.0, 2.0
"""In a day of watching."""
LONG_DISTANCE = 20.0
"""Seconds between key frames, from which on viewers wait and little is recorded after a break."""
HALF = 0.5


@dataclass(frozen=True, slots=True)
class LinkDay:
    """What a stream did on a day. `seconds` is how long it was read."""

    device: int
    stream: str
    day: date
    seconds: float = 0.0
    frames: int = 0
    bytes: int = 0
    lost: int = 0
    reconnects: int = 0
    stalls: int = 0
    longest_key_distance: float = 0.0

    @property
    def frame_rate(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def bit_rate(self) -> float:
        """Bits per second."""
        return self.bytes * 8 / self.seconds if self.seconds else 0.0

    @property
    def lost_share(self) -> float:
        """The part of the packets that was lost, 0 to 1, as far as sizes tell."""
        packets = self.bytes / PACKET + self.lost
        return self.lost / packets if packets else 0.0

    def per_day(self, number: int) -> float:
        """What a number of times would be in a day of reading."""
        return number * DAY / self.seconds if self.seconds else 0.0

    def with_counts(self, counts: "LinkCounts | LinkDay") -> "LinkDay":
        """The day with a minute or so more."""
        return LinkDay(
            self.device,
            self.stream,
            self.day,
            self.seconds + counts.seconds,
            self.frames + counts.frames,
            self.bytes + counts.bytes,
            self.lost + counts.lost,
            self.reconnects + counts.reconnects,
            self.stalls + counts.stalls,
            max(self.longest_key_distance, counts.longest_key_distance),
        )


def link_day(at: datetime) -> date:
    """The day that a moment belongs to: that of the zone of this server."""
    return at.astimezone().date()


def judgement(days: Sequence[LinkDay]) -> str:
    """One sentence about the link on these days of one stream, the oldest first."""
    known = [day for day in days if day.seconds >= SHORTEST]
    if not known:
        return "Not enough data yet to judge the link."
    newest = known[-1]
    return _trouble(newest) or _change(known) or _praise(newest)


def _trouble(day: LinkDay) -> str:
    """The worst of what was wrong on a day; empty when nothing was."""
    breaks = day.reconnects + day.stalls
    if day.lost_share >= MUCH_LOST:
        return (
            f"Poor: {day.lost_share:.1%} of the packets are lost; check the cable, the switch port "
            "or the radio link."
        )
    if day.per_day(breaks) >= MANY_RECONNECTS:
        return (
            f"Poor: the stream broke {counted(breaks, 'time')} in {_hours(day)}; check the power "
            "and the network of the camera."
        )
    if day.longest_key_distance >= LONG_DISTANCE:
        return (
            f"Up to {day.longest_key_distance:.0f} s between key frames: live view begins late. "
            "Set a shorter key frame interval, or turn off the smart codec of the camera."
        )
    if day.lost_share >= SOME_LOST or day.per_day(breaks) >= SOME_RECONNECTS:
        return (
            f"Fair: {counted(breaks, 'break')} and {day.lost:,} lost "
            f"{'packet' if day.lost == 1 else 'packets'} in {_hours(day)}."
        )
    return ""


def _change(days: Sequence[LinkDay]) -> str:
    """What is much less than on the days before; empty when it is as usual."""
    if len(days) < 2:
        return ""
    usual, newest = days[:-1], days[-1]
    for name, rate in (("frame rate", _frame_rates), ("bit rate", _bit_rates)):
        before = sorted(rate(usual))[len(usual) // 2]
        now = rate([newest])[0]
        if before and now < before * HALF:
            return f"The {name} has dropped to {now / before:.0%} of its usual value."
    return ""


def _frame_rates(days: Sequence[LinkDay]) -> list[float]:
    return [day.frame_rate for day in days]


def _bit_rates(days: Sequence[LinkDay]) -> list[float]:
    return [day.bit_rate for day in days]


def _praise(day: LinkDay) -> str:
    rate = f"{day.frame_rate:.0f} frames/s and {day.bit_rate / 1e6:.1f} Mbit/s"
    return f"Good: {rate}, without breaks or loss worth mentioning."


def _hours(day: LinkDay) -> str:
    if day.seconds < 2 * HOUR:
        return f"{day.seconds / 60:.0f} min"
    return f"{day.seconds / HOUR:.0f} h"
