"""The misses of the last hour by device, for rules between two events of a status.

One event begins an outage and one ends it, however often the device is asked meanwhile. A rule
such as "3 misses", "5 misses within 10 minutes" or "wrong login twice" reads the misses here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from fleet.model import Miss

KEPT_FOR = timedelta(hours=1)
MAX_KEPT = 10
"""Misses of one source at one device."""

Times = Mapping[str, tuple[datetime, ...]]
"""When a source missed the device, oldest first, by the reason."""


def with_miss(known: Mapping[str, Times], miss: Miss, now: datetime) -> dict[str, Times]:
    """Add one miss and remove old ones."""
    times = known.get(miss.source, {})
    more = {**times, miss.reason: (*times.get(miss.reason, ()), miss.at)}
    return within_window({**known, miss.source: more}, now)


def within_window(known: Mapping[str, Times], now: datetime) -> dict[str, Times]:
    """The newest MAX_KEPT of each source that are not older than KEPT_FOR. Those from after
    `now` were noted while the clock was ahead, and go too."""
    newest = {source: _newest(in_order(times), now) for source, times in known.items()}
    return {source: times for source, times in newest.items() if times}


def in_order(times: Times) -> list[tuple[datetime, str]]:
    """The time and the reason of each miss, oldest first."""
    return sorted((at, reason) for reason, ats in times.items() for at in ats)


def _newest(
    misses: Iterable[tuple[datetime, str]], now: datetime
) -> dict[str, tuple[datetime, ...]]:
    by_reason: dict[str, list[datetime]] = {}
    recent = [(at, reason) for at, reason in misses if timedelta() <= now - at <= KEPT_FOR]
    for at, reason in recent[-MAX_KEPT:]:
        by_reason.setdefault(reason, []).append(at)
    return {reason: tuple(times) for reason, times in by_reason.items()}
