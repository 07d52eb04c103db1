"""Texts of a device, as a trial passes them on: bounded, and without the password."""

import itertools
from collections.abc import Mapping
from typing import Any

from store.masking import masked
from store.secret_texts import SecretTexts

MAX_TEXT, MAX_ENTRIES, MAX_DEPTH = 500, 256, 6
"""Characters of a text that a device says, entries of its lists and objects, and their levels."""


def shown(value: Any, texts: SecretTexts, depth: int = 0) -> Any:
    """A value from the device, bounded, without the password in any spelling."""
    if isinstance(value, str):
        return texts.hidden(masked(value[: 4 * MAX_TEXT]))[:MAX_TEXT]
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        entries = itertools.islice(value.items(), MAX_ENTRIES)
        return {
            texts.hidden(str(key))[:MAX_TEXT]: shown(item, texts, depth + 1)
            for key, item in entries
        }
    if isinstance(value, list | tuple):
        return [shown(item, texts, depth + 1) for item in value[:MAX_ENTRIES]]
    return value if isinstance(value, bool | int | float | None) else shown(str(value), texts)
