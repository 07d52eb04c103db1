"""Rewrite one sheet of a workbook in plain cells, so that a malformed cell affects only itself.

calamine gives up a whole sheet for one cell that it does not know, and the whole file for one
odd sheet; a cell far from the others makes it ask for more memory than there is. Here a cell
that says nothing usable is left out, and so is what lies too far away. Rows are packed without
gaps: `numbers` says which they were.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)
from xml.sax.saxutils import escape  # nosec B406 (it writes, it does not read)

from inventory.model import MAX_ABOVE, MAX_COLUMNS, MAX_ROWS
from inventory.xlsx_parts import WORKBOOK, elements, local_name, parse_part, xml_parser

REFERENCE = re.compile("([A-Za-z]{1,3})([0-9]{1,7})")
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,99}(?:\.[0-9]{0,99})?|\.[0-9]{1,99})(?:[eE][+-]?[0-9]{1,3})?")
LAST_ROW = 1 << 20
"""The last row that Excel has."""
MAX_LINES = MAX_ROWS + MAX_ABOVE + 1
SHEET_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONSHIP_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONSHIPS_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/relationships"
COPIED_PARTS = {"styles": "xl/styles.xml", "sharedStrings": "xl/sharedStrings.xml"}
SHEET_PART = "xl/worksheets/sheet1.xml"

Range = tuple[tuple[int, int], tuple[int, int]]
"""First and last cell, each row and column from 0."""


@dataclass(frozen=True, slots=True)
class PlainSheet:
    """A rewritten sheet: a workbook with this sheet only; the row number of each line; merged
    cells; `was_cut` if cells too far away were left out."""

    data: bytes
    numbers: list[int]
    merged: list[Range]
    was_cut: bool


def plain_sheet(packed: zipfile.ZipFile, part: str) -> PlainSheet:
    """Rewrite the sheet stored in `part`, with plain cells only.

    Raises KeyError for a missing part, ValueError, and expat.ExpatError for invalid XML."""
    kept = {part: name for part, name in COPIED_PARTS.items() if _is_xml(packed, name)}
    texts = elements(packed, kept["sharedStrings"], "si") if "sharedStrings" in kept else []
    cells = _SheetRewriter(len(texts))
    parse_part(cells.parser, packed, part)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr(WORKBOOK, _workbook(packed))
        new.writestr("_rels/.rels", _relationships({"officeDocument": WORKBOOK}))
        new.writestr(
            "xl/_rels/workbook.xml.rels", _relationships({"worksheet": SHEET_PART, **kept})
        )
        for name in kept.values():
            new.writestr(name, packed.read(name))
        body = "".join(cells.pieces)
        new.writestr(
            SHEET_PART,
            f'<worksheet xmlns="{SHEET_NAMESPACE}"><sheetData>{body}</sheetData></worksheet>',
        )
    return PlainSheet(out.getvalue(), cells.numbers, cells.merged, cells.was_cut)


def _is_xml(packed: zipfile.ZipFile, part: str) -> bool:
    """True if the part is there and is XML."""
    try:
        parse_part(xml_parser(), packed, part)
    except (KeyError, ValueError, expat.ExpatError):
        return False
    return True


def _workbook(packed: zipfile.ZipFile) -> str:
    """The XML of the workbook, with the year in which the file's dates begin."""
    epochs = [element.get("date1904", "") for element in elements(packed, WORKBOOK, "workbookPr")]
    since = ' date1904="1"' if epochs and epochs[0].lower() in ("1", "true", "on") else ""
    return (
        f'<workbook xmlns="{SHEET_NAMESPACE}" xmlns:r="{RELATIONSHIP_KIND}"><workbookPr{since}/>'
        '<sheets><sheet name="Sheet" sheetId="1" r:id="rId0"/></sheets></workbook>'
    )


def _relationships(parts: Mapping[str, str]) -> str:
    """The relationships to these parts, as XML."""
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONSHIP_KIND}/{kind}" Target="/{name}"/>'
        for n, (kind, name) in enumerate(parts.items())
    )
    return f'<Relationships xmlns="{RELATIONSHIPS_NAMESPACE}">{inner}</Relationships>'


