"""The journal by API: by device, kind and time, page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.home import Home
from tests.web.conftest import fill

Make = Callable[..., Home]
KEYS = {"id", "at", "kind", "device", "text", "before", "after"}


@pytest.fixture(scope="module")
def home(home_with_events: Home) -> Home:
    return home_with_events


def asked(home: Home, query: str) -> Any:
    answer = home.client.get(f"/api/events?{query}")
    assert answer.status_code == 200, answer.text
    body = answer.json
    assert set(body) == {"events", "count", "next"}
    assert all(set(event) == KEYS for event in body["events"])
    assert body["count"] == len(body["events"])
    return body


def ids(home: Home, query: str) -> list[int]:
    return [event["id"] for event in asked(home, query)["events"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("device=1", [5, 3, 1]),
        ("device=99", []),
        ("kind=device.found", [2, 1]),
        ("kind=device.found,device.offline", [3, 2, 1]),
        ("kind=device.", [5, 4, 3, 2, 1]),
        ("kind=finding.", []),
        ("kind=device", []),
        ("kind=%25.", []),
        ("device=1&kind=device.offline", [3]),
        ("after=2", [3, 4, 5]),
        ("before=3", [2, 1]),
        ("limit=2", [5, 4]),
        ("after=0&limit=2", [1, 2]),
        ("since=2026-03-01T12:01:00Z", [5, 4, 3]),
        ("until=2026-03-01T12:01:00Z", [2, 1]),
        ("since=2026-03-01T14:01:00%2B02:00", [5, 4, 3]),
    ],
)
def test_events_are_found_by_device_kind_time_and_number(
    home: Home, query: str, expected: list[int]
) -> None:
    assert ids(home, query) == expected


def test_an_event_says_what_when_and_to_whom(home: Home) -> None:
    offline = asked(home, "kind=device.offline")["events"][0]
    assert offline == {
        "id": 3,
        "at": "2026-03-01T13:00:02+00:00",
        "kind": "device.offline",
        "device": 1,
        "text": "Gate is offline: no response to 6 requests on lo",
        "before": {"status": "ACTIVE"},
        "after": {
            "status": "OFFLINE",
            "reason": "no response to 6 requests on lo",
            "misses": 1,
            "source": "panasonic",
        },
    }


@pytest.mark.parametrize(("key", "start"), [("before", "1000000"), ("after", "0")])
def test_pages_one_after_the_other_hold_every_event_once(
    make_home: Make, key: str, start: str
) -> None:
    home = make_home()
    fill(home, 25)
    home.events()
    numbers: list[int] = []
    following: object = start
    while following is not None:
        page = asked(home, f"limit=10&{key}={following}")
        numbers += [event["id"] for event in page["events"]]
        following = page["next"]
    assert sorted(numbers) == list(range(1, 26))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", "0"),
        ("device", "x"),
        ("device", "99999999999"),
        ("since", "yesterday"),
        ("until", "0.5"),
        ("until", "0.5e-1"),
        ("until", "1764234720"),
        ("since", "2026-03-01T12:00:00"),
        ("since", "0001-01-01T00:00:00%2B14:00"),
        ("until", "9999-12-31T23:59:59-12:00"),
        ("after", "-1"),
        ("after", "9" * 30),
        ("before", "0"),
        ("limit", "0"),
        ("limit", "1001"),
        ("for", "0"),
        ("for", "x"),
        ("kind", "a" * 201),
        ("kind", "%00"),
        ("colour", "1"),
        ("follow", "1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(home: Home, name: str, value: str) -> None:
    for accept in ("*/*", "text/event-stream"):
        answer = home.client.get(f"/api/events?{name}={value}", headers={"Accept": accept})
        assert answer.status_code == 422
        assert answer.json["error"].startswith(f"{name}: ")
