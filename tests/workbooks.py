"""Workbooks for tests, as Excel writes them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import openpyxl

TITLES = ("P2P NUMBER", "SITE", "STORE NAME")


def write(path: Path, rows: Iterable[Sequence[Any]], titles: Sequence[str] = TITLES) -> Path:
    """A workbook with one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (titles, *rows):
        sheet.append(list(row))
    book.save(path)
    return path
