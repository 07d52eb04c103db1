"""Accept underscores in the Host header, as in the host names of Docker Compose."""

from flask import Flask, request
from werkzeug.sansio.utils import get_host


def register(app: Flask) -> None:
    """Register before anything that reads `request.host`."""
    app.before_request(_take_underscores)


def _take_underscores() -> None:
    """Accept an underscore, which Werkzeug treats as invalid."""
    given = request.headers.get("Host", "")
    if "_" in given:
        # A hyphen has the same length and is allowed at the same places.
        request.host = given[: len(get_host(request.scheme, given.replace("_", "-")))]
