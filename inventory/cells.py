"""Writes serials into their cells of a workbook, and nothing else.

Run by the child process; the rest of the monitor asks `inventory.workbook`.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)
from xml.sax.saxutils import escape, quoteattr  # nosec B406 (they write, they do not read)

from fleet.edit.recorder_list import RecorderRow
from inventory.limits import NotReadable
from inventory.model import SERIAL, Place, RecorderSheet, workbook_of
from inventory.parts import local, sheets_of, xml_parser
from inventory.recorders import sheet_of_recorders
from inventory.tidy import place_of, spelled

KEPT = ("r", "s", "xmlns")
"""Attributes of a cell that its new text leaves: place, format, and what its name needs."""
FAR = 1 << 20
"""A column beyond the last one."""
TYPE_IT = "Type the serial there in Excel."


@dataclass(frozen=True, slots=True)
class Written:
    """The new file, None when nothing had to change; for each site that could not be written
    why and what to do; the sites that have no row."""

    data: bytes | None
    refused: Mapping[str, str]
    gone: Sequence[str] = ()


def with_serials(data: bytes, serials: Mapping[str, str], *, tidy: bool = False) -> Written:
    """The workbook with these serials by site, also for rows that have none of their own yet.
    Raises NotReadable."""
    before = sheet_of_recorders(data, tidy=tidy)
    rows = {row.site: row for row in _fit(before)}
    column = before.first + before.place(SERIAL)
    wanted = {
        (rows[site].number, column): site
        for site, serial in serials.items()
        if site in rows and rows[site].serial != serial
    }
    refused = {
        site: f"{spelled(place)} is part of a merged cell. {TYPE_IT}"
        for place, site in wanted.items()
        if place in before.merged
    }
    texts = {place: serials[site] for place, site in wanted.items() if site not in refused}
    new, not_written = with_texts(data, before.sheet, texts)
    refused |= {wanted[place]: why for place, why in not_written.items()}
    written = {place[0]: texts[place] for place in texts.keys() - not_written.keys()}
    gone = sorted(serials.keys() - rows.keys())
    if written:
        _check_written(before, new, written, tidy)
    return Written(new if written else None, refused, gone)


def _fit(table: RecorderSheet) -> list[RecorderRow]:
    """The rows that have a serial, and those that lack only one."""
    book = workbook_of(table)
    return [*book.rows, *(problem.row for problem in book.problems if problem.row)]


def _check_written(
    before: RecorderSheet, new: bytes, serials: Mapping[int, str], tidy: bool = False
) -> None:
    """Whatever a file may be like: what is written reads as before but for these serials."""
    lines, column = dict(before.lines), before.place(SERIAL)
    for number, serial in serials.items():
        lines[number] = [*lines[number][:column], serial, *lines[number][column + 1 :]]
    if sheet_of_recorders(new, tidy=tidy) != replace(before, lines=lines):
        raise NotReadable("A serial cannot be written without changing other cells", TYPE_IT)


def with_texts(
    data: bytes, sheet: str, texts: Mapping[Place, str]
) -> tuple[bytes, Mapping[Place, str]]:
    """The file with other texts in these cells of a sheet; the cells that cannot have them, why.

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
                    content, refused = _replaced(content, texts)
                # Sizes as they were, in a form for huge parts, are not those that will be.
                info.extra = b""
                new.writestr(info, content)
            new.comment = old.comment
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, ValueError) as error:
        raise NotReadable(
            f"The cells of sheet {sheet[:40]} cannot be written ({error})",
            f"Save the file as .xlsx in Excel. {TYPE_IT}",
        ) from error
    return out.getvalue(), refused


