"""Count what a workbook contains besides its recorders, to report what an upload loses."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from inventory.model import Contents, RecorderSheet
from inventory.xlsx_parts import PIECE, Sheet, sheets_of

PARTS = {
    "pictures": "xl/media/",
    "charts": "xl/charts/chart",
    "pivot tables": "xl/pivotTables/",
    "macros": "xl/vbaProject.bin",
}
"""Objects that are parts of the file, by the beginning of the part's name."""
COMMENTS = ("xl/comments", "xl/threadedComments/")
ELEMENTS = {
    "formulas": b"f",
    "links": b"hyperlink",
    "drop-down lists": b"dataValidation",
    "conditional formats": b"conditionalFormatting",
    "column widths": b"col",
}
"""Objects that are elements of the sheet."""
LONGEST_NAME = 32
"""Bytes of the longest of these tags, with room for a prefix."""


def contents_of(data: bytes, table: RecorderSheet) -> Contents:
    """Count the contents of a file; `table` is its list of recorders."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        names = packed.namelist()
        objects = {
            kind: sum(name.startswith(begin) for name in names) for kind, begin in PARTS.items()
        }
        try:
            sheets = sheets_of(packed)
            objects |= _elements(packed, sheets, table.sheet)
        except (KeyError, ValueError, zlib.error, zipfile.BadZipFile):
            sheets = []
        comments = [name for name in names if name.startswith(COMMENTS)]
        objects["comments"] = sum(_count(packed, comment, b"comment") for comment in comments)
        objects["cell formats"] = max(0, _count(packed, "xl/styles.xml", b"xf") - 2)
    others = [sheet.name for sheet in sheets if sheet.name != table.sheet]
    return Contents(
        table.filled(), others, {kind: number for kind, number in objects.items() if number}
    )


def _elements(packed: zipfile.ZipFile, sheets: list[Sheet], name: str) -> dict[str, int]:
    part = next(sheet.part for sheet in sheets if sheet.name == name)
    return {kind: _count(packed, part, tag) for kind, tag in ELEMENTS.items()}


def _count(packed: zipfile.ZipFile, part: str, tag: bytes) -> int:
    """Count the elements of that name in a part; 0 for a missing part."""
    if part not in packed.namelist():
        return 0
    opening = re.compile(rb"<(?:[\w.-]{1,20}:)?" + tag + rb"[\s/>]")
    return sum(len(opening.findall(piece)) for piece in _overlapping(packed, part))


def _overlapping(packed: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Read the part in pieces that end between tags."""
    rest = b""
    with packed.open(part) as file:
        while piece := file.read(PIECE):
            whole, cut, rest = (rest + piece).rpartition(b"<")
            yield whole
            rest = (cut + rest)[:PIECE]
    yield rest
