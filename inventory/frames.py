"""Read sheets and CSV text with pandas, as rows of text. Only the child process imports pandas.

pandas gets cells as they are (`dtype=object`, no NA), not as text: `dtype=str` would show TRUE as
"True" and a date as "2026-11-27 00:00:00".
"""

import csv
import io
import os
import warnings
from collections.abc import Iterator
from datetime import datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Any

from inventory.limits import NotReadable
from inventory.model import MAX_COLUMNS, clean_text

if TYPE_CHECKING:
    from pandas import ExcelFile
    from python_calamine import CalamineSheet

BATCH = 1000
"""Rows per data frame: a cell far from the others makes all rows of the frame long."""
SAVE_AGAIN = "Save it again from the spreadsheet program, as CSV UTF-8 or .xlsx."
MIDNIGHT = time()
READ_OPTIONS: dict[str, Any] = {
    "header": None,
    "dtype": object,
    "keep_default_na": False,
    "na_filter": False,
}


def use_one_thread() -> None:
    """Limit OpenBLAS to one thread; call it before pandas is imported. Memory for a thread on
    each core could be more than the child may use."""
    os.putenv("OPENBLAS_NUM_THREADS", "1")


def open_workbook(data: bytes) -> "ExcelFile":
    """Open a workbook. Raises python_calamine.CalamineError."""
    import pandas

    return pandas.ExcelFile(io.BytesIO(data), engine="calamine")


def sheet_rows(sheet: "CalamineSheet") -> Iterator[tuple[int, list[str]]]:
    """Read the rows with content, by number from 1: texts from the first column that has any.

    pandas gets what calamine has read already, as `read_excel` would read the sheet again.
    """
    import pandas

    rows, number = sheet.iter_rows(), 1
    while batch := [row[:MAX_COLUMNS] for row in islice(rows, BATCH)]:
        frame = pandas.DataFrame(batch, range(number, number + len(batch)), dtype=object)
        number += len(batch)
        is_filled = frame.ne("")
        filled = frame[is_filled.any(axis=1)]
        # Most cells of a sheet may be empty, and need not be made texts.
        columns = [
            [clean_text(as_text(value)) for value in column] if is_used else column
            for is_used, (_, column) in zip(is_filled.any(), filled.items(), strict=True)
        ]
        yield from zip(filled.index.tolist(), map(list, zip(*columns, strict=True)), strict=True)


def text_rows(text: str, divider: str, most: int) -> list[list[str]]:
    """Read the first `most` lines of a CSV text. Raises NotReadable for unclosed quotes."""
    import pandas

    lines = _CountedLines(text)
    options = {**READ_OPTIONS, "names": range(_width(text, divider)), "index_col": False}
    try:
        with warnings.catch_warnings():
            # What is right of the last column is left out, as in a workbook.
            warnings.simplefilter("ignore", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                lines, sep=divider, engine="python", skip_blank_lines=False, nrows=most, **options
            )
    except pandas.errors.EmptyDataError:
        return []
    except (pandas.errors.ParserError, csv.Error) as error:
        raise NotReadable(
            f"Line {lines.count} of the CSV file cannot be read ({error})", SAVE_AGAIN
        ) from error
    # A line that ends early has no text there, not even an empty one.
    return [
        [cell for cell in row if isinstance(cell, str)]
        for row in frame.itertuples(index=False, name=None)
    ]


def _width(text: str, divider: str) -> int:
    """The number of columns of the longest line: pandas needs it at the start."""
    most = max((line.count(divider) for line in text.splitlines()), default=0)
    return min(most + 1, MAX_COLUMNS)


class _CountedLines(io.StringIO):
    """A text that counts the lines read from it."""

    def __init__(self, text: str) -> None:
        super().__init__(text, newline="")
        self.count = 0

    def __next__(self) -> str:  # type: ignore[override]
        line = super().__next__()
        self.count += 1
        return line


def as_text(value: Any) -> str:
    """Convert a cell to text as a sheet shows it: 123456 for 123456.0, TRUE for True, a day
    without a time. Texts keep their leading zeros."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == MIDNIGHT:
        return str(value.date())
    return str(value)
