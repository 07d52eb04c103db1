"""The facts of this server itself: kept in `Fleet.state`, validated when the file is read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Required

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from fleet.model import (
    AutoScan,
    Fleet,
    LastScan,
    PendingSerials,
    ResealedSecrets,
    ServerFact,
    TakenWorkbook,
)
from fleet.validation import TIME, InvalidValue, check_facts, is_in_range


def _moment(text: str) -> str:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or not is_in_range(at):
        raise ValueError(TIME)
    return text


Moment = Annotated[str, AfterValidator(_moment)]
_OPEN = ConfigDict(extra="allow", strict=True)


class _Asked(TypedDict):
    __pydantic_config__ = _OPEN  # type: ignore[misc]
    name: str
    title: str
    state: str
    found: int
    requests: int
    answers: int
    interfaces: list[str]
    refused: dict[str, int]
    failed: dict[str, str]
    missed: int
    listed: int
    notes: list[str]


class _Scan(TypedDict, total=False):
    __pydantic_config__ = _OPEN  # type: ignore[misc]
    at: Required[Moment]
    finished: Moment | None
    by: str
    state: str
    found: int
    missed: int
    error: str | None
    sources: list[_Asked]


class _Down(TypedDict):
    since: Moment
    reason: str


class _Full(TypedDict, total=False):
    __pydantic_config__ = _OPEN  # type: ignore[misc]
    since: Moment
    refused: int
    gave_way: int


class _Taken(TypedDict, total=False):
    __pydantic_config__ = _OPEN  # type: ignore[misc]
    digest: str
    serials: dict[str, str]


class _State(TypedDict, total=False):
    """The facts with their types. Other keys are allowed; the code that stores them defines
    them."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    auto_scan: bool
    full: bool | _Full
    last_scan: _Scan
    down: dict[str, _Down]
    pending_serials: dict[str, str]
    taken_workbook: _Taken


AUTO_SCAN, LAST_SCAN, DOWN, FULL = "auto_scan", "last_scan", "down", "full"
_PENDING, _TAKEN = "pending_serials", "taken_workbook"
Durable = AutoScan | PendingSerials | TakenWorkbook | ResealedSecrets
"""A person waits for these: without a durable write they are refused."""


def with_fact(state: Mapping[str, Any], fact: ServerFact) -> dict[str, Any]:
    """The state after the fact."""
    match fact:
        case AutoScan(enabled):
            return {**state, AUTO_SCAN: enabled}
        case LastScan(scan):
            return {**state, LAST_SCAN: scan}
        case PendingSerials(serials):
            return {**state, _PENDING: dict(serials)}
        case TakenWorkbook(digest, serials):
            taken = {"digest": digest, "serials": dict(serials)} if digest else {}
            return {**state, _TAKEN: taken}


def auto_scan(fleet: Fleet) -> bool | None:
    """True if automatic scanning is on; None while nobody ever turned it on or off."""
    enabled: bool | None = fleet.state.get(AUTO_SCAN)
    return enabled


def last_scan(fleet: Fleet) -> Mapping[str, Any]:
    """The result of the newest scan; empty before the first."""
    scan: Mapping[str, Any] = fleet.state.get(LAST_SCAN, {})
    return scan


def down(fleet: Fleet) -> Mapping[str, Any]:
    """The scopes that cannot be asked now, each with `since` and `reason`."""
    scopes: Mapping[str, Any] = fleet.state.get(DOWN, {})
    return scopes


def pending_serials(fleet: Fleet) -> Mapping[str, str]:
    serials: Mapping[str, str] = fleet.state.get(_PENDING, {})
    return serials


def taken_workbook(fleet: Fleet) -> TakenWorkbook | None:
    """The workbook that is being taken; None if there is none."""
    taken = fleet.state.get(_TAKEN) or {}
    digest = taken.get("digest", "")
    return TakenWorkbook(digest, taken.get("serials", {})) if digest else None


_ADAPTER = TypeAdapter(_State)


def checked(raw: Any) -> Mapping[str, Any]:
    """The facts of the server in a file. Raises InvalidValue.

    A last scan that does not fit is left out: the next one takes its place.
    """
    try:
        _ADAPTER.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = [str(part) for part in first["loc"]] or ["state"]
        if where[0] == LAST_SCAN and isinstance(raw, dict):
            return checked({key: value for key, value in raw.items() if key != LAST_SCAN})
        raise InvalidValue("state", ".".join(where), first["msg"], first["input"]) from None
    check_facts(raw, "state")
    record: Mapping[str, Any] = raw
    return record
