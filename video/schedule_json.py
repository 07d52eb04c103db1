"""Schedules as JSON values, the form in which older ones are kept."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, time
from typing import Any

from video.schedule import Schedule


def as_json(schedule: Schedule) -> dict[str, Any]:
    """The values of a schedule, without its number."""
    values = asdict(schedule)
    del values["id"]
    for name in ("start_time", "end_time", "start_date", "end_date"):
        values[name] = values[name].isoformat() if values[name] else None
    return {**values, "devices": [*schedule.devices], "days": [*schedule.days]}


def of_json(id: int, values: Mapping[str, Any]) -> Schedule:
    """The schedule with that number and these values."""
    read = dict(values)
    for name, kind in (("time", time), ("date", date)):
        for side in ("start", "end"):
            text = read.get(f"{side}_{name}")
            read[f"{side}_{name}"] = kind.fromisoformat(text) if text else None
    return Schedule(id, **with_tuples(read))


def with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, with tuples where JSON has lists."""
    devices = tuple(int(number) for number in values["devices"])
    return {**values, "devices": devices, "days": tuple(str(day) for day in values["days"])}
