"""Compressed answers for clients that accept gzip, and the same answers for all others."""

import gzip

import pytest

from tests.home import Home

GZIP = {"Accept-Encoding": "gzip, br"}


@pytest.mark.parametrize(
    "path", ["/", "/static/style.css", "/static/js/list.js", "/api/cameras", "/openapi.json"]
)
def test_text_comes_smaller_and_says_the_same(mixed: Home, path: str) -> None:
    headers = {"Accept": "text/html,*/*"}
    plain = mixed.client.get(path, headers=headers, buffered=True)
    small = mixed.client.get(path, headers={**headers, **GZIP}, buffered=True)
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data)
    for answer in (plain, small):
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_a_file_that_the_browser_has_is_not_sent_again(mixed: Home) -> None:
    first = mixed.client.get("/static/style.css", headers=GZIP, buffered=True)
    again = mixed.client.get(
        "/static/style.css", headers={**GZIP, "If-None-Match": first.headers["ETag"]}, buffered=True
    )
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/healthz", "/api/events?for=1", "/static/missing.css"])
def test_what_is_short_flows_or_failed_is_left_alone(mixed: Home, path: str) -> None:
    accept = "text/event-stream" if "events" in path else "*/*"
    answer = mixed.client.get(path, headers={**GZIP, "Accept": accept}, buffered=True)
    assert "Content-Encoding" not in answer.headers
