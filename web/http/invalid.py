"""Explain an invalid value in plain words: what it must be."""

from collections.abc import Mapping
from typing import Any

A_TIME = "must be a time with offset such as 2026-11-27T09:12:00Z"
ERROR_TEXTS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "string_type": "must be text",
    "string_unicode": "contains invalid characters",
    "string_pattern_mismatch": "contains characters that are not allowed",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "date_type": "must be a date such as 2026-11-27",
    "date_parsing": "must be a date such as 2026-11-27",
    "date_from_datetime_parsing": "must be a date such as 2026-11-27",
    "time_type": "must be a time of day such as 09:30",
    "time_parsing": "must be a time of day such as 09:30",
    "datetime_type": A_TIME,
    "datetime_parsing": A_TIME,
    "datetime_from_date_parsing": A_TIME,
    "datetime_object_invalid": A_TIME,
    "timezone_aware": A_TIME,
}
"""By the type of a pydantic error; the names in braces come from its context."""


def wording(error: Mapping[str, Any]) -> str:
    """The sentence about an invalid value, from one error of a ValidationError."""
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    text = ERROR_TEXTS.get(str(error["type"]), "is not valid").format_map(error.get("ctx", {}))
    # 1 character, 1 entry
    return text.replace(" 1 characters", " 1 character").replace(" 1 entries", " 1 entry")
