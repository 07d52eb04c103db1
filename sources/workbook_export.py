"""Rows as a workbook, and a CSV file as one."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from sources.workbook_limits import NotReadable, check_length
from sources.workbook_rows import MOST_COLUMNS, MOST_ROWS, NEEDED, SITE, bare

DIVIDERS = ",;\t"


def made_of(rows: Sequence[Mapping[str, str]]) -> bytes:
    """A workbook with the three columns and all others that a row has. Every cell is text:
    what looks like a formula is none."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    titles = list(dict.fromkeys((*NEEDED, *(title for row in rows for title in row))))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Recorders")

    def text(value: str) -> Any:
        cell = WriteOnlyCell(sheet, value=value)
        cell.data_type = "s"
        return cell

    sheet.append([text(one) for one in titles])
    for row in rows:
        sheet.append([text(row.get(title, "")) for title in titles])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def is_csv(data: bytes) -> bool:
    """Whether it is text whose first line has the three titles."""
    head = data[:65536].lstrip(b"\xef\xbb\xbf\r\n ").split(b"\n", 1)[0].upper()
    return all(title.encode() in head for title in NEEDED) and b"\x00" not in head


def from_csv(data: bytes, more: Mapping[str, Mapping[str, str]]) -> bytes:
    """A CSV file as a workbook. `more` has the further columns by site: a file with only the
    three keeps them. Raises NotReadable."""
    check_length(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # as Excel writes it in the west
    head = text.lstrip().partition("\n")[0]
    divider = max(DIVIDERS, key=head.count)
    reader = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=divider, strict=True)
    try:
        titles = [bare(one) for one in next(reader)[:MOST_COLUMNS]]
        lines = [line for _number, line in zip(range(MOST_ROWS + 1), reader, strict=False)]
    except csv.Error as error:
        raise NotReadable(
            f"Line {reader.line_num} of the CSV file cannot be read ({error})",
            "Save it from the spreadsheet again, as CSV UTF-8 or as .xlsx.",
        ) from error
    known = {title: title.upper() if title.upper() in NEEDED else title for title in titles}
    rows = [
        {known[title]: bare(value) for title, value in zip(titles, line, strict=False) if title}
        for line in lines
    ]
    return made_of([{**more.get(row.get(SITE, ""), {}), **row} for row in rows])