def _replaced(xml: bytes, texts: Mapping[Place, str]) -> tuple[bytes, dict[Place, str]]:
    """A sheet's part with other texts in cells, and why not in some. Raises ValueError."""
    cells = _Cells(texts)
    cells.parser.Parse(xml, True)
    refused = {place: f"{spelled(place)} is not stored. {TYPE_IT}" for place in texts}
    edits = [
        (cell.begin, _end(xml, cell.near, cell.name), cell.with_text(texts[cell.place]))
        for cell in cells.found
    ]
    known = {cell.place for cell in cells.found} | cells.formulas
    for place, (begin, name) in cells.gaps.items():
        if place not in known and (local(name) == "c" or _closes(xml, begin, name)):
            known.add(place)
            new = _Cell(begin, begin, place, f"{_prefix(name)}c", {"r": spelled(place)})
            edits.append((begin, begin, new.with_text(texts[place])))
    for place in known:
        refused.pop(place, None)
    for place in cells.formulas:
        refused[place] = f"{spelled(place)} has a formula. {TYPE_IT}"
    pieces, done = [], 0
    for begin, end, new_text in sorted(edits):
        pieces += [xml[done:begin], new_text]
        done = end
    return b"".join((*pieces, xml[done:])), refused


def _prefix(name: str) -> str:
    """The prefix of an element's name, with its colon."""
    prefix, colon, _ = name.rpartition(":")
    return prefix + colon


def _closes(xml: bytes, place: int, name: str) -> re.Match[bytes] | None:
    """The closing tag of that name, if it begins there."""
    return re.compile(rb"</" + re.escape(name.encode()) + rb"\s*>").match(xml, place)


def _end(xml: bytes, near: int, name: str) -> int:
    """The end of the cell that expat reports at `near`: there its closing tag begins; an
    empty `<c/>` has none and has ended there."""
    closing = _closes(xml, near, name)
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
            if key.partition(":")[0] in KEPT
        )
        dot = self.name.removesuffix("c")
        inner = f"<{dot}is><{dot}t>{escape(text)}</{dot}t></{dot}is>"
        return f'<{self.name}{kept} t="inlineStr">{inner}</{self.name}>'.encode()


class _Cells:
    """Finds cells in the first sheetData of a part; counts rows and columns as calamine does."""

    def __init__(self, wanted: Mapping[Place, str]) -> None:
        self.wanted = wanted
        self.found: list[_Cell] = []
        self.formulas: set[Place] = set()
        self.gaps: dict[Place, tuple[int, str]] = {}
        """Where a cell would stand that is not stored, and the name of the element whose tag is
        there: the next cell, or the end of the row."""
        self._waiting: dict[int, set[int]] = {}
        for row, column in wanted:
            self._waiting.setdefault(row, set()).add(column)
        self.parser = xml_parser()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._finish
        self._row, self._column = 1, 0
        self._is_inside = False
        self._open: tuple[int, Place, str, dict[str, str]] | None = None

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        kind = local(name)
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
            place = self._place(attributes.get("r", ""))
            self._column = place[1] + 1
            self._pass(place[1], name)
            if place in self.wanted:
                self._open = (self.parser.CurrentByteIndex, place, name, attributes)

    def _pass(self, column: int, name: str) -> None:
        """Note a gap for each wanted cell of this row that comes before that column."""
        waiting = self._waiting.get(self._row, set())
        for place in [place for place in waiting if place <= column]:
            waiting.discard(place)
            if place < column:
                self.gaps[self._row, place] = (self.parser.CurrentByteIndex, name)

    def _place(self, reference: str) -> Place:
        """A cell that names no place lies beside the one before."""
        named = place_of(reference)
        return (named[0] + 1, named[1]) if named else (self._row, self._column)

    def _finish(self, name: str) -> None:
        kind = local(name)
        if self._open:
            if name == self._open[2]:
                begin, place, name, attributes = self._open
                self._open = None
                if place not in self.formulas:
                    near = self.parser.CurrentByteIndex
                    self.found.append(_Cell(begin, near, place, name, attributes))
                if len(self.found) + len(self.formulas) == len(self.wanted):
                    self._rest()
        elif kind == "row":
            self._pass(FAR, name)
            self._row, self._column = self._row + 1, 0
        elif kind == "sheetData":
            self._rest()

    def _rest(self) -> None:
        """Nothing more is to be found; what comes must only be whole."""
        self.parser.StartElementHandler = self.parser.EndElementHandler = None
