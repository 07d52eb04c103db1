"""Rows as text: CSV for spreadsheets, columns for a terminal."""

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
    """With a header; a cell that a spreadsheet would run as a formula gets a quote."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        writer.writerow([cell(row[key]) for key in keys])
    return out.getvalue()


def as_table(rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> str:
    cells = [[title for _key, title in columns]]
    cells += [["" if row[key] is None else str(row[key]) for key, _t in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    lines = ("  ".join(text.ljust(widths[i]) for i, text in enumerate(line)) for line in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)
