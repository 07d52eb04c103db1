"""Updates of an open page, sent in its event stream: its header and changed rows.

Both are made once for all pages that show the same to the same kind of viewer.
"""

import time
from collections.abc import Hashable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask, g, render_template

from web.http import page_feeds
from web.http.broadcaster import JUDGE_EVERY, Frame, frame_bytes
from web.http.visible_fleet import VisibleFleet
from web.pages import fleet_view, header_cache
from web.pages.caches import page_caches

HEAD_AGAIN = 30.0
"""Seconds after which a page gets a header although nothing happened: times and jobs go on."""
SOON = 0.2
MAX_ROWS = 50
"""Changed rows in one message. Of more, a page fetches those that it shows."""


def viewer_group(visible: VisibleFleet) -> Hashable:
    """Those for whom a page looks the same. Everybody who sees every device does, but for the
    buttons."""
    if visible.is_limited:
        return visible.person
    return tuple(visible.may(action) for action in ("scan.start", "scan.automatic", "scan.view"))


class PageFeed:
    """What one open page is sent besides the events; its stream keeps `visible` up to date."""

    def __init__(self, app: Flask, visible: VisibleFleet, page: str) -> None:
        self.visible = visible
        self._app = app
        self._arguments = arguments_of(page)
        self._query = fleet_view.page_query(self._arguments)
        self._is_due = True
        self._sent = 0.0

    def news(self, frames: Sequence[Frame], place: int) -> bytes:
        """The rows that the frames, all of which this viewer hears, are about; and once a second
        the head, when there were some."""
        ids = list(
            dict.fromkeys(
                frame.event.device for frame in frames if frame.event and frame.event.device
            )
        )
        self._is_due = self._is_due or bool(frames)
        age = time.monotonic() - self._sent
        wants_head = age >= (header_cache.MIN_AGE if self._is_due else HEAD_AGAIN)
        if not ids and not wants_head:
            return b""
        with self._app.app_context():
            g.person, g.visible_fleet = self.visible.person, self.visible
            rows = self._rows(ids) if ids else b""
            return rows + (self._head(place) if wants_head else b"")

    def _rows(self, ids: Sequence[int]) -> bytes:
        message: dict[str, Any] = {"ids": ids, "html": None}
        if len(ids) <= MAX_ROWS:
            link = fleet_view.Links(self._arguments)
            message["html"] = fleet_view.changed_rows(
                self.visible.monitor, self._query, ids, link
            ).html
        return frame_bytes("rows", message)

    def _head(self, place: int) -> bytes:
        kind = (viewer_group(self.visible), tuple(self._arguments.items()))
        data = page_caches().headers.newest(kind, place, self._make_head)
        if data:
            self._is_due, self._sent = False, time.monotonic()
        return data

    def _make_head(self) -> tuple[int, bytes]:
        monitor = self.visible.monitor
        place, link = monitor.broadcaster.place(), fleet_view.Links(self._arguments)
        html = render_template("parts/top.html", **fleet_view.header(monitor, self._query, link))
        return place, frame_bytes("head", {"html": html})

    def patience(self) -> float:
        """Seconds until it wants to be asked again."""
        if not self._is_due:
            return JUDGE_EVERY
        return min(JUDGE_EVERY, max(SOON, self._sent + header_cache.MIN_AGE - time.monotonic()))


def arguments_of(page: str) -> dict[str, str]:
    """The filter in a page's own query string."""
    return fleet_view.filter_arguments(dict(parse_qsl(page.lstrip("?"))))


def register(app: Flask) -> None:
    page_feeds.register(app, PageFeed)
