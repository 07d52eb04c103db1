"""The OpenAPI description of the API, made from the routes, and the page that shows it."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from web.http.authentication import COOKIE
from web.http.authorization import action_of, needs
from web.http.payloads import describes, json_response
from web.http.shapes.errors import ErrorBody

bp = Blueprint("openapi", __name__)
REF = "#/components/schemas/{model}"
VERSION = "0.1.0"
SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token, or the access token from a login.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "User name and password, only over HTTPS or on this server.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The cookie from the login page.",
    },
    "refresh": {
        "type": "http",
        "scheme": "bearer",
        "description": "The refresh token from a login.",
    },
}
BY_DEFAULT = ("bearer", "basic", "session")
COMMON_ERRORS = {
    400: "Invalid request",
    401: "Not logged in",
    403: "No permission",
    422: "Invalid value",
    429: "Too many attempts",
    500: "Internal error",
}
ERROR_TITLES = {
    **COMMON_ERRORS,
    404: "Not found",
    409: "Conflict with the current state",
    413: "Request too large",
    415: "Content-Type is not application/json",
    416: "There are no such bytes",
    503: "Temporarily unavailable",
    507: "Insufficient storage",
}


@bp.get("/openapi.json")
@needs("docs.view")
@describes(answer=dict[str, Any])
def openapi() -> Response:
    """Get the OpenAPI description of this API."""
    return json_response(description(current_app._get_current_object()))  # type: ignore[attr-defined]


@bp.get("/api/docs")
@needs("docs.view")
def docs() -> str:
    """The API for people to read."""
    document = description(current_app._get_current_object())  # type: ignore[attr-defined]
    return render_template("docs.html", document=document)


@cache
def description(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of all routes with a description. One with several paths is there
    once, under the first in the alphabet."""
    paths: dict[str, dict[str, Any]] = {}
    ids: set[str] = set()
    schemas: dict[str, Any] = {}
    _schema(ErrorBody, schemas)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        documented = getattr(view, "description", None)
        if documented is None:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        names = re.findall(r"{(\w+)}", path)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            action = action_of(app, rule.endpoint)
            id = f"{rule.endpoint}.{method}".replace(".", "_").lower()
            if id in ids:
                continue
            ids.add(id)
            operation = _operation(id, view, documented, names, schemas, action)
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Camera Monitor",
            "version": VERSION,
            "description": "All cameras and recorders: active, moved, offline or missing.",
        },
        "servers": [{"url": "/", "description": "This server"}],
        "security": _security(BY_DEFAULT),
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SCHEMES},
    }


def _operation(
    id: str,
    view: Any,
    documented: dict[str, Any],
    names: list[str],
    schemas: dict[str, Any],
    action: str | None,
) -> dict[str, Any]:
    text = (view.__doc__ or "").strip()
    summary, _, rest = text.partition("\n")
    codes = {*documented["errors"], *((400, 403) if action is None else COMMON_ERRORS)}
    codes |= {400, 413, 415, 422, 507} if documented["body"] else set()
    is_word = action is None and documented["media"] == ("text/plain",)
    media = {
        kind: {
            "schema": {"type": "string"}
            if "event" in kind
            else _schema(documented["answer"], schemas)
        }
        for kind in documented["media"]
    }
    operation: dict[str, Any] = {
        "operationId": id,
        "summary": summary,
        "tags": [id.split("_")[0]],
        "parameters": [_path_parameter(name) for name in names] + _query(documented["query"]),
        "responses": {
            str(documented["status"]): {"description": "Success", "content": media},
            **{str(code): _error(code, is_word) for code in sorted(codes)},
        },
        "security": _security(documented["security"] or (() if action is None else BY_DEFAULT)),
    }
    if rest.strip():
        operation["description"] = " ".join(rest.split())
    if action:
        operation["x-action"] = action
    if documented["body"]:
        body = {"application/json": {"schema": _schema(documented["body"], schemas)}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _security(schemes: Iterable[str]) -> list[dict[str, list[str]]]:
    """The schemes of a route, any of which is enough; an empty list needs none."""
    return [{name: []} for name in schemes]


def _error(code: int, is_word: bool) -> dict[str, Any]:
    """The description of an error; that of /readyz is plain text."""
    if is_word and code == 503:
        return {
            "description": ERROR_TITLES[code],
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    schema = {"$ref": REF.format(model="ErrorBody")}
    return {"description": ERROR_TITLES[code], "content": {"application/json": {"schema": schema}}}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(by_alias=True)
    return [
        {
            "name": name,
            "in": "query",
            "description": property.pop("description", ""),
            "required": name in schema.get("required", ()),
            "schema": _never_null(property),
        }
        for name, property in schema["properties"].items()
    ]


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Take null out of a schema, as a query string has none."""
    if schema.get("default", ...) is None:
        del schema["default"]
    not_null = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    (kind,) = not_null or [{}]
    return {**schema, **kind}


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a type; what it names goes into the components."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        _refs, document = models_json_schema([(kind, "validation")], ref_template=REF)
        for schema in document["$defs"].values():
            _drop_null_defaults(schema)
        schemas.update(document["$defs"])
        return {"$ref": REF.format(model=kind.__name__)}
    document = TypeAdapter(kind).json_schema(ref_template=REF, mode="serialization")
    schemas.update(document.pop("$defs", {}))
    if "properties" in document:
        schemas[kind.__name__] = document
        return {"$ref": REF.format(model=kind.__name__)}
    return document


def _drop_null_defaults(schema: dict[str, Any]) -> None:
    """Drop null defaults: leaving a field out is different from null, which clears the value."""
    for property in schema.get("properties", {}).values():
        if property.get("default", ...) is None:
            del property["default"]
