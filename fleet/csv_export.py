"""Write rows as CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def cell(value: object) -> str:
    """A value for a table file. What a spreadsheet would run as a formula gets a quote."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def as_csv(rows: Iterable[Row], keys: Sequence[str]) -> str:
    """Write rows with a header; a cell that a spreadsheet would run as a formula gets a quote."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        writer.writerow([cell(row[key]) for key in keys])
    return out.getvalue()
