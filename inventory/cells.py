"""Write serials into their cells of a workbook, and change nothing else.

Runs in the child process; the rest of the monitor calls `inventory.workbook`.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)
from xml.sax.saxutils import escape, quoteattr  # nosec B406 (they write, they do not read)

from fleet.natural_order import natural_key
from fleet.recorder_list import RecorderRow
from inventory.limits import NotReadable
from inventory.model import SERIAL, Place, RecorderSheet, workbook_of
from inventory.plain_sheets import cell_name, cell_place
from inventory.recorders import sheet_of_recorders
from inventory.xlsx_parts import local_name, sheets_of, xml_parser

KEPT_ATTRIBUTES = ("r", "s", "xmlns")
"""Attributes of a cell that stay: its place, its format, and the namespaces of its name."""
BEYOND_LAST_COLUMN = 1 << 20
"""A column beyond the last one."""
TYPE_SERIAL = "Enter the serial number there in Excel."


@dataclass(frozen=True, slots=True)
class SerialUpdate:
    """The result of writing serials: the new file, None when nothing had to change; by site the
    reason why a serial was not written; the sites that have no row."""

    data: bytes | None
    refused: Mapping[str, str]
    gone: Sequence[str] = ()


def with_serials(data: bytes, serials: Mapping[str, str], *, tidy: bool = False) -> SerialUpdate:
    """Write these serials by site, also for rows that have none of their own yet.
    Raises NotReadable."""
    before = sheet_of_recorders(data, tidy=tidy)
    rows = {row.site: row for row in _rows_with_site(before)}
    column = before.first + before.place(SERIAL)
    wanted = {
        (rows[site].number, column): site
        for site, serial in serials.items()
        if site in rows and rows[site].serial != serial
    }
    refused = {
        site: f"{cell_name(place)} is part of a merged cell. {TYPE_SERIAL}"
        for place, site in wanted.items()
        if place in before.merged
    }
    texts = {place: serials[site] for place, site in wanted.items() if site not in refused}
    new, not_written = replace_texts(data, before.sheet, texts)
    refused |= {wanted[place]: reason for place, reason in not_written.items()}
    written = {place[0]: texts[place] for place in texts.keys() - not_written.keys()}
    gone = sorted(serials.keys() - rows.keys(), key=natural_key)
    if written:
        _check_written(before, new, written, tidy)
    return SerialUpdate(new if written else None, refused, gone)


def _rows_with_site(table: RecorderSheet) -> list[RecorderRow]:
    """The rows that have a serial, and those that lack only a serial."""
    book = workbook_of(table)
    return [*book.rows, *(problem.row for problem in book.problems if problem.row)]


def _check_written(
    before: RecorderSheet, new: bytes, serials: Mapping[int, str], tidy: bool = False
) -> None:
    """Check that the new file reads like the one before, except for these serials."""
    lines, column = dict(before.lines), before.place(SERIAL)
    for number, serial in serials.items():
        lines[number] = [*lines[number][:column], serial, *lines[number][column + 1 :]]
    if sheet_of_recorders(new, tidy=tidy) != replace(before, lines=lines):
        raise NotReadable(
            "The serial number cannot be written without changing other cells", TYPE_SERIAL
        )


def replace_texts(
    data: bytes, sheet: str, texts: Mapping[Place, str]
) -> tuple[bytes, Mapping[Place, str]]:
    """Replace texts in cells of a sheet; return the file, and reasons for cells not replaced.

    Everything else stays as it is, byte by byte: formats, pictures, and the values that
    formulas had, which nobody here could compute again. Raises NotReadable.
    """
    out, refused = io.BytesIO(), dict[Place, str]()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            part = next((item.part for item in sheets_of(old) if item.name == sheet), None)
            if part is None:
                raise KeyError(sheet)
            for info in old.infolist():
                content = old.read(info)
                if info.filename == part:
                    content, refused = _replace_in_part(content, texts)
                # Sizes as they were, in a form for huge parts, are not those that will be.
                info.extra = b""
                new.writestr(info, content)
            new.comment = old.comment
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, ValueError) as error:
        raise NotReadable(
            f"The cells of sheet {sheet[:40]} cannot be written ({error})",
            f"Save the file as .xlsx in Excel. {TYPE_SERIAL}",
        ) from error
    return out.getvalue(), refused


def _replace_in_part(xml: bytes, texts: Mapping[Place, str]) -> tuple[bytes, dict[Place, str]]:
    """Replace texts in a sheet's part; reasons for cells not replaced. Raises ValueError."""
    cells = _CellLocator(texts)
    cells.parser.Parse(xml, True)
    refused = {place: f"{cell_name(place)} is not stored. {TYPE_SERIAL}" for place in texts}
    edits = [
        (cell.begin, _end_of_cell(xml, cell.near, cell.name), cell.with_text(texts[cell.place]))
        for cell in cells.located
    ]
    known = {cell.place for cell in cells.located} | cells.formulas
    for place, (begin, name) in cells.gaps.items():
        if place not in known and (local_name(name) == "c" or _closing_tag_at(xml, begin, name)):
            known.add(place)
            new = _Cell(begin, begin, place, f"{_prefix(name)}c", {"r": cell_name(place)})
            edits.append((begin, begin, new.with_text(texts[place])))
    for place in known:
        refused.pop(place, None)
    for place in cells.formulas:
        refused[place] = f"{cell_name(place)} has a formula. {TYPE_SERIAL}"
    pieces, position = [], 0
    for begin, end, new_text in sorted(edits):
        pieces += [xml[position:begin], new_text]
        position = end
    return b"".join((*pieces, xml[position:])), refused


