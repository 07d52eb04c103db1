"""Compress responses with gzip for clients that accept it."""

import gzip
from functools import lru_cache

from flask import Flask, Response, request

SMALLEST = 1024
"""Bytes below which the header costs more than is won."""
QUICK_ABOVE = 1 << 18
"""Bytes above which speed matters more than the last percents."""
COMPRESSED_TYPES = ("text/", "application/json", "application/javascript", "image/svg+xml")


def register(app: Flask) -> None:
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if not _is_worth_it(response):
        return response
    response.vary.add("Accept-Encoding")
    if not request.accept_encodings["gzip"]:
        return response
    is_file = response.direct_passthrough
    response.direct_passthrough = False
    data = response.get_data()
    if len(data) < SMALLEST:
        return response
    response.set_data(_kept(data) if is_file else _small(data))
    response.headers["Content-Encoding"] = "gzip"
    tag, _is_weak = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)  # the same thing in other bytes
    return response


def _is_worth_it(response: Response) -> bool:
    is_whole = response.is_sequence or response.direct_passthrough
    mimetype = response.mimetype or ""
    is_text = mimetype.startswith(COMPRESSED_TYPES) and mimetype != "text/event-stream"
    return (
        is_whole
        and is_text
        and response.status_code == 200
        and "Content-Encoding" not in response.headers
    )


def _small(data: bytes) -> bytes:
    return gzip.compress(data, 1 if len(data) > QUICK_ABOVE else 5, mtime=0)


@lru_cache(maxsize=64)
def _kept(data: bytes) -> bytes:
    """The compressed static files, cached, as the same few are requested again and again."""
    return gzip.compress(data, 9, mtime=0)
