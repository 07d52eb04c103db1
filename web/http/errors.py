"""Every error as {"error", "hint"}, or as a page for a browser. Never a stack."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, jsonify, render_template, request
from pydantic import ValidationError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from accounts.model import NotAllowed
from fleet.model import Invalid, NotFound, Refused
from store.json_file import CannotKeep
from store.sql import Unreachable, Unwritable
from store.vault import SecretLost
from video.disk_calls import NotAnswering
from web.http.invalid import wording
from web.http.shapes.errors import error_body

log = logging.getLogger(__name__)

FIELD_NAME = re.compile(r"[a-z_]{1,40}")
"""The field names that fit in a header; unknown fields of a body have any name."""
ERROR_TEXTS = {
    400: "The request cannot be read",
    404: "This URL does not exist",
    405: "This URL does not accept this method",
    408: "The request took too long to arrive",
    413: "The request is too large",
    415: "This content type is not supported",
    500: "This request failed because of an internal error",
}
"""The texts for HTTP errors of the framework."""
HINTS = {
    400: "Send one JSON object, as /api/docs describes.",
    404: "Check the URL; /api/docs lists the URLs of the API.",
    405: "Use a method that the Allow header lists.",
    413: "Send less data in one request.",
    415: "Send JSON with the header Content-Type: application/json.",
    500: "See the log of this server for details.",
}

PAGE_TEXTS = {
    400: ("This request could not be read", "Go back, reload the page, and try again."),
    404: ("Page not found", "Check the address, or start again from the fleet."),
    405: ("This page cannot be opened directly", "Go back and use the button on the page."),
    408: ("The request took too long to arrive", "Check the connection, and try again."),
    413: ("The upload is too large", "Send a smaller file."),
    415: ("This type of file is not accepted", "Go back, and choose another file."),
    500: (
        "Something went wrong on this server",
        "Try again. If it happens again, tell your administrator: the server log has the details.",
    ),
}
"""The error and the hint for a person at a browser, where the program has nothing more exact."""
API_HINT = "GET /api/"
"""How a hint begins that names a request of the API: no help for a person at a browser."""
PAGE_HINT = "It was deleted, or the link is wrong. Go back and reload the page."


class HttpError(Exception):
    """An error answer, to be raised by a route: `status` is the HTTP code."""

    def __init__(
        self, status: int, error: str, hint: str, headers: Headers | Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint
        self.headers = Headers(headers or {})


def register(app: Flask) -> None:
    app.register_error_handler(HttpError, _http_error)
    app.register_error_handler(NotAllowed, lambda e: answer(e.status, e.error, e.hint, e.field))
    app.register_error_handler(Refused, lambda e: answer(status_of(e), e.error, e.hint, e.field))
    app.register_error_handler(
        CannotKeep,
        lambda e: answer(507, str(e), "Nothing was changed. Solve the problem, then try again."),
    )
    app.register_error_handler(
        Unreachable,
        lambda e: answer(
            503, str(e), "You can still view and edit devices. Try again in a minute."
        ),
    )
    app.register_error_handler(
        Unwritable,
        lambda e: answer(
            503,
            str(e),
            "Nothing was changed. Free disk space in DATA_DIR, or allow this user to write "
            "there, then try again.",
        ),
    )
    app.register_error_handler(
        NotAnswering,
        lambda e: answer(
            503, str(e), "Check the disk or the share of MEDIA_DIR. It is asked again by itself."
        ),
    )
    app.register_error_handler(
        SecretLost, lambda e: answer(503, str(e), "Everything else continues to work.")
    )
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(HTTPException, _framework_error)
    app.register_error_handler(Exception, _unexpected)


def _http_error(problem: HttpError) -> Response:
    if problem.status == 401:
        g.person = None  # a page says no more than to a stranger
    response = answer(problem.status, problem.error, problem.hint)
    response.headers.extend(problem.headers)
    return response


def status_of(error: Refused) -> int:
    """The HTTP code of an edit that cannot be done."""
    return 404 if isinstance(error, NotFound) else 422 if isinstance(error, Invalid) else 409


def answer(status: int, error: str, hint: str, field: str = "") -> Response:
    """The error as JSON, or as a page for a browser.

    The header X-Field names the value that does not fit, so that a form can say it there.
    """
    if wants_page():
        page = render_template("error.html", status=status, error=error, hint=page_hint(hint))
        return Response(page, status)
    response = jsonify(error_body(error, hint))
    response.status_code = status
    if FIELD_NAME.fullmatch(field):
        response.headers["X-Field"] = field
    return response


def page_hint(hint: str) -> str:
    """The hint for a person at a browser: none that names a request of the API."""
    return PAGE_HINT if hint.startswith(API_HINT) else hint


def wants_page() -> bool:
    """True if a browser asked for a page, not a script or the API."""
    path = request.path
    is_page = not path.startswith(("/api", "/v0/", "/openapi", "/metrics", "/healthz", "/readyz"))
    return is_page and "text/html" in request.headers.get("Accept", "")


def _invalid(error: ValidationError) -> Response:
    """The answer to invalid values in the request, by name."""
    parts, field = [], ""
    for detail in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in detail["loc"]) or "the request"
        field = field or str(detail["loc"][0] if detail["loc"] else "")
        parts.append(f"{where}: {wording(detail)}")
    hint = "Correct the value" + ("." if wants_page() else "; /api/docs lists the allowed values.")
    return answer(422, "; ".join(parts)[:1000], hint, field)


def _framework_error(error: HTTPException) -> Any:
    code = error.code or 500
    if code < 400:
        return error
    response = answer(code, *_texts(code, error.name))
    response.headers.extend(
        (key, value) for key, value in error.get_headers() if key in ("Allow", "Retry-After")
    )
    return response


def _texts(code: int, name: str) -> tuple[str, str]:
    """The error and the hint for an HTTP code, for a person or for a script."""
    if wants_page() and code in PAGE_TEXTS:
        return PAGE_TEXTS[code]
    hint = HINTS.get(code, "Try again. The log of this server may have details.")
    return ERROR_TEXTS.get(code, name), hint


def _unexpected(error: Exception) -> Response:
    log.exception("%s %s failed because of an internal error", request.method, request.path)
    return answer(500, *_texts(500, ""))
