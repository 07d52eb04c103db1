"""The order in which people read names: 2 before 10, whatever the case."""

import re
from functools import lru_cache

Key = tuple[str | tuple[int, str], ...]
FIRST = (0, "")
"""The part of a key that comes before any number but zero."""
_NUMBER = re.compile(r"([0-9]+)")


@lru_cache(maxsize=32_768)
def natural_key(text: str) -> Key:
    """The sort key of a text: its numbers by value, however long, the rest without case."""
    parts = _NUMBER.split(text.casefold())
    return tuple(_number(part) if place % 2 else part for place, part in enumerate(parts))


def _number(digits: str) -> tuple[int, str]:
    """A number that compares by value; Python refuses to read thousands of digits."""
    significant = digits.lstrip("0")
    return len(significant), significant
