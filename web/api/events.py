"""Events of the journal: page by page, or live as server-sent events."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from flask import Blueprint, Response, request

from fleet.model import Event
from web.http.authentication import client_address
from web.http.authorization import needs
from web.http.broadcaster import (
    RESET,
    RIGHTS_CHANGED,
    StreamMessage,
    TooManyStreams,
    checks_message,
    event_message,
    progress_message,
)
from web.http.errors import HttpError
from web.http.live_views import has_hung_up
from web.http.monitor import current_monitor
from web.http.page_feeds import PageFeed, page_feed
from web.http.payloads import describes, json_response, query_args
from web.http.shapes.events import EventPage, EventQuery, event_page
from web.http.visible_fleet import VisibleFleet, visible_fleet

bp = Blueprint("events", __name__)
MAX_DURATION = 10 * 365 * 86400
MAX_REPLAYED = 1000


@bp.get("/api/events", strict_slashes=False)
@needs("event.view")
@describes(
    query=EventQuery,
    answer=EventPage,
    media=("application/json", "text/event-stream"),
    errors=(422, 429, 503),
)
def events() -> Response:
    """List events. With `Accept: text/event-stream`, new events are streamed."""
    query = query_args(EventQuery)
    if request.accept_mimetypes.best == "text/event-stream":
        return _stream(query)
    wanted = query.model_dump(exclude={"kind", "follow", "page"})
    kinds = [kind for kind in query.kind.split(",") if kind]
    return json_response(event_page(visible_fleet().events(kinds=kinds, **wanted), query.limit))


def _stream(query: EventQuery) -> Response:
    monitor = current_monitor()
    visible = visible_fleet()
    feed = None if query.page is None else page_feed(visible, query.page)
    # Before there are accounts everybody has the same name.
    is_named = not visible.person.until_first
    reader = f"user {visible.person.name}" if is_named else client_address(monitor.authenticator)
    try:
        monitor.broadcaster.enter(reader)
    except TooManyStreams as error:
        raise _too_many(error) from None
    until = time.monotonic() + (query.follow or MAX_DURATION)
    sock = request.environ.get("gunicorn.socket")
    frames = _frames(visible, _last_id(query), until, partial(has_hung_up, sock), feed)
    body = monitor.watchdog.guard(frames, sock, lambda: renewed(visible) is not None)
    response = Response(body, mimetype="text/event-stream")
    response.call_on_close(partial(monitor.broadcaster.leave, reader))
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _too_many(error: TooManyStreams) -> HttpError:
    if error.is_own:
        return HttpError(
            429,
            f"You already have {error.most} open event streams",
            "Close Camera Monitor in other tabs and on other screens, then try again.",
            {"Retry-After": "60"},
        )
    return HttpError(
        503,
        f"{error.most} event streams are already open",
        "Close Camera Monitor in unused tabs, then try again.",
        {"Retry-After": "60"},
    )


def renewed(visible: VisibleFleet) -> VisibleFleet | None:
    """The fleet as the same person sees it now; None when they cannot see events any more."""
    now = visible.refreshed()
    return now if now and now.may("event.view") else None


def _last_id(query: EventQuery) -> int | None:
    """The number of the event after which a returning reader goes on."""
    text = request.headers.get("Last-Event-ID", "").strip()
    if text.isdecimal() and len(text) <= 18:
        return int(text)
    return query.after


def _frames(
    visible: VisibleFleet,
    last_id: int | None,
    until: float,
    is_gone: Callable[[], bool],
    feed: PageFeed | None,
) -> Iterator[bytes]:
    monitor = visible.monitor
    position, newest = monitor.broadcaster.position(), monitor.tracker.fleet().sequence
    missed = _missed(visible, last_id) if last_id is not None else []
    yield b"retry: 3000\n\n"
    if len(missed) == MAX_REPLAYED:
        yield RESET
    else:
        yield from (event_message(event) for event in missed)
        if feed and missed:
            yield feed.news([StreamMessage(position, event, b"") for event in missed])
    scan, checks = monitor.scanner.progress(), monitor.scanner.checks()
    if scan and not visible.is_limited:
        yield progress_message(scan)
    if checks and not visible.is_limited:
        yield checks_message(checks)
    # What came between the two readings is in both: it is sent once.
    known = min(last_id or -1, newest)
    last_sent = missed[-1].sequence if missed else known

    rights, notice = visible.rights(), b""

    def recheck() -> Callable[[Event | None], bool] | None:
        nonlocal rights, notice
        now = None if is_gone() else renewed(visible)
        if now is None:
            return None
        if feed:
            feed.visible = now
        before, rights = rights, now.rights()
        notice = RIGHTS_CHANGED if rights != before else b""
        return _may_see(now)

    yield from monitor.broadcaster.follow(
        position, until, recheck, last_sent, feed, notice=lambda: notice
    )


def _may_see(visible: VisibleFleet) -> Callable[[Event | None], bool]:
    return lambda event: not visible.is_limited if event is None else visible.sees_event(event)


def _missed(visible: VisibleFleet, last_id: int) -> Sequence[Event]:
    """The events that a returning reader has missed, oldest first."""
    return visible.events(after=last_id, limit=MAX_REPLAYED)
