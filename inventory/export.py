"""Write rows as a workbook."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from fleet.texts import storable
from inventory.model import NEEDED

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""The media type of a workbook."""
ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
"""The beginning of an escaped letter, as a spreadsheet reads it (ECMA-376, 22.9.2.19)."""


def workbook_bytes(rows: Sequence[Mapping[str, str]], above: Iterable[Sequence[str]] = ()) -> bytes:
    """Write a workbook with the three columns and all others of the rows, below the lines
    `above`."""
    titles = list(dict.fromkeys((*NEEDED, *(title for row in rows for title in row))))
    lines = ([row.get(title, "") for title in titles] for row in rows)
    return sheet_bytes("Recorders", chain(above, [titles], lines))


def sheet_bytes(name: str, lines: Iterable[Sequence[str]]) -> bytes:
    """Write a workbook of one sheet. Every cell is text, also one that looks like a formula.
    Characters that a spreadsheet cannot hold are left out."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(name)

    def text(value: str) -> Any:
        cell = WriteOnlyCell(sheet, value=ESCAPED.sub("_x005F_", storable(value)))
        cell.data_type = "s"
        return cell

    for line in lines:
        sheet.append([text(value) for value in line])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
