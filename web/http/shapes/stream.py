"""Messages of the event stream as JSON: the event rows are in `shapes.events`."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from discovery.progress import SourceProgress
from fleet.model import Event
from web.http.shapes.scans import CheckRow, check_row

STREAM_KINDS = {"device.found": "found"}


class ResetMessage(TypedDict):
    """The notice that events were skipped: the client must reload everything."""

    text: str


class RowsMessage(TypedDict):
    """Changed rows of an open list, as HTML; without `html` the page loads those that it shows."""

    ids: list[int]
    html: str | None


class CheckingMessage(TypedDict):
    """The running checks of whole lists; none when the last one has ended."""

    checking: list[CheckRow]


class HeadMessage(TypedDict):
    """The header of an open list, as HTML."""

    html: str


def stream_kind(event: Event) -> str:
    """The SSE type of an event: `found`, `status` for another one of a device, `event`."""
    kind = "status" if event.kind.startswith("device.") else "event"
    return STREAM_KINDS.get(event.kind, kind)


def reset_message(text: str) -> ResetMessage:
    return {"text": text}


def rows_message(ids: Sequence[int], html: str | None) -> RowsMessage:
    return {"ids": [*ids], "html": html}


def checking_message(checks: Sequence[SourceProgress], now: float) -> CheckingMessage:
    return {"checking": [check_row(check, now) for check in checks]}


def head_message(html: str) -> HeadMessage:
    return {"html": html}
