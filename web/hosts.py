"""The name in the Host header, also where it has underscores as Docker Compose's names do."""

from flask import Flask, request
from werkzeug.sansio.utils import get_host


def register(app: Flask) -> None:
    """Before everything that asks for the host of a request."""
    app.before_request(_take_underscores)


def _take_underscores() -> None:
    """Werkzeug takes a name with an underscore for none at all."""
    given = request.headers.get("Host", "")
    if "_" in given:
        # A hyphen has the same length and is allowed at the same places.
        request.host = given[: len(get_host(request.scheme, given.replace("_", "-")))]
