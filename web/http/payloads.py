"""JSON requests and responses of the API: parse bodies and queries by model, and describe them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from flask import Flask, Response, current_app, request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from web.http.errors import HttpError, answer

Body = TypeVar("Body", bound=BaseModel)
Route = TypeVar("Route", bound=Callable[..., Any])
MAX_BYTES = 1 << 20
API = "/api/", "/v0/api/"
"""How the paths begin of requests of programs, not of pages."""
# `defer_build` below: a validator is built at its first use, which keeps 2 MB and the start short.


class Strict(BaseModel):
    """A request body or query: unknown keys are refused by name, types are not converted."""

    model_config = ConfigDict(defer_build=True, extra="forbid", strict=True, str_max_length=10_000)


class SentBack(BaseModel):
    """A body that may also have what an answer has beside its fields: a client may read, change a
    value, and send everything back. What cannot be changed has no effect."""

    @classmethod
    def shown(cls) -> Collection[str]:
        """The keys of the answer."""
        raise NotImplementedError

    @model_validator(mode="before")
    @classmethod
    def _without_read_only(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        ignored = {*cls.shown()} - cls.model_fields.keys()
        return {key: item for key, item in value.items() if key not in ignored}


class Query(BaseModel):
    """A query string: everything arrives as text. Unknown keys are refused by name."""

    model_config = ConfigDict(defer_build=True, extra="forbid", str_max_length=200)


def _written_out(value: object) -> object:
    """Require a time as ISO 8601 text: a number could be seconds or milliseconds.

    Raises ValueError."""
    is_iso = isinstance(value, str) and value[:4].isdecimal() and value[4:5] == "-"
    if not is_iso and not isinstance(value, datetime):
        raise ValueError("a time in ISO 8601 with offset such as 2026-11-27T09:12:00Z")
    return value


def _plausible(at: datetime) -> datetime:
    if not 1970 <= at.year <= 9000:
        raise ValueError("a time between 1970 and 9000")
    return at


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_plausible)]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotation that limits a text to the values of a table, as Literal does for fixed ones."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


def lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def describes(
    *,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    answer: Any = None,
    media: tuple[str, ...] = ("application/json",),
    errors: tuple[int, ...] = (),
    status: int = 200,
    security: tuple[str, ...] | None = None,
) -> Callable[[Route], Route]:
    """The OpenAPI description of the route, besides its docstring.

    `security` names a scheme of web.http.openapi; by default it follows from the route's action.
    """

    def mark(route: Route) -> Route:
        route.description = {  # type: ignore[attr-defined]
            "body": body,
            "query": query,
            "answer": answer,
            "media": media,
            "errors": errors,
            "status": status,
            "security": security,
        }
        return route

    return mark


def register(app: Flask) -> None:
    app.before_request(_check_parameters)


def _check_parameters() -> Response | None:
    """Refuse unknown parameters: the client would believe that an ignored one has an effect."""
    view = current_app.view_functions.get(request.endpoint or "")
    described = getattr(view, "description", None)
    if not request.args or described is None or not request.path.startswith(API):
        return None
    model = described["query"]
    fields = model.model_fields.items() if model else ()
    known = [field.alias or name for name, field in fields]
    unknown = [name for name in request.args if name not in known]
    if not unknown:
        return None
    route = f"{request.method} {request.path}"
    hint = f"Parameters of {route}: {', '.join(known) or 'none'}."
    error = "; ".join(f"{name[:40]}: unknown parameter" for name in unknown[:5])
    return answer(422, error, hint, unknown[0])


def json_body(model: type[Body]) -> Body:
    """The request's body. Raises HttpError (400, 415) or ValidationError (422)."""
    if request.mimetype != "application/json":
        raise HttpError(
            415,
            "The Content-Type of the body is not JSON",
            "Send the header Content-Type: application/json.",
        )
    try:
        raw = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise HttpError(
            400, f"The body is not valid JSON: {error}", "Send one JSON object."
        ) from None
    return model.model_validate(raw)


def query_args(model: type[Body]) -> Body:
    """The request's query string. Raises ValidationError (422)."""
    return model.model_validate(request.args.to_dict())


def json_response(body: Any, status: int = 200) -> Response:
    """`body` as JSON."""
    return Response(orjson.dumps(body), status, mimetype="application/json")
