"""Events of the journal as JSON."""

from collections.abc import Sequence

from pydantic import Field
from typing_extensions import TypedDict

from fleet import public
from fleet.model import Event
from fleet.shapes import Time
from web.http.payloads import Moment, Query


class EventQuery(Query):
    """A filter of events, newest first; with `after`, those above that number, oldest first."""

    device: int | None = Field(None, ge=1, le=2**31 - 1)
    kind: str = Field(
        "",
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="Kinds, separated by commas; `device.` matches all kinds that begin with it.",
    )
    since: Moment | None = None
    until: Moment | None = None
    after: int | None = Field(None, ge=0, le=2**62)
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(100, ge=1, le=1000)
    page: str | None = Field(
        None,
        max_length=4000,
        description="Used by the page: its filter. `rows` and `head` are then sent as HTML too.",
    )
    follow: int | None = Field(
        None, alias="for", ge=1, le=86400, description="Seconds after which a stream ends."
    )


class EventRow(TypedDict):
    """One event. `device` is a number; `before` and `after` hold what changed."""

    id: int
    at: Time
    kind: str
    device: int | None
    text: str
    before: dict[str, object]
    after: dict[str, object]


class EventPage(TypedDict):
    """A page of events. `next`: the `before` (or `after`) of the next page; null on the last."""

    events: list[EventRow]
    count: int
    next: int | None


def event_page(events: Sequence[Event], limit: int) -> EventPage:
    """A page of at most `limit` events; a full one has a next page."""
    is_full = len(events) == limit
    return {
        "events": [event_row(event) for event in events],
        "count": len(events),
        "next": events[-1].sequence if is_full else None,
    }


def event_row(event: Event) -> EventRow:
    """An event as the API and the stream show it."""
    return {
        "id": event.sequence,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "device": event.device,
        "text": event.text,
        "before": public.of_event(event.before),
        "after": public.of_event(event.after),
    }
