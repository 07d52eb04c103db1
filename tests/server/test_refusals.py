"""The error answers of the server itself are like those of the app."""

import json

import pytest

from server.refusals import SAID, refusal
from web.http.shapes.errors import error_body


@pytest.mark.parametrize("status", SAID)
def test_an_error_answer_without_the_app_has_the_shape_of_the_api(status: int) -> None:
    head, _blank, body = refusal(status).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert json.loads(body) == error_body(*SAID[status])
