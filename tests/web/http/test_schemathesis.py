"""What /openapi.json says holds for whatever is sent: statuses, types, shapes, and no 500."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.accounts.people import PASSWORD, add
from tests.home import Clock, Home
from tests.web import roles
from tests.web.closed import API, NOBODY, OWN, STREAM, Visitor, bearer, body_of, monitor_of_two
from tests.web.roles import TABLE

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ALIASES = ("/v0/api/cctv/schedules",)
"""Second paths of requests that are described under /api/."""


def described_path(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


OPERATIONS = [
    (method, described_path(rule))
    for method, rule in TABLE
    if rule.startswith(API) and rule != "/api/docs" and not rule.startswith(ALIASES)
]
ENDLESS = [("GET", described_path(rule)) for rule in roles.ENDLESS if rule.startswith(API)]
"""Live video: what is tried is read to its end, and these have none while a tile waits for its
camera. Their refusals are tried by themselves; tests/web/api/test_live.py reads the rest."""
TRIED = [operation for operation in OPERATIONS if operation not in ENDLESS]
TAKEN = ("/stills", "/stills/newest", "/references", "/expected", "/check")
"""Ends of paths that take a picture: of a device without one, as a silent camera takes half a
minute, and is no error of the server."""
KEYLESS = ("/api/auth/login", "/api/auth/refresh")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made, _ask = monitor_of_two(tmp_path_factory.mktemp("schema"), Clock())
    yield made
    made.close()


@pytest.fixture(scope="module")
def document(home: Home) -> Any:
    return body_of(Visitor(home, chief(home)).get("/openapi.json"))


def chief(home: Home) -> dict[str, str]:
    """The header of an administrator; what is tried may remove anybody."""
    authenticator = home.monitor.authenticator
    user = authenticator.accounts.by_name("Chief") or add(authenticator.accounts, "Chief", "admin")
    session = authenticator.accounts.begin_session(user, "script", "127.0.0.1", "")[0]
    # Its client asks for gzip and cannot unpack it.
    return {
        **bearer(authenticator.jwt_tokens.access(session.digest)),
        "Accept-Encoding": "identity",
    }


def real(home: Home, path: str) -> tuple[dict[str, str], dict[str, Any] | None]:
    """Path and body that lead somewhere, which made-up ones seldom do."""
    accounts, count = (
        home.monitor.authenticator.accounts,
        home.monitor.authenticator.accounts.snapshot.revision,
    )
    user = add(accounts, f"Guest {count}", "viewer")
    owner = accounts.by_name("Chief") if path.startswith("/api/tokens") else user
    assert owner is not None
    for old in [token for token in accounts.snapshot.tokens.values() if token.user == owner.id]:
        accounts.revoke_token(old.id)  # a user has a limited number of them
    token = accounts.add_token(owner.id, "script", "read")[0].id
    grant = accounts.grant(user.id, "view", device=OWN).id
    if not home.monitor.tracker.devices():
        home.scan()  # What is tried may delete a device, which is then a new one.
    numbers = sorted(home.monitor.tracker.devices())
    first, second = numbers[0], numbers[-1]
    names = {
        "key": str(first),
        "id": str(token if path.startswith("/api/tokens") else user.id),
        "number": str(token if "tokens" in path else grant),
        "name": "tick",
        "date": "2026-03-01",
    }
    chief_visits = Visitor(home, chief(home))
    schedule = {"name": "Night", "camera": first, "schedule_type": "continuous", "timezone": "UTC"}
    if path.startswith("/api/schedules/"):
        names["id"] = str(chief_visits.ask("POST", "/api/schedules", json=schedule).json["id"])
    camera = chief_visits.ask("PATCH", f"/api/camera/{first}", json={"name": f"{count}"})
    if path.startswith("/api/cameras/{key}/") and path.endswith(TAKEN):
        lamp = {"name": f"Lamp {count}", "ip_address": "127.20.0.77", "device_type": "other"}
        for old in home.monitor.tracker.devices().values():
            if old.name and old.name.startswith("Lamp"):
                chief_visits.ask("DELETE", f"/api/devices/{old.id}")
        names["key"] = str(chief_visits.ask("POST", "/api/devices", json=lamp).json["device"]["id"])
    bodies: dict[str, dict[str, Any]] = {
        "/api/auth/login": {"username": "Chief", "password": PASSWORD},
        "/api/auth/password": {"current": PASSWORD, "password": PASSWORD},
        "/api/schedules": schedule,
        "/api/schedules/{id}/undo": {"revision": 1},
        "/api/users": {"username": f"New {count}", "password": PASSWORD},
        "/api/users/{id}/grants": {"level": "view", "device": OWN, "hours": "08:00-18:00"},
        "/api/camera/{key}/merge": {"with": second},
        "/api/camera/{key}/split": {"identities": ["mac:d4:2d:c5:00:00:02"]},
        "/api/undo": {"event": body_of(camera)["undo"]},
        "/api/tokens": {"name": "script", "devices": [OWN]},
    }
    return {name: names[name] for name in names if f"{{{name}}}" in path}, bodies.get(path)


def test_every_operation_is_tried(document: Any) -> None:
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == set(OPERATIONS)
    assert described == {*TRIED, *ENDLESS}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    ("method", "path"), TRIED, ids=[" ".join(operation) for operation in TRIED]
)
def test_every_answer_is_as_described(
    home: Home, document: Any, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(document)[path][method]
    has_values = bool(operation.query or operation.body)
    if mode is GenerationMode.NEGATIVE and not has_values:
        return  # whatever stands in a path is text

    @given(case=operation.as_strategy(generation_mode=mode), is_real=st.booleans())
    @settings(
        max_examples=20 if has_values else 5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def is_as_described(case: Case, is_real: bool) -> None:
        if is_real:
            case.path_parameters, body = real(home, path)
            case.body = (
                body if body and mode is GenerationMode.POSITIVE and case.body else case.body
            )
        answer = case.call(app=home.app, headers=chief(home))
        assert path in KEYLESS or answer.status_code != 401
        case.validate_response(answer, checks=CHECKS)

    is_as_described()


def test_the_event_stream_that_ends_is_as_described(home: Home, document: Any) -> None:
    operation = schemathesis.openapi.from_dict(document)["/api/events"]["GET"]
    case = operation.Case(query={"for": 1}, headers=STREAM)
    answer = case.call(app=home.app, headers=chief(home))
    assert answer.status_code == 200
    assert answer.content.startswith(b"retry: 3000\n\n")
    case.validate_response(answer, checks=CHECKS[:3])


@pytest.mark.parametrize("path", [path for _method, path in ENDLESS])
def test_the_refusals_of_live_video_are_as_described(home: Home, document: Any, path: str) -> None:
    operation = schemathesis.openapi.from_dict(document)[path]["GET"]
    keys, _body = real(home, path)
    wrong = {"quality": "x"} if keys else {"tiles": "x"}
    nobody = dict.fromkeys(keys, str(NOBODY))
    for parameters, query, status in ((keys, wrong, 422), (nobody, {}, 404 if keys else 422)):
        case = operation.Case(path_parameters=parameters, query=query)
        answer = case.call(app=home.app, headers=chief(home))
        assert answer.status_code == status
        case.validate_response(answer, checks=CHECKS)
