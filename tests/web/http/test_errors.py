"""Every error as {"error", "hint"}, or as a page for a browser at a page."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic_core.core_schema import ErrorType
from werkzeug.test import TestResponse

from tests.home import Home
from web.http.invalid import ERROR_TEXTS

JSON = {"Content-Type": "application/json"}
HUGE = b'{"name": "' + b"x" * (1 << 20) + b'"}'

WRONG: list[tuple[int, str, str, bytes | None, dict[str, str]]] = [
    (400, "PATCH", "/api/camera/1", b"{", JSON),
    (400, "POST", "/api/undo", b"", JSON),
    (400, "POST", "/api/auto-scan", b"enabled", JSON),
    (404, "GET", "/api/camera/99", None, {}),
    (404, "GET", "/api/nothing", None, {}),
    (404, "POST", "/api/camera/99/retire", None, {}),
    (404, "POST", "/api/undo", b'{"event": 999999}', JSON),
    (405, "DELETE", "/api/cameras", None, {}),
    (405, "PUT", "/api/scan", None, {}),
    (409, "DELETE", "/api/scan", None, {}),
    (409, "POST", "/api/undo", b'{"event": 1}', JSON),
    (413, "PATCH", "/api/camera/1", HUGE, JSON),
    (413, "POST", "/api/auto-scan", HUGE, JSON),
    (415, "PATCH", "/api/camera/1", b'{"name": "x"}', {"Content-Type": "text/plain"}),
    (415, "POST", "/api/auto-scan", b"enabled=true", {}),
    (422, "PATCH", "/api/camera/1", b'{"title": "x"}', JSON),
    (422, "POST", "/api/auto-scan", b"{}", JSON),
    (422, "POST", "/api/auto-scan", b'{"enabled": "true"}', JSON),
    (422, "GET", "/api/cameras?status=sleeping", None, {}),
    (422, "GET", "/api/events?limit=0", None, {}),
]


def ask(home: Home, method: str, path: str, body: Any, headers: dict[str, str]) -> TestResponse:
    return home.client.open(path, method=method, data=body, headers=headers)


@pytest.mark.parametrize("accept", ["", "application/json", "text/html,*/*;q=0.8"])
@pytest.mark.parametrize(("status", "method", "path", "body", "headers"), WRONG)
def test_an_error_of_the_api_is_an_error_and_a_hint(
    mixed: Home,
    status: int,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    accept: str,
) -> None:
    given = {**headers, "Accept": accept} if accept else headers
    answer = ask(mixed, method, path, body, given)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"error", "hint"}
    assert all(isinstance(text, str) and text for text in answer.json.values())


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        (
            "GET",
            "/api/events?since=2026-11-27T09:12:00",
            None,
            "since: must be a time with offset such as 2026-11-27T09:12:00Z",
        ),
        ("GET", "/api/events?limit=0", None, "limit: must be at least 1"),
        ("GET", "/api/events?limit=1001", None, "limit: must be at most 1000"),
        ("GET", "/api/events?limit=x", None, "limit: must be a whole number"),
        ("POST", "/api/auto-scan", b"{}", "enabled: is missing"),
        ("POST", "/api/auto-scan", b'{"enabled": 1}', "enabled: must be true or false"),
        ("POST", "/api/auto-scan", b"[]", "the request: must be a JSON object"),
        ("PATCH", "/api/camera/1", b'{"title": "x"}', "title: unknown key"),
        ("PATCH", "/api/camera/1", HUGE, "The request is too large"),
        ("GET", "/api/nothing", None, "This URL does not exist"),
        ("PUT", "/api/scan", None, "This URL does not accept this method"),
    ],
)
def test_an_error_is_said_in_our_words(
    mixed: Home, method: str, path: str, body: Any, error: str
) -> None:
    assert ask(mixed, method, path, body, JSON).json["error"] == error


def test_every_rule_of_the_library_that_has_words_exists() -> None:
    assert set(ERROR_TEXTS) <= set(get_args(ErrorType))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/cameras", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", "/api/camera/1", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("PUT", "/api/scan", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
        ("GET", "/api/auto-scan", {"POST", "OPTIONS"}),
        ("GET", "/scan", {"POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_which_are_allowed(
    mixed: Home, method: str, path: str, allowed: set[str]
) -> None:
    answer = mixed.client.open(path, method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("GET", "/api/camera/1", "none"),
        ("GET", "/api/stats", "kind"),
        ("GET", "/api/events", "device, kind, since"),
        ("POST", "/api/scan", "none"),
        ("PATCH", "/api/camera/1", "none"),
    ],
)
def test_a_parameter_that_the_route_does_not_have_is_refused_by_name(
    mixed: Home, method: str, path: str, takes: str
) -> None:
    answer = mixed.client.open(f"{path}?colour=1&%0a{'x' * 99}=2", method=method)
    assert answer.status_code == 422
    assert answer.json["error"].startswith("colour: unknown parameter; \nxxx")
    assert answer.json["hint"].startswith(f"Parameters of {method} {path}: {takes}")
    assert answer.headers["X-Field"] == "colour"


def test_a_page_and_a_health_check_take_any_parameter(mixed: Home) -> None:
    for path in ("/", "/cameras/1", "/openapi.json", "/healthz", "/metrics"):
        assert mixed.client.get(f"{path}?colour=1").status_code == 200, path


def test_what_does_not_fit_is_named(mixed: Home) -> None:
    answer = mixed.client.post("/api/auto-scan", json={"enabled": 1, "speed": 9})
    assert answer.status_code == 422
    assert "enabled" in answer.json["error"]
    assert "speed" in answer.json["error"]


@pytest.mark.parametrize("path", ["/nothing", "/cameras/99", "/undo/x", "/static/nothing.css"])
def test_a_browser_gets_a_page_that_leads_back(mixed: Home, path: str) -> None:
    answer = mixed.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert 'href="/"' in answer.text
    assert "GET /api/" not in answer.text, "a request of the API does not help at a page"


def test_an_error_of_the_program_is_said_in_plain_words_without_its_cause(
    make_home: Callable[..., Home],
) -> None:
    def fail() -> str:
        raise ZeroDivisionError("a text that is not for strangers")

    home = make_home()
    fail.action = "device.list"  # type: ignore[attr-defined]
    home.app.add_url_rule("/failing", "failing", fail)
    page = home.client.get("/failing", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (500, "text/html")
    for text in ("Something went wrong on this server", "Try again", 'href="/"'):
        assert text in page.text
    answer = home.client.get("/failing")
    assert answer.status_code == 500
    assert answer.json["error"] == "This request failed because of an internal error"
    for text in (page.text, answer.text):
        assert "not for strangers" not in text
        assert "ZeroDivisionError" not in text


def test_a_script_at_a_page_gets_json(mixed: Home) -> None:
    answer = mixed.client.get("/cameras/99", headers={"Accept": "*/*"})
    assert answer.status_code == 404
    assert set(answer.json) == {"error", "hint"}


@pytest.mark.parametrize("event", [2**63, 2**64 - 1, 2**80, 10**40, -1, 0, 1.5, True, "1", None])
def test_a_number_that_no_event_can_have_is_no_error_of_the_program(
    mixed: Home, event: object
) -> None:
    answer = mixed.client.post("/api/undo", json={"event": event})
    assert answer.status_code == 422


@pytest.mark.parametrize("digits", [19, 30, 4000, 5000])
def test_a_page_with_a_number_that_no_event_can_have_is_404(mixed: Home, digits: int) -> None:
    assert mixed.client.post(f"/undo/{'9' * digits}").status_code == 404
