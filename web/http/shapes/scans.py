"""Scans, jobs, and devices that only announced themselves, as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator
from typing_extensions import TypedDict

from discovery.scheduler import JobState
from discovery.unverified import Heard
from fleet.kinds import KINDS
from fleet.shapes import Time, iso
from web.http.payloads import Choice, Query, Strict, lower_case


class JobRow(TypedDict):
    """What runs by itself. `took` is in seconds."""

    name: str
    title: str
    last_run: Time | None
    next_run: Time | None
    took: float | None
    last_result: str
    last_error: str | None


class HeardRow(TypedDict):
    """A device that announced itself and is not confirmed. `camera`: the number of the record
    whose MAC it uses, or null."""

    identity: str
    source: str
    address: str | None
    name: str | None
    model: str | None
    first: Time
    last: Time
    times: int
    camera: int | None


class Toggle(Strict):
    """Whether scans start by themselves."""

    enabled: bool


class Started(TypedDict):
    success: bool
    message: str


class Toggled(TypedDict):
    success: bool
    auto_scan_enabled: bool
    interval: int


class ScanState(TypedDict):
    """The running scan and the last one, each with what it did by source, and what was heard
    unasked and not confirmed."""

    running: dict[str, Any] | None
    last: dict[str, Any] | None
    down: Mapping[str, Any]
    heard: list[HeardRow]


class StatsQuery(Query):
    kind: Annotated[Annotated[str, Choice(KINDS)] | None, BeforeValidator(lower_case)] = None


def heard(device: Heard) -> HeardRow:
    return {
        "identity": device.identity,
        "source": device.source,
        "address": device.address,
        "name": device.name,
        "model": device.model,
        "first": device.first.isoformat(timespec="seconds"),
        "last": device.last.isoformat(timespec="seconds"),
        "times": device.times,
        "camera": device.device,
    }


def job_row(name: str, title: str, state: JobState, next_run: datetime | None) -> JobRow:
    return {
        "name": name,
        "title": title,
        "last_run": iso(state.last_run),
        "next_run": iso(next_run),
        "took": state.took,
        "last_result": state.last_result,
        "last_error": state.last_error or None,
    }