def _prefix(name: str) -> str:
    """The prefix of an element's name, with its colon."""
    prefix, colon, _ = name.rpartition(":")
    return prefix + colon


def _closing_tag_at(xml: bytes, place: int, name: str) -> re.Match[bytes] | None:
    """Match the closing tag of that name at `place`."""
    return re.compile(rb"</" + re.escape(name.encode()) + rb"\s*>").match(xml, place)


def _end_of_cell(xml: bytes, near: int, name: str) -> int:
    """The end of the cell that expat reports at `near`: there its closing tag begins; an
    empty `<c/>` has none and has ended there."""
    closing = _closing_tag_at(xml, near, name)
    if closing is None and xml[near - 2 : near] != b"/>":
        raise ValueError("the end of a cell is not found")
    return closing.end() if closing else near


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell in the bytes of a sheet: where it begins, and a place at its end."""

    begin: int
    near: int
    place: Place
    name: str
    attributes: Mapping[str, str]

    def with_text(self, text: str) -> bytes:
        kept = "".join(
            f" {key}={quoteattr(value)}"
            for key, value in self.attributes.items()
            if key.partition(":")[0] in KEPT_ATTRIBUTES
        )
        prefix = self.name.removesuffix("c")
        inner = f"<{prefix}is><{prefix}t>{escape(text)}</{prefix}t></{prefix}is>"
        return f'<{self.name}{kept} t="inlineStr">{inner}</{self.name}>'.encode()


class _CellLocator:
    """Locate cells in the first sheetData of a part, in the rows and columns that calamine sees."""

    def __init__(self, wanted: Mapping[Place, str]) -> None:
        self.wanted = wanted
        self.located: list[_Cell] = []
        self.formulas: set[Place] = set()
        self.gaps: dict[Place, tuple[int, str]] = {}
        """The place for a cell that is not stored, and the name of the element whose tag is
        there: the next cell, or the end of the row."""
        self._waiting: dict[int, set[int]] = {}
        for row, column in wanted:
            self._waiting.setdefault(row, set()).add(column)
        self.parser = xml_parser()
        self.parser.StartElementHandler = self._start_element
        self.parser.EndElementHandler = self._end_element
        self._row, self._column = 1, 0
        self._is_inside = False
        self._open: tuple[int, Place, str, dict[str, str]] | None = None

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        kind = local_name(name)
        if kind == "sheetData":
            self._is_inside = True
        elif not self._is_inside:
            return
        elif self._open:
            if kind == "f":
                self.formulas.add(self._open[1])
            elif kind == "c":
                raise ValueError("a cell lies in a cell")
        elif kind == "row":
            self._row = int(attributes.get("r", self._row))
        elif kind == "c":
            place = self._place_of(attributes.get("r", ""))
            self._column = place[1] + 1
            self._note_gaps(place[1], name)
            if place in self.wanted:
                self._open = (self.parser.CurrentByteIndex, place, name, attributes)

    def _note_gaps(self, column: int, name: str) -> None:
        """Note a gap for each wanted cell of this row that comes before that column."""
        waiting = self._waiting.get(self._row, set())
        for place in [place for place in waiting if place <= column]:
            waiting.discard(place)
            if place < column:
                self.gaps[self._row, place] = (self.parser.CurrentByteIndex, name)

    def _place_of(self, reference: str) -> Place:
        """The place of a cell: as it says, or else beside the cell before."""
        named = cell_place(reference)
        return (named[0] + 1, named[1]) if named else (self._row, self._column)

    def _end_element(self, name: str) -> None:
        kind = local_name(name)
        if self._open:
            if name == self._open[2]:
                begin, place, name, attributes = self._open
                self._open = None
                if place not in self.formulas:
                    near = self.parser.CurrentByteIndex
                    self.located.append(_Cell(begin, near, place, name, attributes))
                if len(self.located) + len(self.formulas) == len(self.wanted):
                    self._ignore_rest()
        elif kind == "row":
            self._note_gaps(BEYOND_LAST_COLUMN, name)
            self._row, self._column = self._row + 1, 0
        elif kind == "sheetData":
            self._ignore_rest()

    def _ignore_rest(self) -> None:
        """Stop looking for cells; the rest is only checked to be valid XML."""
        self.parser.StartElementHandler = self.parser.EndElementHandler = None
