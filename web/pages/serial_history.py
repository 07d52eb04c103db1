"""The former serials of recorders, as their events tell them: does an upload bring one back?"""

from collections.abc import Iterable

from fleet import recorder_list
from fleet.model import Facts
from fleet.recorder_list import RecorderRow
from store.sql import Unreachable
from web.http.visible_fleet import visible_fleet

MAX_EVENTS = 2000
"""Edits that are looked through, the newest first."""
Change = tuple[RecorderRow, RecorderRow]


def reverted(changes: Iterable[Change]) -> list[Change]:
    """The changes (row now, row then) that bring back a serial which was replaced before, such as
    a list made before the serial was corrected. Empty while the journal cannot be read, and of a
    change that is not among the last MAX_EVENTS edits of these devices."""
    changed = {old.key: (old, new) for old, new in changes if old.serial != new.serial}
    devices = visible_fleet().devices().values()
    keys = {dev.id: key for dev in devices if (key := recorder_list.key_of(dev)) in changed}
    if not keys:
        return []
    try:
        events = visible_fleet().events(
            devices=set(keys), kinds=["device.edited"], limit=MAX_EVENTS
        )
    except Unreachable:
        return []
    replaced = {
        (keys[event.device], _serial(event.before), _serial(event.after))
        for event in events
        if event.device in keys
    }
    return [
        (old, new)
        for key, (old, new) in changed.items()
        if (key, new.serial.upper(), old.serial.upper()) in replaced
    ]


def _serial(values: Facts) -> str:
    """The serial of the row in one side of an edit; empty where it has none."""
    row = values.get("row")
    return str(row.get("serial") or "").upper() if isinstance(row, dict) else ""
