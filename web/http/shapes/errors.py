"""Errors as JSON."""

from typing_extensions import TypedDict


class ErrorBody(TypedDict):
    """Every error: what is wrong, and what to do next."""

    error: str
    hint: str


def error_body(error: str, hint: str) -> ErrorBody:
    return {"error": error, "hint": hint}
