"""Caches of the last renderings of the pages, shared by viewers who see the same."""

from dataclasses import dataclass, field

from flask import Flask, current_app

from web.pages.header_cache import HeaderCache
from web.pages.rendered_rows import RenderedRows


@dataclass(frozen=True, slots=True)
class PageCaches:
    rows: RenderedRows = field(default_factory=RenderedRows)
    headers: HeaderCache = field(default_factory=HeaderCache)


def register(app: Flask) -> None:
    app.extensions["page_caches"] = PageCaches()


def page_caches() -> PageCaches:
    """The caches of the running app."""
    caches: PageCaches = current_app.extensions["page_caches"]
    return caches
