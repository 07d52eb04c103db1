"""Validate the server's own facts in the database file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Required

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

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


class _State(TypedDict, total=False):
    """Other keys are allowed; the code that stores them defines them."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    auto_scan: bool
    full: bool | _Full
    last_scan: _Scan
    down: dict[str, _Down]
    pending_serials: dict[str, str]
    taken_workbook: dict[str, Any]


LAST_SCAN = "last_scan"
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
    found: Mapping[str, Any] = raw
    return found
