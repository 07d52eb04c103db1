"""Error answers without the app: the request cannot be read, or not be served now.

They have the JSON names of `web.http.shapes.errors.ErrorBody`, which this package cannot import:
it is beside `web`. `tests/server/test_refusals.py` compares the two.
"""

import json
from http import HTTPStatus

from gunicorn.http.errors import ParseException

CHECK_CLIENT = "Check the client, and any proxy between it and this server."
SAID = {
    400: ("The request is not valid HTTP", CHECK_CLIENT),
    408: ("The request took too long to arrive", "Send the request without pauses."),
    414: ("The URL is too long", "Use fewer or shorter parameters."),
    417: ("The Expect header is not supported", "Send 100-continue or no Expect header."),
    431: ("The headers are too long", "Send fewer or shorter headers and cookies."),
    500: ("This request failed because of an internal error", "See the log of this server."),
    501: ("The transfer encoding is not supported", "Send the body chunked or with its length."),
    503: ("Other requests or uploads are running", "Try again in a minute."),
}
"""By status: the error and the hint."""
ERROR_STATUSES = {
    "LimitRequestLine": 414,
    "LimitRequestHeaders": 431,
    "ExpectationFailed": 417,
    "UnsupportedTransferCoding": 501,
    # A header that the app has made, not the client.
    "InvalidResponseHeader": 500,
    "InvalidResponseHeaderName": 500,
}
"""By the name of gunicorn's exception."""


def status_of(error: BaseException) -> int:
    """The status for an error of gunicorn's parser or of the app."""
    otherwise = 400 if isinstance(error, ParseException) else 500
    return ERROR_STATUSES.get(type(error).__name__, otherwise)


def refusal(status: int) -> bytes:
    """A whole answer in the error shape of the API, after which the connection ends."""
    error, hint = SAID[status]
    body = json.dumps({"error": error, "hint": hint}).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
