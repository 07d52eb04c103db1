"""Serial numbers as people type them."""

import re

from fleet.texts import name_of

SERIAL = re.compile(r"[A-Za-z0-9_-]{4,32}")


def clean_serial(text: str) -> str | None:
    """A serial as it was typed, without what Excel adds; None when it cannot be one."""
    serial = name_of(text).replace(" ", "").removesuffix(".0")
    return serial if SERIAL.fullmatch(serial) else None