class _SheetRewriter:
    """Parser of a sheet's part that writes its first sheetData in plain cells."""

    def __init__(self, texts: int) -> None:
        self.pieces: list[str] = []
        self.numbers: list[int] = []
        self.merged: list[Range] = []
        self.was_cut = False
        self.parser = xml_parser()
        self.parser.StartElementHandler = self._start_element
        self.parser.EndElementHandler = self._end_element
        self.parser.CharacterDataHandler = self._add_text
        self.parser.buffer_text = True
        self._shared_texts = texts
        self._row, self._column = 1, 0
        self._number = 1
        """The row of the current line: by the place of its cells, not of its row element."""
        self._is_inside, self._was_inside = False, False
        self._cell: dict[str, str] | None = None
        self._within: list[str] = []
        self._texts_of_cell: list[str] = []
        self._line: dict[int, str] = {}

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        kind = local_name(name)
        if self._cell is not None:
            self._within.append(kind)
        elif kind == "mergeCell":
            self._add_merged(attributes.get("ref", ""))
        elif kind == "sheetData":
            self._is_inside = not self._was_inside
        elif not self._is_inside:
            return
        elif kind == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() and len(number) < 12 else self._row
        elif kind == "c":
            self._cell, self._texts_of_cell = attributes, []

    def _add_text(self, text: str) -> None:
        is_value = self._within in (["v"], ["is", "t"], ["is", "r", "t"])
        if self._cell is not None and is_value:
            self._texts_of_cell.append(text)

    def _end_element(self, name: str) -> None:
        kind = local_name(name)
        if self._within:
            self._within.pop()
        elif self._cell is not None:
            self._add_cell(self._cell, "".join(self._texts_of_cell))
            self._cell = None
        elif not self._is_inside:
            return
        elif kind == "row":
            self._end_row()
            self._row, self._column = self._row + 1, 0
        elif kind == "sheetData":
            self._is_inside, self._was_inside = False, True

    def _add_cell(self, attributes: Mapping[str, str], text: str) -> None:
        """Add a cell, at the place that it names or else beside the one before."""
        place = cell_place(attributes.get("r", ""))
        row, column = place or (self._row - 1, self._column)
        self._column = column + 1
        if row + 1 != self._number:
            self._end_row()
            self._number = row + 1
        if not text:
            return
        if row >= LAST_ROW or column >= 2 * MAX_COLUMNS or len(self.numbers) >= MAX_LINES:
            self.was_cut = True
            return
        cell = _cell(attributes.get("t", "n"), text, self._shared_texts)
        style = attributes.get("s", "")
        form = f' s="{style}"' if style.isdecimal() and style.isascii() else ""
        if cell:
            self._line[column] = f'<c r="{{}}"{form}{cell}</c>'

    def _end_row(self) -> None:
        """Write the current row, if it has cells."""
        if not self._line:
            return
        self.numbers.append(self._number)
        number = len(self.numbers)
        cells = "".join(
            text.replace("{}", cell_name((number, column)), 1)
            for column, text in sorted(self._line.items())
        )
        self.pieces.append(f'<row r="{number}">{cells}</row>')
        self._line = {}

    def _add_merged(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        begin, end = cell_place(first), cell_place(last or first)
        if begin and end:
            self.merged.append((begin, end))


def _cell(kind: str, text: str, texts: int) -> str:
    """The XML of a cell's type and value; empty for one that no program can read."""
    if kind == "s":
        exists = text.isdecimal() and len(text) < 10 and int(text) < texts
        return f' t="s"><v>{text}</v>' if exists else ""
    if kind == "b":
        return f' t="b"><v>{text}</v>' if text in ("0", "1") else ""
    if kind == "e":
        return ""
    if kind == "n" and NUMBER.fullmatch(text.strip()):
        return f"><v>{text.strip()}</v>"
    return f' t="str"><v>{escape(text)}</v>'


def cell_place(reference: str) -> tuple[int, int] | None:
    """Parse a reference such as AB2 into row and column from 0; None for an invalid one."""
    match = REFERENCE.fullmatch(reference)
    if match is None or int(match[2]) == 0:
        return None
    return int(match[2]) - 1, column_number(match[1].upper())


def column_number(letters: str) -> int:
    """The number of a column: A is 0, Z is 25, AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def cell_name(place: tuple[int, int]) -> str:
    """The name of a cell by row from 1 and column from 0: (2, 27) is AB2."""
    row, column = place
    letters = ""
    while column >= 0:
        letters = chr(ord("A") + column % 26) + letters
        column = column // 26 - 1
    return f"{letters}{row}"
