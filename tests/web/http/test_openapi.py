"""The description of the API says what is there, and what is said is so."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from accounts.model import LEVELS, ROLES, SCOPES
from fleet import status
from tests.home import Home
from tests.web.browser import Browser
from web.api.users import NewGrant

METHODS = {"get", "post", "put", "patch", "delete"}
NOT_API = {"/", "/api/docs"}
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@pytest.fixture(scope="module")
def document(mixed: Home) -> Any:
    answer = mixed.client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    return answer.json


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def walk(value: Any) -> Iterator[Any]:
    yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from walk(child)


def resolve(reference: str, document: Any) -> Any:
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def misfits(value: Any, schema: Any, document: Any, where: str = "the answer") -> list[str]:
    """Where `value` is not as the schema says; keys that it does not name are misfits too."""
    if "$ref" in schema:
        return misfits(value, resolve(schema["$ref"], document), document, where)
    if "anyOf" in schema:
        tries = [misfits(value, choice, document, where) for choice in schema["anyOf"]]
        return min(tries, key=len)
    if value not in schema.get("enum", [value]):
        return [f"{where} is {value!r}, not one of {schema['enum']}"]
    kind = schema.get("type")
    if kind and type(value) not in KINDS[kind]:
        return [f"{where} is {value!r}, not {kind}"]
    if isinstance(value, list) and "items" in schema:
        parts = [misfits(item, schema["items"], document, f"{where}[]") for item in value]
        return [misfit for part in parts for misfit in part]
    if isinstance(value, dict) and "properties" in schema:
        return _object_misfits(value, schema, document, where)
    return []


def _object_misfits(value: Any, schema: Any, document: Any, where: str) -> list[str]:
    known = schema["properties"]
    faults = [f"{where} lacks {key}" for key in schema.get("required", []) if key not in value]
    faults += [f"{where} has {key}, which is not described" for key in value if key not in known]
    for key in value.keys() & known.keys():
        faults += misfits(value[key], known[key], document, f"{where}.{key}")
    return faults


def test_the_document_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert set(document) == {"openapi", "info", "servers", "security", "paths", "components"}
    assert all(document["info"][key] for key in ("title", "version", "description"))
    for path, methods in document["paths"].items():
        assert path.startswith("/")
        assert methods
        assert set(methods) <= METHODS


def test_every_api_route_is_described_and_nothing_else(mixed: Home, document: Any) -> None:
    """A route with two paths is described once, under the first."""
    firsts: dict[tuple[str, str], Any] = {}
    for rule in sorted(mixed.app.url_map.iter_rules(), key=lambda rule: rule.rule):
        for method in rule.methods or ():
            firsts.setdefault((rule.endpoint, method), rule)
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for (_endpoint, route_method), rule in firsts.items()
        for method in {route_method} - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/v0/", "/openapi", "/metrics", "/healthz", "/readyz"))
    }
    described = {(method, path) for method, path, _operation in operations(document)}
    assert described == {route for route in routes if route[1] not in NOT_API}


def test_every_operation_says_what_it_does_under_an_id_of_its_own(document: Any) -> None:
    every = [operation for _method, _path, operation in operations(document)]
    ids = Counter(operation["operationId"] for operation in every)
    assert [id for id, number in ids.items() if number > 1] == []
    assert all(re.fullmatch(r"[a-z_]+", id) for id in ids)
    assert all(operation["summary"] and operation["tags"] for operation in every)
    assert all({"200", "201"} & set(operation["responses"]) for operation in every)


def test_parameters_are_those_of_the_path_and_of_the_query(document: Any) -> None:
    for _method, path, operation in operations(document):
        given = operation["parameters"]
        assert len({(parameter["name"], parameter["in"]) for parameter in given}) == len(given)
        in_path = {parameter["name"] for parameter in given if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(
            parameter["required"] is True for parameter in given if parameter["in"] == "path"
        )
        assert {parameter["in"] for parameter in given} <= {"path", "query"}
        assert all(
            parameter["schema"].keys() & {"type", "anyOf", "$ref", "enum"} for parameter in given
        )


def test_every_reference_leads_somewhere(document: Any) -> None:
    references = [
        node["$ref"] for node in walk(document) if isinstance(node, dict) and "$ref" in node
    ]
    assert references
    for reference in references:
        assert resolve(reference, document)["type"] == "object", reference


def test_every_answer_has_a_description_and_errors_have_one_shape(document: Any) -> None:
    for _method, _path, operation in operations(document):
        for code, answer in operation["responses"].items():
            assert re.fullmatch(r"[2-5]\d\d", code)
            assert answer["description"]
            for media, content in answer["content"].items():
                is_error = int(code) >= 400 and media == "application/json"
                if is_error:
                    assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
    error = document["components"]["schemas"]["ErrorBody"]
    assert set(error["properties"]) == set(error["required"]) == {"error", "hint"}


def test_what_every_get_answers_is_as_described(mixed: Home, document: Any) -> None:
    for method, path, operation in operations(document):
        if method != "get":
            continue
        answer = mixed.client.get(path.replace("{key}", "1"))
        content = operation["responses"][str(answer.status_code)]["content"]
        assert answer.mimetype in content, f"{path} answers {answer.status_code} {answer.mimetype}"
        if answer.mimetype == "application/json":
            assert misfits(answer.json, content[answer.mimetype]["schema"], document) == [], path


def test_lists_by_pages_are_as_described_too(mixed: Home, document: Any) -> None:
    schema = {"$ref": "#/components/schemas/CameraList"}
    body = mixed.client.get("/api/cameras?page=1&per_page=2").json
    assert misfits(body, schema, document) == []


def test_the_checker_of_these_tests_sees_what_does_not_fit(document: Any) -> None:
    schema = {"$ref": "#/components/schemas/ErrorBody"}
    assert misfits({"error": "x", "hint": "y"}, schema, document) == []
    assert misfits({"error": "x"}, schema, document)
    assert misfits({"error": "x", "hint": 5}, schema, document)
    assert misfits({"error": "x", "hint": "y", "more": 1}, schema, document)
    assert misfits(True, {"type": "integer"}, document)


def test_that_events_can_be_streamed_is_described(document: Any) -> None:
    content = document["paths"]["/api/events"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/event-stream"}


def test_every_query_parameter_is_taken_as_described(mixed: Home, document: Any) -> None:
    for method, path, operation in operations(document):
        if any(parameter["required"] for parameter in operation["parameters"]):
            continue
        for parameter in operation["parameters"]:
            if (
                method == "get"
                and parameter["in"] == "query"
                and parameter["schema"].get("default") is not None
            ):
                value = str(parameter["schema"]["default"]).lower()
                answer = mixed.client.get(
                    path.replace("{key}", "1"), query_string={parameter["name"]: value}
                )
                # 409: the first camera has no stream.
                assert answer.status_code in (200, 409), f"{path}?{parameter['name']}={value}"


BAD_BODIES = {
    400: (b"{", "application/json"),
    413: (b" " * (9 << 20), "application/json"),
    415: (b"{}", "text/plain"),
    422: (b'{"no such key": 1}', "application/json"),
}


@pytest.mark.parametrize("status", BAD_BODIES)
def test_what_a_bad_body_is_answered_is_described(mixed: Home, document: Any, status: int) -> None:
    body, kind = BAD_BODIES[status]
    for method, path, operation in operations(document):
        if "requestBody" in operation:
            url = re.sub(r"{\w+}", "1", path)
            answer = mixed.client.open(url, method=method.upper(), data=body, content_type=kind)
            assert answer.status_code == status, path
            assert str(status) in operation["responses"], f"{path} does not describe {status}"


def test_what_must_be_written_says_that_the_disk_may_be_full(document: Any) -> None:
    writing = {"device.edit", "fleet.clean", "scan.automatic"}
    for method, path, operation in operations(document):
        if operation.get("x-action") in writing:
            assert "507" in operation["responses"], f"{method} {path}"


def test_it_says_how_to_log_in_and_where_nobody_must(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {
        "bearer": "http",
        "basic": "http",
        "session": "apiKey",
        "refresh": "http",
    }
    open_routes = {
        path for _method, path, operation in operations(document) if operation["security"] == []
    }
    # The last one is signed.
    shared = "/api/recordings/{id}/shared.mp4"
    assert open_routes == {"/api/auth/login", "/healthz", "/readyz", shared}
    for _method, path, operation in operations(document):
        accepted = {name for requirement in operation["security"] for name in requirement}
        if path == "/api/auth/refresh":
            assert accepted == {"refresh"}
        elif path not in open_routes:
            assert accepted == {"bearer", "basic", "session"}, path
    assert document["servers"][0]["url"] == "/"


def test_an_edit_has_no_default_that_would_empty_what_is_left_out(document: Any) -> None:
    bodies = [
        resolve(content["schema"]["$ref"], document)
        for _method, _path, operation in operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(bodies) > 10
    for body in bodies:
        assert all(part.get("default", "") is not None for part in body["properties"].values())


def test_a_parameter_that_must_be_there_is_described_so(mixed: Home, document: Any) -> None:
    (site,) = document["paths"]["/api/search"]["get"]["parameters"]
    assert site["required"] is True
    assert mixed.client.get("/api/search").status_code == 422
    for _method, _path, operation in operations(document):
        for parameter in operation["parameters"]:
            assert {"type": "null"} not in parameter["schema"].get("anyOf", [])
            assert parameter["schema"].get("default", "") is not None


@pytest.mark.parametrize(
    ("model", "field", "words"),
    [
        ("CameraRow", "status", status.NAMES),
        ("NewUser", "role", ROLES),
        ("UserRow", "role", ROLES),
        ("NewToken", "scope", SCOPES),
        ("NewGrant", "level", LEVELS),
        ("GrantRow", "level", LEVELS),
    ],
)
def test_words_of_a_fixed_set_are_listed(
    document: Any, model: str, field: str, words: tuple[str, ...]
) -> None:
    assert document["components"]["schemas"][model]["properties"][field]["enum"] == list(words)


def test_the_patterns_are_those_that_are_enforced(mixed: Home, document: Any) -> None:
    schemas = document["components"]["schemas"]
    hours = schemas["NewGrant"]["properties"]["hours"]["anyOf"][0]["pattern"]
    mac = schemas["CameraRow"]["properties"]["mac_address"]["anyOf"][0]["pattern"]
    for text, fits in (("08:00-18:00", True), ("8-18", False), ("24:00-25:00", False)):
        assert bool(re.search(hours, text)) is fits
        if fits:
            assert NewGrant(level="view", device=1, hours=text)
        else:
            with pytest.raises(ValidationError):
                NewGrant(level="view", device=1, hours=text)
    macs = [row["mac_address"] for row in mixed.client.get("/api/cameras").json["cameras"]]
    assert any(macs)
    assert all(re.search(mac, text) for text in macs if text)


def test_the_longest_texts_are_described_as_they_are(mixed: Home, document: Any) -> None:
    change = document["components"]["schemas"]["Change"]["properties"]
    for field in ("name", "notes", "site"):
        most = next(
            choice["maxLength"] for choice in change[field]["anyOf"] if "maxLength" in choice
        )
        edited = mixed.client.patch("/api/camera/1", json={field: "x" * most})
        mixed.client.post("/api/undo", json={"event": edited.json.get("undo")})
        assert edited.status_code == 200, f"{field} of {most}: {edited.text}"


def test_the_page_of_the_api_reads_every_route_out_and_asks_no_other_host(
    mixed: Home, document: Any
) -> None:
    page = Browser(mixed.client).visit("/api/docs")
    titles = {title.text for title in page.find("h2")}
    assert titles == {f"{method.upper()} {path}" for method, path, _one in operations(document)}
    for _method, _path, operation in operations(document):
        assert operation["summary"] in page.text
    for element in page.all():
        for name in ("href", "src", "action", "data", "srcset"):
            target = element.get(name)
            assert target.startswith(("/", "#")) or not target, f"<{element.tag}> leads to {target}"
            assert not target.startswith("//")
    assert not page.find("style")
