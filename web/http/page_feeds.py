"""The feed of an open page: made by the pages, sent by the event stream."""

from collections.abc import Callable
from typing import Protocol

from flask import Flask, current_app

from web.http.broadcaster import Feed
from web.http.visible_fleet import VisibleFleet


class PageFeed(Feed, Protocol):
    """The feed of one open page beside the events; its stream keeps `visible` up to date."""

    visible: VisibleFleet


MakeFeed = Callable[[Flask, VisibleFleet, str], PageFeed]
"""Of the app, what the viewer may see, and the page's own query string."""


def register(app: Flask, make: MakeFeed) -> None:
    app.extensions["page_feed"] = make


def page_feed(visible: VisibleFleet, page: str) -> PageFeed:
    """The feed of the page with this query string."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    make: MakeFeed = app.extensions["page_feed"]
    return make(app, visible, page)
