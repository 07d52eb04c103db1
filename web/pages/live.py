"""Updates of an open page in its event stream: its header, and changed rows.

Both are rendered once for all pages with the same content.
"""

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard
from urllib.parse import parse_qsl

from flask import Flask, g, render_template

from fleet import labels
from fleet.model import Event
from web.http import page_feeds
from web.http.broadcaster import RECHECK_EVERY, StreamMessage, sse_message
from web.http.shapes.stream import head_message, rows_message
from web.http.visible_fleet import VisibleFleet
from web.pages import fleet_view, header_cache
from web.pages.caches import page_caches

MAX_HEAD_AGE = 30.0
"""Seconds after which a page gets a new header in any case, as times and jobs change."""
MIN_WAIT = 0.2
MAX_CHANGED_ROWS = 50
"""Changed rows in one message. Of more, a page fetches those that it shows."""


def viewer_group(visible: VisibleFleet) -> Hashable:
    """The key of viewers for whom a page is the same: all who see every device, but for buttons."""
    if visible.is_limited:
        return visible.person
    return tuple(
        visible.may(action)
        for action in ("scan.start", "scan.automatic", "scan.view", "workbook.edit")
    )


def _is_renamed(event: Event | None) -> TypeGuard[Event]:
    return event is not None and "name" in event.after


class FleetPageFeed:
    """The rows and the head of one open list, sent beside the events as HTML."""

    def __init__(self, app: Flask, visible: VisibleFleet, page: str) -> None:
        self.visible = visible
        self._app = app
        self._arguments = arguments_of(page)
        self._query = fleet_view.page_query(self._arguments)
        self._columns = dict(parse_qsl(page.lstrip("?"))).get("columns", "")
        self._is_due = True
        self._sent = 0.0

    def news(self, messages: Sequence[StreamMessage]) -> bytes:
        """The rows of the devices in the messages, all of which this viewer may see."""
        ids = list(
            dict.fromkeys(
                message.event.device
                for message in messages
                if message.event and message.event.device
            )
        )
        self._is_due = self._is_due or bool(messages)
        if not ids:
            return b""
        renamed = [message.event.device for message in messages if _is_renamed(message.event)]
        with self._context():
            return self._rows([*dict.fromkeys((*ids, *self._named_with(renamed)))])

    def _named_with(self, ids: Sequence[int | None]) -> Iterator[int]:
        """The channels that this viewer sees whose shown names include those of the devices."""
        if not ids:
            return
        devices = self.visible.devices()
        for id in filter(None, ids):
            for channel in self.visible.monitor.tracker.channels_of(id):
                if channel.id in devices and labels.named_with(channel, devices):
                    yield channel.id

    def summary(self, position: int) -> bytes:
        """The head, at most once a second."""
        age = time.monotonic() - self._sent
        if age < (header_cache.MIN_AGE if self._is_due else MAX_HEAD_AGE):
            return b""
        with self._context():
            return self._head(position)

    @contextmanager
    def _context(self) -> Iterator[None]:
        with self._app.app_context():
            g.person, g.visible_fleet = self.visible.person, self.visible
            yield

    def _rows(self, ids: Sequence[int]) -> bytes:
        if len(ids) > MAX_CHANGED_ROWS:
            return sse_message("rows", rows_message(ids, None))
        link = fleet_view.Links(self._arguments)
        shown = fleet_view.columns_of(self._columns)
        monitor = self.visible.monitor
        rendered = fleet_view.changed_rows(monitor, self._query, ids, shown, link)
        return sse_message("rows", rows_message(ids, rendered.html))

    def _head(self, position: int) -> bytes:
        kind = (viewer_group(self.visible), tuple(self._arguments.items()))
        data = page_caches().headers.newest(kind, position, self._make_head)
        if data:
            self._is_due, self._sent = False, time.monotonic()
        return data

    def _make_head(self) -> tuple[int, bytes]:
        monitor = self.visible.monitor
        position, link = monitor.broadcaster.position(), fleet_view.Links(self._arguments)
        html = render_template("parts/top.html", **fleet_view.header(monitor, self._query, link))
        return position, sse_message("head", head_message(html))

    def patience(self) -> float:
        """Seconds until the next call of `summary`."""
        if not self._is_due:
            return RECHECK_EVERY
        return min(
            RECHECK_EVERY, max(MIN_WAIT, self._sent + header_cache.MIN_AGE - time.monotonic())
        )


def arguments_of(page: str) -> dict[str, str]:
    """The filter in a page's own query string."""
    return fleet_view.filter_arguments(dict(parse_qsl(page.lstrip("?"))))


def register(app: Flask) -> None:
    page_feeds.register(app, FleetPageFeed)
