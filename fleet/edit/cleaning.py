"""Selection of the devices that a cleanup retires and a deletion deletes. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from fleet import labels, recorder_list
from fleet.model import Device, Edit, Refused
from fleet.reduce import removal


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
        and recorder_list.key_of(device) is None
        and device.last_seen is not None
        and device.last_seen < cutoff
    ]


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices to delete: those that match all the given conditions, retired or not.

    `first_seen_after` is included, `first_seen_before` is not. `never_named`: nobody gave it a
    name, notes, tags or a parent.
    """

    first_seen_after: datetime | None = None
    first_seen_before: datetime | None = None
    not_seen_days: int | None = None
    never_named: bool = False

    @property
    def is_empty(self) -> bool:
        """True if the selection has no time limit and would match everything."""
        times = (self.first_seen_after, self.first_seen_before, self.not_seen_days)
        return all(time is None for time in times)

    def as_json(self) -> dict[str, Any]:
        """The selection as JSON."""
        after, before = self.first_seen_after, self.first_seen_before
        return {
            **asdict(self),
            "first_seen_after": after and after.isoformat(),
            "first_seen_before": before and before.isoformat(),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Selection":
        """The selection behind its JSON."""
        times = {
            key: plain[key] and datetime.fromisoformat(plain[key])
            for key in ("first_seen_after", "first_seen_before")
        }
        return cls(**{**plain, **times})

    def __str__(self) -> str:
        parts = [
            self.first_seen_after and f"first seen on or after {_moment(self.first_seen_after)}",
            self.first_seen_before and f"first seen before {_moment(self.first_seen_before)}",
            self.not_seen_days and f"not seen for {labels.counted(self.not_seen_days, 'day')}",
            "without a name, notes, tags, or parent device" if self.never_named else "",
        ]
        return ", ".join(part for part in parts if part)


def _moment(at: datetime) -> str:
    """A time for people, in the zone in which it was given."""
    return at.strftime("%-d %b %Y, %H:%M:%S %Z")


def selected(devices: Iterable[Device], wanted: Selection, now: datetime) -> list[Device]:
    """The devices of the selection. What a person or the workbook listed is never among them."""
    return (
        [] if wanted.is_empty else [device for device in devices if _matches(device, wanted, now)]
    )


def _matches(device: Device, wanted: Selection, now: datetime) -> bool:
    if device.listed or recorder_list.key_of(device) is not None:
        return False
    if wanted.never_named and not removal.is_disposable(device):
        return False
    first, last = device.first_seen, device.last_seen or device.first_seen
    after, before = wanted.first_seen_after, wanted.first_seen_before
    if (after and (first is None or first < after)) or (
        before and (first is None or first >= before)
    ):
        return False
    days = wanted.not_seen_days
    return days is None or last is None or last < now - timedelta(days=days)


def deletions(devices: Iterable[Device], wanted: Selection, by: str, now: datetime) -> list[Edit]:
    """An edit for each device that permanently deletes it, if the selection still has it then."""
    fields = {"selection": wanted.as_json()}
    return [Edit("delete", f"id:{device.id}", fields, by, now) for device in devices]


def check_selected(device: Device, edit: Edit) -> None:
    """Raise Refused when a deletion by selection meets a device that is no longer selected:
    since it was counted, somebody named it, it answered, or it was merged into another one."""
    conditions = edit.fields.get("selection")
    if conditions is None:
        return
    if edit.identity != f"id:{device.id}" or not _matches(
        device, Selection.from_json(conditions), edit.at
    ):
        raise Refused(
            "The selection has changed",
            "Nothing was deleted. Review the selection, then confirm the new number.",
        )
