"""Moments of a clock on the wall, which skips an hour and shows one twice. Pure."""

from datetime import UTC, datetime, timedelta, tzinfo

TICK = timedelta(microseconds=1)


def first_moment(local: datetime, zone: tzinfo) -> datetime:
    """The first moment (UTC) at which the clock of a zone shows `local` or later."""
    before, after = _both(local, zone)
    return _change(after, before, zone) if after < before else before


def last_moment(local: datetime, zone: tzinfo) -> datetime:
    """The last moment (UTC) before which the clock of a zone shows a time before `local`."""
    before, after = _both(local, zone)
    if after < before:
        return _change(after, before, zone)
    shown = (after - TICK).astimezone(zone).replace(tzinfo=None)
    return before if shown >= local else after


def _both(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """A local time by the offset before, and by that after a change of the clock around it. They
    are the same where there is none; the second is earlier where the clock skips the time."""
    before, after = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return before, after


def _change(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The moment between the two at which the clock of the zone changes, to the second."""
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
