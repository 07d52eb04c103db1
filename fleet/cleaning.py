"""Which devices a clean-up takes out of the counts. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from fleet import listing
from fleet.model import Device, Edit


def retirements(devices: Iterable[Device], days: int, by: str, now: datetime) -> list[Edit]:
    """An edit for each device that was found once and not seen for so many days.

    It is retired, not deleted: its history stays, and when it answers again it is back.
    What a person listed stays until that person retires it, and a row of the workbook
    until it leaves the workbook.
    """
    cutoff = now - timedelta(days=days)
    return [
        Edit("retire", f"id:{device.id}", {}, by, now)
        for device in devices
        if device.retired_at is None
        and not device.listed
        and listing.key_of(device) is None
        and device.last_seen is not None
        and device.last_seen < cutoff
    ]
