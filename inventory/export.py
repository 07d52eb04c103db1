"""Write rows as a workbook."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleet.texts import storable
from inventory.model import NEEDED

ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
"""The beginning of an escaped letter, as a spreadsheet reads it (ECMA-376, 22.9.2.19)."""


def workbook_bytes(rows: Sequence[Mapping[str, str]], above: Iterable[Sequence[str]] = ()) -> bytes:
    """Write a workbook with the three columns and all others of the rows, below the lines
    `above`. Every cell is text, also one that looks like a formula. Characters that a
    spreadsheet cannot hold are left out."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    titles = list(dict.fromkeys((*NEEDED, *(title for row in rows for title in row))))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Recorders")

    def text(value: str) -> Any:
        cell = WriteOnlyCell(sheet, value=ESCAPED.sub("_x005F_", storable(value)))
        cell.data_type = "s"
        return cell

    for line in above:
        sheet.append([text(value) for value in line])
    sheet.append([text(title) for title in titles])
    for row in rows:
        sheet.append([text(row.get(title, "")) for title in titles])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
