"""Scans, jobs, and devices that only announced themselves, as JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Required, cast

from pydantic import BeforeValidator
from typing_extensions import TypedDict

from discovery.progress import Scan, SourceProgress
from discovery.scan_record import scan_record, source_record
from discovery.scheduler import JobState
from discovery.unverified import Heard
from fleet.kinds import KINDS
from fleet.shapes import Time, iso
from web.http.payloads import OneOf, Query, Strict, lower_case


class JobRow(TypedDict):
    """A background job. `took` is in seconds."""

    name: str
    title: str
    last_run: Time | None
    next_run: Time | None
    took: float | None
    last_result: str
    last_error: str | None


class HeardRow(TypedDict):
    """A device that announced itself but is not confirmed. `camera`: the number of the record
    with this MAC, or null."""

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
    """The auto-scan switch."""

    enabled: bool


class Started(TypedDict):
    success: bool
    message: str


class Toggled(TypedDict):
    success: bool
    auto_scan_enabled: bool
    interval: int


class SourceRow(TypedDict):
    """One source in a scan. `interfaces`: where it sent requests; `refused`: rejected
    datagrams by reason; `failed`: what could not be checked, with the reason; `listed`: listed
    devices that it checked."""

    name: str
    title: str
    state: str
    found: int
    requests: int
    answers: int
    interfaces: list[str]
    refused: Mapping[str, int]
    failed: Mapping[str, str]
    missed: int
    listed: int
    notes: list[str]


class ScanRow(TypedDict, total=False):
    """One scan. Of a scan by an older version, only `at` may be known."""

    at: Required[Time]
    finished: Time | None
    by: str
    state: str
    found: int
    missed: int
    error: str | None
    sources: list[SourceRow]


class CheckRow(TypedDict):
    """A check of a whole list that is running. `checked`: devices with a result, of `total`;
    `seconds_left`: by the rate so far, or null while that is unknown; `text`: all of it in words.
    """

    source: str
    title: str
    checked: int
    total: int
    seconds_left: float | None
    text: str


class ScanState(TypedDict):
    """The running scan, the running checks of whole lists, the last scan, the scopes that cannot
    be checked now, and the devices that announced themselves but are not confirmed."""

    running: ScanRow | None
    checking: list[CheckRow]
    last: ScanRow | None
    down: Mapping[str, Any]
    heard: list[HeardRow]


class StatsQuery(Query):
    kind: Annotated[Annotated[str, OneOf(KINDS)] | None, BeforeValidator(lower_case)] = None


def started(message: str) -> Started:
    return {"success": True, "message": message}


def toggled(enabled: bool, interval: int) -> Toggled:
    """The answer of the auto-scan switch. `interval` in seconds."""
    return {"success": True, "auto_scan_enabled": enabled, "interval": interval}


def scan_state(
    running: Scan | None,
    checks: Iterable[SourceProgress],
    last: ScanRow | None,
    down: Mapping[str, Any],
    unconfirmed: Iterable[Heard],
    now: float,
) -> ScanState:
    """The state at the monotonic time `now`."""
    return {
        "running": scan_row(running) if running else None,
        "checking": [check_row(check, now) for check in checks],
        "last": last,
        "down": down,
        "heard": [heard_row(device) for device in unconfirmed],
    }


def check_row(check: SourceProgress, now: float) -> CheckRow:
    """A running check at the monotonic time `now`."""
    left = check.seconds_left(now)
    return {
        "source": check.name,
        "title": check.title,
        "checked": check.checked,
        "total": check.listed,
        "seconds_left": None if left is None else round(left, 1),
        "text": check_text(check.checked, check.listed, left),
    }


def check_text(checked: int, total: int, left: float | None) -> str:
    """Such as `251 of 793 checked, about 40 s left`."""
    text = f"{checked} of {total} checked"
    if left is None or checked >= total:
        return text
    if left < 10:
        return f"{text}, a few seconds left"
    return f"{text}, about {_rounded(left)} left"


def _rounded(seconds: float) -> str:
    """A length of time as roughly as it is known."""
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{round(minutes / 60)} h"


def scan_row(scan: Scan) -> ScanRow:
    """A scan of this process, running or ended."""
    return stored_scan_row(scan_record(scan))


def stored_scan_row(record: Mapping[str, Any]) -> ScanRow:
    """A scan as `fleet.state` keeps it: the names of the shape, without those that it lacks."""
    row = _known(record, ScanRow)
    if "sources" in record:
        row["sources"] = [_known(source, SourceRow) for source in record["sources"]]
    return cast(ScanRow, row)


def source_row(source: SourceProgress) -> SourceRow:
    return cast(SourceRow, _known(source_record(source), SourceRow))


def _known(record: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    return {name: record[name] for name in shape.__annotations__ if name in record}


def heard_row(device: Heard) -> HeardRow:
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
